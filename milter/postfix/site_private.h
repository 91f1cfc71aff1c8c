/*
 * site_private - what the files of the site module share
 */
#ifndef FF_SITE_PRIVATE_H
#define FF_SITE_PRIVATE_H

#include "postfix/site.h"

#include <stdatomic.h>

/* The filters of one instance's mail. */
struct filters {
	struct chain **listener; /* for each listener */
	bool *is_handed;	 /* for each listener: a content filter's nexthop is this listener itself */
	struct chain *pickup;
	struct chain *other; /* of a listener that master.cf does not have */
};

struct site {
	atomic_uint references;
	struct conf *conf;
	struct instance **instances;
	char **labels;		 /* names of the instances, fit to be part of a hop's name */
	struct filters *filters; /* of each instance */
	struct chain *unseen;	 /* of mail of which we do not see how it came in */
	size_t instance_count;
	struct cidr *addresses; /* of this host */
	size_t address_count;
	char host_name[HOP_HOST_BYTES]; /* of this machine, for EHLO when nothing better is known */
};

/* naming_build, naming_free - the labels of all instances */
void naming_build(struct site *site);
void naming_free(struct site *site);

/* site_hop_name - the name of an instance's hop; instance NULL: as it is written.  false when it is no hop's name */
bool site_hop_name(const struct site *site, const struct instance *instance,
	const char *transport, const char *nexthop, char name[HOP_NAME_BYTES]);

/* site_transport - what the transport part of a hop's name means: the name that master.cf has, the instance (NULL
 * when none is known) and its service (NULL when it has none of that name) */
const char *site_transport(const struct site *site, const char *transport,
	const struct instance **instance, const struct service **service);

/* filters_build, filters_free - the filters of all mail that comes in */
void filters_build(struct site *site);
void filters_free(struct site *site);

/* filters_report - log what is left out */
void filters_report(const struct site *site);

/* site_listener_at - our own listener there, of whatever instance, by its numbers; false: none, or it is not clear
 * which */
bool site_listener_at(const struct site *site, const struct hop_target *target, size_t *instance,
	size_t *listener);

/* The client of a hop's server, as its parameters are looked up. */
struct client {
	const struct instance *instance;
	const struct service *service;
	const char *prefix; /* "smtp" or "lmtp" */
	bool is_smtpd;	    /* the client of a before-queue filter */
};

/* client_parameter - "smtp_" or "lmtp_" and the name, "" when unknown */
const char *client_parameter(const struct client *client, const char *name);

/* client_word - a parameter that has no such prefix */
const char *client_word(const struct client *client, const char *name);

/* plan_tls - fill in plan->tls, and the level of plan->auth; the target must be there */
void plan_tls(const struct client *client, const struct conf_hop_settings *settings,
	struct plan *plan);

/* PROXY_TRANSPORT - stands for smtpd(8) as the client of a before-queue filter */
#define PROXY_TRANSPORT "smtpd_proxy_filter"

#endif
