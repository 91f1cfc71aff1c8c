/*
 * smtp_auth - authentication as a part of the dialogue with a server
 *
 * Decides whether to authenticate, and with which mechanism, as smtp(8) would; says what to send; judges what comes
 * back.  What is sent leaves no copy in memory.  Threads: the event thread.
 */
#ifndef FF_SMTP_AUTH_H
#define FF_SMTP_AUTH_H

#include "health/reason.h"
#include "postfix/plan_tls.h"
#include "probe/sasl.h"
#include "probe/smtp_hello.h"

#include <event2/buffer.h>
#include <stdbool.h>

enum { SMTP_AUTH_DETAIL_BYTES = 256 };

/* How the connection is protected. */
enum smtp_auth_tls { SMTP_AUTH_PLAIN, SMTP_AUTH_TLS, SMTP_AUTH_VERIFIED };

/* What the transport's configuration says; the caller's for as long as the smtp_auth lives. */
struct smtp_auth_request {
	const struct credentials *credentials;
	const char *options[SMTP_AUTH_VERIFIED + 1]; /* smtp_sasl_security_options and its TLS kin */
	const char *filter;
	enum tls_level level; /* of TLS that Postfix asks for before it sends them */
	bool (*is_installed)(const char *mechanism); /* see struct sasl_policy */
	const char *peer; /* for messages */
};

/* What came of it. */
struct smtp_auth_verdict {
	enum reason reason; /* REASON_NONE: authenticated */
	enum severity severity;
	bool is_over; /* the server does not listen any more as it should: no further command but QUIT */
	char detail[SMTP_AUTH_DETAIL_BYTES];
};

struct smtp_auth;

/* smtp_auth_new - NULL: out of memory */
struct smtp_auth *smtp_auth_new(const struct smtp_auth_request *request);

/* smtp_auth_free - wipes all; NULL is fine */
void smtp_auth_free(struct smtp_auth *auth);

/* smtp_auth_begin - after the answer to EHLO; true: there is a command to send, false: *verdict is final */
bool smtp_auth_begin(struct smtp_auth *auth, const struct smtp_hello *hello, enum smtp_auth_tls tls,
	struct smtp_auth_verdict *verdict);

/* smtp_auth_answered - by a whole reply, text is its last line; true: there is a line to send, false: *verdict */
bool smtp_auth_answered(struct smtp_auth *auth, unsigned code, const char *text,
	struct smtp_auth_verdict *verdict);

/* smtp_auth_line - that line: secret, so it goes nowhere but to the server */
const char *smtp_auth_line(const struct smtp_auth *auth);

/* smtp_auth_put - into the output of a connection, so that nothing of it is left when it is sent; false: out of memory */
bool smtp_auth_put(struct evbuffer *output, const char *line);

/* smtp_auth_shown - that line as it may be logged */
const char *smtp_auth_shown(const struct smtp_auth *auth);

/* smtp_auth_hide - cut what the server said where it repeats what we said */
void smtp_auth_hide(const struct smtp_auth *auth, char *text);

/* smtp_auth_has_begun - did the server hear AUTH? */
bool smtp_auth_has_begun(const struct smtp_auth *auth);

#endif
