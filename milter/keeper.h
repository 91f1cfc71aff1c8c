/*
 * keeper - the half that starts, watches and ends the engine
 */
#ifndef FF_KEEPER_H
#define FF_KEEPER_H

#include "reload.h"

/* keeper_ready_fn - called once, when mail can be answered */
typedef void keeper_ready_fn(void *arg);

/*
 * keeper_run - keep an engine running until SIGTERM or SIGINT; returns an exit status of sysexits.h: 0,
 * or that of an engine which could not start.
 *
 * SIGHUP reads both configurations again, and so does a change of main.cf or master.cf; SIGUSR1 lets the
 * engine write its state to the log.  Takes sources over.
 */
int keeper_run(struct sources *sources, keeper_ready_fn *ready, void *arg);

#endif
