/*
 * check_heartbeat - when an engine hangs, and what a report of a reload says
 */
#include "heartbeat.h"
#include "reload_report.h"

#include "suite.h"

#include <stdio.h>
#include <string.h>

/* ticks - so many in a row, each in time; how many of them say that it hangs */
static unsigned ticks(struct heartbeat *pulse, unsigned count)
{
	unsigned hangs = 0;

	while (count-- > 0)
		hangs += heartbeat_tick(pulse, pulse->tick_ms);
	return hangs;
}

START_TEST(one_that_beats_never_hangs)
{
	struct heartbeat pulse;

	heartbeat_start(&pulse, 1000);
	for (int i = 0; i < 1000; i++) {
		ck_assert_uint_eq(ticks(&pulse, HEARTBEAT_LIMIT - 1), 0);
		heartbeat_beat(&pulse);
		ck_assert(!heartbeat_is_weak(&pulse));
	}
}
END_TEST

START_TEST(one_that_is_silent_hangs_and_is_told_again)
{
	struct heartbeat pulse;

	heartbeat_start(&pulse, 1000);
	heartbeat_beat(&pulse);
	ck_assert_uint_eq(ticks(&pulse, HEARTBEAT_LIMIT - 1), 0);
	ck_assert(heartbeat_is_weak(&pulse));
	ck_assert_uint_eq(ticks(&pulse, 1), 1);
	ck_assert_uint_eq(ticks(&pulse, HEARTBEAT_LIMIT), 1);
}
END_TEST

START_TEST(one_that_starts_has_more_time)
{
	struct heartbeat pulse;

	heartbeat_start(&pulse, 1000);
	ck_assert_uint_eq(ticks(&pulse, HEARTBEAT_START_LIMIT - 1), 0);
	ck_assert(!heartbeat_is_weak(&pulse));
	ck_assert_uint_eq(ticks(&pulse, 1), 1);
}
END_TEST

START_TEST(a_host_that_stood_still_counts_once)
{
	struct heartbeat pulse;

	heartbeat_start(&pulse, 1000);
	heartbeat_beat(&pulse);
	/* An hour later: the tick is late, and the next one is not at once. */
	ck_assert(!heartbeat_tick(&pulse, 3600000));
	ck_assert_int_eq(pulse.tick_ms, 3600000 + HEARTBEAT_TICK_MS);
}
END_TEST

START_TEST(a_report_arrives_as_it_was_written)
{
	static struct reload_answer answer;
	struct reload_report report = {0};
	char *block;
	size_t bytes;

	reload_report_add(&report, "x.conf:3: tag = \"some\": expected never");
	reload_report_add(&report, "");
	block = reload_report_pack(&report, 4000000000u, false, &bytes);
	ck_assert(reload_report_unpack(block, bytes, &answer));
	ck_assert_uint_eq(answer.number, 4000000000u);
	ck_assert(!answer.is_good);
	ck_assert_uint_eq(answer.count, 2);
	ck_assert_str_eq(answer.line[0], "x.conf:3: tag = \"some\": expected never");
	ck_assert_str_eq(answer.line[1], "");
	for (size_t length = 0; length < bytes; length++)
		if (length > 0 && block[length - 1] != '\0')
			ck_assert(!reload_report_unpack(block, length, &answer));
	free(block);
	reload_report_free(&report);
	block = reload_report_pack(&report, 1, true, &bytes);
	ck_assert(reload_report_unpack(block, bytes, &answer));
	ck_assert(answer.is_good && answer.count == 0);
	free(block);
}
END_TEST

START_TEST(a_report_is_bounded)
{
	static struct reload_answer answer;
	struct reload_report report = {0};
	char *block;
	size_t bytes;

	for (int i = 0; i < 2 * RELOAD_REPORT_LINES; i++)
		reload_report_add(&report, "wrong");
	block = reload_report_pack(&report, 1, false, &bytes);
	ck_assert(reload_report_unpack(block, bytes, &answer));
	ck_assert_uint_eq(answer.count, RELOAD_REPORT_LINES);
	free(block);
	reload_report_free(&report);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, one_that_beats_never_hangs);
	tcase_add_test(tcase, one_that_is_silent_hangs_and_is_told_again);
	tcase_add_test(tcase, one_that_starts_has_more_time);
	tcase_add_test(tcase, a_host_that_stood_still_counts_once);
	tcase_add_test(tcase, a_report_arrives_as_it_was_written);
	tcase_add_test(tcase, a_report_is_bounded);
}

int main(void)
{
	return suite_run("heartbeat", add);
}
