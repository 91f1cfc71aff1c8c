/*
 * watch - failfastctl watch: a line for each change of state, until interrupted
 *
 * The daemon sends its table, then changes.  What was printed last of each hop is remembered here,
 * so that after a restart of the daemon nothing is told twice and nothing is missed: a hop of the
 * new one that was not looked at yet says nothing, and one whose state is what was printed last is
 * no change.
 *
 * It ends as tail -f does: by SIGINT, or by SIGPIPE as soon as nobody reads what it prints, even
 * while nothing happens.
 */
#include "ctl/ctl.h"

#include "base/clock.h"
#include "base/xmem.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	READ_BYTES = 65536,
	BACKOFF_FIRST_MS = 100,
	BACKOFF_MAX_MS = 2000,
	ANSWER_TIMEOUT_MS = 10000
};

struct watch {
	const struct ctl *ctl;
	const char *pattern;
	FILE *stream; /* to the daemon, NULL: it is gone */
	char *text;   /* read and not used yet */
	size_t used, size;
	bool has_table; /* of this connection */
	json_t *shown;  /* {hop: the state printed last} */
};

/* end_of_output - nobody reads what we print */
static _Noreturn void end_of_output(void)
{
	(void)signal(SIGPIPE, SIG_DFL);
	(void)raise(SIGPIPE);
	exit(CTL_UP);
}

/* wait_input - until fd (-1: none) can be read; false after timeout_ms (-1: never) without that */
static bool wait_input(int fd, int timeout_ms)
{
	struct pollfd fds[2] = {{fd, POLLIN, 0}, {STDOUT_FILENO, 0, 0}};

	while (poll(fds, 2, timeout_ms) < 0 && errno == EINTR)
		;
	if (fds[1].revents != 0)
		end_of_output();
	return fds[0].revents != 0;
}

static void end_line(void)
{
	if (fflush(stdout) == 0)
		return;
	if (errno == EPIPE)
		end_of_output();
	(void)fprintf(stderr, "failfastctl: standard output: %s\n", strerror(errno));
	exit(CTL_UNKNOWN);
}

/* An event, as both forms print it.  Strings are not NULL, "" is nothing. */
struct event {
	const char *event; /* present, change, gone, back */
	const char *time;
	const json_t *hop; /* NULL: it is about the daemon */
	const char *from, *to;
};

static json_t *string_or_null(const char *text)
{
	return *text != '\0' ? json_string(text) : json_null();
}

static void print_json(const struct event *event)
{
	json_t *roles = json_object_get(event->hop, "roles");
	json_t *line = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "event", event->event,
		"time", event->time, "hop", string_or_null(ctl_text(event->hop, "hop")), "from",
		string_or_null(event->from), "to", string_or_null(event->to), "reason",
		string_or_null(ctl_text(event->hop, "reason")), "detail",
		string_or_null(ctl_text(event->hop, "detail")), "roles",
		roles != NULL ? json_incref(roles) : json_null());

	(void)json_dumpf(line, stdout, JSON_COMPACT);
	(void)putchar('\n');
	json_decref(line);
}

/* room - columns left of a line, 0: it is not cut; at least one */
static unsigned room(const struct ctl *ctl, size_t used)
{
	if (ctl->columns == 0)
		return 0;
	return ctl->columns > used ? ctl->columns - (unsigned)used : 1;
}

/* print_text - "TIME from -> to HOP reason: detail" */
static void print_text(const struct ctl *ctl, const struct event *event)
{
	const char *reason = ctl_text(event->hop, "reason"),
		   *detail = ctl_text(event->hop, "detail");
	char states[64], line[1024];

	(void)snprintf(states, sizeof states, "%s%s%s", event->from,
		*event->from != '\0' ? " -> " : "", event->to);
	(void)snprintf(line, sizeof line, "%s%s%s%s%s", ctl_text(event->hop, "hop"),
		*reason != '\0' ? " " : "", reason, *detail != '\0' ? ": " : "", detail);
	(void)printf("%s %s%s%s ", event->time, ctl->has_colour ? ctl_state_colour(event->to) : "",
		states, ctl->has_colour ? "\033[0m" : "");
	ctl_print_clean(line, room(ctl, strlen(event->time) + strlen(states) + 2));
}

static void print_daemon(const struct ctl *ctl, const struct event *event)
{
	char line[128];

	(void)snprintf(line, sizeof line, "%s failfast-milter is %s", event->time,
		strcmp(event->event, "gone") == 0 ? "gone: waiting for it" : "back");
	ctl_print_clean(line, ctl->columns);
}

static void print(const struct ctl *ctl, const struct event *event)
{
	if (ctl->is_json)
		print_json(event);
	else if (event->hop != NULL)
		print_text(ctl, event);
	else
		print_daemon(ctl, event);
	end_line();
}

static void print_about_daemon(const struct ctl *ctl, const char *what)
{
	char utc[CLOCK_UTC_BYTES];
	const struct event event = {
		.event = what, .time = clock_format_utc(utc, clock_wall()), .from = "", .to = ""};

	print(ctl, &event);
}

/* take_hop - a hop is in this state now; a change is printed, and at the first time what is not up
 */
