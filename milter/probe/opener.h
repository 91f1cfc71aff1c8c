/*
 * opener - how a probe gets a connection to a private/ socket
 *
 * The engine may not enter private/, so somebody else connects and passes the descriptor.  An interface: the
 * engine gives the real one, tests give their own.
 *
 * Threads: event thread.
 */
#ifndef FF_OPENER_H
#define FF_OPENER_H

#include <stdint.h>

/* fd: connected, non-blocking, the receiver's from now on; or -1 and error is an errno.  EPERM: the name is not one
 * of a delivery agent that master.cf has or had. */
typedef void opener_done_fn(void *arg, int fd, int error);

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
