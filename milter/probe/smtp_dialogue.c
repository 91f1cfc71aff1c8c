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
#include "probe/smtp_dialogue_private.h"

#include "base/clock.h"
#include "base/secret.h"

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

static ending greeting_answered, ehlo_answered, hello_answered;

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
	[STEP_STARTTLS] = {"STARTTLS", "receiving the STARTTLS response", smtp_dialogue_starttls_answered},
	[STEP_HANDSHAKE] = {NULL, "performing the TLS handshake", NULL},
	[STEP_AUTH] = {NULL, "authenticating", smtp_dialogue_auth_answered},
	[STEP_MAIL] = {"MAIL FROM:<>", "sending MAIL FROM", smtp_dialogue_mail_answered},
	[STEP_RCPT] = {"RCPT TO:", "sending RCPT TO", smtp_dialogue_rcpt_answered},
	[STEP_RSET] = {"RSET", "sending RSET", smtp_dialogue_rset_answered},
	[STEP_QUIT] = {"QUIT", "sending QUIT", smtp_dialogue_shut_down},
	[STEP_CLOSE] = {NULL, "closing", NULL},
};

/* arm - false when we are out of memory */
static bool arm(struct smtp_dialogue *dialogue, int64_t ms)
{
	struct timeval limit = {ms / 1000, ms % 1000 * 1000};

	return event_add(dialogue->timer, &limit) == 0;
}

/* smtp_dialogue_conclude - report once; next says how the connection ends */
void smtp_dialogue_conclude(struct smtp_dialogue *dialogue, enum reason reason, ending *next, const char *fmt, ...)
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

/* smtp_dialogue_hang_up - the connection is gone already, or the peer is silent and would only keep the next probe
 * waiting; closed() comes from on_timer() */
void smtp_dialogue_hang_up(struct smtp_dialogue *dialogue)
{
	dialogue->step = STEP_CLOSE;
	(void)bufferevent_disable(dialogue->stream, EV_READ | EV_WRITE);
	event_active(dialogue->timer, EV_TIMEOUT, 0);
}

/* smtp_dialogue_shut_down - end our side and wait for the peer's end: to close with input unread sends a RST,
 * which some servers log as a broken connection */
void smtp_dialogue_shut_down(struct smtp_dialogue *dialogue)
{
	bool is_limited = dialogue->step == STEP_QUIT;

	dialogue->step = STEP_CLOSE;
	smtp_dialogue_end_tls(dialogue);
	(void)shutdown(dialogue->fd, SHUT_WR);
	if (bufferevent_enable(dialogue->stream, EV_READ) != 0 ||
		(!is_limited && !arm(dialogue, SMTP_DIALOGUE_QUIT_MS)))
		smtp_dialogue_hang_up(dialogue);
}

/* smtp_dialogue_flush - the stream alone would first ask whether the socket is writable, which it always is for our short
 * lines, and the asking costs more than they do.  That the connection is lost is told to who reads. */
bool smtp_dialogue_flush(struct smtp_dialogue *dialogue)
{
	struct evbuffer *output = bufferevent_get_output(dialogue->stream);

	if (dialogue->tls != NULL && !tls_flush(dialogue->tls, output))
		return false;
	(void)evbuffer_unfreeze(output, 1);
	(void)evbuffer_write(output, dialogue->fd);
	(void)evbuffer_freeze(output, 1);
	return evbuffer_get_length(output) == 0 || bufferevent_enable(dialogue->stream, EV_WRITE) == 0;
}

/* smtp_dialogue_send_line - false when we are out of memory */
bool smtp_dialogue_send_line(struct smtp_dialogue *dialogue, const char *line)
{
	bool is_said = dialogue->tls != NULL
			       ? tls_write(dialogue->tls, line)
			       : evbuffer_add(bufferevent_get_output(dialogue->stream), line, strlen(line)) == 0;

	return is_said && smtp_dialogue_flush(dialogue);
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
	return smtp_dialogue_send_line(dialogue, line);
}

/* limit_ms - how long to wait for the reply */
static int64_t limit_ms(const struct smtp_dialogue *dialogue, enum step step)
{
	if (step == STEP_QUIT)
		return SMTP_DIALOGUE_QUIT_MS;
	return dialogue->request.reply_timeout_ms * (step == STEP_AUTH ? SMTP_DIALOGUE_AUTH_PATIENCE : 1);
}

/* smtp_dialogue_begin_step - say what the step says and wait for the reply; false when we are out of memory */
bool smtp_dialogue_begin_step(struct smtp_dialogue *dialogue, enum step step)
{
	const char *command = steps[step].command;

	dialogue->step = step;
	smtp_reply_start(&dialogue->reply);
	if (step == STEP_EHLO || step == STEP_LHLO)
		smtp_hello_start(&dialogue->hello);
	if (!arm(dialogue, limit_ms(dialogue, step)))
		return false;
	return command == NULL || send_command(dialogue, command);
}

void smtp_dialogue_quit(struct smtp_dialogue *dialogue)
{
	if (!smtp_dialogue_begin_step(dialogue, STEP_QUIT))
		smtp_dialogue_hang_up(dialogue);
}

void smtp_dialogue_next_step(struct smtp_dialogue *dialogue, enum step step)
{
	if (!smtp_dialogue_begin_step(dialogue, step))
		smtp_dialogue_conclude(dialogue, REASON_LOCAL_ERROR, smtp_dialogue_hang_up, "out of memory");
}

