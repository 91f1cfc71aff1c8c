/*
 * check_conf_errors - every error in a configuration is reported, with its line, and only those
 *
 * The bad files are in conf_errors/: their first lines say what must be reported ("# expect: LINE:
 * WORDS"), and nothing else may be.  A file without such lines must be accepted.
 */
#include "conf_helper.h"

#include <dirent.h>

static void assert_refused(const char *text, const char *report)
{
	ck_assert_ptr_null(parse_text(text));
	ck_assert_str_eq(reports.line[0], report);
	forget_reports();
}

START_TEST(canaries_are_understood_but_refused)
{
}
END_TEST

START_TEST(a_message_is_one_short_line)
{
	assert_refused("http = \"9895\"", "FILE:1: http = \"9895\": the port is missing; expected "
					  "HOST:PORT, [IPV6-ADDRESS]:PORT, or \"\"");
	assert_refused("probe { interval = \"1\ts\" }",
		"FILE:1: probe.interval = \"1?s\": not a duration; expected a duration from 10ms "
		"to "
		"1d");
}
END_TEST

START_TEST(more_than_a_hundred_errors_are_not_shown)
{
	FILE *fp = tmpfile();

	for (int i = 0; i < 1000; i++)
		ck_assert_int_gt(fprintf(fp, "x%d = 1\n", i), 0);
	rewind(fp);
	ck_assert_ptr_null(parse(fp, "FILE"));
	ck_assert_uint_eq(reports.count, 101);
	ck_assert_str_eq(reports.line[100], "FILE: too many errors; the rest of them is not shown");
	forget_reports();
}
END_TEST

/* megabyte - a file of one line with bytes bytes of c in the middle */
static FILE *megabyte(const char *before, size_t bytes, char c, const char *after)
{
	FILE *fp = tmpfile();
	char *middle = malloc(bytes);

	ck_assert(fp != NULL && middle != NULL);
	memset(middle, c, bytes);
	ck_assert_int_ne(fputs(before, fp), EOF);
	ck_assert_uint_eq(fwrite(middle, 1, bytes, fp), bytes);
	ck_assert_int_ne(fputs(after, fp), EOF);
	free(middle);
	rewind(fp);
	return fp;
}

START_TEST(a_line_of_a_megabyte_does_no_harm)
{
	const size_t megabytes = 1000 * 1000;

	conf_unref(parse(megabyte("# ", megabytes, '#', "\ntag = always"), "FILE"));
	ck_assert_uint_eq(reports.count, 0);
	ck_assert_ptr_null(parse(megabyte("hostname = \"", 4000, 'a', "\""), "FILE"));
	ck_assert_ptr_nonnull(strstr(reports.line[0], "\"...: the host name is too long"));
	ck_assert_ptr_null(parse(megabyte("hostname = \"", megabytes, 'a', "\""), "FILE"));
	ck_assert_ptr_nonnull(strstr(reports.line[0], "a value of more than 65536 bytes"));
	ck_assert_ptr_null(parse(megabyte("hostname = ", megabytes, 'a', ""), "FILE"));
	ck_assert_ptr_null(parse(megabyte("hostname = \"", megabytes, 'a', ""), "FILE"));
	ck_assert_ptr_null(parse(megabyte("", megabytes, '{', ""), "FILE"));
	ck_assert_ptr_null(parse(megabyte("x", megabytes, '{', ""), "FILE"));
	ck_assert_ptr_null(parse(megabyte("", 2 * megabytes, ' ', ""), "FILE"));
	ck_assert_str_eq(reports.line[0], "FILE: is too large; expected at most 1048576 bytes");
	forget_reports();
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_an_error)
{
	forget_reports();
	ck_assert_ptr_null(conf_load("/nonexistent/file", collect, &reports));
	ck_assert_str_eq(
		reports.line[0], "/nonexistent/file: cannot be opened: No such file or directory");
	ck_assert_uint_eq(reports.count, 1);
	ck_assert_ptr_null(conf_load("/", collect, &reports));
	ck_assert_str_eq(reports.line[1], "/: cannot be read: Is a directory");
	forget_reports();
}
END_TEST

static const char *conf_errors_directory(char buf[1024])
{
	const char *directory = getenv("CONF_ERRORS_DIR");
	const char *srcdir = getenv("srcdir");

	if (directory != NULL)
		return directory;
	if (srcdir == NULL)
		return "t/unit/conf_errors";
	/* automake's srcdir is that of the Makefile: the root of the tree, or t/unit. */
	(void)snprintf(buf, 1024, "%s/t/unit/conf_errors", srcdir);
	if (access(buf, R_OK) != 0)
		(void)snprintf(buf, 1024, "%s/conf_errors", srcdir);
	return buf;
}

/* is_reported - "LINE: WORDS" is among the reports */
static bool is_reported(const char *expected)
{
	char start[64];
	char *words;
	long line = strtol(expected, &words, 10);

	ck_assert_int_eq(strncmp(words, ": ", 2), 0);
	(void)snprintf(start, sizeof start, "FILE:%ld: ", line);
	for (size_t i = 0; i < reports.count; i++)
		if (strncmp(reports.line[i], start, strlen(start)) == 0 &&
			strstr(reports.line[i], words + 2) != NULL)
			return true;
	return false;
}

