/*
 * check_memory - overrides, and what an engine hands to the next one: the table's side
 */
#include "health/table.h"

#include "base/clock.h"
#include "suite.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct machine_policy policy = {.rise = 2, .fall = 3};
static const char name[] = "relay:[192.0.2.1]:587";

static struct table *table, *next;

static void setup(void)
{
	table = table_new();
	next = table_new();
}

static void teardown(void)
{
	table_free(table);
	table_free(next);
}

static struct hop *put(struct table *where, const char *hop, struct hop *base, bool is_local)
{
	const struct hop_settings settings = {.name = hop,
		.base = base,
		.is_probed = true,
		.roles = ROLE_RELAYHOST,
		.is_local = is_local,
		.interval_ms = 10000};

	return table_put(where, &settings, clock_now_ms());
}

/* record - a result of one check, found age_ms ago */
static void record(struct table *where, struct hop *hop, enum hop_check check, enum reason reason,
	int64_t age_ms)
{
	struct findings findings = {.detail = reason != REASON_NONE ? "why" : "",
		.latency_us = 700,
		.evidence_ms = clock_now_ms() - age_ms,
		.is_local = hop_is_local(hop)};

	findings.has[check] = true;
	findings.outcome[check] = (struct outcome){reason, reason_severity(reason), false};
	table_record(where, hop, &policy, &findings);
}

static struct hop_view view(struct table *where, const char *hop)
{
	struct hop_view found;

	ck_assert(table_look(where, hop, clock_now_ms(), &found));
	return found;
}

static struct override an_override(bool is_up, time_t until)
{
	return (struct override){is_up, clock_wall() - 5, until, "on purpose"};
}

static bool is_told(struct table *where, struct hop *hop, struct hop_change *change)
{
	return table_take_change(where, hop, change) && change->is_new_state;
}

START_TEST(an_override_goes_before_what_probes_find)
{
	struct override down = an_override(false, 0), up = an_override(true, 0);
	struct hop *hop = put(table, name, NULL, false);
	struct hop_change change;
	struct hop_view found;

	record(table, hop, CHECK_SERVER, REASON_NONE, 0);
	ck_assert(is_told(table, hop, &change));
	ck_assert(table_force(table, name, &down));
	ck_assert(is_told(table, hop, &change));
	ck_assert_int_eq(change.from, STATE_UP);
	ck_assert_int_eq(change.to, STATE_FORCED_DOWN);
	found = view(table, name);
	ck_assert_int_eq(found.state, STATE_FORCED_DOWN);
	ck_assert_int_eq(found.reason, REASON_MAINTENANCE);
	ck_assert_str_eq(found.detail, "on purpose");
	ck_assert_int_eq(found.since, down.since);
	ck_assert(found.is_forced);
	ck_assert_int_eq(found.probed_state, STATE_UP);
	for (int i = 0; i < 3; i++)
		record(table, hop, CHECK_SERVER, REASON_CONNECTION_TIMEOUT, 0);
	ck_assert(!is_told(table, hop, &change));
	found = view(table, name);
	ck_assert_int_eq(found.probed_state, STATE_DOWN);
	ck_assert_int_eq(found.probed_reason, REASON_CONNECTION_TIMEOUT);
	ck_assert(table_force(table, name, &up));
	ck_assert(is_told(table, hop, &change));
	found = view(table, name);
	ck_assert_int_eq(found.state, STATE_FORCED_UP);
	ck_assert_int_eq(found.reason, REASON_NONE);
	ck_assert(table_unforce(table, name));
	ck_assert(is_told(table, hop, &change));
	ck_assert_int_eq(change.to, STATE_DOWN);
	ck_assert_str_eq(view(table, name).detail, "why");
	ck_assert(!table_unforce(table, name));
}
END_TEST

START_TEST(an_override_of_a_transport_is_not_one_of_its_hops)
{
	struct override down = an_override(false, 0);
	struct hop *base = put(table, "relay:", NULL, true), *hop = put(table, name, base, false);

	record(table, base, CHECK_SERVICE, REASON_NONE, 0);
	record(table, hop, CHECK_SERVER, REASON_NONE, 0);
	ck_assert(table_force(table, "relay:", &down));
	ck_assert_int_eq(view(table, "relay:").state, STATE_FORCED_DOWN);
	ck_assert_int_eq(view(table, name).state, STATE_UP);
}
END_TEST

START_TEST(nobody_waits_for_a_result_that_decides_nothing)
{
	const struct freshness freshness = {.max_age_ms = 1000, .max_wait_ms = 5000};
	struct override down = an_override(false, 0);
	struct hop_view found;
	int64_t start_ms;

	put(table, name, NULL, true);
	ck_assert(table_force(table, name, &down));
	start_ms = clock_now_ms();
	ck_assert(table_ask(table, name, &freshness, &found));
	ck_assert_int_eq(found.state, STATE_FORCED_DOWN);
	ck_assert_int_lt(clock_now_ms() - start_ms, 1000);
}
END_TEST

