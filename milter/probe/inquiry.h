/*
 * inquiry - the operator asks for a probe of one hop, now, and watches it
 *
 * Only hops of the table can be asked for, so nobody can make us knock anywhere else.  The transport of the hop is
 * looked at first, then its server.  A probe that is under way is let end, then the next begins at once; those who
 * ask while it is waited for watch the same one.  What is found counts as the result of any other probe.
 *
 * Threads: event thread.
 */
#ifndef FF_INQUIRY_H
#define FF_INQUIRY_H

#include "probe/prober.h"
#include "probe/sched.h"
#include "probe/trace.h"

struct inquiry;

/* inquiry_done_fn - everything that was found, in one result; NULL: the hop is gone.  Called once unless cancelled;
 * the inquiry is gone then. */
typedef void inquiry_done_fn(void *arg, const struct probe_result *found);

/* inquiry_start - tell and done come later from the event loop.  NULL: no such hop, or out of memory. */
struct inquiry *inquiry_start(struct sched *sched, const char *name, trace_fn *tell,
	inquiry_done_fn *done, void *arg);

/* inquiry_cancel - may be called from within tell: nobody watches any more; the probe goes on */
void inquiry_cancel(struct inquiry *inquiry);

/* inquiry_limit_ms - how long it can take when a place among the probes is free */
int64_t inquiry_limit_ms(const struct inquiry *inquiry);

#endif
