/*
 * engine - the half that probes and answers
 */
#ifndef FF_ENGINE_H
#define FF_ENGINE_H

#include "reload.h"

/*
 * engine_run - open the sockets, become conf->user, probe, and answer Postfix.
 *
 * fixed is the configuration of the first start: what no reload may change (listen, control, user) is taken from
 * it, so that an engine which is started again is where Postfix looks for it.
 *
 * Runs in a process of its own, forked by the keeper with SIGHUP, SIGTERM, SIGINT and SIGUSR1 blocked;
 * channel_fd is its line to the keeper.  Does not return: the process ends with 0 after CHANNEL_STOP or
 * when the keeper is gone, 69 when a socket cannot be had, 71 when the system refuses something else.
 */
_Noreturn void engine_run(const struct sources *sources, struct conf *fixed, int channel_fd);

#endif
