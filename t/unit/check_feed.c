/*
 * check_feed - who watches gets each change, and one that does not read is dropped
 */
#include "ops/feed.h"

#include "base/log.h"
#include "suite.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct event_base *base;
static struct table *table;
static struct feed *feed;

/* A watcher and the socket at which its lines come out. */
struct client {
	struct bufferevent *connection;
	struct watcher *watcher;
	int fd;
	unsigned drops;
	size_t lines;
};

static void setup(void)
{
	base = event_base_new();
	table = table_new();
	feed = feed_new(table);
	ck_assert(base != NULL && table != NULL && feed != NULL);
}

static void teardown(void)
{
	free(feed);
	table_free(table);
	event_base_free(base);
}

static void on_dropped(void *arg)
{
	struct client *client = arg;

	client->drops++;
	client->watcher = NULL;
}

static void open_client(struct client *client, const char *pattern)
{
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	*client = (struct client){.fd = fds[1]};
	client->connection = bufferevent_socket_new(base, fds[0], BEV_OPT_CLOSE_ON_FREE);
	ck_assert_int_eq(bufferevent_enable(client->connection, EV_WRITE), 0);
	client->watcher = feed_watch(feed, client->connection, pattern, on_dropped, client);
}

static void close_client(struct client *client)
{
	if (client->watcher != NULL)
		feed_leave(client->watcher);
	bufferevent_free(client->connection);
	close(client->fd);
}

/* take - count the lines that came; the last one is in line */
static void take(struct client *client, char line[4096])
{
	char text[65536];
	ssize_t got;
	size_t used = 0;

	do {
		(void)event_base_loop(base, EVLOOP_NONBLOCK);
		got = read(client->fd, text, sizeof text);
		for (ssize_t i = 0; i < got; i++) {
			if (text[i] == '\n') {
				client->lines++;
				line[used] = '\0';
				used = 0;
			} else if (used < 4095) {
				line[used++] = text[i];
			}
		}
	} while (got > 0);
}

static void change(const char *name, enum state from, enum state to, bool is_new_state)
{
	const struct hop_change what = {from, to, is_new_state, false};
	struct hop_view view = {.state = to,
		.reason = to == STATE_UP ? REASON_NONE : REASON_CONNECTION_REFUSED,
		.roles = ROLE_TRANSPORT,
		.latency_us = -1};

	(void)snprintf(view.name, sizeof view.name, "%s", name);
	(void)snprintf(view.detail, sizeof view.detail, "%0200d", 7);
	feed_change(feed, &view, &what);
}

START_TEST(a_watcher_gets_the_table_and_then_each_change_that_it_asks_for)
{
	struct client client;
	char line[4096];
	json_t *document;

	open_client(&client, "relay");
	take(&client, line);
	ck_assert_uint_eq(client.lines, 1);
	document = json_loads(line, 0, NULL);
	ck_assert(json_is_array(json_object_get(document, "hops")));
	json_decref(document);

	change("smtp:", STATE_UP, STATE_DOWN, true);
	change("relay:x", STATE_UP, STATE_DOWN, true);
	change("relay:x", STATE_DOWN, STATE_DOWN, false);
	take(&client, line);
	ck_assert_uint_eq(client.lines, 2);
	document = json_loads(line, 0, NULL);
	ck_assert_str_eq(json_string_value(json_object_get(document, "from")), "up");
	ck_assert_str_eq(json_string_value(json_object_get(document, "to")), "down");
	ck_assert_str_eq(
		json_string_value(json_object_get(json_object_get(document, "hop"), "hop")),
		"relay:x");
	json_decref(document);
	close_client(&client);
}
END_TEST

START_TEST(one_that_does_not_read_is_dropped_and_others_get_everything)
{
	struct client reader, sleeper;
	char line[4096];
	size_t changes = 0, unread = 0;

	open_client(&reader, NULL);
	open_client(&sleeper, NULL);
	while (sleeper.drops == 0) {
		unread = evbuffer_get_length(bufferevent_get_output(sleeper.connection));
		change("relay:x", STATE_UP, STATE_DOWN, true);
		changes++;
		take(&reader, line);
		ck_assert_uint_lt(changes, 100000);
	}
	ck_assert_uint_gt(unread, FEED_BACKLOG_BYTES / 2);
	ck_assert_uint_lt(unread, 2 * FEED_BACKLOG_BYTES);
	ck_assert_uint_eq(reader.drops, 0);
	change("relay:x", STATE_UP, STATE_DOWN, true);
	take(&reader, line);
	ck_assert_uint_eq(reader.lines, changes + 2);
	ck_assert_uint_eq(sleeper.drops, 1);
	close_client(&reader);
	close_client(&sleeper);
}
END_TEST

START_TEST(watchers_are_bounded_in_number)
{
	struct client clients[FEED_WATCHERS + 1];

	for (int i = 0; i <= FEED_WATCHERS; i++) {
		open_client(&clients[i], NULL);
		ck_assert((clients[i].watcher != NULL) == (i < FEED_WATCHERS));
	}
	close_client(&clients[3]);
	open_client(&clients[3], NULL);
	ck_assert_ptr_nonnull(clients[3].watcher);
	for (int i = 0; i <= FEED_WATCHERS; i++)
		close_client(&clients[i]);
}
END_TEST

static void add(TCase *tcase)
{
	log_init("check_feed", true, 0);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_watcher_gets_the_table_and_then_each_change_that_it_asks_for);
	tcase_add_test(tcase, one_that_does_not_read_is_dropped_and_others_get_everything);
	tcase_add_test(tcase, watchers_are_bounded_in_number);
}

int main(void)
{
	return suite_run("feed", add);
}
