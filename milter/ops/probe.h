/*
 * probe - probe a hop now, for an operator who watches
 *
 * Documents come one after the other: {"hop", "limit_ms"}, then {"step": {...}} for each step, and at last
 * {"result": {...}, "status": {...}}, or {"error": ...}.  failfastctl(8) documents the keys.  Event thread only.
 */
#ifndef FF_OPS_PROBE_H
#define FF_OPS_PROBE_H

#include "probe/sched.h"

#include <jansson.h>

struct probing;

/* probing_fn - takes the document over; after the last one the probing is gone */
typedef void probing_fn(void *arg, json_t *document, bool is_last);

/* probing_start - the first document comes from within, the others later.  NULL: no such hop, or no memory. */
struct probing *probing_start(struct sched *sched, struct table *table, const char *name,
	probing_fn *say, void *arg);

/* probing_cancel - nobody listens any more; the probe goes on */
void probing_cancel(struct probing *probing);

/* probing_refusal - why it did not start: the hop is not known, and what it may have been meant to be */
json_t *probing_refusal(struct table *table, const char *name);

#endif
