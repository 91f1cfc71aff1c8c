/*
 * check_hook_runner - the process that runs programs: what they get, and how they end
 */
#include "ops/hook_runner.h"

#include "base/channel.h"
#include "base/clock.h"
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct hook_limits limits = {300, 200};
static char directory[] = "/tmp/check_hook_runner.XXXXXX";
static char program[64], said[64];
static int orders, requests;
static pid_t runner;
static struct hook_result result;

static void setup(void)
{
	int order_pair[2], request_pair[2];
	sigset_t children;

	ck_assert_ptr_nonnull(mkdtemp(directory));
	(void)snprintf(program, sizeof program, "%s/program", directory);
	(void)snprintf(said, sizeof said, "%s/said", directory);
	ck_assert(channel_pair(order_pair) && channel_pair(request_pair));
	orders = order_pair[0];
	requests = request_pair[0];
	runner = fork();
	if (runner == 0) {
		close(orders);
		close(requests);
		/* What a program must not inherit. */
		(void)signal(SIGPIPE, SIG_IGN);
		sigemptyset(&children);
		sigaddset(&children, SIGCHLD);
		sigaddset(&children, SIGTERM);
		sigprocmask(SIG_BLOCK, &children, NULL);
		ck_assert_int_ge(open("/dev/null", O_RDONLY), 0);
		hook_runner_run(order_pair[1], request_pair[1], &limits);
		_exit(0);
	}
	close(order_pair[1]);
	close(request_pair[1]);
}

static void teardown(void)
{
	int status;

	close(orders);
	ck_assert_int_eq(waitpid(runner, &status, 0), runner);
	ck_assert_int_eq(status, 0);
	close(requests);
	(void)unlink(program);
	(void)unlink(said);
	ck_assert_int_eq(rmdir(directory), 0);
	(void)strcpy(directory, "/tmp/check_hook_runner.XXXXXX");
}

/* use - from now on this is the program */
static void use(const char *path)
{
	ck_assert(channel_send(orders, CHANNEL_HOOK_PROGRAM, path, strlen(path), -1, 1000));
}

static void use_script(const char *text)
{
	FILE *fp = fopen(program, "w");

	ck_assert_ptr_nonnull(fp);
	(void)fprintf(fp, "#!/bin/sh\nsaid=%s\n%s\n", said, text);
	fclose(fp);
	ck_assert_int_eq(chmod(program, 0755), 0);
	use(program);
}

static void ask(uint32_t number)
{
	static const char values[] =
		"x:[::1]\0transport\0up\0down\0connection-refused\0it; $(said) \"no\"\0"
		"2026-11-21T18:20:07Z\0mx.example.com";
	char payload[256];

	memcpy(payload, &number, sizeof number);
	memcpy(payload + sizeof number, values, sizeof values);
	ck_assert(channel_send(
		requests, CHANNEL_HOOK_RUN, payload, sizeof number + sizeof values, -1, 1000));
}

static const struct hook_result *wait_result(void)
{
	static struct channel_message message;
	struct pollfd fd = {requests, POLLIN, 0};

	ck_assert_int_eq(poll(&fd, 1, 20000), 1);
	ck_assert_int_eq(channel_receive(requests, &message), CHANNEL_GOT);
	ck_assert_int_eq(message.type, CHANNEL_HOOK_DONE);
	ck_assert_uint_eq(message.bytes, sizeof result);
	memcpy(&result, message.payload, sizeof result);
	return &result;
}

static const char *what_it_said(void)
{
	static char text[8192];
	FILE *fp = fopen(said, "r");

	ck_assert_ptr_nonnull(fp);
	text[fread(text, 1, sizeof text - 1, fp)] = '\0';
	fclose(fp);
	return text;
}

