/*
 * hooks - the keeper's side of on_change
 */
#include "hooks.h"

#include "base/channel.h"
#include "base/log.h"
#include "base/xmem.h"
#include "ops/hook_runner.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum { SEND_TIMEOUT_MS = 2000 };

/* what_is_wrong - with the program; NULL: nothing that can be seen from here */
static const char *what_is_wrong(const char *program)
{
	struct stat status;

	if (stat(program, &status) < 0)
		return errno == EACCES ? NULL : strerror(errno);
	if (!S_ISREG(status.st_mode))
		return "not a file";
	return (status.st_mode & 0111) == 0 ? "not executable" : NULL;
}

/* would_be_root - what is started as root stays it with these */
static bool would_be_root(const char *user)
{
	const struct passwd *entry = *user != '\0' ? getpwnam(user) : NULL;

	return geteuid() == 0 && (*user == '\0' || (entry != NULL && entry->pw_uid == 0));
}

bool hooks_check(const struct conf *conf, conf_report_fn *report, void *arg)
{
	const char *program = conf->on_change, *wrong;
	char *message;

	if (*program == '\0')
		return true;
	if (would_be_root(conf->user)) {
		message = xasprintf(
			"%s:%d: on_change = \"%s\": is never run as root; expected user = the name "
			"of another user",
			conf->filename, conf->on_change_line, program);
	} else {
		wrong = what_is_wrong(program);
		if (wrong == NULL)
			return true;
		message = xasprintf(
			"%s:%d: on_change = \"%s\": %s; expected the path of a program that user "
			"may execute, or \"\"",
			conf->filename, conf->on_change_line, program, wrong);
	}
	report(arg, message);
	free(message);
	return false;
}

/* close_others - every descriptor but standard ones and these two */
static void close_others(int one, int other)
{
	unsigned low = (unsigned)(one < other ? one : other),
		 high = (unsigned)(one < other ? other : one);

	(void)close_range(STDERR_FILENO + 1, low - 1, 0);
	if (low + 1 < high)
		(void)close_range(low + 1, high - 1, 0);
	(void)close_range(high + 1, ~0U, 0);
}

/* live - the life of the process; by _exit(2), as nothing of the keeper's is ours to clean up */
static _Noreturn void live(const struct privilege *privilege, int orders, int requests)
{
	(void)setpgid(0, 0);
	(void)prctl(PR_SET_NAME, HOOK_RUNNER_NAME);
	if (!privilege_become_user(privilege))
		_exit(EX_OSERR);
	close_others(orders, requests);
	hook_runner_run(orders, requests, &hook_limits_default);
	_exit(EX_OK);
}

static void close_pair(const int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

bool hooks_start(struct hooks *hooks, const struct privilege *privilege)
{
	int orders[2], requests[2];
	pid_t pid;

	*hooks = (struct hooks){-1, -1};
	if (privilege->engine.uid == 0)
		return true;
	if (!channel_pair(orders)) {
		log_err("socketpair");
		return false;
	}
	if (!channel_pair(requests)) {
		log_err("socketpair");
		close_pair(orders);
		return false;
	}
	pid = fork();
	if (pid == 0)
		live(privilege, orders[1], requests[1]);
	close(orders[1]);
	close(requests[1]);
	if (pid > 0) {
		*hooks = (struct hooks){orders[0], requests[0]};
		return true;
	}
	log_err("fork");
	close(orders[0]);
	close(requests[0]);
	return false;
}

bool hooks_learn(const struct hooks *hooks, const struct conf *conf)
{
	const char *program = conf->on_change;

	if (hooks->orders < 0) {
		if (*program != '\0')
			log_errx("%s:%d: on_change = \"%s\": nothing is run here as root",
				conf->filename, conf->on_change_line, program);
		return *program == '\0';
	}
	/* That the process is gone is told by the engine. */
	(void)channel_send(
		hooks->orders, CHANNEL_HOOK_PROGRAM, program, strlen(program), -1, SEND_TIMEOUT_MS);
	return true;
}

void hooks_leave(struct hooks *hooks)
{
	if (hooks->orders >= 0)
		close(hooks->orders);
	hooks->orders = -1;
}
