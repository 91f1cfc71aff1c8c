/*
 * check_logs - the keeper opens what configuration names, and nothing else
 */
#include "logs.h"

#include "base/xmem.h"
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64], path[128];
static char main_cf[256];
static struct postconf postconf;
static struct sources sources;
static struct channel_message message;
static int fds[2];

static void fail_report(void *arg, const char *text)
{
	(void)arg;
	ck_abort_msg("%s", text);
}

/* use - this configuration, and this maillog_file */
static void use(const char *evidence, const char *maillog_file)
{
	char *text = xasprintf("user = \"\"\nlisten_group = \"\"\npostfix \"%s\" { %s }\n", directory,
		evidence);
	FILE *fp = fmemopen(text, strlen(text), "r");

	(void)snprintf(main_cf, sizeof main_cf, "maillog_file = %s\n", maillog_file);
	postconf = (struct postconf){.directory = directory,
		.main = main_cf,
		.services = (char *)"",
		.parameters = (char *)""};
	conf_unref(sources.conf);
	sources = (struct sources){.conf = conf_parse(fp, "test", fail_report, NULL),
		.postconfs = &postconf,
		.count = 1};
	fclose(fp);
	free(text);
}

static void setup(void)
{
	FILE *fp;

	(void)strcpy(directory, "/tmp/check_logs.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	(void)snprintf(path, sizeof path, "%s/mail.log", directory);
	fp = fopen(path, "w");
	(void)fputs("a line\n", fp);
	fclose(fp);
	sources = (struct sources){0};
	use("", path);
	ck_assert(channel_pair(fds));
}

static void teardown(void)
{
	conf_unref(sources.conf);
	close(fds[0]);
	close(fds[1]);
	unlink(path);
	rmdir(directory);
}

/* answer - the keeper's to these bytes; false: none */
static bool answer(const void *payload, size_t bytes)
{
	memcpy(message.payload, payload, bytes);
	message.bytes = bytes;
	message.type = CHANNEL_LOG;
	message.fd = -1;
	ck_assert(logs_answer(&sources, fds[0], &message));
	return channel_receive(fds[1], &message) == CHANNEL_GOT;
}

/* ask - as the engine does, for this instance */
static struct maillog_opened ask(const char *instance)
{
	const struct maillog_opener *opener = logs_opener(fds[1]);
	struct maillog_opened opened;
	const char *asked;

	ck_assert(opener->ask(opener->opener_arg, instance));
	ck_assert_int_eq(channel_receive(fds[0], &message), CHANNEL_GOT);
	ck_assert_int_eq(message.type, CHANNEL_LOG);
	ck_assert(logs_answer(&sources, fds[0], &message));
	ck_assert_int_eq(channel_receive(fds[1], &message), CHANNEL_GOT);
	ck_assert_int_eq(message.type, CHANNEL_LOG_OPENED);
	asked = logs_answered(&message, &opened);
	ck_assert_ptr_nonnull(asked);
	ck_assert_str_eq(asked, instance);
	return opened;
}

START_TEST(the_log_of_a_configured_instance_is_opened_for_reading)
{
	struct maillog_opened opened = ask(directory);
	char text[16] = "";

	ck_assert_int_ge(opened.fd, 0);
	ck_assert_str_eq(opened.path, path);
	ck_assert_int_eq(read(opened.fd, text, sizeof text - 1), 7);
	ck_assert_str_eq(text, "a line\n");
	ck_assert_int_lt(write(opened.fd, "x", 1), 0);
	close(opened.fd);
}
END_TEST

START_TEST(what_cannot_be_opened_has_its_error)
{
	struct maillog_opened opened;

	unlink(path);
	opened = ask(directory);
	ck_assert_int_lt(opened.fd, 0);
	ck_assert_int_eq(opened.error, ENOENT);
	ck_assert_str_eq(opened.path, path);
}
END_TEST

START_TEST(what_is_no_file_is_not_followed)
{
	static const char *const names[] = {"/dev/null", "/tmp", "/dev/stdout", "/proc/self/fd/1"};
	struct maillog_opened opened;

	use("", names[_i]);
	opened = ask(directory);
	ck_assert_int_lt(opened.fd, 0);
	ck_assert_int_eq(opened.error, EINVAL);
}
END_TEST

START_TEST(a_pipe_does_not_make_the_keeper_wait)
{
	struct maillog_opened opened;

	unlink(path);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	opened = ask(directory);
	ck_assert_int_lt(opened.fd, 0);
	ck_assert_int_eq(opened.error, EINVAL);
}
END_TEST

START_TEST(nothing_else_is_opened)
{
	ck_assert_int_eq(ask(path).error, EPERM);
	ck_assert_int_eq(ask("/etc").error, EPERM);
	ck_assert_int_eq(ask("").error, EPERM);
	use("evidence = none", path);
	ck_assert_int_eq(ask(directory).error, EPERM);
}
END_TEST

START_TEST(a_damaged_request_has_no_answer)
{
	char long_name[2000];

	memset(long_name, 'x', sizeof long_name);
	ck_assert(!answer("", 0));
	ck_assert(!answer("/etc", 4));
	ck_assert(!answer("/e\0c", 5));
	ck_assert(!answer(long_name, sizeof long_name));
}
END_TEST

START_TEST(a_damaged_answer_is_not_taken)
{
	static const struct {
		const char *bytes;
		size_t count;
	} answers[] = {{"", 0}, {"abcd", 4}, {"abcd\0", 5}, {"abcd/etc\0", 9}, {"abcd/etc\0/x", 11}};
	struct maillog_opened opened;

	memset(&message, 'x', sizeof message);
	message.fd = -1;
	message.bytes = answers[_i].count;
	memcpy(message.payload, answers[_i].bytes, answers[_i].count);
	ck_assert_ptr_null(logs_answered(&message, &opened));
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, the_log_of_a_configured_instance_is_opened_for_reading);
	tcase_add_test(tcase, what_cannot_be_opened_has_its_error);
	tcase_add_loop_test(tcase, what_is_no_file_is_not_followed, 0, 4);
	tcase_add_test(tcase, a_pipe_does_not_make_the_keeper_wait);
	tcase_add_test(tcase, nothing_else_is_opened);
	tcase_add_test(tcase, a_damaged_request_has_no_answer);
	tcase_add_loop_test(tcase, a_damaged_answer_is_not_taken, 0, 5);
}

int main(void)
{
	return suite_run("logs", add);
}
