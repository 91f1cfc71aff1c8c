/*
 * queue_print - groups of messages that wait, for people and as a document
 */
#include "ctl/queue.h"

#include "base/clock.h"
#include "base/xmem.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 50, INDENT = 13, FIGURE_BYTES = 24, AGE_BYTES = 32 };

/* What can be done about a group. */
struct advice {
	char text[512];
};

static bool is_state(const struct queue_group *group, const char *state)
{
	return strcmp(ctl_text(group->hop, "state"), state) == 0;
}

static const char *state_of(const struct queue_group *group)
{
	return group->hop != NULL ? ctl_text(group->hop, "state") : "unknown";
}

/* flush - the command that has Postfix try this again */
static void flush(struct advice *advice, const struct queue_group *group, const char *why)
{
	if (group->sum.messages == 1)
		(void)snprintf(advice->text, sizeof advice->text, "%s: postqueue -c %s -i %s", why,
			group->directory, group->queue_id);
	else
		(void)snprintf(advice->text, sizeof advice->text, "%s: postqueue -c %s -f", why,
			group->directory);
}

static void advise(struct advice *advice, const struct queue_group *group, const char *error)
{
	const char *hop = ctl_text(group->hop, "hop");

	if (group->hop == NULL)
		(void)snprintf(advice->text, sizeof advice->text, "%s",
			error != NULL ? "start failfast-milter, which knows the state of hops"
				      : "look at the reason; failfastctl explain SENDER RECIPIENT");
	else if (is_state(group, "down"))
		(void)snprintf(advice->text, sizeof advice->text,
			"%s%s%s; mend that, and Postfix goes on", ctl_text(group->hop, "reason"),
			*ctl_text(group->hop, "detail") != '\0' ? ": " : "",
			ctl_text(group->hop, "detail"));
	else if (is_state(group, "forced-down"))
		(void)snprintf(advice->text, sizeof advice->text,
			"forced down by the operator: failfastctl force '%s' auto", hop);
	else if (is_state(group, "unknown"))
		(void)snprintf(advice->text, sizeof advice->text, "failfastctl probe '%s'", hop);
	else if (group->is_reply)
		(void)snprintf(advice->text, sizeof advice->text,
			"the server works and refuses these; Postfix tries again, see what it "
			"says");
	else
		flush(advice, group, "the hop works now");
}

/* format_bytes - "1.5 MiB" */
static const char *format_bytes(char out[FIGURE_BYTES], uint64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	double amount = (double)bytes;
	size_t unit = 0;

	while (amount >= 999.5 && unit + 1 < sizeof units / sizeof *units) {
		amount /= 1024;
		unit++;
	}
	(void)snprintf(out, FIGURE_BYTES, "%.*f %s", unit > 0 && amount < 9.95 ? 1 : 0, amount,
		units[unit]);
	return out;
}

/* format_age - "4d 3h" */
static const char *format_age(char out[AGE_BYTES], time_t since, time_t now)
{
	long long seconds = now > since ? (long long)(now - since) : 0;

	if (seconds < 60)
		(void)snprintf(out, AGE_BYTES, "%llds", seconds);
	else if (seconds < 3600)
		(void)snprintf(out, AGE_BYTES, "%lldm", seconds / 60);
	else if (seconds < 86400)
		(void)snprintf(out, AGE_BYTES, "%lldh %lldm", seconds / 3600, seconds / 60 % 60);
	else
		(void)snprintf(out, AGE_BYTES, "%lldd %lldh", seconds / 86400, seconds / 3600 % 24);
	return out;
}

static const char *plural(uint64_t count)
{
	return count == 1 ? "" : "s";
}

/* format_sum - "12 messages to 14 recipients, 1.5 MiB, oldest 4d 3h"; the caller frees it */
static char *format_sum(const struct queue_sum *sum, time_t now)
{
	char bytes[FIGURE_BYTES], age[AGE_BYTES];

	return xasprintf("%" PRIu64 " message%s to %" PRIu64 " recipient%s, %s, oldest %s",
		sum->messages, plural(sum->messages), sum->recipients, plural(sum->recipients),
		format_bytes(bytes, sum->bytes), format_age(age, sum->oldest, now));
}

