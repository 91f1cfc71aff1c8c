/*
 * control - the control socket
 *
 * One bufferevent a client, a line in, a document out.  A client that sends nothing, too much or
 * rubbish costs a bounded buffer for a bounded time.
 */
#include "ops/control.h"

#include "base/log.h"
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
	struct table *table;
	unsigned clients;
};

struct command {
	const char *name;
	json_t *(*answer)(struct control *control, const json_t *request);
};

static json_t *complaint(const char *words)
{
	return json_pack("{s:s}", "error", words);
}

static json_t *answer_status(struct control *control, const json_t *request)
{
	return status_document(control->table, json_string_value(json_object_get(request, "pattern")));
}

static const struct command commands[] = {
	{"status", answer_status},
};

/* answer - every request ends in exactly one document */
static json_t *answer(struct control *control, const char *line, size_t bytes)
{
	json_error_t error;
	json_t *request = json_loadb(line, bytes, JSON_REJECT_DUPLICATES, &error);
	const char *name = json_string_value(json_object_get(request, "command"));
	json_t *document = NULL;

	if (request == NULL)
		document = complaint("the request is not JSON");
	else if (name == NULL)
		document = complaint("the request has no command");
	for (size_t i = 0; name != NULL && i < sizeof commands / sizeof *commands; i++)
		if (strcmp(commands[i].name, name) == 0)
			document = commands[i].answer(control, request);
	if (document == NULL)
		document = complaint("no such command");
	json_decref(request);
	return document;
}

/* What a client's callbacks know. */
struct client {
	struct control *control;
	struct bufferevent *connection;
	bool is_answered;
};

static void client_free(struct client *client)
{
	client->control->clients--;
	bufferevent_free(client->connection);
	free(client);
}

static void send_document(struct client *client, json_t *document)
{
	struct evbuffer *out = bufferevent_get_output(client->connection);
	char *text = document != NULL ? json_dumps(document, JSON_COMPACT) : NULL;

	json_decref(document);
	client->is_answered = true;
	bufferevent_disable(client->connection, EV_READ);
	if (text == NULL || evbuffer_add_printf(out, "%s\n", text) < 0) {
		log_errx("control: no memory for an answer");
		client_free(client);
	}
	free(text);
}

static void on_read(struct bufferevent *connection, void *arg)
{
	struct client *client = arg;
	struct evbuffer *in = bufferevent_get_input(connection);
	size_t bytes;
	char *line = evbuffer_readln(in, &bytes, EVBUFFER_EOL_LF);

	if (line != NULL)
		send_document(client, answer(client->control, line, bytes));
	else if (evbuffer_get_length(in) >= CONTROL_REQUEST_BYTES)
		send_document(client, complaint("the request is too long"));
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
		log_warnx("control: too many clients");
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

struct control *control_new(struct event_base *base, int listen_fd, struct table *table)
{
	struct control *control = calloc(1, sizeof *control);

	if (control == NULL)
		return NULL;
	control->base = base;
	control->table = table;
	control->resume = evtimer_new(base, on_resume, control);
	control->listener = evconnlistener_new(base, on_accept, control,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, listen_fd);
	if (control->listener == NULL || control->resume == NULL)
		return NULL;
	evconnlistener_set_error_cb(control->listener, on_accept_error);
	return control;
}
