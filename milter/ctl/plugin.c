/*
 * plugin - failfastctl status --plugin: one line for a monitoring system
 *
 * As the Monitoring Plugins Development Guidelines want it: words, "|", performance data; all of it
 * on standard output, when something goes wrong, too.  Names and details come from outside: nothing
 * in them may end the words early.
 */
#include "ctl/ctl.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { TOLD_HOPS = 3, TOLD_BYTES = 100 };

/* Indexed by the exit status. */
static const char *const results[] = {[CTL_UP] = "OK",
	[CTL_DEGRADED] = "WARNING",
	[CTL_DOWN] = "CRITICAL",
	[CTL_UNKNOWN] = "UNKNOWN"};

/* The worst first; what is not told of when it is all that there is comes last. */
static const char *const states[] = {
	"down", "forced-down", "unknown", "degraded", "forced-up", "up"};
enum { STATES = sizeof states / sizeof *states, TOLD_STATES = STATES - 2 };

static void print_part(const char *text)
{
	for (size_t i = 0; i < TOLD_BYTES && text[i] != '\0'; i++)
		(void)putchar(isprint((unsigned char)text[i]) && text[i] != '|' ? text[i] : '?');
	if (strlen(text) > TOLD_BYTES)
		(void)printf("...");
}

int ctl_plugin_unknown(const char *why)
{
	(void)printf("FAILFAST UNKNOWN - ");
	for (; *why != '\0'; why++)
		(void)putchar(isprint((unsigned char)*why) && *why != '|' ? *why : '?');
	(void)putchar('\n');
	return CTL_UNKNOWN;
}

static unsigned count_of(const json_t *hops, const char *state)
{
	unsigned count = 0;

	for (size_t i = 0; i < json_array_size(hops); i++)
		count += strcmp(ctl_text(json_array_get(hops, i), "state"), state) == 0;
	return count;
}

/* print_counts - "1 of 14 hops down, 2 degraded", or "14 hops up" */
static void print_counts(const json_t *hops)
{
	size_t all = json_array_size(hops);
	const char *comma = "";

	for (size_t i = 0; i < TOLD_STATES; i++) {
		unsigned count = count_of(hops, states[i]);

		if (count == 0)
			continue;
		if (*comma == '\0')
			(void)printf("%u of %zu hops %s", count, all, states[i]);
		else
			(void)printf("%s%u %s", comma, count, states[i]);
		comma = ", ";
	}
	if (*comma == '\0')
		(void)printf("%zu hop%s up", all, all == 1 ? "" : "s");
}

/* print_hop - "smtp:[192.0.2.1] (connection refused)"; the reason as its token, dashes as spaces */
static void print_hop(const json_t *hop)
{
	char reason[64];

	print_part(ctl_text(hop, "hop"));
	(void)snprintf(reason, sizeof reason, "%s", ctl_text(hop, "reason"));
	for (char *cp = reason; *cp != '\0'; cp++)
		if (*cp == '-')
			*cp = ' ';
	if (*reason == '\0')
		return;
	(void)printf(" (");
	print_part(reason);
	(void)putchar(')');
}

/* print_hops - the worst ones, and how many there are more */
static void print_hops(const json_t *hops)
{
	size_t told = 0, more = 0;

	for (size_t s = 0; s < TOLD_STATES; s++)
		for (size_t i = 0; i < json_array_size(hops); i++) {
			const json_t *hop = json_array_get(hops, i);

			if (strcmp(ctl_text(hop, "state"), states[s]) != 0)
				continue;
			if (told == TOLD_HOPS) {
				more++;
				continue;
			}
			(void)printf("%s", told++ == 0 ? ": " : ", ");
			print_hop(hop);
		}
	if (more > 0)
		(void)printf(" and %zu more", more);
}

int ctl_print_plugin(const json_t *hops)
{
	int status = ctl_worst_status(hops);

	if (json_array_size(hops) == 0)
		return ctl_plugin_unknown("no hop matches");
	(void)printf("FAILFAST %s - ", results[status]);
	print_counts(hops);
	print_hops(hops);
	(void)printf(
		" | hops=%zu up=%u degraded=%u down=%u unknown=%u forced_up=%u forced_down=%u\n",
		json_array_size(hops), count_of(hops, "up"), count_of(hops, "degraded"),
		count_of(hops, "down"), count_of(hops, "unknown"), count_of(hops, "forced-up"),
		count_of(hops, "forced-down"));
	return status;
}
