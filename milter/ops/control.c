/*
 * control - the control socket
 *
 * One bufferevent a client, a line in, a document out.  A client that sends nothing, too much or
 * rubbish costs a bounded buffer for a bounded time.
 */
#include "ops/control.h"

#include "base/clock.h"
#include "base/log.h"
#include "ops/explain.h"
#include "ops/feed.h"
#include "ops/probe.h"
#include "ops/status.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct control {
	struct event_base *base;
	struct evconnlistener *listener;
	struct event *resume;
	struct control_parts parts;
	struct feed *feed;
	unsigned clients;
	int64_t complained_ms; /* that there are too many */
};

/* What a client's callbacks know. */
struct client {
	struct control *control;
	struct bufferevent *connection;
	struct explain *explain; /* under way, NULL: none */
	struct probing *probing; /* the same */
	struct watcher *watcher; /* the same */
	struct reread *reread;	 /* the same */
	bool is_answered;
};

struct command {
	const char *name;
	void (*run)(struct client *client, const json_t *request); /* ends in answer(), now or later */
};

static json_t *complaint(const char *words)
{
	return json_pack("{s:s}", "error", words);
}

static void client_free(struct client *client)
{
	if (client->explain != NULL)
		explain_cancel(client->explain);
	if (client->probing != NULL)
		probing_cancel(client->probing);
	if (client->watcher != NULL)
		feed_leave(client->watcher);
	if (client->reread != NULL)
		reread_cancel(client->control->parts.rereads, client->reread);
	client->control->clients--;
	bufferevent_free(client->connection);
	free(client);
}

/* say - one document, which is taken over; false when there is no memory for it */
static bool say(struct client *client, json_t *document)
{
	struct evbuffer *out = bufferevent_get_output(client->connection);
	char *text = document != NULL ? json_dumps(document, JSON_COMPACT) : NULL;
	bool is_said = text != NULL && evbuffer_add_printf(out, "%s\n", text) >= 0;

	json_decref(document);
	free(text);
	return is_said;
}

/* answer - every request ends in exactly one document, which is taken over */
static void answer(struct client *client, json_t *document)
{
	client->is_answered = true;
	bufferevent_disable(client->connection, EV_READ);
	if (!say(client, document)) {
		log_errx("control: no memory for an answer");
		client_free(client);
	}
}

static const char *text_of(const json_t *request, const char *key)
{
	return json_string_value(json_object_get(request, key));
}

static void run_status(struct client *client, const json_t *request)
{
	answer(client, status_document(client->control->parts.table, text_of(request, "pattern")));
}

static void on_explained(void *arg, json_t *document)
{
	struct client *client = arg;

	client->explain = NULL;
	answer(client, document);
}

static void run_explain(struct client *client, const json_t *request)
{
	struct control *control = client->control;
	const struct explain_question question = {
		.sender = text_of(request, "sender"),
		.recipient = text_of(request, "recipient"),
		.daemon_address = text_of(request, "address"),
		.daemon_port = text_of(request, "port"),
		.directory = text_of(request, "instance"),
	};

	if (question.sender == NULL || question.recipient == NULL) {
		answer(client, complaint("explain needs a sender and a recipient"));
		return;
	}
	client->explain = explain_start(control->base, control->parts.opener, control->parts.table, &question,
		on_explained, client);
	if (client->explain == NULL)
		answer(client, complaint("out of memory"));
}

static void on_probing(void *arg, json_t *document, bool is_last)
{
	struct client *client = arg;

	if (is_last) {
		client->probing = NULL;
		answer(client, document);
	} else if (!say(client, document)) {
		log_errx("control: no memory for a step");
	}
}

static void run_probe(struct client *client, const json_t *request)
{
	static const struct timeval write_timeout = {CONTROL_TIMEOUT_S, 0};
	const char *hop = text_of(request, "hop");

	if (hop == NULL) {
		answer(client, complaint("probe needs a hop"));
		return;
	}
	/* A slow server may take longer than a client may keep us waiting. */
	bufferevent_set_timeouts(client->connection, NULL, &write_timeout);
	client->probing = probing_start(client->control->parts.sched, client->control->parts.table, hop,
		on_probing, client);
	if (client->probing == NULL)
		answer(client, probing_refusal(client->control->parts.table, hop));
}

static void on_watcher_dropped(void *arg)
{
	struct client *client = arg;

	client->watcher = NULL;
	client_free(client);
}

static void run_watch(struct client *client, const json_t *request)
{
	client->watcher = feed_watch(client->control->feed, client->connection,
		text_of(request, "pattern"), on_watcher_dropped, client);
	if (client->watcher == NULL) {
		answer(client, complaint("too many watch already"));
		return;
	}
	/* Silence is all that is heard of a good day, and how much may wait for a slow reader is bounded. */
	bufferevent_set_timeouts(client->connection, NULL, NULL);
}

