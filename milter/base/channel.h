/*
 * channel - messages between keeper and engine over a socket pair
 *
 * A message is a type, a small payload and maybe a descriptor, and comes whole or not at all (SOCK_SEQPACKET).
 * A large block travels as the descriptor of a memfd.  An end that is gone is an error, never a signal.
 */
#ifndef FF_CHANNEL_H
#define FF_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CHANNEL_PAYLOAD_BYTES = 4096 };

enum channel_type {
	CHANNEL_READY = 1, /* engine: sockets are open, probes run; */
	CHANNEL_RELOAD,	   /* keeper: new configuration as a block, see reload.h */
	CHANNEL_STOP,	   /* keeper: answer what is open, then end */
	CHANNEL_DUMP,	   /* keeper: state to the log */
	CHANNEL_OPEN,	   /* engine: connect to a private/ socket, see broker.h */
	CHANNEL_OPENED,	   /* keeper: the answer, with the descriptor unless it failed */
	CHANNEL_ASK,	   /* engine: the credentials for a hop, see vault.h; */
	CHANNEL_TOLD,	   /* keeper: the answer, which is secret */
	CHANNEL_LOG,	   /* engine: open Postfix's log, see logs.h */
	CHANNEL_LOG_OPENED, /* keeper: the answer, with the descriptor unless it failed */
	CHANNEL_HOOK_PROGRAM, /* keeper, to the process that runs programs: see ops/hook_runner.h */
	CHANNEL_HOOK_RUN,     /* engine, to the same */
	CHANNEL_HOOK_DONE,    /* its answer */
	CHANNEL_ALIVE,	    /* engine: its event thread runs; every HEARTBEAT_BEAT_MS */
	CHANNEL_REREAD,	    /* engine: read both configurations again; the payload is a number, see */
	CHANNEL_REREAD_DONE, /* keeper: what came of it, a block, see reload_report.h */
};

struct channel_message {
	enum channel_type type;
	char payload[CHANNEL_PAYLOAD_BYTES];
	size_t bytes;
	int fd; /* the receiver's to close, -1: none */
};

/* channel_pair - two connected descriptors, close-on-exec; false with errno set */
bool channel_pair(int fds[2]);

/* channel_send - fd -1: none; it stays the sender's.  Waits at most timeout_ms for room; false with errno set
 * (EAGAIN: no room). */
bool channel_send(int channel, enum channel_type type, const void *payload, size_t bytes, int fd,
	int timeout_ms);

/* channel_send_block - a block of any size; errors as above */
bool channel_send_block(int channel, enum channel_type type, const void *block, size_t bytes,
	int timeout_ms);

enum channel_status {
	CHANNEL_GOT,
	CHANNEL_NOTHING, /* nothing is there now */
	CHANNEL_GONE,	 /* the other end is closed */
};

/* channel_receive - one message if one is there; does not block */
enum channel_status channel_receive(int channel, struct channel_message *message);

/* channel_block - read the block of a message, with a NUL behind it, and close its descriptor; the caller frees
 * it.  NULL when it has none. */
char *channel_block(struct channel_message *message, size_t *bytes);

#endif