static const char *colour_of(const char *state)
{
	if (strcmp(state, "down") == 0 || strcmp(state, "forced-down") == 0)
		return "\033[31m";
	if (strcmp(state, "up") == 0 || strcmp(state, "forced-up") == 0)
		return "\033[32m";
	return strcmp(state, "degraded") == 0 ? "\033[33m" : "\033[35m";
}

/* print_wrapped - words behind an indent, in as many lines as they need; one that does not fit
 * stays whole */
static void print_wrapped(const struct ctl *ctl, const char *text)
{
	unsigned used = INDENT;

	(void)printf("%*s", INDENT, "");
	for (; *text != '\0'; text += strspn(text, " ")) {
		size_t length = strcspn(text, " ");

		if (used > INDENT && ctl->columns > 0 && used + 1 + length > ctl->columns) {
			(void)printf("\n%*s", INDENT, "");
			used = INDENT;
		} else if (used > INDENT) {
			(void)putchar(' ');
			used++;
		}
		for (const char *cp = text; cp < text + length; cp++)
			(void)putchar(isprint((unsigned char)*cp) ? *cp : '?');
		used += (unsigned)length;
		text += length;
	}
	(void)putchar('\n');
}

/* print_servers - where the name of the hop does not say it */
static void print_servers(const struct ctl *ctl, const struct queue_group *group)
{
	const char *servers[QUEUE_SERVERS], *nexthop = strchr(ctl_text(group->hop, "hop"), ':');
	size_t count = queue_group_servers(group, servers);

	if (nexthop != NULL && nexthop[1] != '\0')
		return;
	for (size_t i = 0; i < count; i++) {
		char *line = xasprintf("SERVER: %s", servers[i]);

		print_wrapped(ctl, line);
		free(line);
	}
}

static void print_group(
	const struct ctl *ctl, const struct queue_report *report, const struct queue_group *group)
{
	const char *state = state_of(group);
	const char *name = group->hop != NULL ? ctl_text(group->hop, "hop") : "unknown hop";
	char *sum = format_sum(&group->sum, report->now), *with_arrow;
	struct advice advice;

	advise(&advice, group, report->error);
	(void)printf("%s%-*s%s ", ctl->has_colour ? colour_of(state) : "", INDENT - 1, state,
		ctl->has_colour ? "\033[0m" : "");
	ctl_print_clean(name, ctl->columns > INDENT ? ctl->columns - INDENT : 0);
	print_wrapped(ctl, sum);
	print_wrapped(ctl, group->reason);
	print_servers(ctl, group);
	with_arrow = xasprintf("-> %s", advice.text);
	print_wrapped(ctl, with_arrow);
	free(with_arrow);

	free(sum);
}

/* add_sum - one to another; messages that are in both count twice */
static void add_sum(struct queue_sum *sum, const struct queue_sum *other)
{
	sum->messages += other->messages;
	sum->recipients += other->recipients;
	sum->bytes += other->bytes;
	if (other->oldest != 0 && (sum->oldest == 0 || other->oldest < sum->oldest))
		sum->oldest = other->oldest;
}

static void print_last_lines(const struct queue_report *report)
{
	const struct queue_sum *total = queue_groups_total(report->groups);
	char *sum = format_sum(total, report->now);

	if (total->messages > 0)
		(void)printf("%s\n", sum);
	else
		(void)printf("nothing waits\n");
	free(sum);
	for (size_t i = 0; i < QUEUE_NAMES; i++)
		if (queue_groups_in(report->groups, i) > 0)
			(void)printf("%-12s %" PRIu64 " message%s\n", queue_names[i],
				queue_groups_in(report->groups, i),
				plural(queue_groups_in(report->groups, i)));
	if (report->unreadable > 0)
		(void)printf("%" PRIu64 " line%s of postqueue could not be read\n",
			report->unreadable, plural(report->unreadable));
}

