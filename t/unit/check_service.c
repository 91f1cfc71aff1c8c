/*
 * check_service - greetings of agents, of others and of nobody, over a socket pair
 *
 * The other end is written to from timers: a script of what is sent when.
 */
#include "base/clock.h"
#include "probe/service.h"
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TIMEOUT_MS = 60, LONG_MS = 5000, DRIP_MS = 1, DRIP_BYTES = 2000 };

#define TEXT(text) text, sizeof(text) - 1
#define AGENT "protocol\0delivery_request_protocol\0\0"

static struct event_base *base;
static int peer = -1;

static struct {
	const char *bytes;
	size_t count;
	struct event *event;
} drip;

static struct {
	struct service_probe *probe;
	enum service_answer answers[2];
	unsigned count;
	int64_t latency_us;
	bool cancels, was_open;
} client;

/* peer_is_open - has the probe not hung up yet? */
static bool peer_is_open(void)
{
	char byte;

	return recv(peer, &byte, 1, MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

static void on_answer(void *arg, enum service_answer answer, int64_t latency_us)
{
	ck_assert_ptr_eq(arg, &client);
	ck_assert_uint_lt(client.count, 2);
	client.answers[client.count++] = answer;
	client.latency_us = latency_us;
	client.was_open = peer_is_open();
	if (client.cancels)
		service_probe_cancel(client.probe);
	if (client.cancels || answer != SERVICE_SILENT)
		client.probe = NULL;
	(void)event_base_loopbreak(base);
}

static void hang_up(void)
{
	(void)close(peer);
	peer = -1;
}

static void start(int64_t timeout_ms)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	peer = pair[1];
	client.probe = service_probe_start(
		base, pair[0], "private/amavis", timeout_ms, on_answer, &client);
	ck_assert_ptr_nonnull(client.probe);
	ck_assert_uint_eq(client.count, 0);
}

static void say(const char *bytes, size_t count)
{
	ck_assert_int_eq(send(peer, bytes, count, MSG_NOSIGNAL), (ssize_t)count);
}

static void on_drip(evutil_socket_t fd, short events, void *arg)
{
	struct timeval wait = {0, DRIP_MS * 1000};

	(void)fd;
	(void)events;
	(void)arg;
	if (drip.count == 0 || client.probe == NULL)
		return;
	say(drip.bytes++, 1);
	if (--drip.count > 0)
		(void)event_add(drip.event, &wait);
}

/* say_slowly - a byte every millisecond */
static void say_slowly(const char *bytes, size_t count)
{
	drip.bytes = bytes;
	drip.count = count;
	drip.event = evtimer_new(base, on_drip, NULL);
	ck_assert_ptr_nonnull(drip.event);
	event_active(drip.event, EV_TIMEOUT, 0);
}

/* next_answer - wait for one */
static enum service_answer next_answer(void)
{
	unsigned before = client.count;

	ck_assert_int_ge(event_base_dispatch(base), 0);
	ck_assert_uint_eq(client.count, before + 1);
	return client.answers[before];
}

/* settle - let the loop run for a while: nothing may come */
static void settle(int ms)
{
	struct timeval wait = {0, ms * 1000};
	unsigned before = client.count;

	ck_assert_int_eq(event_base_loopexit(base, &wait), 0);
	(void)event_base_dispatch(base);
	ck_assert_uint_eq(client.count, before);
}

static void setup(void)
{
	memset(&client, 0, sizeof client);
	memset(&drip, 0, sizeof drip);
	base = event_base_new();
	ck_assert_ptr_nonnull(base);
}

static void teardown(void)
{
	if (client.probe != NULL)
		service_probe_cancel(client.probe);
	if (drip.event != NULL)
		event_free(drip.event);
	if (peer >= 0)
		hang_up();
	event_base_free(base);
}

static const struct {
	const char *bytes;
	size_t count;
	enum service_answer answer;
} greetings[] = {
	{TEXT(AGENT), SERVICE_AGENT},
	{TEXT(AGENT "more"), SERVICE_AGENT},
	{TEXT("status\0000\0\0"), SERVICE_AGENT}, /* before Postfix 3.5 */
	{TEXT("status\0001\0\0"), SERVICE_OTHER},
	{TEXT("protocol\0delivery_status_protocol\0\0"), SERVICE_OTHER},
	{TEXT("protocol\0trivial_rewrite_protocol\0\0"), SERVICE_OTHER},
	{TEXT("protocol\0delivery_request_protocol2\0\0"), SERVICE_OTHER},
	{TEXT("protocol\0trivial_rewrite_protocol\0status\0000\0\0"), SERVICE_OTHER},
	{TEXT("protocol=anvil_protocol\n\n"), SERVICE_OTHER},
	{TEXT("220 mx.example.test ESMTP\r\n"), SERVICE_OTHER},
	{TEXT("\0"), SERVICE_OTHER},
	{TEXT("\xff\xfe"), SERVICE_OTHER},
};

START_TEST(each_greeting_has_its_answer)
{
	start(LONG_MS);
	say(greetings[_i].bytes, greetings[_i].count);
	ck_assert_int_eq(next_answer(), greetings[_i].answer);
	ck_assert(!client.was_open);
	ck_assert_int_ge(client.latency_us, 0);
}
END_TEST

START_TEST(a_greeting_may_come_byte_by_byte)
{
	start(LONG_MS);
	say_slowly(greetings[_i].bytes, greetings[_i].count);
	ck_assert_int_eq(next_answer(), greetings[_i].answer);
	ck_assert(!client.was_open);
}
END_TEST

START_TEST(a_silent_service_is_waited_for)
{
	start(TIMEOUT_MS);
	ck_assert_int_eq(next_answer(), SERVICE_SILENT);
	ck_assert(client.was_open);
	ck_assert_int_ge(client.latency_us, TIMEOUT_MS * 1000 - 5000);
	settle(2 * TIMEOUT_MS);
	ck_assert(peer_is_open());
	say(TEXT(AGENT));
	ck_assert_int_eq(next_answer(), SERVICE_AGENT);
	ck_assert_int_ge(client.latency_us, 3 * TIMEOUT_MS * 1000 - 5000);
	settle(TIMEOUT_MS);
}
END_TEST

START_TEST(half_a_greeting_is_silence)
{
	start(TIMEOUT_MS);
	say("protocol\0deli", 13);
	ck_assert_int_eq(next_answer(), SERVICE_SILENT);
	say("very_request_protocol\0\0", 23);
	ck_assert_int_eq(next_answer(), SERVICE_AGENT);
}
END_TEST

START_TEST(dripping_does_not_stretch_the_timeout)
{
	static char value[DRIP_BYTES];

	memset(value, 'v', sizeof value);
	start(TIMEOUT_MS);
	say("protocol", sizeof "protocol");
	say_slowly(value, sizeof value);
	ck_assert_int_eq(next_answer(), SERVICE_SILENT);
	ck_assert_int_lt(client.latency_us, DRIP_BYTES * DRIP_MS * 1000 / 2);
}
END_TEST

START_TEST(a_silent_service_may_hang_up)
{
	start(TIMEOUT_MS);
	ck_assert_int_eq(next_answer(), SERVICE_SILENT);
	hang_up();
	ck_assert_int_eq(next_answer(), SERVICE_CLOSED);
	settle(TIMEOUT_MS);
}
END_TEST

START_TEST(an_end_before_a_whole_greeting_is_closed)
{
	start(LONG_MS);
	if (_i > 0)
		say(AGENT, (size_t)_i);
	hang_up();
	ck_assert_int_eq(next_answer(), SERVICE_CLOSED);
}
END_TEST

START_TEST(a_greeting_counts_when_the_agent_hangs_up_behind_it)
{
	start(LONG_MS);
	say(TEXT(AGENT));
	hang_up();
	ck_assert_int_eq(next_answer(), SERVICE_AGENT);
}
END_TEST

START_TEST(nothing_comes_after_the_answer)
{
	start(TIMEOUT_MS);
	if (_i == 0)
		say(TEXT(AGENT));
	else if (_i == 1)
		say("\n", 1);
	else
		hang_up();
	ck_assert_int_ne(next_answer(), SERVICE_SILENT);
	settle(2 * TIMEOUT_MS);
}
END_TEST

/* A peer that closes with something unread resets the connection. */
START_TEST(a_reset_is_closed)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	ck_assert_int_eq(send(pair[0], "x", 1, 0), 1);
	(void)close(pair[1]);
	client.probe = service_probe_start(
		base, pair[0], "private/amavis", TIMEOUT_MS, on_answer, &client);
	ck_assert_int_eq(next_answer(), SERVICE_CLOSED);
}
END_TEST

