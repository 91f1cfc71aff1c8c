/*
 * smtp_dialogue - greeting, hello, STARTTLS and QUIT over a connection that is there
 *
 * Never sends two commands at once, never sends anything before the whole greeting, ends with QUIT
 * and an orderly close.  SIGPIPE must be ignored.  Threads: the event thread.
 */
#ifndef FF_SMTP_DIALOGUE_H
#define FF_SMTP_DIALOGUE_H

#include "conf/conf.h"
#include "health/hop.h"
#include "health/reason.h"
#include "postfix/plan_tls.h"
#include "probe/depth.h"
#include "probe/smtp_auth.h"
#include "probe/tls.h"
#include "probe/trace.h"

#include <event2/event.h>
#include <stdint.h>

enum {
	SMTP_DIALOGUE_DETAIL_BYTES = 256,
	SMTP_DIALOGUE_QUIT_MS = 2000, /* for the answer to QUIT and the peer's close together */
	SMTP_DIALOGUE_REPLIES = 3,    /* at most waited for until done(): greeting, EHLO, HELO */
	SMTP_DIALOGUE_TLS_REPLIES = 4, /* with TLS as well: STARTTLS, the handshake, EHLO and HELO again */
	SMTP_DIALOGUE_AUTH_REPLIES = 3,	     /* and: AUTH, user name, password */
	/* Times as long for each of these: many servers are slow to say 535 on purpose, and who does not hear it would
	 * send the same again. */
	SMTP_DIALOGUE_AUTH_PATIENCE = 3,
	SMTP_DIALOGUE_RECIPIENT_REPLIES = 3, /* and: MAIL, RCPT, RSET */
};

struct smtp_dialogue_request {
	enum hop_protocol protocol; /* PROTOCOL_LMTP says LHLO */
	enum conf_depth depth;      /* DEPTH_CONNECT to DEPTH_TLS */
	int64_t reply_timeout_ms;   /* for each whole reply, from the end of our command */
	int64_t start_us;           /* clock_now_us() when connect() was called */
	/* The caller's until the closed callback or smtp_dialogue_cancel(): */
	const char *helo;
	const char *peer; /* for messages, "127.0.0.1:10024" */
	const char *own_name; /* a server that says EHLO back with it is ourselves; NULL: none is */
	const char *name; /* of the hop, for the log */
	const struct trace *trace; /* who watches, NULL: nobody */
	const struct tls_plan *tls;     /* NULL: no TLS, whatever depth says */
	struct tls_store *store;
	const char *host;               /* the server's name after MX look-ups, "" when it is not known */
	int64_t expiry_warning_ms;      /* a certificate that ends sooner is a warning, 0: never */
	const char *recipient; /* asked for at the end, NULL or "": none */
	const struct smtp_auth_request *auth; /* NULL: do not authenticate */
};

struct smtp_dialogue_result {
	enum reason reason; /* REASON_NONE: as far as depth goes, it works */
	enum severity severity; /* of the reason here */
	bool is_deep[DEPTH_KIND_COUNT]; /* it came so far; the fault belongs to the last of them */
	time_t tls_not_after; /* when the server's certificate ends, 0: there is none */
	int64_t latency_us; /* from start_us to the first byte of the greeting, -1: none came */
	char detail[SMTP_DIALOGUE_DETAIL_BYTES]; /* of a fault, one clean line */
};

struct smtp_dialogue;

/* The result is known; QUIT is still to come. */
typedef void smtp_dialogue_done_fn(void *arg, const struct smtp_dialogue_result *result);

/* The connection is closed and the dialogue's memory is gone. */
typedef void smtp_dialogue_closed_fn(void *arg);

/*
 * smtp_dialogue_start - takes fd over, also when it fails; fd must be non-blocking.
 *
 * done and closed are called once each, in this order, from the event loop.  Returns NULL when we
 * are out of memory.
 */
struct smtp_dialogue *smtp_dialogue_start(struct event_base *base, int fd,
	const struct smtp_dialogue_request *request, smtp_dialogue_done_fn *done,
	smtp_dialogue_closed_fn *closed, void *arg);

/* smtp_dialogue_cancel - close at once; no callback any more.  May be called from within done. */
void smtp_dialogue_cancel(struct smtp_dialogue *dialogue);

#endif
