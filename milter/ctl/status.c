/*
 * status - failfastctl status: every hop in a table, the worst first
 */
#include "ctl/ctl.h"

#include "base/xmem.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How a state looks, how bad it is, and what the exit status says of it. */
static const struct look {
	const char *state;
	int rank; /* the worst comes first in the table */
	int status;
	const char *colour;
} looks[] = {
	{"down", 0, CTL_DOWN, "\033[31m"},
	{"forced-down", 1, CTL_DOWN, "\033[31m"},
	{"unknown", 2, CTL_UNKNOWN, "\033[35m"},
	{"degraded", 3, CTL_DEGRADED, "\033[33m"},
	{"forced-up", 4, CTL_UP, "\033[32m"},
	{"up", 5, CTL_UP, "\033[32m"},
};

static const struct look *find_look(const char *state)
{
	for (size_t i = 0; i < sizeof looks / sizeof *looks; i++)
		if (strcmp(looks[i].state, state) == 0)
			return &looks[i];
	return &looks[2];
}

static const struct look *look_of(const json_t *hop)
{
	return find_look(ctl_text(hop, "state"));
}

const char *ctl_state_colour(const char *state)
{
	return find_look(state)->colour;
}

const char *ctl_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

struct row {
	const json_t *hop;
};

static int by_badness(const void *a, const void *b)
{
	const struct row *left = a, *right = b;
	int difference = look_of(left->hop)->rank - look_of(right->hop)->rank;

	return difference != 0 ? difference
			       : strcmp(ctl_text(left->hop, "hop"), ctl_text(right->hop, "hop"));
}

void ctl_print_clean(const char *text, unsigned width)
{
	unsigned used = 0;

	for (; *text != '\0' && (width == 0 || used < width); text++, used++)
		(void)putchar(isprint((unsigned char)*text) ? *text : '?');
	(void)putchar('\n');
}

/* print_forced - how long an override is for, and what it hides */
static void print_forced(const json_t *forced, unsigned indent, unsigned width)
{
	const char *until = ctl_text(forced, "until"), *reason = ctl_text(forced, "probed_reason");
	const char *probed = ctl_text(forced, "probed_state");
	char line[1024];

	(void)snprintf(line, sizeof line, "forced %s%s%s%s%s%s%s", *until != '\0' ? "until " : "until it is taken back",
		until, *probed != '\0' ? ", probes say " : "", probed, *reason != '\0' ? " (" : "", reason,
		*reason != '\0' ? ")" : "");
	(void)printf("%*s", (int)indent, "");
	ctl_print_clean(line, width);
}

/* print_absent - an override of a hop that is not known now */
static void print_absent(const struct ctl *ctl, const json_t *forced)
{
	enum { INDENT = 13, STATE_WIDTH = 12 };
	unsigned width = ctl->columns > INDENT ? ctl->columns - INDENT : 0;
	char line[1024];

	(void)printf("%-*s ", STATE_WIDTH, ctl_text(forced, "state"));
	ctl_print_clean(ctl_text(forced, "hop"), width);
	(void)snprintf(line, sizeof line, "not known now, since %s%s%s", ctl_text(forced, "since"),
		*ctl_text(forced, "comment") != '\0' ? ": " : "", ctl_text(forced, "comment"));
	(void)printf("%*s", INDENT, "");
	ctl_print_clean(line, width);
	print_forced(forced, INDENT, width);
}

