/*
 * hook_runner - the process that runs on_change
 *
 * Why a process of its own: keeper and engine may gain no privileges (PR_SET_NO_NEW_PRIVS), nor may
 * anything that they start; but postqueue(1) and sendmail(1), which hooks want to call, are
 * set-group-ID.  This process was forked before that, is the engine's user, and does nothing else:
 * one thread, one poll(2), one program at a time.
 *
 * The program gets an environment of PATH and FAILFAST_*, /dev/null as its input and output, a pipe
 * as its standard error, no other descriptor, no signal blocked or ignored, and a process group of
 * its own, which is what is ended when its time is over.  What a program leaves behind when it ends
 * in time is its own business.
 */
#include "ops/hook_runner.h"

#include "base/channel.h"
#include "base/clock.h"
#include "base/xmem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

const char *const hook_variable_names[HOOK_VARIABLES] = {"FAILFAST_HOP", "FAILFAST_ROLE",
	"FAILFAST_FROM", "FAILFAST_TO", "FAILFAST_REASON", "FAILFAST_DETAIL", "FAILFAST_SINCE",
	"FAILFAST_HOST"};

const struct hook_limits hook_limits_default = {30000, 5000};

enum { STOP_GRACE_MS = 1000 };

struct runner {
	const struct hook_limits *limits;
	int requests, signals;
	char *program; /* "": none */
	pid_t pid;     /* of what runs, and of its process group; 0: nothing */
	int words_fd;  /* its standard error, -1: closed */
	bool has_line; /* the first line is complete */
	size_t used;
	int64_t deadline_ms;
	bool is_ending; /* TERM was sent; deadline_ms is that of KILL */
	struct hook_result result;
};

static void answer(struct runner *runner, enum hook_end end, int number)
{
	runner->result.end = end;
	runner->result.number = number;
	/* An engine that does not take it is none of our business. */
	(void)channel_send(
		runner->requests, CHANNEL_HOOK_DONE, &runner->result, sizeof runner->result, -1, 0);
}

/* unpack - the values in a request become "NAME=value"; false when there are fewer.  All of env is
 * the caller's. */
static bool unpack(const char *values, size_t bytes, char *env[HOOK_VARIABLES + 2])
{
	const char *end = values + bytes;

	memset(env, 0, (HOOK_VARIABLES + 2) * sizeof *env);
	env[0] = xstrdup("PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin");
	for (int i = 0; i < HOOK_VARIABLES; i++) {
		size_t length = strnlen(values, (size_t)(end - values));

		if (values + length == end)
			return false;
		env[i + 1] = xasprintf("%s=%s", hook_variable_names[i], values);
		values += length + 1;
	}
	return true;
}

