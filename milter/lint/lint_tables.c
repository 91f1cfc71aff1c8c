/*
 * lint_tables - can the tables that parameters refer to be opened?
 *
 * Any parameter may refer to tables.  Where a parameter is a list of tables and nothing else ("..._maps",
 * "..._checks"), every word is one and its type has to be known; elsewhere (restrictions, domain lists) only what is
 * plainly a file of a known type counts.  Tables that Postfix makes itself when they are missing are left out.
 *
 * Daemons open tables before they give up root, but proxymap(8) opens those behind "proxy:" as mail_owner.
 */
#include "lint/lint_private.h"

#include "base/xmem.h"
#include "postfix/tables.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uthash.h>

/* A table and the first parameter that refers to it. */
struct entry {
	UT_hash_handle hh;
	struct table_reference reference; /* strings are the entry's own */
	char *service, *parameter;
	bool is_list; /* the parameter is a list of tables */
};

struct tables {
	const struct lint *lint;
	struct entry *entries;
};

/* Named like lists of tables, but lists of what proxymap(8) may open. */
static const char *const not_opened[] = {"proxy_read_maps", "proxy_write_maps"};

/* Tables that only mail for one's own users needs, and that have a default. */
static const char *const for_local_users[] = {"alias_maps", "local_recipient_maps"};