START_TEST(a_program_gets_its_variables_and_a_path_and_nothing_else)
{
	ck_assert_int_eq(setenv("SECRET", "x", 1), 0);
	use_script("env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= -e ^OLDPWD= | sort >$said");
	ask(7);
	ck_assert_int_eq(wait_result()->end, HOOK_ENDED);
	ck_assert_uint_eq(result.number_of_request, 7);
	ck_assert_int_eq(result.number, 0);
	ck_assert_str_eq(what_it_said(),
		"FAILFAST_DETAIL=it; $(said) \"no\"\nFAILFAST_FROM=up\nFAILFAST_HOP=x:[::1]\n"
		"FAILFAST_HOST=mx.example.com\nFAILFAST_REASON=connection-refused\n"
		"FAILFAST_ROLE=transport\nFAILFAST_SINCE=2026-11-21T18:20:07Z\nFAILFAST_TO=down\n"
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin\n");
}
END_TEST

START_TEST(a_program_inherits_no_descriptor_and_no_signal)
{
	/* The shell has a descriptor for the script; of signals, 32 and 33 are the C library's own.
	 * No pipeline while descriptors are listed: the shell would have its ends for a moment. */
	use_script(
		"[ \"$(readlink /proc/$$/fd/1)\" = /dev/null ] || exit 9\n"
		"exec >$said.out; for fd in /proc/$$/fd/*; do readlink $fd; done; exec >/dev/null\n"
		"sed -e 's/pipe:.*/pipe/' -e \"s|^$said||\" $said.out | grep -vx \"$0\" | sort "
		">$said; rm $said.out; pwd >>$said\n"
		"grep -E '^(SigBlk|SigIgn)' /proc/self/status | sed "
		"'s/\\(.*\\)0000000180000000/\\10000000000000000/' >>$said");
	ask(1);
	ck_assert_int_eq(wait_result()->number, 0);
	ck_assert_str_eq(what_it_said(),
		".out\n/dev/null\npipe\n/\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}
END_TEST

START_TEST(a_failure_comes_with_the_first_line_of_its_words)
{
	use_script("echo 'no such  site' >&2; yes >&2 & pid=$!; sleep 0.05; kill $pid; exit 3");
	ask(1);
	ck_assert_int_eq(wait_result()->end, HOOK_ENDED);
	ck_assert_int_eq(result.number, 3);
	ck_assert_str_eq(result.words, "no such  site");
	use_script("kill -9 $$");
	ask(2);
	ck_assert_int_eq(wait_result()->end, HOOK_KILLED);
	ck_assert_int_eq(result.number, SIGKILL);
}
END_TEST

START_TEST(what_cannot_be_started_is_told)
{
	use("/nonexistent/program");
	ask(1);
	ck_assert_int_eq(wait_result()->end, HOOK_NOT_STARTED);
	ck_assert_int_eq(result.number, ENOENT);
	use("");
	ask(2);
	ck_assert_int_eq(wait_result()->end, HOOK_NO_PROGRAM);
	ck_assert(channel_send(requests, CHANNEL_HOOK_RUN, "\1\0\0\0only one value", 18, -1, 1000));
	ck_assert_int_eq(wait_result()->end, HOOK_NOT_STARTED);
	ck_assert_int_eq(result.number, EINVAL);
}
END_TEST

START_TEST(requests_are_done_one_after_the_other)
{
	use_script("[ ! -e $said.lock ] || echo two >&2; : >$said.lock; sleep 0.05; rm $said.lock");
	for (uint32_t number = 1; number <= 4; number++)
		ask(number);
	for (uint32_t number = 1; number <= 4; number++) {
		ck_assert_uint_eq(wait_result()->number_of_request, number);
		ck_assert_str_eq(result.words, "");
		ck_assert_int_eq(result.number, 0);
	}
}
END_TEST

/* is_gone - the process whose number the program wrote */
static bool is_gone(void)
{
	pid_t pid = (pid_t)atol(what_it_said());
	char path[64], state = 'Z';
	FILE *fp;

	ck_assert_int_gt(pid, 1);
	(void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	fp = fopen(path, "r");
	if (fp == NULL)
		return true;
	(void)!fscanf(fp, "%*d %*s %c", &state);
	fclose(fp);
	return state == 'Z';
}

START_TEST(what_takes_too_long_is_ended_with_all_its_children)
{
	int64_t start_ms = clock_now_ms();

	/* Both take no TERM. */
	use_script("trap '' TERM; sleep 60 & echo $! >$said; echo waiting >&2; while :; do sleep "
		   "60; done");
	ask(1);
	ck_assert_int_eq(wait_result()->end, HOOK_TIMED_OUT);
	ck_assert_str_eq(result.words, "waiting");
	ck_assert_int_ge(clock_now_ms() - start_ms, limits.run_ms + limits.grace_ms);
	while (!is_gone())
		(void)poll(NULL, 0, 1);
	/* One that takes it ends at once, what it leaves with it. */
	use_script("trap 'exit 0' TERM; (trap '' TERM; exec sleep 60) & echo $! >$said; wait");
	ask(2);
	ck_assert_int_eq(wait_result()->end, HOOK_TIMED_OUT);
	while (!is_gone())
		(void)poll(NULL, 0, 1);
	/* And one that is stopped, too. */
	use_script("kill -STOP $$");
	ask(3);
	ck_assert_int_eq(wait_result()->end, HOOK_TIMED_OUT);
	use_script("exit 0");
	ask(4);
	ck_assert_int_eq(wait_result()->end, HOOK_ENDED);
}
END_TEST

START_TEST(it_ends_with_the_keeper_and_ends_what_runs)
{
	int64_t start_ms = clock_now_ms();

	use_script("trap '' TERM; echo $$ >$said; while :; do sleep 1; done");
	ask(1);
	while (access(said, R_OK) < 0 || *what_it_said() == '\0')
		(void)poll(NULL, 0, 1);
	close(orders);
	ck_assert_int_eq(wait_result()->end, HOOK_TIMED_OUT);
	ck_assert_int_lt(clock_now_ms() - start_ms, 10000);
	ck_assert(is_gone());
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_program_gets_its_variables_and_a_path_and_nothing_else);
	tcase_add_test(tcase, a_program_inherits_no_descriptor_and_no_signal);
	tcase_add_test(tcase, a_failure_comes_with_the_first_line_of_its_words);
	tcase_add_test(tcase, what_cannot_be_started_is_told);
	tcase_add_test(tcase, requests_are_done_one_after_the_other);
	tcase_add_test(tcase, what_takes_too_long_is_ended_with_all_its_children);
	tcase_add_test(tcase, it_ends_with_the_keeper_and_ends_what_runs);
}

int main(void)
{
	return suite_run("hook_runner", add);
}
