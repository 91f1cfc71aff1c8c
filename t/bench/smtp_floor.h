/*
 * smtp_floor - the least that a probe can cost with libevent: the words, and nothing else
 *
 * connect, greeting, EHLO, its answer, QUIT, its answer, close.  No time limit, no parser, no memory but a buffer on
 * the stack, no log, no orderly end.
 */
#ifndef FF_BENCH_SMTP_FLOOR_H
#define FF_BENCH_SMTP_FLOOR_H

#include <event2/event.h>
#include <stdint.h>

enum { SMTP_FLOOR_ADDRESSES = 256 }; /* that are connected to, one after the other */

/* smtp_floor_address - number n of some in 127.0.0.0/8, in network byte order */
uint32_t smtp_floor_address(unsigned n);

/* smtp_floor_run - so many conversations, so many at a time */
void smtp_floor_run(struct event_base *base, uint16_t port, unsigned conversations, unsigned in_flight);

#endif
