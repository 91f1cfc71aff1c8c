/*
 * force - overrides by the operator, and their end
 *
 * An override ends by the time of day, which is what an operator means and what the state file can
 * keep; so the timer looks now and then whether the clock was set.
 */
#include "ops/force.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/xmem.h"
#include "ops/probe.h"
#include "ops/status.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT_MS ((int64_t)FORCE_LIMIT_DAYS * 24 * 3600 * 1000)

struct force {
	struct table *table;
	struct sched *sched;
	struct event *timer;
	force_changed_fn *changed;
	void *arg;
};

static json_t *complaint(const char *words)
{
	return json_pack("{s:s}", "error", words);
}

void force_arm(struct force *force)
{
	const time_t next = table_next_expiry(force->table), now = clock_wall();
	struct timeval delay = {next > now ? next - now : 0, 0};

	if (next == 0) {
		evtimer_del(force->timer);
		return;
	}
	if (delay.tv_sec > FORCE_LOOK_S)
		delay.tv_sec = FORCE_LOOK_S;
	evtimer_add(force->timer, &delay);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct force *force = arg;
	const char *name;
	bool is_any = false;

	(void)fd;
	(void)what;
	while ((name = table_expired_override(force->table, clock_wall())) != NULL) {
		char *copy = xstrdup(name);

		log_info("hop %s: the time of the override is over", copy);
		(void)table_unforce(force->table, copy);
		sched_tell(force->sched, copy);
		free(copy);
		is_any = true;
	}
	force_arm(force);
	if (is_any)
		force->changed(force->arg);
}

struct force *force_new(struct event_base *base, struct table *table, struct sched *sched,
	force_changed_fn *changed, void *arg)
{
	struct force *force = xcalloc(1, sizeof *force);

	*force = (struct force){.table = table, .sched = sched, .changed = changed, .arg = arg};
	force->timer = evtimer_new(base, on_timer, force);
	return force->timer != NULL ? force : NULL;
}

/* read_override - what is wrong with the request, NULL: nothing */
static const char *read_override(
	const json_t *request, const char *state, struct override *override)
{
	const json_t *for_ms = json_object_get(request, "for_ms");
	const json_t *comment = json_object_get(request, "comment");
	const json_int_t duration_ms = json_integer_value(for_ms);

	*override = (struct override){.is_up = strcmp(state, "up") == 0, .since = clock_wall()};
	if (for_ms != NULL && (!json_is_integer(for_ms) || duration_ms < FORCE_LEAST_MS ||
				      duration_ms > LIMIT_MS))
		return "the duration is not between 1s and 365d";
	if (for_ms != NULL)
		override->until = override->since + (duration_ms + 999) / 1000;
	if (comment != NULL &&
		(!json_is_string(comment) || !override_is_clean(json_string_value(comment))))
		return "the comment is not one line of printable ASCII of at most 127 characters";
	if (comment != NULL)
		(void)strcpy(override->comment, json_string_value(comment));
	return NULL;
}

/* is_known - one that is shown */
static bool is_known(struct table *table, const char *name)
{
	const struct hop *hop = table_find(table, name);

	return hop != NULL && hop_is_shown(hop);
}

/* tell_again - a change that sched_tell() does not see, because the state is the same */
static void tell_again(const char *name, const struct override *override)
{
	char until[CLOCK_UTC_BYTES] = "";

	if (override->until != 0)
		clock_format_utc(until, override->until);
	log_info("hop %s: forced-%s again%s%s%s%s", name, override->is_up ? "up" : "down",
		*until != '\0' ? " until " : "", until, *override->comment != '\0' ? ": " : "",
		override->comment);
}

/* answer - what was done, and the hop as it is now */
static json_t *answer(struct force *force, const char *name, const char *state, bool was_forced)
{
	struct hop_view view;
	bool is_there = is_known(force->table, name) &&
			table_look(force->table, name, clock_now_ms(), &view);

	return json_pack("{s:o, s:s, s:b, s:o}", "hop", status_text(name), "state", state,
		"was_forced", was_forced, "status", is_there ? status_hop(&view) : json_null());
}

json_t *force_run(struct force *force, const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "hop"));
	const char *state = json_string_value(json_object_get(request, "state"));
	const struct override *before;
	struct override override;
	const char *error;
	bool was_forced;

	if (name == NULL || state == NULL ||
		(strcmp(state, "up") != 0 && strcmp(state, "down") != 0 &&
			strcmp(state, "auto") != 0))
		return complaint("force needs a hop and one of up, down and auto");
	before = table_override(force->table, name);
	was_forced = before != NULL;
	if (!was_forced && !is_known(force->table, name))
		return probing_refusal(force->table, name);
	if (strcmp(state, "auto") == 0) {
		if (was_forced)
			log_info("hop %s: the override is taken back", name);
		(void)table_unforce(force->table, name);
	} else {
		bool is_same = was_forced && before->is_up == (strcmp(state, "up") == 0);

		error = read_override(request, state, &override);
		if (error != NULL)
			return complaint(error);
		if (!table_force(force->table, name, &override))
			return complaint("there are too many overrides");
		if (is_same)
			tell_again(name, &override);
	}
	sched_tell(force->sched, name);
	force_arm(force);
	force->changed(force->arg);
	return answer(force, name, state, was_forced);
}

/* What add_absent() needs. */
struct absent {
	struct table *table;
	bool (*is_asked_for)(const char *pattern, const char *name);
	const char *pattern;
	json_t *list;
};

static void add_absent(void *arg, const char *name, const struct override *override)
{
	struct absent *absent = arg;
	json_t *object;

	if (is_known(absent->table, name) || !absent->is_asked_for(absent->pattern, name))
		return;
	object = status_override(override);
	if (object != NULL && json_object_set_new(object, "hop", status_text(name)) == 0)
		json_array_append(absent->list, object);
	json_decref(object);
}

json_t *force_absent(struct table *table,
	bool (*is_asked_for)(const char *pattern, const char *name), const char *pattern)
{
	struct absent absent = {table, is_asked_for, pattern, json_array()};

	table_each_override(table, add_absent, &absent);
	return absent.list;
}
