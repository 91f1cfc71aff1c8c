/*
 * check_rewrite - questions to a scripted trivial-rewrite(8), over a socket pair
 *
 * The other end reads the request and says one thing, at once or byte by byte, before or after it.
 */
#include "base/clock.h"
#include "postfix/rewrite.h"
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TIMEOUT_MS = 60, LONG_MS = 5000, LOCAL_CLASS = 1 << 8 };

#define TEXT(text) text, sizeof(text) - 1
#define GREETING "protocol\0trivial_rewrite_protocol\0\0"
#define ROUTE                                                                                      \
	"flags\0000\0transport\0smtp-amavis\0nexthop\0[127.0.0.1]:10024\0recipient\0a@b.test\0"
#define REPLY ROUTE "flags\0004096\0\0"

static struct event_base *base;
static int peer = -1;

static struct {
	const char *bytes;
	size_t count;
	struct event *event;
} drip;

static struct {
	struct rewrite_query *query;
	struct rewrite_route route;
	const char *error;
	unsigned done;
} client;

static void on_done(void *arg, const struct rewrite_route *route, const char *error)
{
	ck_assert_ptr_eq(arg, &client);
	ck_assert((route == NULL) == (error != NULL));
	if (route != NULL)
		client.route = *route;
	client.error = error;
	client.done++;
	client.query = NULL;
	(void)event_base_loopbreak(base);
}

static void ask(const char *sender, const char *recipient, int64_t timeout_ms)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	peer = pair[1];
	client.query =
		rewrite_resolve(base, pair[0], sender, recipient, timeout_ms, on_done, &client);
	ck_assert_ptr_nonnull(client.query);
	ck_assert_uint_eq(client.done, 0);
}

static void say(const char *bytes, size_t count)
{
	ck_assert_int_eq(send(peer, bytes, count, MSG_NOSIGNAL), (ssize_t)count);
}

static void on_drip(evutil_socket_t fd, short events, void *arg)
{
	struct timeval wait = {0, 500};

	(void)fd;
	(void)events;
	(void)arg;
	if (drip.count == 0 || client.query == NULL)
		return;
	say(drip.bytes++, 1);
	if (--drip.count > 0)
		(void)event_add(drip.event, &wait);
}

static void say_slowly(const char *bytes, size_t count)
{
	drip.bytes = bytes;
	drip.count = count;
	drip.event = evtimer_new(base, on_drip, NULL);
	ck_assert_ptr_nonnull(drip.event);
	event_active(drip.event, EV_TIMEOUT, 0);
}

static void wait_done(void)
{
	ck_assert_int_ge(event_base_dispatch(base), 0);
	ck_assert_uint_eq(client.done, 1);
}

/* settle - let the loop run for a while */
static void settle(int ms)
{
	struct timeval wait = {0, ms * 1000};

	ck_assert_int_eq(event_base_loopexit(base, &wait), 0);
	(void)event_base_dispatch(base);
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
	if (client.query != NULL)
		rewrite_cancel(client.query);
	if (drip.event != NULL)
		event_free(drip.event);
	if (peer >= 0)
		(void)close(peer);
	event_base_free(base);
}

static void check_route(void)
{
	ck_assert_ptr_null(client.error);
	ck_assert_str_eq(client.route.transport, "smtp-amavis");
	ck_assert_str_eq(client.route.nexthop, "[127.0.0.1]:10024");
	ck_assert_str_eq(client.route.recipient, "a@b.test");
	ck_assert_uint_eq(client.route.flags, 4096);
}

static const struct {
	const char *bytes;
	size_t count;
} good[] = {
	{TEXT(GREETING REPLY)},
	{TEXT(REPLY)},                  /* before Postfix 3.5 */
	{TEXT(GREETING REPLY "extra")}, /* nobody asked */
	{TEXT(GREETING "transport\0smtp-amavis\0nexthop\0[127.0.0.1]:10024\0new\0\0recipient\0"
		       "a@b.test\0flags\0004096\0more\0\0\0")},
};

START_TEST(a_route_comes_with_or_without_a_greeting)
{
	ask("", "a@b.test", LONG_MS);
	say(good[_i].bytes, good[_i].count);
	wait_done();
	check_route();
}
END_TEST

START_TEST(a_route_may_come_byte_by_byte)
{
	ask("", "a@b.test", LONG_MS);
	say_slowly(good[_i].bytes, good[_i].count);
	wait_done();
	check_route();
}
END_TEST

START_TEST(the_request_is_sent_without_waiting_for_a_greeting)
{
	static const char want[] = "request\0resolve\0sender\0s@x.test\0address\0a@b.test\0";
	char bytes[256];

	ask("s@x.test", "a@b.test", LONG_MS);
	settle(5);
	ck_assert_int_eq(recv(peer, bytes, sizeof bytes, 0), sizeof want);
	ck_assert_mem_eq(bytes, want, sizeof want);
	say(TEXT(GREETING));
	settle(5);
	ck_assert_int_lt(recv(peer, bytes, sizeof bytes, 0), 0);
	ck_assert_uint_eq(client.done, 0);
	say(TEXT(REPLY));
	wait_done();
	check_route();
	ck_assert_int_eq(recv(peer, bytes, sizeof bytes, 0), 0);
}
END_TEST

