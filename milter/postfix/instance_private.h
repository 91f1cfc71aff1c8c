/*
 * instance_private - what the files of the instance module share
 */
#ifndef FF_INSTANCE_PRIVATE_H
#define FF_INSTANCE_PRIVATE_H

#include "postfix/instance.h"

struct parameter;

/* A value of mynetworks or inet_interfaces. */
struct networks {
	size_t count;
	bool has_others; /* names, files, tables: not consulted */
	struct {
		struct cidr network;
		bool is_excluded; /* "!192.0.2.1" */
	} element[];
};

struct instance {
	char *directory;
	char *text[3];
	char *hops;
	char *policies;
	struct parameter *main, *overrides;
	struct service *services;
	size_t service_count;
	const struct service **by_name; /* sorted by name and type, each once */
	size_t by_name_count;
	struct listener *listeners;
	size_t listener_count;
	struct networks *networks;   /* of main.cf */
	struct networks *interfaces; /* inet_interfaces */
	bool is_on_all;		     /* inet_interfaces = all */
	bool is_on_loopback;	     /* it has "localhost" or is loopback-only */
};

/* instance_service - by name and type, NULL: not in master.cf */
const struct service *instance_service(const struct instance *instance, const char *name,
	const char *type);

void listeners_build(struct instance *instance);

/* networks_new - parse the value of mynetworks or inet_interfaces; free() it */
struct networks *networks_new(const struct instance *instance, const char *parameter,
	const char *value);

#endif
