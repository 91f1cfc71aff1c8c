/*
 * conf_report - collect the errors of a configuration file
 *
 * Scanner and parser find errors at different times; an operator wants them in the order of the
 * lines, all at once, and not a million of them when the file is something else altogether.
 */
#include "base/xmem.h"
#include "conf/conf_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ERRORS = 100 };

void conf_report_add(struct conf_report *report, int line, const char *fmt, ...)
{
	va_list ap;
	char *text = NULL;

	if (report->count > MAX_ERRORS)
		return;
	va_start(ap, fmt);
	if (report->count == MAX_ERRORS)
		text = xstrdup("too many errors; the rest of them is not shown");
	else if (vasprintf(&text, fmt, ap) < 0)
		text = xstrdup("an error (out of memory while describing it)");
	va_end(ap);
	report->error = xrealloc(report->error, (report->count + 1) * sizeof *report->error);
	report->error[report->count] = (struct conf_error){
		.line = report->count == MAX_ERRORS ? INT32_MAX : line,
		.sequence = report->count,
		.text = text,
	};
	report->count++;
}

static int compare_errors(const void *left, const void *right)
{
	const struct conf_error *a = left, *b = right;

	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	return a->sequence < b->sequence ? -1 : a->sequence > b->sequence;
}

static char *error_line(const struct conf_error *error, const char *filename)
{
	if (error->line <= 0 || error->line == INT32_MAX)
		return xasprintf("%s: %s", filename, error->text);
	return xasprintf("%s:%d: %s", filename, error->line, error->text);
}

bool conf_report_send(
	struct conf_report *report, const char *filename, conf_report_fn *fn, void *arg)
{
	bool any = report->count > 0;

	if (any)
		qsort(report->error, report->count, sizeof *report->error, compare_errors);
	for (size_t i = 0; i < report->count; i++) {
		char *line = error_line(&report->error[i], filename);

		fn(arg, line);
		free(line);
		free(report->error[i].text);
	}
	free(report->error);
	*report = (struct conf_report){0};
	return any;
}

const char *conf_quoted(char buf[CONF_QUOTED_BYTES], const char *text)
{
	enum { SHOWN = CONF_QUOTED_BYTES - sizeof "\"\"..." };
	size_t length = strnlen(text, SHOWN);
	size_t used = 0;

	buf[used++] = '"';
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		buf[used++] = (char)(c < ' ' || c == 0x7f ? '?' : c);
	}
	(void)snprintf(buf + used, CONF_QUOTED_BYTES - used, text[length] == '\0' ? "\"" : "\"...");
	return buf;
}
