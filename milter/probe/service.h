/*
 * service - does a delivery agent answer on a private/ socket?
 *
 * A delivery agent greets whoever connects with "protocol" = "delivery_request_protocol"; qmgr(8) itself
 * may connect, read that and hang up, and nothing is logged.  A service whose agents crash or are all at
 * work accepts and says nothing: then the connection stays parked, because abandoned ones fill the
 * backlog of the socket, and the greeting comes the moment the service is back.
 *
 * Threads: event thread.
 */
#ifndef FF_SERVICE_H
#define FF_SERVICE_H

#include <event2/event.h>
#include <stdint.h>

struct service_probe;

enum service_answer {
	SERVICE_AGENT,	/* a delivery agent greets */
	SERVICE_SILENT, /* nothing yet: the connection stays parked, another answer follows */
	SERVICE_OTHER,	/* something else greets, or rubbish */
	SERVICE_CLOSED, /* end of file or an error before a whole greeting */
	SERVICE_LOCAL,	/* our own fault: out of memory */
};

/* Called once with an answer other than SERVICE_SILENT, and at most once with that before.  After any other
 * answer than SERVICE_SILENT the connection is closed and the probe's memory is gone. */
typedef void service_answer_fn(void *arg, enum service_answer answer, int64_t latency_us);

/* service_probe_start - fd: connected, non-blocking; taken over, whatever happens.  name is for the log.
 * NULL when out of memory (fd is closed then). */
struct service_probe *service_probe_start(struct event_base *base, int fd, const char *name,
	int64_t timeout_ms, service_answer_fn *answered, void *arg);

/* service_probe_cancel - hang up, no callback any more */
void service_probe_cancel(struct service_probe *probe);

/* service_master - the process ID of the master(8) that listens at the other end of a connection, 0 when that cannot
 * be told: it runs in another namespace */
long service_master(int fd);

#endif
