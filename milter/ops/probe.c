/*
 * probe - probe a hop now, for an operator who watches
 *
 * The result is what this probe found, which need not be the state of the hop: a single failure does not bring a
 * remote one down.  So both are told, the entry of the table as "status".
 */
#include "ops/probe.h"

#include "base/clock.h"
#include "base/likeness.h"
#include "base/xmem.h"
#include "ops/status.h"
#include "probe/inquiry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS_MAX = 1000, NEAR_MAX = 3, NEAR_DISTANCE = 4 };

struct probing {
	struct table *table;
	struct inquiry *inquiry;
	char *name;
	int64_t start_us;
	unsigned steps;
	probing_fn *say;
	void *arg;
};

static double ms_since(int64_t start_us)
{
	return (double)(clock_now_us() - start_us) / 1000.0;
}

static void tell(void *arg, enum trace_kind kind, enum trace_direction direction, const char *text)
{
	static const char *const directions[] = {
		[TRACE_NOTE] = NULL, [TRACE_SENT] = "sent", [TRACE_RECEIVED] = "received"};
	struct probing *probing = arg;

	if (++probing->steps > STEPS_MAX)
		return;
	if (probing->steps == STEPS_MAX)
		text = "more steps, not shown";
	probing->say(probing->arg,
		json_pack("{s:{s:f, s:s, s:s?, s:s}}", "step", "ms", ms_since(probing->start_us), "kind",
			trace_kind_name(kind), "direction", directions[direction], "text", text),
		false);
}

static enum state state_of(const struct outcome *outcome)
{
	if (outcome->reason == REASON_NONE)
		return STATE_UP;
	if (outcome->severity == SEVERITY_DOWN)
		return STATE_DOWN;
	return outcome->severity == SEVERITY_DEGRADED ? STATE_DEGRADED : STATE_UNKNOWN;
}

static json_t *reason_or_null(enum reason reason)
{
	return reason != REASON_NONE ? json_string(reason_token(reason)) : json_null();
}

/* result_document - the worst check first decides; none at all is unknown */
static json_t *result_document(const struct probing *probing, const struct probe_result *found)
{
	json_t *checks = json_array();
	enum state worst = STATE_UNKNOWN;
	enum reason reason = REASON_NONE;
	bool is_first = true;

	for (int i = 0; i < CHECK_COUNT; i++) {
		const struct outcome *outcome = &found->outcome[i];

		if (!found->has[i])
			continue;
		json_array_append_new(checks,
			json_pack("{s:s, s:s, s:o}", "check", hop_check_name((enum hop_check)i), "state",
				state_name(state_of(outcome)), "reason", reason_or_null(outcome->reason)));
		if (is_first || state_of(outcome) > worst) {
			worst = state_of(outcome);
			reason = outcome->reason;
		}
		is_first = false;
	}
	return json_pack("{s:s, s:o, s:o, s:o, s:f, s:o}", "state", state_name(worst), "reason",
		reason_or_null(reason), "detail",
		*found->detail != '\0' ? status_text(found->detail) : json_null(), "latency_ms",
		found->latency_us >= 0 ? json_real((double)found->latency_us / 1000.0) : json_null(),
		"duration_ms", ms_since(probing->start_us), "checks", checks);
}

static void done(void *arg, const struct probe_result *found)
{
	struct probing *probing = arg;
	struct hop_view view;
	json_t *last;

	if (found == NULL || !table_look(probing->table, probing->name, clock_now_ms(), &view))
		last = json_pack("{s:s}", "error", "the hop is not known any more");
	else
		last = json_pack("{s:o, s:o}", "result", result_document(probing, found), "status",
			status_hop(&view));
	probing->inquiry = NULL;
	probing->say(probing->arg, last, true);
	probing_cancel(probing);
}

struct probing *probing_start(struct sched *sched, struct table *table, const char *name,
	probing_fn *say, void *arg)
{
	struct probing *probing = xcalloc(1, sizeof *probing);

	probing->table = table;
	probing->name = xstrdup(name);
	probing->start_us = clock_now_us();
	probing->say = say;
	probing->arg = arg;
	probing->inquiry = inquiry_start(sched, name, tell, done, probing);
	if (probing->inquiry == NULL) {
		probing_cancel(probing);
		return NULL;
	}
	say(arg,
		json_pack("{s:o, s:I}", "hop", status_text(name), "limit_ms",
			(json_int_t)inquiry_limit_ms(probing->inquiry)),
		false);
	return probing;
}

void probing_cancel(struct probing *probing)
{
	if (probing->inquiry != NULL)
		inquiry_cancel(probing->inquiry);
	free(probing->name);
	free(probing);
}

/* The hops whose names are nearest to what was asked for, the nearest first. */
struct nearest {
	const char *asked;
	const char *name[NEAR_MAX];
	size_t distance[NEAR_MAX];
	size_t count;
};

/* far - a name that contains what was asked for is next to the very name */
static size_t far(const char *asked, const char *name)
{
	size_t lengths[2] = {strlen(asked), strlen(name)};

	if (*asked != '\0' && strcasestr(name, asked) != NULL)
		return 1;
	/* Lengths tell that most are too far, without a look at the letters. */
	if (lengths[0] > lengths[1] + NEAR_DISTANCE || lengths[1] > lengths[0] + NEAR_DISTANCE)
		return SIZE_MAX;
	return likeness_distance(asked, name);
}

static void consider(void *arg, struct hop *hop)
{
	struct nearest *nearest = arg;
	const char *name = hop_full_name(hop);
	size_t distance = far(nearest->asked, name), at;

	if (!hop_is_shown(hop) || distance > NEAR_DISTANCE)
		return;
	if (nearest->count < NEAR_MAX)
		nearest->count++;
	else if (distance >= nearest->distance[NEAR_MAX - 1])
		return;
	for (at = nearest->count - 1; at > 0 && nearest->distance[at - 1] > distance; at--) {
		nearest->name[at] = nearest->name[at - 1];
		nearest->distance[at] = nearest->distance[at - 1];
	}
	nearest->name[at] = name;
	nearest->distance[at] = distance;
}

json_t *probing_refusal(struct table *table, const char *name)
{
	struct nearest nearest = {.asked = name};
	char words[(NEAR_MAX + 1) * (HOP_NAME_BYTES + 32)];
	size_t used;

	table_each(table, consider, &nearest);
	used = (size_t)snprintf(words, sizeof words, "no hop \"%.*s\" is known", HOP_NAME_BYTES, name);
	for (size_t i = 0; i < nearest.count; i++)
		used += (size_t)snprintf(words + used, sizeof words - used, "%s \"%s\"%s",
			i == 0 ? "; did you mean" : i + 1 == nearest.count ? " or" : ",",
			nearest.name[i], i + 1 == nearest.count ? "?" : "");
	if (nearest.count == 0)
		(void)snprintf(words + used, sizeof words - used,
			"; \"failfastctl status\" lists those that are");
	return json_pack("{s:o}", "error", status_text(words));
}
