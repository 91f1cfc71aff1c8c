/*
 * check_smtp_reply - replies whole and in pieces, good and bad
 */
#include "probe/smtp_reply.h"

#include "suite.h"

#include <stdlib.h>
#include <string.h>

static struct smtp_reply reply;

/* feed - in pieces of at most step bytes, until the reply ends; *used: bytes taken */
static enum smtp_reply_status feed(const char *bytes, size_t count, size_t step, size_t *used)
{
	enum smtp_reply_status status = SMTP_REPLY_MORE;

	smtp_reply_start(&reply);
	*used = 0;
	while (*used < count && status != SMTP_REPLY_COMPLETE && status != SMTP_REPLY_OVERFLOW) {
		size_t some, piece = count - *used < step ? count - *used : step;

		status = smtp_reply_feed(&reply, bytes + *used, piece, &some);
		/* Not ck_assert(), which writes to a pipe a million times. */
		if (some == 0 || some > piece)
			ck_abort_msg("%zu of %zu bytes used", some, piece);
		*used += some;
	}
	return status;
}

static const struct {
	const char *bytes;
	unsigned code;
	const char *text;
} complete[] = {
	{"220 mx ESMTP\r\n", 220, "220 mx ESMTP"},
	{"220\r\n", 220, "220"},
	{"220 \n", 220, "220 "},
	{"220-\r\n220 mx\r\n", 220, "220-"},
	{"220-banner\n220-\n220 mx\n", 220, "220-banner"},
	{"250-mx\r\n250-SIZE 10\r\n250 HELP\r\n", 250, "250-mx"},
	{"220-mx\r\n550 5.7.1 blocked\r\n", 550, "550 5.7.1 blocked"},
	{"554-5.7.1 first\r\n554 second\r\n", 554, "554-5.7.1 first"},
	{"220 mx\r\r\n", 220, "220 mx"},
	/* what is no reply line is skipped, as smtp(8) does */
	{"hello\r\n220 mx\r\n", 220, "220 mx"},
	{"\r\n220 mx\r\n", 220, "220 mx"},
	{"2200 mx\r\n22 mx\r\n220x\r\n220 mx\r\n", 220, "220 mx"},
	{"220-mx\r\nstray\r\n220 ok\r\n", 220, "220-mx"},
	{"300 odd\r\n", 300, "300 odd"},
	{"000 odder\r\n", 0, "000 odder"},
	{"220 b\303\274\001\033[1m\r\n", 220, "220 b????[1m"},
};

START_TEST(replies_are_the_same_however_they_are_cut)
{
	const char *bytes = complete[_i].bytes;

	for (size_t step = 1; step <= strlen(bytes); step++) {
		size_t used;

		ck_assert_int_eq(feed(bytes, strlen(bytes), step, &used), SMTP_REPLY_COMPLETE);
		ck_assert_uint_eq(used, strlen(bytes));
		ck_assert_uint_eq(reply.code, complete[_i].code);
		ck_assert_str_eq(reply.text, complete[_i].text);
	}
}
END_TEST

START_TEST(what_follows_a_reply_is_left)
{
	static const char bytes[] = "220 mx\r\n250 early\r\n";
	size_t used;

	ck_assert_int_eq(feed(bytes, strlen(bytes), sizeof bytes, &used), SMTP_REPLY_COMPLETE);
	ck_assert_uint_eq(used, strlen("220 mx\r\n"));
}
END_TEST

START_TEST(an_unfinished_reply_wants_more)
{
	static const char *const bytes[] = {"2", "220", "220 mx", "220 mx\r", "220-mx\r\n220 x"};

	for (size_t at = 0; at < sizeof bytes / sizeof bytes[0]; at++) {
		size_t used;

		ck_assert_int_eq(
			feed(bytes[at], strlen(bytes[at]), sizeof bytes, &used), SMTP_REPLY_MORE);
		ck_assert(!smtp_reply_is_foreign(&reply));
	}
}
END_TEST

