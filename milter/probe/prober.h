/*
 * prober - one probe of one server: resolve, connect, greeting, hello, QUIT
 *
 * A probe asks what smtp(8) or lmtp(8) would meet, and is as polite as they are.  It knows no
 * schedule and no health: it reports once, through a callback.
 *
 * Threads: everything here belongs to the event thread, the one that runs the event_base.
 */
#ifndef FF_PROBER_H
#define FF_PROBER_H

#include "conf/conf.h"
#include "health/hop.h"
#include "health/machine.h"
#include "postfix/keyring.h"
#include "postfix/opener.h"
#include "postfix/plan_tls.h"
#include "probe/deep.h"
#include "probe/smtp_auth.h"
#include "probe/trace.h"
#include "postfix/site.h"
#include "probe/parts.h"

#include <event2/event.h>
#include <netinet/in.h>

enum {
	PROBE_DETAIL_BYTES = 256,
	PROBE_DIRECTORY_BYTES = 256,
	PROBE_RECIPIENT_BYTES = 512,
};

/* How to authenticate.  Strings belong to the site. */
struct probe_auth {
	bool is_wanted;
	const char *options[SMTP_AUTH_VERIFIED + 1];
	const char *filter;
	enum tls_level level; /* see struct plan_auth */
};

/* What one probe found. */
struct probe_result {
	bool has[CHECK_COUNT];		       /* this probe has something to say about the check */
	struct outcome outcome[CHECK_COUNT];   /* valid where has[] is set */
	char detail[PROBE_DETAIL_BYTES];       /* of the first fault, for people: "connect to
						  127.0.0.1:10024: Connection refused"; one clean line */
	bool is_local;			       /* every address tried is on this host */
	int64_t latency_us;		       /* connect() to the first byte of the greeting, -1: none */
	bool is_deep[DEPTH_KIND_COUNT];	       /* this probe came so far, with an address at least */
	time_t tls_not_after;		       /* when the server's certificate ends, 0: there is none */
	int64_t evidence_ms;		       /* clock_now_ms() of the last thing heard or missed */
	bool goes_on;			       /* one server more is tried before the probe is released */
};

/* What to probe, and how. Copied by prober_start(). */
struct probe_request {
	char name[HOP_NAME_BYTES]; /* of the hop, for the log */
	struct hop_target target;
	char others[HOP_NAME_BYTES];   /* nexthops that come behind it */
	const char *fallbacks;	       /* a list, behind all others; of the site, or NULL */
	uint16_t default_port;	       /* of nexthops in both lists */
	bool uses_mx;		       /* for those without brackets */
	char private_directory[PROBE_DIRECTORY_BYTES]; /* not "": the socket is asked of the opener, as
							  one of this config_directory */
	enum conf_depth depth;	   /* DEPTH_CONNECT to DEPTH_AUTH, or as deep as is wanted now and then */
	enum conf_depth shallow_depth; /* of probes in between; not used without deep */
	struct deep *deep;	   /* what is due at which server; the caller's until released.  NULL: each is looked at as
				      depth says, to DEPTH_TLS at most, and no recipient is asked for. */
	struct tls_plan tls;	   /* used from DEPTH_TLS on */
	int64_t expiry_warning_ms; /* a certificate that ends sooner is a warning */
	struct probe_auth auth;
	const char *socket_name; /* of the site: the name of a server at a UNIX socket; or NULL */
	char recipient[PROBE_RECIPIENT_BYTES]; /* asked for at the end, "": none */
	int64_t connect_timeout_ms; /* for each address */
	int64_t reply_timeout_ms;   /* for each whole reply, from the end of our command */
	int64_t slow_ms;	   /* a longer latency is degraded: slow */
	char helo[HOP_HOST_BYTES];
	unsigned address_limit;	   /* smtp_mx_address_limit, 0: no limit */
	bool use_ipv4, use_ipv6;   /* inet_protocols */
	enum plan_lookup lookup;
	enum plan_family first_family;
	bool takes_alias, is_balanced, ignores_mx_error;
	struct site *site;		 /* NULL: nothing is known of Postfix.  The probe takes a reference. */
	const struct instance *instance; /* of the site, or NULL */
	const char *own_name;		 /* of the site: a server at port 25 that bears it is ourselves; or NULL */
	bool passes_loops;		 /* mail that would come back to us goes elsewhere (best_mx_transport) */
	struct parts *parts;		 /* the caller's until released; NULL: one server that works is enough */
	bool tries_parts;		 /* after success, try another one */
	bool has_bind4, has_bind6; /* smtp_bind_address, smtp_bind_address6 */
	struct in_addr bind4;
	struct in6_addr bind6;
	bool is_operator;	   /* the operator asks: look at all that depth allows, now */
	const struct trace *trace; /* who watches, NULL: nobody; the caller's until released() */
};

struct prober; /* resolver, shared by all probes */
struct probe;  /* one probe under way */

/* The result is known. Called exactly once unless the probe is cancelled before. */
typedef void probe_done_fn(void *arg, const struct probe_result *result);

/* The connection is closed and the probe's memory is gone, QUIT included: only now may the next
 * probe of this hop start.  Called exactly once after probe_done_fn, maybe from within the same
 * event, never from within prober_start(). */
typedef void probe_released_fn(void *arg);

/* prober_new - NULL with errno set when the resolver cannot be had; base and opener must outlive it */
struct prober *prober_new(struct event_base *base, const struct opener *opener);

/* prober_use_keyring - without one nothing is authenticated; it must outlive the prober */
void prober_use_keyring(struct prober *prober, const struct keyring *keyring);

/* prober_salt - DEEP_PRINT_BYTES that went into the prints of credentials: with another salt the same credentials have
 * another print */
const unsigned char *prober_salt(const struct prober *prober);

/* prober_use_salt - that of an engine before this one, before anything is probed */
void prober_use_salt(struct prober *prober, const unsigned char salt[DEEP_PRINT_BYTES]);

/* prober_free - all its probes must be gone */
void prober_free(struct prober *prober);

/* probe_auth_of - what a plan asks for */
void probe_auth_of(const struct plan *plan, struct probe_auth *auth);

/* prober_start - begin; both callbacks come later, from the event loop.  NULL when we are out of
 * memory (a local-error for the caller to record). */
struct probe *prober_start(struct prober *prober, const struct probe_request *request,
	probe_done_fn *done, probe_released_fn *released, void *arg);

/* prober_cancel - close at once, no callback any more */
void prober_cancel(struct probe *probe);

/* prober_limit_ms - the longest that a probe can take until done() comes */
int64_t prober_limit_ms(const struct probe_request *request);

#endif
