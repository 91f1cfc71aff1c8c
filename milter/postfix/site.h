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
#include "postfix/plan_tls.h"

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

/* site_instance - by its config_directory, NULL: none */
const struct instance *site_instance(const struct site *site, const char *directory);

/* One hop of a route. */
struct leg {
	enum hop_role role;
	bool is_possible; /* mail may well take another way: never refuse for it */
	char name[HOP_NAME_BYTES];
};

enum { CHAIN_MAX = 7 };

/*
 * Filters that follow each other, in the order in which mail meets them.
 *
 * A before-queue filter goes before a content filter.  Where the nexthop of a filter is a listener of our own, of
 * whatever instance, that listener's filters come next, and so on; a listener is met once.  No more than CHAIN_MAX
 * are kept.
 */
struct chain {
	size_t count;
	bool is_cut; /* there would be more */
	struct leg leg[];
};

/* How mail of one connection came in. */
struct origin {
	const struct instance *instance; /* NULL when we cannot see, or cannot tell, whose mail it is */
	const struct listener *listener; /* NULL when unknown, or not by SMTP */
	const struct chain *filters;	 /* belongs to the site */
	bool is_local;			 /* sendmail(1): non_smtpd_milters */
	bool is_reentry; /* it was accepted before: a content filter, or the transport to one, hands it over */
};

/*
 * site_origin - by {daemon_addr}, {daemon_port} and j; Postfix gives port 0 for mail of sendmail(1).  Each may be NULL.
 *
 * Of several instances only those with the myhostname j are considered, if there are any.  Where still more than one
 * fits equally well, the instance stays unknown and no filter is assumed.
 */
void site_origin(const struct site *site, const char *daemon_address, const char *daemon_port,
	const char *host, struct origin *out);

/* site_first_origin - of mail that comes in through the first listener of the instance with that config_directory
 * (NULL: of the first one) */
void site_first_origin(const struct site *site, const char *directory, struct origin *out);

/* site_has_proxy_filter - has any listener a before-queue filter? */
bool site_has_proxy_filter(const struct site *site);

/* site_filters_behind - the filters of our own listener that this hop hands mail to, NULL: it is none of ours */
const struct chain *site_filters_behind(const struct site *site, const char *hop);

/*
 * Names.  The transport of a hop belongs to the first instance that has such a service, or to the first of all when
 * none has.  A hop of another instance bears that instance's name: "postfix-out/smtp:[192.0.2.1]".
 */

/*
 * site_recipient_hop - the hop that trivial-rewrite(8) chose for a recipient.
 *
 * mailer and host are {rcpt_mailer} and {rcpt_host}.  The nexthop is left out where it is not a fixed
 * one: when it is the recipient's own domain, or the transport delivers without a server.  *role is
 * ROLE_RELAYHOST or ROLE_TRANSPORT.  false when no hop is on the route (error, discard, no mailer), or when
 * instance is NULL although there are some: another one's transport says nothing about it.
 */
bool site_recipient_hop(const struct site *site, const struct instance *instance,
	const char *mailer, const char *host, const char *recipient, char name[HOP_NAME_BYTES],
	enum hop_role *role);

/* transport_protocol - what a transport speaks; PROTOCOL_NONE: it delivers without a server */
enum hop_protocol transport_protocol(const struct service *service, const char *transport);

/* is_no_hop - transports that take mail nowhere: error(8) and its like */
bool is_no_hop(const char *transport);

/* site_mailbox_hop - where local(8) hands on what neither aliases(5) nor .forward take elsewhere (mailbox_transport);
 * false when mailer is none of local(8)'s, or that is not known */
bool site_mailbox_hop(const struct site *site, const struct instance *instance,
	const char *mailer, char name[HOP_NAME_BYTES]);

/* site_each_hop - call fn for every hop that either configuration names; one may come repeatedly, with
 * different roles */
void site_each_hop(const struct site *site,
	void (*fn)(void *arg, const char *name, enum hop_role role), void *arg);

enum plan_kind {
	PLAN_NOTHING, /* there is no server to probe */
	PLAN_INVALID, /* the nexthop cannot be used: reason, why */
	PLAN_SERVER,  /* probe target */
};

/* Who knows the addresses of a name (smtp_host_lookup). */
enum plan_lookup {
	LOOKUP_NATIVE, /* hosts(5), then DNS, as nsswitch.conf(5) mostly says */
	LOOKUP_DNS,
	LOOKUP_DNS_NATIVE, /* hosts(5) knows what DNS does not */
};

/* Which address of a host comes first (smtp_address_preference). */
enum plan_family { FAMILY_ANY, FAMILY_IPV6, FAMILY_IPV4 };

