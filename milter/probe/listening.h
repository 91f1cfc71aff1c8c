/*
 * listening - who listens on private/ sockets, without connecting to them
 *
 * A connection makes master(8) start a delivery agent; the kernel's list of sockets does not.
 *
 * Threads: event thread.
 */
#ifndef FF_LISTENING_H
#define FF_LISTENING_H

#include <stdint.h>

struct listening;

struct listening *listening_new(void);
void listening_free(struct listening *listening);

/* listening_count - how many sockets "private/NAME" are listened on, of whatever Postfix in this network namespace.
 * The list is read again when it is older than a second. */
unsigned listening_count(struct listening *listening, const char *name, int64_t now_ms);

#endif
