/*
 * http_gate - who may talk to the HTTP server, how many and for how long
 *
 * evhttp tells nobody that a connection is gone, but lets us make its bufferevent.  So we keep a
 * reference to each: one that evhttp has freed has no callbacks any more, and is closed when it is
 * found so.  The client does not wait for that, because evhttp shuts the connection down.
 */
#include "ops/http_gate.h"

#include "base/clock.h"
#include "base/log.h"

#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <utlist.h>

enum {
	GATE_UNREAD_BYTES = 16384,
	SWEEP_MS = 1000,
	SWEEP_FULL_MS = 5,     /* when there is no place */
	GATE_AT_A_TIME = 16,   /* places that are made at a time then */
	GATE_SILENT_MS = 100,  /* so long one may say nothing when there is no place */
	GATE_UNREAD_MS = 1000, /* and so long one may leave its answer unread */
};

struct client {
	struct gate *gate;
	struct bufferevent *connection;
	struct event *deadline;
	int64_t since_ms; /* when it came, or asked, or had its answer */
	bool is_asking;   /* its request is answered right now */
	bool is_leaving;
	struct client *prev, *next;
};

struct gate {
	struct event_base *base;
	struct evconnlistener *listener;
	struct event *resume; /* after accept() failed */
	struct event *sweep;
	struct client *clients; /* the oldest first */
	unsigned count;
};

/* There is one HTTP server.  evhttp makes itself the argument of the listener's callbacks. */
static struct gate *the_gate;

/* dismiss - evhttp finds the connection closed and frees it */
static void dismiss(struct client *client)
{
	evutil_socket_t fd = bufferevent_getfd(client->connection);

	client->is_leaving = true;
	if (fd >= 0)
		(void)shutdown(fd, SHUT_RDWR);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	dismiss(arg);
}

static void arm(struct event *timer, int64_t delay_ms)
{
	const struct timeval delay = {delay_ms / 1000, delay_ms % 1000 * 1000};

	evtimer_add(timer, &delay);
}

static bool is_gone(const struct client *client)
{
	bufferevent_event_cb on_event = NULL;

	bufferevent_getcb(client->connection, NULL, NULL, &on_event, NULL);
	return on_event == NULL;
}

static void client_free(struct client *client)
{
	if (client->connection != NULL)
		bufferevent_decref(client->connection);
	if (client->deadline != NULL)
		event_free(client->deadline);
	free(client);
}

/* sweep - close what is gone */
static void sweep(struct gate *gate)
{
	struct client *client, *next;

	DL_FOREACH_SAFE(gate->clients, client, next)
	{
		/* cppcheck-suppress uninitvar ; DL_FOREACH_SAFE sets it */
		if (!is_gone(client))
			continue;
		DL_DELETE(gate->clients, client);
		client_free(client);
		gate->count--;
	}
}

/* is_idle - it keeps a place for nothing */
static bool is_idle(const struct client *client, int64_t now_ms)
{
	return now_ms - client->since_ms > (client->is_asking ? GATE_UNREAD_MS : GATE_SILENT_MS);
}

/* make_room - a few of those that say nothing or read nothing have to go, the oldest first.  Who
 * asks as soon as it has come is served, however many sit there. */
static void make_room(struct gate *gate)
{
	unsigned places = GATE_AT_A_TIME;
	int64_t now_ms = clock_now_ms();
	struct client *client;

	DL_FOREACH(gate->clients, client)
	{
		/* cppcheck-suppress uninitvar ; DL_FOREACH sets it */
		if (places > 0 && !client->is_leaving && is_idle(client, now_ms)) {
			dismiss(client);
			places--;
		}
	}
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct gate *gate = arg;

	(void)fd;
	(void)what;
	sweep(gate);
	if (gate->count >= GATE_CLIENTS) {
		make_room(gate);
		arm(gate->sweep, SWEEP_FULL_MS);
		return;
	}
	/* Where accept() failed its timer does it. */
	if (!evtimer_pending(gate->resume, NULL))
		evconnlistener_enable(gate->listener);
	if (gate->count > 0)
		arm(gate->sweep, SWEEP_MS);
}