static void show_reports(const char *name)
{
	for (size_t i = 0; i < reports.count; i++)
		(void)fprintf(stderr, "%s: reported %s\n", name, reports.line[i]);
}

/* check_file - the reports of one file are those that its first lines announce; 1 if they are not
 */
static unsigned check_file(const char *directory, const char *name)
{
	static const char mark[] = "# expect: ";
	char path[2048], line[1024];
	unsigned expected = 0, missed = 0;
	FILE *fp;

	(void)snprintf(path, sizeof path, "%s/%s", directory, name);
	conf_unref(parse(fopen(path, "r"), "FILE"));
	fp = fopen(path, "r");
	while (fgets(line, sizeof line, fp) != NULL && strncmp(line, mark, strlen(mark)) == 0) {
		line[strcspn(line, "\n")] = '\0';
		expected++;
		if (is_reported(line + strlen(mark)))
			continue;
		missed++;
		(void)fprintf(stderr, "%s: not reported: %s\n", name, line + strlen(mark));
	}
	(void)fclose(fp);
	if (missed == 0 && expected == reports.count)
		return 0;
	show_reports(name);
	return 1;
}

START_TEST(every_error_of_a_bad_file_is_reported)
{
	char buf[1024];
	const char *directory = conf_errors_directory(buf);
	unsigned files = 0, wrong = 0;
	DIR *dir = opendir(directory);
	struct dirent *entry;

	ck_assert_msg(dir != NULL, "no directory %s", directory);
	while ((entry = readdir(dir)) != NULL) {
		const char *dot = strrchr(entry->d_name, '.');

		if (dot == NULL || strcmp(dot, ".conf") != 0)
			continue;
		files++;
		wrong += check_file(directory, entry->d_name);
	}
	(void)closedir(dir);
	forget_reports();
	ck_assert_uint_ge(files, 45);
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

START_TEST(the_sample_is_accepted)
{
	char buf[1024], path[2048];
	struct conf *conf;

	(void)snprintf(path, sizeof path, "%s/../../../config/failfast-milter.conf.sample",
		conf_errors_directory(buf));
	conf = parse(fopen(path, "r"), "FILE");
	ck_assert_msg(conf != NULL, "%s", reports.count > 0 ? reports.line[0] : "");
	ck_assert_uint_eq(conf->postfix_count, 1);
	conf_unref(conf);
}
END_TEST

START_TEST(root_needs_the_user_and_the_group)
{
	struct conf *conf;

	if (geteuid() != 0)
		return;
	forget_reports();
	FILE *fp = text_file("user = no-such-user\nlisten_group = no-such-group\n");

	ck_assert_ptr_null(conf_parse(fp, "FILE", collect, &reports));
	(void)fclose(fp);
	ck_assert_uint_eq(reports.count, 2);
	ck_assert_str_eq(reports.line[0], "FILE:1: user = \"no-such-user\": does not exist; "
					  "expected the name of an existing user, or \"\"");
	ck_assert_ptr_nonnull(strstr(reports.line[1], "FILE:2: listen_group = \"no-such-group\""));
	forget_reports();
	fp = text_file("user = root listen = inet:1@::1 listen_group = no-such-group");
	conf = conf_parse(fp, "FILE", collect, &reports);
	(void)fclose(fp);
	ck_assert_ptr_null(conf); /* inet is not inet6 */
	forget_reports();
	fp = text_file("user = root listen = inet6:1@::1 listen_group = no-such-group");
	conf = conf_parse(fp, "FILE", collect, &reports);
	(void)fclose(fp);
	ck_assert_uint_eq(reports.count, 0);
	conf_unref(conf);
}
END_TEST

START_TEST(a_bad_file_does_not_spoil_the_next_one)
{
	static const char *const bad[] = {
		"tag = \"x", "/* x", "probe {", "tag = ${X", "}", "hop x"};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		ck_assert_ptr_null(parse_text(bad[i]));
		conf_unref(parse_good("tag = always"));
	}
	forget_reports();
}
END_TEST

#define ADD(test) tcase_add_test(tcase, test)

static void add_errors(TCase *tcase)
{
	tcase_set_timeout(tcase, 60);
	ADD(every_error_of_a_bad_file_is_reported);
	ADD(the_sample_is_accepted);
	ADD(canaries_are_understood_but_refused);
	ADD(a_message_is_one_short_line);
	ADD(more_than_a_hundred_errors_are_not_shown);
	ADD(a_line_of_a_megabyte_does_no_harm);
	ADD(a_file_that_cannot_be_read_is_an_error);
	ADD(root_needs_the_user_and_the_group);
	ADD(a_bad_file_does_not_spoil_the_next_one);
}

int main(void)
{
	return suite_run("conf_errors", add_errors);
}
