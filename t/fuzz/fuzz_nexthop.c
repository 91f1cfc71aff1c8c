/*
 * fuzz_nexthop - nexthops and names of hops from mail: what is accepted keeps its promises
 */
#include "health/hop.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_address(const char *host)
{
	struct in6_addr address;

	return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

static void check_inet(const struct hop_target *target)
{
	size_t length = strnlen(target->host, sizeof target->host);

	if (length == 0 || length == sizeof target->host || target->port == 0)
		__builtin_trap();
	if (target->host[strcspn(target->host, " \t\r\n,[]\"")] != '\0' || target->path[0] != '\0')
		__builtin_trap();
	if (target->is_numeric != is_address(target->host))
		__builtin_trap();
	if (target->lookup_mx && (target->is_numeric || target->protocol != PROTOCOL_SMTP))
		__builtin_trap();
}

static void check_nexthop(const char *nexthop, enum hop_protocol protocol, uint16_t default_port)
{
	struct hop_target target;
	const char *why = NULL;
	enum reason reason = hop_parse_nexthop(nexthop, protocol, default_port, &target, &why);

	if (reason == REASON_NEXTHOP_INVALID) {
		if (why == NULL)
			__builtin_trap();
		return;
	}
	if (reason != REASON_NONE || target.protocol != protocol)
		__builtin_trap();
	if (!target.is_unix)
		check_inet(&target);
	else if (target.path[0] == '\0' || memchr(target.path, '\0', sizeof target.path) == NULL)
		__builtin_trap();
	(void)hop_target_is_local(&target);
}

/* check_name - what is joined comes apart again into the same */
static void check_name(const char *text)
{
	char name[HOP_NAME_BYTES], transport[HOP_NAME_BYTES], again[HOP_NAME_BYTES];
	const char *nexthop;

	if (!hop_split(text, transport, sizeof transport, &nexthop))
		return;
	if (!hop_name(name, transport, nexthop))
		return;
	if (name[strcspn(name, " \t\r\n\"")] != '\0')
		__builtin_trap();
	if (!hop_split(name, again, sizeof again, &nexthop) || strcmp(transport, again) != 0)
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (text == NULL)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	check_nexthop(text, PROTOCOL_SMTP, 25);
	check_nexthop(text, PROTOCOL_LMTP, 24);
	check_nexthop(text, PROTOCOL_SMTP, 0);
	check_name(text);
	free(text);
	return 0;
}
