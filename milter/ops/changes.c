/*
 * changes - the newest changes of state, for people who look later
 */
#include "ops/changes.h"

#include "base/clock.h"
#include "base/xmem.h"

#include <stdio.h>

struct changes {
	struct change ring[CHANGES_KEPT];
	unsigned count; /* ever */
};

static void on_change(void *arg, const struct hop_view *view, const struct hop_change *change)
{
	struct changes *changes = arg;
	struct change *place;

	if (!change->is_new_state)
		return;
	place = &changes->ring[changes->count++ % CHANGES_KEPT];
	place->when = clock_wall();
	place->from = change->from;
	place->to = change->to;
	place->reason = view->reason;
	(void)snprintf(place->hop, sizeof place->hop, "%s", view->name);
	(void)snprintf(place->detail, sizeof place->detail, "%s",
		view->reason != REASON_NONE ? view->detail : "");
}

struct changes *changes_new(struct notify *notify)
{
	struct changes *changes = xcalloc(1, sizeof *changes);

	notify_add(notify, on_change, changes);
	return changes;
}

const struct change *changes_at(const struct changes *changes, unsigned index)
{
	if (index >= CHANGES_KEPT || index >= changes->count)
		return NULL;
	return &changes->ring[(changes->count - 1 - index) % CHANGES_KEPT];
}
