/*
 * check_dialogue - the dialogue against a scripted peer on the same event_base
 *
 * A script is a list of lines: ">TEXT" send, ".TEXT" send byte by byte, "<LINE" wait for exactly
 * this line and nothing behind it, "~LINE" this line, "pMS" pause, "$" wait for the end of the
 * stream, "x" close, "r" reset, "!TEXT" send TEXT without end.  A finished script closes.
 */
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
#include <sys/resource.h>
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

/* One line a dialogue: what the peer does and what must come of it. */
static const struct {
	enum conf_depth depth;
	enum hop_protocol protocol;
	const char *script[SCRIPT_LINES];
	enum reason reason;
	bool is_polite; /* the peer must see the end of the stream and no RST */
	const char *detail;
} cases[] = {
	{DEPTH_HELLO, PROTOCOL_SMTP,
		{">220 mx ESMTP\r\n", "<EHLO client.example", ">250-mx\r\n250 HELP\r\n", "<QUIT",
			">221 bye\r\n", "$"},
		REASON_NONE, true, ""},
	{DEPTH_HELLO, PROTOCOL_SMTP,
		{".220-mx\r\n220 ESMTP\r\n", "<EHLO client.example", ".250-mx\n250 HELP\n", "<QUIT",
			".221 bye\r\n", "$"},
		REASON_NONE, true, ""},
	{DEPTH_HELLO, PROTOCOL_LMTP,
		{">220 mx LMTP\r\n", "<LHLO client.example", ">250 mx\r\n", "<QUIT", ">221 bye\r\n",
			"$"},
		REASON_NONE, true, ""},
	{DEPTH_GREETING, PROTOCOL_SMTP, {">220 mx\r\n", "<QUIT", ">221 bye\r\n", "$"}, REASON_NONE,
		true, ""},
	/* any 2xx greeting will do */
	{DEPTH_GREETING, PROTOCOL_SMTP, {">250 mx\r\n", "<QUIT", ">221 bye\r\n", "$"}, REASON_NONE,
		true, ""},
	{DEPTH_GREETING, PROTOCOL_SMTP, {">motd\r\n220 mx\r\n", "<QUIT", ">221 bye\r\n", "$"},
		REASON_NONE, true, ""},
	{DEPTH_CONNECT, PROTOCOL_SMTP, {">220 mx\r\n", "$"}, REASON_NONE, true, ""},
	{DEPTH_CONNECT, PROTOCOL_SMTP, {"$"}, REASON_NONE, true, ""},
	/* the HELO fallback is smtp(8)'s: any refusal but 421, not for LMTP */
	{DEPTH_HELLO, PROTOCOL_SMTP,
		{">220 mx\r\n", "<EHLO client.example", ">502 what?\r\n", "<HELO client.example",
			">250 mx\r\n", "<QUIT", ">221 bye\r\n", "$"},
		REASON_NONE, true, ""},
	{DEPTH_HELLO, PROTOCOL_SMTP,
		{">220 mx\r\n", "<EHLO client.example", ">450 what?\r\n", "<HELO client.example",
			">250 mx\r\n", "<QUIT", ">221 bye\r\n", "$"},
		REASON_NONE, true, ""},
	{DEPTH_HELLO, PROTOCOL_SMTP,
		{">220 mx\r\n", "<EHLO client.example", ">550 no\r\n", "<HELO client.example",
			">550 never\r\n", "<QUIT", ">221 bye\r\n", "$"},
		REASON_SERVICE_REJECTED, true, "peer refused to talk to me: 550 never"},
	{DEPTH_HELLO, PROTOCOL_SMTP,
		{">220 mx\r\n", "<EHLO client.example", ">421 busy\r\n", "<QUIT", ">221 bye\r\n",
			"$"},
		REASON_SERVICE_UNAVAILABLE, true, "peer refused to talk to me: 421 busy"},
	{DEPTH_HELLO, PROTOCOL_LMTP,
		{">220 mx\r\n", "<LHLO client.example", ">500 what?\r\n", "<QUIT", ">221 bye\r\n",
			"$"},
		REASON_SERVICE_REJECTED, true, "peer refused to talk to me: 500 what?"},
	{DEPTH_HELLO, PROTOCOL_SMTP, {">421 4.3.2 busy\r\n", "<QUIT", ">221 bye\r\n", "$"},
		REASON_SERVICE_UNAVAILABLE, true, "peer refused to talk to me: 421 4.3.2 busy"},
	{DEPTH_HELLO, PROTOCOL_SMTP, {">554 5.7.1 blocked\r\n", "<QUIT", ">221 bye\r\n", "$"},
		REASON_SERVICE_REJECTED, true, "peer refused to talk to me: 554 5.7.1 blocked"},
	{DEPTH_HELLO, PROTOCOL_SMTP,
		{">220-mx\r\n550 5.7.1 blocked\r\n", "<QUIT", ">221 bye\r\n", "$"},
		REASON_SERVICE_REJECTED, true, "peer refused to talk to me: 550 5.7.1 blocked"},
	{DEPTH_HELLO, PROTOCOL_SMTP, {">421 busy\r\n", "x"}, REASON_SERVICE_UNAVAILABLE, false,
		"peer refused to talk to me: 421 busy"},
	{DEPTH_HELLO, PROTOCOL_SMTP, {">300 odd\r\n", "<QUIT", ">221 bye\r\n", "$"},
		REASON_PROTOCOL_ERROR, true, "peer refused to talk to me: 300 odd"},
	/* silence */
	{DEPTH_HELLO, PROTOCOL_SMTP, {"$"}, REASON_GREETING_TIMEOUT, true,
		"conversation with peer timed out while receiving the initial server greeting"},
	{DEPTH_HELLO, PROTOCOL_SMTP, {">220-mx\r\n", "$"}, REASON_GREETING_TIMEOUT, true,
		"conversation with peer timed out while receiving the initial server greeting"},
	{DEPTH_HELLO, PROTOCOL_SMTP, {">220 mx\r\n", "<EHLO client.example", "$"},
		REASON_CONNECTION_LOST, true,
		"conversation with peer timed out while performing the EHLO handshake"},
	{DEPTH_HELLO, PROTOCOL_LMTP, {">220 mx\r\n", "<LHLO client.example", "$"},
		REASON_CONNECTION_LOST, true,
		"conversation with peer timed out while performing the LHLO handshake"},
	/* hanging up */
	{DEPTH_HELLO, PROTOCOL_SMTP, {"x"}, REASON_CONNECTION_LOST, false,
		"lost connection with peer while receiving the initial server greeting"},
	{DEPTH_HELLO, PROTOCOL_SMTP, {">220-mx\r\n", "x"}, REASON_CONNECTION_LOST, false,
		"lost connection with peer while receiving the initial server greeting"},
	{DEPTH_HELLO, PROTOCOL_SMTP, {"r"}, REASON_CONNECTION_LOST, false,
		"lost connection with peer while receiving the initial server greeting"},
	{DEPTH_HELLO, PROTOCOL_SMTP, {">220 mx\r\n", "<EHLO client.example", "x"},
		REASON_CONNECTION_LOST, false,
		"lost connection with peer while performing the EHLO handshake"},
	{DEPTH_HELLO, PROTOCOL_SMTP, {">220 mx\r\n", "<EHLO client.example", "r"},
		REASON_CONNECTION_LOST, false,
		"lost connection with peer while performing the EHLO handshake"},
	/* after QUIT nothing is a fault any more */
	{DEPTH_GREETING, PROTOCOL_SMTP, {">220 mx\r\n", "<QUIT", "x"}, REASON_NONE, false, ""},
	{DEPTH_GREETING, PROTOCOL_SMTP, {">220 mx\r\n", "<QUIT", "r"}, REASON_NONE, false, ""},
	{DEPTH_GREETING, PROTOCOL_SMTP, {">220 mx\r\n", "<QUIT", ">garbage\r\n", "$"}, REASON_NONE,
		false, ""},
	/* another protocol */
	{DEPTH_HELLO, PROTOCOL_SMTP, {">SSH-2.0-OpenSSH\r\n", "$"}, REASON_PROTOCOL_ERROR, true,
		"peer does not talk SMTP: SSH-2.0-OpenSSH"},
	{DEPTH_HELLO, PROTOCOL_LMTP, {">+OK POP3\r\n", "x"}, REASON_PROTOCOL_ERROR, false,
		"peer does not talk LMTP: +OK POP3"},
	/* what comes too early is taken for the next reply, as smtp(8) takes it */
	{DEPTH_HELLO, PROTOCOL_SMTP,
		{">220 mx\r\n421 too late\r\n", "~EHLO client.example", "<QUIT", ">221 bye\r\n",
			"$"},
		REASON_SERVICE_UNAVAILABLE, true, "peer refused to talk to me: 421 too late"},
	{DEPTH_HELLO, PROTOCOL_SMTP, {">220 mx\r\n421 too late\r\n", "x"},
		REASON_SERVICE_UNAVAILABLE, false, "peer refused to talk to me: 421 too late"},
};

