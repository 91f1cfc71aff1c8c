/*
 * check_machine - results of probes in, states out, on invented time
 */
#include "health/machine.h"

#include "suite.h"

static const struct machine_policy policy = {.rise = 2, .fall = 3};
static const struct outcome good = {REASON_NONE, SEVERITY_NONE, false};
static const struct outcome soft = {REASON_GREETING_TIMEOUT, SEVERITY_DOWN, false};
static const struct outcome hard = {REASON_CONNECTION_REFUSED, SEVERITY_DOWN, true};
static const struct outcome slow = {REASON_SLOW, SEVERITY_DEGRADED, false};
static const struct outcome ours = {REASON_LOCAL_ERROR, SEVERITY_NONE, false};

static struct check fresh(void)
{
	return (struct check){.state = STATE_UNKNOWN};
}

static bool apply(struct check *check, const struct outcome *outcome, int64_t now_ms)
{
	return machine_apply(check, &policy, outcome, now_ms);
}

START_TEST(unknown_comes_up_with_the_first_success)
{
	struct check check = fresh();

	ck_assert(apply(&check, &good, 1000));
	ck_assert_int_eq(check.state, STATE_UP);
	ck_assert_int_eq(check.reason, REASON_NONE);
	ck_assert_int_eq(check.since_ms, 1000);
	ck_assert(machine_is_settled(&check));
}
END_TEST

START_TEST(soft_failures_need_fall_in_a_row)
{
	struct check check = fresh();

	apply(&check, &good, 1000);
	ck_assert(!apply(&check, &soft, 2000));
	ck_assert(!apply(&check, &soft, 3000));
	ck_assert_int_eq(check.state, STATE_UP);
	ck_assert(!machine_is_settled(&check));
	ck_assert(apply(&check, &soft, 4000));
	ck_assert_int_eq(check.state, STATE_DOWN);
	ck_assert_int_eq(check.reason, REASON_GREETING_TIMEOUT);
	ck_assert_int_eq(check.since_ms, 4000);
}
END_TEST

START_TEST(a_success_between_starts_the_count_anew)
{
	struct check check = fresh();

	apply(&check, &soft, 1000);
	apply(&check, &soft, 2000);
	apply(&check, &good, 3000);
	apply(&check, &soft, 4000);
	apply(&check, &soft, 5000);
	ck_assert_int_eq(check.state, STATE_UP);
	apply(&check, &soft, 6000);
	ck_assert_int_eq(check.state, STATE_DOWN);
}
END_TEST

START_TEST(soft_failures_of_an_unknown_hop_keep_it_unknown_until_fall)
{
	struct check check = fresh();

	apply(&check, &soft, 1000);
	apply(&check, &soft, 2000);
	ck_assert_int_eq(check.state, STATE_UNKNOWN);
	ck_assert(!machine_is_settled(&check));
	apply(&check, &soft, 3000);
	ck_assert_int_eq(check.state, STATE_DOWN);
}
END_TEST

START_TEST(a_hard_failure_needs_no_second_opinion)
{
	struct check check = fresh();

	apply(&check, &good, 1000);
	ck_assert(apply(&check, &hard, 2000));
	ck_assert_int_eq(check.state, STATE_DOWN);
}
END_TEST

START_TEST(down_ends_after_rise_successes)
{
	struct check check = fresh();

	apply(&check, &hard, 1000);
	ck_assert(!apply(&check, &good, 2000));
	ck_assert_int_eq(check.state, STATE_DOWN);
	ck_assert(!machine_is_settled(&check));
	ck_assert(apply(&check, &good, 3000));
	ck_assert_int_eq(check.state, STATE_UP);
	ck_assert_int_eq(check.since_ms, 3000);
}
END_TEST

START_TEST(a_failure_between_delays_the_rise)
{
	struct check check = fresh();

	apply(&check, &hard, 1000);
	apply(&check, &good, 2000);
	apply(&check, &soft, 3000);
	ck_assert_int_eq(check.state, STATE_DOWN);
	apply(&check, &good, 4000);
	ck_assert_int_eq(check.state, STATE_DOWN);
	apply(&check, &good, 5000);
	ck_assert_int_eq(check.state, STATE_UP);
}
END_TEST

START_TEST(rise_of_one_ends_down_at_once)
{
	const struct machine_policy local = {.rise = 1, .fall = 3};
	struct check check = fresh();

	machine_apply(&check, &local, &hard, 1000);
	ck_assert(machine_apply(&check, &local, &good, 1001));
	ck_assert_int_eq(check.state, STATE_UP);
}
END_TEST

START_TEST(a_new_reason_while_down_changes_the_reason_but_not_since)
{
	struct check check = fresh();

	apply(&check, &hard, 1000);
	ck_assert(apply(&check, &soft, 2000));
	ck_assert_int_eq(check.state, STATE_DOWN);
	ck_assert_int_eq(check.reason, REASON_GREETING_TIMEOUT);
	ck_assert_int_eq(check.since_ms, 1000);
}
END_TEST

