/*
 * dns - addresses of the servers of a nexthop, found without blocking
 *
 * Looks up what smtp(8) looks up: MX records where the nexthop is a domain, then addresses; names
 * of /etc/hosts are found too.  Threads: the event thread.
 */
#ifndef FF_DNS_H
#define FF_DNS_H

#include "health/hop.h"
#include "health/reason.h"
#include "postfix/site.h"
#include "probe/dns_choose.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DNS_ADDRESSES = 64, /* more are not kept */
	DNS_HOSTS = 16,	    /* MX hosts; more of the least preferred are not looked up */
	DNS_DETAIL_BYTES = 256 + 64,
};

struct dns_question {
	const char *host; /* copied; no address */
	uint16_t port;    /* of the addresses in the answer */
	bool lookup_mx;
	bool use_ipv4, use_ipv6;
	enum plan_lookup lookup;
	enum plan_family first;
	bool takes_alias;	/* smtp_cname_overrides_servername */
	bool is_balanced;	/* smtp_balance_inet_protocols */
	bool ignores_mx_error;	/* ignore_mx_lookup_error */
	unsigned address_limit; /* 0: none but DNS_ADDRESSES */
	int64_t timeout_ms;     /* for the whole lookup */
	/* NULL: mail may go to ourselves.  Not called any more once the lookup has reported. */
	bool (*is_own)(void *arg, const struct net_address *address);
	void *is_own_arg;
};

struct dns_answer {
	enum reason reason; /* REASON_NONE with at least one address; dns-not-found, dns-failure, loop or
			       local-error with none */
	struct net_address address[DNS_ADDRESSES]; /* the first to try first */
	bool is_best[DNS_ADDRESSES];		   /* of a host that is preferred to all others */
	unsigned char host[DNS_ADDRESSES];	   /* whose address it is, an index of name */
	size_t count;
	char name[DNS_HOSTS][HOP_HOST_BYTES]; /* as smtp(8) knows the server; "": not a name */
	unsigned names;
	bool is_exchanger; /* this host is one of the mail exchangers: there are no other ways for mail */
	char detail[DNS_DETAIL_BYTES];
};

struct dns;        /* the resolver */
struct dns_lookup; /* a lookup under way */

/* Called once, from the event loop, never from within dns_lookup(); the lookup is gone then. */
typedef void dns_done_fn(void *arg, const struct dns_answer *answer);

/* dns_new - servers: NULL for those of /etc/resolv.conf, else as in ares_set_servers_csv(3) ("" for
 * none).  NULL with errno set when there is no resolver to be had. */
struct dns *dns_new(struct event_base *base, const char *servers);

/* dns_free - lookups under way must have been cancelled */
void dns_free(struct dns *dns);

/* dns_lookup - NULL when we are out of memory */
struct dns_lookup *dns_lookup(
	struct dns *dns, const struct dns_question *question, dns_done_fn *done, void *arg);

/* dns_cancel - no callback any more */
void dns_cancel(struct dns_lookup *lookup);

#endif
