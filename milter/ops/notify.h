/*
 * notify - a hop changed its state: tell the log
 *
 * Event thread only.
 */
#ifndef FF_NOTIFY_H
#define FF_NOTIFY_H

#include "health/table.h"

/* notify_change - a sched_change_fn; arg is not used.  One line per change of state, however much mail it
 * touches. */
void notify_change(void *arg, const struct hop_view *view, const struct hop_change *change);

/* notify_dump - the whole table to the log, a line a hop (SIGUSR1) */
void notify_dump(struct table *table);

#endif
