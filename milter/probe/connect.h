/*
 * connect - one connection to one address, without blocking
 *
 * Threads: the event thread.
 */
#ifndef FF_CONNECT_H
#define FF_CONNECT_H

#include "health/reason.h"

#include <event2/event.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct net_address {
	union {
		struct sockaddr sa;
		struct sockaddr_in in4;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	};
	socklen_t bytes; /* 0: no address */
};

enum { NET_ADDRESS_TEXT_BYTES = 128 };

/* net_address_unix - false when path does not fit */
bool net_address_unix(struct net_address *address, const char *path);

/* net_address_numeric - false when host is no IPv4 or IPv6 address; port in host byte order */
bool net_address_numeric(struct net_address *address, const char *host, uint16_t port);

/* net_address_text - "127.0.0.1:25", "[::1]:25" or the path; returns text */
const char *net_address_text(char text[NET_ADDRESS_TEXT_BYTES], const struct net_address *address);

/* net_address_is_local - a UNIX socket or a loopback address */
bool net_address_is_local(const struct net_address *address);

struct connect_result {
	int fd;             /* connected, non-blocking, the callback's to close; -1 on failure */
	int error;          /* errno of the failure */
	enum reason reason; /* REASON_NONE when connected */
	int64_t start_us;   /* clock_now_us() when connect() was called */
};

struct connecting; /* an attempt under way */

/* Called once, from the event loop; the attempt is gone then. */
typedef void connect_done_fn(void *arg, const struct connect_result *result);

/*
 * connect_start - begin to connect.
 *
 * source: where to connect from, without a port, or NULL.  When it is not on this host the
 * connection is made without it, as smtp(8) does without smtp_bind_address_enforce.
 * Returns NULL when we are out of memory.
 */
struct connecting *connect_start(struct event_base *base, const struct net_address *to,
	const struct net_address *source, int64_t timeout_ms, connect_done_fn *done, void *arg);

/* connect_cancel - close; no callback any more */
void connect_cancel(struct connecting *connecting);

/* connect_reason - the reason for an errno of connecting to an address */
enum reason connect_reason(const struct net_address *to, int error);

#endif
