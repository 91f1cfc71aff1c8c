/*
 * run - run a program and take what it prints, bounded in time and size
 *
 * Standard output and standard error are read side by side with poll(2), so that a program that fills
 * one of them cannot block on it.
 */
#include "base/run.h"

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
#include <sys/wait.h>
#include <unistd.h>

enum { OUTPUT_LIMIT_BYTES = 64 << 20, READ_BYTES = 65536, PATH_BYTES = 256 };

struct capture {
	int fd;
	char *text;
	size_t used, size;
	bool is_fixed; /* the text is somebody's buffer, and what does not fit is too much */
};

/* take - one read; closes the descriptor at the end of the output */
static void take(struct capture *capture)
{
	size_t room = capture->is_fixed ? capture->size - capture->used - 1 : READ_BYTES;
	ssize_t got;

	if (!capture->is_fixed && capture->size - capture->used < READ_BYTES + 1) {
		capture->size = capture->size * 2 + READ_BYTES + 1;
		capture->text = xrealloc(capture->text, capture->size);
	}
	got = read(capture->fd, capture->text + capture->used, room);
	if (got < 0 && errno == EINTR)
		return;
	if (got > 0)
		capture->used += (size_t)got;
	if (got <= 0 || capture->used > OUTPUT_LIMIT_BYTES) {
		close(capture->fd);
		capture->fd = -1;
	}
	capture->text[capture->used] = '\0';
}

/* collect - read both until they end; false when the time is over */
static bool collect(struct capture *out, struct capture *err, int64_t deadline_ms)
{
	while (out->fd >= 0 || err->fd >= 0) {
		struct pollfd fds[2] = {{out->fd, POLLIN, 0}, {err->fd, POLLIN, 0}};
		int64_t left_ms = deadline_ms - clock_now_ms();

		if (left_ms <= 0)
			return false;
		if (poll(fds, 2, (int)left_ms) < 0 && errno != EINTR)
			return false;
		if (fds[0].revents != 0)
			take(out);
		if (fds[1].revents != 0)
			take(err);
	}
	return true;
}

/* find_program - where a shell of root would find it, whatever our own PATH is; false: nowhere */
static bool find_program(char path[PATH_BYTES], const char *name)
{
	static const char *const directories[] = {
		"/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin"};

	for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
		(void)snprintf(path, PATH_BYTES, "%s/%s", directories[i], name);
		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

static int spawn(const char *const argv[], int out, int err, pid_t *pid)
{
	static const char *const environment[] = {
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin", "LC_ALL=C", NULL};
	char path[PATH_BYTES];
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int error;

	if (!find_program(path, argv[0]))
		return ENOENT;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
	posix_spawnattr_init(&attributes);
	sigemptyset(&none);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	error = posix_spawn(pid, path, &actions, &attributes, (char *const *)argv,
		(char *const *)environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

/* describe - "postconf -x: exit status 1: words of the program" */
static char *describe(const char *const argv[], const char *what, const char *words)
{
	char command[512] = "";

	for (size_t i = 0; argv[i] != NULL; i++)
		(void)snprintf(command + strlen(command), sizeof command - strlen(command), "%s%s",
			i > 0 ? " " : "", argv[i]);
	if (words == NULL || *words == '\0')
		return xasprintf("%s: %s", command, what);
	return xasprintf("%s: %s: %.*s", command, what, (int)strcspn(words, "\n"), words);
}

/* finish - wait for the end of the program and judge it; NULL: all is well.  *exit_status -1: none */
static char *finish(
	const char *const argv[], pid_t pid, bool is_in_time, const char *words, int *exit_status)
{
	char what[64];
	int status = 0;

	if (!is_in_time)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	*exit_status = is_in_time && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	if (!is_in_time)
		return describe(argv, "did not end in time", NULL);
	if (*exit_status == 0)
		return NULL;
	if (WIFSIGNALED(status))
		(void)snprintf(what, sizeof what, "killed by signal %d", WTERMSIG(status));
	else
		(void)snprintf(what, sizeof what, "exit status %d", WEXITSTATUS(status));
	return describe(argv, what, words);
}

/* run - from its start to its end; NULL: all is well, else what failed */
static char *run(const char *const argv[], int timeout_ms, struct capture *out, struct capture *err,
	int *exit_status)
{
	int out_pipe[2], err_pipe[2], failure;
	bool is_in_time;
	char *error;
	pid_t pid;

	*exit_status = -1;
	if (pipe2(out_pipe, O_CLOEXEC) < 0)
		return describe(argv, strerror(errno), NULL);
	if (pipe2(err_pipe, O_CLOEXEC) < 0) {
		error = describe(argv, strerror(errno), NULL);
		close(out_pipe[0]);
		close(out_pipe[1]);
		return error;
	}
	failure = spawn(argv, out_pipe[1], err_pipe[1], &pid);
	close(out_pipe[1]);
	close(err_pipe[1]);
	out->fd = out_pipe[0];
	err->fd = err_pipe[0];
	if (failure != 0) {
		error = describe(argv, strerror(failure), NULL);
	} else {
		is_in_time = collect(out, err, clock_now_ms() + timeout_ms);
		error = finish(argv, pid, is_in_time, err->text, exit_status);
	}
	if (out->fd >= 0)
		close(out->fd);
	if (err->fd >= 0)
		close(err->fd);
	return error;
}

char *run_capture(const char *const argv[], int timeout_ms, char **error)
{
	struct capture out = {.fd = -1}, err = {.fd = -1};
	int exit_status;

	*error = run(argv, timeout_ms, &out, &err, &exit_status);
	free(err.text);
	if (*error != NULL) {
		free(out.text);
		return NULL;
	}
	return out.text != NULL ? out.text : xstrdup("");
}

enum run_answer run_query(
	const char *const argv[], int timeout_ms, char *out, size_t out_bytes, char **error)
{
	struct capture answer = {.fd = -1, .text = out, .size = out_bytes, .is_fixed = true};
	struct capture err = {.fd = -1};
	bool has_words;
	int exit_status;

	*out = '\0';
	*error = run(argv, timeout_ms, &answer, &err, &exit_status);
	has_words = err.used > 0;
	if (*error != NULL && has_words) {
		free(*error);
		*error = xstrndup(err.text, strcspn(err.text, "\n"));
	}
	free(err.text);
	if (*error == NULL) {
		out[strcspn(out, "\n")] = '\0';
		return RUN_FOUND;
	}
	if (exit_status != 1 || has_words)
		return RUN_FAILED;
	free(*error);
	*error = NULL;
	return RUN_NOTHING;
}