START_TEST(each_peer_has_its_reason)
{
	struct smtp_dialogue_request request = {
		.protocol = cases[_i].protocol,
		.depth = cases[_i].depth,
		.reply_timeout_ms = REPLY_MS,
	};

	talk_with(request, cases[_i].script);
	ck_assert_str_eq(client.result.detail, cases[_i].detail);
	ck_assert_int_eq(client.result.reason, cases[_i].reason);
	ck_assert_uint_eq(client.closed, 1);
	if (cases[_i].is_polite) {
		ck_assert(peer.has_eof);
		ck_assert(!peer.has_error);
	}
}
END_TEST

START_TEST(a_banner_and_a_pause_are_not_slow)
{
	static const char *const script[] = {
		">220-mx\r\n", "p200", ">220 mx\r\n", "<QUIT", ">221 bye\r\n", "$", NULL};

	talk(DEPTH_GREETING, script);
	ck_assert_int_eq(client.result.reason, REASON_NONE);
	ck_assert_int_ge(client.result.latency_us, 0);
	ck_assert_int_lt(client.result.latency_us, client.done_us - client.start_us - 150 * 1000);
	ck_assert_int_ge(client.done_us - client.start_us, 180 * 1000);
}
END_TEST

START_TEST(latency_is_the_time_to_the_first_byte)
{
	static const char *const script[] = {"p150", ">220 mx\r\n", "<QUIT", "x", NULL};

	talk(DEPTH_GREETING, script);
	ck_assert_int_ge(client.result.latency_us, 130 * 1000);
}
END_TEST

