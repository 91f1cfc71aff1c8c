/*
 * check_dialogue_sick - peers that drip, flood and babble cost little time and memory
 */
#include "dialogue_peer.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

enum { LONG_BYTES = 100 * 1000, MANY_LINES = 10 * 1000, MEMORY_KIB = 16 * 1024 };

static char babble[MANY_LINES * 16 + LONG_BYTES];

/* talk_frugally - the peer's own buffers count, too */
static void talk_frugally(const char *const *script)
{
	struct rusage before, after;

	reply_ms = 20 * 1000; /* until so much has come, sanitizers included */
	(void)getrusage(RUSAGE_SELF, &before);
	talk(DEPTH_HELLO, script);
	(void)getrusage(RUSAGE_SELF, &after);
	ck_assert_int_lt(after.ru_maxrss - before.ru_maxrss, MEMORY_KIB);
}

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

static const char *const floods[][3] = {
	{"!220-flood flood flood flood\r\n"},
	{"!no newline"},
	{">220 mx\r\n", "!250-flood flood flood flood\r\n"},
	{"!\r\n"},
};

START_TEST(a_flood_costs_little_memory_and_time)
{
	talk_frugally(floods[_i]);
	ck_assert_int_eq(client.result.reason, REASON_PROTOCOL_ERROR);
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

START_TEST(a_line_of_100_kB_is_a_line)
{
	const char *script[] = {
		babble, "<EHLO client.example", ">250 mx\r\n", "<QUIT", ">221 bye\r\n", "$", NULL};

	(void)snprintf(babble, sizeof babble, ">220 %0*d\r\n", LONG_BYTES, 0);
	talk_frugally(script);
	ck_assert_int_eq(client.result.reason, REASON_NONE);
	ck_assert(peer.has_eof && !peer.has_error);
}
END_TEST

START_TEST(a_refusal_of_100_kB_is_told_in_short)
{
	const char *script[] = {babble, "<QUIT", ">221 bye\r\n", "$", NULL};

	(void)snprintf(babble, sizeof babble, ">554 %0*d\r\n", LONG_BYTES, 0);
	talk_frugally(script);
	ck_assert_int_eq(client.result.reason, REASON_SERVICE_REJECTED);
	ck_assert_uint_lt(strlen(client.result.detail), SMTP_DIALOGUE_DETAIL_BYTES);
}
END_TEST

/* ten_thousand_lines - of a reply, the last one as told */
static const char *ten_thousand_lines(const char *code, const char *last)
{
	size_t used = 0;

	babble[used++] = '>';
	for (int i = 0; i < MANY_LINES; i++)
		used += (size_t)snprintf(babble + used, sizeof babble - used, "%s-X%d\r\n", code, i);
	(void)snprintf(babble + used, sizeof babble - used, "%s\r\n", last);
	return babble;
}

START_TEST(a_greeting_of_10000_lines_is_one)
{
	const char *script[] = {ten_thousand_lines("220", "220 mx"), "<EHLO client.example",
		">250 mx\r\n", "<QUIT", ">221 bye\r\n", "$", NULL};

	talk_frugally(script);
	ck_assert_int_eq(client.result.reason, REASON_NONE);
}
END_TEST

START_TEST(a_hello_of_10000_lines_counts_by_its_last)
{
	const char *script[] = {">220 mx\r\n", "<EHLO client.example",
		ten_thousand_lines("250", "421 enough"), "<QUIT", ">221 bye\r\n", "$", NULL};

	talk_frugally(script);
	ck_assert_int_eq(client.result.reason, REASON_SERVICE_UNAVAILABLE);
	ck_assert_str_eq(client.result.detail, "peer refused to talk to me: 421 enough");
}
END_TEST

/* A peer that sends bytes which a script cannot have. */
static const struct {
	const char *bytes;
	size_t count;
	enum reason reason;
} odd[] = {
	{"220 mx\0hidden\r\n", 15, REASON_CONNECTION_LOST}, /* greeted, and gone at EHLO */
	{"\0\0\0\0\r\n", 6, REASON_PROTOCOL_ERROR},
	{"\0\0\0\0", 4, REASON_CONNECTION_LOST},
	{"\r\n\r\n\r\n", 6, REASON_PROTOCOL_ERROR},
	{"\n", 1, REASON_PROTOCOL_ERROR},
	{"220\xff\xfe mx\r\n", 10, REASON_PROTOCOL_ERROR},
	{"554 \x1b[31mred\a\r\n", 15, REASON_SERVICE_REJECTED},
};

START_TEST(odd_bytes_have_their_reason_and_are_told_in_print)
{
	struct smtp_dialogue_request request = {.protocol = PROTOCOL_SMTP,
		.depth = DEPTH_HELLO,
		.reply_timeout_ms = REPLY_MS,
		.helo = "client.example",
		.peer = "peer",
		.name = "smtp:[peer]"};
	int pair[2];

	tcp_pair(pair);
	ck_assert_int_eq(send(pair[1], odd[_i].bytes, odd[_i].count, 0), (ssize_t)odd[_i].count);
	ck_assert_int_eq(shutdown(pair[1], SHUT_WR), 0);
	client.dialogue = smtp_dialogue_start(base, pair[0], &request, on_done, on_closed, &client);
	while (client.closed == 0)
		ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
	ck_assert_int_eq(client.result.reason, odd[_i].reason);
	for (const char *cp = client.result.detail; *cp != '\0'; cp++)
		ck_assert(*cp >= ' ' && *cp <= '~');
	(void)close(pair[1]);
}
END_TEST

static size_t fill(int fd)
{
	static const char filler[1024];
	size_t count = 0;
	ssize_t sent;

	while ((sent = send(fd, filler, sizeof filler, 0)) > 0)
		count += (size_t)sent;
	ck_assert_int_eq(errno, EAGAIN);
	return count;
}

/* fill_up - until the peer's window is closed, too; returns how much it took */
static size_t fill_up(int fd)
{
	struct pollfd writable = {.fd = fd, .events = POLLOUT};
	size_t count = 0;

	do
		count += fill(fd);
	while (poll(&writable, 1, 100) > 0);
	return count + fill(fd);
}

/* unread - bytes that wait on a socket */
static int unread(int fd)
{
	int count = -1;

	ck_assert_int_eq(ioctl(fd, FIONREAD, &count), 0);
	return count;
}

/* expect_line - the peer's next words but what the connection was filled with, as long as they take to come */
static void expect_line(int fd, size_t *filled, const char *line)
{
	char bytes[4096];
	size_t used = 0;

	while (used < strlen(line)) {
		ssize_t count = recv(fd, bytes + used, *filled > 0 && *filled < 1024 ? *filled : 1024, 0);

		if (count > 0 && *filled > 0)
			*filled -= (size_t)count < *filled ? (size_t)count : *filled;
		else if (count > 0)
			used += (size_t)count;
		ck_assert_uint_le(used, strlen(line));
		ck_assert_int_eq(event_base_loop(base, EVLOOP_NONBLOCK), 0);
	}
	ck_assert_int_eq(memcmp(bytes, line, used), 0);
}

START_TEST(a_line_that_the_socket_does_not_take_waits)
{
	struct smtp_dialogue_request request = {.protocol = PROTOCOL_SMTP,
		.depth = DEPTH_HELLO,
		.reply_timeout_ms = 20 * 1000,
		.helo = "client.example",
		.peer = "peer",
		.name = "smtp:[peer]"};
	int pair[2], small = 4096;
	size_t filled;

	tcp_pair(pair);
	(void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	filled = fill_up(pair[0]);
	client.dialogue = smtp_dialogue_start(base, pair[0], &request, on_done, on_closed, &client);
	ck_assert_int_eq(send(pair[1], "220 mx\r\n", 8, 0), 8);
	do
		ck_assert_int_eq(event_base_loop(base, EVLOOP_NONBLOCK), 0);
	while (unread(pair[0]) > 0);
	expect_line(pair[1], &filled, "EHLO client.example\r\n");
	ck_assert_int_eq(send(pair[1], "250 mx\r\n", 8, 0), 8);
	expect_line(pair[1], &filled, "QUIT\r\n");
	(void)close(pair[1]);
	while (client.closed == 0)
		ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
	ck_assert_int_eq(client.result.reason, REASON_NONE);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, dripping_does_not_stretch_the_timeout);
	tcase_add_loop_test(
		tcase, a_flood_costs_little_memory_and_time, 0, sizeof floods / sizeof floods[0]);
	tcase_add_test(tcase, a_flood_after_quit_is_cut_off);
	tcase_add_test(tcase, a_line_of_100_kB_is_a_line);
	tcase_add_test(tcase, a_refusal_of_100_kB_is_told_in_short);
	tcase_add_test(tcase, a_greeting_of_10000_lines_is_one);
	tcase_add_test(tcase, a_hello_of_10000_lines_counts_by_its_last);
	tcase_add_test(tcase, a_line_that_the_socket_does_not_take_waits);
	tcase_add_loop_test(
		tcase, odd_bytes_have_their_reason_and_are_told_in_print, 0, sizeof odd / sizeof odd[0]);
}

int main(void)
{
	return suite_run("dialogue_sick", add);
}
