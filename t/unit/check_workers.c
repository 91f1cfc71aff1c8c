/*
 * check_workers - which processes run a service, by a table of processes that look like
 * those of master(8)
 *
 * They are this program again, with other arguments.
 */
#include "probe/workers.h"

#include "probe/service.h"
#include "suite.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PROCESSES = 9, ARGUMENTS = 10 };

/* Names of their own: another run at the same time is not counted. */
static char one[32], two[32], two_path[40];

static const char *const commands[PROCESSES][ARGUMENTS] = {
	{"smtp", "-n", one, "-t", "unix", "-u", NULL},
	{"smtp", "-l", "-n", one, "-t", "unix", "-u", NULL},
	{"/usr/lib/postfix/sbin/smtp", "-z", "-n", one, "-t", "inet", NULL},
	{two, "-t", "unix", "-u", "-o", "stress=", NULL},
	{two_path, "-l", "-t", "unix", NULL},
	/* Not these: */
	{one, "-n", "ff-three", "-t", "unix", NULL},
	{"pipe", "-n", "ff-four", "-t", "unix", "argv=/bin/x", "-n", one, NULL},
	{"smtp", "-n", one, NULL},
	{"smtp", "-t", "unix", "-n", one, NULL},
};

static pid_t children[PROCESSES];
static int64_t now_ms;

/* child_main - read from a pipe till the test ends; its arguments are for others to see */
static void child_main(const char *const arguments[], int input)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)dup2(input, STDIN_FILENO);
	(void)execv("/proc/self/exe", (char *const *)arguments);
	_exit(127);
}

/* start_processes - and wait till they are what they will be */
static void start_processes(void)
{
	int input[2], ready[2];
	char byte;

	ck_assert_int_eq(pipe2(input, O_CLOEXEC), 0);
	for (size_t i = 0; i < PROCESSES; i++) {
		ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
		children[i] = fork();
		ck_assert_int_ge(children[i], 0);
		if (children[i] == 0)
			child_main(commands[i], input[0]);
		(void)close(ready[1]);
		/* exec() closes it. */
		ck_assert_int_eq(read(ready[0], &byte, 1), 0);
		(void)close(ready[0]);
	}
	/* The writing end stays open in this process only: when it ends, they end. */
	(void)close(input[0]);
}

static void stop_processes(void)
{
	for (size_t i = 0; i < PROCESSES; i++) {
		if (children[i] <= 0)
			continue;
		(void)kill(children[i], SIGKILL);
		(void)waitpid(children[i], NULL, 0);
	}
}

/* count - master: process ID, 0: of any */
static int count(long master, const char *name, int64_t least_age_ms)
{
	const struct workers_wanted wanted = {name, master, least_age_ms};

	/* Each time so much later that it looks again. */
	now_ms += 1000;
	return workers_count(&wanted, now_ms);
}

static void count_processes(long master, int ones, int twos)
{
	ck_assert_int_eq(count(master, one, 0), ones);
	ck_assert_int_eq(count(master, two, 0), twos);
	ck_assert_int_eq(count(master, "ff-none", 0), 0);
}

START_TEST(processes_are_counted_by_service)
{
	start_processes();
	count_processes(getpid(), 3, 2);
	count_processes(0, 3, 2);
	/* What has just been started is not at work for long. */
	ck_assert_int_eq(count(0, one, 3600 * 1000), 0);
	(void)kill(children[0], SIGKILL);
	ck_assert_int_eq(waitpid(children[0], NULL, 0), children[0]);
	children[0] = 0;
	count_processes(getpid(), 2, 2);
}
END_TEST

START_TEST(processes_of_another_master_do_not_count)
{
	start_processes();
	count_processes(1, 0, 0);
}
END_TEST

START_TEST(the_master_is_who_listens_at_the_other_end)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int ready[2], listener = socket(AF_UNIX, SOCK_STREAM, 0), fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char byte;

	(void)snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "%s", one);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
	ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
	children[0] = fork();
	if (children[0] == 0) {
		(void)listen(listener, 1);
		(void)!write(ready[1], "", 1);
		(void)pause();
	}
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	ck_assert_int_eq(service_master(fd), children[0]);
	ck_assert_int_eq(service_master(ready[0]), 0);
}
END_TEST

START_TEST(the_oldest_process_tells_when_a_service_was_started)
{
	const struct workers_wanted ones = {one, 0, 0}, none = {"ff-none", 0, 0};
	int64_t before_ms = (int64_t)time(NULL) * 1000, started_ms;

	start_processes();
	started_ms = workers_started_ms(&ones, now_ms);
	/* Starts are counted in hundredths of a second. */
	ck_assert_int_ge(started_ms, before_ms - 10);
	ck_assert_int_le(started_ms, ((int64_t)time(NULL) + 1) * 1000);
	ck_assert_int_eq(workers_started_ms(&none, now_ms), -1);
}
END_TEST

/* A zombie has no command line. */
START_TEST(a_dead_process_does_not_count)
{
	siginfo_t info;

	start_processes();
	(void)kill(children[3], SIGKILL);
	ck_assert_int_eq(waitid(P_PID, (id_t)children[3], &info, WEXITED | WNOWAIT), 0);
	ck_assert_int_eq(count(0, two, 0), 1);
}
END_TEST

static void setup(void)
{
	(void)snprintf(one, sizeof one, "ff-one-%ld", (long)getpid());
	(void)snprintf(two, sizeof two, "ff-two-%ld", (long)getpid());
	(void)snprintf(two_path, sizeof two_path, "/opt/%s", two);
}

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, stop_processes);
	tcase_add_test(tcase, processes_are_counted_by_service);
	tcase_add_test(tcase, processes_of_another_master_do_not_count);
	tcase_add_test(tcase, the_master_is_who_listens_at_the_other_end);
	tcase_add_test(tcase, the_oldest_process_tells_when_a_service_was_started);
	tcase_add_test(tcase, a_dead_process_does_not_count);
}

/* main - with arguments we are one of start_processes() */
int main(int argc, char *argv[])
{
	char byte;

	(void)argv;
	if (argc > 1)
		return read(STDIN_FILENO, &byte, 1) == 0 ? 0 : 1;
	return suite_run("workers", add);
}
