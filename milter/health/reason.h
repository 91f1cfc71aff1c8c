/*
 * reason - why a check is not up: one table for log, reply, header, metric and JSON
 *
 * A reason has a token (stable, read by programs), an enhanced status code (RFC 3463), a text (read
 * by people) and the worst state that it can bring a hop to.  Constant data; any thread.
 */
#ifndef FF_REASON_H
#define FF_REASON_H

enum reason {
	REASON_NONE,
	REASON_TRANSPORT_UNDEFINED,
	REASON_TRANSPORT_REFUSED,
	REASON_TRANSPORT_SILENT,
	REASON_TRANSPORT_BUSY,
	REASON_TRANSPORT_BROKEN,
	REASON_BIND_ADDRESS,
	REASON_COMMAND_MISSING,
	REASON_NEXTHOP_INVALID,
	REASON_DNS_NOT_FOUND,
	REASON_DNS_FAILURE,
	REASON_CONNECTION_REFUSED,
	REASON_CONNECTION_TIMEOUT,
	REASON_HOST_UNREACHABLE,
	REASON_SOCKET_MISSING,
	REASON_GREETING_TIMEOUT,
	REASON_CONNECTION_LOST,
	REASON_SERVICE_UNAVAILABLE,
	REASON_SERVICE_REJECTED,
	REASON_PROTOCOL_ERROR,
	REASON_TLS_UNAVAILABLE,
	REASON_TLS_HANDSHAKE,
	REASON_TLS_CERTIFICATE,
	REASON_TLS_EXPIRING,
	REASON_AUTH_UNAVAILABLE,
	REASON_AUTH_REJECTED,
	REASON_SLOW,
	REASON_PARTIAL,
	REASON_FLAPPING,
	REASON_LOOP,
	REASON_MAINTENANCE,
	REASON_LOCAL_ERROR,
	REASON_COUNT
};

enum severity {
	SEVERITY_NONE,	   /* no fault of the hop: the check is unknown */
	SEVERITY_DEGRADED, /* mail still passes */
	SEVERITY_DOWN,	   /* mail does not pass */
};

/* reason_token - "connection-refused"; "none" for REASON_NONE */
const char *reason_token(enum reason reason);

/* reason_code - enhanced status code as "4.4.1"; "4.3.0" where the table gives none */
const char *reason_code(enum reason reason);

/* reason_text - words for a reply or a table, "connection refused" */
const char *reason_text(enum reason reason);

/* reason_severity - the worst that it does to a hop.  bind-address and auth-unavailable can also be
 * SEVERITY_DEGRADED: the check that reports them decides. */
enum severity reason_severity(enum reason reason);

/* reason_from_token - REASON_COUNT when there is no such token */
enum reason reason_from_token(const char *token);

#endif