static struct client *client_new(struct gate *gate)
{
	struct client *client = calloc(1, sizeof *client);

	if (client == NULL)
		return NULL;
	client->gate = gate;
	client->since_ms = clock_now_ms();
	client->deadline = evtimer_new(gate->base, on_deadline, client);
	client->connection = bufferevent_socket_new(gate->base, -1, BEV_OPT_CLOSE_ON_FREE);
	if (client->deadline != NULL && client->connection != NULL)
		return client;
	client_free(client);
	return NULL;
}

/* on_client - evhttp wants a bufferevent for a connection that it accepted; with NULL it makes one
 * that we do not see, and which ends by its own timeout */
static struct bufferevent *on_client(struct event_base *base, void *arg)
{
	struct gate *gate = arg;
	struct client *client;

	(void)base;
	sweep(gate);
	client = client_new(gate);
	if (client == NULL)
		return NULL;
	DL_APPEND(gate->clients, client);
	if (++gate->count >= GATE_CLIENTS) {
		evconnlistener_disable(gate->listener);
		arm(gate->sweep, SWEEP_FULL_MS);
	} else if (!evtimer_pending(gate->sweep, NULL)) {
		arm(gate->sweep, SWEEP_MS);
	}
	arm(client->deadline, GATE_REQUEST_MS);
	bufferevent_setwatermark(client->connection, EV_READ, 0, GATE_UNREAD_BYTES);
	(void)bufferevent_priority_set(client->connection, HTTP_PRIORITY);
	bufferevent_incref(client->connection);
	return client->connection;
}

static struct client *find_client(const struct gate *gate, const struct bufferevent *connection)
{
	struct client *client;

	DL_FOREACH(gate->clients, client)
	{
		/* cppcheck-suppress uninitvar ; DL_FOREACH sets it */
		if (client->connection == connection)
			return client;
	}
	return NULL;
}

static void on_answered(struct evhttp_request *request, void *arg)
{
	struct client *client = arg;

	(void)request;
	client->is_asking = false;
	client->since_ms = clock_now_ms();
	arm(client->deadline, GATE_REQUEST_MS);
}

void gate_asked(struct gate *gate, struct evhttp_request *request)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(request);
	struct client *client = find_client(gate, evhttp_connection_get_bufferevent(connection));

	if (client == NULL)
		return;
	client->is_asking = true;
	client->since_ms = clock_now_ms();
	arm(client->deadline, GATE_ANSWER_MS);
	evhttp_request_set_on_complete_cb(request, on_answered, client);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct gate *gate = arg;

	(void)fd;
	(void)what;
	if (gate->count < GATE_CLIENTS)
		evconnlistener_enable(gate->listener);
}

/* on_accept_error - out of descriptors, mostly: at once it would only fail again */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	static const struct timeval pause = {1, 0};

	(void)arg;
	log_warn("http: accept");
	evconnlistener_disable(listener);
	evtimer_add(the_gate->resume, &pause);
}

struct gate *gate_new(struct event_base *base, struct evhttp *http, int listen_fd)
{
	struct gate *gate = calloc(1, sizeof *gate);

	if (gate == NULL)
		return NULL;
	gate->base = base;
	gate->resume = evtimer_new(base, on_resume, gate);
	gate->sweep = evtimer_new(base, on_sweep, gate);
	gate->listener = evconnlistener_new(
		base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, listen_fd);
	if (gate->resume == NULL || gate->sweep == NULL || gate->listener == NULL ||
		evhttp_bind_listener(http, gate->listener) == NULL)
		return NULL;
	the_gate = gate;
	evhttp_set_bevcb(http, on_client, gate);
	evconnlistener_set_error_cb(gate->listener, on_accept_error);
	return gate;
}
