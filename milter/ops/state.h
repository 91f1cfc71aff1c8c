/*
 * state - what is known survives a restart
 *
 * The state file is written soon after each change of state, each minute, and at the end.  A thread
 * of its own writes it, because a disk may take its time.  An engine that starts reads it, one that
 * the keeper starts after a crash as well.
 *
 * Threads: the event thread.
 */
#ifndef FF_STATE_H
#define FF_STATE_H

#include "health/table.h"
#include "probe/sched.h"

#include <event2/event.h>

enum {
	STATE_GAP_MS = 1000,       /* changes that come closer are written together */
	STATE_GAP_TIMES = 20,      /* or so many times what writing takes, if that is longer */
	STATE_INTERVAL_MS = 60000, /* written when nothing changes */
	STATE_RETRY_MS = 50,       /* the writer is still at work */
	STATE_END_MS = 2000,       /* the last time is not waited for longer */
};

struct state_store;

/* state_new - writes nothing yet; NULL: no memory, or no thread.  Lives as long as the process;
 * table and sched, too. */
struct state_store *state_new(struct event_base *base, struct table *table, struct sched *sched);

/* state_restore - before the first sched_apply(): hops begin as the file says, overrides are in
 * force again.  One line in the log tells what came of it.  path "": nothing. */
void state_restore(struct state_store *state, const char *path);

/* state_restored - after the first sched_apply(): hops that mail had named are probed again */
void state_restored(struct state_store *state);

/* state_use - write there from now on, "": nowhere */
void state_use(struct state_store *state, const char *path);

/* state_changed - there is something new to be kept */
void state_changed(struct state_store *state);

/* state_save - the same for what must not be lost: what the operator said, and that credentials
 * were rejected.  Written as soon as the writer has time. */
void state_save(struct state_store *state);

/* state_end - write for the last time; takes at most STATE_END_MS */
void state_end(struct state_store *state);

#endif
