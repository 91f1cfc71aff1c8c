/*
 * engine - the half that probes and answers
 */
#ifndef FF_ENGINE_H
#define FF_ENGINE_H

#include "reload.h"
#include "sockets.h"

/*
 * engine_run - probe, and answer Postfix and failfastctl(8).
 *
 * fixed is the configuration of the first start: what no reload may change (listen, control, http, user) is taken from it.
 *
 * Runs in a process of its own, forked by the keeper with SIGHUP, SIGTERM, SIGINT and SIGUSR1 blocked, as the user
 * that it is to be, after milter_open(); channel_fd is its line to the keeper, sockets are what the keeper opened,
 * hook_fd is the line to the process that runs on_change, -1: none.
 * Does not return: the process ends with 0 after CHANNEL_STOP or when the keeper is gone, 71 when the system refuses
 * something.
 */
_Noreturn void engine_run(const struct sources *sources, struct conf *fixed, int channel_fd,
	const struct sockets *sockets, int hook_fd);

#endif
