/*
 * transport - what a transport needs before it can take any mail: its service, its bind addresses, its command
 *
 * One check object a transport, shared by all hops that go through it.  It keeps the one connection that may be
 * open to the service: while the service is silent the connection stays parked, and each run looks again for
 * delivery agents; when the service speaks, the result comes by itself.
 *
 * Threads: event thread.
 */
#ifndef FF_TRANSPORT_H
#define FF_TRANSPORT_H

#include "postfix/opener.h"
#include "postfix/site.h"
#include "probe/prober.h"

struct transport_check;

/* transport_check_new - done is called for each run, and once more when a parked connection is answered.  NULL: out
 * of memory */
struct transport_check *transport_check_new(struct event_base *base, const struct opener *opener,
	probe_done_fn *done, void *arg);

/* transport_check_watch - tell the steps of all runs from now on to trace, which the caller keeps; NULL: nobody */
void transport_check_watch(struct transport_check *check, const struct trace *trace);

/* transport_check_free - hang up, no callback any more */
void transport_check_free(struct transport_check *check);

/* transport_check_run - look now; ignored while a run is under way.  done comes later from the event loop.
 * timeout_ms: how long a service may be silent before its processes are looked at. */
void transport_check_run(struct transport_check *check, const struct transport_plan *plan,
	int64_t timeout_ms);

/* transport_check_glance - the same, but instead of asking the service believe that it listens */
void transport_check_glance(struct transport_check *check, const struct transport_plan *plan);

/* transport_check_is_running - a run is under way; false while parked */
bool transport_check_is_running(const struct transport_check *check);

#endif
