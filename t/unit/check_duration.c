/*
 * check_duration - durations are read exactly or not at all
 */
#include "conf/duration.h"

#include "suite.h"

#include <stdlib.h>

static const struct {
	const char *text;
	int64_t ms;
	const char *shortest; /* NULL: text itself */
} good[] = {
	{"0", 0, "0s"},
	{"0d", 0, "0s"},
	{"500ms", 500, NULL},
	{"1500ms", 1500, NULL},
	{"1000ms", 1000, "1s"},
	{"10", 10000, "10s"},
	{"10s", 10000, NULL},
	{"90s", 90000, NULL},
	{"0005m", 300000, "5m"},
	{"60m", 3600000, "1h"},
	{"4h", 14400000, NULL},
	{"14d", INT64_C(1209600000), NULL},
	{"9223372036854775807ms", INT64_MAX, NULL},
	{"106751991167d", INT64_C(9223372036828800000), NULL},
};

START_TEST(a_duration_is_read_and_written)
{
	char buf[DURATION_BYTES];
	int64_t ms = -1;

	ck_assert(duration_parse(good[_i].text, &ms));
	ck_assert_int_eq(ms, good[_i].ms);
	ck_assert_str_eq(duration_format(buf, ms),
		good[_i].shortest != NULL ? good[_i].shortest : good[_i].text);
}
END_TEST

static const char *const bad[] = {"", "s", "ms", "-1s", "+1s", " 1s", "1s ", "1 s", "1.5s", "1S",
	"1w", "1h30m", "0x10", "1e3", "1mss", "9223372036854775808ms", "9223372036854775808",
	"106751991168d", "99999999999999999999999s", "\xc2\xb5s", "1\xc2\xb5s"};

START_TEST(what_is_no_duration_is_refused)
{
	int64_t ms = 42;

	ck_assert_msg(!duration_parse(bad[_i], &ms), "\"%s\" was taken", bad[_i]);
}
END_TEST

START_TEST(a_negative_duration_can_be_written)
{
	char buf[DURATION_BYTES];

	ck_assert_str_eq(duration_format(buf, -1500), "-1500ms");
	ck_assert_str_eq(duration_format(buf, -60000), "-1m");
	ck_assert_str_eq(duration_format(buf, INT64_MIN), "-9223372036854775808ms");
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(
		tcase, a_duration_is_read_and_written, 0, (int)(sizeof good / sizeof good[0]));
	tcase_add_loop_test(
		tcase, what_is_no_duration_is_refused, 0, (int)(sizeof bad / sizeof bad[0]));
	tcase_add_test(tcase, a_negative_duration_can_be_written);
}

int main(void)
{
	return suite_run("duration", add);
}