START_TEST(another_protocol_is_recognized)
{
	static const char bytes[] = "SSH-2.0-OpenSSH_9.2\r\nmore\r\n";
	size_t used;

	ck_assert_int_eq(feed(bytes, strlen(bytes), 7, &used), SMTP_REPLY_LINE);
	ck_assert(smtp_reply_is_foreign(&reply));
	ck_assert_str_eq(reply.text, "SSH-2.0-OpenSSH_9.2");
}
END_TEST

START_TEST(a_nul_ends_what_is_seen_of_its_line)
{
	static const char bytes[] = "220-a\0b\r\n220 c\0\r\n";
	size_t used;

	ck_assert_int_eq(feed(bytes, sizeof bytes - 1, 3, &used), SMTP_REPLY_COMPLETE);
	ck_assert_str_eq(reply.text, "220-a");
	ck_assert_str_eq(reply.line, "220 c");
	ck_assert_int_eq(feed("2\0"
			      "20 x\n",
				 7, 7, &used),
		SMTP_REPLY_LINE);
	ck_assert(smtp_reply_is_foreign(&reply));
}
END_TEST

START_TEST(a_line_of_100_kb_is_kept_in_part)
{
	enum { BYTES = 100 * 1024 };
	char *bytes = malloc(BYTES);
	size_t used;

	memset(bytes, 'x', BYTES);
	memcpy(bytes, "220 ", 4);
	bytes[BYTES - 1] = '\n';
	ck_assert_int_eq(feed(bytes, BYTES, 4096, &used), SMTP_REPLY_COMPLETE);
	ck_assert_uint_eq(reply.code, 220);
	ck_assert_uint_eq(strlen(reply.text), SMTP_REPLY_LINE_BYTES - 1);
	free(bytes);
}
END_TEST

START_TEST(ten_thousand_lines_are_one_reply)
{
	enum { LINES = 10000, LINE = 7 };
	char *bytes = malloc(LINES * LINE);
	size_t used;

	for (size_t at = 0; at < LINES; at++)
		memcpy(bytes + at * LINE, "220-x\r\n", LINE);
	bytes[(LINES - 1) * LINE + 3] = ' ';
	ck_assert_int_eq(feed(bytes, LINES * LINE, 1000, &used), SMTP_REPLY_COMPLETE);
	ck_assert_uint_eq(reply.lines, LINES);
	free(bytes);
}
END_TEST

START_TEST(an_endless_reply_overflows)
{
	static const char *const unit[] = {"220-x\r\n", "x", "\n", "220"};
	size_t bytes = SMTP_REPLY_LIMIT_BYTES + 100;
	char *flood = malloc(bytes);
	size_t used;

	for (size_t at = 0; at < bytes; at++)
		flood[at] = unit[_i][at % strlen(unit[_i])];
	ck_assert_int_eq(feed(flood, bytes, 4096, &used), SMTP_REPLY_OVERFLOW);
	free(flood);
}
END_TEST

START_TEST(no_bytes_change_nothing)
{
	size_t used = 1;

	smtp_reply_start(&reply);
	ck_assert_int_eq(smtp_reply_feed(&reply, NULL, 0, &used), SMTP_REPLY_MORE);
	ck_assert_uint_eq(used, 0);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, replies_are_the_same_however_they_are_cut, 0,
		sizeof complete / sizeof complete[0]);
	tcase_add_test(tcase, what_follows_a_reply_is_left);
	tcase_add_test(tcase, an_unfinished_reply_wants_more);
	tcase_add_test(tcase, another_protocol_is_recognized);
	tcase_add_test(tcase, a_nul_ends_what_is_seen_of_its_line);
	tcase_add_test(tcase, a_line_of_100_kb_is_kept_in_part);
	tcase_add_test(tcase, ten_thousand_lines_are_one_reply);
	tcase_add_loop_test(tcase, an_endless_reply_overflows, 0, 4);
	tcase_add_test(tcase, no_bytes_change_nothing);
}

int main(void)
{
	return suite_run("smtp_reply", add);
}
