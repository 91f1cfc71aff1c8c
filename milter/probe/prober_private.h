/*
 * prober_private - what the files of the prober share
 *
 * prober.c goes from address to address, prober_resolve.c finds them, nexthops.c from nexthop to nexthop, terms.c knows what
 * to ask of each server, attempts.c makes one result of what they say, credentials.c finds user name and password for each.
 */
#ifndef FF_PROBER_PRIVATE_H
#define FF_PROBER_PRIVATE_H

#include "probe/connect.h"
#include "probe/dns.h"
#include "probe/parts.h"
#include "probe/prober.h"
#include "probe/smtp_dialogue.h"

struct prober {
	struct event_base *base;
	struct dns *dns;
	const struct opener *opener;
	const struct keyring *keyring;		/* NULL: none */
	unsigned char salt[DEEP_PRINT_BYTES]; /* of the prints of credentials */
	struct tls_store *tls;
};

/* How far an attempt came; the order is that of how much its failure says. */
enum progress {
	PROGRESS_NONE,
	PROGRESS_NAME,	  /* its addresses are not known */
	PROGRESS_ADDRESS, /* there is no way to it */
	PROGRESS_HOST,    /* somebody refused, or nobody answered */
	PROGRESS_CONNECTED,
	PROGRESS_OURS,
};

/* What the configuration asks of the servers of one nexthop. */
struct terms {
	enum conf_depth depth, shallow_depth;
	const struct tls_plan *tls;
	const struct probe_auth *auth;
	struct probe_auth own_auth; /* of a nexthop behind the first */
};

struct probe {
	struct prober *prober;
	struct probe_request request;
	struct event *begin;
	/* At most one of these is not NULL. */
	struct dns_lookup *lookup;
	struct connecting *connecting;
	struct smtp_dialogue *dialogue;
	uint32_t opening; /* handle of the opener, 0: not */
	int64_t opening_us;
	uint32_t asking; /* handle of the keyring, 0: not */
	struct credentials credentials; /* secret */
	bool has_credentials;
	bool is_stranger; /* the tables have nothing for this server */
	bool has_print, is_spared; /* there are credentials; they are not sent, for they are rejected */
	unsigned char print[DEEP_PRINT_BYTES]; /* of them */
	char no_credentials[KEYRING_WHY_BYTES]; /* why they could not be looked up, "": they could */
	struct smtp_auth_request auth;

	/* What holds for the nexthop, and is to be done at the address that is being tried. */
	struct plan *plan; /* of a nexthop behind the first, NULL: what the request says holds */
	struct terms terms;
	struct deep_task task;
	uint64_t server; /* its number in request.deep */

	/* The nexthop that is being tried. */
	struct hop_target target;
	const char *why; /* it cannot be used, NULL: it can */
	unsigned number; /* of all nexthops */
	char nexthop[HOP_NAME_BYTES];
	const char *rest;  /* of the list that it is from */
	bool is_fallback;  /* that is smtp_fallback_relay */
	bool is_final;	   /* smtp(8) would go to no nexthop behind it */
	char (*names)[HOP_HOST_BYTES]; /* of the servers, NULL: that in target */
	size_t count, at; /* of address[], at: the one being tried */
	char peer[NET_ADDRESS_TEXT_BYTES];
	/* One server more, after the result. */
	bool is_extra;
	unsigned extra_steps;
	char worked[NET_ADDRESS_TEXT_BYTES]; /* the address that needs no other look */
	bool has_tried;		/* an address */
	bool looks_up;		/* a name was looked up */
	enum progress progress; /* of the fault in result */
	bool is_hard;           /* every failure so far is */
	bool is_partial;        /* an address failed that counts when another works */
	bool is_reporting, is_cancelled, is_done;
	struct probe_result result;
	probe_done_fn *done;
	probe_released_fn *released;
	void *arg;

	/* Most hops have one, and the rest is a lot of memory: prober_start() does not clear it. */
	bool is_best[DNS_ADDRESSES];
	unsigned char host[DNS_ADDRESSES]; /* an index of names */
	struct net_address address[DNS_ADDRESSES];
};

