/*
 * check_depth - when a probe goes how deep, and what stays in between
 */
#include "probe/depth.h"
#include "suite.h"

#include <string.h>

static struct depth_state state;
static const struct outcome fine = {REASON_NONE, SEVERITY_NONE, false};
static const struct outcome slow = {REASON_SLOW, SEVERITY_DEGRADED, false};
static const struct outcome refused = {REASON_SERVICE_UNAVAILABLE, SEVERITY_DOWN, false};
static const struct outcome broken = {REASON_PROTOCOL_ERROR, SEVERITY_DOWN, false};
static const struct outcome rejected = {REASON_AUTH_REJECTED, SEVERITY_DOWN, true};
static const struct outcome unavailable = {REASON_AUTH_UNAVAILABLE, SEVERITY_DOWN, false};
static const struct outcome not_offered = {REASON_AUTH_UNAVAILABLE, SEVERITY_DEGRADED, false};
static const struct outcome unchecked = {REASON_LOCAL_ERROR, SEVERITY_NONE, false};

enum { NOW = 1000000, DOWN_INTERVAL_MS = 5000 };

static void setup(void)
{
	memset(&state, 0, sizeof state);
}

static void teardown(void)
{
	depth_free(&state);
}

static bool is_due(int64_t now_ms)
{
	return depth_due(&state, DEPTH_KIND_AUTH, now_ms);
}

static void record(const struct outcome *outcome, int64_t now_ms)
{
	depth_record(&state, DEPTH_KIND_AUTH, outcome, "words", DOWN_INTERVAL_MS, now_ms);
}

START_TEST(the_first_probe_goes_all_the_way)
{
	ck_assert(is_due(0));
	ck_assert(depth_due(&state, DEPTH_KIND_RECIPIENT, 0));
	ck_assert_ptr_null(depth_fault(&state, &fine));
}
END_TEST

START_TEST(one_that_is_fine_is_due_after_its_own_interval)
{
	record(&fine, NOW);
	ck_assert(!is_due(NOW + DEPTH_AUTH_MS - 1));
	ck_assert(is_due(NOW + DEPTH_AUTH_MS));
	depth_record(&state, DEPTH_KIND_RECIPIENT, &slow, "", DOWN_INTERVAL_MS, NOW);
	ck_assert(!depth_due(&state, DEPTH_KIND_RECIPIENT, NOW + DEPTH_RECIPIENT_MS - 1));
	ck_assert(depth_due(&state, DEPTH_KIND_RECIPIENT, NOW + DEPTH_RECIPIENT_MS));
	ck_assert_ptr_null(depth_fault(&state, &fine));
}
END_TEST

START_TEST(a_fault_is_confirmed_at_once_and_then_looked_at_ever_more_seldom)
{
	int64_t now_ms = NOW, delay_ms = DEPTH_RETRY_MS;

	for (int i = 1; i < DEPTH_CONFIRM; i++) {
		record(&broken, now_ms);
		ck_assert(is_due(now_ms));
	}
	for (int i = 0; i < 10; i++) {
		record(&broken, now_ms);
		ck_assert(!is_due(now_ms + delay_ms - 1));
		ck_assert(is_due(now_ms + delay_ms));
		now_ms += delay_ms;
		delay_ms = delay_ms * 2 < DEPTH_RETRY_MAX_MS ? delay_ms * 2 : DEPTH_RETRY_MAX_MS;
	}
	record(&fine, now_ms);
	ck_assert_ptr_null(depth_fault(&state, &fine));
	record(&broken, now_ms);
	ck_assert_msg(is_due(now_ms), "the count begins anew");
}
END_TEST

