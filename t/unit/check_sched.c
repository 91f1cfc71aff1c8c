/*
 * check_sched - when hops are probed: the start of thousands, many slow peers, a reload, an operator who asks
 *
 * In a network of our own, where 127.0.0.0/8 is local and nothing else can be reached.
 */
#include "base/clock.h"
#include "conf_helper.h"
#include "probe/inquiry.h"
#include "probe/pace.h"
#include "probe/sched_private.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum { PEERS = 500, GREET_MS = 50, CONCURRENCY = 16 };

static struct event_base *base;
static struct table *table;
static struct sched *sched;
static struct site *site;
static char text[256 * 1024];
static uint16_t port;
static unsigned open_now, open_most, open_hop[PEERS + 1], open_hop_most, accepted;

/* own_network - false when that is not allowed here */
static bool own_network(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd;

	if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
		return false;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ioctl(fd, SIOCSIFFLAGS, &request), 0);
	(void)close(fd);
	return true;
}

static void on_change(void *arg, const struct hop_view *view, const struct hop_change *change)
{
	(void)arg;
	(void)view;
	(void)change;
}

/* A connection at the server. */
struct guest {
	struct bufferevent *stream;
	struct event *timer;
	unsigned hop;
};

static void on_guest_gone(struct bufferevent *stream, short events, void *arg)
{
	struct guest *guest = arg;

	(void)events;
	open_now--;
	open_hop[guest->hop]--;
	bufferevent_free(stream);
	event_free(guest->timer);
	free(guest);
}

static void on_guest_line(struct bufferevent *stream, void *arg)
{
	char *line;

	(void)arg;
	while ((line = evbuffer_readln(bufferevent_get_input(stream), NULL, EVBUFFER_EOL_CRLF)) != NULL) {
		(void)bufferevent_write(stream, "250 fine\r\n", 10);
		free(line);
	}
}

static void on_greet(evutil_socket_t fd, short what, void *arg)
{
	struct guest *guest = arg;

	(void)fd;
	(void)what;
	(void)bufferevent_write(guest->stream, "220 mx\r\n", 8);
}

/* on_guest - hop number 127.0.X.Y, greeted late */
static void on_guest(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from, int bytes,
	void *arg)
{
	struct timeval late = {0, GREET_MS * 1000L};
	struct guest *guest = calloc(1, sizeof *guest);
	struct sockaddr_in own;
	socklen_t own_bytes = sizeof own;

	(void)listener;
	(void)from;
	(void)bytes;
	(void)arg;
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&own, &own_bytes), 0);
	guest->hop = ntohl(own.sin_addr.s_addr) & 0xffff;
	guest->stream = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	guest->timer = evtimer_new(base, on_greet, guest);
	bufferevent_setcb(guest->stream, on_guest_line, NULL, on_guest_gone, guest);
	(void)bufferevent_enable(guest->stream, EV_READ | EV_WRITE);
	(void)event_add(guest->timer, &late);
	accepted++;
	if (++open_now > open_most)
		open_most = open_now;
	if (++open_hop[guest->hop] > open_hop_most)
		open_hop_most = open_hop[guest->hop];
}

static struct evconnlistener *listen_everywhere(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t bytes = sizeof address;
	struct evconnlistener *listener = evconnlistener_new_bind(base, on_guest, NULL, LEV_OPT_CLOSE_ON_FREE,
		1024, (struct sockaddr *)&address, sizeof address);

	ck_assert_ptr_nonnull(listener);
	ck_assert_int_eq(
		getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&address, &bytes), 0);
	port = ntohs(address.sin_port);
	return listener;
}

/* apply - so many hops at addresses from network.0.1 on */
static void apply(const char *probe, const char *network, unsigned hops)
{
	size_t used = (size_t)snprintf(text, sizeof text, "probe { %s }\n", probe);
	struct conf *conf;

	for (unsigned i = 1; i <= hops; i++)
		used += (size_t)snprintf(text + used, sizeof text - used, "hop \"smtp:[%s.%u.%u]:%u\" { }\n",
			network, i >> 8, i & 0xff, port);
	ck_assert_uint_lt(used, sizeof text);
	conf = parse_good(text);
	site = site_new(conf, NULL, 0);
	conf_unref(conf);
	sched_apply(sched, site);
	site_unref(site);
}

static void count_result(void *arg, struct hop *hop)
{
	unsigned *count = arg;
	struct hop_view view;

	table_view(table, hop, clock_now_ms(), &view);
	*count += view.age_ms >= 0;
}

static unsigned results(void)
{
	unsigned count = 0;

	table_each(table, count_result, &count);
	return count;
}

static void run_for(int64_t ms)
{
	struct timeval limit = {ms / 1000, ms % 1000 * 1000};

	(void)event_base_loopexit(base, &limit);
	(void)event_base_dispatch(base);
}