START_TEST(a_flood_is_cut_off)
{
	static char flood[32768];

	memset(flood, _i == 0 ? 'x' : 'y', sizeof flood);
	if (_i == 0)
		memcpy(flood, "protocol", sizeof "protocol");
	start(LONG_MS);
	say(flood, sizeof flood);
	ck_assert_int_eq(next_answer(), SERVICE_OTHER);
	ck_assert(!client.was_open);
}
END_TEST

START_TEST(it_can_be_cancelled_before_it_answers)
{
	start(TIMEOUT_MS);
	if (_i == 1)
		ck_assert_int_eq(next_answer(), SERVICE_SILENT);
	if (_i == 2)
		say(TEXT(AGENT));
	service_probe_cancel(client.probe);
	client.probe = NULL;
	ck_assert(!peer_is_open());
	settle(2 * TIMEOUT_MS);
}
END_TEST

START_TEST(it_can_be_cancelled_when_it_says_silent)
{
	client.cancels = true;
	start(TIMEOUT_MS);
	ck_assert_int_eq(next_answer(), SERVICE_SILENT);
	ck_assert(!peer_is_open());
	settle(TIMEOUT_MS);
}
END_TEST

static void drop_line(int severity, const char *line)
{
	(void)severity;
	(void)line;
}

START_TEST(a_bad_descriptor_is_no_agent)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	event_set_log_callback(drop_line);
	client.probe = service_probe_start(base, fd, "private/x", TIMEOUT_MS, on_answer, &client);
	/* epoll takes no such file. */
	ck_assert_ptr_null(client.probe);
	ck_assert_int_lt(fcntl(fd, F_GETFD), 0);
}
END_TEST

