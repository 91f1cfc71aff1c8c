/*
 * smtp_dialogue_private - what the files of the dialogue share
 *
 * smtp_dialogue.c carries it from the greeting to QUIT, smtp_dialogue_tls.c encrypts it, smtp_dialogue_auth.c does what
 * comes behind hello.
 */
#ifndef FF_SMTP_DIALOGUE_PRIVATE_H
#define FF_SMTP_DIALOGUE_PRIVATE_H

#include "probe/smtp_dialogue.h"

#include "probe/smtp_hello.h"
#include "probe/smtp_reply.h"
#include "probe/smtp_tls.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>

enum step {
	STEP_CONNECTED, /* nothing to wait for: DEPTH_CONNECT */
	STEP_GREETING,
	STEP_EHLO,
	STEP_HELO,
	STEP_LHLO,
	STEP_STARTTLS,
	STEP_HANDSHAKE, /* then the greeting, where TLS goes before it, else EHLO or LHLO again */
	STEP_AUTH, /* the command and all that follows it */
	STEP_MAIL,
	STEP_RCPT,
	STEP_RSET,
	STEP_QUIT,  /* done() was called, here and below */
	STEP_CLOSE, /* our side is shut, what still comes is thrown away */
};

struct smtp_dialogue {
	struct smtp_dialogue_request request;
	struct bufferevent *stream;
	struct event *timer;
	int fd;
	enum step step;
	struct smtp_reply reply;
	struct smtp_hello hello; /* what the server can, by its last answer to EHLO or LHLO */
	struct smtp_auth *auth;	   /* NULL: do not authenticate */
	bool is_degraded;	 /* the fault that is reported does not stop mail */
	struct tls *tls;	   /* NULL: nothing is encrypted */
	struct tls *prepared;	   /* what tls will be */
	struct evbuffer *plain;	   /* what came through tls */
	size_t drained_bytes;
	struct smtp_dialogue_result result;
	smtp_dialogue_done_fn *done;
	smtp_dialogue_closed_fn *closed;
	void *arg;
};

/* How a connection ends, or who takes a reply. */
typedef void ending(struct smtp_dialogue *dialogue);

/* quit - with QUIT; shut_down - the peer does not listen any more; hang_up - the connection is gone, or the peer is */
ending smtp_dialogue_quit, smtp_dialogue_shut_down, smtp_dialogue_hang_up;

/* smtp_dialogue_conclude - report once; next says how the connection ends.  The dialogue may be gone after it. */
void smtp_dialogue_conclude(struct smtp_dialogue *dialogue, enum reason reason, ending *next, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* smtp_dialogue_begin_step - say what the step says and wait for the reply; false when we are out of memory, for which
 * smtp_dialogue_next_step() concludes */
bool smtp_dialogue_begin_step(struct smtp_dialogue *dialogue, enum step step);
void smtp_dialogue_next_step(struct smtp_dialogue *dialogue, enum step step);

/* smtp_dialogue_send_line - false when we are out of memory */
bool smtp_dialogue_send_line(struct smtp_dialogue *dialogue, const char *line);

/* smtp_dialogue_flush - send what is to be sent, at once as far as the socket takes it; false when we are out of memory */
bool smtp_dialogue_flush(struct smtp_dialogue *dialogue);

/* smtp_dialogue_is_positive - the reply is 2xx */
bool smtp_dialogue_is_positive(const struct smtp_dialogue *dialogue);

/* smtp_dialogue_doing - the words of smtp(8) for the step */
const char *smtp_dialogue_doing(const struct smtp_dialogue *dialogue);

/* TLS: begun after the answer to EHLO or, wrapped, before the greeting; each handshake() goes on with it. */
void smtp_dialogue_want_tls(struct smtp_dialogue *dialogue);
bool smtp_dialogue_is_wrapped(const struct smtp_dialogue *dialogue);
void smtp_dialogue_wrap(struct smtp_dialogue *dialogue);
void smtp_dialogue_handshake(struct smtp_dialogue *dialogue);
void smtp_dialogue_handshake_failed(struct smtp_dialogue *dialogue, const char *why, ending *next);
void smtp_dialogue_conclude_tls(struct smtp_dialogue *dialogue, const struct smtp_tls_verdict *verdict, ending *next);
void smtp_dialogue_end_tls(struct smtp_dialogue *dialogue);
ending smtp_dialogue_starttls_answered;

/* Behind hello. */
ending smtp_dialogue_hello_done, smtp_dialogue_auth_answered, smtp_dialogue_mail_answered,
	smtp_dialogue_rcpt_answered, smtp_dialogue_rset_answered;

#endif
