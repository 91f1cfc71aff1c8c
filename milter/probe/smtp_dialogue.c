/*
 * smtp_dialogue - greeting, hello, STARTTLS and QUIT over a connection that is there
 *
 * One table of steps: what is said, what is waited for, and who takes the reply.  The result is
 * reported as soon as it is known, then the connection is ended as a mail client ends it.
 *
 * Limits: one timer for each whole reply (a peer that drips cannot stretch it), a high watermark on
 * the input and a parser of fixed size (a peer that floods cannot fill memory).
 *
 * done() is always the last thing that an event does with a dialogue, because the callback may
 * cancel it; and the memory goes only in on_timer() or when the peer has closed after done().
 */
#include "probe/smtp_dialogue.h"

#include "base/clock.h"
#include "base/secret.h"
#include "probe/smtp_hello.h"
#include "probe/smtp_reply.h"
#include "probe/smtp_tls.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	INPUT_BYTES = 4096,
	DRAIN_BYTES = 64 * 1024, /* of a peer that goes on talking after QUIT; then it gets a RST */
	TRACE_LINES = 64,        /* of one reply */
	COMMAND_BYTES = HOP_HOST_BYTES + 64,
};

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

typedef void ending(struct smtp_dialogue *dialogue);

static ending quit, shut_down, hang_up, greeting_answered, ehlo_answered, hello_answered, starttls_answered,
	auth_answered, mail_answered, rcpt_answered, rset_answered;

static const struct {
	const char *command;
	const char *doing; /* the words that smtp(8) logs */
	void (*answered)(struct smtp_dialogue *dialogue);
} steps[] = {
	[STEP_CONNECTED] = {NULL, "connecting", NULL},
	[STEP_GREETING] = {NULL, "receiving the initial server greeting", greeting_answered},
	[STEP_EHLO] = {"EHLO", "performing the EHLO handshake", ehlo_answered},
	[STEP_HELO] = {"HELO", "performing the HELO handshake", hello_answered},
	[STEP_LHLO] = {"LHLO", "performing the LHLO handshake", hello_answered},
	[STEP_STARTTLS] = {"STARTTLS", "receiving the STARTTLS response", starttls_answered},
	[STEP_HANDSHAKE] = {NULL, "performing the TLS handshake", NULL},
	[STEP_AUTH] = {NULL, "authenticating", auth_answered},
	[STEP_MAIL] = {"MAIL FROM:<>", "sending MAIL FROM", mail_answered},
	[STEP_RCPT] = {"RCPT TO:", "sending RCPT TO", rcpt_answered},
	[STEP_RSET] = {"RSET", "sending RSET", rset_answered},
	[STEP_QUIT] = {"QUIT", "sending QUIT", shut_down},
	[STEP_CLOSE] = {NULL, "closing", NULL},
};

/* arm - false when we are out of memory */
static bool arm(struct smtp_dialogue *dialogue, int64_t ms)
{
	struct timeval limit = {ms / 1000, ms % 1000 * 1000};

	return event_add(dialogue->timer, &limit) == 0;
}

/* conclude - report once; next says how the connection ends */
static void __attribute__((format(printf, 4, 5)))
conclude(struct smtp_dialogue *dialogue, enum reason reason, ending *next, const char *fmt, ...)
{
	struct smtp_dialogue_result *result = &dialogue->result;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(result->detail, sizeof result->detail, fmt, ap);
	va_end(ap);
	result->reason = reason;
	result->severity = dialogue->is_degraded ? SEVERITY_DEGRADED : reason_severity(reason);
	if (reason != REASON_NONE)
		trace_step(dialogue->request.trace, TRACE_DIALOGUE, TRACE_NOTE, "%s", result->detail);
	next(dialogue);
	dialogue->done(dialogue->arg, result);
}

/* end_tls - tell the peer that we end, or why; the socket is as good as empty by now */
static void end_tls(struct smtp_dialogue *dialogue)
{
	struct evbuffer *output = bufferevent_get_output(dialogue->stream), *last;

	if (dialogue->tls == NULL || evbuffer_get_length(output) > 0)
		return;
	last = evbuffer_new();
	if (last == NULL)
		return;
	tls_end(dialogue->tls);
	if (tls_flush(dialogue->tls, last))
		(void)evbuffer_write(last, dialogue->fd);
	evbuffer_free(last);
}

