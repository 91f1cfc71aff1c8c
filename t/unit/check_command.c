/*
 * check_command - the arguments of pipe(8), and whether its user can run its program
 */
#include "probe/command.h"

#include "suite.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAIL_OWNER "daemon"

static char place[128]; /* a directory that everybody may enter */

static void make_place(void)
{
	(void)snprintf(place, sizeof place, "/tmp/check_command.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(place));
	ck_assert_int_eq(chmod(place, 0755), 0);
}

static void remove_place(void)
{
	char line[512];

	(void)snprintf(line, sizeof line, "chmod -R u+rwx %s; rm -rf %s", place, place);
	ck_assert_int_eq(system(line), 0); /* NOLINT: the name is ours */
}

/* make - a file of that mode and content in our directory */
static void make(const char *name, mode_t mode, const char *content)
{
	char path[256];
	FILE *fp;

	(void)snprintf(path, sizeof path, "%s/%s", place, name);
	fp = fopen(path, "w");
	ck_assert_ptr_nonnull(fp);
	ck_assert_int_ge(fputs(content, fp), 0);
	ck_assert_int_eq(fclose(fp), 0);
	ck_assert_int_eq(chmod(path, mode), 0);
}

static void make_directory(const char *name, mode_t mode)
{
	char path[256];

	(void)snprintf(path, sizeof path, "%s/%s", place, name);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(chmod(path, mode), 0);
}

static void make_link(const char *name, const char *target)
{
	char path[256];

	(void)snprintf(path, sizeof path, "%s/%s", place, name);
	ck_assert_int_eq(symlink(target, path), 0);
}

/* expect - check the arguments, in which @ stands for our directory */
static void expect(enum reason reason, const char *words, const char *format)
{
	char arguments[4096], detail[COMMAND_DETAIL_BYTES];
	struct outcome outcome;
	size_t used = 0;

	for (const char *at = format; *at != '\0'; at++)
		used += (size_t)snprintf(arguments + used, sizeof arguments - used, "%.*s",
			*at == '@' ? (int)sizeof place : 1, *at == '@' ? place : at);
	arguments[used] = '\0';
	memset(detail, '#', sizeof detail);
	command_check(arguments, MAIL_OWNER, &outcome, detail);
	ck_assert_msg(outcome.reason == reason, "%s: %s, \"%s\"", arguments,
		reason_token(outcome.reason), detail);
	ck_assert_int_eq(
		outcome.severity, reason == REASON_COMMAND_MISSING ? SEVERITY_DOWN : SEVERITY_NONE);
	ck_assert_int_eq(outcome.is_hard, reason == REASON_COMMAND_MISSING);
	ck_assert_ptr_nonnull(memchr(detail, '\0', sizeof detail));
	ck_assert_msg(strstr(detail, words) != NULL && (*detail == '\0') == (*words == '\0'),
		"%s: \"%s has no \"%s\"", arguments, detail, words);
	for (const char *at = detail; *at != '\0'; at++)
		ck_assert(*at >= ' ' && *at <= '~');
}

START_TEST(arguments_that_pipe_takes)
{
	static const char *const good[] = {
		"user=nobody argv=/bin/sh",
		"flags=DRhu user=nobody:mail argv=/bin/sh -f ${sender} -- ${recipient}",
		"flags= user=nobody: argv=/bin/sh",
		"FLAGS=BDFORX.>hqu USER=nobody ARGV=/bin/sh",
		"-o syslog_name=foo -v -o {a=b c} user=nobody argv=/bin/sh",
		"-vo a=b -D -- user=nobody argv=/bin/sh",
		"user=nobody {null_sender={a b}} eol=\\r\\n size=10240 argv=/bin/sh x=y",
		"null_sender= user=nobody argv=/bin/sh -c {echo x > y}",
		"  user=nobody\t\n {argv=/bin/sh} {",
		"user=nobody directory=/ argv=/bin/sh",
		"user=nobody chroot=/ directory=tmp argv=/bin/sh",
		"user=nobody chroot=/ argv=bin/sh",
		"user=nobody directory=/bin argv=./sh",
		"user=nobody argv=sh -c true",
		"user=nobody argv=/bin/../bin//./sh",
		"user=nobody argv=/opt/${nexthop}/deliver",
		"user=mail user=nobody argv=/bin/sh",
	};

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		expect(REASON_NONE, "", good[i]);
}
END_TEST

START_TEST(arguments_that_make_pipe_die)
{
	static const char *const bad[][2] = {
		{"", "user= is missing"},
		{" \t", "user= is missing"},
		{"-v -o", "user= is missing"},
		{"user=nobody", "argv= is missing"},
		{"argv=/bin/sh", "user= is missing"},
		{"argv=/bin/sh user=nobody", "user= is missing"},
		{"user=no-such-user argv=/bin/sh", "user=no-such-user: unknown user"},
		{"user=no-such-user user=nobody argv=/bin/sh", "unknown user"},
		{"user= argv=/bin/sh", "unknown user"},
		{"user=65534 argv=/bin/sh", "user=65534: unknown user"},
		{"user=nobody:no-such-group argv=/bin/sh", "no-such-group: unknown group"},
		{"user=nobody:65534 argv=/bin/sh", "unknown group"},
		{"user=root argv=/bin/sh", "is root"},
		{"user=nobody:root argv=/bin/sh", "has the group of root"},
		{"user=" MAIL_OWNER " argv=/bin/sh", "is the mail owner"},
		{"user=nobody:" MAIL_OWNER " argv=/bin/sh", "group of the mail owner"},
		{"flags=DRz user=nobody argv=/bin/sh", "unknown flag \"z\""},
		{"size=10k user=nobody argv=/bin/sh", "size=10k"},
		{"user=nobody flag=D argv=/bin/sh", "unknown attribute \"flag=D\""},
		{"nonsense user=nobody argv=/bin/sh", "unknown attribute \"nonsense\""},
		{"- user=nobody argv=/bin/sh", "unknown attribute \"-\""},
		{"user = nobody argv=/bin/sh", "unknown attribute \"user\""},
		{"user=nobody argv= /bin/sh", "argv= names no program"},
		{"user=nobody directory= argv=/bin/sh", "directory= is empty"},
		{"user=nobody chroot= argv=/bin/sh", "chroot"},
		{"user=nobody\001\303\244 argv=/bin/sh", "user=nobody???: unknown user"},
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		expect(REASON_COMMAND_MISSING, bad[i][1], bad[i][0]);
}
END_TEST

START_TEST(what_cannot_be_known_is_our_own_fault)
{
	expect(REASON_LOCAL_ERROR, "relative to queue_directory", "user=nobody argv=bin/deliver");
	expect(REASON_LOCAL_ERROR, "relative to queue_directory",
		"user=nobody directory=x argv=/bin/sh");
	expect(REASON_LOCAL_ERROR, "relative to queue_directory",
		"user=nobody chroot=x argv=/bin/sh");
	expect(REASON_LOCAL_ERROR, "unknown attribute \"mail\"",
		"directory=/srv/my mail user=nobody argv=/bin/sh");
	/* but a program that is missing is missing, whatever the directory */
	expect(REASON_COMMAND_MISSING, "/no/such", "user=nobody directory=x argv=/no/such");
}
END_TEST

START_TEST(programs_that_are_missing)
{
	make("file", 0755, "");
	make_link("loop", "loop");
	make_link("gone", "no/such");
	expect(REASON_COMMAND_MISSING, "/nowhere does not exist",
		"user=nobody argv=@/nowhere -f x");
	expect(REASON_COMMAND_MISSING, "/nowhere does not exist", "user=nobody argv=@/nowhere/x/y");
	expect(REASON_COMMAND_MISSING, "/no does not exist", "user=nobody argv=@/gone");
	expect(REASON_COMMAND_MISSING, "symbolic links", "user=nobody argv=@/loop");
	expect(REASON_COMMAND_MISSING, "is not a directory", "user=nobody argv=@/file/x");
	expect(REASON_COMMAND_MISSING, "is not a file", "user=nobody argv=@");
	expect(REASON_COMMAND_MISSING, "is not a file", "user=nobody argv=/dev/null");
	expect(REASON_COMMAND_MISSING, "argv=/ is not a file", "user=nobody argv=/");
	expect(REASON_COMMAND_MISSING, "no program in", "user=nobody argv=no-such-program");
	expect(REASON_COMMAND_MISSING, "does not exist",
		"user=nobody directory=@/nowhere argv=/bin/sh");
	expect(REASON_COMMAND_MISSING, "is not a directory",
		"user=nobody directory=@/file argv=/bin/sh");
	expect(REASON_COMMAND_MISSING, "chroot=", "user=nobody chroot=@/nowhere argv=/bin/sh");
	expect(REASON_COMMAND_MISSING, "/bin does not exist", "user=nobody chroot=@ argv=/bin/sh");
}
END_TEST

static bool find_user(const char *name, struct passwd *out)
{
	const struct passwd *found = getpwnam(name);

	if (found != NULL)
		*out = *found;
	return found != NULL;
}

START_TEST(modes_are_those_of_the_user)
{
	struct passwd nobody;

	if (!find_user("nobody", &nobody) || geteuid() == nobody.pw_uid)
		return;
	make("all", 0755, "");
	make("none", 0644, "");
	make("owner", 0700, "");
	make_directory("open", 0711);
	make("open/program", 0111, "");
	make_directory("closed", 0700);
	make("closed/program", 0755, "");
	make_link("into", "closed/program");
	make_link("round", "open/../open/./program");
	expect(REASON_NONE, "", "user=nobody argv=@/all");
	expect(REASON_NONE, "", "user=nobody argv=@/open/program");
	expect(REASON_NONE, "", "user=nobody argv=@/round");
	expect(REASON_NONE, "", "user=nobody directory=@/open argv=../all");
	expect(REASON_NONE, "", "user=nobody chroot=@ argv=/open/../../../all");
	expect(REASON_NONE, "", "user=nobody chroot=@ directory=open argv=../open/program");
	expect(REASON_COMMAND_MISSING, "/none may not be executed", "user=nobody argv=@/none");
	expect(REASON_COMMAND_MISSING, "/owner may not be executed", "user=nobody argv=@/owner");
	expect(REASON_COMMAND_MISSING, "/closed may not be entered",
		"user=nobody argv=@/closed/program");
	expect(REASON_COMMAND_MISSING, "/closed may not be entered", "user=nobody argv=@/into");
	expect(REASON_COMMAND_MISSING, "/closed may not be entered",
		"user=nobody directory=@/closed argv=/bin/sh");
	expect(REASON_COMMAND_MISSING, "/none may not be executed",
		"user=nobody directory=@ argv=./none");
}
END_TEST

START_TEST(scripts_need_their_interpreter)
{
	make("good", 0755, "#! /bin/sh -e\nexit 0\n");
	make("plain", 0755, "exit 0\n");
	make("dos", 0755, "#!/bin/sh\r\nexit 0\r\n");
	make("gone", 0755, "#!/no/such/python3 -u\n");
	make("empty", 0755, "#!\n");
	make("relative", 0755, "#!sh\n");
	make("cut", 0755, "#!/no/such");
	expect(REASON_NONE, "", "user=nobody argv=@/good");
	expect(REASON_NONE, "", "user=nobody argv=@/plain");
	expect(REASON_NONE, "", "user=nobody argv=@/empty");
	expect(REASON_NONE, "", "user=nobody argv=@/relative");
	expect(REASON_NONE, "", "user=nobody argv=@/cut");
	expect(REASON_COMMAND_MISSING,
		"interpreter of argv= /bin/sh: ", "user=nobody chroot=@ argv=/good");
	expect(REASON_COMMAND_MISSING, "sh? does not exist", "user=nobody argv=@/dos");
	expect(REASON_COMMAND_MISSING, "interpreter of argv= /no/such/python3: /no does not exist",
		"user=nobody argv=@/gone");
}
END_TEST

/* Groups: only the one that pipe(8) takes on counts.  Needs root to make files of others. */
START_TEST(one_group_counts)
{
	struct passwd nobody, mail;
	char path[256];

	if (geteuid() != 0 || !find_user("nobody", &nobody) || !find_user("mail", &mail))
		return;
	make("group", 0750, "");
	(void)snprintf(path, sizeof path, "%s/group", place);
	ck_assert_int_eq(chown(path, 0, mail.pw_gid), 0);
	expect(REASON_NONE, "", "user=nobody:mail argv=@/group");
	expect(REASON_COMMAND_MISSING, "may not be executed", "user=nobody argv=@/group");
	/* bits of the owner go before those of the group and of others */
	ck_assert_int_eq(chown(path, nobody.pw_uid, mail.pw_gid), 0);
	ck_assert_int_eq(chmod(path, 0655), 0);
	expect(REASON_COMMAND_MISSING, "may not be executed", "user=nobody:mail argv=@/group");
}
END_TEST

/* A directory that the user may enter and we may not. */
START_TEST(a_directory_closed_to_us_is_our_own_fault)
{
	struct passwd nobody, mail;
	char path[256];

	if (geteuid() != 0 || !find_user("nobody", &nobody) || !find_user("mail", &mail))
		return;
	make_directory("home", 0700);
	make("home/program", 0755, "");
	(void)snprintf(path, sizeof path, "%s/home", place);
	ck_assert_int_eq(chown(path, mail.pw_uid, mail.pw_gid), 0);
	expect(REASON_NONE, "", "user=mail argv=@/home/program");
	ck_assert_int_eq(setegid(nobody.pw_gid), 0);
	ck_assert_int_eq(seteuid(nobody.pw_uid), 0);
	expect(REASON_LOCAL_ERROR, "Permission denied", "user=mail argv=@/home/program");
	expect(REASON_COMMAND_MISSING, "may not be entered", "user=nobody argv=@/home/program");
	ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(setegid(0), 0);
}
END_TEST

START_TEST(long_names_are_only_long)
{
	static char arguments[200000];
	char detail[COMMAND_DETAIL_BYTES];
	struct outcome outcome;

	for (size_t length = 1; length < 100000; length = length * 3 + 1) {
		int used = snprintf(arguments, sizeof arguments, "user=nobody argv=/");

		memset(arguments + used, 'x', length);
		arguments[(size_t)used + length] = '\0';
		command_check(arguments, MAIL_OWNER, &outcome, detail);
		ck_assert_int_eq(outcome.reason, REASON_COMMAND_MISSING);
		for (size_t i = 1; i < length; i += 2)
			arguments[(size_t)used + i] = '/';
		command_check(arguments, MAIL_OWNER, &outcome, detail);
		ck_assert_int_eq(outcome.reason, REASON_COMMAND_MISSING);
		memset(arguments, 'x', length + 5);
		memcpy(arguments, "user=", 5);
		command_check(arguments, MAIL_OWNER, &outcome, detail);
		ck_assert_int_eq(outcome.reason, REASON_COMMAND_MISSING);
	}
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, make_place, remove_place);
	tcase_add_test(tcase, arguments_that_pipe_takes);
	tcase_add_test(tcase, arguments_that_make_pipe_die);
	tcase_add_test(tcase, what_cannot_be_known_is_our_own_fault);
	tcase_add_test(tcase, programs_that_are_missing);
	tcase_add_test(tcase, modes_are_those_of_the_user);
	tcase_add_test(tcase, scripts_need_their_interpreter);
	tcase_add_test(tcase, one_group_counts);
	tcase_add_test(tcase, a_directory_closed_to_us_is_our_own_fault);
	tcase_add_test(tcase, long_names_are_only_long);
}

int main(void)
{
	return suite_run("command", add);
}
