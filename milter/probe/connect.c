/*
 * connect - one connection to one address, without blocking
 *
 * What matters here is whom to blame: each errno becomes exactly one reason, and what is our own
 * want (descriptors, memory, ports, permission) becomes local-error.  The result comes from the
 * event loop even when it is known at once, so that callers see one order of events.
 */
#include "probe/connect.h"

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct connecting {
	struct net_address to;
	struct event *event;
	struct connect_result result;
	connect_done_fn *done;
	void *arg;
};

bool net_address_unix(struct net_address *address, const char *path)
{
	size_t length = strlen(path);

	memset(address, 0, sizeof *address);
	if (length == 0 || length >= sizeof address->un.sun_path)
		return false;
	address->un.sun_family = AF_UNIX;
	memcpy(address->un.sun_path, path, length + 1);
	address->bytes = sizeof address->un;
	return true;
}

bool net_address_numeric(struct net_address *address, const char *host, uint16_t port)
{
	memset(address, 0, sizeof *address);
	if (inet_pton(AF_INET, host, &address->in4.sin_addr) == 1) {
		address->in4.sin_family = AF_INET;
		address->in4.sin_port = htons(port);
		address->bytes = sizeof address->in4;
	} else if (inet_pton(AF_INET6, host, &address->in6.sin6_addr) == 1) {
		address->in6.sin6_family = AF_INET6;
		address->in6.sin6_port = htons(port);
		address->bytes = sizeof address->in6;
	}
	return address->bytes != 0;
}

const char *net_address_text(char text[NET_ADDRESS_TEXT_BYTES], const struct net_address *address)
{
	char host[INET6_ADDRSTRLEN] = "?";

	switch (address->sa.sa_family) {
	case AF_UNIX:
		(void)snprintf(text, NET_ADDRESS_TEXT_BYTES, "%s", address->un.sun_path);
		break;
	case AF_INET6:
		(void)inet_ntop(AF_INET6, &address->in6.sin6_addr, host, sizeof host);
		(void)snprintf(text, NET_ADDRESS_TEXT_BYTES, "[%s]:%u", host,
			ntohs(address->in6.sin6_port));
		break;
	default:
		(void)inet_ntop(AF_INET, &address->in4.sin_addr, host, sizeof host);
		(void)snprintf(
			text, NET_ADDRESS_TEXT_BYTES, "%s:%u", host, ntohs(address->in4.sin_port));
	}
	return text;
}

bool net_address_is_local(const struct net_address *address)
{
	const struct in6_addr *in6 = &address->in6.sin6_addr;

	switch (address->sa.sa_family) {
	case AF_UNIX:
		return true;
	case AF_INET:
		return ntohl(address->in4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	default:
		return IN6_IS_ADDR_LOOPBACK(in6) ||
		       (IN6_IS_ADDR_V4MAPPED(in6) && in6->s6_addr[12] == IN_LOOPBACKNET);
	}
}

/* has_route - EADDRNOTAVAIL means "no port left" or "no address to connect from" (IPv6 switched
 * off); a datagram socket needs no TCP port, so it tells the two apart without sending anything */
static bool has_route(const struct net_address *to)
{
	int fd = socket(to->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool works;

	if (fd < 0)
		return errno != EAFNOSUPPORT; /* we cannot tell: no fault of the network */
	works = connect(fd, &to->sa, to->bytes) == 0;
	(void)close(fd);
	return works;
}

static enum reason unix_reason(int error)
{
	switch (error) {
	case ECONNREFUSED:
		return REASON_CONNECTION_REFUSED;
	case ENOENT:
	case ENOTDIR:
		return REASON_SOCKET_MISSING;
	case EAGAIN: /* the server does not accept: its backlog is full */
	case ETIMEDOUT:
		return REASON_CONNECTION_TIMEOUT;
	case EPROTOTYPE: /* a datagram socket: nobody there talks SMTP */
		return REASON_CONNECTION_REFUSED;
	default:
		return REASON_LOCAL_ERROR;
	}
}

enum reason connect_reason(const struct net_address *to, int error)
{
	if (to->sa.sa_family == AF_UNIX)
		return unix_reason(error);
	switch (error) {
	case ECONNREFUSED:
	case ECONNRESET: /* some firewalls reset after the handshake */
	case ECONNABORTED:
		return REASON_CONNECTION_REFUSED;
	case ETIMEDOUT:
		return REASON_CONNECTION_TIMEOUT;
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
	case ENETDOWN:
	case ENONET:
	case ENOPROTOOPT:  /* what ICMP "protocol unreachable" becomes */
	case EAFNOSUPPORT: /* the kernel has no IPv6 */
	case EINVAL:       /* an address that nothing can be sent to */
		return REASON_HOST_UNREACHABLE;
	case EADDRNOTAVAIL:
		return has_route(to) ? REASON_LOCAL_ERROR : REASON_HOST_UNREACHABLE;
	default:
		return REASON_LOCAL_ERROR;
	}
}

static void release(struct connecting *connecting)
{
	if (connecting->event != NULL)
		event_free(connecting->event);
	free(connecting);
}

static void finish(struct connecting *connecting, int error)
{
	struct connect_result result = connecting->result;
	connect_done_fn *done = connecting->done;
	void *arg = connecting->arg;

	result.error = error;
	if (error != 0) {
		result.reason = connect_reason(&connecting->to, error);
		if (result.fd >= 0)
			(void)close(result.fd);
		result.fd = -1;
	}
	release(connecting);
	done(arg, &result);
}

static void on_writable(evutil_socket_t fd, short events, void *arg)
{
	struct connecting *connecting = arg;
	int error = 0;
	socklen_t bytes = sizeof error;

	if ((events & EV_WRITE) == 0)
		error = ETIMEDOUT;
	else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes) != 0)
		error = errno;
	finish(connecting, error);
}

