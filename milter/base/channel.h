/*
 * channel - messages between keeper and engine over a socket pair
 *
 * A message is a type and a block of bytes.  Both ends trust each other's format, not each other's
 * presence: an end that is gone is an error, never a signal.
 */
#ifndef FF_CHANNEL_H
#define FF_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CHANNEL_LIMIT_BYTES = 256 << 20 };

enum channel_type {
	CHANNEL_READY = 1, /* engine: sockets are open, probes run */
	CHANNEL_RELOAD,	   /* keeper: new configuration, see reload.h */
	CHANNEL_STOP,	   /* keeper: answer what is open, then end */
	CHANNEL_DUMP,	   /* keeper: state to the log */
};

/* Where an incomplete message is kept until the rest of it comes. Zero it to begin. */
struct channel_input {
	char *buffer;
	size_t used, size;
};

/* channel_pair - two connected descriptors, close-on-exec; false with errno set */
bool channel_pair(int fds[2]);

/* channel_send - blocks until it is written, at most 10 s; false when the other end is gone or stuck */
bool channel_send(int fd, enum channel_type type, const void *payload, size_t bytes);

/* channel_fill - one read of what is there (blocks when nothing is); false at the end or an error */
bool channel_fill(int fd, struct channel_input *input);

/* channel_next - take one complete message out; the payload, with a NUL behind it, is the caller's to
 * free.  false: none is complete yet. */
bool channel_next(struct channel_input *input, enum channel_type *type, char **payload,
	size_t *bytes);

#endif
