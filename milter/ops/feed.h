/*
 * feed - changes of state, as they come, to those who watch
 *
 * The first document is the table, as status_document() makes it; then one comes for each change of
 * state:
 * {"time", "from", "to", "hop": {...}}, the hop as in the table.  Event thread only.
 */
#ifndef FF_FEED_H
#define FF_FEED_H

#include "health/table.h"

#include <event2/bufferevent.h>

/* A watcher that has so much of changes still to read is dropped. */
enum { FEED_BACKLOG_BYTES = 1 << 20, FEED_WATCHERS = 32 };

struct feed;
struct watcher;

/* feed_dropped_fn - the watcher is gone; closing its connection is left to whoever owns it */
typedef void feed_dropped_fn(void *arg);

/* feed_new - NULL: no memory */
struct feed *feed_new(struct table *table);

/* feed_change - a notify_fn; arg is the struct feed */
void feed_change(void *arg, const struct hop_view *view, const struct hop_change *change);

/* feed_watch - write to this connection, which stays the caller's and must live until feed_leave()
 * or dropped(); pattern as for status_document().  NULL: too many watch, or no memory. */
struct watcher *feed_watch(struct feed *feed, struct bufferevent *connection, const char *pattern,
	feed_dropped_fn *dropped, void *arg);

void feed_leave(struct watcher *watcher);

#endif