START_TEST(degraded_comes_and_goes_at_once)
{
	struct check check = fresh();

	ck_assert(apply(&check, &slow, 1000));
	ck_assert_int_eq(check.state, STATE_DEGRADED);
	ck_assert_int_eq(check.reason, REASON_SLOW);
	ck_assert(apply(&check, &good, 2000));
	ck_assert_int_eq(check.state, STATE_UP);
}
END_TEST

START_TEST(down_does_not_end_with_one_degraded_result)
{
	struct check check = fresh();

	apply(&check, &hard, 1000);
	apply(&check, &slow, 2000);
	ck_assert_int_eq(check.state, STATE_DOWN);
	apply(&check, &slow, 3000);
	ck_assert_int_eq(check.state, STATE_DEGRADED);
}
END_TEST

START_TEST(our_own_error_is_never_held_against_the_hop)
{
	struct check check = fresh();

	apply(&check, &hard, 1000);
	ck_assert(apply(&check, &ours, 2000));
	ck_assert_int_eq(check.state, STATE_UNKNOWN);
	ck_assert_int_eq(check.reason, REASON_LOCAL_ERROR);
	/* Neither do failures from before it count any more. */
	apply(&check, &soft, 3000);
	ck_assert(!machine_is_settled(&check));
	apply(&check, &soft, 4000);
	ck_assert_int_eq(check.state, STATE_UNKNOWN);
}
END_TEST

START_TEST(no_result_for_three_intervals_is_stale)
{
	struct check check = fresh();

	ck_assert(!machine_is_stale(&check, 10000, 0, 1000000));
	apply(&check, &good, 1000);
	ck_assert(!machine_is_stale(&check, 10000, 0, 31000));
	ck_assert(machine_is_stale(&check, 10000, 0, 31001));
	/* A probe that may still answer holds it off. */
	ck_assert(!machine_is_stale(&check, 10000, 40000, 31001));
	ck_assert(machine_is_stale(&check, 10000, 40000, 40001));
}
END_TEST

START_TEST(states_are_ordered_by_how_bad_they_are)
{
	ck_assert_int_lt(STATE_UP, STATE_UNKNOWN);
	ck_assert_int_lt(STATE_UNKNOWN, STATE_DEGRADED);
	ck_assert_int_lt(STATE_DEGRADED, STATE_DOWN);
	ck_assert_int_lt(STATE_DOWN, STATE_FORCED_DOWN);
}
END_TEST

START_TEST(every_reason_has_its_own_token_and_a_code)
{
	for (int reason = 0; reason < REASON_COUNT; reason++) {
		ck_assert_int_eq(reason_from_token(reason_token((enum reason)reason)), reason);
		ck_assert_int_eq(reason_code((enum reason)reason)[0], '4');
		ck_assert_ptr_nonnull(reason_text((enum reason)reason));
	}
	ck_assert_int_eq(reason_from_token("no-such-reason"), REASON_COUNT);
	ck_assert_str_eq(reason_code(REASON_CONNECTION_REFUSED), "4.4.1");
	ck_assert_str_eq(reason_code(REASON_DNS_NOT_FOUND), "4.4.4");
}
END_TEST

START_TEST(what_the_log_says_counts_as_one_failure)
{
	struct check check = fresh();

	apply(&check, &good, 1000);
	ck_assert(machine_accuse(&check, &policy));
	ck_assert_int_eq(check.state, STATE_UP);
	ck_assert(!machine_is_settled(&check));
	ck_assert(!apply(&check, &soft, 2000));
	ck_assert(apply(&check, &soft, 3000));
	ck_assert_int_eq(check.state, STATE_DOWN);
	ck_assert_int_eq(check.since_ms, 3000);
}
END_TEST

START_TEST(a_hundred_lines_between_two_probes_count_as_one)
{
	struct check check = fresh();

	apply(&check, &good, 1000);
	ck_assert(machine_accuse(&check, &policy));
	for (int i = 0; i < 99; i++)
		ck_assert(!machine_accuse(&check, &policy));
	ck_assert_uint_eq(check.failures, 1);
	ck_assert(!apply(&check, &soft, 2000));
	ck_assert_int_eq(check.state, STATE_UP);
}
END_TEST

START_TEST(the_failure_that_decides_is_a_probes)
{
	static const unsigned falls[] = {1, 2, 3};
	struct machine_policy strict = {.rise = 1, .fall = falls[_i]};
	struct check check = fresh();

	machine_apply(&check, &strict, &good, 1000);
	for (unsigned i = 1; i < falls[_i]; i++) {
		machine_accuse(&check, &strict);
		ck_assert_int_eq(check.state, STATE_UP);
		ck_assert_uint_lt(check.failures, falls[_i]);
		if (i + 1 < falls[_i])
			machine_apply(&check, &strict, &soft, 1000 + i);
	}
	ck_assert(!machine_accuse(&check, &strict));
	ck_assert_int_eq(check.state, STATE_UP);
	ck_assert(machine_apply(&check, &strict, &soft, 2000));
	ck_assert_int_eq(check.state, STATE_DOWN);
}
END_TEST

