/*
 * rewrite - ask trivial-rewrite(8) for the route of an address
 *
 * The request is sent at once and the greeting, if there is one, is skipped when it comes: so a
 * server before Postfix 3.5, which does not greet, costs no waiting.  (trivial-rewrite(8) reads
 * whenever it gets to it, and logs nothing.)
 *
 * The reply holds "flags" twice: before the transport they are about the server, behind the
 * recipient about the address.
 *
 * A query is gone before done() is called: nobody can cancel it then.
 */
#include "postfix/rewrite.h"

#include "postfix/attr.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	REQUEST_BYTES =
		4096,       /* longer addresses than Postfix's line_length_limit are no addresses */
	REPLY_BYTES = 8192, /* greeting and reply */
	RESOLVE_FLAG_ERROR = 1 << 2, /* resolve_clnt(3): bad address */
	RESOLVE_FLAG_FAIL = 1 << 3,  /* a table look-up failed */
};

struct rewrite_query {
	struct rewrite_connection *connection, own;
	bool is_in_step; /* question and answer are through: another may follow */
	struct event *readable, *writable, *timer;
	char request[REQUEST_BYTES];
	size_t request_bytes, sent_bytes;
	char reply[REPLY_BYTES];
	size_t reply_bytes;
	const char *error; /* what is known at once, else what a timeout means */
	rewrite_done_fn *done;
	void *arg;
};

static void free_event(struct event *event)
{
	if (event != NULL)
		event_free(event);
}

static void hang_up(struct rewrite_connection *connection)
{
	(void)close(connection->fd);
	connection->fd = -1;
}

static void destroy(struct rewrite_query *query)
{
	free_event(query->readable);
	free_event(query->writable);
	free_event(query->timer);
	if (!query->is_in_step || query->connection == &query->own)
		hang_up(query->connection);
	free(query);
}

static void finish(
	struct rewrite_query *query, const struct rewrite_route *route, const char *error)
{
	rewrite_done_fn *done = query->done;
	void *arg = query->arg;

	destroy(query);
	done(arg, route, error);
}

/* copy_value - false when it is too long */
static bool copy_value(char text[REWRITE_TEXT_BYTES], const char *value)
{
	size_t length = strlen(value);

	if (length >= REWRITE_TEXT_BYTES)
		return false;
	memcpy(text, value, length + 1);
	return true;
}

static bool parse_flags(const char *value, unsigned *flags)
{
	char *end;
	unsigned long number;

	if (*value < '0' || *value > '9')
		return false;
	errno = 0;
	number = strtoul(value, &end, 10);
	if (*end != '\0' || errno != 0 || number > UINT_MAX)
		return false;
	*flags = (unsigned)number;
	return true;
}

/* parse_route - NULL, or what is wrong with the reply */
static const char *parse_route(const char *bytes, size_t count, struct rewrite_route *route)
{
	const char *transport = attr_value(bytes, count, "transport");
	const char *nexthop = attr_value(bytes, count, "nexthop");
	const char *recipient = attr_value(bytes, count, "recipient");
	const char *flags, *rest;

	if (transport == NULL || nexthop == NULL || recipient == NULL)
		return "the rewrite service did not name a route";
	rest = recipient + strlen(recipient) + 1;
	flags = attr_value(rest, count - (size_t)(rest - bytes), "flags");
	if (flags == NULL || !parse_flags(flags, &route->flags))
		return "the rewrite service sent no valid flags";
	if ((route->flags & RESOLVE_FLAG_FAIL) != 0)
		return "the rewrite service failed to look up the address";
	if ((route->flags & RESOLVE_FLAG_ERROR) != 0)
		return "the rewrite service does not take that for an address";
	if (*transport == '\0')
		return "the rewrite service sent an empty transport";
	if (!copy_value(route->transport, transport) || !copy_value(route->nexthop, nexthop) ||
		!copy_value(route->recipient, recipient))
		return "the rewrite service sent a value that is too long";
	return NULL;
}

/* take_greeting - false: it is not the first message or no greeting, but the reply */
static bool take_greeting(struct rewrite_query *query, size_t count)
{
	if (query->connection->has_greeting ||
		attr_value(query->reply, count, "protocol") == NULL)
		return false;
	query->connection->has_greeting = true;
	query->reply_bytes -= count;
	memmove(query->reply, query->reply + count, query->reply_bytes);
	return true;
}

/* is_foreign - does another service greet? */
static bool is_foreign(const struct rewrite_query *query, size_t count)
{
	const char *protocol = attr_value(query->reply, count, "protocol");

	return protocol != NULL && strcmp(protocol, "trivial_rewrite_protocol") != 0;
}

/* take_reply - look at what has come so far */
static void take_reply(struct rewrite_query *query)
{
	struct rewrite_route route = {.flags = 0};
	size_t count = 0;
	enum attr_status status;
	const char *error;

	do {
		status = attr_scan(query->reply, query->reply_bytes, &count);
		if (status == ATTR_COMPLETE && is_foreign(query, count))
			status = ATTR_BAD;
	} while (status == ATTR_COMPLETE && take_greeting(query, count));
	if (status == ATTR_BAD) {
		finish(query, NULL, "what answers is not the rewrite service");
	} else if (status == ATTR_COMPLETE) {
		query->is_in_step = count == query->reply_bytes;
		error = parse_route(query->reply, count, &route);
		finish(query, error == NULL ? &route : NULL, error);
	} else if (query->reply_bytes == sizeof query->reply) {
		finish(query, NULL, "the rewrite service sent too much");
	}
}

