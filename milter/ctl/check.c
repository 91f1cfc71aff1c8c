/*
 * check - failfastctl check: what Postfix's configuration refers to and cannot work
 *
 * The looking is done by lint/, here, in this process: nothing has to run for it.  That the daemon gives no answer is
 * one more finding, which counts only when there is nothing worse.
 */
#include "ctl/ctl.h"

#include "base/xmem.h"
#include "lint/lint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INDENT = 9, DEFAULT_COLUMNS = 80, SEVERITIES = LINT_ERROR + 1 };

struct findings {
	struct lint_finding *item;
	size_t count;
	unsigned counts[SEVERITIES];
};

static const struct {
	const char *colour;
	const char *one, *many; /* in the last line */
	const char *status;	/* of all, when this is the worst */
	int exit_status;
} looks[SEVERITIES] = {
	[LINT_INFO] = {"\033[36m", "remark", "remarks", "ok", CTL_UP},
	[LINT_UNKNOWN] = {"\033[35m", "unknown", "unknown", "unknown", CTL_UNKNOWN},
	[LINT_WARNING] = {"\033[33m", "warning", "warnings", "warning", CTL_DEGRADED},
	[LINT_ERROR] = {"\033[31m", "error", "errors", "error", CTL_DOWN},
};

static void add(void *arg, const struct lint_finding *finding)
{
	struct findings *findings = arg;

	findings->item =
		xrealloc(findings->item, (findings->count + 1) * sizeof *findings->item);
	findings->item[findings->count++] = *finding;
	findings->counts[finding->severity]++;
}

/* ask_daemon - does it answer?  A pattern that no hop has keeps the answer short. */
static void ask_daemon(const struct ctl *ctl, struct findings *findings)
{
	json_t *request = json_pack("{s:s, s:s}", "command", "status", "pattern", "\n");
	struct lint_finding finding = lint_new(LINT_DAEMON_SILENT);
	char why[CTL_WHY_BYTES];
	json_t *answer = ctl_try(ctl, request, why);

	if (answer == NULL) {
		lint_put(finding.message, sizeof finding.message,
			"failfast-milter does not answer: %s", why);
		lint_put(finding.fix, sizeof finding.fix, "systemctl start failfast-milter");
		add(findings, &finding);
	}
	json_decref(answer);
}

/* by_severity - the worst first, else as they were found */
static int by_severity(const void *a, const void *b)
{
	const struct lint_finding *const *left = a, *const *right = b;

	if ((*left)->severity != (*right)->severity)
		return (*left)->severity > (*right)->severity ? -1 : 1;
	return *left < *right ? -1 : *left > *right;
}

static enum lint_severity worst_of(const struct findings *findings)
{
	enum lint_severity worst = LINT_ERROR;

	while (worst > LINT_INFO && findings->counts[worst] == 0)
		worst--;
	return worst;
}

/* print_wrapped - lines of words behind an indent; a word that does not fit stays whole */
static void print_wrapped(const char *text, unsigned columns)
{
	unsigned used = INDENT;

	(void)printf("%*s", INDENT, "");
	while (*text != '\0') {
		size_t length = strcspn(text, " ");

		if (used > INDENT && used + 1 + length > columns) {
			(void)printf("\n%*s", INDENT, "");
			used = INDENT;
		} else if (used > INDENT) {
			(void)putchar(' ');
			used++;
		}
		(void)printf("%.*s", (int)length, text);
		used += (unsigned)length;
		text += length;
		text += strspn(text, " ");
	}
	(void)putchar('\n');
}

/* describe_place - where it is; the caller frees it */
static char *describe_place(const struct lint_finding *finding)
{
	char more[64] = "";

	if (*finding->file == '\0')
		return xstrdup(finding->instance);
	if (finding->count > 1)
		(void)snprintf(more, sizeof more, " and %lu more", finding->count - 1);
	return xasprintf("%s%s%s%s%s%s%s%s", finding->file, *finding->service != '\0' ? ", " : "",
		finding->service, *finding->parameter != '\0' ? ", " : "", finding->parameter,
		finding->count > 0 ? ", key " : "", finding->key, more);
}

static void print_finding(const struct ctl *ctl, const struct lint_finding *finding)
{
	unsigned columns = ctl->columns > 0 ? ctl->columns : DEFAULT_COLUMNS;
	char *place = describe_place(finding), text[2 * LINT_WORDS_BYTES];

	(void)printf("%s%-*s%s%s\n", ctl->has_colour ? looks[finding->severity].colour : "", INDENT,
		lint_severity_name(finding->severity), ctl->has_colour ? "\033[0m" : "",
		lint_check_name(finding->check));
	if (*place != '\0')
		print_wrapped(place, columns);
	free(place);
	print_wrapped(finding->message, columns);
	if (*finding->fix == '\0')
		return;
	(void)snprintf(text, sizeof text, "-> %s", finding->fix);
	print_wrapped(text, columns);
}

static void print_findings(const struct ctl *ctl, const struct findings *findings,
	const struct lint_finding *const *sorted)
{
	const char *comma = "";

	for (size_t i = 0; i < findings->count; i++)
		print_finding(ctl, sorted[i]);
	for (int severity = LINT_ERROR; severity >= LINT_INFO; severity--) {
		unsigned count = findings->counts[severity];

		if (count == 0)
			continue;
		(void)printf("%s%u %s", comma, count,
			count == 1 ? looks[severity].one : looks[severity].many);
		comma = ", ";
	}
	(void)printf("%s\n", findings->count == 0 ? "nothing found" : "");
}

/* text_or_null - json_pack() takes a NULL for null with "s?" */
static const char *text_or_null(const char *text)
{
	return *text != '\0' ? text : NULL;
}

static void print_document(
	const struct findings *findings, const struct lint_finding *const *sorted)
{
	json_t *list = json_array(), *document;

	for (size_t i = 0; i < findings->count; i++) {
		const struct lint_finding *finding = sorted[i];

		json_array_append_new(list,
			json_pack("{s:s, s:s, s:s?, s:s?, s:s?, s:s?, s:s?, s:I, s:s, s:s?}",
				"severity", lint_severity_name(finding->severity), "check",
				lint_check_name(finding->check), "instance",
				text_or_null(finding->instance), "file", text_or_null(finding->file),
				"service", text_or_null(finding->service), "parameter",
				text_or_null(finding->parameter), "key", text_or_null(finding->key),
				"count", (json_int_t)finding->count, "message", finding->message,
				"fix", text_or_null(finding->fix)));
	}
	document = json_pack("{s:s, s:o}", "status", looks[worst_of(findings)].status, "findings", list);
	ctl_print_json(document);
	json_decref(document);
}

int ctl_check(const struct ctl *ctl, int argc, char **argv)
{
	struct findings findings = {0};
	const struct lint_finding **sorted;
	int status;

	(void)argv;
	if (argc != 1)
		return ctl_usage();
	lint_run(ctl->conf, add, &findings);
	ask_daemon(ctl, &findings);
	sorted = xcalloc(findings.count + 1, sizeof(struct lint_finding *));
	for (size_t i = 0; i < findings.count; i++)
		sorted[i] = &findings.item[i];
	qsort(sorted, findings.count, sizeof(struct lint_finding *), by_severity);
	if (ctl->is_json)
		print_document(&findings, sorted);
	else
		print_findings(ctl, &findings, sorted);
	status = looks[worst_of(&findings)].exit_status;
	free(sorted);
	free(findings.item);
	return status;
}
