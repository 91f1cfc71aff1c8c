/*
 * keeper - the half that starts, watches and ends the engine
 */
#ifndef FF_KEEPER_H
#define FF_KEEPER_H

#include "reload.h"

/* keeper_ready_fn - called once, when mail can be answered */
typedef void keeper_ready_fn(void *arg);

struct keeper;

/*
 * keeper_new - open the sockets, as whoever started us.  Takes sources over.  NULL with *status an exit status of
 * sysexits.h: 69 when a socket cannot be had, 71 when the system refuses something else, 78 when a user is missing.
 */
struct keeper *keeper_new(struct sources *sources, int *status);
void keeper_free(struct keeper *keeper);

/*
 * keeper_run - give up root, then keep an engine running until SIGTERM or SIGINT; returns an exit status: 0, or that
 * of an engine which could not start.  The sockets are gone then, where we may remove them.
 *
 * own_fd: a descriptor that no process forked here may have, -1: there is none.
 *
 * SIGHUP reads both configurations again, and so does a change of main.cf or master.cf; SIGUSR1 lets the
 * engine write its state to the log.
 */
int keeper_run(struct keeper *keeper, int own_fd, keeper_ready_fn *ready, void *arg);

#endif