static bool is_later(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static void on_readable(evutil_socket_t fd, short events, void *arg)
{
	struct rewrite_query *query = arg;
	ssize_t count = recv(
		fd, query->reply + query->reply_bytes, sizeof query->reply - query->reply_bytes, 0);

	(void)events;
	if (count > 0) {
		query->reply_bytes += (size_t)count;
		take_reply(query);
	} else if (count == 0) {
		finish(query, NULL, "the rewrite service hung up");
	} else if (!is_later(errno)) {
		finish(query, NULL, "lost connection with the rewrite service");
	}
}

/* on_writable - an error is left to on_readable(): there may be an answer before it */
static void on_writable(evutil_socket_t fd, short events, void *arg)
{
	struct rewrite_query *query = arg;
	ssize_t count = send(fd, query->request + query->sent_bytes,
		query->request_bytes - query->sent_bytes, MSG_NOSIGNAL);

	(void)events;
	if (count > 0)
		query->sent_bytes += (size_t)count;
	if ((count < 0 && !is_later(errno)) || query->sent_bytes == query->request_bytes)
		(void)event_del(query->writable);
}

static void on_timer(evutil_socket_t fd, short events, void *arg)
{
	struct rewrite_query *query = arg;

	(void)fd;
	(void)events;
	finish(query, NULL, query->error);
}

/* write_request - false when it is too long */
static bool write_request(struct rewrite_query *query, const char *sender, const char *recipient)
{
	char *bytes = query->request;
	size_t *used = &query->request_bytes;

	return attr_append(bytes, REQUEST_BYTES, used, "request", "resolve") &&
	       attr_append(bytes, REQUEST_BYTES, used, "sender", sender) &&
	       attr_append(bytes, REQUEST_BYTES, used, "address", recipient) &&
	       attr_end(bytes, REQUEST_BYTES, used);
}

/* prepare - what needs memory; false when there is none */
static bool prepare(struct rewrite_query *query, struct event_base *base, int64_t timeout_ms)
{
	struct timeval limit = {timeout_ms / 1000, timeout_ms % 1000 * 1000};

	query->timer = evtimer_new(base, on_timer, query);
	if (query->timer == NULL || event_add(query->timer, &limit) != 0)
		return false;
	if (query->error != NULL) {
		event_active(query->timer, EV_TIMEOUT, 0);
		return true;
	}
	query->error = "the rewrite service did not answer in time";
	query->readable = event_new(base, query->connection->fd, EV_READ | EV_PERSIST, on_readable, query);
	query->writable = event_new(base, query->connection->fd, EV_WRITE | EV_PERSIST, on_writable, query);
	return query->readable != NULL && query->writable != NULL &&
	       event_add(query->readable, NULL) == 0 && event_add(query->writable, NULL) == 0;
}

bool rewrite_is_usable(const struct rewrite_connection *connection)
{
	char byte;

	return connection->fd >= 0 &&
	       recv(connection->fd, &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT) < 0 &&
	       is_later(errno);
}

static struct rewrite_query *new_query(rewrite_done_fn *done, void *arg)
{
	struct rewrite_query *query = calloc(1, sizeof *query);

	if (query == NULL)
		return NULL;
	query->done = done;
	query->arg = arg;
	return query;
}

/* begin - NULL when out of memory */
static struct rewrite_query *begin(struct rewrite_query *query, struct event_base *base,
	const char *sender, const char *recipient, int64_t timeout_ms)
{
	if (!write_request(query, sender, recipient))
		query->error = "an address is too long to ask the rewrite service";
	if (!prepare(query, base, timeout_ms)) {
		destroy(query);
		return NULL;
	}
	/* Nothing will be said. */
	query->is_in_step = query->readable == NULL;
	return query;
}

struct rewrite_query *rewrite_resolve_over(struct event_base *base,
	struct rewrite_connection *connection, const char *sender, const char *recipient,
	int64_t timeout_ms, rewrite_done_fn *done, void *arg)
{
	struct rewrite_query *query = new_query(done, arg);

	if (query == NULL) {
		hang_up(connection);
		return NULL;
	}
	query->connection = connection;
	return begin(query, base, sender, recipient, timeout_ms);
}

struct rewrite_query *rewrite_resolve(struct event_base *base, int fd, const char *sender,
	const char *recipient, int64_t timeout_ms, rewrite_done_fn *done, void *arg)
{
	struct rewrite_query *query = new_query(done, arg);

	if (query == NULL) {
		(void)close(fd);
		return NULL;
	}
	query->own.fd = fd;
	query->connection = &query->own;
	return begin(query, base, sender, recipient, timeout_ms);
}

void rewrite_cancel(struct rewrite_query *query)
{
	query->is_in_step = false;
	destroy(query);
}
