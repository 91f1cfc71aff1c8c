/*
 * force - overrides by the operator, and their end
 *
 * Threads: the event thread.
 */
#ifndef FF_FORCE_H
#define FF_FORCE_H

#include "health/table.h"
#include "probe/sched.h"

#include <event2/event.h>
#include <jansson.h>

enum {
	FORCE_LEAST_MS = 1000,
	FORCE_LIMIT_DAYS = 365, /* of --for */
	FORCE_LOOK_S = 30,         /* a clock that was set is noticed after so long */
};

struct force;

/* force_changed_fn - there is something new to be kept over a restart */
typedef void force_changed_fn(void *arg);

/* force_new - NULL: no memory; lives as long as the process, and all that it is given, too */
struct force *force_new(struct event_base *base, struct table *table, struct sched *sched,
	force_changed_fn *changed, void *arg);

/*
 * force_run - {"hop": ..., "state": "up" | "down" | "auto", "for_ms": ..., "comment": ...}, the
 * last two optional; the document of the answer, with {"error": ...} when it cannot be done.
 *
 * A hop that is not known, and has no override to be taken back, is refused with the names that are
 * nearest to it.
 */
json_t *force_run(struct force *force, const json_t *request);

/* force_arm - overrides came from elsewhere */
void force_arm(struct force *force);

/* force_absent - a list of the overrides whose hops are not known now, as status has them; pattern
 * as there */
json_t *force_absent(struct table *table,
	bool (*is_asked_for)(const char *pattern, const char *name), const char *pattern);

#endif
