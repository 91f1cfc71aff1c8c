/*
 * hooks - the keeper's side of on_change: start the process that runs it, and say which program it
 * is
 */
#ifndef FF_HOOKS_H
#define FF_HOOKS_H

#include "conf/conf.h"
#include "privilege.h"

/* Both are -1 where nothing may be run: as root. */
struct hooks {
	int orders;   /* the keeper's alone; when it is closed the process ends what runs, and then
			 itself */
	int requests; /* the engine's line to the process */
};

/* hooks_check - can on_change be run?  false after a call of report. */
bool hooks_check(const struct conf *conf, conf_report_fn *report, void *arg);

/* hooks_start - fork the process, as the engine's user; to be called before
 * privilege_become_keeper(), with SIGCHLD blocked.  false with a message logged. */
bool hooks_start(struct hooks *hooks, const struct privilege *privilege);

/* hooks_learn - the program of a configuration; false with a message logged when none may be run
 * here */
bool hooks_learn(const struct hooks *hooks, const struct conf *conf);

/* hooks_leave - close orders: to stop, and in the engine, which has none to give */
void hooks_leave(struct hooks *hooks);

#endif
