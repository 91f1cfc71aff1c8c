/*
 * check_attr - messages of Postfix, whole and in pieces, and what is none
 */
#include "postfix/attr.h"
#include "suite.h"

#include <string.h>

/* Without the NUL that C adds. */
#define TEXT(text) text, sizeof(text) - 1

static const struct {
	const char *bytes;
	size_t count;
	enum attr_status status;
	size_t used;
} cases[] = {
	{TEXT(""), ATTR_MORE, 0},
	{TEXT("\0"), ATTR_COMPLETE, 1},
	{TEXT("protocol\0delivery_request_protocol\0\0"), ATTR_COMPLETE, 36},
	{TEXT("protocol\0delivery_request_protocol\0\0flags\0"), ATTR_COMPLETE, 36},
	{TEXT("protocol\0delivery_request_protocol\0"), ATTR_MORE, 0},
	{TEXT("protocol\0delivery"), ATTR_MORE, 0},
	{TEXT("proto"), ATTR_MORE, 0},
	{TEXT("sender\0\0address\0a b\r\n\xff\0\0"), ATTR_COMPLETE, 24},
	{TEXT("protocol=anvil_protocol\n\n"), ATTR_BAD, 0},
	{TEXT("220 mx.example ESMTP\r\n"), ATTR_BAD, 0},
	{TEXT("EHLO\r\n"), ATTR_BAD, 0},
	{TEXT("name\0value\0\x7f"), ATTR_BAD, 0},
	{TEXT("\xc3\xa9\0value\0\0"), ATTR_BAD, 0},
	{TEXT("\n"), ATTR_BAD, 0},
};

START_TEST(each_input_has_its_status)
{
	size_t used = 0;

	ck_assert_int_eq(attr_scan(cases[_i].bytes, cases[_i].count, &used), cases[_i].status);
	ck_assert_uint_eq(used, cases[_i].used);
}
END_TEST

START_TEST(every_prefix_of_a_message_wants_more)
{
	size_t used = 0;

	for (size_t count = 0; count < cases[2].used; count++)
		ck_assert_int_eq(attr_scan(cases[2].bytes, count, &used), ATTR_MORE);
	ck_assert_uint_eq(used, 0);
}
END_TEST

START_TEST(a_long_name_is_bad)
{
	char name[128];
	size_t used;

	memset(name, 'n', sizeof name);
	ck_assert_int_eq(attr_scan(name, 100, &used), ATTR_MORE);
	ck_assert_int_eq(attr_scan(name, 101, &used), ATTR_BAD);
	name[100] = '\0';
	ck_assert_int_eq(attr_scan(name, 101, &used), ATTR_MORE);
}
END_TEST

START_TEST(a_message_ends_within_the_limit)
{
	static char bytes[ATTR_LIMIT_BYTES + 16];
	size_t used = 0;

	memset(bytes, 'v', sizeof bytes);
	memcpy(bytes, "name", sizeof "name");
	ck_assert_int_eq(attr_scan(bytes, ATTR_LIMIT_BYTES - 1, &used), ATTR_MORE);
	ck_assert_int_eq(attr_scan(bytes, ATTR_LIMIT_BYTES, &used), ATTR_BAD);
	ck_assert_int_eq(attr_scan(bytes, sizeof bytes, &used), ATTR_BAD);
	bytes[ATTR_LIMIT_BYTES - 1] = bytes[ATTR_LIMIT_BYTES] = '\0';
	ck_assert_int_eq(attr_scan(bytes, sizeof bytes, &used), ATTR_BAD);
	bytes[ATTR_LIMIT_BYTES - 2] = '\0';
	ck_assert_int_eq(attr_scan(bytes, sizeof bytes, &used), ATTR_COMPLETE);
	ck_assert_uint_eq(used, ATTR_LIMIT_BYTES);
}
END_TEST