START_TEST(overrides_are_kept_by_name)
{
	struct override down = an_override(false, clock_wall() + 100),
			up = an_override(true, clock_wall() + 50);
	struct hop *hop = put(table, name, NULL, false);
	struct hop_change change;

	ck_assert(table_force(table, name, &down));
	ck_assert(table_force(table, "away:", &up));
	ck_assert_int_eq(table_next_expiry(table), up.until);
	table_remove(table, hop);
	ck_assert_ptr_nonnull(table_override(table, name));
	hop = put(table, name, NULL, false);
	ck_assert_int_eq(view(table, name).state, STATE_FORCED_DOWN);
	ck_assert_int_eq(view(table, name).since, down.since);
	ck_assert(!is_told(table, hop, &change));
	ck_assert_ptr_null(table_expired_override(table, clock_wall()));
	ck_assert_str_eq(table_expired_override(table, up.until), "away:");
	/* The state is as old as it was, whatever is said of it again. */
	down.since = clock_wall();
	down.until = 0;
	ck_assert(table_force(table, name, &down));
	ck_assert_int_lt(view(table, name).since, down.since);
	ck_assert(table_unforce(table, "away:"));
	ck_assert_int_eq(table_next_expiry(table), 0);
}
END_TEST

/* ask - like libmilter's threads do; waits for a result that does not come */
static void *ask(void *arg)
{
	const struct freshness freshness = {.max_age_ms = 1000, .max_wait_ms = 2000};

	(void)table_ask(table, name, &freshness, arg);
	return NULL;
}

START_TEST(an_override_may_end_before_those_who_hold_its_hop)
{
	struct override down = an_override(false, 0);
	struct hop *hop = put(table, name, NULL, true);
	struct hop_view found;
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, ask, &found), 0);
	while (table_next_wanted(table) == NULL)
		(void)usleep(1000);
	ck_assert(table_force(table, name, &down));
	table_remove(table, hop);
	ck_assert(table_unforce(table, name));
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_int_eq(found.state, STATE_UNKNOWN);
}
END_TEST

START_TEST(overrides_are_bounded)
{
	struct override down = an_override(false, 0);
	char other[32];

	for (int i = 0; i < OVERRIDES_MAX; i++) {
		(void)snprintf(other, sizeof other, "smtp:h%d", i);
		ck_assert(table_force(table, other, &down));
	}
	ck_assert(!table_force(table, name, &down));
	ck_assert(table_force(table, "smtp:h7", &down));
}
END_TEST

START_TEST(a_comment_is_one_clean_line)
{
	char longest[OVERRIDE_COMMENT_BYTES + 1];

	memset(longest, 'x', sizeof longest);
	longest[OVERRIDE_COMMENT_BYTES] = '\0';
	ck_assert(override_is_clean(""));
	ck_assert(override_is_clean("back at 18:00 (disks)"));
	ck_assert(!override_is_clean("a\nb"));
	ck_assert(!override_is_clean("a\033[2Jb"));
	ck_assert(!override_is_clean("\xc3\xa4"));
	ck_assert(!override_is_clean(longest));
	longest[OVERRIDE_COMMENT_BYTES - 1] = '\0';
	ck_assert(override_is_clean(longest));
}
END_TEST

/* hand_on - what is known of a hop to the next table */
static void hand_on(const char *hop)
{
	struct hop_memory memory;

	ck_assert(table_memorize(table, table_find(table, hop), &memory));
	ck_assert(table_remember(next, &memory));
	hop_memory_free(&memory);
}

START_TEST(a_hop_begins_as_it_was)
{
	struct hop *hop = put(table, name, NULL, false);
	struct hop_change change;
	struct hop_view was, is;

	record(table, hop, CHECK_SERVER, REASON_NONE, 5000);
	for (int i = 0; i < 3; i++)
		record(table, hop, CHECK_SERVER, REASON_CONNECTION_TIMEOUT, 3000);
	was = view(table, name);
	hand_on(name);
	hop = put(next, name, NULL, false);
	is = view(next, name);
	ck_assert_int_eq(is.state, STATE_DOWN);
	ck_assert_int_eq(is.reason, REASON_CONNECTION_TIMEOUT);
	ck_assert_str_eq(is.detail, "why");
	ck_assert_int_eq(is.since, was.since);
	ck_assert_int_ge(is.age_ms, 3000);
	ck_assert_mem_eq(&is.check[CHECK_SERVER], &was.check[CHECK_SERVER], sizeof(struct check));
	ck_assert(!is_told(next, hop, &change));
	ck_assert_int_ne(hop_failing_since_ms(hop), 0);
	/* The first failure that this engine sees is one more of the same. */
	record(next, hop, CHECK_SERVER, REASON_CONNECTION_TIMEOUT, 0);
	ck_assert(!is_told(next, hop, &change));
	ck_assert_int_eq(view(next, name).since, was.since);
}
END_TEST