START_TEST(without_a_greeting_there_is_no_latency)
{
	static const char *const script[] = {"x", NULL};

	talk(DEPTH_GREETING, script);
	ck_assert_int_eq(client.result.latency_us, -1);
}
END_TEST

START_TEST(dripping_does_not_stretch_the_timeout)
{
	char drip[2000] = ".220-";
	const char *script[] = {drip, NULL};

	memset(drip + 5, 'x', sizeof drip - 6);
	talk(DEPTH_HELLO, script);
	ck_assert_int_eq(client.result.reason, REASON_GREETING_TIMEOUT);
	/* libevent counts from the begin of its turn, by a clock of 4 ms */
	ck_assert_int_ge(client.done_us - client.start_us, (REPLY_MS - 20) * 1000);
	ck_assert_int_lt(client.done_us - client.start_us, 3 * REPLY_MS * 1000);
}
END_TEST

START_TEST(no_answer_to_quit_is_waited_for_2_s)
{
	static const char *const script[] = {">220 mx\r\n", "<QUIT", "p60000", "x", NULL};

	talk(DEPTH_GREETING, script);
	ck_assert_int_eq(client.result.reason, REASON_NONE);
	ck_assert_int_lt(client.done_us - client.start_us, 1000 * 1000);
	ck_assert_int_ge(client.closed_us - client.done_us, 1980 * 1000);
	ck_assert_int_lt(client.closed_us - client.done_us, 3500 * 1000);
	ck_assert(peer.has_eof);
}
END_TEST

