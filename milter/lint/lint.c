/*
 * lint - the table of checks, and how a finding is worded
 */
#include "lint/lint_private.h"

#include "base/run.h"
#include "base/xmem.h"
#include "postfix/postconf.h"
#include "postfix/postconf_tables.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { TIMEOUT_MS = 10000, RAW_BYTES = 4096 };

static const struct {
	const char *name;
	enum lint_severity severity; /* unless the check says otherwise */
} kinds[LINT_CHECK_COUNT] = {
	[LINT_TRANSPORT_UNDEFINED] = {"transport-undefined", LINT_ERROR},
	[LINT_NEXTHOP_INVALID] = {"nexthop-invalid", LINT_ERROR},
	[LINT_BIND_ADDRESS] = {"bind-address", LINT_ERROR},
	[LINT_COMMAND_MISSING] = {"command-missing", LINT_ERROR},
	[LINT_PROGRAM_MISSING] = {"program-missing", LINT_ERROR},
	[LINT_TABLE_TYPE_UNKNOWN] = {"table-type-unknown", LINT_ERROR},
	[LINT_TABLE_MISSING] = {"table-missing", LINT_ERROR},
	[LINT_TABLE_NOT_BUILT] = {"table-not-built", LINT_ERROR},
	[LINT_TABLE_OUTDATED] = {"table-outdated", LINT_WARNING},
	[LINT_TABLE_UNREADABLE] = {"table-unreadable", LINT_ERROR},
	[LINT_TABLE_UNLISTED] = {"table-unlisted", LINT_INFO},
	[LINT_RELOAD_NEEDED] = {"reload-needed", LINT_WARNING},
	[LINT_POSTFIX_STOPPED] = {"postfix-stopped", LINT_INFO},
	[LINT_POSTFIX_UNREADABLE] = {"postfix-unreadable", LINT_UNKNOWN},
	[LINT_POSTFIX_UNNAMED] = {"postfix-unnamed", LINT_INFO},
	[LINT_MILTER_NOT_ASKED] = {"milter-not-asked", LINT_WARNING},
	[LINT_MILTER_UNREACHABLE] = {"milter-unreachable", LINT_ERROR},
	[LINT_MILTER_DEFAULT_ACTION] = {"milter-default-action", LINT_WARNING},
	[LINT_MILTER_TIMEOUT] = {"milter-timeout", LINT_WARNING},
	[LINT_LOG_UNREADABLE] = {"log-unreadable", LINT_INFO},
	[LINT_DAEMON_SILENT] = {"daemon-silent", LINT_UNKNOWN},
};

static const char *const severities[] = {
	[LINT_INFO] = "info",
	[LINT_UNKNOWN] = "unknown",
	[LINT_WARNING] = "warning",
	[LINT_ERROR] = "error",
};

/* In this order: the first ones find out which transports are used. */
static void (*const checks[])(const struct lint *lint) = {
	lint_use_own,
	lint_hops,
	lint_maps,
	lint_tables,
	lint_binds,
	lint_commands,
	lint_reload,
	lint_milters,
	lint_auth,
	lint_log,
};

const char *lint_check_name(enum lint_check check)
{
	return kinds[check].name;
}

const char *lint_severity_name(enum lint_severity severity)
{
	return severities[severity];
}

struct lint_finding lint_new(enum lint_check check)
{
	return (struct lint_finding){.check = check, .severity = kinds[check].severity};
}

/* clean - printable ASCII, the rest as \xNN; "..." at the end of what does not fit */
static void clean(char *out, size_t out_bytes, const char *text, bool is_cut)
{
	static const char more[] = "...";
	size_t used = 0;

	for (; *text != '\0' && used + sizeof "\\xNN" + sizeof more <= out_bytes; text++) {
		if (*text >= ' ' && *text <= '~')
			out[used++] = *text;
		else
			used += (size_t)sprintf(out + used, "\\x%02X", (unsigned char)*text);
	}
	(void)strcpy(out + used, *text != '\0' || is_cut ? more : "");
}

void lint_put(char *out, size_t out_bytes, const char *fmt, ...)
{
	char raw[RAW_BYTES];
	va_list ap;
	int bytes;

	va_start(ap, fmt);
	bytes = vsnprintf(raw, sizeof raw, fmt, ap);
	va_end(ap);
	clean(out, out_bytes, raw, bytes < 0 || (size_t)bytes >= sizeof raw);
}

struct lint_names {
	UT_hash_handle hh;
	char name[];
};

bool lint_knows(struct lint_names *const *names, const char *name)
{
	struct lint_names *one;

	HASH_FIND_STR(*names, name, one);
	return one != NULL;
}

bool lint_remember(struct lint_names **names, const char *name)
{
	struct lint_names *one;

	if (lint_knows(names, name))
		return false;
	one = xcalloc(1, sizeof *one + strlen(name) + 1);
	(void)strcpy(one->name, name);
	HASH_ADD_KEYPTR(hh, *names, one->name, strlen(one->name), one);
	return true;
}

