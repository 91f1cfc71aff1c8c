/*
 * pace - how often to knock, and when to begin
 *
 * Pure.  Any thread.
 */
#ifndef FF_PACE_H
#define FF_PACE_H

#include <stddef.h>
#include <stdint.h>

enum {
	PACE_DOWN_MS = 60 * 1000,  /* a hop that is down is never probed more seldom, unless configured so */
	PACE_START_MS = 10 * 1000, /* at the start every hop is probed within this time */
	PACE_START_AT_ONCE = 64,   /* so many need no spread */
};

/*
 * pace_down_ms - how long to wait before a remote hop that has been down for down_for_ms is probed again.
 *
 * A twentieth of that time: the intervals grow by a twentieth from one to the next, from down_interval_ms on, and end
 * at PACE_DOWN_MS (or at down_interval_ms, if that is longer).  So a repair is seen late by no more than a twentieth of
 * the outage; and mail does not wait for it, because mail to such a hop asks for a probe every down_interval_ms.
 */
int64_t pace_down_ms(int64_t down_interval_ms, int64_t down_for_ms);

/*
 * pace_start_ms - how long after the start to probe remote hop number at (from 0) of count for the first time.
 *
 * The first PACE_START_AT_ONCE at once, the others evenly over interval_ms or PACE_START_MS, whichever is shorter.
 */
int64_t pace_start_ms(size_t at, size_t count, int64_t interval_ms);

#endif