static void run_force(struct client *client, const json_t *request)
{
	answer(client, force_run(client->control->parts.force, request));
}

static void on_reread(void *arg, json_t *document)
{
	struct client *client = arg;

	client->reread = NULL;
	answer(client, document);
}

static void run_reload(struct client *client, const json_t *request)
{
	static const struct timeval write_timeout = {CONTROL_TIMEOUT_S, 0};

	(void)request;
	/* Tables of thousands of lines take their time. */
	bufferevent_set_timeouts(client->connection, NULL, &write_timeout);
	client->reread = reread_start(client->control->parts.rereads, on_reread, client);
	if (client->reread == NULL)
		answer(client, complaint("the keeper cannot be asked"));
}

static const struct command commands[] = {
	{"explain", run_explain},
	{"force", run_force},
	{"probe", run_probe},
	{"reload", run_reload},
	{"status", run_status},
	{"watch", run_watch},
};

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static void take_request(struct client *client, const char *line, size_t bytes)
{
	json_error_t error;
	json_t *request = json_loadb(line, bytes, JSON_REJECT_DUPLICATES, &error);
	const char *name = text_of(request, "command");
	const struct command *command = name != NULL ? find_command(name) : NULL;

	if (request == NULL)
		answer(client, complaint("the request is not JSON"));
	else if (name == NULL)
		answer(client, complaint("the request has no command"));
	else if (command == NULL)
		answer(client, complaint("no such command"));
	else
		command->run(client, request);
	json_decref(request);
}

static void on_read(struct bufferevent *connection, void *arg)
{
	struct client *client = arg;
	struct evbuffer *in = bufferevent_get_input(connection);
	size_t bytes;
	char *line;

	if (client->explain != NULL || client->probing != NULL || client->reread != NULL)
		return; /* one request a connection */
	if (client->watcher != NULL) {
		/* Input that fills up would hide that the client has hung up. */
		evbuffer_drain(in, evbuffer_get_length(in));
		return;
	}
	line = evbuffer_readln(in, &bytes, EVBUFFER_EOL_LF);
	if (line != NULL)
		take_request(client, line, bytes);
	else if (evbuffer_get_length(in) >= CONTROL_REQUEST_BYTES)
		answer(client, complaint("the request is too long"));
	free(line);
}

/* on_written - the answer is out: done */
static void on_written(struct bufferevent *connection, void *arg)
{
	struct client *client = arg;

	(void)connection;
	if (client->is_answered)
		client_free(client);
}

static void on_event(struct bufferevent *connection, short what, void *arg)
{
	struct client *client = arg;

	(void)connection;
	if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT)) != 0)
		client_free(client);
}

/* complain - not once for each of thousands */
static void complain(struct control *control)
{
	enum { PAUSE_MS = 10 * 1000 };
	int64_t now_ms = clock_now_ms();

	if (control->complained_ms != 0 && now_ms - control->complained_ms < PAUSE_MS)
		return;
	control->complained_ms = now_ms;
	log_warnx("control: too many clients");
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
	int length, void *arg)
{
	static const struct timeval timeout = {CONTROL_TIMEOUT_S, 0};
	struct control *control = arg;
	struct client *client = calloc(1, sizeof *client);

	(void)listener;
	(void)address;
	(void)length;
	if (client != NULL && control->clients < CONTROL_CLIENTS)
		client->connection =
			bufferevent_socket_new(control->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (client == NULL || client->connection == NULL) {
		complain(control);
		free(client);
		close(fd);
		return;
	}
	client->control = control;
	control->clients++;
	bufferevent_setcb(client->connection, on_read, on_written, on_event, client);
	bufferevent_setwatermark(client->connection, EV_READ, 0, CONTROL_REQUEST_BYTES);
	bufferevent_set_timeouts(client->connection, &timeout, &timeout);
	bufferevent_enable(client->connection, EV_READ | EV_WRITE);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct control *control = arg;

	(void)fd;
	(void)what;
	evconnlistener_enable(control->listener);
}

/* on_accept_error - out of descriptors, mostly: trying again at once would only burn the processor */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	static const struct timeval pause = {1, 0};
	struct control *control = arg;

	log_warn("control: accept");
	evconnlistener_disable(listener);
	evtimer_add(control->resume, &pause);
}

struct control *control_new(
	struct event_base *base, int listen_fd, const struct control_parts *parts)
{
	struct control *control = calloc(1, sizeof *control);

	if (control == NULL)
		return NULL;
	control->base = base;
	control->parts = *parts;
	control->feed = feed_new(parts->table);
	control->resume = evtimer_new(base, on_resume, control);
	control->listener = evconnlistener_new(base, on_accept, control,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, listen_fd);
	if (control->listener == NULL || control->resume == NULL || control->feed == NULL)
		return NULL;
	notify_add(parts->notify, feed_change, control->feed);
	evconnlistener_set_error_cb(control->listener, on_accept_error);
	return control;
}