static const char *const floods[][3] = {
	{"!220-flood flood flood flood\r\n"},
	{"!no newline"},
	{">220 mx\r\n", "!250-flood flood flood flood\r\n"},
	{"!\r\n"},
};

START_TEST(a_flood_costs_little_memory_and_time)
{
	struct rusage before, after;

	reply_ms = 20 * 1000; /* until so much has come, sanitizers included */
	(void)getrusage(RUSAGE_SELF, &before);
	talk(DEPTH_HELLO, floods[_i]);
	(void)getrusage(RUSAGE_SELF, &after);
	ck_assert_int_eq(client.result.reason, REASON_PROTOCOL_ERROR);
	ck_assert_int_lt(after.ru_maxrss - before.ru_maxrss, 16 * 1024);
}
END_TEST

START_TEST(a_flood_after_quit_is_cut_off)
{
	static const char *const script[] = {
		">220 mx\r\n", "<QUIT", ">221 bye\r\n", "!220 flood\r\n", NULL};

	talk(DEPTH_GREETING, script);
	ck_assert_int_eq(client.result.reason, REASON_NONE);
	ck_assert_int_lt(client.closed_us - client.start_us, 1900 * 1000);
}
END_TEST

START_TEST(it_can_be_cancelled_while_it_reports)
{
	static const char *const good[] = {">220 mx\r\n250 early\r\n", "$", NULL};
	static const char *const lost[] = {"x", NULL};
	static const char *const silent[] = {"$", NULL};
	const char *const *const scripts[] = {good, lost, silent};

	client.cancels = true;
	talk(_i == 3 ? DEPTH_CONNECT : DEPTH_GREETING, scripts[_i % 3]);
	(void)event_base_loop(base, EVLOOP_NONBLOCK);
	ck_assert_uint_eq(client.closed, 0);
}
END_TEST

START_TEST(it_can_be_cancelled_before_it_reports)
{
	struct smtp_dialogue_request request = {
		.protocol = PROTOCOL_SMTP,
		.depth = _i == 0 ? DEPTH_CONNECT : DEPTH_HELLO,
		.reply_timeout_ms = REPLY_MS,
		.helo = "client.example",
		.peer = "peer",
		.name = "smtp:[peer]",
	};
	int pair[2];
	char byte;

	tcp_pair(pair);
	client.dialogue = smtp_dialogue_start(base, pair[0], &request, on_done, on_closed, &client);
	smtp_dialogue_cancel(client.dialogue);
	ck_assert_int_eq(recv(pair[1], &byte, 1, 0), 0);
	(void)event_base_loop(base, EVLOOP_NONBLOCK);
	ck_assert_uint_eq(client.done + client.closed, 0);
	(void)close(pair[1]);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, each_peer_has_its_reason, 0, sizeof cases / sizeof cases[0]);
	tcase_add_test(tcase, a_banner_and_a_pause_are_not_slow);
	tcase_add_test(tcase, latency_is_the_time_to_the_first_byte);
	tcase_add_test(tcase, without_a_greeting_there_is_no_latency);
	tcase_add_test(tcase, dripping_does_not_stretch_the_timeout);
	tcase_add_test(tcase, no_answer_to_quit_is_waited_for_2_s);
	tcase_add_loop_test(
		tcase, a_flood_costs_little_memory_and_time, 0, sizeof floods / sizeof floods[0]);
	tcase_add_test(tcase, a_flood_after_quit_is_cut_off);
	tcase_add_loop_test(tcase, it_can_be_cancelled_while_it_reports, 0, 4);
	tcase_add_loop_test(tcase, it_can_be_cancelled_before_it_reports, 0, 2);
}

int main(void)
{
	return suite_run("dialogue", add);
}
