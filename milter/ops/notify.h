/*
 * notify - a hop changed its state: tell the log, and who else wants to know
 *
 * Event thread only.
 */
#ifndef FF_NOTIFY_H
#define FF_NOTIFY_H

#include "health/table.h"

struct notify;

/* notify_fn - who listens; the view is the caller's */
typedef void notify_fn(void *arg, const struct hop_view *view, const struct hop_change *change);

/* notify_new - tells the log; never NULL, lives as long as the process */
struct notify *notify_new(void);

/* notify_add - tell this one too, after those that were added before */
void notify_add(struct notify *notify, notify_fn *fn, void *arg);

/* notify_change - a sched_change_fn; arg is the struct notify.  One line in the log per change of state, however much
 * mail it touches. */
void notify_change(void *arg, const struct hop_view *view, const struct hop_change *change);

/* notify_dump - the whole table to the log, a line a hop (SIGUSR1) */
void notify_dump(struct table *table);

#endif