static void add(TCase *tcase)
{
	const int count = sizeof greetings / sizeof greetings[0];

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, each_greeting_has_its_answer, 0, count);
	tcase_add_loop_test(tcase, a_greeting_may_come_byte_by_byte, 0, count);
	tcase_add_test(tcase, a_silent_service_is_waited_for);
	tcase_add_test(tcase, half_a_greeting_is_silence);
	tcase_add_test(tcase, dripping_does_not_stretch_the_timeout);
	tcase_add_test(tcase, a_silent_service_may_hang_up);
	tcase_add_loop_test(tcase, an_end_before_a_whole_greeting_is_closed, 0, sizeof AGENT - 1);
	tcase_add_test(tcase, a_greeting_counts_when_the_agent_hangs_up_behind_it);
	tcase_add_loop_test(tcase, nothing_comes_after_the_answer, 0, 3);
	tcase_add_test(tcase, a_reset_is_closed);
	tcase_add_loop_test(tcase, a_flood_is_cut_off, 0, 2);
	tcase_add_loop_test(tcase, it_can_be_cancelled_before_it_answers, 0, 3);
	tcase_add_test(tcase, it_can_be_cancelled_when_it_says_silent);
	tcase_add_test(tcase, a_bad_descriptor_is_no_agent);
}

int main(void)
{
	return suite_run("service", add);
}
