/*
 * instance_private - what the files of the instance module share
 */
#ifndef FF_INSTANCE_PRIVATE_H
#define FF_INSTANCE_PRIVATE_H

#include "postfix/instance.h"

struct parameter;

struct instance {
	char *directory;
	char *text[3];
	char *hops;
	char *policies;
	char *network_blocks; /* postconf_networks */
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
	bool is_on_names;	     /* it has names that are not looked up */
	bool is_on_loopback;	     /* it has "localhost" or is loopback-only */
};

/* instance_service - by name and type, NULL: not in master.cf */
const struct service *instance_service(const struct instance *instance, const char *name,
	const char *type);

void listeners_build(struct instance *instance);

/* networks_new - the value of mynetworks or inet_interfaces; blocks: what is in its files and tables */
struct networks *networks_new(const char *value, const char *blocks);
void networks_free(struct networks *networks);

/* networks_have_others - names, files or tables */
bool networks_have_others(const struct networks *networks);

/* networks_match - the first pattern that matches decides; address may be NULL, name "" */
bool networks_match(const struct networks *networks, const struct cidr *address, const char *name);

#endif
