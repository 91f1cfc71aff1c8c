/*
 * workers - the delivery agents that run
 *
 * A silent service is one whose agents cannot start, or are all at work.  The connection cannot tell which, the
 * table of processes can.
 *
 * Threads: event thread.
 */
#ifndef FF_WORKERS_H
#define FF_WORKERS_H

#include <stdint.h>

/* Delivery agents of a service of master.cf, as they are looked for. */
struct workers_wanted {
	const char *name;
	long master;	      /* process ID of their parent, 0: any */
	int64_t least_age_ms; /* younger ones do not count: one that crashes lives for a moment, one that is at work
				 was so before we asked */
};

/* workers_count - how many run: processes whose command line is one that master(8) makes, with "-n NAME" or a
 * program of that name.  now_ms: clock_now_ms(); /proc is looked at at most twice a second.  -1 with errno set when
 * that cannot be read. */
int workers_count(const struct workers_wanted *wanted, int64_t now_ms);

/* workers_started_ms - when the oldest of them was started, wall clock; -1: none runs, or that cannot be told */
int64_t workers_started_ms(const struct workers_wanted *wanted, int64_t now_ms);

#endif
