/*
 * check_table - one writer, many askers
 */
#include "health/table.h"

#include "base/clock.h"
#include "suite.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static const struct machine_policy policy = {.rise = 1, .fall = 3};
static const struct freshness freshness = {.max_age_ms = 1000, .max_wait_ms = 300};
static const char name[] = "smtp-amavis:[127.0.0.1]:10024";

static struct table *table;
static int wanted;
static pthread_mutex_t wanted_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wanted_cond = PTHREAD_COND_INITIALIZER;

static void on_wanted(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&wanted_lock);
	wanted++;
	pthread_cond_broadcast(&wanted_cond);
	pthread_mutex_unlock(&wanted_lock);
}

static void wait_until_wanted(void)
{
	pthread_mutex_lock(&wanted_lock);
	while (wanted == 0)
		pthread_cond_wait(&wanted_cond, &wanted_lock);
	pthread_mutex_unlock(&wanted_lock);
}

static void setup(void)
{
	const struct table_observer observer = {on_wanted, NULL};

	wanted = 0;
	table = table_new();
	table_observe(table, &observer);
}

static void teardown(void)
{
	table_free(table);
}

static struct hop *put(const char *hop, bool is_local)
{
	const struct hop_settings settings = {.name = hop,
		.is_probed = true,
		.roles = ROLE_CONTENT_FILTER,
		.is_local = is_local,
		.interval_ms = 10000};

	return table_put(table, &settings, clock_now_ms());
}

/* record - a result of the server check, found age_ms ago */
static bool record(struct hop *hop, enum reason reason, int64_t age_ms)
{
	struct findings findings = {.detail = reason != REASON_NONE ? "why" : "",
		.latency_us = 700,
		.evidence_ms = clock_now_ms() - age_ms,
		.is_local = hop_is_local(hop)};
	struct hop_change change;

	findings.has[CHECK_SERVER] = true;
	findings.outcome[CHECK_SERVER] =
		(struct outcome){reason, reason_severity(reason), reason != REASON_NONE};
	table_record(table, hop, &policy, &findings);
	return table_take_change(table, hop, &change);
}

struct asker {
	pthread_t thread;
	struct hop_view view;
	bool is_known;
	int64_t took_ms;
};

static void *ask(void *arg)
{
	struct asker *asker = arg;
	int64_t start_ms = clock_now_ms();

	asker->is_known = table_ask(table, name, &freshness, &asker->view);
	asker->took_ms = clock_now_ms() - start_ms;
	return NULL;
}

START_TEST(an_unknown_name_is_no_hop)
{
	struct hop_view view;

	ck_assert(!table_look(table, name, clock_now_ms(), &view));
	ck_assert(!table_ask(table, name, &freshness, &view));
	ck_assert_int_eq(wanted, 0);
}
END_TEST

START_TEST(a_fresh_result_is_used_without_asking)
{
	struct hop_view view;

	ck_assert(record(put(name, true), REASON_NONE, 0));
	ck_assert(table_ask(table, name, &freshness, &view));
	ck_assert_int_eq(view.state, STATE_UP);
	ck_assert_int_eq(view.latency_us, 700);
	ck_assert_int_eq(wanted, 0);
}
END_TEST

START_TEST(an_ageing_result_is_used_and_renewed_meanwhile)
{
	struct hop_view view;
	int64_t before_ms = clock_now_ms();

	record(put(name, true), REASON_NONE, 800);
	ck_assert(table_ask(table, name, &freshness, &view));
	ck_assert_int_lt(clock_now_ms() - before_ms, 150);
	ck_assert_int_eq(wanted, 1);
	ck_assert_str_eq(hop_full_name(table_next_wanted(table)), name);
	ck_assert_ptr_null(table_next_wanted(table));
}
END_TEST

START_TEST(where_nobody_listened_it_is_looked_again_soon)
{
	struct hop *hop = put(name, true);
	struct asker asker;

	record(hop, REASON_CONNECTION_REFUSED, 200);
	pthread_create(&asker.thread, NULL, ask, &asker);
	wait_until_wanted();
	record(hop, REASON_NONE, 0);
	pthread_join(asker.thread, NULL);
	ck_assert_int_eq(asker.view.state, STATE_UP);
	/* Where somebody answered badly, max_age holds. */
	record(hop, REASON_SERVICE_UNAVAILABLE, 200);
	ask(&asker);
	ck_assert_int_eq(asker.view.state, STATE_DOWN);
	ck_assert_int_lt(asker.took_ms, 150);
}
END_TEST

