/*
 * clock - the only place that asks what time it is
 *
 * Pure modules take time as a parameter; programs get it here.  Monotonic time is for intervals and
 * ages, wall time for what people read.  Any thread.
 */
#ifndef FF_CLOCK_H
#define FF_CLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* clock_now_ms - monotonic milliseconds; never 0, so that 0 can mean "never" */
int64_t clock_now_ms(void);

/* clock_now_us - the same clock in microseconds */
int64_t clock_now_us(void);

/* clock_wall - seconds since the epoch */
time_t clock_wall(void);

enum { CLOCK_UTC_BYTES = sizeof "2026-11-21T18:20:07Z" + 8 };

/* clock_format_utc - RFC 3339 in UTC, "2026-11-21T18:20:07Z"; returns buf */
const char *clock_format_utc(char buf[CLOCK_UTC_BYTES], time_t when);

/* clock_format_time - the time of day alone, "18:20:07Z"; returns buf */
const char *clock_format_time(char buf[CLOCK_UTC_BYTES], time_t when);

#endif
