/*
 * engine - the half that probes and answers
 */
#ifndef FF_ENGINE_H
#define FF_ENGINE_H

#include "reload.h"

/*
 * engine_run - open the sockets, become conf->user, probe, and answer Postfix.
 *
 * Runs in a process of its own, forked by the keeper with SIGHUP, SIGTERM, SIGINT and SIGUSR1 blocked;
 * channel_fd is its line to the keeper.  Does not return: the process ends with 0 after CHANNEL_STOP or
 * when the keeper is gone, 69 when a socket cannot be had, 71 when the system refuses something else.
 */
_Noreturn void engine_run(const struct sources *sources, int channel_fd);

#endif
