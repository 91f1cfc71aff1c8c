/*
 * reason - why a check is not up: one table for log, reply, header, metric and JSON
 */
#include "health/reason.h"

#include <stddef.h>
#include <string.h>

static const struct {
	const char *token;
	const char *code;
	enum severity severity;
	const char *text;
} reasons[REASON_COUNT] = {
	[REASON_NONE] = {"none", NULL, SEVERITY_NONE, "no fault known"},
	[REASON_TRANSPORT_UNDEFINED] = {"transport-undefined", "4.3.5", SEVERITY_DOWN,
		"mail transport is not defined in master.cf"},
	[REASON_TRANSPORT_REFUSED] = {"transport-refused", "4.3.0", SEVERITY_DOWN,
		"mail transport refuses connections"},
	[REASON_TRANSPORT_SILENT] = {"transport-silent", "4.3.0", SEVERITY_DOWN,
		"mail transport does not answer and no delivery agent is running"},
	[REASON_TRANSPORT_BUSY] = {"transport-busy", "4.4.5", SEVERITY_DEGRADED,
		"all delivery agents of the mail transport are busy"},
	[REASON_TRANSPORT_BROKEN] = {"transport-broken", "4.3.0", SEVERITY_DOWN,
		"mail transport does not answer as a delivery agent"},
	[REASON_BIND_ADDRESS] = {"bind-address", "4.3.5", SEVERITY_DOWN,
		"the bind address of the mail transport is not usable"},
	[REASON_COMMAND_MISSING] = {"command-missing", "4.3.5", SEVERITY_DOWN,
		"the command or user of the mail transport does not exist"},
	[REASON_NEXTHOP_INVALID] = {"nexthop-invalid", "4.3.5", SEVERITY_DOWN,
		"the destination is not valid"},
	[REASON_DNS_NOT_FOUND] = {"dns-not-found", "4.4.4", SEVERITY_DOWN, "host not found"},
	[REASON_DNS_FAILURE] = {"dns-failure", "4.4.3", SEVERITY_DOWN, "name service error"},
	[REASON_CONNECTION_REFUSED] = {"connection-refused", "4.4.1", SEVERITY_DOWN,
		"connection refused"},
	[REASON_CONNECTION_TIMEOUT] = {"connection-timeout", "4.4.1", SEVERITY_DOWN,
		"connection timed out"},
	[REASON_HOST_UNREACHABLE] = {"host-unreachable", "4.4.1", SEVERITY_DOWN,
		"host or network unreachable"},
	[REASON_SOCKET_MISSING] = {"socket-missing", "4.4.1", SEVERITY_DOWN,
		"socket does not exist"},
	[REASON_GREETING_TIMEOUT] = {"greeting-timeout", "4.4.2", SEVERITY_DOWN,
		"no greeting in time"},
	[REASON_CONNECTION_LOST] = {"connection-lost", "4.4.2", SEVERITY_DOWN, "connection lost"},
	[REASON_SERVICE_UNAVAILABLE] = {"service-unavailable", "4.3.2", SEVERITY_DOWN,
		"service not available"},
	[REASON_SERVICE_REJECTED] = {"service-rejected", "4.3.2", SEVERITY_DOWN,
		"service refuses to talk to us"},
	[REASON_PROTOCOL_ERROR] = {"protocol-error", "4.5.0", SEVERITY_DOWN, "protocol error"},
	[REASON_TLS_UNAVAILABLE] = {"tls-unavailable", "4.7.4", SEVERITY_DOWN,
		"TLS is required but not available"},
	[REASON_TLS_HANDSHAKE] = {"tls-handshake", "4.7.5", SEVERITY_DOWN, "TLS handshake failed"},
	[REASON_TLS_CERTIFICATE] = {"tls-certificate", "4.7.5", SEVERITY_DOWN,
		"server certificate not verified"},
	[REASON_TLS_EXPIRING] = {"tls-expiring", "4.7.5", SEVERITY_DEGRADED,
		"server certificate expires soon"},
	[REASON_AUTH_UNAVAILABLE] = {"auth-unavailable", "4.7.0", SEVERITY_DOWN,
		"no usable authentication mechanism"},
	[REASON_AUTH_REJECTED] = {"auth-rejected", "4.7.8", SEVERITY_DOWN,
		"authentication rejected"},
	[REASON_SLOW] = {"slow", "4.4.2", SEVERITY_DEGRADED, "slow to answer"},
	[REASON_PARTIAL] = {"partial", "4.4.1", SEVERITY_DEGRADED,
		"some of several servers fail"},
	[REASON_FLAPPING] = {"flapping", "4.4.1", SEVERITY_DEGRADED, "changes state too often"},
	[REASON_LOOP] = {"loop", "4.4.6", SEVERITY_DOWN, "mail would loop back to this host"},
	[REASON_MAINTENANCE] = {"maintenance", "4.3.2", SEVERITY_DOWN, "down for maintenance"},
	[REASON_LOCAL_ERROR] = {"local-error", NULL, SEVERITY_NONE, "could not be checked"},
};

const char *reason_token(enum reason reason)
{
	return reasons[reason].token;
}

const char *reason_code(enum reason reason)
{
	return reasons[reason].code != NULL ? reasons[reason].code : "4.3.0";
}

const char *reason_text(enum reason reason)
{
	return reasons[reason].text;
}

enum severity reason_severity(enum reason reason)
{
	return reasons[reason].severity;
}

enum reason reason_from_token(const char *token)
{
	for (int reason = 0; reason < REASON_COUNT; reason++)
		if (strcmp(reasons[reason].token, token) == 0)
			return (enum reason)reason;
	return REASON_COUNT;
}
