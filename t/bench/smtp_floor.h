/*
 * smtp_floor - the least that a probe can cost with libevent: the words, and nothing else
 *
 * connect, greeting, EHLO, its answer, QUIT, its answer, close.  No time limit, no parser, no
 * memory but a buffer on the stack, no log, no wait for the peer's end.
 */
#ifndef FF_BENCH_SMTP_FLOOR_H
#define FF_BENCH_SMTP_FLOOR_H

#include <event2/event.h>
#include <stdint.h>

enum { SMTP_FLOOR_ADDRESSES = 256 }; /* that are connected to, one after the other */

/* smtp_floor_address - number n of those in 127.0.0.0/8, in network byte order */
uint32_t smtp_floor_address(unsigned n);

/* smtp_floor_run - so many conversations, so many at a time */
void smtp_floor_run(
	struct event_base *base, uint16_t port, unsigned conversations, unsigned in_flight);

/* smtp_floor_pace - so many servers, one conversation with each in interval_ms, spread evenly, for
 * as long as the loop runs.  Returns before the first. */
void smtp_floor_pace(struct event_base *base, uint16_t port, unsigned servers, int64_t interval_ms);

#endif