void queue_print(const struct ctl *ctl, const struct queue_report *report)
{
	size_t count;
	const struct queue_group *const *groups = queue_groups_sorted(report->groups, &count);
	struct queue_sum others = *queue_groups_others(report->groups);

	if (report->error != NULL)
		(void)fprintf(stderr, "failfastctl: %s\n", report->error);
	for (size_t i = 0; i < count; i++) {
		if (i < SHOWN)
			print_group(ctl, report, groups[i]);
		else
			add_sum(&others, &groups[i]->sum);
	}
	if (others.messages > 0) {
		char *sum = format_sum(&others, report->now);

		(void)printf("%-*s ", INDENT - 1, "...");
		ctl_print_clean("other hops and reasons", 0);
		print_wrapped(ctl, sum);
		free(sum);
	}
	print_last_lines(report);
}

static json_t *time_or_null(time_t when)
{
	char utc[CLOCK_UTC_BYTES];

	return when > 0 ? json_string(clock_format_utc(utc, when)) : json_null();
}

/* describe_sum - the keys that every sum has */
static json_t *describe_sum(const struct queue_sum *sum, time_t now)
{
	return json_pack("{s:I, s:I, s:I, s:o, s:o}", "messages", (json_int_t)sum->messages,
		"recipients", (json_int_t)sum->recipients, "bytes", (json_int_t)sum->bytes,
		"oldest", time_or_null(sum->oldest), "oldest_age_seconds",
		sum->oldest > 0 ? json_integer(now > sum->oldest ? now - sum->oldest : 0)
				: json_null());
}

/* copy_key - of the hop; null where there is none */
static void copy_key(json_t *to, const char *name, const struct queue_group *group, const char *key)
{
	json_t *value = json_object_get(group->hop, key);

	if (value != NULL)
		json_object_set(to, name, value);
	else
		json_object_set_new(to, name, json_null());
}

static json_t *describe_group(const struct queue_report *report, const struct queue_group *group)
{
	json_t *document = describe_sum(&group->sum, report->now), *words, *list = json_array();
	const char *servers[QUEUE_SERVERS];
	size_t count = queue_group_servers(group, servers);
	struct advice advice;

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_string(servers[i]));

	advise(&advice, group, report->error);
	words = json_pack("{s:s, s:o, s:s, s:s, s:s, s:s, s:s}", "instance", group->directory,
		"servers", list, "state", state_of(group), "reason", group->reason, "example",
		group->example, "oldest_queue_id", group->queue_id, "advice", advice.text);
	json_object_update(document, words);
	json_decref(words);
	copy_key(document, "hop", group, "hop");
	copy_key(document, "hop_reason", group, "reason");
	copy_key(document, "hop_detail", group, "detail");
	copy_key(document, "hop_since", group, "since");
	return document;
}

void queue_print_document(const struct queue_report *report)
{
	size_t count;
	const struct queue_group *const *groups = queue_groups_sorted(report->groups, &count);
	json_t *list = json_array(), *queues = json_object(), *document;

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, describe_group(report, groups[i]));
	for (size_t i = 0; i < QUEUE_NAMES; i++)
		json_object_set_new(queues, queue_names[i],
			json_integer((json_int_t)queue_groups_in(report->groups, i)));
	document = json_pack("{s:o, s:s?, s:I, s:o, s:o, s:o, s:o}", "time",
		time_or_null(report->now), "daemon_error", report->error, "unreadable_lines",
		(json_int_t)report->unreadable, "queues", queues, "total",
		describe_sum(queue_groups_total(report->groups), report->now), "groups", list,
		"others", describe_sum(queue_groups_others(report->groups), report->now));
	ctl_print_json(document);
	json_decref(document);
}
