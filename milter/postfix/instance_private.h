/*
 * instance_private - what the files of the instance module share
 */
#ifndef FF_INSTANCE_PRIVATE_H
#define FF_INSTANCE_PRIVATE_H

#include "postfix/instance.h"

struct parameter;

/* A value of mynetworks. */
struct networks {
	size_t count;
	struct {
		struct cidr network;
		bool is_excluded; /* "!192.0.2.1" */
	} element[];
};

struct instance {
	char *directory;
	char *text[3];
	char *hops;
	struct parameter *main, *overrides;
	struct service *services;
	size_t service_count;
	struct listener *listeners;
	size_t listener_count;
	struct networks *networks; /* of main.cf */
};

/* instance_service - by name and type, NULL: not in master.cf */
const struct service *instance_service(const struct instance *instance, const char *name,
	const char *type);

void listeners_build(struct instance *instance);

/* networks_new - parse a value of mynetworks; free() it */
struct networks *networks_new(const struct instance *instance, const char *value);

#endif