/* A server that says "later" is asked again as a hop that is down is: the next message must pass soon after it says yes. */
START_TEST(what_a_server_puts_off_is_looked_at_at_the_pace_of_a_hop_that_is_down)
{
	static const struct {
		int64_t after_ms, pause_ms;
	} steps[] = {{0, 0}, {1000, 0}, {2000, 4000}, {80000, 4000}, {200000, 8000}, {1500000, 48000}, {INT32_MAX, 48000}};
	static const enum depth_kind kinds[] = {DEPTH_KIND_AUTH, DEPTH_KIND_RECIPIENT};

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		int64_t now_ms = NOW + steps[i].after_ms;

		depth_record(&state, kinds[_i], &refused, "later", DOWN_INTERVAL_MS, now_ms);
		ck_assert(steps[i].pause_ms == 0 || !depth_due(&state, kinds[_i], now_ms + steps[i].pause_ms - 1));
		ck_assert(depth_due(&state, kinds[_i], now_ms + steps[i].pause_ms));
	}
	depth_record(&state, kinds[_i], &fine, "", DOWN_INTERVAL_MS, NOW);
	depth_record(&state, kinds[_i], &refused, "later", DOWN_INTERVAL_MS, NOW);
	ck_assert_msg(depth_due(&state, kinds[_i], NOW), "the count begins anew");
}
END_TEST

START_TEST(rejected_credentials_are_never_due_again)
{
	record(&rejected, NOW);
	ck_assert(!is_due(NOW));
	ck_assert(!is_due(INT64_MAX));
	ck_assert_msg(depth_recheck(&state), "the caller is to look whether they are others");
	ck_assert_msg(!is_due(INT64_MAX), "but not to try the same");
	depth_forget(&state, DEPTH_KIND_AUTH);
	ck_assert(is_due(NOW));
	ck_assert_ptr_null(depth_fault(&state, &fine));
}
END_TEST

START_TEST(what_costs_the_server_nothing_is_looked_at_with_each_probe)
{
	for (int i = 0; i < 2 * DEPTH_CONFIRM; i++) {
		record(i % 2 == 0 ? &unavailable : &not_offered, NOW);
		ck_assert(is_due(NOW));
	}
}
END_TEST

START_TEST(a_deep_fault_outlives_a_shallow_success_but_not_a_shallow_fault)
{
	const struct depth_fault *fault;

	record(&rejected, NOW);
	fault = depth_fault(&state, &fine);
	ck_assert_ptr_nonnull(fault);
	ck_assert_int_eq(fault->outcome.reason, REASON_AUTH_REJECTED);
	ck_assert(fault->outcome.is_hard);
	ck_assert_str_eq(fault->detail, "words");
	ck_assert_ptr_nonnull(depth_fault(&state, &slow));
	ck_assert_ptr_null(depth_fault(&state, &refused));
}
END_TEST

START_TEST(the_worse_of_two_deep_faults_is_told)
{
	record(&not_offered, NOW);
	ck_assert_int_eq(depth_fault(&state, &fine)->outcome.severity, SEVERITY_DEGRADED);
	ck_assert_ptr_null(depth_fault(&state, &slow));
	depth_record(&state, DEPTH_KIND_RECIPIENT, &refused, "recipient", DOWN_INTERVAL_MS, NOW);
	ck_assert_str_eq(depth_fault(&state, &fine)->detail, "recipient");
}
END_TEST

START_TEST(what_cannot_be_checked_is_told_and_due_after_a_reload)
{
	for (int i = 0; i < DEPTH_CONFIRM; i++)
		record(&unchecked, NOW);
	ck_assert_int_eq(depth_fault(&state, &fine)->outcome.reason, REASON_LOCAL_ERROR);
	ck_assert(!is_due(NOW));
	ck_assert(depth_recheck(&state));
	ck_assert(is_due(NOW));
	record(&refused, NOW);
	ck_assert_msg(!depth_recheck(&state), "a refusal keeps its pace over a reload");
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, the_first_probe_goes_all_the_way);
	tcase_add_test(tcase, one_that_is_fine_is_due_after_its_own_interval);
	tcase_add_test(tcase, a_fault_is_confirmed_at_once_and_then_looked_at_ever_more_seldom);
	tcase_add_loop_test(tcase, what_a_server_puts_off_is_looked_at_at_the_pace_of_a_hop_that_is_down, 0, 2);
	tcase_add_test(tcase, rejected_credentials_are_never_due_again);
	tcase_add_test(tcase, what_costs_the_server_nothing_is_looked_at_with_each_probe);
	tcase_add_test(tcase, a_deep_fault_outlives_a_shallow_success_but_not_a_shallow_fault);
	tcase_add_test(tcase, the_worse_of_two_deep_faults_is_told);
	tcase_add_test(tcase, what_cannot_be_checked_is_told_and_due_after_a_reload);
}

int main(void)
{
	return suite_run("depth", add);
}
