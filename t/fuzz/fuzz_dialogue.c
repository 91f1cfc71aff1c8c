/*
 * fuzz_dialogue - whatever a peer sends, in whatever pieces: one result, one end, and nothing but whole lines
 * from us
 *
 * Byte 0 says what is asked for and how the peer behaves, byte 1 how long its pieces are; the rest is what it
 * sends before it hangs up, so that no time-out has to be waited for.
 */
#include "probe/smtp_dialogue.h"

#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REPLY_MS = 1000, HEARD_BYTES = 4096, HEAD_BYTES = 2 };

enum { AS_LMTP = 1, CANCELS = 2, HALF_CLOSES = 4, IN_DONE = 8, DEPTH_SHIFT = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	struct smtp_dialogue *dialogue;
	unsigned done, closed;
	bool cancels;
} client;

static void require(bool holds)
{
	if (!holds)
		__builtin_trap();
}

static void on_done(void *arg, const struct smtp_dialogue_result *result)
{
	const char *end = memchr(result->detail, '\0', sizeof result->detail);

	(void)arg;
	require(client.done++ == 0 && client.closed == 0);
	require(end != NULL && result->reason < REASON_COUNT);
	require((result->reason == REASON_NONE) == (*result->detail == '\0'));
	for (const char *cp = result->detail; cp < end; cp++)
		require(*cp >= ' ' && *cp <= '~');
	if (client.cancels) {
		smtp_dialogue_cancel(client.dialogue);
		client.dialogue = NULL;
	}
}

static void on_closed(void *arg)
{
	(void)arg;
	require(client.done == 1 && client.closed++ == 0);
	client.dialogue = NULL;
}

static void on_step(void *arg, enum trace_kind kind, enum trace_direction direction, const char *text)
{
	(void)arg;
	(void)kind;
	(void)direction;
	require(strlen(text) < TRACE_TEXT_BYTES);
	for (; *text != '\0'; text++)
		require(*text >= ' ' && *text <= '~');
}

/* listen_in - what we said: lines, each whole and printable */
static void listen_in(int fd)
{
	static char heard[HEARD_BYTES];
	ssize_t count = recv(fd, heard, sizeof heard, MSG_DONTWAIT);

	for (ssize_t at = 0; at < count; at++)
		require((heard[at] >= ' ' && heard[at] <= '~') || heard[at] == '\r' || heard[at] == '\n');
	require(count <= 0 || client.cancels || (count >= 2 && heard[count - 2] == '\r' && heard[count - 1] == '\n'));
}

/* feed - the peer's bytes, in pieces; each is looked at before the next comes */
static void feed(struct event_base *base, int fd, const uint8_t *bytes, size_t count, size_t piece)
{
	for (size_t at = 0; at < count && client.dialogue != NULL; at += piece) {
		size_t now = count - at < piece ? count - at : piece;

		if (send(fd, bytes + at, now, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			break;
		(void)event_base_loop(base, EVLOOP_NONBLOCK);
		listen_in(fd);
	}
}

static void start(struct event_base *base, int fd, uint8_t flags)
{
	static const enum conf_depth depths[] = {
		DEPTH_CONNECT, DEPTH_GREETING, DEPTH_HELLO, DEPTH_HELLO};
	static const struct trace trace = {.name = "smtp:[peer]", .tell = on_step};
	const struct smtp_dialogue_request request = {
		.protocol = (flags & AS_LMTP) != 0 ? PROTOCOL_LMTP : PROTOCOL_SMTP,
		.depth = depths[(flags >> DEPTH_SHIFT) & 3],
		.reply_timeout_ms = REPLY_MS,
		.helo = "client.example",
		.peer = "peer",
		.name = "smtp:[peer]",
		.trace = &trace,
	};

	memset(&client, 0, sizeof client);
	client.cancels = (flags & IN_DONE) != 0;
	client.dialogue = smtp_dialogue_start(base, fd, &request, on_done, on_closed, NULL);
	require(client.dialogue != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct event_base *base;
	int pair[2];

	if (size < HEAD_BYTES)
		return 0;
	if (base == NULL) {
		(void)signal(SIGPIPE, SIG_IGN);
		base = event_base_new();
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
		return 0;
	start(base, pair[0], data[0]);
	feed(base, pair[1], data + HEAD_BYTES, size - HEAD_BYTES, (size_t)data[1] * 8 + 1);
	if ((data[0] & CANCELS) != 0 && client.dialogue != NULL) {
		smtp_dialogue_cancel(client.dialogue);
		client.dialogue = NULL;
	}
	if ((data[0] & HALF_CLOSES) != 0)
		(void)shutdown(pair[1], SHUT_WR);
	else
		(void)close(pair[1]);
	while (client.dialogue != NULL)
		require(event_base_loop(base, EVLOOP_ONCE) == 0);
	if ((data[0] & HALF_CLOSES) != 0)
		(void)close(pair[1]);
	return 0;
}