START_TEST(a_probe_that_succeeds_clears_what_the_log_said)
{
	struct check check = fresh();

	apply(&check, &good, 1000);
	machine_accuse(&check, &policy);
	apply(&check, &good, 2000);
	ck_assert_uint_eq(check.failures, 0);
	ck_assert(machine_is_settled(&check));
}
END_TEST

START_TEST(what_is_down_hears_no_more_of_it)
{
	struct check check = fresh();

	apply(&check, &hard, 1000);
	apply(&check, &good, 2000);
	ck_assert(!machine_accuse(&check, &policy));
	ck_assert_uint_eq(check.successes, 1);
	ck_assert(apply(&check, &good, 3000));
	ck_assert_int_eq(check.state, STATE_UP);
}
END_TEST

/* fall - down and back again, n times, ten seconds each way; the time after that */
static int64_t fall(struct check *check, int64_t now_ms, int times)
{
	static const struct machine_policy quick = {.rise = 1, .fall = 1};

	for (int i = 0; i < times; i++) {
		machine_apply(check, &quick, &soft, now_ms += 10000);
		machine_apply(check, &quick, &good, now_ms += 10000);
	}
	return now_ms;
}

START_TEST(three_falls_are_flapping)
{
	struct check check = fresh();
	int64_t now_ms;

	apply(&check, &good, 1000);
	now_ms = fall(&check, 1000, FLAP_FALLS - 1);
	ck_assert_int_eq(check.state, STATE_UP);
	now_ms = fall(&check, now_ms, 1);
	ck_assert_int_eq(check.state, STATE_DEGRADED);
	ck_assert_int_eq(check.reason, REASON_FLAPPING);
	ck_assert(machine_is_settled(&check));
	ck_assert(!machine_is_failing(&check));
	apply(&check, &good, now_ms + FLAP_QUIET_MS);
	ck_assert_int_eq(check.state, STATE_UP);
}
END_TEST

START_TEST(one_that_is_held_says_whether_it_fails_and_is_decided)
{
	struct check check = fresh();
	int64_t now_ms;

	apply(&check, &good, 1000);
	now_ms = fall(&check, 1000, FLAP_FALLS);
	apply(&check, &soft, now_ms + 1000);
	apply(&check, &soft, now_ms + 2000);
	ck_assert(!machine_is_failing(&check));
	ck_assert(!machine_is_settled(&check));
	apply(&check, &soft, now_ms + 3000);
	ck_assert_int_eq(check.state, STATE_DEGRADED);
	ck_assert(machine_is_failing(&check));
	ck_assert(machine_is_settled(&check));
	apply(&check, &good, now_ms + 4000);
	ck_assert(machine_is_failing(&check));
	ck_assert(!machine_is_settled(&check));
	apply(&check, &soft, now_ms + 3000 + FLAP_QUIET_MS);
	ck_assert_int_eq(check.state, STATE_DOWN);
	ck_assert_int_eq(check.since_ms, now_ms + 3000 + FLAP_QUIET_MS);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, unknown_comes_up_with_the_first_success);
	tcase_add_test(tcase, soft_failures_need_fall_in_a_row);
	tcase_add_test(tcase, a_success_between_starts_the_count_anew);
	tcase_add_test(tcase, soft_failures_of_an_unknown_hop_keep_it_unknown_until_fall);
	tcase_add_test(tcase, a_hard_failure_needs_no_second_opinion);
	tcase_add_test(tcase, down_ends_after_rise_successes);
	tcase_add_test(tcase, a_failure_between_delays_the_rise);
	tcase_add_test(tcase, rise_of_one_ends_down_at_once);
	tcase_add_test(tcase, a_new_reason_while_down_changes_the_reason_but_not_since);
	tcase_add_test(tcase, degraded_comes_and_goes_at_once);
	tcase_add_test(tcase, down_does_not_end_with_one_degraded_result);
	tcase_add_test(tcase, our_own_error_is_never_held_against_the_hop);
	tcase_add_test(tcase, no_result_for_three_intervals_is_stale);
	tcase_add_test(tcase, states_are_ordered_by_how_bad_they_are);
	tcase_add_test(tcase, every_reason_has_its_own_token_and_a_code);
	tcase_add_test(tcase, what_the_log_says_counts_as_one_failure);
	tcase_add_test(tcase, a_hundred_lines_between_two_probes_count_as_one);
	tcase_add_loop_test(tcase, the_failure_that_decides_is_a_probes, 0, 3);
	tcase_add_test(tcase, a_probe_that_succeeds_clears_what_the_log_said);
	tcase_add_test(tcase, what_is_down_hears_no_more_of_it);
	tcase_add_test(tcase, three_falls_are_flapping);
	tcase_add_test(tcase, one_that_is_held_says_whether_it_fails_and_is_decided);
}

int main(void)
{
	return suite_run("machine", add);
}
