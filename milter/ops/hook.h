/*
 * hook - on_change: have a program run when a hop changes its state
 *
 * The programs are run by another process, see hook_runner.h.  Event thread only.
 */
#ifndef FF_HOOK_H
#define FF_HOOK_H

#include "health/table.h"

#include <event2/event.h>

/* Hops that may wait for their turn. */
enum { HOOK_HOPS = 1000 };

struct hook;

/* hook_new - runner: the line to the process that runs programs, -1: there is none.  NULL: no
 * memory. */
struct hook *hook_new(struct event_base *base, int runner);

/* hook_apply - the program ("": none) and the name of this host, of a new configuration.  What
 * waits is told to the new program, if there is one. */
void hook_apply(struct hook *hook, const char *program, const char *host);

/* hook_stop - we end, and so does the process that runs programs: that is no news */
void hook_stop(struct hook *hook);

/* hook_change - a notify_fn; arg is the struct hook */
void hook_change(void *arg, const struct hop_view *view, const struct hop_change *change);

#endif