/* run_until - so many hops have a result, within ms */
static void run_until(unsigned count, int64_t ms)
{
	int64_t until_ms = clock_now_ms() + ms;

	while (results() < count && clock_now_ms() < until_ms)
		run_for(20);
	ck_assert_uint_ge(results(), count);
}

static void setup(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	base = event_base_new();
	table = table_new();
	sched = sched_new(base, table, NULL, on_change, NULL);
	ck_assert_ptr_nonnull(sched);
	port = 25;
}

static void teardown(void)
{
	sched_free(sched);
	table_free(table);
	event_base_free(base);
}

/* Never ahead of the plan; how late it is is up to the machine. */
START_TEST(thousands_of_remote_hops_start_spread_over_one_interval)
{
	enum { HOPS = 2000, INTERVAL_MS = 3000, TICK_MS = 50 };
	int64_t start_ms = clock_now_ms(), until_ms;

	if (!own_network())
		return;
	apply("interval = 3s fast_interval = 3s jitter = 0%", "10.0", HOPS);
	ck_assert_uint_le(sched->in_flight, PACE_START_AT_ONCE);
	ck_assert_ptr_null(sched->queue);
	until_ms = clock_now_ms() + INTERVAL_MS;
	while (clock_now_ms() < until_ms) {
		int64_t planned;

		run_for(TICK_MS);
		planned = PACE_START_AT_ONCE + 1 + HOPS * (clock_now_ms() - start_ms) / INTERVAL_MS;
		ck_assert_int_le(results(), planned);
	}
	run_until(HOPS, 20000);
}
END_TEST

START_TEST(local_hops_start_at_once)
{
	if (!own_network())
		return;
	port = 1;
	apply("interval = 1h fast_interval = 1h", "127.0", 300);
	run_until(300, 20000);
}
END_TEST

START_TEST(slow_peers_are_probed_a_few_at_a_time_and_each_by_one)
{
	struct evconnlistener *listener;
	char probe[128];

	if (!own_network())
		return;
	listener = listen_everywhere();
	(void)snprintf(probe, sizeof probe, "interval = 200ms fast_interval = 100ms concurrency = %d", CONCURRENCY);
	apply(probe, "127.0", PEERS);
	ck_assert_uint_eq(sched->in_flight, CONCURRENCY);
	run_until(PEERS, 30000);
	ck_assert_uint_le(open_most, CONCURRENCY);
	ck_assert_uint_ge(open_most, CONCURRENCY / 2);
	ck_assert_uint_eq(open_hop_most, 1);
	sched_free(sched);
	sched = sched_new(base, table, NULL, on_change, NULL);
	run_for(100);
	ck_assert_uint_eq(open_now, 0);
	evconnlistener_free(listener);
}
END_TEST

START_TEST(a_reload_probes_only_what_is_new)
{
	struct evconnlistener *listener;

	if (!own_network())
		return;
	listener = listen_everywhere();
	apply("interval = 1h", "127.0", 20);
	run_until(20, 20000);
	ck_assert_uint_eq(accepted, 20);
	apply("interval = 1h", "127.0", 21);
	run_until(21, 20000);
	run_for(200);
	ck_assert_uint_eq(accepted, 21);
	evconnlistener_free(listener);
}
END_TEST

/* What an operator was told. */
struct told {
	unsigned sent, done;
	bool is_gone;
	struct probe_result found;
};

static void on_step(void *arg, enum trace_kind kind, enum trace_direction direction, const char *words)
{
	struct told *told = arg;

	ck_assert_ptr_nonnull(words);
	told->sent += kind == TRACE_DIALOGUE && direction == TRACE_SENT;
}

static void on_found(void *arg, const struct probe_result *found)
{
	struct told *told = arg;

	told->done++;
	told->is_gone = found == NULL;
	if (found != NULL)
		told->found = *found;
}

static void hop_name_of(unsigned hop, char name[HOP_NAME_BYTES])
{
	(void)snprintf(name, HOP_NAME_BYTES, "smtp:[127.0.0.%u]:%u", hop, port);
}

START_TEST(those_who_ask_while_a_probe_is_under_way_share_the_next)
{
	struct told told[3] = {{0}}, unheard = {0};
	struct inquiry *leaves;
	char name[HOP_NAME_BYTES];

	if (!own_network())
		return;
	struct evconnlistener *listener = listen_everywhere();

	apply("interval = 1h", "127.0", 1);
	hop_name_of(1, name);
	ck_assert_uint_eq(sched->in_flight, 1);
	for (int i = 0; i < 3; i++)
		ck_assert_ptr_nonnull(inquiry_start(sched, name, on_step, on_found, &told[i]));
	leaves = inquiry_start(sched, name, on_step, on_found, &unheard);
	run_for(GREET_MS / 2);
	inquiry_cancel(leaves);
	for (int64_t until_ms = clock_now_ms() + 20000; sched->in_flight > 0 && clock_now_ms() < until_ms;)
		run_for(10);
	for (int i = 0; i < 3; i++) {
		ck_assert_uint_eq(told[i].done, 1);
		ck_assert_uint_eq(told[i].sent, 2);
		ck_assert(told[i].found.has[CHECK_SERVER]);
		ck_assert_int_eq(told[i].found.outcome[CHECK_SERVER].reason, REASON_NONE);
	}
	ck_assert_uint_eq(unheard.done, 0);
	ck_assert_uint_eq(accepted, 2);
	ck_assert_uint_eq(open_hop_most, 1);
	evconnlistener_free(listener);
}
END_TEST

