/*
 * lint_reload - was the configuration changed after Postfix has read it?
 *
 * `postfix reload` makes master(8) read both files and end its children, so qmgr(8) is as old as what master(8)
 * knows.  One that was started anew because it crashed hides a change; nothing makes one up.
 *
 * The time of the inode's last change counts: unlike that of the content it cannot be set, and a copy that keeps
 * an old date is a change, too.
 */
#include "lint/lint_private.h"

#include "base/clock.h"
#include "base/xmem.h"
#include "probe/workers.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { START_SLACK_MS = 10 }; /* the clock of process starts ticks as slowly as this */

/* read_master - the process ID of its master(8), 0: not known */
static long read_master(const struct instance *instance)
{
	const char *directory = instance_parameter(instance, "process_id_directory");
	char *path = xasprintf("%s/%s/master.pid", instance_parameter(instance, "queue_directory"),
		*directory != '\0' ? directory : "pid");
	FILE *fp = fopen(path, "re");
	char text[64]; /* master(8) fills 32 */
	long pid = 0;

	if (fp != NULL && fgets(text, sizeof text, fp) != NULL)
		pid = strtol(text, NULL, 10);
	if (fp != NULL)
		(void)fclose(fp);
	free(path);
	return pid > 0 ? pid : 0;
}

/* read_ms - when Postfix has read its files, -1: not known, 0: it does not run */
static int64_t read_ms(const struct lint *lint)
{
	const struct workers_wanted wanted = {"qmgr", read_master(lint->instance), 0};
	int64_t started_ms;

	if (wanted.master == 0)
		return geteuid() == 0 ? 0 : -1;
	if (kill((pid_t)wanted.master, 0) < 0 && errno == ESRCH)
		return 0;
	started_ms = workers_started_ms(&wanted, clock_now_ms());
	if (started_ms >= 0)
		return started_ms + START_SLACK_MS;
	return -1;
}

static void look(const struct lint *lint, const char *service, const char *name, int64_t read)
{
	const char *directory = instance_directory(lint->instance);
	const struct lint_place place = {service, NULL};
	struct lint_finding finding = lint_at(lint, LINT_RELOAD_NEEDED, &place);
	char *path = xasprintf("%s/%s", directory, name);
	struct stat status;

	if (stat(path, &status) == 0 &&
		(int64_t)status.st_ctim.tv_sec * 1000 + status.st_ctim.tv_nsec / 1000000 > read) {
		*finding.service = '\0';
		lint_put(finding.message, sizeof finding.message, "%s was changed after Postfix has read it%s",
			name, service != NULL ? "" : ": only processes started since then know");
		lint_put(finding.fix, sizeof finding.fix, "postfix -c %s reload", directory);
		lint_report(lint, &finding);
	}
	free(path);
}

void lint_reload(const struct lint *lint)
{
	int64_t read = read_ms(lint);
	const struct lint_place place = {NULL, NULL};
	struct lint_finding finding;

	if (read > 0) {
		look(lint, "", "master.cf", read);
		look(lint, NULL, "main.cf", read);
	} else if (read == 0) {
		finding = lint_at(lint, LINT_POSTFIX_STOPPED, &place);
		*finding.file = '\0';
		lint_put(finding.message, sizeof finding.message, "Postfix does not run");
		lint_put(finding.fix, sizeof finding.fix, "postfix -c %s start",
			instance_directory(lint->instance));
		lint_report(lint, &finding);
	}
}
