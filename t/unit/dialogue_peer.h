/*
 * dialogue_peer - the dialogue against a scripted peer on the same event_base
 *
 * A script is a list of lines: ">TEXT" send, ".TEXT" send byte by byte, "<LINE" wait for exactly
 * this line and nothing behind it, "~LINE" this line, "pMS" pause, "$" wait for the end of the
 * stream, "x" close, "r" reset, "!TEXT" send TEXT without end.  A finished script closes.
 */
#ifndef FF_DIALOGUE_PEER_H
#define FF_DIALOGUE_PEER_H

#include "base/clock.h"
#include "probe/smtp_dialogue.h"
#include "suite.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REPLY_MS = 300, SCRIPT_LINES = 16, FLOOD_BYTES = 64 * 1024 };

static struct event_base *base;

static struct {
	struct bufferevent *stream;
	struct event *timer;
	const char *const *script;
	const char *drip;
	bool has_eof, has_error, has_strayed, is_flooding;
} peer;

static struct {
	struct smtp_dialogue *dialogue;
	struct smtp_dialogue_result result;
	unsigned done, closed;
	int64_t start_us, done_us, closed_us;
	bool cancels;
} client;

static void peer_run(void);

static void peer_close(bool resets)
{
	int fd = bufferevent_getfd(peer.stream);
	struct linger linger = {.l_onoff = 1, .l_linger = 0};

	if (resets)
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	(void)bufferevent_disable(peer.stream, EV_READ | EV_WRITE);
	bufferevent_free(peer.stream);
	(void)close(fd);
	peer.stream = NULL;
}

static void peer_wait(int64_t ms)
{
	struct timeval wait = {ms / 1000, ms % 1000 * 1000};

	ck_assert_int_eq(event_add(peer.timer, &wait), 0);
}

/* peer_expect - false: the line is not here yet */
static bool peer_expect(const char *want, bool alone)
{
	struct evbuffer *input = bufferevent_get_input(peer.stream);
	char *line = evbuffer_readln(input, NULL, EVBUFFER_EOL_CRLF_STRICT);

	if (line == NULL)
		return false;
	if (strcmp(line, want) != 0 || (alone && evbuffer_get_length(input) > 0))
		peer.has_strayed = true;
	free(line);
	return true;
}

/* peer_step - false: wait for an event */
static bool peer_step(const char *item)
{
	switch (*item) {
	case '>':
		(void)bufferevent_write(peer.stream, item + 1, strlen(item + 1));
		return true;
	case '.':
		if (peer.drip == NULL)
			peer.drip = item + 1;
		if (*peer.drip == '\0') {
			peer.drip = NULL;
			return true;
		}
		(void)bufferevent_write(peer.stream, peer.drip++, 1);
		peer_wait(1);
		return false;
	case '<':
		return peer_expect(item + 1, true);
	case '~':
		return peer_expect(item + 1, false);
	case 'p':
		peer.script++;
		peer_wait(atoi(item + 1));
		return false;
	case '!':
		peer.is_flooding = true;
		for (size_t at = 0; at < FLOOD_BYTES; at += strlen(item + 1))
			(void)bufferevent_write(peer.stream, item + 1, strlen(item + 1));
		return false;
	case '$':
		return peer.has_eof;
	default:
		if (evbuffer_get_length(bufferevent_get_output(peer.stream)) == 0)
			peer_close(*item == 'r');
		return false;
	}
}

static void peer_run(void)
{
	while (peer.stream != NULL && *peer.script != NULL && peer_step(*peer.script))
		peer.script++;
	if (peer.stream != NULL && *peer.script == NULL)
		peer_close(false);
}

static void on_peer_timer(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	(void)arg;
	if (peer.stream != NULL)
		peer_run();
}

static void on_peer_stream(struct bufferevent *stream, void *arg)
{
	(void)stream;
	(void)arg;
	if (!event_pending(peer.timer, EV_TIMEOUT, NULL))
		peer_run();
}

static void on_peer_written(struct bufferevent *stream, void *arg)
{
	(void)stream;
	(void)arg;
	if (!event_pending(peer.timer, EV_TIMEOUT, NULL))
		peer_run();
}

static void on_peer_event(struct bufferevent *stream, short events, void *arg)
{
	peer.is_flooding = false;
	if ((events & BEV_EVENT_EOF) != 0)
		peer.has_eof = true;
	else
		peer.has_error = true;
	on_peer_stream(stream, arg);
}

/* tcp_pair - not a socketpair(): a RST must be visible */
static void tcp_pair(int pair[2])
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t bytes = sizeof address;
	int server = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(server, (struct sockaddr *)&address, bytes), 0);
	ck_assert_int_eq(listen(server, 1), 0);
	ck_assert_int_eq(getsockname(server, (struct sockaddr *)&address, &bytes), 0);
	pair[0] = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(pair[0], (struct sockaddr *)&address, bytes), 0);
	pair[1] = accept(server, NULL, NULL);
	ck_assert_int_ge(pair[1], 0);
	for (int at = 0; at < 2; at++)
		ck_assert_int_eq(fcntl(pair[at], F_SETFL, O_NONBLOCK), 0);
	(void)close(server);
}

static void on_done(void *arg, const struct smtp_dialogue_result *result)
{
	ck_assert_ptr_eq(arg, &client);
	client.result = *result;
	client.done_us = clock_now_us();
	client.done++;
	if (client.cancels)
		smtp_dialogue_cancel(client.dialogue);
}

static void on_closed(void *arg)
{
	ck_assert_ptr_eq(arg, &client);
	ck_assert_uint_eq(client.done, 1);
	client.closed_us = clock_now_us();
	client.closed++;
}

/* talk - run the dialogue against the script until both sides are through */
static void talk_with(struct smtp_dialogue_request request, const char *const *script)
{
	int pair[2];

	tcp_pair(pair);
	peer.script = script;
	peer.stream = bufferevent_socket_new(base, pair[1], 0);
	bufferevent_setcb(peer.stream, on_peer_stream, on_peer_written, on_peer_event, NULL);
	(void)bufferevent_enable(peer.stream, EV_READ | EV_WRITE);
	request.helo = "client.example";
	request.peer = "peer";
	request.name = "smtp:[peer]";
	request.start_us = client.start_us = clock_now_us();
	client.dialogue = smtp_dialogue_start(base, pair[0], &request, on_done, on_closed, &client);
	ck_assert_ptr_nonnull(client.dialogue);
	ck_assert_uint_eq(client.done, 0);
	peer_run();
	while ((client.closed == 0 && !(client.cancels && client.done > 0)) ||
		(peer.stream != NULL && !peer.has_eof && !peer.has_error))
		ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
	ck_assert_uint_eq(client.done, 1);
	ck_assert_msg(!peer.has_strayed, "the peer got another line than expected");
	if (peer.stream != NULL)
		peer_close(false);
}

static int64_t reply_ms = REPLY_MS; /* each test has its own process, and may change it */

static void talk(enum conf_depth depth, const char *const *script)
{
	struct smtp_dialogue_request request = {
		.protocol = PROTOCOL_SMTP, .depth = depth, .reply_timeout_ms = reply_ms};

	talk_with(request, script);
}

static void setup(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	base = event_base_new();
	memset(&peer, 0, sizeof peer);
	memset(&client, 0, sizeof client);
	peer.timer = evtimer_new(base, on_peer_timer, NULL);
}

static void teardown(void)
{
	event_free(peer.timer);
	event_base_free(base);
}

#endif