START_TEST(a_request_waits_for_room)
{
	static const char want[] = "request\0resolve\0sender\0\0address\0a@b.test\0";
	char bytes[4096];
	int pair[2];
	ssize_t count;
	size_t other = 0;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	peer = pair[1];
	memset(bytes, 'x', sizeof bytes);
	while (send(pair[0], bytes, sizeof bytes, 0) > 0)
		other++;
	client.query = rewrite_resolve(base, pair[0], "", "a@b.test", LONG_MS, on_done, &client);
	settle(5);
	ck_assert_uint_gt(other, 0);
	while ((count = recv(peer, bytes, sizeof bytes, 0)) > 0)
		ck_assert_int_eq(bytes[count - 1], 'x');
	settle(5);
	ck_assert_int_eq(recv(peer, bytes, sizeof bytes, 0), sizeof want);
	ck_assert_mem_eq(bytes, want, sizeof want);
}
END_TEST

START_TEST(empty_values_are_values)
{
	ask("", "", LONG_MS);
	say(TEXT(
		GREETING "flags\0001\0transport\0local\0nexthop\0\0recipient\0\0flags\000256\0\0"));
	wait_done();
	ck_assert_ptr_null(client.error);
	ck_assert_str_eq(client.route.transport, "local");
	ck_assert_str_eq(client.route.nexthop, "");
	ck_assert_str_eq(client.route.recipient, "");
	ck_assert_uint_eq(client.route.flags, LOCAL_CLASS);
}
END_TEST

static const struct {
	const char *bytes;
	size_t count;
	const char *error;
} bad[] = {
	{TEXT("protocol\0delivery_request_protocol\0\0"), "not the rewrite service"},
	{TEXT("220 mx.example.test\r\n"), "not the rewrite service"},
	{TEXT("protocol=anvil_protocol\n\n"), "not the rewrite service"},
	{TEXT(GREETING "rubbish rubbish\0\0"), "not the rewrite service"},
	{TEXT(GREETING GREETING), "did not name a route"},
	{TEXT(GREETING "\0"), "did not name a route"},
	{TEXT("\0"), "did not name a route"},
	{TEXT(GREETING "flags\0000\0transport\0t\0nexthop\0n\0flags\0000\0\0"),
		"did not name a route"},
	{TEXT(GREETING "flags\0000\0transport\0t\0nexthop\0n\0recipient\0r\0\0"), "no valid flags"},
	{TEXT(ROUTE "flags\0\0\0"), "no valid flags"},
	{TEXT(ROUTE "flags\000-1\0\0"), "no valid flags"},
	{TEXT(ROUTE "flags\000 1\0\0"), "no valid flags"},
	{TEXT(ROUTE "flags\0000x10\0\0"), "no valid flags"},
	{TEXT(ROUTE "flags\0004294967296\0\0"), "no valid flags"},
	{TEXT(ROUTE "flags\00099999999999999999999\0\0"), "no valid flags"},
	{TEXT(ROUTE "flags\0004100\0\0"), "does not take that for an address"},
	{TEXT(ROUTE "flags\0008\0\0"), "failed to look up"},
	{TEXT("transport\0\0nexthop\0n\0recipient\0r\0flags\0000\0\0"), "empty transport"},
};

START_TEST(each_bad_answer_has_its_error)
{
	ask("", "a@b.test", LONG_MS);
	say(bad[_i].bytes, bad[_i].count);
	wait_done();
	ck_assert_ptr_nonnull(client.error);
	ck_assert_msg(strstr(client.error, bad[_i].error) != NULL, "%s", client.error);
}
END_TEST

/* say_with_value - a reply with a transport, nexthop or recipient of that length */
static void say_with_value(int which, size_t length)
{
	static const char *const names[] = {"transport", "nexthop", "recipient"};
	static char bytes[4096];
	size_t used = 0;

	memset(bytes, 0, sizeof bytes);
	for (int i = 0; i < 3; i++) {
		used += (size_t)(stpcpy(bytes + used, names[i]) - (bytes + used)) + 1;
		memset(bytes + used, 'v', i == which ? length : 1);
		used += (i == which ? length : 1) + 1;
	}
	memcpy(bytes + used, "flags\0001", sizeof "flags\0001");
	say(bytes, used + sizeof "flags\0001" + 1);
}

START_TEST(a_value_may_have_511_bytes)
{
	ask("", "a@b.test", LONG_MS);
	say_with_value(_i, REWRITE_TEXT_BYTES - 1);
	wait_done();
	ck_assert_ptr_null(client.error);
	ck_assert_uint_eq(strlen(client.route.transport) + strlen(client.route.nexthop) +
				  strlen(client.route.recipient),
		REWRITE_TEXT_BYTES + 1);
}
END_TEST

