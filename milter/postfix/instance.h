/*
 * instance - one Postfix instance: parameters, services and listeners, looked up by name
 *
 * Built from the texts of postconf(1), then constant; any thread may read.  Returned strings belong
 * to the instance.
 */
#ifndef FF_INSTANCE_H
#define FF_INSTANCE_H

#include "base/cidr.h"
#include "postfix/postconf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A line of master.cf (master(5)). */
struct service {
	const char *name;    /* "smtp", "127.0.0.1:10025", "smtp-amavis" */
	const char *type;    /* "inet", "unix", "pass", "fifo" */
	const char *command; /* "smtpd", "smtp", "pipe" */
	const char *arguments; /* what follows it, as postconf -M prints it */
	const char *chroot;    /* "y", "n", or "-": the default */
	bool is_plain;	       /* master.cf gives it no parameters of its own; false: it may */
};

struct networks;

/* A service through which mail comes in by SMTP. */
struct listener {
	const struct service *service;
	const struct service *smtpd; /* the same, or "smtpd pass" behind postscreen(8) */
	struct cidr address;	     /* valid unless is_wildcard */
	bool is_wildcard;	     /* any address, or a host name, or none, in master.cf */
	bool is_without_host;	     /* a port alone: listens on inet_interfaces */
	bool is_localhost;	     /* "localhost": every address of the loopback interface */
	bool is_loopback;	     /* only this host reaches it */
	uint16_t port;		     /* host byte order */
	bool is_reentry;	     /* a content filter hands its mail back here */
	const char *content_filter;  /* "" when there is none */
	const char *proxy_filter;    /* smtpd_proxy_filter, "" when there is none */
	const char *host_name;	     /* myhostname */
	struct networks *networks;   /* mynetworks of its own, NULL: those of main.cf */
};

struct instance;

/* instance_new - parse; NULL when postconf->error is set.  Copies what it needs. */
struct instance *instance_new(const struct postconf *postconf);
void instance_free(struct instance *instance);

const char *instance_directory(const struct instance *instance);

/* instance_parameter - of main.cf, expanded; "" when Postfix knows no such parameter */
const char *instance_parameter(const struct instance *instance, const char *name);

/* instance_rewrite_service - the name under which its daemons reach trivial-rewrite(8) */
const char *instance_rewrite_service(const struct instance *instance);

/* instance_each_parameter - all of main.cf, defaults included, in its order, then the -o options of master.cf.
 * service is "NAME/TYPE" of such an option, NULL for main.cf. */
void instance_each_parameter(const struct instance *instance,
	void (*fn)(void *arg, const char *service, const char *name, const char *value), void *arg);

/* instance_transport - the service that qmgr(8) would use under that name, NULL: not in master.cf */
const struct service *instance_transport(const struct instance *instance, const char *name);

/* instance_services - all of master.cf */
const struct service *instance_services(const struct instance *instance, size_t *count);

/* service_is_agent - none of Postfix's daemons that are no delivery agents: those log it when one hangs up on them */
bool service_is_agent(const struct service *service);

/* service_is_chrooted - does it see no files but those below queue_directory? */
bool service_is_chrooted(const struct instance *instance, const struct service *service);

/* service_parameter - of main.cf unless an -o option of the service says otherwise; *is_override
 * (may be NULL) tells which */
const char *service_parameter(const struct instance *instance, const struct service *service,
	const char *name, bool *is_override);

/* instance_listeners - all of them */
const struct listener *instance_listeners(const struct instance *instance, size_t *count);

/* instance_hops - what look-up tables name, "TRANSPORT TAB NEXTHOP" lines */
const char *instance_hops(const struct instance *instance);

/* instance_policies - what tables of TLS policies say, see tls_policy.h */
const char *instance_policies(const struct instance *instance);

/* How well a listener fits an address; a better one is greater. */
enum listener_fit {
	FIT_NONE,
	FIT_PORT,      /* by its port alone: as far as we can tell it does not listen on that address */
	FIT_ANY,       /* it listens on any address, or on those of names that are not looked up */
	FIT_INTERFACE, /* inet_interfaces has the address */
	FIT_ADDRESS,   /* master.cf has the address */
};

/* instance_listener - the one that a client reached at {daemon_addr} and {daemon_port}; NULL: none.  *fit (may be
 * NULL) says how sure that is. */
const struct listener *instance_listener(const struct instance *instance, const char *address,
	const char *port, enum listener_fit *fit);

/* instance_listener_at - the same; where is NULL when the address is not known, port in host byte order */
const struct listener *instance_listener_at(const struct instance *instance,
	const struct cidr *where, uint16_t port, enum listener_fit *fit);

/* instance_is_at - is this one of the addresses at which it, or a proxy in front of it, takes mail (inet_interfaces,
 * proxy_interfaces)?  Names among them are not looked up.  is_of_host: the address is one of this host's. */
bool instance_is_at(const struct instance *instance, const struct cidr *where, bool is_of_host);

/* instance_in_mynetworks - is the client in mynetworks, as the listener (may be NULL) sees them?  client_name as
 * Postfix has it, "unknown" when it is not verified. */
bool instance_in_mynetworks(const struct instance *instance, const struct listener *listener,
	const char *client_address, const char *client_name);

/* networks_is_table - a word of mynetworks is "TYPE:NAME" */
bool networks_is_table(const char *word);

#endif
