/*
 * sched - which hop is probed when, and what becomes of the result
 *
 * Keeps the table of hops in step with the site, probes each hop at the interval that its state asks
 * for, at once when mail asks, and records what is found.  At most one probe a hop and
 * probe.concurrency in all are under way.
 *
 * Threads: the event thread, except where said otherwise.
 */
#ifndef FF_SCHED_H
#define FF_SCHED_H

#include "health/table.h"
#include "postfix/keyring.h"
#include "postfix/maillog.h"
#include "postfix/opener.h"
#include "postfix/site.h"

#include <event2/event.h>

struct sched;

/* sched_change_fn - a hop changed its state or the reason of it */
typedef void sched_change_fn(void *arg, const struct hop_view *view,
	const struct hop_change *change);

/* sched_result_fn - a look at a hop, or at a transport, has ended: the gravest reason, and how long it took (-1: nothing
 * was sent).  The hop is valid during the call. */
typedef void sched_result_fn(void *arg, const struct hop *hop, enum reason reason, int64_t took_us);

/* sched_new - NULL with errno set when the resolver or events cannot be had.  Registers itself as the
 * table's observer; base, table and opener must outlive it. */
struct sched *sched_new(struct event_base *base, struct table *table, const struct opener *opener,
	sched_change_fn *on_change, void *arg);

/* sched_use_keyring - before the first sched_apply(); it must outlive the sched.  Without one nothing is
 * authenticated. */
void sched_use_keyring(struct sched *sched, const struct keyring *keyring);

/* sched_watch_results - who counts results; before the first sched_apply() */
void sched_watch_results(struct sched *sched, sched_result_fn *on_result, void *arg);

/* sched_in_flight - probes under way */
unsigned sched_in_flight(const struct sched *sched);

/* sched_free - cancels every probe under way */
void sched_free(struct sched *sched);

/* sched_apply - take over a new site: hops that it has no more go, the state of the others stays */
void sched_apply(struct sched *sched, struct site *site);

/*
 * sched_evidence - Postfix's log says something about a hop; one that there is not is ignored.
 *
 * Never changes a state.  A failure of a hop that is not down makes the next probe immediate and, if is_sure, counts as
 * one (machine_accuse()).  A success puts the next probe off if is_sure; of a hop that is down it makes the next probe
 * immediate.  See hearsay.h for how soon and how late.
 */
void sched_evidence(struct sched *sched, const char *name, enum statement statement, bool is_sure);

#endif
