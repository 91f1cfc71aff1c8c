/*
 * check_tail - lines of a file that grows, is cut short, and holds odd things
 */
#include "base/tail.h"

#include "suite.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[] = "/tmp/check_tail.XXXXXX";
static int writer;
static struct tail *tail;
static char seen[1024];
static size_t longest;

static void note(void *arg, const char *line, size_t length)
{
	size_t used = strlen(seen);

	(void)arg;
	if (length > longest)
		longest = length;
	if (length < 64)
		(void)snprintf(seen + used, sizeof seen - used, "%.*s|", (int)length, line);
}

static void add_text(const char *text)
{
	ck_assert_int_eq(write(writer, text, strlen(text)), (ssize_t)strlen(text));
}

/* take - everything that is there now */
static const char *take(void)
{
	seen[0] = '\0';
	while (tail_step(tail, note, NULL) == TAIL_MORE)
		;
	return seen;
}

static void setup(void)
{
	(void)strcpy(path, "/tmp/check_tail.XXXXXX");
	writer = mkstemp(path);
	ck_assert_int_ge(writer, 0);
	tail = NULL;
	longest = 0;
}

/* begin - follow what the test has written */
static void begin(bool is_at_end)
{
	FILE *fp = fopen(path, "r");

	tail = tail_new(dup(fileno(fp)), is_at_end);
	fclose(fp);
}

static void teardown(void)
{
	tail_free(tail);
	close(writer);
	unlink(path);
}

START_TEST(what_is_there_already_is_skipped_when_told)
{
	add_text("old\n");
	begin(true);
	ck_assert_str_eq(take(), "");
	add_text("new\nnewer\n");
	ck_assert_str_eq(take(), "new|newer|");
	ck_assert_str_eq(take(), "");
}
END_TEST

START_TEST(a_new_file_is_read_from_its_start)
{
	add_text("first\nsecond\n");
	begin(false);
	ck_assert_str_eq(take(), "first|second|");
}
END_TEST

START_TEST(a_line_comes_when_it_is_whole)
{
	begin(false);
	add_text("one");
	ck_assert_str_eq(take(), "");
	add_text(" and");
	ck_assert_str_eq(take(), "");
	add_text(" a half\nnext");
	ck_assert_str_eq(take(), "one and a half|");
	add_text("\n\n");
	ck_assert_str_eq(take(), "next||");
}
END_TEST

START_TEST(the_end_of_a_line_whose_start_was_not_seen_is_left_out)
{
	add_text("somebody writes this");
	begin(true);
	add_text(" in two pieces\nwhole\n");
	ck_assert_str_eq(take(), "whole|");
}
END_TEST

START_TEST(a_file_that_was_cut_is_read_from_its_start)
{
	add_text("a line that is long\nan");
	begin(false);
	ck_assert_str_eq(take(), "a line that is long|");
	ck_assert_int_eq(ftruncate(writer, 0), 0);
	ck_assert_int_eq(lseek(writer, 0, SEEK_SET), 0);
	add_text("short\n");
	ck_assert_str_eq(take(), "short|");
}
END_TEST

START_TEST(a_line_without_end_is_left_out_and_costs_no_memory)
{
	char block[1000];

	memset(block, 'x', sizeof block - 1);
	block[sizeof block - 1] = '\0';
	begin(false);
	for (int i = 0; i < 300; i++) {
		add_text(block);
		if (i % 50 == 0)
			ck_assert_str_eq(take(), "");
	}
	add_text("\nnext\n");
	ck_assert_str_eq(take(), "next|");
	ck_assert_uint_lt(longest, TAIL_STEP_BYTES);
}
END_TEST

START_TEST(a_step_is_bounded)
{
	begin(false);
	for (int i = 0; i < 3 * TAIL_STEP_BYTES / 4; i++)
		add_text("abc\n");
	seen[0] = '\0';
	ck_assert_int_eq(tail_step(tail, note, NULL), TAIL_MORE);
	ck_assert_int_eq(tail_step(tail, note, NULL), TAIL_MORE);
	ck_assert_int_eq(tail_step(tail, note, NULL), TAIL_MORE);
	ck_assert_int_eq(tail_step(tail, note, NULL), TAIL_END);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, what_is_there_already_is_skipped_when_told);
	tcase_add_test(tcase, a_new_file_is_read_from_its_start);
	tcase_add_test(tcase, a_line_comes_when_it_is_whole);
	tcase_add_test(tcase, the_end_of_a_line_whose_start_was_not_seen_is_left_out);
	tcase_add_test(tcase, a_file_that_was_cut_is_read_from_its_start);
	tcase_add_test(tcase, a_line_without_end_is_left_out_and_costs_no_memory);
	tcase_add_test(tcase, a_step_is_bounded);
}

int main(void)
{
	return suite_run("tail", add);
}
