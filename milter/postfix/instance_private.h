/*
 * instance_private - what the files of the instance module share
 */
#ifndef FF_INSTANCE_PRIVATE_H
#define FF_INSTANCE_PRIVATE_H

#include "postfix/instance.h"

struct parameter;

/* An element of mynetworks. */
struct network {
	struct cidr network;
	bool is_excluded; /* "!192.0.2.1" */
};

struct instance {
	char *directory;
	char *text[3];
	struct parameter *main, *overrides;
	struct service *services;
	size_t service_count;
	struct listener *listeners;
	size_t listener_count;
	struct network *networks;
	size_t network_count;
};

/* instance_service - by name and type, NULL: not in master.cf */
const struct service *instance_service(const struct instance *instance, const char *name,
	const char *type);

void listeners_build(struct instance *instance);
void networks_build(struct instance *instance);

#endif
