/*
 * lint_helper - an instance out of texts, and what the lint finds in it
 */
#ifndef FF_LINT_HELPER_H
#define FF_LINT_HELPER_H

#include "lint/lint_private.h"

#include "base/xmem.h"
#include "suite.h"

#include <stdio.h>
#include <string.h>

enum { FINDINGS = 100 };

static struct lint_finding findings[FINDINGS];
static size_t finding_count;

/* What postmap(1) would print of any table, NULL: it fails */
static const char *listing;

static void take_finding(void *arg, const struct lint_finding *finding)
{
	(void)arg;
	ck_assert_uint_lt(finding_count, FINDINGS);
	findings[finding_count++] = *finding;
}

static char *list_table(const char *directory, const char *table, char **error)
{
	(void)directory;
	if (listing == NULL)
		*error = xasprintf("postmap -s %s: exit status 1", table);
	return listing != NULL ? xstrdup(listing) : NULL;
}

static void fail_report(void *arg, const char *message)
{
	(void)arg;
	ck_abort_msg("%s", message);
}

/* lint_texts - run checks (they end with NULL) on an instance; the texts are those of postconf(1) */
static void lint_texts(const char *conf_text, const char *main_cf, const char *master_cf,
	const char *options, void (*const checks[])(const struct lint *lint))
{
	struct postconf postconf = {.directory = xstrdup("/etc/postfix"),
		.main = xstrdup(main_cf),
		.services = xstrdup(master_cf),
		.parameters = xstrdup(options)};
	char *text = xasprintf("user = \"\"\nlisten_group = \"\"\n%s", conf_text);
	FILE *fp = fmemopen(text, strlen(text), "r");
	struct conf *conf = conf_parse(fp, "test.conf", fail_report, NULL);
	struct instance *instance = instance_new(&postconf);
	struct lint_names *reported = NULL, *used = NULL;
	struct lint lint = {.conf = conf,
		.instances = &instance,
		.instance_count = 1,
		.instance = instance,
		.types = "hash\ntexthash\ninline\npcre\nunix\n",
		.list = list_table,
		.reported = &reported,
		.used = &used,
		.report = take_finding};

	finding_count = 0;
	for (size_t i = 0; checks[i] != NULL; i++)
		checks[i](&lint);
	lint_forget(&reported);
	lint_forget(&used);
	instance_free(instance);
	postconf_free(&postconf);
	fclose(fp);
	free(text);
	conf_unref(conf);
}

/* must_find - the only finding, of that kind and severity */
static const struct lint_finding *must_find(enum lint_check check, enum lint_severity severity)
{
	ck_assert_uint_eq(finding_count, 1);
	ck_assert_str_eq(lint_check_name(findings[0].check), lint_check_name(check));
	ck_assert_str_eq(lint_severity_name(findings[0].severity), lint_severity_name(severity));
	return &findings[0];
}

/* ck_has - part is somewhere in text */
#define ck_has(text, part) ck_assert_msg(strstr(text, part) != NULL, "\"%s\" in \"%s\"", part, text)

#endif
