/*
 * status - the table of hops as one JSON document
 */
#include "ops/status.h"

#include "base/clock.h"
#include "base/pattern.h"
#include "ops/force.h"

#include <stdio.h>
#include <string.h>

struct collect {
	struct table *table;
	const char *pattern;
	json_t *hops;
	unsigned count[STATE_COUNT];
};

/* JSON is UTF-8, and what Postfix's configuration holds need not be. */
json_t *status_text(const char *bytes)
{
	json_t *string = json_string(bytes);
	char copy[HOP_NAME_BYTES];

	if (string != NULL)
		return string;
	(void)snprintf(copy, sizeof copy, "%s", bytes);
	for (char *cp = copy; *cp != '\0'; cp++)
		if ((unsigned char)*cp >= 0x80)
			*cp = '?';
	return json_string(copy);
}

static json_t *time_or_null(time_t when)
{
	char utc[CLOCK_UTC_BYTES];

	return when != 0 ? json_string(clock_format_utc(utc, when)) : json_null();
}

static json_t *text_or_null(const char *words)
{
	return *words != '\0' ? status_text(words) : json_null();
}

/* reason_or_null - no reason while all is well */
static json_t *reason_or_null(enum reason reason)
{
	return reason != REASON_NONE ? json_string(reason_token(reason)) : json_null();
}

static json_t *roles(unsigned bits)
{
	json_t *list = json_array();

	for (unsigned role = ROLE_PROXY_FILTER; role <= ROLE_TRANSPORT; role <<= 1)
		if ((bits & role) != 0)
			json_array_append_new(list, json_string(hop_role_name((enum hop_role)role)));
	return list;
}

static json_t *checks(const struct hop_view *view)
{
	json_t *list = json_array();

	for (int i = 0; i < CHECK_COUNT; i++)
		if (view->has_check[i])
			json_array_append_new(list,
				json_pack("{s:s, s:s, s:o}", "check", hop_check_name((enum hop_check)i),
					"state", state_name(view->check[i].state), "reason",
					reason_or_null(view->check[i].reason)));
	return list;
}

/* last_hour - what the hop did to recipients */
static json_t *last_hour(const struct hop_view *view)
{
	return json_pack("{s:i, s:i, s:i}", "tempfail", (int)view->mail[MAIL_REFUSED], "tag",
		(int)view->mail[MAIL_TAGGED], "hold", (int)view->mail[MAIL_HELD]);
}

json_t *status_override(const struct override *override)
{
	return json_pack("{s:s, s:o, s:o, s:o}", "state", override->is_up ? "forced-up" : "forced-down", "since",
		time_or_null(override->since), "until", time_or_null(override->until), "comment",
		text_or_null(override->comment));
}

/* forced_or_null - the override of a hop, and what the hop would be without it */
static json_t *forced_or_null(const struct hop_view *view)
{
	struct override override = {view->state == STATE_FORCED_UP, view->since, view->forced_until, ""};
	json_t *object;

	if (!view->is_forced)
		return json_null();
	(void)snprintf(override.comment, sizeof override.comment, "%.*s", OVERRIDE_COMMENT_BYTES - 1, view->detail);
	object = status_override(&override);
	json_object_set_new(object, "probed_state", json_string(state_name(view->probed_state)));
	json_object_set_new(object, "probed_reason", reason_or_null(view->probed_reason));
	return object;
}

json_t *status_hop(const struct hop_view *view)
{
	json_t *latency = view->latency_us >= 0 ? json_real((double)view->latency_us / 1000.0)
						: json_null();

	return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:o, s:o, s:o}", "hop", status_text(view->name),
		"state", state_name(view->state), "reason", reason_or_null(view->reason), "detail",
		text_or_null(view->detail), "since", time_or_null(view->since), "last_probe",
		time_or_null(view->last_probe), "latency_ms", latency, "tls_not_after", time_or_null(view->tls_not_after), "roles", roles(view->roles),
		"local", view->is_local, "learned", view->is_learned, "last_hour",
		last_hour(view), "checks", checks(view), "forced", forced_or_null(view));
}

bool status_is_asked_for(const char *pattern, const char *name)
{
	if (pattern == NULL)
		return true;
	return pattern_is_plain(pattern) ? strstr(name, pattern) != NULL
					 : pattern_match(pattern, name);
}

static void collect_hop(void *arg, struct hop *hop)
{
	struct collect *collect = arg;
	struct hop_view view;

	if (!hop_is_shown(hop) || !status_is_asked_for(collect->pattern, hop_full_name(hop)))
		return;
	table_view(collect->table, hop, clock_now_ms(), &view);
	collect->count[view.state]++;
	json_array_append_new(collect->hops, status_hop(&view));
}

json_t *status_document(struct table *table, const char *pattern)
{
	struct collect collect = {table, pattern, json_array(), {0}};
	json_t *counts = json_object();

	table_each(table, collect_hop, &collect);
	for (int state = 0; state < STATE_COUNT; state++)
		json_object_set_new(counts, state_name((enum state)state),
			json_integer(collect.count[state]));
	return json_pack("{s:s, s:o, s:o, s:o, s:o}", "version", PACKAGE_VERSION, "time",
		time_or_null(clock_wall()), "counts", counts, "hops", collect.hops, "forced_absent",
		force_absent(table, status_is_asked_for, pattern));
}