START_TEST(mail_wants_a_failing_remote_hop_probed_once_in_its_down_interval)
{
	struct hop_settings settings = {.name = name,
		.is_probed = true,
		.roles = ROLE_RELAYHOST,
		.interval_ms = 10000,
		.down_interval_ms = 5000};
	struct hop *hop = table_put(table, &settings, clock_now_ms());
	int64_t before_ms = clock_now_ms();
	struct hop_view view;

	record(hop, REASON_NONE, 9000);
	ck_assert(table_ask(table, name, &freshness, &view));
	ck_assert_int_eq(wanted, 0);
	record(hop, REASON_CONNECTION_TIMEOUT, 4000);
	ck_assert(table_ask(table, name, &freshness, &view));
	ck_assert_int_eq(view.state, STATE_DOWN);
	ck_assert_int_eq(wanted, 0);
	record(hop, REASON_CONNECTION_TIMEOUT, 6000);
	for (int i = 0; i < 3; i++)
		ck_assert(table_ask(table, name, &freshness, &view));
	ck_assert_int_eq(wanted, 1);
	ck_assert_int_lt(clock_now_ms() - before_ms, 150);
}
END_TEST

START_TEST(a_long_pause_is_not_stale)
{
	struct hop *hop = put(name, false);
	struct hop_view view;

	record(hop, REASON_CONNECTION_TIMEOUT, 59000);
	ck_assert(table_look(table, name, clock_now_ms(), &view));
	ck_assert_int_eq(view.state, STATE_UNKNOWN);
	table_set_pause(table, hop, 60000);
	ck_assert(table_look(table, name, clock_now_ms(), &view));
	ck_assert_int_eq(view.state, STATE_DOWN);
	table_set_pause(table, hop, 0);
	ck_assert(table_look(table, name, clock_now_ms(), &view));
	ck_assert_int_eq(view.state, STATE_UNKNOWN);
}
END_TEST

START_TEST(an_old_result_of_a_remote_hop_counts)
{
	struct hop_view view;

	record(put(name, false), REASON_NONE, 5000);
	ck_assert(table_ask(table, name, &freshness, &view));
	ck_assert_int_eq(view.state, STATE_UP);
	ck_assert_int_eq(wanted, 0);
}
END_TEST

START_TEST(all_askers_wait_for_the_same_new_result)
{
	enum { ASKERS = 5 };
	struct asker askers[ASKERS];
	struct hop *hop = put(name, true);

	record(hop, REASON_NONE, 5000);
	for (int i = 0; i < ASKERS; i++)
		pthread_create(&askers[i].thread, NULL, ask, &askers[i]);
	wait_until_wanted();
	ck_assert_ptr_eq(table_next_wanted(table), hop);
	table_probe_begins(table, hop, clock_now_ms(), clock_now_ms() + 5000);
	record(hop, REASON_CONNECTION_REFUSED, 0);
	for (int i = 0; i < ASKERS; i++) {
		pthread_join(askers[i].thread, NULL);
		ck_assert(askers[i].is_known);
		ck_assert_int_eq(askers[i].view.state, STATE_DOWN);
		ck_assert_str_eq(askers[i].view.detail, "why");
	}
}
END_TEST

START_TEST(waiting_ends_max_wait_after_the_probe_began)
{
	struct hop *hop = put(name, true);
	struct asker asker;

	record(hop, REASON_NONE, 5000);
	/* A probe that has hung for a while is not waited for at all. */
	table_probe_begins(table, hop, clock_now_ms() - 1000, clock_now_ms() + 5000);
	ask(&asker);
	ck_assert_int_eq(asker.view.state, STATE_UP);
	ck_assert_int_lt(asker.took_ms, 150);
	/* One that begins now is, for max_wait. */
	table_probe_begins(table, hop, clock_now_ms(), clock_now_ms() + 5000);
	ask(&asker);
	ck_assert_int_eq(asker.view.state, STATE_UP);
	ck_assert_int_ge(asker.took_ms, 290);
	/* Who asks later has no longer, though the probe has not even begun. */
	table_probe_begins(table, hop, 0, 0);
	ask(&asker);
	ck_assert_int_lt(asker.took_ms, 150);
}
END_TEST

static void *ask_for(void *arg)
{
	struct hop_view view;

	table_ask(table, arg, &freshness, &view);
	return NULL;
}

static void wait_until_wanted_times(int times)
{
	pthread_mutex_lock(&wanted_lock);
	while (wanted < times)
		pthread_cond_wait(&wanted_cond, &wanted_lock);
	pthread_mutex_unlock(&wanted_lock);
}

START_TEST(not_more_than_a_few_hops_are_waited_for)
{
	static char names[TABLE_WAITED_HOPS][32];
	pthread_t threads[TABLE_WAITED_HOPS];
	struct asker asker;

	for (int i = 0; i < TABLE_WAITED_HOPS; i++) {
		(void)snprintf(names[i], sizeof names[i], "hop:%d", i);
		put(names[i], true);
		pthread_create(&threads[i], NULL, ask_for, names[i]);
	}
	/* Each thread counts as waiting before it lets go of the lock that it asked under. */
	wait_until_wanted_times(TABLE_WAITED_HOPS);
	put(name, true);
	ask(&asker);
	ck_assert_int_lt(asker.took_ms, 150);
	ck_assert_int_eq(asker.view.state, STATE_UNKNOWN);
	for (int i = 0; i < TABLE_WAITED_HOPS; i++)
		pthread_join(threads[i], NULL);
}
END_TEST

