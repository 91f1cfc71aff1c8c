/*
 * smtp_dialogue - greeting, hello and QUIT over a connection that is there
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
#include "base/log.h"
#include "probe/smtp_reply.h"

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
};

enum step {
	STEP_CONNECTED, /* nothing to wait for: DEPTH_CONNECT */
	STEP_GREETING,
	STEP_EHLO,
	STEP_HELO,
	STEP_LHLO,
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
	size_t drained_bytes;
	struct smtp_dialogue_result result;
	smtp_dialogue_done_fn *done;
	smtp_dialogue_closed_fn *closed;
	void *arg;
};

typedef void ending(struct smtp_dialogue *dialogue);

static ending quit, shut_down, hang_up, greeting_answered, ehlo_answered, hello_answered;

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
	next(dialogue);
	dialogue->done(dialogue->arg, result);
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
	(void)shutdown(dialogue->fd, SHUT_WR);
	if (bufferevent_enable(dialogue->stream, EV_READ) != 0 ||
		(!is_limited && !arm(dialogue, SMTP_DIALOGUE_QUIT_MS)))
		hang_up(dialogue);
}

/* send_command - false when we are out of memory */
static bool send_command(struct smtp_dialogue *dialogue, const char *command)
{
	bool has_name = dialogue->step != STEP_QUIT;
	const char *space = has_name ? " " : "", *name = has_name ? dialogue->request.helo : "";

	log_trace("%s: > %s%s%s", dialogue->request.name, command, space, name);
	return evbuffer_add_printf(bufferevent_get_output(dialogue->stream), "%s%s%s\r\n", command,
		       space, name) >= 0;
}

/* begin_step - say what the step says and wait for the reply; false when we are out of memory */
static bool begin_step(struct smtp_dialogue *dialogue, enum step step)
{
	const char *command = steps[step].command;

	dialogue->step = step;
	smtp_reply_start(&dialogue->reply);
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
	if (is_positive(dialogue))
		conclude(dialogue, REASON_NONE, quit, "%s", "");
	else
		refused(dialogue);
}

/* not_smtp - a fault after which nothing better than this line is known of the peer */
static void not_smtp(struct smtp_dialogue *dialogue, ending *next)
{
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
	/* Not BEV_OPT_CLOSE_ON_FREE: that closes some time later, and closed() says "closed". */
	(void)close(dialogue->fd);
	free(dialogue);
}

static void finish(struct smtp_dialogue *dialogue)
{
	smtp_dialogue_closed_fn *closed = dialogue->closed;
	void *arg = dialogue->arg;

	destroy(dialogue);
	closed(arg);
}

static void on_timer(evutil_socket_t fd, short events, void *arg)
{
	struct smtp_dialogue *dialogue = arg;

	(void)fd;
	(void)events;
	if (dialogue->step >= STEP_QUIT)
		finish(dialogue);
	else if (dialogue->step == STEP_CONNECTED)
		conclude(dialogue, REASON_NONE, shut_down, "%s", "");
	else if (smtp_reply_is_foreign(&dialogue->reply))
		not_smtp(dialogue, shut_down);
	else
		conclude(dialogue,
			dialogue->step == STEP_GREETING ? REASON_GREETING_TIMEOUT
							: REASON_CONNECTION_LOST,
			hang_up, "conversation with %s timed out while %s",
			dialogue->request.peer, steps[dialogue->step].doing);
}

/* on_event - the peer has closed, or the connection broke */
static void on_event(struct bufferevent *stream, short events, void *arg)
{
	struct smtp_dialogue *dialogue = arg;

	(void)stream;
	/* What the peer said before it closed can still be read. */
	if ((events & BEV_EVENT_WRITING) != 0)
		return;
	if (dialogue->step >= STEP_QUIT)
		finish(dialogue);
	else if (smtp_reply_is_foreign(&dialogue->reply))
		not_smtp(dialogue, hang_up);
	else
		conclude(dialogue, REASON_CONNECTION_LOST, hang_up,
			"lost connection with %s while %s", dialogue->request.peer,
			steps[dialogue->step].doing);
}

static void trace_line(const struct smtp_dialogue *dialogue)
{
	if (dialogue->reply.lines <= TRACE_LINES)
		log_trace("%s: < %s", dialogue->request.name, dialogue->reply.line);
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
	if (status != SMTP_REPLY_MORE)
		trace_line(dialogue);
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
	while (evbuffer_get_length(input) > 0)
		if (!read_line(dialogue, input))
			return;
}

/* prepare - what needs memory; false when there is none */
static bool prepare(struct smtp_dialogue *dialogue, struct event_base *base)
{
	dialogue->stream = bufferevent_socket_new(base, dialogue->fd, 0);
	dialogue->timer = evtimer_new(base, on_timer, dialogue);
	if (dialogue->stream == NULL || dialogue->timer == NULL)
		return false;
	bufferevent_setcb(dialogue->stream, on_read, NULL, on_event, dialogue);
	bufferevent_setwatermark(dialogue->stream, EV_READ, 0, INPUT_BYTES);
	if (dialogue->request.depth <= DEPTH_CONNECT) {
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
