/*
 * http_gate - who may talk to the HTTP server, how many and for how long
 *
 * evhttp bounds the size of a request and how long a connection may be silent, but neither how many
 * connections there are nor how long one may take that says a byte now and then.  Descriptors are
 * shared with mail, so both are bounded here: by a deadline for each request and each answer, and
 * by a number.  While that is reached, connections that say nothing or do not read their answer go,
 * so that those who only sit there keep nobody else out.
 *
 * Event thread only.
 */
#ifndef FF_HTTP_GATE_H
#define FF_HTTP_GATE_H

#include <event2/event.h>
#include <event2/http.h>
#include <stdbool.h>

enum { GATE_CLIENTS = 64, GATE_REQUEST_MS = 10 * 1000, GATE_ANSWER_MS = 60 * 1000 };

/* Priorities of events: those of HTTP come last, all others are in the middle, as libevent has it
 * by default. */
enum { HTTP_PRIORITIES = 3, HTTP_PRIORITY = 2 };

struct gate;

/* gate_new - let clients of a listening socket, which it owns from now on, into the server; NULL:
 * out of memory */
struct gate *gate_new(struct event_base *base, struct evhttp *http, int listen_fd);

/* gate_asked - this request is here: from now on its answer is waited for, then for the next
 * request */
void gate_asked(struct gate *gate, struct evhttp_request *request);

#endif
