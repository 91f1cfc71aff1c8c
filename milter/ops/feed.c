/*
 * feed - changes of state, as they come, to those who watch
 *
 * Nothing is kept for a watcher but what it has not read yet, and that is bounded: one that stops
 * reading costs a megabyte, then its connection, and can ask for the table again.
 */
#include "ops/feed.h"

#include "base/clock.h"
#include "base/log.h"
#include "ops/status.h"

#include <event2/buffer.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct watcher {
	struct watcher *prev, *next;
	struct feed *feed;
	struct bufferevent *connection;
	char *pattern;      /* NULL: every hop */
	size_t limit_bytes; /* of what it has not read; the table itself counts as read */
	feed_dropped_fn *dropped;
	void *arg;
};

struct feed {
	struct table *table;
	struct watcher *watchers;
	unsigned count;
};

struct feed *feed_new(struct table *table)
{
	struct feed *feed = calloc(1, sizeof *feed);

	if (feed != NULL)
		feed->table = table;
	return feed;
}

void feed_leave(struct watcher *watcher)
{
	DL_DELETE(watcher->feed->watchers, watcher);
	watcher->feed->count--;
	free(watcher->pattern);
	free(watcher);
}

static void drop(struct watcher *watcher, const char *why)
{
	feed_dropped_fn *dropped = watcher->dropped;
	void *arg = watcher->arg;

	log_warnx("control: a client that watches is dropped: %s", why);
	feed_leave(watcher);
	dropped(arg);
}

static bool write_line(const struct watcher *watcher, const char *text)
{
	return text != NULL && bufferevent_write(watcher->connection, text, strlen(text)) == 0 &&
	       bufferevent_write(watcher->connection, "\n", 1) == 0;
}

static size_t unread_bytes(const struct watcher *watcher)
{
	return evbuffer_get_length(bufferevent_get_output(watcher->connection));
}

struct watcher *feed_watch(struct feed *feed, struct bufferevent *connection, const char *pattern,
	feed_dropped_fn *dropped, void *arg)
{
	struct watcher *watcher = feed->count < FEED_WATCHERS ? calloc(1, sizeof *watcher) : NULL;
	json_t *document;
	char *text;
	bool is_begun;

	if (watcher == NULL)
		return NULL;
	*watcher = (struct watcher){
		.feed = feed, .connection = connection, .dropped = dropped, .arg = arg};
	watcher->pattern = pattern != NULL ? strdup(pattern) : NULL;
	DL_APPEND(feed->watchers, watcher);
	feed->count++;
	document = status_document(feed->table, pattern);
	text = document != NULL ? json_dumps(document, JSON_COMPACT) : NULL;
	is_begun = (pattern == NULL || watcher->pattern != NULL) && write_line(watcher, text);
	json_decref(document);
	free(text);
	watcher->limit_bytes = unread_bytes(watcher) + FEED_BACKLOG_BYTES;
	if (is_begun)
		return watcher;
	feed_leave(watcher);
	return NULL;
}

static char *change_text(const struct hop_view *view, const struct hop_change *change)
{
	char utc[CLOCK_UTC_BYTES];
	json_t *document = json_pack("{s:s, s:s, s:s, s:o}", "time",
		clock_format_utc(utc, clock_wall()), "from", state_name(change->from), "to",
		state_name(change->to), "hop", status_hop(view));
	char *text = document != NULL ? json_dumps(document, JSON_COMPACT) : NULL;

	json_decref(document);
	return text;
}

void feed_change(void *arg, const struct hop_view *view, const struct hop_change *change)
{
	struct feed *feed = arg;
	struct watcher *watcher, *next;
	char *text = NULL;

	if (!change->is_new_state)
		return;
	DL_FOREACH_SAFE(feed->watchers, watcher, next)
	{
		/* cppcheck-suppress uninitvar ; DL_FOREACH_SAFE sets it */
		if (!status_is_asked_for(watcher->pattern, view->name))
			continue;
		if (text == NULL)
			text = change_text(view, change);
		if (!write_line(watcher, text))
			drop(watcher, "no memory");
		else if (unread_bytes(watcher) > watcher->limit_bytes)
			drop(watcher, "it does not read");
	}
	free(text);
}