void ctl_print_hop(const struct ctl *ctl, const json_t *hop)
{
	enum { INDENT = 13, STATE_WIDTH = 12 };
	const struct look *look = look_of(hop);
	unsigned width = ctl->columns > INDENT ? ctl->columns - INDENT : 0;
	json_t *latency = json_object_get(hop, "latency_ms");
	const json_t *roles = json_object_get(hop, "roles"), *forced = json_object_get(hop, "forced");
	char line[1024], answer[32] = "";

	(void)printf("%s%-*s%s ", ctl->has_colour ? look->colour : "", STATE_WIDTH, look->state,
		ctl->has_colour ? "\033[0m" : "");
	ctl_print_clean(ctl_text(hop, "hop"), width);
	line[0] = '\0';
	for (size_t i = 0; i < json_array_size(roles); i++)
		(void)snprintf(line + strlen(line), sizeof line - strlen(line), "%s%s",
			i > 0 ? "," : "", json_string_value(json_array_get(roles, i)));
	if (json_is_number(latency))
		(void)snprintf(answer, sizeof answer, ", %.2f ms", json_number_value(latency));
	(void)snprintf(line + strlen(line), sizeof line - strlen(line), ", since %s%s",
		ctl_text(hop, "since"), answer);
	(void)printf("%*s", INDENT, "");
	ctl_print_clean(line, width);
	/* An override that says "up" has no reason, and may have words. */
	(void)snprintf(line, sizeof line, "%s%s%s", ctl_text(hop, "reason"),
		*ctl_text(hop, "reason") != '\0' && *ctl_text(hop, "detail") != '\0' ? ": " : "",
		*ctl_text(hop, "reason") != '\0' || json_is_object(forced) ? ctl_text(hop, "detail") : "");
	if (*line != '\0') {
		(void)printf("%*s", INDENT, "");
		ctl_print_clean(line, width);
	}
	if (json_is_object(forced))
		print_forced(forced, INDENT, width);
}

static void print_table(const struct ctl *ctl, json_t *hops, const json_t *absent)
{
	size_t count = json_array_size(hops);
	struct row *rows = xcalloc(count + 1, sizeof *rows);

	for (size_t i = 0; i < count; i++)
		rows[i].hop = json_array_get(hops, i);
	qsort(rows, count, sizeof *rows, by_badness);
	for (size_t i = 0; i < count; i++)
		ctl_print_hop(ctl, rows[i].hop);
	if (count == 0)
		(void)printf("no hops\n");
	for (size_t i = 0; i < json_array_size(absent); i++)
		print_absent(ctl, json_array_get(absent, i));
	free(rows);
}

/* print_names - for programs and shells, whole and a line each: Postfix has no names with control characters */
static void print_names(const json_t *hops)
{
	for (size_t i = 0; i < json_array_size(hops); i++)
		ctl_print_clean(ctl_text(json_array_get(hops, i), "hop"), 0);
}

int ctl_worst_status(const json_t *hops)
{
	static const int badness[] = {
		[CTL_UP] = 0, [CTL_DEGRADED] = 1, [CTL_UNKNOWN] = 2, [CTL_DOWN] = 3};
	int worst = CTL_UP;

	for (size_t i = 0; i < json_array_size(hops); i++) {
		int status = look_of(json_array_get(hops, i))->status;

		if (badness[status] > badness[worst])
			worst = status;
	}
	return worst;
}

void ctl_print_json(const json_t *document)
{
	(void)json_dumpf(document, stdout, JSON_INDENT(2));
	(void)putchar('\n');
}

int ctl_status(const struct ctl *ctl, int argc, char **argv)
{
	const char *pattern = argc > 1 ? argv[1] : NULL;
	char why[CTL_WHY_BYTES];
	json_t *answer, *hops, *request;
	int status;

	if (argc > 2 || ctl->is_json + ctl->is_plugin + ctl->is_names > 1)
		return ctl_usage();
	request = json_pack("{s:s, s:s*}", "command", "status", "pattern", pattern);
	answer = ctl_try(ctl, request, why);
	if (answer == NULL && ctl->is_plugin)
		return ctl_plugin_unknown(why);
	if (answer == NULL) {
		(void)fprintf(stderr, "failfastctl: %s\n", why);
		return CTL_UNKNOWN;
	}
	hops = json_object_get(answer, "hops");
	if (ctl->is_plugin)
		(void)ctl_print_plugin(hops);
	else if (ctl->is_names)
		print_names(hops);
	else if (ctl->is_json)
		ctl_print_json(answer);
	else
		print_table(ctl, hops, json_object_get(answer, "forced_absent"));
	status = ctl_worst_status(hops);
	if ((pattern != NULL || ctl->is_plugin) && json_array_size(hops) == 0)
		status = CTL_UNKNOWN;
	json_decref(answer);
	return status;
}