START_TEST(a_longer_value_is_an_error)
{
	ask("", "a@b.test", LONG_MS);
	say_with_value(_i, REWRITE_TEXT_BYTES);
	wait_done();
	ck_assert_ptr_nonnull(strstr(client.error, "too long"));
}
END_TEST

START_TEST(a_flood_is_cut_off)
{
	static char flood[32768];

	memset(flood, 'x', sizeof flood);
	memcpy(flood, "transport", sizeof "transport");
	ask("", "a@b.test", LONG_MS);
	say(flood, sizeof flood);
	wait_done();
	ck_assert_ptr_nonnull(strstr(client.error, "too much"));
}
END_TEST

START_TEST(silence_is_an_error_in_time)
{
	int64_t start_us = clock_now_us();

	ask("", "a@b.test", TIMEOUT_MS);
	if (_i == 1)
		say(TEXT(GREETING));
	else if (_i == 2)
		say_slowly(TEXT(GREETING ROUTE));
	wait_done();
	ck_assert_ptr_nonnull(strstr(client.error, "in time"));
	ck_assert_int_ge(clock_now_us() - start_us, TIMEOUT_MS * 1000 - 5000);
	settle(2 * TIMEOUT_MS);
	ck_assert_uint_eq(client.done, 1);
}
END_TEST

START_TEST(a_hang_up_is_an_error)
{
	ask("", "a@b.test", LONG_MS);
	if (_i > 0)
		say(TEXT(GREETING ROUTE));
	(void)shutdown(peer, SHUT_WR);
	if (_i < 2) {
		(void)close(peer);
		peer = -1;
	}
	wait_done();
	ck_assert_ptr_nonnull(strstr(client.error, _i < 2 ? "rewrite service" : "hung up"));
}
END_TEST

START_TEST(an_answer_counts_when_the_server_hangs_up_behind_it)
{
	ask("", "a@b.test", LONG_MS);
	say(TEXT(GREETING REPLY));
	(void)close(peer);
	peer = -1;
	wait_done();
	check_route();
}
END_TEST

START_TEST(an_endless_address_is_not_asked_for)
{
	static char address[8192];
	char byte;

	memset(address, 'a', sizeof address - 1);
	ask(_i == 0 ? address : "", _i == 1 ? address : "a@b.test", LONG_MS);
	wait_done();
	ck_assert_ptr_nonnull(strstr(client.error, "too long"));
	ck_assert_int_eq(recv(peer, &byte, 1, 0), 0);
}
END_TEST

START_TEST(it_can_be_cancelled)
{
	char bytes[256];
	ssize_t count;

	ask("", "a@b.test", TIMEOUT_MS);
	if (_i == 1)
		settle(5);
	if (_i == 2)
		say(TEXT(GREETING REPLY));
	rewrite_cancel(client.query);
	client.query = NULL;
	settle(2 * TIMEOUT_MS);
	ck_assert_uint_eq(client.done, 0);
	do
		count = recv(peer, bytes, sizeof bytes, 0);
	while (count > 0);
	ck_assert(count == 0 || errno == ECONNRESET);
}
END_TEST

static void drop_line(int severity, const char *line)
{
	(void)severity;
	(void)line;
}

START_TEST(a_descriptor_is_taken_over_on_failure)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* epoll takes no such file. */
	event_set_log_callback(drop_line);
	client.query = rewrite_resolve(base, fd, "", "a@b.test", TIMEOUT_MS, on_done, &client);
	ck_assert_ptr_null(client.query);
	ck_assert_int_lt(fcntl(fd, F_GETFD), 0);
}
END_TEST

static void add(TCase *tcase)
{
	const int goods = sizeof good / sizeof good[0], bads = sizeof bad / sizeof bad[0];

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, a_route_comes_with_or_without_a_greeting, 0, goods);
	tcase_add_loop_test(tcase, a_route_may_come_byte_by_byte, 0, goods);
	tcase_add_test(tcase, the_request_is_sent_without_waiting_for_a_greeting);
	tcase_add_test(tcase, a_request_waits_for_room);
	tcase_add_test(tcase, empty_values_are_values);
	tcase_add_loop_test(tcase, each_bad_answer_has_its_error, 0, bads);
	tcase_add_loop_test(tcase, a_value_may_have_511_bytes, 0, 3);
	tcase_add_loop_test(tcase, a_longer_value_is_an_error, 0, 3);
	tcase_add_test(tcase, a_flood_is_cut_off);
	tcase_add_loop_test(tcase, silence_is_an_error_in_time, 0, 3);
	tcase_add_loop_test(tcase, a_hang_up_is_an_error, 0, 3);
	tcase_add_test(tcase, an_answer_counts_when_the_server_hangs_up_behind_it);
	tcase_add_loop_test(tcase, an_endless_address_is_not_asked_for, 0, 2);
	tcase_add_loop_test(tcase, it_can_be_cancelled, 0, 3);
	tcase_add_test(tcase, a_descriptor_is_taken_over_on_failure);
}

int main(void)
{
	return suite_run("rewrite", add);
}