/* credentials_start - choose the salt */
void credentials_start(struct prober *prober);

/* credentials_ask - for the address at hand, then go on with prober_connect(); false: nothing is to be asked */
bool credentials_ask(struct probe *probe);

/* credentials_wipe - they were used, or are not needed any more */
void credentials_wipe(struct probe *probe);

/* credentials_for_dialogue - NULL: do not authenticate */
const struct smtp_auth_request *credentials_for_dialogue(struct probe *probe);

/* prober_begin_nexthop - find the addresses of the one at hand, and try them; prober_next_nexthop - it does not work */
void prober_begin_nexthop(struct probe *probe);
void prober_next_nexthop(struct probe *probe);

/* prober_try_address - the one at hand */
void prober_try_address(struct probe *probe);

/* prober_end - report where no connection has to be closed any more; prober_release - it was reported.  The probe is
 * gone then. */
void prober_end(struct probe *probe);
void prober_release(struct probe *probe);

/* prober_needs_lookup - it has a name; prober_looks_for_itself - smtp(8) would, at this port alone */
bool prober_needs_lookup(const struct hop_target *target);
bool prober_looks_for_itself(const struct probe *probe);

/* prober_connect - to the address at hand */
void prober_connect(struct probe *probe);

/* terms_begin - of the nexthop at hand; false when out of memory */
bool terms_begin(struct probe *probe);

/* terms_name_servers - the names are those that were looked up; terms_server_name - that of the server at hand, as smtp(8)
 * knows it, "": we do not */
void terms_name_servers(struct probe *probe, const struct dns_answer *answer);
const char *terms_server_name(const struct probe *probe);

/* terms_ask - what is to be done at the address at hand */
void terms_ask(struct probe *probe);

/* terms_found - what a dialogue with it found: it becomes what is known of the server */
void terms_found(struct probe *probe, struct smtp_dialogue_result *result);

/* terms_free - what they own */
void terms_free(struct probe *probe);

/* attempts_dialogue - take over what a dialogue says about an address; false when another one is to be tried if there
 * is one */
bool attempts_dialogue(struct probe *probe, const struct smtp_dialogue_result *result);

/* attempts_detail - one clean line, whatever a peer or a configuration has put into it */
void attempts_detail(struct probe *probe, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* attempts_outcome - of one check */
void attempts_outcome(struct probe *probe, enum hop_check check, enum reason reason);

/* attempts_failed - an address does not work; detail is kept when it says more than what is there
 */
void attempts_failed(struct probe *probe, enum progress progress, enum reason reason,
	const char *detail, int64_t latency_us);

/* attempts_extra_failed - the server that was tried after the result does not work */
void attempts_extra_failed(struct probe *probe, enum reason reason, const char *detail);

/* attempts_unresolved - a nexthop has no address; the same for its name */
void attempts_unresolved(struct probe *probe, enum reason reason, const char *detail);

/* attempts_settle_failure - no address is left: what was noted is the result */
void attempts_settle_failure(struct probe *probe);

/* attempts_settle_success - this address works; the fault of an earlier one may stay as "partial"
 */
void attempts_settle_success(struct probe *probe, int64_t latency_us);

/* nexthops_count - all that may be tried */
unsigned nexthops_count(const struct probe_request *request);

/* nexthops_first, nexthops_next - make it the one that is tried; false when there is no other */
void nexthops_first(struct probe *probe);
bool nexthops_next(struct probe *probe);
bool nexthops_has_more(const struct probe *probe);

/* nexthops_wants_extra - is one server more to be tried, now that one works? */
bool nexthops_wants_extra(const struct probe *probe);

/* nexthops_begin_extra - the address that was tried last works */
void nexthops_begin_extra(struct probe *probe);

/* nexthops_extra - make the nexthop whose turn it is the one that is tried; false: enough of them were looked at */
bool nexthops_extra(struct probe *probe);

/* nexthops_extra_address - its addresses are known: choose the one whose turn it is; false: none is left */
bool nexthops_extra_address(struct probe *probe);

/* nexthops_extra_skip - on to the next nexthop */
void nexthops_extra_skip(struct probe *probe);

#endif