static void take_hop(
	struct watch *watch, const json_t *hop, const char *state, const char *time, bool is_first)
{
	const char *name = ctl_text(hop, "hop"), *before = ctl_text(watch->shown, name);
	struct event event = {"change", time, hop, before, state};

	if (*before == '\0')
		event.from = "unknown";
	if (is_first) {
		event.event = "present";
		event.from = "";
	}
	if (strcmp(event.from, state) != 0 && !(is_first && strcmp(state, "up") == 0))
		print(watch->ctl, &event);
	json_object_set_new(watch->shown, name, json_string(state));
}

/* was_looked_at - false for a hop of which the daemon knows nothing yet */
static bool was_looked_at(const json_t *hop)
{
	return strcmp(ctl_text(hop, "state"), "unknown") != 0 ||
	       json_is_string(json_object_get(hop, "last_probe"));
}

static void take_table(struct watch *watch, const json_t *table, bool is_first)
{
	const json_t *hops = json_object_get(table, "hops");

	for (size_t i = 0; i < json_array_size(hops); i++) {
		const json_t *hop = json_array_get(hops, i);

		if (is_first || was_looked_at(hop))
			take_hop(watch, hop, ctl_text(hop, "state"), ctl_text(hop, "since"),
				is_first);
	}
}

static void take_change(struct watch *watch, const json_t *change)
{
	take_hop(watch, json_object_get(change, "hop"), ctl_text(change, "to"),
		ctl_text(change, "time"), false);
}

/* read_more - false: the daemon is gone */
static bool read_more(struct watch *watch)
{
	int fd = fileno(watch->stream);
	ssize_t got;

	if (watch->size - watch->used < READ_BYTES) {
		watch->size = watch->size * 2 + READ_BYTES;
		watch->text = xrealloc(watch->text, watch->size);
	}
	/* A daemon that hangs must not make us hang before the first word. */
	if (!wait_input(fd, watch->has_table ? -1 : ANSWER_TIMEOUT_MS))
		return false;
	got = read(fd, watch->text + watch->used, watch->size - watch->used);
	if (got > 0)
		watch->used += (size_t)got;
	return got > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN));
}

/* next - the next document, the caller's; NULL: the daemon is gone */
static json_t *next(struct watch *watch)
{
	size_t looked = 0;
	char *end;
	json_t *document;

	while (watch->used == 0 ||
		(end = memchr(watch->text + looked, '\n', watch->used - looked)) == NULL) {
		looked = watch->used;
		if (!read_more(watch))
			return NULL;
	}
	document = json_loadb(watch->text, (size_t)(end - watch->text), 0, NULL);
	watch->used -= (size_t)(end + 1 - watch->text);
	memmove(watch->text, end + 1, watch->used);
	return document;
}

/* begin - connect and ask; the first document, NULL: see why */
static json_t *begin(struct watch *watch, char why[CTL_WHY_BYTES])
{
	json_t *request = json_pack("{s:s, s:s*}", "command", "watch", "pattern", watch->pattern),
	       *table;
	const char *complaint;

	watch->used = 0;
	watch->has_table = false;
	watch->stream = ctl_begin(watch->ctl, request, why);
	if (watch->stream == NULL)
		return NULL;
	table = next(watch);
	complaint = json_string_value(json_object_get(table, "error"));
	watch->has_table = table != NULL && complaint == NULL;
	if (watch->has_table)
		return table;
	(void)snprintf(why, CTL_WHY_BYTES, "%.150s: %.300s", watch->ctl->socket,
		complaint != NULL ? complaint : "no answer");
	json_decref(table);
	fclose(watch->stream);
	watch->stream = NULL;
	return NULL;
}

/* begin_again - the daemon was here: wait until it is again */
static json_t *begin_again(struct watch *watch)
{
	char why[CTL_WHY_BYTES];
	int pause_ms = BACKOFF_FIRST_MS;
	json_t *table;

	while ((table = begin(watch, why)) == NULL) {
		(void)wait_input(-1, pause_ms);
		pause_ms = pause_ms * 2 < BACKOFF_MAX_MS ? pause_ms * 2 : BACKOFF_MAX_MS;
	}
	return table;
}

int ctl_watch(const struct ctl *ctl, int argc, char **argv)
{
	struct watch watch = {.ctl = ctl, .pattern = argc > 1 ? argv[1] : NULL};
	char why[CTL_WHY_BYTES];
	json_t *table, *change;
	bool is_first = true;

	if (argc > 2)
		return ctl_usage();
	table = begin(&watch, why);
	if (table == NULL) {
		(void)fprintf(stderr, "failfastctl: %s\n", why);
		free(watch.text);
		return CTL_UNKNOWN;
	}
	watch.shown = json_object();
	for (;;) {
		take_table(&watch, table, is_first);
		is_first = false;
		json_decref(table);
		while ((change = next(&watch)) != NULL) {
			take_change(&watch, change);
			json_decref(change);
		}
		fclose(watch.stream);
		print_about_daemon(ctl, "gone");
		table = begin_again(&watch);
		print_about_daemon(ctl, "back");
	}
}
