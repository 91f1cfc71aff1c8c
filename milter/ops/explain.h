/*
 * explain - the route that a message would take, and what we would say to it
 *
 * trivial-rewrite(8) is asked for the transport and nexthop, as smtpd(8) asks it; the rest is what a verdict at RCPT
 * would find.  Event thread only.
 */
#ifndef FF_EXPLAIN_H
#define FF_EXPLAIN_H

#include "health/table.h"
#include "postfix/opener.h"

#include <event2/event.h>
#include <jansson.h>

struct explain;

/* What is asked. Strings are copied; address and port may be NULL: the first listener of master.cf. */
struct explain_question {
	const char *sender, *recipient;
	const char *daemon_address, *daemon_port;
	const char *directory; /* config_directory of the instance, without address and port; NULL: the first */
};

/* explain_done_fn - takes the document over; {"error": ...} when there is no answer */
typedef void explain_done_fn(void *arg, json_t *document);

/* explain_start - done comes later from the event loop, exactly once unless cancelled.  NULL: out of memory. */
struct explain *explain_start(struct event_base *base, const struct opener *opener,
	struct table *table, const struct explain_question *question, explain_done_fn *done,
	void *arg);

void explain_cancel(struct explain *explain);

#endif
