/*
 * check_resolver - threads that ask, an event loop of its own, and a scripted trivial-rewrite(8)
 *
 * The opener connects to a thread that plays the service at the other end of a socket pair.
 */
#include "base/clock.h"
#include "suite.h"
#include "verdict/resolver.h"

#include <errno.h>
#include <event2/thread.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAIT_MS = 300, LONG_MS = 20000, THREADS = 40, CONNECTIONS = 64, TOO_LONG = 2000 };

#define GREETING "protocol\0trivial_rewrite_protocol\0\0"

/* How the service behaves. */
enum manner {
	ANSWERS,
	ANSWERS_ONCE,	/* and hangs up when it is asked again */
	LEAVES,		/* after each answer */
	HANGS,
	HANGS_UP,
	IS_ANOTHER,
	KNOWS_NO_ROUTE,
	NO_GREETING,
	CANNOT_OPEN,
	NEVER_OPENS,
	NOT_NOW, /* the opener has no memory */
};

static struct {
	struct event_base *base;
	struct resolver *resolver;
	struct opener opener;
	pthread_t loop;
	atomic_int manner;
	atomic_uint opened, asked, cancelled;
	char address[2048]; /* of the last question, with its sender before it */
	pthread_mutex_t lock;
	/* Of the event thread: */
	struct event *answer;
	opener_done_fn *done;
	void *arg;
	struct {
		pthread_t thread;
		int fd;
	} peer[CONNECTIONS];
	atomic_uint peers;
} world;

static const struct resolver_question question = {"/etc/postfix", "rewrite", "s@from.test", "a@b.test"};

/* value - behind NAME NUL */
static const char *value(const char *request, size_t bytes, const char *name)
{
	size_t length = strlen(name) + 1;

	for (size_t at = 0; at + length < bytes; at++)
		if (memcmp(request + at, name, length) == 0)
			return request + at + length;
	return "";
}

static void note(const char *request, size_t bytes)
{
	pthread_mutex_lock(&world.lock);
	(void)snprintf(world.address, sizeof world.address, "%s %s", value(request, bytes, "sender"),
		value(request, bytes, "address"));
	pthread_mutex_unlock(&world.lock);
}

static void answer(int fd, const char *request, size_t bytes)
{
	char reply[1024];
	size_t used;
	int flags = atomic_load(&world.manner) == KNOWS_NO_ROUTE ? 8 : 256;

	note(request, bytes);
	used = (size_t)snprintf(reply, sizeof reply,
		"flags%c0%ctransport%csmtp%cnexthop%c[192.0.2.1]%crecipient%c%s%cflags%c%d%c", 0, 0, 0,
		0, 0, 0, 0, value(request, bytes, "address"), 0, 0, flags, 0);
	/* snprintf's own NUL ends the list. */
	(void)send(fd, reply, used + 1, MSG_NOSIGNAL);
}

/* serve - one connection, until the other end closes it */
static void *serve(void *arg)
{
	int fd = *(int *)arg, manner = atomic_load(&world.manner);
	char request[4096];
	ssize_t count;

	if (manner == HANGS_UP || manner == IS_ANOTHER) {
		if (manner == IS_ANOTHER)
			(void)send(fd, "220 mx\r\n", 8, MSG_NOSIGNAL);
		(void)shutdown(fd, SHUT_WR);
	} else if (manner != NO_GREETING) {
		(void)send(fd, GREETING, sizeof GREETING - 1, MSG_NOSIGNAL);
	}
	for (unsigned served = 0; (count = recv(fd, request, sizeof request, 0)) > 0; served++) {
		atomic_fetch_add(&world.asked, 1);
		manner = atomic_load(&world.manner);
		if (manner == ANSWERS_ONCE && served > 0)
			break;
		if (manner == HANGS || manner == HANGS_UP || manner == IS_ANOTHER)
			continue;
		answer(fd, request, (size_t)count);
		if (manner == LEAVES)
			break;
	}
	(void)shutdown(fd, SHUT_RDWR);
	return NULL;
}