/* spawn - 0, or an error number */
static int spawn(const char *program, char *const env[], int words_fd, pid_t *pid)
{
	char *const argv[] = {(char *)program, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int error;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, words_fd, STDERR_FILENO);
	posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
	posix_spawnattr_init(&attributes);
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setflags(&attributes,
		POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	error = posix_spawn(pid, program, &actions, &attributes, argv, env);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

/* start - the program, or tell that it cannot be started */
static void start(struct runner *runner, char *const env[])
{
	int words[2], error = 0;

	if (*runner->program == '\0') {
		answer(runner, HOOK_NO_PROGRAM, 0);
		return;
	}
	if (pipe2(words, O_CLOEXEC) < 0) {
		answer(runner, HOOK_NOT_STARTED, errno);
		return;
	}
	error = spawn(runner->program, env, words[1], &runner->pid);
	close(words[1]);
	if (error != 0) {
		close(words[0]);
		runner->pid = 0;
		answer(runner, HOOK_NOT_STARTED, error);
		return;
	}
	(void)fcntl(words[0], F_SETFL, O_NONBLOCK);
	runner->words_fd = words[0];
	runner->has_line = false;
	runner->used = 0;
	runner->is_ending = false;
	runner->deadline_ms = clock_now_ms() + runner->limits->run_ms;
}

static void take_request(struct runner *runner, const struct channel_message *message)
{
	const size_t head = sizeof runner->result.number_of_request;
	char *env[HOOK_VARIABLES + 2];

	if (message->type != CHANNEL_HOOK_RUN || message->bytes < head)
		return;
	memset(&runner->result, 0, sizeof runner->result);
	memcpy(&runner->result.number_of_request, message->payload, head);
	if (unpack(message->payload + head, message->bytes - head, env))
		start(runner, env);
	else
		answer(runner, HOOK_NOT_STARTED, EINVAL);
	for (size_t i = 0; env[i] != NULL; i++)
		free(env[i]);
}

/* take_words - all that is there now; only the first line is kept, the rest must not fill the pipe
 */
static void take_words(struct runner *runner)
{
	char text[512];
	ssize_t got;

	while ((got = read(runner->words_fd, text, sizeof text)) > 0) {
		for (ssize_t i = 0; i < got && !runner->has_line; i++) {
			runner->has_line = text[i] == '\n';
			if (!runner->has_line && text[i] != '\0' &&
				runner->used + 1 < HOOK_WORDS_BYTES)
				runner->result.words[runner->used++] = text[i];
		}
	}
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	close(runner->words_fd);
	runner->words_fd = -1;
}

/* reap - has it ended?  Its group is ended before its number may be somebody else's. */
static void reap(struct runner *runner)
{
	siginfo_t info = {0};
	bool was_ours = runner->is_ending;
	int status = 0;

	if (waitid(P_PID, (id_t)runner->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
		info.si_pid == 0)
		return;
	if (was_ours)
		(void)kill(-runner->pid, SIGKILL);
	(void)waitpid(runner->pid, &status, 0);
	runner->pid = 0;
	if (runner->words_fd >= 0)
		take_words(runner);
	if (runner->words_fd >= 0)
		close(runner->words_fd);
	runner->words_fd = -1;
	if (was_ours)
		answer(runner, HOOK_TIMED_OUT, 0);
	else if (WIFSIGNALED(status))
		answer(runner, HOOK_KILLED, WTERMSIG(status));
	else
		answer(runner, HOOK_ENDED, WEXITSTATUS(status));
}

/* press - its time is over: TERM, then KILL */
static void press(struct runner *runner)
{
	(void)kill(-runner->pid, runner->is_ending ? SIGKILL : SIGTERM);
	/* One that is stopped takes no TERM. */
	(void)kill(-runner->pid, SIGCONT);
	runner->is_ending = true;
	runner->deadline_ms = clock_now_ms() + runner->limits->grace_ms;
}

/* take_orders - false: the keeper is gone */
static bool take_orders(struct runner *runner, int orders)
{
	static struct channel_message message;
	enum channel_status status;

	while ((status = channel_receive(orders, &message)) == CHANNEL_GOT) {
		if (message.fd >= 0)
			close(message.fd);
		if (message.type != CHANNEL_HOOK_PROGRAM)
			continue;
		free(runner->program);
		runner->program = xstrndup(message.payload, message.bytes);
	}
	return status != CHANNEL_GONE;
}

/* next_request - one alone: an order may have come before the one behind it */
static void next_request(struct runner *runner)
{
	static struct channel_message message;
	enum channel_status status = channel_receive(runner->requests, &message);

	if (status == CHANNEL_GOT) {
		if (message.fd >= 0)
			close(message.fd);
		take_request(runner, &message);
	} else if (status == CHANNEL_GONE) {
		close(runner->requests);
		runner->requests = -1;
	}
}

static void take_signals(struct runner *runner)
{
	struct signalfd_siginfo info;

	while (read(runner->signals, &info, sizeof info) == (ssize_t)sizeof info)
		;
	if (runner->pid != 0)
		reap(runner);
}

static int timeout_ms(const struct runner *runner)
{
	int64_t left_ms = runner->deadline_ms - clock_now_ms();

	if (runner->pid == 0)
		return -1;
	return left_ms > 0 ? (int)left_ms : 0;
}

/* step - wait for something and handle it; false: the keeper is gone */
static bool step(struct runner *runner, int orders)
{
	struct pollfd fds[4] = {{orders, POLLIN, 0}, {runner->signals, POLLIN, 0},
		{runner->words_fd, POLLIN, 0},
		{runner->pid == 0 ? runner->requests : -1, POLLIN, 0}};

	if (poll(fds, 4, timeout_ms(runner)) < 0)
		return errno == EINTR;
	if (fds[2].revents != 0)
		take_words(runner);
	if (fds[1].revents != 0)
		take_signals(runner);
	/* Before requests: the keeper changes the program first, and then tells the engine.  One may have come after
	 * poll() had looked for it. */
	if ((fds[0].revents != 0 || fds[3].revents != 0) && !take_orders(runner, orders))
		return false;
	if (fds[3].revents != 0)
		next_request(runner);
	if (runner->pid != 0 && clock_now_ms() >= runner->deadline_ms)
		press(runner);
	return true;
}

/* finish - the daemon stops: what runs now has a moment, not its whole time */
static void finish(struct runner *runner)
{
	static const struct hook_limits at_once = {0, STOP_GRACE_MS};

	runner->limits = &at_once;
	if (runner->pid != 0)
		press(runner);
	while (runner->pid != 0 && step(runner, -1))
		;
}

void hook_runner_run(int orders, int requests, const struct hook_limits *limits)
{
	struct runner runner = {
		.limits = limits, .requests = requests, .program = xstrdup(""), .words_fd = -1};
	sigset_t children;

	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	runner.signals = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
	(void)!chdir("/");
	(void)umask(022);
	if (runner.signals >= 0) {
		while (step(&runner, orders))
			;
		finish(&runner);
		close(runner.signals);
	}
	free(runner.program);
}