START_TEST(what_is_remembered_is_never_fresh)
{
	const struct freshness freshness = {.max_age_ms = 60000, .max_wait_ms = 50};
	struct hop *hop = put(table, name, NULL, true);
	struct hop_view found;
	int64_t start_ms;

	record(table, hop, CHECK_SERVER, REASON_NONE, 0);
	hand_on(name);
	put(next, name, NULL, true);
	start_ms = clock_now_ms();
	ck_assert(table_ask(next, name, &freshness, &found));
	ck_assert_int_ge(clock_now_ms() - start_ms, 50);
	ck_assert_int_eq(found.state, STATE_UP);
	ck_assert_ptr_nonnull(table_next_wanted(next));
}
END_TEST

START_TEST(what_is_too_old_is_unknown_until_a_probe_says_the_same)
{
	struct hop *hop = put(table, name, NULL, false);

	for (int i = 0; i < 3; i++)
		record(table, hop, CHECK_SERVER, REASON_CONNECTION_TIMEOUT, 40000);
	hand_on(name);
	hop = put(next, name, NULL, false);
	ck_assert_int_eq(view(next, name).state, STATE_UNKNOWN);
	record(next, hop, CHECK_SERVER, REASON_CONNECTION_TIMEOUT, 0);
	ck_assert_int_eq(view(next, name).state, STATE_DOWN);
}
END_TEST

START_TEST(checks_that_are_not_made_any_more_go_with_the_first_success)
{
	struct hop *hop = put(table, name, NULL, false);

	record(table, hop, CHECK_SERVER, REASON_NONE, 0);
	for (int i = 0; i < 3; i++)
		record(table, hop, CHECK_RESOLVE, REASON_DNS_NOT_FOUND, 0);
	ck_assert_int_eq(view(table, name).state, STATE_DOWN);
	hand_on(name);
	hop = put(next, name, NULL, false);
	record(next, hop, CHECK_SERVER, REASON_CONNECTION_TIMEOUT, 0);
	ck_assert(view(next, name).has_check[CHECK_RESOLVE]);
	ck_assert_int_eq(view(next, name).state, STATE_DOWN);
	record(next, hop, CHECK_SERVER, REASON_NONE, 0);
	ck_assert(!view(next, name).has_check[CHECK_RESOLVE]);
	ck_assert_int_eq(view(next, name).state, STATE_UP);
}
END_TEST

START_TEST(a_hop_on_a_transport_begins_with_both)
{
	struct hop *base = put(table, "relay:", NULL, true), *hop = put(table, name, base, false);

	record(table, base, CHECK_SERVICE, REASON_TRANSPORT_BUSY, 0);
	record(table, hop, CHECK_SERVER, REASON_NONE, 0);
	ck_assert_int_eq(view(table, name).state, STATE_DEGRADED);
	hand_on("relay:");
	hand_on(name);
	base = put(next, "relay:", NULL, true);
	put(next, name, base, false);
	ck_assert_int_eq(view(next, name).state, STATE_DEGRADED);
	ck_assert_int_eq(view(next, name).reason, REASON_TRANSPORT_BUSY);
}
END_TEST

START_TEST(memories_of_hops_that_do_not_come_are_forgotten)
{
	struct hop *hop = put(table, name, NULL, false);
	struct hop_memory memory;

	record(table, hop, CHECK_SERVER, REASON_NONE, 0);
	hand_on(name);
	ck_assert(table_memorize(table, hop, &memory));
	ck_assert(!table_remember(next, &memory));
	hop_memory_free(&memory);
	table_forget_memories(next);
	put(next, name, NULL, false);
	ck_assert_int_eq(view(next, name).state, STATE_UNKNOWN);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, an_override_goes_before_what_probes_find);
	tcase_add_test(tcase, an_override_of_a_transport_is_not_one_of_its_hops);
	tcase_add_test(tcase, nobody_waits_for_a_result_that_decides_nothing);
	tcase_add_test(tcase, overrides_are_kept_by_name);
	tcase_add_test(tcase, an_override_may_end_before_those_who_hold_its_hop);
	tcase_add_test(tcase, overrides_are_bounded);
	tcase_add_test(tcase, a_comment_is_one_clean_line);
	tcase_add_test(tcase, a_hop_begins_as_it_was);
	tcase_add_test(tcase, what_is_remembered_is_never_fresh);
	tcase_add_test(tcase, what_is_too_old_is_unknown_until_a_probe_says_the_same);
	tcase_add_test(tcase, checks_that_are_not_made_any_more_go_with_the_first_success);
	tcase_add_test(tcase, a_hop_on_a_transport_begins_with_both);
	tcase_add_test(tcase, memories_of_hops_that_do_not_come_are_forgotten);
}

int main(void)
{
	return suite_run("memory", add);
}
