/*
 * opener - how the engine gets a connection to a private/ socket
 *
 * The engine may not enter private/, so somebody else connects and passes the descriptor.  An interface: the
 * engine gives the real one, tests give their own.
 *
 * Threads: event thread.
 */
#ifndef FF_OPENER_H
#define FF_OPENER_H

#include <stdint.h>

/* What came of it. */
struct opened {
	int fd;	     /* connected, non-blocking, the receiver's from now on; -1: failed */
	int error;   /* an errno then.  EPERM: no name of a delivery agent that master.cf has or had */
	long master; /* process ID of the master(8) of that Postfix, 0: not known */
};

typedef void opener_done_fn(void *arg, const struct opened *opened);

struct opener {
	/* Ask; done comes later from the event loop, exactly once unless cancelled.  Returns a handle, 0 when out of
	 * memory or the name is too long. */
	uint32_t (*open)(void *opener_arg, const char *directory, const char *name,
		opener_done_fn *done, void *arg);
	/* No callback any more; what arrives is closed. */
	void (*cancel)(void *opener_arg, uint32_t handle);
	void *opener_arg;
};

#endif
