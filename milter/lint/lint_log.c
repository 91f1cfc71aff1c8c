/*
 * lint_log - Postfix's log, where we are to read evidence of it and may not
 *
 * The file is opened by the keeper (mail_owner) or the engine (user), both with the groups of the
 * latter; the journal by the engine alone.  Modes do not tell who may (there are access control
 * lists), so somebody who is them for a moment has a look: a child process.  That takes root;
 * others find nothing here.
 */
#include "lint/lint_private.h"

#include "base/xmem.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ID_BYTES = 64, NAME_BYTES = 256 };

/* The ids of somebody who reads. */
struct reader {
	uid_t uid;
	gid_t gid;
};

struct readers {
	char user[NAME_BYTES];
	struct reader engine, keeper;
};

/* Of Debian and its like, and of Red Hat and its like: where the daemon looks, too
 * (maillog_file.c). */
static const char *const usual[] = {"/var/log/mail.log", "/var/log/maillog"};

static bool find(const char *name, struct reader *reader)
{
	const struct passwd *user = getpwnam(name);

	if (user == NULL)
		return false;
	*reader = (struct reader){user->pw_uid, user->pw_gid};
	return true;
}

static bool find_readers(const struct lint *lint, struct readers *readers)
{
	(void)snprintf(readers->user, sizeof readers->user, "%s", lint->conf->user);
	return geteuid() == 0 && *readers->user != '\0' && find(readers->user, &readers->engine) &&
	       find(instance_parameter(lint->instance, "mail_owner"), &readers->keeper);
}

/* look_as - 0: may read it, else an errno */
static int look_as(const struct readers *readers, const struct reader *reader, const char *path)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return 0;
	if (pid == 0) {
		if (initgroups(readers->user, readers->engine.gid) < 0 ||
			setresgid(reader->gid, reader->gid, reader->gid) < 0 ||
			setresuid(reader->uid, reader->uid, reader->uid) < 0)
			_exit(0);
		_exit(access(path, R_OK) == 0 ? 0 : errno);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

/* look_at - by either of them */
static int look_at(const struct readers *readers, const char *path)
{
	int error = look_as(readers, &readers->engine, path);

	return error == EACCES ? look_as(readers, &readers->keeper, path) : error;
}

static struct lint_finding begin(const struct lint *lint)
{
	static const struct lint_place place = {NULL, "maillog_file"};

	return lint_at(lint, LINT_LOG_UNREADABLE, &place);
}

/* report_file - may not be read */
static void report_file(const struct lint *lint, const struct readers *readers, const char *path)
{
	struct lint_finding finding = begin(lint);
	struct stat status;
	const struct group *group = NULL;

	if (stat(path, &status) == 0 && (status.st_mode & S_IRGRP) != 0 && status.st_gid != 0)
		/* cppcheck-suppress getgrgidCalled ; there is one thread */
		group = getgrgid(status.st_gid);
	lint_put(finding.message, sizeof finding.message,
		"evidence is off: neither %s nor mail_owner may read %s", readers->user, path);
	if (group != NULL)
		lint_put(finding.fix, sizeof finding.fix,
			"usermod -a -G %s %s && systemctl restart failfast-milter", group->gr_name,
			readers->user);
	else
		lint_put(finding.fix, sizeof finding.fix,
			"setfacl -m u:%s:r %s, and -d -m on its directory for those that follow",
			readers->user, path);
	lint_report(lint, &finding);
}

#ifdef HAVE_LIBSYSTEMD
/* look_at_journal - 0: may be read, ENOENT: there is none */
static int look_at_journal(const struct readers *readers)
{
	static const char *const directories[] = {"/run/log/journal", "/var/log/journal"};
	char id[ID_BYTES] = "";
	FILE *file = fopen("/etc/machine-id", "re");
	int worst = ENOENT;

	if (file == NULL)
		return ENOENT;
	if (fgets(id, sizeof id, file) != NULL)
		id[strcspn(id, "\n")] = '\0';
	fclose(file);
	for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
		char *path = xasprintf("%s/%s/system.journal", directories[i], id);
		int error = look_as(readers, &readers->engine, path);

		free(path);
		if (error == 0)
			return 0;
		if (error != ENOENT)
			worst = error;
	}
	return worst;
}
#endif

static void report_journal(const struct lint *lint, const struct readers *readers, int error)
{
	struct lint_finding finding = begin(lint);

	if (error == ENOENT) {
		lint_put(finding.message, sizeof finding.message,
			"evidence is off: Postfix logs to syslog(3), and there is neither %s nor "
			"%s nor a journal",
			usual[0], usual[1]);
		lint_put(finding.fix, sizeof finding.fix,
			"set maillog_file, or evidence = none in the postfix section");
	} else {
		lint_put(finding.message, sizeof finding.message,
			"evidence is off: %s may not read the journal", readers->user);
		lint_put(finding.fix, sizeof finding.fix,
			"usermod -a -G systemd-journal %s && systemctl restart failfast-milter",
			readers->user);
	}
	lint_report(lint, &finding);
}

/* look_at_syslog - a file first, then the journal, as the daemon does */
static void look_at_syslog(const struct lint *lint, const struct readers *readers)
{
	const char *closed = NULL;
	int error;

	for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
		error = look_at(readers, usual[i]);
		if (error == 0)
			return;
		if (error == EACCES && closed == NULL)
			closed = usual[i];
	}
#ifdef HAVE_LIBSYSTEMD
	error = look_at_journal(readers);
	if (error == 0)
		return;
#else
	error = ENOENT;
#endif
	if (closed != NULL)
		report_file(lint, readers, closed);
	else
		report_journal(lint, readers, error);
}

static bool wants_evidence(const struct lint *lint)
{
	const char *directory = instance_directory(lint->instance);

	for (size_t i = 0; i < lint->conf->postfix_count; i++)
		if (strcmp(lint->conf->postfix[i].config_directory, directory) == 0)
			return lint->conf->postfix[i].evidence == EVIDENCE_LOG;
	return false;
}

void lint_log(const struct lint *lint)
{
	const char *file = instance_parameter(lint->instance, "maillog_file");
	struct readers readers = {0};

	if (!wants_evidence(lint) || !find_readers(lint, &readers))
		return;
	if (*file == '\0')
		look_at_syslog(lint, &readers);
	else if (look_at(&readers, file) == EACCES)
		report_file(lint, &readers, file);
}
