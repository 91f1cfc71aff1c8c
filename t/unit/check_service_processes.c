/*
 * check_service_processes - which processes run a service, by a table of processes that look like
 * those of master(8)
 *
 * They are this program again, with other arguments.
 */
#include "probe/service.h"
#include "suite.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

/* write_master_pid - the file in a queue directory of its own */
static void write_master_pid(char directory[64], const char *text)
{
	char path[128];
	FILE *file;

	(void)snprintf(directory, 64, "/tmp/check_service.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	(void)snprintf(path, sizeof path, "%s/pid", directory);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof path, "%s/pid/master.pid", directory);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_gt(fprintf(file, "%s", text), 0);
	ck_assert_int_eq(fclose(file), 0);
}

static void remove_directory(const char *directory)
{
	char path[128];

	(void)snprintf(path, sizeof path, "%s/pid/master.pid", directory);
	(void)unlink(path);
	(void)snprintf(path, sizeof path, "%s/pid", directory);
	(void)rmdir(path);
	(void)rmdir(directory);
}

/* count - as the engine does, which knows the master from the keeper */
static int count(const char *directory, const char *name, int64_t least_age_ms)
{
	const struct service_workers wanted = {name, service_master(directory), least_age_ms};

	return service_processes(&wanted);
}

static void count_processes(const char *directory, int ones, int twos)
{
	ck_assert_int_eq(count(directory, one, 0), ones);
	ck_assert_int_eq(count(directory, two, 0), twos);
	ck_assert_int_eq(count(directory, "ff-none", 0), 0);
}

START_TEST(processes_are_counted_by_service)
{
	char directory[64], text[64];

	start_processes();
	(void)snprintf(text, sizeof text, "%16ld\n", (long)getpid());
	write_master_pid(directory, text);
	count_processes(directory, 3, 2);
	remove_directory(directory);
	/* No pid file to read: any parent. */
	count_processes(directory, 3, 2);
	/* What has just been started is not at work for long. */
	ck_assert_int_eq(count(directory, one, 3600 * 1000), 0);
	(void)kill(children[0], SIGKILL);
	ck_assert_int_eq(waitpid(children[0], NULL, 0), children[0]);
	children[0] = 0;
	count_processes(directory, 2, 2);
}
END_TEST

START_TEST(processes_of_another_master_do_not_count)
{
	char directory[64];

	start_processes();
	write_master_pid(directory, "               1\n");
	count_processes(directory, 0, 0);
	remove_directory(directory);
}
END_TEST

START_TEST(a_pid_file_with_rubbish_is_none)
{
	static const char *const texts[] = {"\n", "rubbish\n", "-5\n", "12x\n", "0\n"};
	char directory[64];

	start_processes();
	write_master_pid(directory, texts[_i]);
	count_processes(directory, 3, 2);
	remove_directory(directory);
}
END_TEST

/* A zombie has no command line. */
START_TEST(a_dead_process_does_not_count)
{
	siginfo_t info;

	start_processes();
	(void)kill(children[3], SIGKILL);
	ck_assert_int_eq(waitid(P_PID, (id_t)children[3], &info, WEXITED | WNOWAIT), 0);
	ck_assert_int_eq(count("/nonexistent", two, 0), 1);
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
	tcase_add_loop_test(tcase, a_pid_file_with_rubbish_is_none, 0, 5);
	tcase_add_test(tcase, a_dead_process_does_not_count);
}

/* main - with arguments we are one of start_processes() */
int main(int argc, char *argv[])
{
	char byte;

	(void)argv;
	if (argc > 1)
		return read(STDIN_FILENO, &byte, 1) == 0 ? 0 : 1;
	return suite_run("service_processes", add);
}