START_TEST(who_asks_for_a_hop_that_goes_hears_of_it)
{
	struct told told = {0};
	char name[HOP_NAME_BYTES];

	if (!own_network())
		return;
	struct evconnlistener *listener = listen_everywhere();

	apply("interval = 1h", "127.0", 2);
	run_until(2, 20000);
	hop_name_of(2, name);
	ck_assert_ptr_nonnull(inquiry_start(sched, name, on_step, on_found, &told));
	run_for(GREET_MS / 2);
	apply("interval = 1h", "127.0", 1);
	ck_assert_uint_eq(told.done, 1);
	ck_assert(told.is_gone);
	ck_assert_ptr_null(inquiry_start(sched, name, on_step, on_found, &told));
	run_for(4L * GREET_MS);
	evconnlistener_free(listener);
}
END_TEST

START_TEST(mail_through_a_transport_that_only_canaries_look_at_waits_for_nobody)
{
	const struct freshness freshness = {1000, 300};
	struct conf *conf = parse_good("canary \"smtp\" { hosts = {\"192.0.2.1:25\"} }\nhop \"smtp:\" { }\n");
	struct hop_view view;
	int64_t start_ms;

	if (!own_network())
		return;
	site = site_new(conf, NULL, 0);
	conf_unref(conf);
	sched_apply(sched, site);
	site_unref(site);
	ck_assert_ptr_nonnull(table_find(table, "smtp:"));
	start_ms = clock_now_ms();
	for (int i = 0; i < 10; i++)
		ck_assert(table_ask(table, "smtp:", &freshness, &view));
	ck_assert_int_lt(clock_now_ms() - start_ms, 300);
	run_for(50);
}
END_TEST

START_TEST(a_remote_hop_that_stays_down_is_left_alone_more_and_more)
{
	int64_t down_ms = 0, before = 0, pause;
	unsigned probes = 0;

	ck_assert_int_eq(pace_down_ms(5000, 0), 5000);
	ck_assert_int_eq(pace_down_ms(5000, 100 * 1000), 5000);
	for (; down_ms < 24 * 3600 * 1000; down_ms += pause, probes++) {
		pause = pace_down_ms(5000, down_ms);
		ck_assert_int_ge(pause, before);
		ck_assert_int_le(pause, PACE_DOWN_MS);
		before = pause;
	}
	ck_assert_int_eq(before, PACE_DOWN_MS);
	ck_assert_uint_lt(probes, 24 * 60 + 80); /* of 17,280 */
	/* Who wants it more seldom than that gets it. */
	ck_assert_int_eq(pace_down_ms(5 * PACE_DOWN_MS, 1 << 30), 5 * PACE_DOWN_MS);
}
END_TEST

START_TEST(a_start_is_spread_evenly)
{
	for (size_t at = 0; at < PACE_START_AT_ONCE; at++)
		ck_assert_int_eq(pace_start_ms(at, 10000, 5000), 0);
	for (size_t at = PACE_START_AT_ONCE; at < 10000; at++) {
		int64_t step = pace_start_ms(at, 10000, 5000) - pace_start_ms(at - 1, 10000, 5000);

		ck_assert(step == 0 || step == 1);
	}
	ck_assert_int_lt(pace_start_ms(9999, 10000, 5000), 5000);
	ck_assert_int_gt(pace_start_ms(9999, 10000, 5000), 4900);
	ck_assert_int_lt(pace_start_ms(9999, 10000, 3600 * 1000), PACE_START_MS);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, thousands_of_remote_hops_start_spread_over_one_interval);
	tcase_add_test(tcase, local_hops_start_at_once);
	tcase_add_test(tcase, slow_peers_are_probed_a_few_at_a_time_and_each_by_one);
	tcase_add_test(tcase, a_reload_probes_only_what_is_new);
	tcase_add_test(tcase, those_who_ask_while_a_probe_is_under_way_share_the_next);
	tcase_add_test(tcase, who_asks_for_a_hop_that_goes_hears_of_it);
	tcase_add_test(tcase, mail_through_a_transport_that_only_canaries_look_at_waits_for_nobody);
	tcase_add_test(tcase, a_remote_hop_that_stays_down_is_left_alone_more_and_more);
	tcase_add_test(tcase, a_start_is_spread_evenly);
}

int main(void)
{
	return suite_run("sched", add);
}
