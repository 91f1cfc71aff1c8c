/*
 * site - all that a verdict or a probe needs to know about this site, as one immutable object
 *
 * Our configuration and what is known of each Postfix instance.  A reload builds a new site and
 * switches; whoever works with the old one keeps it by a reference until done, so nothing changes in
 * mid-message.  Any thread may read; references are counted atomically.
 */
#ifndef FF_SITE_H
#define FF_SITE_H

#include "conf/conf.h"
#include "health/hop.h"
#include "postfix/instance.h"

#include <netinet/in.h>

struct site;

/* site_new - takes its own reference of conf, copies what it needs of the postconfs; one whose texts
 * are missing is left out (its error is logged) */
struct site *site_new(struct conf *conf, const struct postconf *postconfs, size_t count);
struct site *site_ref(struct site *site);
void site_unref(struct site *site);

/* site_publish - make it the one in use, taking over the caller's reference */
void site_publish(struct site *site);

/* site_current - a new reference to the one in use; NULL before the first site_publish() */
struct site *site_current(void);

const struct conf *site_conf(const struct site *site);

/* How mail of one connection came in. */
struct origin {
	const struct instance *instance; /* NULL when we cannot see Postfix's configuration */
	const struct listener *listener; /* NULL when unknown, or not by SMTP */
	const char *content_filter;	 /* "" when there is none */
	const char *proxy_filter;	 /* "" when there is none */
	bool is_local;			 /* sendmail(1): non_smtpd_milters */
	bool is_reentry;		 /* a content filter hands its mail back */
};

/* site_origin - by {daemon_addr} and {daemon_port}; Postfix gives port 0 for mail of sendmail(1).
 * Either may be NULL. */
void site_origin(const struct site *site, const char *daemon_address, const char *daemon_port,
	struct origin *out);

/* site_local_origin - of mail of sendmail(1), by j, the myhostname of its Postfix (may be NULL): all instances have the
 * same port 0 */
void site_local_origin(const struct site *site, const char *host, struct origin *out);

/* site_first_origin - of mail that comes in through the first listener of the first instance */
void site_first_origin(const struct site *site, struct origin *out);

/* site_filter_hop - the hop of a content_filter value; false when it names none */
bool site_filter_hop(const char *value, char name[HOP_NAME_BYTES]);

/* site_proxy_hop - the hop of an smtpd_proxy_filter value, "smtpd_proxy_filter:VALUE" */
bool site_proxy_hop(const char *value, char name[HOP_NAME_BYTES]);

/*
 * site_recipient_hop - the hop that trivial-rewrite(8) chose for a recipient.
 *
 * mailer and host are {rcpt_mailer} and {rcpt_host}.  The nexthop is left out where it is not a fixed
 * one: when it is the recipient's own domain, or the transport delivers without a server.  *role is
 * ROLE_RELAYHOST or ROLE_TRANSPORT.  false when no hop is on the route (error, discard, no mailer).
 */
bool site_recipient_hop(const struct site *site, const struct instance *instance,
	const char *mailer, const char *host, const char *recipient, char name[HOP_NAME_BYTES],
	enum hop_role *role);

/* transport_protocol - what a transport speaks; PROTOCOL_NONE: it delivers without a server */
enum hop_protocol transport_protocol(const struct service *service, const char *transport);

/* is_no_hop - transports that take mail nowhere: error(8) and its like */
bool is_no_hop(const char *transport);

/* site_each_hop - call fn for every hop that either configuration names; one may come repeatedly, with
 * different roles */
void site_each_hop(const struct site *site,
	void (*fn)(void *arg, const char *name, enum hop_role role), void *arg);

enum plan_kind {
	PLAN_NOTHING, /* there is no server to probe, or a list of them */
	PLAN_INVALID, /* the nexthop cannot be used: reason, why */
	PLAN_SERVER,  /* probe target */
};

/* What to do about one hop.  Strings belong to the site. */
struct plan {
	enum plan_kind kind;
	enum reason reason;
	const char *why;
	struct hop_target target; /* a UNIX path is absolute */
	const char *private_directory; /* config_directory of the instance in whose private/ it lies, "": none */
	int64_t interval_ms;
	enum conf_depth depth;
	const char *helo;
	unsigned address_limit;
	bool use_ipv4, use_ipv6;
	bool has_fallback; /* smtp_fallback_relay takes the mail when the server does not */
	bool uses_native;  /* names may be known to sources that we do not ask (smtp_host_lookup) */
	bool has_bind4, has_bind6;
	struct in_addr bind4;
	struct in6_addr bind6;
};

/* site_plan - how a hop is probed: as Postfix would use it, and as our hop sections say */
void site_plan(const struct site *site, const char *hop, struct plan *plan);

/* What a transport itself needs. Strings belong to the site. */
struct transport_plan {
	const char *name;	     /* of the service */
	const char *directory;	     /* config_directory of its instance */
	const char *command;	     /* "smtp", "pipe"; "" when master.cf has no such service */
	const char *arguments;
	const char *mail_owner;
	const char *bind4, *bind6; /* smtp_bind_address, smtp_bind_address6; "" when not set */
	bool is_bind_enforced;	   /* smtp_bind_address_enforce */
};

/* site_base - the name of the hop that stands for the transport of a hop alone, "TRANSPORT:"; false when the hop has
 * none that can be looked at: a before-queue filter, or no Postfix instance is known */
bool site_base(const struct site *site, const char *hop, char name[HOP_NAME_BYTES]);

/* site_transport_plan - what to look at for a base; false when the service is no delivery agent.  The name in plan
 * is that in transport. */
bool site_transport_plan(const struct site *site, const char *base, char transport[HOP_NAME_BYTES],
	struct transport_plan *plan);

#endif