void lint_forget(struct lint_names **names)
{
	struct lint_names *one = *names, *next;

	/* HASH_CLEAR leaves the elements and how they follow each other */
	HASH_CLEAR(hh, *names);
	for (; one != NULL; one = next) {
		next = one->hh.next;
		free(one);
	}
}

/* lint_report - several services can share the value that a finding is about */
void lint_report(const struct lint *lint, const struct lint_finding *finding)
{
	char *text = xasprintf("%d\n%s\n%s\n%s\n%s\n%s", (int)finding->check, finding->file,
		finding->service, finding->parameter, finding->key, finding->message);

	if (lint_remember(lint->reported, text))
		lint->report(lint->arg, finding);
	free(text);
}

struct lint_finding lint_at(
	const struct lint *lint, enum lint_check check, const struct lint_place *place)
{
	struct lint_finding finding = lint_new(check);
	const char *directory = instance_directory(lint->instance);

	lint_put(finding.instance, sizeof finding.instance, "%s", directory);
	lint_put(finding.file, sizeof finding.file, "%s/%s", directory,
		place->service == NULL ? "main.cf" : "master.cf");
	if (place->service != NULL)
		lint_put(finding.service, sizeof finding.service, "%s", place->service);
	if (place->parameter != NULL)
		lint_put(finding.parameter, sizeof finding.parameter, "%s", place->parameter);
	return finding;
}

void lint_set_command(const struct lint *lint, struct lint_finding *finding,
	const struct lint_place *place, const char *before, const char *value)
{
	const char *directory = instance_directory(lint->instance);

	if (place->service == NULL)
		lint_put(finding->fix, sizeof finding->fix, "%spostconf -c %s -e '%s=%s'", before,
			directory, place->parameter, value);
	else if (strpbrk(value, " \t") == NULL)
		lint_put(finding->fix, sizeof finding->fix, "%spostconf -c %s -P '%s/%s=%s'", before,
			directory, place->service, place->parameter, value);
	else
		/* postconf(1) takes no such value for an option of master.cf */
		lint_put(finding->fix, sizeof finding->fix,
			"%swrite in %s/master.cf, below %s: -o { %s = %s }", before, directory,
			place->service, place->parameter, value);
}

void lint_instance(const struct lint *lint)
{
	for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
		checks[i](lint);
}

/* read_instance - NULL after a finding */
static struct instance *read_instance(const struct lint *lint, const char *directory)
{
	struct postconf postconf;
	struct instance *instance;

	postconf_read_texts(&postconf, directory);
	instance = instance_new(&postconf);
	if (instance == NULL) {
		struct lint_finding finding = lint_new(LINT_POSTFIX_UNREADABLE);

		lint_put(finding.instance, sizeof finding.instance, "%s", directory);
		lint_put(finding.message, sizeof finding.message,
			"Postfix's configuration cannot be read: %s", postconf.error);
		lint_put(finding.fix, sizeof finding.fix,
			"run this as root; see what \"postfix -c %s check\" says", directory);
		lint_report(lint, &finding);
	}
	postconf_free(&postconf);
	return instance;
}

/* report_unnamed - there is nothing to look at */
static void report_unnamed(const struct lint *lint)
{
	struct lint_finding finding = lint_new(LINT_POSTFIX_UNNAMED);

	lint_put(finding.file, sizeof finding.file, "%s", lint->conf->filename);
	lint_put(finding.message, sizeof finding.message, "no instance of Postfix is named");
	lint_put(finding.fix, sizeof finding.fix, "write: postfix \"/etc/postfix\" { }");
	lint_report(lint, &finding);
}

static char *read_types(const char *directory)
{
	const char *const argv[] = {"postconf", "-c", directory, "-m", NULL};
	char *error = NULL, *types = run_capture(argv, TIMEOUT_MS, &error);

	free(error);
	return types;
}

void lint_run(const struct conf *conf, lint_report_fn *report, void *arg)
{
	struct lint_names *reported = NULL, *used = NULL;
	struct lint lint = {.conf = conf,
		.list = postconf_list_table,
		.reported = &reported,
		.used = &used,
		.report = report,
		.arg = arg};

	if (conf->postfix_count == 0)
		report_unnamed(&lint);
	lint.instances = xcalloc(conf->postfix_count + 1, sizeof(struct instance *));
	for (size_t i = 0; i < conf->postfix_count; i++) {
		struct instance *instance = read_instance(&lint, conf->postfix[i].config_directory);

		if (instance != NULL)
			lint.instances[lint.instance_count++] = instance;
	}
	for (size_t i = 0; i < lint.instance_count; i++) {
		char *types = read_types(instance_directory(lint.instances[i]));

		lint.instance = lint.instances[i];
		lint.types = types;
		lint_instance(&lint);
		lint_forget(&used);
		free(types);
	}
	lint.instance = NULL;
	lint.types = NULL;
	/* What could not be read may be what has the transport. */
	if (lint.instance_count == conf->postfix_count)
		lint_own(&lint);
	for (size_t i = 0; i < lint.instance_count; i++)
		instance_free(lint.instances[i]);
	free(lint.instances);
	lint_forget(&reported);
}