/* hang_up - the connection is gone already, or the peer is silent and would only keep the next probe
 * waiting; closed() comes from on_timer() */
static void hang_up(struct smtp_dialogue *dialogue)
{
	dialogue->step = STEP_CLOSE;
	(void)bufferevent_disable(dialogue->stream, EV_READ | EV_WRITE);
	event_active(dialogue->timer, EV_TIMEOUT, 0);
}

/* shut_down - end our side and wait for the peer's end: to close with input unread sends a RST,
 * which some servers log as a broken connection */
static void shut_down(struct smtp_dialogue *dialogue)
{
	bool is_limited = dialogue->step == STEP_QUIT;

	dialogue->step = STEP_CLOSE;
	end_tls(dialogue);
	(void)shutdown(dialogue->fd, SHUT_WR);
	if (bufferevent_enable(dialogue->stream, EV_READ) != 0 ||
		(!is_limited && !arm(dialogue, SMTP_DIALOGUE_QUIT_MS)))
		hang_up(dialogue);
}

/* send_line - false when we are out of memory */
static bool send_line(struct smtp_dialogue *dialogue, const char *line)
{
	struct evbuffer *output = bufferevent_get_output(dialogue->stream);

	if (dialogue->tls == NULL)
		return evbuffer_add(output, line, strlen(line)) == 0;
	return tls_write(dialogue->tls, line) && tls_flush(dialogue->tls, output);
}

/* send_secret - the same for what no copy shall be left of */
static bool send_secret(struct smtp_dialogue *dialogue, const char *line)
{
	return dialogue->tls != NULL ? send_line(dialogue, line)
				     : smtp_auth_put(bufferevent_get_output(dialogue->stream), line);
}

/* send_command - false when we are out of memory */
static bool send_command(struct smtp_dialogue *dialogue, const char *command)
{
	const char *before = "", *argument = "", *after = "";
	char line[COMMAND_BYTES];

	if (dialogue->step == STEP_EHLO || dialogue->step == STEP_HELO || dialogue->step == STEP_LHLO) {
		before = " ";
		argument = dialogue->request.helo;
	} else if (dialogue->step == STEP_RCPT) {
		before = "<";
		argument = dialogue->request.recipient;
		after = ">";
	}
	trace_step(dialogue->request.trace, TRACE_DIALOGUE, TRACE_SENT, "%s%s%s%s", command, before, argument, after);
	if (snprintf(line, sizeof line, "%s%s%s%s\r\n", command, before, argument, after) >= (int)sizeof line)
		return false;
	return send_line(dialogue, line);
}

/* begin_step - say what the step says and wait for the reply; false when we are out of memory */
static bool begin_step(struct smtp_dialogue *dialogue, enum step step)
{
	const char *command = steps[step].command;

	dialogue->step = step;
	smtp_reply_start(&dialogue->reply);
	if (step == STEP_EHLO || step == STEP_LHLO)
		smtp_hello_start(&dialogue->hello);
	if (!arm(dialogue,
		    step == STEP_QUIT ? SMTP_DIALOGUE_QUIT_MS : dialogue->request.reply_timeout_ms))
		return false;
	return command == NULL || send_command(dialogue, command);
}

static void quit(struct smtp_dialogue *dialogue)
{
	if (!begin_step(dialogue, STEP_QUIT))
		hang_up(dialogue);
}

static void next_step(struct smtp_dialogue *dialogue, enum step step)
{
	if (!begin_step(dialogue, step))
		conclude(dialogue, REASON_LOCAL_ERROR, hang_up, "out of memory");
}

static bool is_positive(const struct smtp_dialogue *dialogue)
{
	return dialogue->reply.code / 100 == 2;
}

static void refused(struct smtp_dialogue *dialogue)
{
	unsigned class = dialogue->reply.code / 100;
	enum reason reason = class == 4   ? REASON_SERVICE_UNAVAILABLE
			     : class == 5 ? REASON_SERVICE_REJECTED
					  : REASON_PROTOCOL_ERROR;

	conclude(dialogue, reason, quit, "%s refused to talk to me: %.200s", dialogue->request.peer,
		dialogue->reply.text);
}

static void greeting_answered(struct smtp_dialogue *dialogue)
{
	bool is_lmtp = dialogue->request.protocol == PROTOCOL_LMTP;

	if (!is_positive(dialogue))
		refused(dialogue);
	else if (dialogue->request.depth == DEPTH_GREETING)
		conclude(dialogue, REASON_NONE, quit, "%s", "");
	else
		next_step(dialogue, is_lmtp ? STEP_LHLO : STEP_EHLO);
}