bool smtp_dialogue_is_positive(const struct smtp_dialogue *dialogue)
{
	return dialogue->reply.code / 100 == 2;
}

const char *smtp_dialogue_doing(const struct smtp_dialogue *dialogue)
{
	return steps[dialogue->step].doing;
}

static void refused(struct smtp_dialogue *dialogue)
{
	unsigned class = dialogue->reply.code / 100;
	enum reason reason = class == 4   ? REASON_SERVICE_UNAVAILABLE
			     : class == 5 ? REASON_SERVICE_REJECTED
					  : REASON_PROTOCOL_ERROR;

	smtp_dialogue_conclude(dialogue, reason, smtp_dialogue_quit, "%s refused to talk to me: %.200s", dialogue->request.peer,
		dialogue->reply.text);
}

static void greeting_answered(struct smtp_dialogue *dialogue)
{
	bool is_lmtp = dialogue->request.protocol == PROTOCOL_LMTP;

	if (!smtp_dialogue_is_positive(dialogue))
		refused(dialogue);
	else if (dialogue->request.depth == DEPTH_GREETING)
		smtp_dialogue_conclude(dialogue, REASON_NONE, smtp_dialogue_quit, "%s", "");
	else
		smtp_dialogue_next_step(dialogue, is_lmtp ? STEP_LHLO : STEP_EHLO);
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

/* ehlo_answered - like smtp(8), take any refusal but 421 for an old server that wants HELO */
static void ehlo_answered(struct smtp_dialogue *dialogue)
{
	if (!smtp_dialogue_is_positive(dialogue) && dialogue->reply.code != 421)
		smtp_dialogue_next_step(dialogue, STEP_HELO);
	else if (smtp_dialogue_is_positive(dialogue) && is_own(dialogue))
		smtp_dialogue_conclude(dialogue, REASON_LOOP, smtp_dialogue_quit, "%s replied to EHLO with my own hostname %s",
			dialogue->request.peer, dialogue->request.own_name);
	else
		hello_answered(dialogue);
}

static void hello_answered(struct smtp_dialogue *dialogue)
{
	bool wants_tls = dialogue->request.depth >= DEPTH_TLS && dialogue->request.tls != NULL;

	if (!smtp_dialogue_is_positive(dialogue))
		refused(dialogue);
	else if (wants_tls && dialogue->tls == NULL)
		smtp_dialogue_want_tls(dialogue);
	else
		smtp_dialogue_hello_done(dialogue);
}

/* not_smtp - a fault after which nothing better than this line is known of the peer */
static void not_smtp(struct smtp_dialogue *dialogue, ending *next)
{
	smtp_auth_hide(dialogue->auth, dialogue->reply.text);
	smtp_dialogue_conclude(dialogue, REASON_PROTOCOL_ERROR, next, "%s does not talk %s: %.200s",
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
	smtp_dialogue_conclude_tls(dialogue, &verdict, smtp_dialogue_hang_up);
}

static void on_timer(evutil_socket_t fd, short events, void *arg)
{
	struct smtp_dialogue *dialogue = arg;

	(void)fd;
	(void)events;
	if (dialogue->step >= STEP_QUIT)
		finish(dialogue);
	else if (dialogue->step == STEP_CONNECTED && smtp_dialogue_is_wrapped(dialogue))
		smtp_dialogue_wrap(dialogue);
	else if (dialogue->step == STEP_HANDSHAKE)
		smtp_dialogue_handshake_failed(dialogue, "timed out", smtp_dialogue_hang_up);
	else if (dialogue->step == STEP_CONNECTED)
		smtp_dialogue_conclude(dialogue, REASON_NONE, smtp_dialogue_shut_down, "%s", "");
	else if (smtp_reply_is_foreign(&dialogue->reply))
		not_smtp(dialogue, smtp_dialogue_shut_down);
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
		smtp_dialogue_handshake_failed(dialogue, "connection lost", smtp_dialogue_hang_up);
	else if (smtp_reply_is_foreign(&dialogue->reply))
		not_smtp(dialogue, smtp_dialogue_hang_up);
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

	if (!trace_is_watched(dialogue->request.trace) || dialogue->reply.lines > TRACE_LINES + 1)
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
		smtp_dialogue_hang_up(dialogue);
	else
		smtp_dialogue_conclude(dialogue, REASON_PROTOCOL_ERROR, smtp_dialogue_hang_up,
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
		smtp_dialogue_hang_up(dialogue);
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
		smtp_dialogue_handshake(dialogue);
		return false;
	}
	status = tls_read(dialogue->tls, dialogue->plain);
	if (!smtp_dialogue_flush(dialogue)) {
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
	(void)bufferevent_disable(dialogue->stream, EV_WRITE); /* until there is need: smtp_dialogue_flush() */
	bufferevent_setwatermark(dialogue->stream, EV_READ, 0, INPUT_BYTES);
	if (dialogue->request.depth <= DEPTH_CONNECT || smtp_dialogue_is_wrapped(dialogue)) {
		event_active(dialogue->timer, EV_TIMEOUT, 0);
		return true;
	}
	return smtp_dialogue_begin_step(dialogue, STEP_GREETING) &&
	       bufferevent_enable(dialogue->stream, EV_READ) == 0;
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