START_TEST(a_hop_may_go_while_somebody_waits_for_it)
{
	struct hop *hop = put(name, true);
	struct asker asker;

	pthread_create(&asker.thread, NULL, ask, &asker);
	wait_until_wanted();
	table_remove(table, hop);
	pthread_join(asker.thread, NULL);
	ck_assert_int_eq(asker.view.state, STATE_UNKNOWN);
	ck_assert_uint_eq(table_count(table), 0);
}
END_TEST

START_TEST(a_learned_name_is_waited_for_and_one_that_comes_to_nothing_is_not)
{
	char learned[HOP_NAME_BYTES];
	enum hop_role role;
	struct asker asker;
	struct hop *hop;

	table_learn(table, name, ROLE_TRANSPORT);
	wanted = 0;
	ck_assert(table_learned_next(table, learned, &role));
	/* The name is out of the queue, and the hop not in the table yet. */
	pthread_create(&asker.thread, NULL, ask, &asker);
	ck_assert_str_eq(learned, name);
	ck_assert_int_eq(role, ROLE_TRANSPORT);
	hop = put(name, true);
	ck_assert(!table_learned_next(table, learned, &role));
	wait_until_wanted();
	record(hop, REASON_NONE, 0);
	pthread_join(asker.thread, NULL);
	ck_assert_int_eq(asker.view.state, STATE_UP);

	table_remove(table, hop);
	table_learn(table, name, ROLE_TRANSPORT);
	pthread_create(&asker.thread, NULL, ask, &asker);
	while (table_learned_next(table, learned, &role))
		;
	pthread_join(asker.thread, NULL);
	ck_assert(!asker.is_known);
	ck_assert_int_lt(asker.took_ms, 250);
}
END_TEST

START_TEST(the_worst_check_is_the_state_of_the_hop)
{
	struct findings findings = {.detail = "", .latency_us = -1, .evidence_ms = clock_now_ms()};
	struct hop *hop = put(name, true);
	struct hop_change change;
	struct hop_view view;

	findings.has[CHECK_RESOLVE] = findings.has[CHECK_SERVER] = true;
	findings.outcome[CHECK_RESOLVE] = (struct outcome){REASON_NONE, SEVERITY_NONE, false};
	findings.outcome[CHECK_SERVER] = (struct outcome){REASON_SLOW, SEVERITY_DEGRADED, false};
	table_record(table, hop, &policy, &findings);
	ck_assert(table_take_change(table, hop, &change));
	ck_assert(change.is_new_state);
	ck_assert_int_eq(change.to, STATE_DEGRADED);
	table_view(table, hop, clock_now_ms(), &view);
	ck_assert_int_eq(view.reason, REASON_SLOW);
	ck_assert_int_eq(view.check[CHECK_RESOLVE].state, STATE_UP);
}
END_TEST

static bool gone(void *arg, struct hop *hop)
{
	(void)strcat(arg, hop_full_name(hop));
	return true;
}

START_TEST(mark_put_sweep_keeps_what_is_put_again_with_its_state)
{
	char names[HOP_NAME_BYTES] = "";
	struct hop_view view;

	record(put("smtp:[a]", true), REASON_CONNECTION_REFUSED, 0);
	put("smtp:[b]", true);
	table_mark(table);
	put("smtp:[a]", true);
	table_sweep(table, gone, names);
	ck_assert_str_eq(names, "smtp:[b]");
	ck_assert_uint_eq(table_count(table), 1);
	ck_assert(table_look(table, "smtp:[a]", clock_now_ms(), &view));
	ck_assert_int_eq(view.state, STATE_DOWN);
}
END_TEST

START_TEST(roles_add_up_and_begin_anew_with_a_reload)
{
	struct hop_settings settings = {
		.name = name, .roles = ROLE_CONTENT_FILTER, .interval_ms = 10000};
	struct hop_view view;

	table_put(table, &settings, 1);
	settings.roles = ROLE_TRANSPORT;
	table_put(table, &settings, 1);
	table_look(table, name, 1, &view);
	ck_assert_uint_eq(view.roles, ROLE_CONTENT_FILTER | ROLE_TRANSPORT);
	table_mark(table);
	table_put(table, &settings, 1);
	table_look(table, name, 1, &view);
	ck_assert_uint_eq(view.roles, ROLE_TRANSPORT);
}
END_TEST

