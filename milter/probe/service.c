/*
 * service - does a delivery agent answer on a private/ socket?
 *
 * Only what qmgr(8) itself does: connect, read the greeting, hang up.  Nothing is ever sent.  Since
 * Postfix 3.5 an agent greets with its protocol, before that with "status" = "0".  Other servers
 * greet too, with protocols of their own (and some of them log it when one hangs up on them).
 */
#include "probe/service.h"

#include "base/clock.h"
#include "base/log.h"
#include "postfix/attr.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	GREETING_LIMIT_BYTES = 4096,
	NAME_BYTES = 128,
};

struct service_probe {
	int fd;
	struct event *readable, *timer;
	char name[NAME_BYTES];
	char greeting[GREETING_LIMIT_BYTES];
	size_t used;
	int64_t start_us;
	service_answer_fn *answered;
	void *arg;
};

static void destroy(struct service_probe *probe)
{
	if (probe->readable != NULL)
		event_free(probe->readable);
	if (probe->timer != NULL)
		event_free(probe->timer);
	(void)close(probe->fd);
	free(probe);
}

/* finish - hang up at once: until then the agent waits for a request and is kept from mail */
static void finish(struct service_probe *probe, enum service_answer answer)
{
	int64_t latency_us = clock_now_us() - probe->start_us;
	service_answer_fn *answered = probe->answered;
	void *arg = probe->arg;

	destroy(probe);
	answered(arg, answer, latency_us);
}

/* is_agent - is that complete message the greeting of a delivery agent? */
static bool is_agent(const char *bytes, size_t count)
{
	const char *protocol = attr_value(bytes, count, "protocol");
	const char *status = attr_value(bytes, count, "status");

	if (protocol != NULL)
		return strcmp(protocol, "delivery_request_protocol") == 0;
	return status != NULL && strcmp(status, "0") == 0;
}

/* finish_foreign - length: how much of the text there is at most */
static void finish_foreign(struct service_probe *probe, const char *text, size_t length)
{
	log_debug("%s: no delivery agent: %.*s", probe->name, (int)length, text);
	finish(probe, SERVICE_OTHER);
}

/* take_greeting - look at what has come so far */
static void take_greeting(struct service_probe *probe)
{
	size_t count = 0;
	enum attr_status status = attr_scan(probe->greeting, probe->used, &count);
	const char *protocol;

	if (status == ATTR_COMPLETE && is_agent(probe->greeting, count)) {
		finish(probe, SERVICE_AGENT);
	} else if (status == ATTR_COMPLETE) {
		protocol = attr_value(probe->greeting, count, "protocol");
		finish_foreign(probe, protocol == NULL ? "" : protocol, count);
	} else if (status == ATTR_BAD || probe->used == sizeof probe->greeting) {
		finish_foreign(probe, probe->greeting, probe->used);
	}
}

static bool is_later(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static void on_readable(evutil_socket_t fd, short events, void *arg)
{
	struct service_probe *probe = arg;
	ssize_t count =
		recv(fd, probe->greeting + probe->used, sizeof probe->greeting - probe->used, 0);

	(void)events;
	if (count > 0) {
		probe->used += (size_t)count;
		take_greeting(probe);
	} else if (count < 0 && (errno == ENOMEM || errno == ENOBUFS)) {
		finish(probe, SERVICE_LOCAL);
	} else if (count == 0 || !is_later(errno)) {
		finish(probe, SERVICE_CLOSED);
	}
}

/* on_timer - stay connected; the callback may cancel the probe */
static void on_timer(evutil_socket_t fd, short events, void *arg)
{
	struct service_probe *probe = arg;

	(void)fd;
	(void)events;
	probe->answered(probe->arg, SERVICE_SILENT, clock_now_us() - probe->start_us);
}

/* prepare - what needs memory; false when there is none */
static bool prepare(struct service_probe *probe, struct event_base *base, int64_t timeout_ms)
{
	struct timeval limit = {timeout_ms / 1000, timeout_ms % 1000 * 1000};

	probe->readable = event_new(base, probe->fd, EV_READ | EV_PERSIST, on_readable, probe);
	probe->timer = evtimer_new(base, on_timer, probe);
	return probe->readable != NULL && probe->timer != NULL &&
	       event_add(probe->readable, NULL) == 0 && event_add(probe->timer, &limit) == 0;
}

struct service_probe *service_probe_start(struct event_base *base, int fd, const char *name,
	int64_t timeout_ms, service_answer_fn *answered, void *arg)
{
	struct service_probe *probe = calloc(1, sizeof *probe);

	if (probe == NULL) {
		(void)close(fd);
		return NULL;
	}
	probe->fd = fd;
	(void)snprintf(probe->name, sizeof probe->name, "%s", name);
	probe->start_us = clock_now_us();
	probe->answered = answered;
	probe->arg = arg;
	if (!prepare(probe, base, timeout_ms)) {
		destroy(probe);
		return NULL;
	}
	return probe;
}

void service_probe_cancel(struct service_probe *probe)
{
	destroy(probe);
}

long service_master(int fd)
{
	struct ucred peer;
	socklen_t bytes = sizeof peer;

	/* Of whoever called listen(2). */
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0 ? (long)peer.pid : 0;
}