/* is_own - is the name in the reply to EHLO ours?  smtp(8) only warns of one in a greeting, and sees none in the reply
 * to HELO. */
static bool is_own(const struct smtp_dialogue *dialogue)
{
	const char *own = dialogue->request.own_name, *name = dialogue->reply.text + 3;
	size_t length;

	if (own == NULL || *own == '\0')
		return false;
	name += strspn(name, "- ");
	length = strcspn(name, " \t=");
	return length == strlen(own) && strncasecmp(name, own, length) == 0;
}

/* conclude_tls - what smtp_tls.c makes of it */
static void conclude_tls(struct smtp_dialogue *dialogue, const struct smtp_tls_verdict *verdict, ending *next)
{
	dialogue->is_degraded = verdict->severity == SEVERITY_DEGRADED;
	conclude(dialogue, verdict->reason, next, "%s", verdict->detail);
}

/* all_done - nothing is left to be seen */
static void all_done(struct smtp_dialogue *dialogue)
{
	const struct smtp_dialogue_request *request = &dialogue->request;
	struct smtp_tls_verdict verdict;

	if (dialogue->tls != NULL && smtp_tls_is_ending(request->tls, dialogue->result.tls_not_after,
					     request->expiry_warning_ms, request->peer, &verdict))
		conclude_tls(dialogue, &verdict, quit);
	else
		conclude(dialogue, REASON_NONE, quit, "%s", "");
}

/* ask_recipient - the last thing before the end, if it is wanted at all */
static void ask_recipient(struct smtp_dialogue *dialogue)
{
	const char *recipient = dialogue->request.recipient;

	if (recipient == NULL || *recipient == '\0') {
		all_done(dialogue);
		return;
	}
	dialogue->result.is_deep[DEPTH_KIND_RECIPIENT] = true;
	next_step(dialogue, STEP_MAIL);
}

/* go_on_with_auth - send what it has to say, or end with what it found */
static void go_on_with_auth(struct smtp_dialogue *dialogue, bool has_line, const struct smtp_auth_verdict *verdict)
{
	if (has_line) {
		trace_step(dialogue->request.trace, TRACE_AUTH, TRACE_SENT, "%s", smtp_auth_shown(dialogue->auth));
		if (!begin_step(dialogue, STEP_AUTH) ||
			!send_secret(dialogue, smtp_auth_line(dialogue->auth)))
			conclude(dialogue, REASON_LOCAL_ERROR, hang_up, "out of memory");
	} else if (verdict->reason == REASON_NONE) {
		ask_recipient(dialogue);
	} else {
		dialogue->is_degraded = verdict->severity == SEVERITY_DEGRADED;
		conclude(dialogue, verdict->reason, verdict->is_over ? shut_down : quit, "%s", verdict->detail);
	}
}

/* hello_done - the answer to the last EHLO or LHLO is here */
static void hello_done(struct smtp_dialogue *dialogue)
{
	enum smtp_auth_tls tls = SMTP_AUTH_PLAIN;
	struct smtp_auth_verdict verdict;
	bool has_line;

	if (dialogue->auth == NULL) {
		ask_recipient(dialogue);
		return;
	}
	if (dialogue->tls != NULL)
		tls = dialogue->request.tls->level > TLS_LEVEL_ENCRYPT ? SMTP_AUTH_VERIFIED : SMTP_AUTH_TLS;
	dialogue->result.is_deep[DEPTH_KIND_AUTH] = true;
	has_line = smtp_auth_begin(dialogue->auth, &dialogue->hello, tls, &verdict);
	go_on_with_auth(dialogue, has_line, &verdict);
}

/* handshake_failed - or was lost, or took too long */
static void handshake_failed(struct smtp_dialogue *dialogue, const char *why, ending *next)
{
	struct smtp_tls_verdict verdict;

	smtp_tls_failed(dialogue->request.tls, dialogue->tls, dialogue->request.peer, why, &verdict);
	conclude_tls(dialogue, &verdict, next);
}

/* trace_tls - what was agreed on */
static void trace_tls(const struct smtp_dialogue *dialogue)
{
	char facts[TLS_FACTS_BYTES];

	trace_step(dialogue->request.trace, TRACE_TLS, TRACE_NOTE, "%s", tls_facts(dialogue->tls, facts));
}

