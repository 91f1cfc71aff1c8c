/*
 * prober_private - what the files of the prober share
 *
 * prober.c goes from address to address, attempts.c makes one result of what they say, credentials.c finds user name
 * and password for each.
 */
#ifndef FF_PROBER_PRIVATE_H
#define FF_PROBER_PRIVATE_H

#include "probe/connect.h"
#include "probe/dns.h"
#include "probe/prober.h"
#include "probe/smtp_dialogue.h"

struct prober {
	struct event_base *base;
	struct dns *dns;
	const struct opener *opener;
	const struct keyring *keyring;		/* NULL: none */
	unsigned char salt[PROBE_PRINT_BYTES]; /* of the prints of credentials */
	struct tls_store *tls;
};

/* How far an attempt came; the order is that of how much its failure says. */
enum progress {
	PROGRESS_NONE,
	PROGRESS_ADDRESS, /* there is no way to it */
	PROGRESS_HOST,    /* somebody refused, or nobody answered */
	PROGRESS_CONNECTED,
	PROGRESS_OURS,
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
	char no_credentials[KEYRING_WHY_BYTES]; /* why they could not be looked up, "": they could */
	struct smtp_auth_request auth;

	struct net_address address[DNS_ADDRESSES];
	size_t count, at; /* at: the one being tried */
	char peer[NET_ADDRESS_TEXT_BYTES];
	enum progress progress; /* of the fault in result */
	bool is_hard;           /* every failure so far is */
	bool is_partial;        /* an address failed that counts when another works */
	bool is_reporting, is_cancelled, is_done;
	struct probe_result result;
	probe_done_fn *done;
	probe_released_fn *released;
	void *arg;
};

/* credentials_start - choose the salt */
void credentials_start(struct prober *prober);

/* credentials_ask - for the address at hand, then go on with prober_connect(); false: nothing is to be asked */
bool credentials_ask(struct probe *probe);

/* credentials_wipe - they were used, or are not needed any more */
void credentials_wipe(struct probe *probe);

/* credentials_for_dialogue - NULL: do not authenticate */
const struct smtp_auth_request *credentials_for_dialogue(struct probe *probe);

/* prober_connect - to the address at hand */
void prober_connect(struct probe *probe);

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

/* attempts_settle_failure - no address is left: what was noted is the result */
void attempts_settle_failure(struct probe *probe);

/* attempts_settle_success - this address works; the fault of an earlier one may stay as "partial"
 */
void attempts_settle_success(struct probe *probe, int64_t latency_us);

#endif
