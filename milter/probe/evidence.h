/*
 * evidence - follow the log of each Postfix instance, and tell the scheduler what it says
 *
 * Threads: the event thread.
 */
#ifndef FF_EVIDENCE_H
#define FF_EVIDENCE_H

#include "health/table.h"
#include "postfix/maillog_file.h"
#include "postfix/site.h"
#include "probe/sched.h"

#include <event2/event.h>

struct evidence;

/* evidence_new - follows nothing yet; all of these must outlive it.  Ends the process when out of memory. */
struct evidence *evidence_new(struct event_base *base, struct table *table, struct sched *sched,
	const struct maillog_opener *opener);
void evidence_free(struct evidence *evidence);

/* evidence_apply - follow the logs of the instances of this site that have evidence = log, and no others any more */
void evidence_apply(struct evidence *evidence, struct site *site);

/* evidence_opened - the opener's answer; takes the descriptor over */
void evidence_opened(struct evidence *evidence, const char *directory,
	const struct maillog_opened *opened);

#endif
