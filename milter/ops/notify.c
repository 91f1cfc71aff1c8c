/*
 * notify - a hop changed its state: tell the log
 */
#include "ops/notify.h"

#include "base/clock.h"
#include "base/log.h"

/* cause - what stands behind the colon: a reason, or that there is none */
static const char *cause(const struct hop_view *view)
{
	return view->reason != REASON_NONE ? reason_token(view->reason) : "ok";
}

void notify_change(void *arg, const struct hop_view *view, const struct hop_change *change)
{
	const char *detail = view->reason != REASON_NONE ? view->detail : "";

	(void)arg;
	if (change->is_new_state)
		log_info("hop %s: %s -> %s: %s%s%s%s", view->name, state_name(change->from),
			state_name(change->to), cause(view), *detail != '\0' ? " (" : "", detail,
			*detail != '\0' ? ")" : "");
	else
		log_debug("hop %s: still %s, now: %s (%s)", view->name, state_name(change->to),
			cause(view), detail);
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