/* on_failed - connect() or socket() failed at once */
static void on_failed(evutil_socket_t fd, short events, void *arg)
{
	struct connecting *connecting = arg;

	(void)fd;
	(void)events;
	finish(connecting, connecting->result.error);
}

/* bind_source - best effort: a source address that is not ours is another check's to report */
static void bind_source(int fd, const struct net_address *source)
{
	char text[NET_ADDRESS_TEXT_BYTES];
	int on = 1;

	/* Without it bind() would take a port for good, not for one peer. */
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
	if (bind(fd, &source->sa, source->bytes) != 0)
		log_debug("bind %s: %s", net_address_text(text, source), strerror(errno));
}

/* begin - 0 when connect() is under way or done */
static int begin(struct connecting *connecting, const struct net_address *source)
{
	const struct net_address *to = &connecting->to;
	int fd, on = 1;

	fd = descriptor_for_probe(
		socket(to->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	if (fd < 0)
		return errno;
	connecting->result.fd = fd;
	if (to->sa.sa_family != AF_UNIX)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (source != NULL && source->sa.sa_family == to->sa.sa_family)
		bind_source(fd, source);
	connecting->result.start_us = clock_now_us();
	if (connect(fd, &to->sa, to->bytes) == 0 || errno == EINPROGRESS)
		return 0;
	return errno;
}

struct connecting *connect_start(struct event_base *base, const struct net_address *to,
	const struct net_address *source, int64_t timeout_ms, connect_done_fn *done, void *arg)
{
	struct timeval limit = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
	struct connecting *connecting = calloc(1, sizeof *connecting);

	if (connecting == NULL)
		return NULL;
	connecting->to = *to;
	connecting->done = done;
	connecting->arg = arg;
	connecting->result.fd = -1;
	connecting->result.start_us = clock_now_us();
	connecting->result.error = begin(connecting, source);
	if (connecting->result.error != 0)
		connecting->event = evtimer_new(base, on_failed, connecting);
	else
		connecting->event =
			event_new(base, connecting->result.fd, EV_WRITE, on_writable, connecting);
	if (connecting->event == NULL || event_add(connecting->event, &limit) != 0) {
		connect_cancel(connecting);
		return NULL;
	}
	if (connecting->result.error != 0)
		event_active(connecting->event, EV_TIMEOUT, 0);
	return connecting;
}

void connect_cancel(struct connecting *connecting)
{
	int fd = connecting->result.fd;

	release(connecting);
	if (fd >= 0)
		(void)close(fd);
}
