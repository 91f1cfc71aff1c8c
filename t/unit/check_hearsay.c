/*
 * check_hearsay - when the log makes probes come sooner or later, on invented time
 */
#include "probe/hearsay.h"

#include "suite.h"

enum { LEAST = 1000, MOST = 10000 };

static struct hearsay hearsay;
static bool is_new;

static void setup(void)
{
	hearsay = (struct hearsay){0};
	hearsay_result(&hearsay, false, true, 100000);
}

static int64_t fails(int64_t now_ms)
{
	return hearsay_hurries(&hearsay, STATEMENT_FAILS, LEAST, MOST, now_ms, &is_new);
}

START_TEST(the_first_failure_makes_a_probe_immediate)
{
	ck_assert_int_eq(fails(105000), 0);
	ck_assert(is_new);
	ck_assert_int_eq(fails(105001), 0);
	ck_assert(!is_new);
}
END_TEST

START_TEST(not_right_after_a_probe)
{
	ck_assert_int_eq(fails(100200), LEAST - 200);
}
END_TEST

START_TEST(probes_that_contradict_the_log_come_less_and_less_often)
{
	static const int64_t gaps[] = {1000, 2000, 4000, 8000, 10000, 10000};
	int64_t now_ms = 100000;

	for (size_t i = 0; i < sizeof gaps / sizeof *gaps; i++) {
		ck_assert_int_eq(fails(now_ms), gaps[i]);
		now_ms += gaps[i];
		hearsay_result(&hearsay, false, true, now_ms);
	}
}
END_TEST

START_TEST(without_news_the_log_is_believed_again)
{
	fails(100000);
	hearsay_result(&hearsay, false, true, 101000);
	hearsay_result(&hearsay, false, true, 111000);
	ck_assert_int_eq(fails(111000), LEAST);
}
END_TEST

START_TEST(a_probe_that_bears_it_out_costs_no_trust)
{
	fails(105000);
	hearsay_result(&hearsay, false, false, 105000); /* the first of three failures */
	ck_assert_int_eq(fails(105000), LEAST);
	hearsay_result(&hearsay, true, true, 106000);
	ck_assert_int_eq(fails(106000), LEAST);
}
END_TEST

START_TEST(deliveries_of_a_hop_that_is_down_are_doubted_the_same_way)
{
	hearsay_result(&hearsay, true, true, 100000);
	ck_assert_int_eq(
		hearsay_hurries(&hearsay, STATEMENT_WORKS, LEAST, MOST, 105000, &is_new), 0);
	hearsay_result(&hearsay, true, true, 105000);
	ck_assert_int_eq(
		hearsay_hurries(&hearsay, STATEMENT_WORKS, LEAST, MOST, 105000, &is_new), 2 * LEAST);
}
END_TEST

START_TEST(an_interval_shorter_than_the_least_is_the_least)
{
	ck_assert_int_eq(
		hearsay_hurries(&hearsay, STATEMENT_FAILS, 500, 200, 100000, &is_new), 200);
}
END_TEST

START_TEST(success_puts_a_probe_off_but_not_for_ever)
{
	int64_t last_ms = 0;

	for (int64_t now_ms = 100000; now_ms < 200000; now_ms += 100)
		if (hearsay_puts_off(&hearsay, MOST, now_ms))
			last_ms = now_ms;
	ck_assert_int_ge(last_ms, 100000 + MOST);
	ck_assert_int_lt(last_ms, 100000 + MOST + MOST / 2);
}
END_TEST

START_TEST(a_busy_log_does_not_move_the_timer_for_each_line)
{
	unsigned moved = 0;

	for (int64_t now_ms = 100000; now_ms < 100000 + MOST; now_ms++)
		moved += hearsay_puts_off(&hearsay, MOST, now_ms);
	ck_assert_uint_ge(moved, 10);
	ck_assert_uint_le(moved, 20);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, the_first_failure_makes_a_probe_immediate);
	tcase_add_test(tcase, not_right_after_a_probe);
	tcase_add_test(tcase, probes_that_contradict_the_log_come_less_and_less_often);
	tcase_add_test(tcase, without_news_the_log_is_believed_again);
	tcase_add_test(tcase, a_probe_that_bears_it_out_costs_no_trust);
	tcase_add_test(tcase, deliveries_of_a_hop_that_is_down_are_doubted_the_same_way);
	tcase_add_test(tcase, an_interval_shorter_than_the_least_is_the_least);
	tcase_add_test(tcase, success_puts_a_probe_off_but_not_for_ever);
	tcase_add_test(tcase, a_busy_log_does_not_move_the_timer_for_each_line);
}

int main(void)
{
	return suite_run("hearsay", add);
}
