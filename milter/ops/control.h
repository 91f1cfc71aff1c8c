/*
 * control - the control socket: failfastctl(8) asks, the event thread answers
 *
 * A client sends one JSON object on one line, {"command": "status", "pattern": "..."}, and gets one
 * JSON document and the end of the connection; of a probe one document a step, a line each; who watches gets a line for each
 * change until it hangs up (ops/feed.h).  What is wrong with a request is said in
 * {"error": "..."}.  Requests are bounded in size and time, clients in number.
 */
#ifndef FF_CONTROL_H
#define FF_CONTROL_H

#include "health/table.h"
#include "ops/force.h"
#include "ops/notify.h"
#include "ops/reread.h"
#include "postfix/opener.h"
#include "probe/sched.h"

#include <event2/event.h>

enum { CONTROL_REQUEST_BYTES = 65536, CONTROL_CLIENTS = 64, CONTROL_TIMEOUT_S = 10 };

struct control;

/* What commands ask and change; all of it must outlive the control. */
struct control_parts {
	struct table *table;
	const struct opener *opener;
	struct sched *sched;
	struct notify *notify;
	struct force *force;
	struct rereads *rereads;
};

/* control_new - serve on a listening socket, which it owns from now on; NULL: no memory */
struct control *control_new(
	struct event_base *base, int listen_fd, const struct control_parts *parts);

#endif