START_TEST(the_least_recently_used_learned_hop_is_the_oldest)
{
	struct hop_settings settings = {
		.name = "smtp:[a]", .roles = ROLE_TRANSPORT, .interval_ms = 10000};

	ck_assert_ptr_null(table_oldest_learned(table));
	put(name, true);
	ck_assert_ptr_null(table_oldest_learned(table));
	table_put_learned(table, &settings, 2000);
	settings.name = "smtp:[b]";
	table_put_learned(table, &settings, 1000);
	ck_assert_str_eq(hop_full_name(table_oldest_learned(table)), "smtp:[b]");
	ck_assert(table_is_forgotten(table, table_oldest_learned(table), 500, 1501));
	ck_assert(!table_is_forgotten(table, table_oldest_learned(table), 500, 1500));
	ck_assert(!table_is_forgotten(table, table_find(table, name), 0, INT64_MAX));
}
END_TEST

START_TEST(a_hop_without_results_for_too_long_is_unknown)
{
	struct hop_view view;

	record(put(name, false), REASON_CONNECTION_REFUSED, 30500);
	ck_assert(table_look(table, name, clock_now_ms(), &view));
	ck_assert_int_eq(view.state, STATE_UNKNOWN);
	ck_assert_int_eq(view.reason, REASON_NONE);
	ck_assert(view.is_stale);
	record(table_find(table, name), REASON_CONNECTION_REFUSED, 0);
	ck_assert(table_look(table, name, clock_now_ms(), &view));
	ck_assert(!view.is_stale);
}
END_TEST

static void assert_mail(int64_t minute, unsigned refused, unsigned tagged)
{
	struct hop_view view;

	ck_assert(table_look(table, name, minute * 60000, &view));
	ck_assert_uint_eq(view.mail[MAIL_REFUSED], refused);
	ck_assert_uint_eq(view.mail[MAIL_TAGGED], tagged);
	ck_assert_uint_eq(view.mail[MAIL_HELD], 0);
}

START_TEST(what_a_hop_did_to_mail_is_forgotten_after_an_hour)
{
	put(name, true);
	table_count_mail(table, "smtp:[nobody]", MAIL_REFUSED, 60000);
	assert_mail(1, 0, 0);
	for (int64_t minute = 1; minute <= 200; minute++) {
		table_count_mail(table, name, MAIL_REFUSED, minute * 60000);
		table_count_mail(table, name, MAIL_REFUSED, minute * 60000 + 59999);
		if (minute % 2 == 0)
			table_count_mail(table, name, MAIL_TAGGED, minute * 60000);
		assert_mail(minute, minute < 60 ? 2 * (unsigned)minute : 120,
			minute < 60 ? (unsigned)minute / 2 : 30);
	}
	assert_mail(210, 100, 25);
	assert_mail(259, 2, 1);
	assert_mail(260, 0, 0);
	table_count_mail(table, name, MAIL_TAGGED, 100000 * 60000LL);
	assert_mail(100000, 0, 1);
	/* One that read the clock before another thread did. */
	table_count_mail(table, name, MAIL_TAGGED, 99999 * 60000LL);
	assert_mail(100000, 0, 2);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, an_unknown_name_is_no_hop);
	tcase_add_test(tcase, a_fresh_result_is_used_without_asking);
	tcase_add_test(tcase, an_ageing_result_is_used_and_renewed_meanwhile);
	tcase_add_test(tcase, where_nobody_listened_it_is_looked_again_soon);
	tcase_add_test(tcase, an_old_result_of_a_remote_hop_counts);
	tcase_add_test(tcase, mail_wants_a_failing_remote_hop_probed_once_in_its_down_interval);
	tcase_add_test(tcase, a_long_pause_is_not_stale);
	tcase_add_test(tcase, all_askers_wait_for_the_same_new_result);
	tcase_add_test(tcase, waiting_ends_max_wait_after_the_probe_began);
	tcase_add_test(tcase, not_more_than_a_few_hops_are_waited_for);
	tcase_add_test(tcase, a_hop_may_go_while_somebody_waits_for_it);
	tcase_add_test(tcase, a_learned_name_is_waited_for_and_one_that_comes_to_nothing_is_not);
	tcase_add_test(tcase, the_worst_check_is_the_state_of_the_hop);
	tcase_add_test(tcase, mark_put_sweep_keeps_what_is_put_again_with_its_state);
	tcase_add_test(tcase, roles_add_up_and_begin_anew_with_a_reload);
	tcase_add_test(tcase, the_least_recently_used_learned_hop_is_the_oldest);
	tcase_add_test(tcase, a_hop_without_results_for_too_long_is_unknown);
	tcase_add_test(tcase, what_a_hop_did_to_mail_is_forgotten_after_an_hour);
}

int main(void)
{
	return suite_run("table", add);
}