/* How the transport of a hop authenticates.  Strings belong to the site, but for host. */
struct plan_auth {
	bool is_used;	       /* smtp_sasl_auth_enable, and AUTH is not discarded; all that follows is set only then */
	enum tls_level level;  /* of TLS that Postfix asks for there, whatever a hop section says */
	const char *directory; /* config_directory */
	const char *mail_owner;
	const char *parameter; /* "smtp_sasl_password_maps", or lmtp */
	const char *maps;      /* its value */
	const char *host;      /* what smtp(8) looks up first; the name that it knows the server by, where it is not looked
				  up by MX */
	const char *nexthop;   /* what it looks up then; part of the plan */
	const char *options;   /* smtp_sasl_security_options */
	const char *tls_options, *verified_options; /* the same within TLS, and with a server that is verified */
	const char *filter;    /* smtp_sasl_mechanism_filter */
};

/* What to do about one hop.  Strings belong to the site, and to the name of the hop. */
struct plan {
	enum plan_kind kind;
	enum reason reason;
	const char *why;
	char nexthop[HOP_NAME_BYTES]; /* this one, of a list */
	struct hop_target target;     /* a UNIX path is absolute */
	const char *others;	  /* the rest of the list; part of the hop's name that was given */
	const char *fallbacks;	  /* smtp_fallback_relay, a list */
	uint16_t default_port;	  /* of a nexthop in a list that names none */
	bool uses_mx;		  /* MX records are looked up for nexthops without brackets */
	const struct instance *instance; /* whose transport it is, NULL: unknown */
	const char *socket_name;  /* by which a server at a UNIX socket is known: myhostname */
	const char *own_name;	  /* of a client that looks for itself at port 25: its myhostname; else NULL */
	bool passes_loops;	  /* best_mx_transport takes the mail that would come back to this host */
	const char *private_directory; /* config_directory of the instance in whose private/ it lies, "": none */
	int64_t interval_ms;
	enum conf_depth depth;	       /* of a probe that goes as far as is wanted */
	enum conf_depth shallow_depth; /* of those in between */
	struct tls_plan tls;
	const char *recipient; /* asked for behind hello, "": none */
	struct plan_auth auth;
	const char *helo;
	unsigned address_limit;
	bool use_ipv4, use_ipv6;
	enum plan_lookup lookup;
	enum plan_family first_family;
	bool takes_alias;      /* smtp_cname_overrides_servername: a server's name is where its alias leads */
	bool is_balanced;      /* smtp_balance_inet_protocols */
	bool ignores_mx_error; /* ignore_mx_lookup_error */
	bool uses_native;  /* names may be known to sources that we do not ask (smtp_host_lookup) */
	bool has_bind4, has_bind6;
	struct in_addr bind4;
	struct in6_addr bind6;
};

/* site_plan - how a hop is probed: as Postfix would use it, and as our hop sections say.  *plan points into itself and
 * into hop: it is not to be copied. */
void site_plan(const struct site *site, const char *hop, struct plan *plan);

/* site_plan_nexthop - the same for one of the nexthops that the hop may be a list of, and fall-backs behind them, by its
 * number from 0; PLAN_NOTHING when there are not so many.  plan->others and plan->fallbacks are for number 0 alone. */
void site_plan_nexthop(const struct site *site, const char *hop, unsigned number, struct plan *plan);

/* site_is_own_address - does this instance, or a proxy in front of it, take mail at that address (inet_interfaces,
 * proxy_interfaces)? */
bool site_is_own_address(
	const struct site *site, const struct instance *instance, const struct cidr *address);

/* What a transport itself needs. Strings belong to the site. */
struct transport_plan {
	const char *name;	     /* of the service */
	const char *directory;	     /* config_directory of its instance */
	const char *command;	     /* "smtp", "pipe"; "" when master.cf has no such service */
	const char *arguments;
	const char *mail_owner;
	const char *bind4, *bind6; /* smtp_bind_address, smtp_bind_address6; "" when not set */
	bool is_bind_enforced;	   /* smtp_bind_address_enforce */
	unsigned instances;	   /* that have a service of that name */
	int64_t max_idle_ms;	   /* how long an agent stays that was asked once */
};

/* site_base - the name of the hop that stands for the transport of a hop alone, "TRANSPORT:"; false when the hop has
 * none that can be looked at: a before-queue filter, or no Postfix instance is known */
bool site_base(const struct site *site, const char *hop, char name[HOP_NAME_BYTES]);

/* site_transport_plan - what to look at for a base; false when the service is no delivery agent.  The name in plan
 * is that in transport. */
bool site_transport_plan(const struct site *site, const char *base, char transport[HOP_NAME_BYTES],
	struct transport_plan *plan);

#endif