START_TEST(a_value_is_found_by_its_whole_name)
{
	static const char bytes[] = "flags\0000\0transport\0flag\0nexthop\0\0flags\0002048\0";
	size_t count = sizeof bytes;

	ck_assert_str_eq(attr_value(bytes, count, "flags"), "0");
	ck_assert_str_eq(attr_value(bytes, count, "transport"), "flag");
	ck_assert_str_eq(attr_value(bytes, count, "nexthop"), "");
	ck_assert_ptr_null(attr_value(bytes, count, "flag"));
	ck_assert_ptr_null(attr_value(bytes, count, "0"));
	ck_assert_ptr_null(attr_value(bytes, count, ""));
	/* What follows an attribute of a message is a message, too. */
	ck_assert_str_eq(attr_value(bytes + 8, count - 8, "flags"), "2048");
}
END_TEST

START_TEST(a_value_is_not_looked_for_behind_the_bytes)
{
	static const char bytes[] = "one\0001\0two\0002\0";

	ck_assert_ptr_null(attr_value(bytes, 0, "one"));
	ck_assert_ptr_null(attr_value(bytes, 3, "one"));
	ck_assert_ptr_null(attr_value(bytes, 5, "one"));
	ck_assert_str_eq(attr_value(bytes, 6, "one"), "1");
	ck_assert_ptr_null(attr_value(bytes, 11, "two"));
	ck_assert_ptr_null(attr_value("\0a\0b\0", 6, "a"));
}
END_TEST

START_TEST(what_is_written_can_be_read)
{
	static const char want[] = "request\0resolve\0sender\0\0address\0a@b.example\0";
	char bytes[64];
	size_t used = 0, whole = 0;

	ck_assert(attr_append(bytes, sizeof bytes, &used, "request", "resolve"));
	ck_assert(attr_append(bytes, sizeof bytes, &used, "sender", ""));
	ck_assert(attr_append(bytes, sizeof bytes, &used, "address", "a@b.example"));
	ck_assert(attr_end(bytes, sizeof bytes, &used));
	ck_assert_uint_eq(used, sizeof want);
	ck_assert_mem_eq(bytes, want, sizeof want);
	ck_assert_int_eq(attr_scan(bytes, used, &whole), ATTR_COMPLETE);
	ck_assert_uint_eq(whole, used);
}
END_TEST

START_TEST(what_does_not_fit_changes_nothing)
{
	char bytes[12] = "...........";
	size_t used = 0;

	ck_assert(attr_append(bytes, sizeof bytes, &used, "one", "1"));
	ck_assert(!attr_append(bytes, sizeof bytes, &used, "two", "22"));
	ck_assert_uint_eq(used, 6);
	ck_assert(attr_append(bytes, sizeof bytes, &used, "two", "2"));
	ck_assert_uint_eq(used, 12);
	ck_assert(!attr_end(bytes, sizeof bytes, &used));
	ck_assert_uint_eq(used, 12);
}
END_TEST

START_TEST(a_name_that_cannot_be_read_is_not_written)
{
	static const char *const names[] = {"", "a=b", "a b", "caf\xc3\xa9", "a\n"};
	char bytes[64], name[128];
	size_t used = 0;

	ck_assert(!attr_append(bytes, sizeof bytes, &used, names[_i], "value"));
	memset(name, 'n', sizeof name);
	name[101] = '\0';
	ck_assert(!attr_append(bytes, sizeof bytes, &used, name, ""));
	ck_assert_uint_eq(used, 0);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, each_input_has_its_status, 0, sizeof cases / sizeof cases[0]);
	tcase_add_test(tcase, every_prefix_of_a_message_wants_more);
	tcase_add_test(tcase, a_long_name_is_bad);
	tcase_add_test(tcase, a_message_ends_within_the_limit);
	tcase_add_test(tcase, a_value_is_found_by_its_whole_name);
	tcase_add_test(tcase, a_value_is_not_looked_for_behind_the_bytes);
	tcase_add_test(tcase, what_is_written_can_be_read);
	tcase_add_test(tcase, what_does_not_fit_changes_nothing);
	tcase_add_loop_test(tcase, a_name_that_cannot_be_read_is_not_written, 0, 5);
}

int main(void)
{
	return suite_run("attr", add);
}
