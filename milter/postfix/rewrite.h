/*
 * rewrite - ask trivial-rewrite(8) for the route of an address
 *
 * Over a connection to private/rewrite: the greeting (absent before Postfix 3.5), then any number of
 * requests, one after the other.
 *
 * Threads: event thread.
 */
#ifndef FF_REWRITE_H
#define FF_REWRITE_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

enum { REWRITE_TEXT_BYTES = 512 };

/* What trivial-rewrite(8) says (resolve_clnt(3)). */
struct rewrite_route {
	char transport[REWRITE_TEXT_BYTES];
	char nexthop[REWRITE_TEXT_BYTES];
	char recipient[REWRITE_TEXT_BYTES];
	unsigned flags; /* RESOLVE_CLASS_... and RESOLVE_FLAG_... */
};

struct rewrite_query;

/* route is NULL on failure; error is a constant text then, else NULL.  Called exactly once, never from within
 * rewrite_resolve(). */
typedef void rewrite_done_fn(void *arg, const struct rewrite_route *route, const char *error);

/* A connection that outlives its queries, one at a time.  The caller's, who closes it in the end. */
struct rewrite_connection {
	int fd; /* connected, non-blocking; -1: none, or closed by a query that it failed */
	bool has_greeting;
};

/* rewrite_is_usable - can it take another query?  false when there is none, when the server has hung up, or when it
 * said what nobody asked for: then the caller closes it. */
bool rewrite_is_usable(const struct rewrite_connection *connection);

/* rewrite_resolve_over - one query; connection must live until done() or rewrite_cancel().  With done() it is still
 * open when the service answered, even when it knows no route.  NULL when out of memory (it is closed then). */
struct rewrite_query *rewrite_resolve_over(struct event_base *base,
	struct rewrite_connection *connection, const char *sender, const char *recipient,
	int64_t timeout_ms, rewrite_done_fn *done, void *arg);

/* rewrite_resolve - one query on a fresh connection.  fd: connected, non-blocking; taken over.  NULL when out of
 * memory (fd is closed then). */
struct rewrite_query *rewrite_resolve(struct event_base *base, int fd, const char *sender,
	const char *recipient, int64_t timeout_ms, rewrite_done_fn *done, void *arg);

/* rewrite_cancel - no done() any more; the connection is closed */
void rewrite_cancel(struct rewrite_query *query);

#endif
