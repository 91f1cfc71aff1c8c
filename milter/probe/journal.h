/*
 * journal - what the systemd journal has of Postfix's log
 *
 * Entries that come from now on; what is there already is history.
 *
 * Threads: the functions and callbacks are the event thread's.  The journal is read by a thread of
 * its own, because its files are mapped: a page that has to come from a disk makes the reader wait.
 */
#ifndef FF_JOURNAL_H
#define FF_JOURNAL_H

#include "postfix/maillog.h"

#include <event2/event.h>
#include <stdint.h>

struct journal;

/* What is to be read. */
struct journal_source {
	const char *directory; /* of journal files; NULL: this system's journal */
	uint32_t facilities;   /* of syslog(3), bit 1 << FACILITY */
};

struct journal_callbacks {
	/* an entry that says something */
	void (*line)(void *arg, const struct maillog_line *line);
	/* error 0: the journal is followed from now on; else an errno: it is not, or not any more,
	 * and nothing else comes.  EACCES: there is one, but not for us; ENOENT: there is none;
	 * ENOSYS: built without libsystemd. */
	void (*state)(void *arg, int error);
	void *arg;
};

/* journal_new - base must be safe for threads; strings and callbacks are copied.  Callbacks come
 * later, from the event loop.  Ends the process when out of memory. */
struct journal *journal_new(struct event_base *base, const struct journal_source *source,
	const struct journal_callbacks *callbacks);

/* journal_free - no callback any more; does not wait for the reader, who ends soon.  From a
 * callback, too. */
void journal_free(struct journal *journal);

/* journal_facility - the number of a syslog_facility of main.cf; -1: no such name */
int journal_facility(const char *name);

#endif