/* handshake_done - smtp(8) looks at the certificate only now, and says QUIT under TLS when it is not the right one */
static void handshake_done(struct smtp_dialogue *dialogue)
{
	const struct smtp_dialogue_request *request = &dialogue->request;

	dialogue->result.tls_not_after = tls_not_after(dialogue->tls);
	trace_tls(dialogue);
	/* What follows may have come with the last of it. */
	bufferevent_trigger(dialogue->stream, EV_READ, BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
	if (!tls_is_believed(dialogue->tls))
		conclude(dialogue, REASON_TLS_CERTIFICATE, quit, "the certificate of %s is not verified: %s",
			request->peer, tls_error(dialogue->tls));
	else if (request->tls->is_wrapped)
		next_step(dialogue, STEP_GREETING);
	else
		next_step(dialogue, request->protocol == PROTOCOL_LMTP ? STEP_LHLO : STEP_EHLO);
}

/* handshake - go on with it */
static void handshake(struct smtp_dialogue *dialogue)
{
	enum tls_status status = tls_handshake(dialogue->tls);

	if (status == TLS_STATUS_FAILED || status == TLS_STATUS_ENDED)
		handshake_failed(dialogue, tls_error(dialogue->tls), shut_down);
	else if (!tls_flush(dialogue->tls, bufferevent_get_output(dialogue->stream)))
		conclude(dialogue, REASON_LOCAL_ERROR, hang_up, "out of memory");
	else if (status == TLS_STATUS_DONE)
		handshake_done(dialogue);
}

/* prepare_tls - before anything is said; false: there can be none, and *verdict says what that means */
static bool prepare_tls(struct smtp_dialogue *dialogue, struct smtp_tls_verdict *verdict)
{
	const struct smtp_dialogue_request *request = &dialogue->request;
	struct tls_refusal refusal;

	dialogue->prepared = tls_start(request->store, request->tls, request->host, &refusal);
	if (dialogue->prepared == NULL)
		smtp_tls_cannot(request->tls, request->peer, &refusal, verdict);
	return dialogue->prepared != NULL;
}

/* encrypt - begin the handshake.  What came in plaintext behind the answer to STARTTLS is thrown away, as smtp(8) does:
 * anybody may have put it there (CVE-2011-0411). */
static void encrypt(struct smtp_dialogue *dialogue)
{
	struct evbuffer *input = bufferevent_get_input(dialogue->stream);

	(void)evbuffer_drain(input, evbuffer_get_length(input));
	dialogue->tls = dialogue->prepared;
	dialogue->prepared = NULL;
	if (!begin_step(dialogue, STEP_HANDSHAKE))
		conclude(dialogue, REASON_LOCAL_ERROR, hang_up, "out of memory");
	else
		handshake(dialogue);
}

static void starttls_answered(struct smtp_dialogue *dialogue)
{
	struct smtp_tls_verdict verdict;

	if (is_positive(dialogue)) {
		encrypt(dialogue);
		return;
	}
	smtp_tls_refused(dialogue->request.tls, dialogue->request.peer, dialogue->reply.text, &verdict);
	conclude_tls(dialogue, &verdict, quit);
}

/* want_tls - the probe is to see more than the answer to EHLO in plaintext */
static void want_tls(struct smtp_dialogue *dialogue)
{
	const struct smtp_dialogue_request *request = &dialogue->request;
	struct smtp_tls_verdict verdict;

	dialogue->result.is_deep[DEPTH_KIND_TLS] = true;
	if (smtp_tls_is_wanted(request->tls, &dialogue->hello, request->peer, &verdict) &&
		prepare_tls(dialogue, &verdict))
		next_step(dialogue, STEP_STARTTLS);
	else if (verdict.reason == REASON_NONE)
		hello_done(dialogue);
	else
		conclude_tls(dialogue, &verdict, quit);
}

/* wrap - TLS goes before the greeting */
static void wrap(struct smtp_dialogue *dialogue)
{
	struct smtp_tls_verdict verdict;

	dialogue->result.is_deep[DEPTH_KIND_TLS] = true;
	if (!smtp_tls_is_possible(dialogue->request.tls, &verdict) || !prepare_tls(dialogue, &verdict))
		conclude_tls(dialogue, &verdict, shut_down);
	else if (bufferevent_enable(dialogue->stream, EV_READ | EV_WRITE) != 0)
		conclude(dialogue, REASON_LOCAL_ERROR, hang_up, "out of memory");
	else
		encrypt(dialogue);
}

/* ehlo_answered - like smtp(8), take any refusal but 421 for an old server that wants HELO */
static void ehlo_answered(struct smtp_dialogue *dialogue)
{
	if (!is_positive(dialogue) && dialogue->reply.code != 421)
		next_step(dialogue, STEP_HELO);
	else if (is_positive(dialogue) && is_own(dialogue))
		conclude(dialogue, REASON_LOOP, quit, "%s replied to EHLO with my own hostname %s",
			dialogue->request.peer, dialogue->request.own_name);
	else
		hello_answered(dialogue);
}

static void hello_answered(struct smtp_dialogue *dialogue)
{
	bool wants_tls = dialogue->request.depth >= DEPTH_TLS && dialogue->request.tls != NULL;

	if (!is_positive(dialogue))
		refused(dialogue);
	else if (wants_tls && dialogue->tls == NULL)
		want_tls(dialogue);
	else
		hello_done(dialogue);
}

static void auth_answered(struct smtp_dialogue *dialogue)
{
	const struct smtp_reply *reply = &dialogue->reply;
	struct smtp_auth_verdict verdict;
	bool has_line = smtp_auth_answered(
		dialogue->auth, reply->code, reply->code / 100 == 3 ? reply->line : reply->text, &verdict);

	go_on_with_auth(dialogue, has_line, &verdict);
}

/* recipient_refused - or the sender, which is nobody */
static void recipient_refused(struct smtp_dialogue *dialogue)
{
	unsigned class = dialogue->reply.code / 100;

	smtp_auth_hide(dialogue->auth, dialogue->reply.text);
	conclude(dialogue,
		class == 4   ? REASON_SERVICE_UNAVAILABLE
		: class == 5 ? REASON_SERVICE_REJECTED
			     : REASON_PROTOCOL_ERROR,
		quit, "%s said while %s: %.180s", dialogue->request.peer, steps[dialogue->step].doing,
		dialogue->reply.text);
}

static void mail_answered(struct smtp_dialogue *dialogue)
{
	if (is_positive(dialogue))
		next_step(dialogue, STEP_RCPT);
	else
		recipient_refused(dialogue);
}

static void rcpt_answered(struct smtp_dialogue *dialogue)
{
	if (is_positive(dialogue))
		next_step(dialogue, STEP_RSET);
	else
		recipient_refused(dialogue);
}

static void rset_answered(struct smtp_dialogue *dialogue)
{
	all_done(dialogue);
}

/* not_smtp - a fault after which nothing better than this line is known of the peer */
static void not_smtp(struct smtp_dialogue *dialogue, ending *next)
{
	smtp_auth_hide(dialogue->auth, dialogue->reply.text);
	conclude(dialogue, REASON_PROTOCOL_ERROR, next, "%s does not talk %s: %.200s",
		dialogue->request.peer,
		dialogue->request.protocol == PROTOCOL_LMTP ? "LMTP" : "SMTP",
		dialogue->reply.text);
}

static void destroy(struct smtp_dialogue *dialogue)
{
	if (dialogue->stream != NULL) {
		(void)bufferevent_disable(dialogue->stream, EV_READ | EV_WRITE);
		bufferevent_free(dialogue->stream);
	}
	if (dialogue->timer != NULL)
		event_free(dialogue->timer);
	if (dialogue->plain != NULL)
		evbuffer_free(dialogue->plain);
	tls_free(dialogue->tls);
	tls_free(dialogue->prepared);
	/* Not BEV_OPT_CLOSE_ON_FREE: that closes some time later, and closed() says "closed". */
	(void)close(dialogue->fd);
	smtp_auth_free(dialogue->auth);
	/* Some servers repeat what they hear. */
	secret_free(dialogue, sizeof *dialogue);
}

static void finish(struct smtp_dialogue *dialogue)
{
	smtp_dialogue_closed_fn *closed = dialogue->closed;
	void *arg = dialogue->arg;

	destroy(dialogue);
	closed(arg);
}

/* conclude_loss - of the connection, or of our patience, in the words of smtp(8) */
static void conclude_loss(struct smtp_dialogue *dialogue, enum reason reason, const char *before, const char *after)
{
	struct smtp_tls_verdict verdict = {.reason = reason, .severity = reason_severity(reason)};

	if (dialogue->tls != NULL)
		smtp_tls_broke(dialogue->request.tls, dialogue->tls, &verdict);
	(void)snprintf(verdict.detail, sizeof verdict.detail, "%s %s%s while %s", before, dialogue->request.peer,
		after, steps[dialogue->step].doing);
	conclude_tls(dialogue, &verdict, hang_up);
}

/* is_wrapped - TLS goes before the greeting, and is wanted */
static bool is_wrapped(const struct smtp_dialogue *dialogue)
{
	const struct smtp_dialogue_request *request = &dialogue->request;

	return request->depth > DEPTH_CONNECT && request->tls != NULL && request->tls->is_wrapped;
}

static void on_timer(evutil_socket_t fd, short events, void *arg)
{
	struct smtp_dialogue *dialogue = arg;

	(void)fd;
	(void)events;
	if (dialogue->step >= STEP_QUIT)
		finish(dialogue);
	else if (dialogue->step == STEP_CONNECTED && is_wrapped(dialogue))
		wrap(dialogue);
	else if (dialogue->step == STEP_HANDSHAKE)
		handshake_failed(dialogue, "timed out", hang_up);
	else if (dialogue->step == STEP_CONNECTED)
		conclude(dialogue, REASON_NONE, shut_down, "%s", "");
	else if (smtp_reply_is_foreign(&dialogue->reply))
		not_smtp(dialogue, shut_down);
	else
		conclude_loss(dialogue, dialogue->step == STEP_GREETING ? REASON_GREETING_TIMEOUT : REASON_CONNECTION_LOST,
			"conversation with", " timed out");
}

/* lost - the peer has ended what we had */
static void lost(struct smtp_dialogue *dialogue)
{
	if (dialogue->step >= STEP_QUIT)
		finish(dialogue);
	else if (dialogue->step == STEP_HANDSHAKE)
		handshake_failed(dialogue, "connection lost", hang_up);
	else if (smtp_reply_is_foreign(&dialogue->reply))
		not_smtp(dialogue, hang_up);
	else
		conclude_loss(dialogue, REASON_CONNECTION_LOST, "lost connection with", "");
}

/* on_event - the peer has closed, or the connection broke */
static void on_event(struct bufferevent *stream, short events, void *arg)
{
	struct smtp_dialogue *dialogue = arg;

	(void)stream;
	/* What the peer said before it closed can still be read. */
	if ((events & BEV_EVENT_WRITING) != 0)
		return;
	lost(dialogue);
}

static void trace_line(const struct smtp_dialogue *dialogue)
{
	char line[SMTP_REPLY_LINE_BYTES];

	if (dialogue->reply.lines > TRACE_LINES + 1)
		return;
	memcpy(line, dialogue->reply.line, sizeof line);
	smtp_auth_hide(dialogue->auth, line);
	if (dialogue->reply.lines <= TRACE_LINES)
		trace_step(dialogue->request.trace, TRACE_DIALOGUE, TRACE_RECEIVED, "%s", line);
	else
		trace_step(dialogue->request.trace, TRACE_DIALOGUE, TRACE_NOTE, "more lines, not shown");
}

static void overflowed(struct smtp_dialogue *dialogue)
{
	if (dialogue->step >= STEP_QUIT)
		hang_up(dialogue);
	else
		conclude(dialogue, REASON_PROTOCOL_ERROR, hang_up,
			"%s sent more than %d bytes as one reply", dialogue->request.peer,
			SMTP_REPLY_LIMIT_BYTES);
}

/* read_line - feed at most one line; false when the reply came to its end, good or bad */
static bool read_line(struct smtp_dialogue *dialogue, struct evbuffer *input)
{
	size_t used, count = evbuffer_get_contiguous_space(input);
	const char *bytes = (const char *)evbuffer_pullup(input, (ev_ssize_t)count);
	enum smtp_reply_status status = smtp_reply_feed(&dialogue->reply, bytes, count, &used);

	(void)evbuffer_drain(input, used);
	if (status == SMTP_REPLY_OVERFLOW) {
		overflowed(dialogue);
		return false;
	}
	if (status != SMTP_REPLY_MORE) {
		trace_line(dialogue);
		if (dialogue->step == STEP_EHLO || dialogue->step == STEP_LHLO)
			smtp_hello_line(&dialogue->hello, dialogue->reply.line);
	}
	if (status != SMTP_REPLY_COMPLETE)
		return true;
	/* What came too early is looked at when the next step waits for it. */
	if (evbuffer_get_length(input) > 0)
		bufferevent_trigger(dialogue->stream, EV_READ,
			BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
	steps[dialogue->step].answered(dialogue);
	return false;
}

static void discard(struct smtp_dialogue *dialogue, struct evbuffer *input)
{
	size_t count = evbuffer_get_length(input);

	(void)evbuffer_drain(input, count);
	dialogue->drained_bytes += count;
	if (dialogue->drained_bytes > DRAIN_BYTES)
		hang_up(dialogue);
}

/* decrypt - false: there is nothing to be read now, or the dialogue has gone on by itself */
static bool decrypt(struct smtp_dialogue *dialogue, struct evbuffer *input)
{
	enum tls_status status = TLS_STATUS_MORE;

	if (!tls_feed(dialogue->tls, input)) {
		overflowed(dialogue);
		return false;
	}
	if (dialogue->step == STEP_HANDSHAKE) {
		handshake(dialogue);
		return false;
	}
	status = tls_read(dialogue->tls, dialogue->plain);
	if (!tls_flush(dialogue->tls, bufferevent_get_output(dialogue->stream))) {
		overflowed(dialogue);
		return false;
	}
	/* What the peer said before it ended can still be read. */
	if (status == TLS_STATUS_MORE || evbuffer_get_length(dialogue->plain) > 0)
		return true;
	lost(dialogue);
	return false;
}

static void on_read(struct bufferevent *stream, void *arg)
{
	struct smtp_dialogue *dialogue = arg;
	struct evbuffer *input = bufferevent_get_input(stream);

	if (dialogue->result.latency_us < 0 && dialogue->step == STEP_GREETING)
		dialogue->result.latency_us = clock_now_us() - dialogue->request.start_us;
	if (dialogue->step == STEP_CLOSE) {
		discard(dialogue, input);
		return;
	}
	if (dialogue->tls != NULL) {
		if (!decrypt(dialogue, input))
			return;
		input = dialogue->plain;
	}
	while (evbuffer_get_length(input) > 0)
		if (!read_line(dialogue, input))
			return;
}

/* prepare - what needs memory; false when there is none */
static bool prepare(struct smtp_dialogue *dialogue, struct event_base *base)
{
	dialogue->stream = bufferevent_socket_new(base, dialogue->fd, 0);
	dialogue->timer = evtimer_new(base, on_timer, dialogue);
	dialogue->plain = evbuffer_new();
	if (dialogue->request.auth != NULL)
		dialogue->auth = smtp_auth_new(dialogue->request.auth);
	if (dialogue->stream == NULL || dialogue->timer == NULL || dialogue->plain == NULL ||
		(dialogue->request.auth != NULL && dialogue->auth == NULL))
		return false;
	bufferevent_setcb(dialogue->stream, on_read, NULL, on_event, dialogue);
	bufferevent_setwatermark(dialogue->stream, EV_READ, 0, INPUT_BYTES);
	if (dialogue->request.depth <= DEPTH_CONNECT || is_wrapped(dialogue)) {
		event_active(dialogue->timer, EV_TIMEOUT, 0);
		return true;
	}
	return begin_step(dialogue, STEP_GREETING) &&
	       bufferevent_enable(dialogue->stream, EV_READ | EV_WRITE) == 0;
}

struct smtp_dialogue *smtp_dialogue_start(struct event_base *base, int fd,
	const struct smtp_dialogue_request *request, smtp_dialogue_done_fn *done,
	smtp_dialogue_closed_fn *closed, void *arg)
{
	struct smtp_dialogue *dialogue = calloc(1, sizeof *dialogue);

	if (dialogue == NULL) {
		(void)close(fd);
		return NULL;
	}
	dialogue->request = *request;
	dialogue->fd = fd;
	dialogue->step = STEP_CONNECTED;
	dialogue->result.latency_us = -1;
	dialogue->done = done;
	dialogue->closed = closed;
	dialogue->arg = arg;
	if (!prepare(dialogue, base)) {
		destroy(dialogue);
		return NULL;
	}
	return dialogue;
}

void smtp_dialogue_cancel(struct smtp_dialogue *dialogue)
{
	destroy(dialogue);
}
