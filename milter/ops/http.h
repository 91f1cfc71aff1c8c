/*
 * http - what can be seen with a browser, and scraped
 *
 *	/		a page for people, see page.h
 *	/metrics	Prometheus, see metrics.h
 *	/status.json	what "failfastctl status --json" prints
 *	/healthz	200 while the prober and the milter answer, else 503
 *
 * Nothing can be changed here.  GET and HEAD only; requests, connections and answers under way are
 * bounded; a request must name this host, so that no web page elsewhere can read the answer through
 * a name that it lets point here (DNS rebinding).
 *
 * Event thread only.
 */
#ifndef FF_HTTP_H
#define FF_HTTP_H

#include "conf/conf.h"
#include "ops/changes.h"
#include "ops/metrics.h"
#include "ops/pulse.h"

#include <event2/event.h>

enum {
	HTTP_HEADER_BYTES = 8192,
	HTTP_BODY_BYTES = 1024,
	HTTP_ANSWER_BYTES = 64 * 1024 * 1024, /* waiting to be sent, to all clients together */
};

struct http;

/* What is shown; all of it must outlive the server. */
struct http_parts {
	const struct conf *conf; /* of the start */
	struct table *table;
	struct metrics *metrics;
	const struct changes *changes;
	const struct pulse *pulse;
};

/* http_new - serve on a listening socket, which it owns from now on; NULL: out of memory, and the
 * process cannot go on */
struct http *http_new(struct event_base *base, int listen_fd, const struct http_parts *parts);

/* http_is_own_name - may a request name this host so?  An address, "localhost", conf->http,
 * conf->hostname, the name of the host, and each Postfix's myhostname. */
bool http_is_own_name(const struct conf *conf, const char *host);

#endif
