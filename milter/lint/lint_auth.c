/*
 * lint_auth - tables of passwords that the keeper may not read
 *
 * smtp(8) opens them as root, so the usual sasl_passwd is for root alone.  A probe that is to authenticate needs them
 * to be readable for mail_owner; proxymap(8), which runs as the same user, would not help.
 */
#include "lint/lint_private.h"

#include "base/xmem.h"
#include "postfix/tables.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* asks_auth - does any hop section? */
static bool asks_auth(const struct conf *conf)
{
	for (size_t i = 0; i < conf->hop_count; i++)
		if (conf->hop[i].depth == DEPTH_AUTH)
			return true;
	return false;
}

/* may - that user do this with the file?  bit: 4 read, 1 enter */
static bool may(const struct passwd *user, const char *path, unsigned bit)
{
	struct stat status;

	if (stat(path, &status) < 0)
		return true; /* lint_tables says what is missing */
	if (status.st_uid == user->pw_uid)
		bit <<= 6;
	else if (status.st_gid == user->pw_gid)
		bit <<= 3;
	return (status.st_mode & bit) != 0;
}

/* first_closed - the folder or file on the path that the user may not use, for free(); NULL: none */
static char *first_closed(const struct passwd *user, const char *path)
{
	for (const char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		char *folder = xstrndup(path, (size_t)(slash - path));

		if (!may(user, folder, 1))
			return folder;
		free(folder);
	}
	return may(user, path, 4) ? NULL : xstrdup(path);
}

static void look_at_table(const struct lint *lint, const struct lint_place *place,
	const struct table_reference *table, const struct passwd *user)
{
	char *closed = table->path != NULL ? first_closed(user, table->path) : NULL;
	/* cppcheck-suppress getgrgidCalled ; there is one thread */
	const struct group *group = getgrgid(user->pw_gid);
	const char *name = group != NULL ? group->gr_name : user->pw_name;
	struct lint_finding finding;

	if (closed == NULL)
		return;
	finding = lint_at(lint, LINT_TABLE_UNREADABLE, place);
	finding.severity = LINT_WARNING;
	lint_put(finding.file, sizeof finding.file, "%s", table->text);
	lint_put(finding.message, sizeof finding.message,
		"probes with depth = \"auth\" need it, and %s may not %s %s", user->pw_name,
		strcmp(closed, table->path) == 0 ? "read" : "enter", closed);
	if (strcmp(closed, table->path) != 0)
		lint_put(finding.fix, sizeof finding.fix, "chgrp %s %s && chmod g+x %s", name, closed, closed);
	else if (strcmp(lint_source(table), table->path) != 0)
		/* Both: postmap(1) leaves a file that is there with its mode, and gives a new one that of the source. */
		lint_put(finding.fix, sizeof finding.fix, "chgrp %s %s %s && chmod 0640 %s %s", name,
			lint_source(table), closed, lint_source(table), closed);
	else
		lint_put(finding.fix, sizeof finding.fix, "chgrp %s %s && chmod 0640 %s", name, closed, closed);
	lint_report(lint, &finding);
	free(closed);
}

static void look(void *arg, const char *service, const char *name, const char *value)
{
	const struct lint *lint = arg;
	const struct lint_place place = {service, name};
	const struct passwd *user;
	struct table_reference *tables;
	size_t count;

	if (strcmp(name, "smtp_sasl_password_maps") != 0 && strcmp(name, "lmtp_sasl_password_maps") != 0)
		return;
	user = getpwnam(instance_parameter(lint->instance, "mail_owner"));
	if (user == NULL)
		return;
	tables = tables_references(value, &count);
	for (size_t i = 0; i < count; i++)
		look_at_table(lint, &place, &tables[i], user);
	tables_free(tables, count);
}

void lint_auth(const struct lint *lint)
{
	if (asks_auth(lint->conf))
		instance_each_parameter(lint->instance, look, (void *)lint);
}