static bool is_in(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static bool ends_in(const char *name, const char *tail)
{
	size_t length = strlen(name), tail_length = strlen(tail);

	return length > tail_length && strcmp(name + length - tail_length, tail) == 0;
}

const char *lint_source(const struct table_reference *table)
{
	const char *colon = strchr(table->text, ':');

	return colon != NULL ? colon + 1 : "";
}

bool lint_has_type(const struct lint *lint, const char *table)
{
	size_t length = strcspn(table, ":");

	for (const char *type = lint->types; type != NULL && *type != '\0';) {
		size_t type_length = strcspn(type, "\n");

		if (type_length == length && strncmp(type, table, length) == 0)
			return table[length] == ':';
		type += type_length + (type[type_length] == '\n');
	}
	return lint->types == NULL;
}

/* is_left_out - no daemon opens it, or it makes it itself */
static bool is_left_out(const struct lint *lint, const char *name)
{
	if (is_in(name, not_opened, sizeof not_opened / sizeof *not_opened) ||
		strcmp(name, "address_verify_map") == 0 || ends_in(name, "_cache_map") ||
		ends_in(name, "_database"))
		return true;
	return *instance_parameter(lint->instance, "mydestination") == '\0' &&
	       is_in(name, for_local_users, sizeof for_local_users / sizeof *for_local_users);
}

/* name_place - this parameter is the one that the table is blamed on */
static void name_place(struct entry *entry, const struct lint_place *place)
{
	free(entry->service);
	free(entry->parameter);
	entry->service = place->service != NULL ? xstrdup(place->service) : NULL;
	entry->parameter = xstrdup(place->parameter);
}

static void remember(struct tables *tables, const struct table_reference *reference,
	const struct lint_place *place, bool is_list)
{
	struct entry *entry;

	HASH_FIND_STR(tables->entries, reference->text, entry);
	if (entry == NULL) {
		entry = xcalloc(1, sizeof *entry);
		entry->reference = *reference;
		entry->reference.text = xstrdup(reference->text);
		entry->reference.path = reference->path != NULL ? xstrdup(reference->path) : NULL;
		HASH_ADD_KEYPTR(hh, tables->entries, entry->reference.text,
			strlen(entry->reference.text), entry);
		name_place(entry, place);
	} else if (is_list && !entry->is_list) {
		/* virtual_alias_domains has the value of virtual_alias_maps by default */
		name_place(entry, place);
	}
	entry->is_list |= is_list;
	entry->reference.is_proxied |= reference->is_proxied;
}

/* collect - the tables of one parameter */
static void collect(void *arg, const char *service, const char *name, const char *value)
{
	struct tables *tables = arg;
	const struct lint_place place = {service, name};
	bool is_list = ends_in(name, "_maps") || ends_in(name, "_checks");
	struct table_reference *references;
	size_t count;

	if (strchr(value, ':') == NULL ? !is_list : is_left_out(tables->lint, name))
		return;
	references = tables_references(value, &count);
	for (size_t i = 0; i < count; i++)
		if (is_list || references[i].path != NULL)
			remember(tables, &references[i], &place, is_list);
	tables_free(references, count);
}

/* finding_of - about a table, its place filled in */
static struct lint_finding finding_of(
	const struct lint *lint, const struct entry *entry, enum lint_check check)
{
	const struct lint_place place = {entry->service, entry->parameter};
	struct lint_finding finding = lint_at(lint, check, &place);

	lint_put(finding.file, sizeof finding.file, "%s", entry->reference.text);
	return finding;
}

static void report_type(const struct lint *lint, const struct entry *entry)
{
	struct lint_finding finding = finding_of(lint, entry, LINT_TABLE_TYPE_UNKNOWN);
	const char *text = entry->reference.text;
	int length = (int)strcspn(text, ":");

	if (text[length] == '\0') {
		lint_put(finding.message, sizeof finding.message,
			"no table: Postfix expects TYPE:NAME here");
		lint_put(finding.fix, sizeof finding.fix,
			"write for example hash:%s, or take it out of %s", text, entry->parameter);
	} else {
		lint_put(finding.message, sizeof finding.message,
			"this Postfix does not know tables of type \"%.*s\"", length, text);
		lint_put(finding.fix, sizeof finding.fix,
			"install what brings the type (Debian: package postfix-%.*s), or use one that "
			"\"postconf -m\" prints",
			length, text);
	}
	lint_report(lint, &finding);
}

/* build_command - alias tables have a syntax of their own */
static const char *build_command(const struct entry *entry)
{
	return strcmp(entry->parameter, "alias_maps") == 0 ? "postalias" : "postmap";
}

/* report_missing - the file that Postfix opens is not there */
static void report_missing(const struct lint *lint, const struct entry *entry)
{
	const char *source = lint_source(&entry->reference), *path = entry->reference.path;
	bool is_built = strcmp(source, path) != 0;
	const char *directory = instance_directory(lint->instance);
	bool has_source = is_built && access(source, F_OK) == 0;
	struct lint_finding finding =
		finding_of(lint, entry, has_source ? LINT_TABLE_NOT_BUILT : LINT_TABLE_MISSING);

	lint_put(finding.message, sizeof finding.message, "%s does not exist", path);
	if (has_source)
		lint_put(finding.fix, sizeof finding.fix, "%s -c %s %s", build_command(entry),
			directory, entry->reference.text);
	else if (is_built)
		lint_put(finding.fix, sizeof finding.fix,
			"write %s, then: %s -c %s %s; or take the table out of %s", source,
			build_command(entry), directory, entry->reference.text, entry->parameter);
	else
		lint_put(finding.fix, sizeof finding.fix,
			"write %s, or take the table out of %s", path, entry->parameter);
	lint_report(lint, &finding);
}

static void report_unreadable(const struct lint *lint, const struct entry *entry, const char *who,
	enum lint_severity severity)
{
	struct lint_finding finding = finding_of(lint, entry, LINT_TABLE_UNREADABLE);

	finding.severity = severity;
	lint_put(finding.message, sizeof finding.message, "%s may not read %s", who,
		entry->reference.path);
	if (severity == LINT_ERROR)
		lint_put(finding.fix, sizeof finding.fix,
			"take \"proxy:\" off, or: chgrp postfix %s && chmod g+r %s (and let it enter the "
			"folders above)",
			entry->reference.path, entry->reference.path);
	else
		lint_put(finding.fix, sizeof finding.fix, "run this as root");
	lint_report(lint, &finding);
}

/* look_at_age - Postfix goes on with the old content */
static void look_at_age(const struct lint *lint, const struct entry *entry, const struct stat *built)
{
	const char *source = lint_source(&entry->reference);
	struct lint_finding finding;
	struct stat status;

	if (strcmp(source, entry->reference.path) == 0 || stat(source, &status) < 0 ||
		status.st_mtime <= built->st_mtime)
		return;
	finding = finding_of(lint, entry, LINT_TABLE_OUTDATED);
	lint_put(finding.message, sizeof finding.message, "%s was changed after %s was built", source,
		entry->reference.path);
	lint_put(finding.fix, sizeof finding.fix, "%s -c %s %s", build_command(entry),
		instance_directory(lint->instance), entry->reference.text);
	lint_report(lint, &finding);
}

/* become - another user for good, in a process of its own; false when we may not */
static bool become(const struct passwd *user)
{
	return initgroups(user->pw_name, user->pw_gid) == 0 && setgid(user->pw_gid) == 0 &&
	       setuid(user->pw_uid) == 0;
}

/* may_read - true also when that cannot be found out: we are not root, or there is no such user */
static bool may_read(const char *name, const char *path)
{
	const struct passwd *user = geteuid() == 0 ? getpwnam(name) : NULL;
	int status = 0;
	pid_t pid;

	if (user == NULL)
		return true;
	pid = fork();
	if (pid == 0)
		_exit(become(user) && access(path, R_OK) < 0 && errno == EACCES ? 1 : 0);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return !(pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

static void look_at(const struct lint *lint, const struct entry *entry)
{
	const char *path = entry->reference.path;
	const char *owner = instance_parameter(lint->instance, "mail_owner");
	struct stat status;

	if (entry->is_list && !lint_has_type(lint, entry->reference.text)) {
		report_type(lint, entry);
		return;
	}
	if (path == NULL)
		return;
	if (stat(path, &status) < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			report_missing(lint, entry);
		else
			report_unreadable(lint, entry, "this command", LINT_UNKNOWN);
		return;
	}
	if (access(path, R_OK) < 0)
		report_unreadable(lint, entry, "this command", LINT_UNKNOWN);
	else if (entry->reference.is_proxied && !may_read(owner, path))
		report_unreadable(lint, entry, owner, LINT_ERROR);
	look_at_age(lint, entry, &status);
}

void lint_tables(const struct lint *lint)
{
	struct tables tables = {lint, NULL};
	struct entry *entry, *next;

	/* These first: others take their values from them by default. */
	for (const struct table_parameter *parameter = tables_parameters(); parameter->name != NULL;
		parameter++)
		collect(&tables, NULL, parameter->name,
			instance_parameter(lint->instance, parameter->name));
	instance_each_parameter(lint->instance, collect, &tables);
	/* HASH_CLEAR leaves the elements and how they follow each other */
	entry = tables.entries;
	HASH_CLEAR(hh, tables.entries);
	for (; entry != NULL; entry = next) {
		next = entry->hh.next;
		look_at(lint, entry);
		free(entry->reference.text);
		free(entry->reference.path);
		free(entry->service);
		free(entry->parameter);
		free(entry);
	}
}
