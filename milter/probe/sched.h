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

/* sched_tell - somebody else has changed what counts of this hop: say so, like a change that a probe found */
void sched_tell(struct sched *sched, const char *name);

/*
 * Memory: what an engine hands to the next one beside the table of hops (table_remember()).
 */

struct deep;

/* A hop that mail had named. */
struct sched_learned {
	const char *name;
	unsigned roles;
};

/* sched_deep - what is known of a hop from behind hello; NULL: nothing is kept of it.  The sched's. */
const struct deep *sched_deep(const struct hop *hop);

/* sched_remember - a hop of this name begins with that, which is taken over; before the first sched_apply() */
void sched_remember(struct sched *sched, const char *name, struct deep *deep);

/* sched_relearn - after the first sched_apply(): probe those again, as far as there is room, and forget what is still
 * remembered of others */
void sched_relearn(struct sched *sched, const struct sched_learned *learned, size_t count);

/* sched_salt, sched_use_salt - of the prints of credentials, DEEP_PRINT_BYTES; before the first sched_apply() */
const unsigned char *sched_salt(const struct sched *sched);
void sched_use_salt(struct sched *sched, const unsigned char *salt);

/* sched_on_latch - call this when credentials were rejected, which the next engine has to know */
void sched_on_latch(struct sched *sched, void (*fn)(void *arg), void *arg);

/*
 * sched_evidence - Postfix's log says something about a hop; one that there is not is ignored.
 *
 * Never changes a state.  A failure of a hop that is not down makes the next probe immediate and, if is_sure, counts as
 * one (machine_accuse()).  A success puts the next probe off if is_sure; of a hop that is down it makes the next probe
 * immediate.  See hearsay.h for how soon and how late.
 */
void sched_evidence(struct sched *sched, const char *name, enum statement statement, bool is_sure);

#endif
