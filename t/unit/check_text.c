/*
 * check_text - texts that grow, and what is let into them
 */
#include "base/text.h"

#include "suite.h"

#include <string.h>

static const char *escape(char byte)
{
	return byte == '"' ? "\\\"" : byte == '\\' ? "\\\\" : NULL;
}

static const char *nothing(char byte)
{
	(void)byte;
	return NULL;
}

static void assert_clean(const char *words, const char *(*how)(char), const char *expected)
{
	struct text text = {0};

	text_clean(&text, words, how);
	text_add(&text, "", 1);
	ck_assert_str_eq(text.bytes, expected);
	text_free(&text);
}

START_TEST(it_grows_as_it_is_written)
{
	struct text text = {0};

	for (unsigned i = 0; i < 10000; i++)
		text_number(&text, 1234567890123);
	text_say(&text, "x");
	text_print(&text, "%d%s", 7, "y");
	ck_assert(!text.is_short);
	ck_assert_uint_eq(text.used, 10000 * 13 + 3);
	ck_assert_mem_eq(text.bytes, "12345678901231234567890123", 26);
	ck_assert_mem_eq(text.bytes + text.used - 3, "x7y", 3);
	text_free(&text);
	ck_assert_ptr_null(text.bytes);
}
END_TEST

START_TEST(numbers_are_whole)
{
	struct text text = {0};

	text_number(&text, 0);
	text_say(&text, " ");
	text_number(&text, UINT64_MAX);
	text_add(&text, "", 1);
	ck_assert_str_eq(text.bytes, "0 18446744073709551615");
	text_free(&text);
}
END_TEST

START_TEST(what_is_escaped_is_told_by_the_caller)
{
	assert_clean("a\"b\\c", escape, "a\\\"b\\\\c");
	assert_clean("a\"b\\c", nothing, "a\"b\\c");
}
END_TEST

START_TEST(what_is_no_text_is_spelled_out)
{
	assert_clean("a\nb\x01\x7f", nothing, "a\\x0ab\\x01\\x7f");
	assert_clean("\xff\xc3", escape, "\\\\xff\\\\xc3");
	/* overlong, a surrogate, beyond U+10FFFF, a C1 control, a start without its rest */
	assert_clean("\xc0\xaf", nothing, "\\xc0\\xaf");
	assert_clean("\xe0\x80\xaf", nothing, "\\xe0\\x80\\xaf");
	assert_clean("\xed\xa0\x80", nothing, "\\xed\\xa0\\x80");
	assert_clean("\xf4\x90\x80\x80", nothing, "\\xf4\\x90\\x80\\x80");
	assert_clean("\xc2\x85", nothing, "\\xc2\\x85");
	assert_clean("\xe2\x82", nothing, "\\xe2\\x82");
}
END_TEST

START_TEST(letters_of_all_the_world_pass)
{
	assert_clean("Gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x93\xac", nothing,
		"Gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x93\xac");
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, it_grows_as_it_is_written);
	tcase_add_test(tcase, numbers_are_whole);
	tcase_add_test(tcase, what_is_escaped_is_told_by_the_caller);
	tcase_add_test(tcase, what_is_no_text_is_spelled_out);
	tcase_add_test(tcase, letters_of_all_the_world_pass);
}

int main(void)
{
	return suite_run("text", add);
}
