/*
 * conf_helper - what check_conf and check_conf_errors share: parse a text, keep its reports
 *
 * For root, the user of the default configuration must exist, so root parses as somebody else here.
 */
#ifndef FF_CONF_HELPER_H
#define FF_CONF_HELPER_H

#include "conf/conf.h"
#include "suite.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NOBODY = 65534, MAX_REPORTS = 128 };

struct reports {
	char *line[MAX_REPORTS];
	size_t count;
};

static struct reports reports;

static void collect(void *arg, const char *message)
{
	struct reports *all = arg;

	ck_assert_uint_lt(all->count, MAX_REPORTS);
	ck_assert_ptr_null(strpbrk(message, "\r\n"));
	all->line[all->count++] = strdup(message);
}

static inline void forget_reports(void)
{
	while (reports.count > 0)
		free(reports.line[--reports.count]);
}

/* parse - as somebody who is not root */
static inline struct conf *parse(FILE *fp, const char *name)
{
	uid_t uid = geteuid();
	struct conf *conf;

	forget_reports();
	ck_assert_ptr_nonnull(fp);
	if (uid == 0)
		ck_assert_int_eq(seteuid(NOBODY), 0);
	conf = conf_parse(fp, name, collect, &reports);
	if (uid == 0)
		ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(fclose(fp), 0);
	ck_assert_msg(
		(conf == NULL) == (reports.count > 0), "%s: %zu reports", name, reports.count);
	return conf;
}

static inline FILE *text_file(const char *text)
{
	FILE *fp = tmpfile();

	ck_assert_ptr_nonnull(fp);
	ck_assert_int_ne(fputs(text, fp), EOF);
	rewind(fp);
	return fp;
}

static inline struct conf *parse_text(const char *text)
{
	return parse(text_file(text), "FILE");
}

static inline struct conf *parse_good(const char *text)
{
	struct conf *conf = parse_text(text);

	ck_assert_msg(conf != NULL, "%s", reports.count > 0 ? reports.line[0] : "");
	return conf;
}

#endif