/* connected - an end of a new connection to the service, -1 when there is none */
static int connected(void)
{
	unsigned number = atomic_load(&world.peers);
	int pair[2];

	ck_assert_uint_lt(number, CONNECTIONS);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ck_assert_int_eq(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
	world.peer[number].fd = pair[1];
	ck_assert_int_eq(
		pthread_create(&world.peer[number].thread, NULL, serve, &world.peer[number].fd), 0);
	atomic_store(&world.peers, number + 1);
	return pair[0];
}

static void on_answer(evutil_socket_t fd, short what, void *arg)
{
	struct opened opened = {.fd = -1, .error = EACCES};

	(void)fd;
	(void)what;
	(void)arg;
	if (atomic_load(&world.manner) != CANNOT_OPEN)
		opened.fd = connected();
	world.done(world.arg, &opened);
}

static uint32_t open_service(
	void *arg, const char *directory, const char *name, opener_done_fn *done, void *done_arg)
{
	ck_assert_ptr_eq(arg, &world);
	ck_assert_str_eq(directory, question.directory);
	ck_assert_str_eq(name, question.service);
	atomic_fetch_add(&world.opened, 1);
	if (atomic_load(&world.manner) == NOT_NOW)
		return 0;
	world.done = done;
	world.arg = done_arg;
	if (atomic_load(&world.manner) != NEVER_OPENS)
		event_active(world.answer, 0, 0);
	return 1;
}

static void cancel(void *arg, uint32_t handle)
{
	ck_assert_ptr_eq(arg, &world);
	ck_assert_uint_eq(handle, 1);
	atomic_fetch_add(&world.cancelled, 1);
}

static void *run(void *arg)
{
	(void)arg;
	(void)event_base_loop(world.base, EVLOOP_NO_EXIT_ON_EMPTY);
	return NULL;
}

static void behave(enum manner manner)
{
	atomic_store(&world.manner, (int)manner);
}

static void setup(void)
{
	memset(&world, 0, sizeof world);
	pthread_mutex_init(&world.lock, NULL);
	ck_assert_int_eq(evthread_use_pthreads(), 0);
	world.base = event_base_new();
	world.answer = event_new(world.base, -1, 0, on_answer, NULL);
	world.opener = (struct opener){open_service, cancel, &world};
	world.resolver = resolver_new(world.base, &world.opener);
	ck_assert_ptr_nonnull(world.resolver);
	ck_assert_int_eq(pthread_create(&world.loop, NULL, run, NULL), 0);
}

static void teardown(void)
{
	/* Holds for a loop that has not begun, too. */
	(void)event_base_loopexit(world.base, NULL);
	pthread_join(world.loop, NULL);
	resolver_free(world.resolver);
	for (unsigned i = 0; i < atomic_load(&world.peers); i++) {
		(void)shutdown(world.peer[i].fd, SHUT_RDWR);
		pthread_join(world.peer[i].thread, NULL);
		(void)close(world.peer[i].fd);
	}
	event_free(world.answer);
	event_base_free(world.base);
}

static enum resolver_answer ask(int64_t max_wait_ms)
{
	struct rewrite_route route;

	return resolver_ask(world.resolver, &question, max_wait_ms, &route);
}

/* pause_ms - until an outage may be looked at again */
static void pause_ms(int ms)
{
	(void)usleep((useconds_t)ms * 1000);
}

START_TEST(a_route_is_what_trivial_rewrite_says)
{
	struct rewrite_route route;

	behave(_i == 0 ? ANSWERS : NO_GREETING);
	ck_assert_int_eq(
		resolver_ask(world.resolver, &question, LONG_MS, &route), RESOLVER_ROUTE);
	ck_assert_str_eq(route.transport, "smtp");
	ck_assert_str_eq(route.nexthop, "[192.0.2.1]");
	ck_assert_str_eq(route.recipient, "a@b.test");
	ck_assert_str_eq(world.address, "s@from.test a@b.test");
}
END_TEST

START_TEST(a_thousand_questions_take_one_connection)
{
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(ask(LONG_MS), RESOLVER_ROUTE);
	ck_assert_uint_eq(world.opened, 1);
	ck_assert_uint_eq(world.asked, 1000);
}
END_TEST

START_TEST(a_connection_that_was_lost_is_made_again)
{
	behave(_i == 0 ? LEAVES : ANSWERS_ONCE);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(ask(LONG_MS), RESOLVER_ROUTE);
	ck_assert_uint_eq(world.opened, 10);
}
END_TEST

static const struct {
	const char *macro, *address; /* NULL: is not asked about */
} spellings[] = {
	{"plain@b.test", "plain@b.test"},
	{"\"a b\"@b.test", "a b@b.test"},
	{"\"a\\\"\\\\b\"@b.test", "a\"\\b@b.test"},
	{"\"\"@b.test", "@b.test"},
	{"a\"b@b.test", "a\"b@b.test"},
	{"", ""},
	{"\"open@b.test", NULL},
	{"\"open\\", NULL},
};

START_TEST(addresses_are_asked_about_without_their_quotes)
{
	const char *macro = spellings[_i].macro, *want = spellings[_i].address;
	const struct resolver_question quoted = {
		question.directory, question.service, macro, macro};
	struct rewrite_route route;
	char both[64];

	ck_assert_int_eq(resolver_ask(world.resolver, &quoted, LONG_MS, &route),
		want != NULL ? RESOLVER_ROUTE : RESOLVER_NO_ROUTE);
	ck_assert_uint_eq(world.asked, want != NULL ? 1 : 0);
	if (want != NULL) {
		(void)snprintf(both, sizeof both, "%s %s", want, want);
		ck_assert_str_eq(world.address, both);
	}
}
END_TEST

START_TEST(an_endless_address_has_no_route_and_harms_no_other)
{
	char address[TOO_LONG];
	const struct resolver_question endless = {
		question.directory, question.service, "", address};
	struct rewrite_route route;

	memset(address, 'a', sizeof address - 1);
	address[sizeof address - 1] = '\0';
	ck_assert_int_eq(
		resolver_ask(world.resolver, &endless, LONG_MS, &route), RESOLVER_NO_ROUTE);
	ck_assert_int_eq(ask(LONG_MS), RESOLVER_ROUTE);
}
END_TEST

START_TEST(an_address_without_a_route_is_no_outage)
{
	behave(KNOWS_NO_ROUTE);
	ck_assert_int_eq(ask(LONG_MS), RESOLVER_NO_ROUTE);
	behave(ANSWERS);
	ck_assert_int_eq(ask(LONG_MS), RESOLVER_ROUTE);
	ck_assert_uint_eq(world.opened, 1);
}
END_TEST

static const enum manner broken[] = {HANGS_UP, IS_ANOTHER, CANNOT_OPEN, NOT_NOW};
static const enum manner silent[] = {HANGS, NEVER_OPENS};

START_TEST(what_fails_at_once_makes_nobody_wait)
{
	int64_t start_ms = clock_now_ms();

	behave(broken[_i]);
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(ask(LONG_MS), RESOLVER_SILENT);
	ck_assert_int_lt(clock_now_ms() - start_ms, LONG_MS / 4);
	ck_assert_uint_le(world.opened, 1 + (unsigned)((clock_now_ms() - start_ms) / 1000));
}
END_TEST

START_TEST(silence_is_waited_for_once)
{
	int64_t start_ms = clock_now_ms();

	behave(silent[_i]);
	ck_assert_int_eq(ask(WAIT_MS), RESOLVER_SILENT);
	ck_assert_int_ge(clock_now_ms() - start_ms, WAIT_MS);
	start_ms = clock_now_ms();
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(ask(LONG_MS), RESOLVER_SILENT);
	ck_assert_int_lt(clock_now_ms() - start_ms, 500);
	ck_assert_uint_eq(world.opened, 1);
}
END_TEST

START_TEST(after_an_outage_it_is_asked_again)
{
	int64_t limit_ms = clock_now_ms() + LONG_MS;
	enum resolver_answer answer;

	behave(_i < 2 ? silent[_i] : broken[_i - 2]);
	ck_assert_int_eq(ask(WAIT_MS), RESOLVER_SILENT);
	behave(ANSWERS);
	do {
		pause_ms(50);
		answer = ask(LONG_MS);
	} while (answer != RESOLVER_ROUTE && clock_now_ms() < limit_ms);
	ck_assert_int_eq(answer, RESOLVER_ROUTE);
	ck_assert_int_eq(ask(LONG_MS), RESOLVER_ROUTE);
}
END_TEST

START_TEST(a_connection_that_hangs_is_given_up)
{
	ck_assert_int_eq(ask(LONG_MS), RESOLVER_ROUTE);
	behave(HANGS);
	ck_assert_int_eq(ask(WAIT_MS), RESOLVER_SILENT);
	behave(ANSWERS);
	pause_ms(1100);
	ck_assert_int_eq(ask(LONG_MS), RESOLVER_ROUTE);
	ck_assert_msg(world.opened >= 2, "the one that hung is used again");
}
END_TEST

/* One thread that asks. */
struct asker {
	pthread_t thread;
	unsigned questions;
	int64_t max_wait_ms;
	unsigned routes, silences;
	int64_t waited_ms;
};

static void *ask_on(void *arg)
{
	struct asker *asker = arg;
	char address[32], want[32];
	struct resolver_question mine = {question.directory, question.service, "", address};
	int64_t start_ms = clock_now_ms();

	for (unsigned i = 0; i < asker->questions; i++) {
		struct rewrite_route route = {.flags = 0};
		enum resolver_answer answer;

		(void)snprintf(address, sizeof address, "%u-%p@b", i % 1000, arg);
		(void)snprintf(want, sizeof want, "%s", address);
		answer = resolver_ask(world.resolver, &mine, asker->max_wait_ms, &route);
		if (answer == RESOLVER_ROUTE && strcmp(route.recipient, want) == 0)
			asker->routes++;
		if (answer == RESOLVER_SILENT)
			asker->silences++;
	}
	asker->waited_ms = clock_now_ms() - start_ms;
	return NULL;
}

static void ask_all(struct asker askers[THREADS], unsigned questions, int64_t max_wait_ms)
{
	for (int i = 0; i < THREADS; i++) {
		askers[i] = (struct asker){.questions = questions, .max_wait_ms = max_wait_ms};
		ck_assert_int_eq(pthread_create(&askers[i].thread, NULL, ask_on, &askers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(askers[i].thread, NULL);
}

START_TEST(each_of_many_threads_gets_the_answer_to_its_own_question)
{
	struct asker askers[THREADS];

	ask_all(askers, 50, LONG_MS);
	for (int i = 0; i < THREADS; i++)
		ck_assert_uint_eq(askers[i].routes, 50);
	ck_assert_uint_eq(world.opened, 1);
}
END_TEST

START_TEST(in_silence_few_of_many_threads_wait_for_long)
{
	struct asker askers[THREADS];
	int patient = 0;

	behave(HANGS);
	ask_all(askers, 1, 6 * WAIT_MS);
	for (int i = 0; i < THREADS; i++) {
		ck_assert_uint_eq(askers[i].routes, 0);
		ck_assert_int_lt(askers[i].waited_ms, 12 * WAIT_MS);
		patient += askers[i].waited_ms >= 5 * WAIT_MS;
	}
	ck_assert_int_ge(patient, 1);
	ck_assert_int_le(patient, 3);
}
END_TEST

START_TEST(threads_that_give_up_leave_no_trace)
{
	struct asker askers[THREADS];

	/* Answers come about when patience ends. */
	ask_all(askers, 20, 1);
	pause_ms(1100);
	behave(LEAVES);
	ck_assert_int_eq(ask(LONG_MS), RESOLVER_ROUTE);
}
END_TEST

static void add(TCase *tcase)
{
	const int spelling_count = sizeof spellings / sizeof spellings[0];

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, a_route_is_what_trivial_rewrite_says, 0, 2);
	tcase_add_test(tcase, a_thousand_questions_take_one_connection);
	tcase_add_loop_test(tcase, a_connection_that_was_lost_is_made_again, 0, 2);
	tcase_add_loop_test(tcase, addresses_are_asked_about_without_their_quotes, 0, spelling_count);
	tcase_add_test(tcase, an_endless_address_has_no_route_and_harms_no_other);
	tcase_add_test(tcase, an_address_without_a_route_is_no_outage);
	tcase_add_loop_test(tcase, what_fails_at_once_makes_nobody_wait, 0, 4);
	tcase_add_loop_test(tcase, silence_is_waited_for_once, 0, 2);
	tcase_add_loop_test(tcase, after_an_outage_it_is_asked_again, 0, 6);
	tcase_add_test(tcase, a_connection_that_hangs_is_given_up);
	tcase_add_test(tcase, each_of_many_threads_gets_the_answer_to_its_own_question);
	tcase_add_test(tcase, in_silence_few_of_many_threads_wait_for_long);
	tcase_add_test(tcase, threads_that_give_up_leave_no_trace);
}

int main(void)
{
	return suite_run("resolver", add);
}
