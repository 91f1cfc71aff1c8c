/*
 * notify - a hop changed its state: tell the log, and who else wants to know
 */
#include "ops/notify.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/xmem.h"

#include <stdio.h>

struct listener {
	notify_fn *fn;
	void *arg;
};

struct notify {
	struct listener *listeners;
	size_t count;
};

struct notify *notify_new(void)
{
	return xcalloc(1, sizeof(struct notify));
}

void notify_add(struct notify *notify, notify_fn *fn, void *arg)
{
	notify->listeners = xrealloc(
		notify->listeners, (notify->count + 1) * sizeof *notify->listeners);
	notify->listeners[notify->count++] = (struct listener){fn, arg};
}

/* cause - what stands behind the colon: a reason, or that there is none */
static const char *cause(const struct hop_view *view)
{
	return view->reason != REASON_NONE ? reason_token(view->reason) : "ok";
}

/* put_detail - what stands in parentheses, "" or what was found; of an override its comment and its end */
static void put_detail(char *out, size_t bytes, const struct hop_view *view)
{
	char until[CLOCK_UTC_BYTES] = "";
	const char *detail = view->reason != REASON_NONE || view->is_forced ? view->detail : "";

	if (view->forced_until != 0)
		clock_format_utc(until, view->forced_until);
	out[0] = '\0';
	if (*detail != '\0' || *until != '\0')
		(void)snprintf(out, bytes, " (%s%s%s%s)", detail, *detail != '\0' && *until != '\0' ? "; " : "",
			*until != '\0' ? "until " : "", until);
}

static void tell_log(const struct hop_view *view, const struct hop_change *change)
{
	const struct log_field fields[] = {{"FAILFAST_HOP", view->name},
		{"FAILFAST_STATE", state_name(change->to)}, {"FAILFAST_REASON", cause(view)}};
	char detail[HOP_DETAIL_BYTES + CLOCK_UTC_BYTES + 16];

	put_detail(detail, sizeof detail, view);
	if (change->is_new_state)
		log_info_about(fields, 3, "hop %s: %s -> %s: %s%s", view->name,
			state_name(change->from), state_name(change->to), cause(view), detail);
	else
		log_debug("hop %s: still %s, now: %s%s", view->name, state_name(change->to), cause(view),
			detail);
}

void notify_change(void *arg, const struct hop_view *view, const struct hop_change *change)
{
	struct notify *notify = arg;

	tell_log(view, change);
	for (size_t i = 0; i < notify->count; i++)
		notify->listeners[i].fn(notify->listeners[i].arg, view, change);
}

static void dump_hop(void *arg, struct hop *hop)
{
	struct hop_view view;
	char since[CLOCK_UTC_BYTES];

	if (!hop_is_shown(hop))
		return;
	table_view(arg, hop, clock_now_ms(), &view);
	log_info("hop %s: %s since %s: %s%s%s", view.name, state_name(view.state),
		clock_format_utc(since, view.since), cause(&view), *view.detail != '\0' ? ": " : "",
		view.detail);
}

void notify_dump(struct table *table)
{
	log_info("%u hops", table_count(table));
	table_each(table, dump_hop, table);
}
