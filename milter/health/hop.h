/*
 * hop - names of hops and the destinations that they stand for
 *
 * A hop is TRANSPORT:NEXTHOP, spelled as Postfix spells it (transport(5)).  This module is pure: it
 * splits names and parses nexthops, it looks nothing up.  Any thread.
 */
#ifndef FF_HOP_H
#define FF_HOP_H

#include "health/reason.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HOP_NAME_BYTES = 512, /* with the final NUL; a longer name is no hop */
	HOP_HOST_BYTES = 256, /* RFC 1035 */
	HOP_PATH_BYTES = 108, /* sun_path */
};

/* HOP_SEPARATORS - between the nexthops of a list.  Names of hops have a single comma there. */
#define HOP_SEPARATORS ", \t\r\n"

/* What a message meets at a hop, in the order in which it meets them; a hop can have several. */
enum hop_role {
	ROLE_PROXY_FILTER = 1 << 0,
	ROLE_CONTENT_FILTER = 1 << 1,
	ROLE_RELAYHOST = 1 << 2,
	ROLE_TRANSPORT = 1 << 3,
};

/* One thing that must hold for a hop. */
enum hop_check {
	CHECK_SERVICE,
	CHECK_BIND,
	CHECK_COMMAND,
	CHECK_RESOLVE,
	CHECK_SERVER,
	CHECK_COUNT
};

enum hop_protocol { PROTOCOL_NONE, PROTOCOL_SMTP, PROTOCOL_LMTP };

/* Where the server of a hop is to be found. */
struct hop_target {
	enum hop_protocol protocol;
	bool is_unix;		   /* path is set, else host and port */
	bool lookup_mx;		   /* host is a domain, not "[host]" */
	bool is_numeric;	   /* host is an address */
	uint16_t port;		   /* host byte order */
	char host[HOP_HOST_BYTES]; /* without brackets and without "ipv6:" */
	char path[HOP_PATH_BYTES]; /* absolute, or relative to Postfix's queue_directory */
};

/* hop_role_name - "content-filter"; exactly one bit of role must be set */
const char *hop_role_name(enum hop_role role);

/* hop_role_text - "content filter", for replies */
const char *hop_role_text(enum hop_role role);

/* hop_check_name - "service", "bind", "command", "resolve", "server" */
const char *hop_check_name(enum hop_check check);

/* hop_name - join into out; false when it does not fit or a part has control characters, spaces or
 * quotes (nothing that Postfix writes as a transport or nexthop has) */
bool hop_name(char out[HOP_NAME_BYTES], const char *transport, const char *nexthop);

/* hop_list_name - the same for a nexthop of smtp(8) or lmtp(8), which may be a list: its separators become a comma */
bool hop_list_name(char out[HOP_NAME_BYTES], const char *transport, const char *nexthop);

/* hop_split - the parts of "TRANSPORT:NEXTHOP": *nexthop points into name behind the first colon
 * (or to its final NUL), transport gets what is before it; false when that is empty or too long */
bool hop_split(const char *name, char *transport, size_t transport_bytes, const char **nexthop);

/*
 * hop_parse_nexthop - parse the nexthop of an smtp(8) or lmtp(8) transport, or the value of
 * smtpd_proxy_filter, as Postfix does: host, host:port, [host]:port, [ipv6:addr], inet:host:port,
 * unix:path (lmtp(8), smtp(8) "NEXT-HOP").
 *
 * default_port: used when none is given, host byte order.  A port may be a name of services(5).
 * Returns REASON_NONE, or REASON_NEXTHOP_INVALID with *why set to a constant text.
 */
enum reason hop_parse_nexthop(const char *nexthop, enum hop_protocol protocol,
	uint16_t default_port, struct hop_target *target, const char **why);

/* hop_parse_port - a number or a name of services(5), which Postfix's own names need not be in.  NULL and *port in
 * host byte order, else what is wrong (constant text). */
const char *hop_parse_port(const char *service, uint16_t *port);

/* hop_target_is_local - a UNIX socket, a loopback address or "localhost" */
bool hop_target_is_local(const struct hop_target *target);

#endif
