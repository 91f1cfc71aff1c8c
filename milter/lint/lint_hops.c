/*
 * lint_hops - transports and nexthops that parameters name
 */
#include "lint/lint_private.h"

#include "base/xmem.h"
#include "postfix/discover.h"
#include "postfix/site.h"
#include "postfix/word.h"

#include <stdlib.h>
#include <string.h>

enum { PORT_SMTP = 25, PORT_LMTP = 24, TEXT_BYTES = 200 };

/* Parameters with a destination, besides those of transport_parameters(). */
enum kind {
	KIND_FILTER,   /* transport:nexthop, used when it is not empty */
	KIND_NEXTHOP,  /* of default_transport */
	KIND_PROXY,    /* a before-queue filter */
	KIND_FALLBACK, /* nexthops that take what the others do not */
};

static const struct {
	const char *name;
	enum kind kind;
} others[] = {
	{"content_filter", KIND_FILTER},
	{"relayhost", KIND_NEXTHOP},
	{"smtpd_proxy_filter", KIND_PROXY},
	{"smtp_fallback_relay", KIND_FALLBACK},
	{"lmtp_fallback_relay", KIND_FALLBACK},
};

/* parse_one - one nexthop; NULL when it is fine */
static const char *parse_one(const char *nexthop, enum hop_protocol protocol, uint16_t default_port)
{
	struct hop_target target;
	const char *why;

	(void)hop_parse_nexthop(nexthop, protocol, default_port, &target, &why);
	return why;
}

/* parse_all - a list of them (smtp(8) takes one); NULL when all are fine */
static const char *parse_all(const char *nexthops, enum hop_protocol protocol)
{
	struct word rest = {nexthops, strlen(nexthops)}, word;
	uint16_t port = protocol == PROTOCOL_LMTP ? PORT_LMTP : PORT_SMTP;

	while (word_next(&rest, &word)) {
		char *nexthop = xstrndup(word.at, word.length);
		const char *why = parse_one(nexthop, protocol, port);

		free(nexthop);
		if (why != NULL)
			return why;
	}
	return NULL;
}

enum reason lint_judge(
	const struct lint *lint, const char *transport, const char *nexthop, const char **why)
{
	char fallback[HOP_NAME_BYTES];
	const struct service *service;
	enum hop_protocol protocol;
	const char *rest;

	*why = NULL;
	if (*transport == '\0') {
		if (!hop_split(instance_parameter(lint->instance, "default_transport"), fallback,
			    sizeof fallback, &rest))
			return REASON_NONE;
		transport = fallback;
	}
	if (is_no_hop(transport))
		return REASON_NONE;
	(void)lint_remember(lint->used, transport);
	service = instance_transport(lint->instance, transport);
	if (service == NULL)
		/* That default_transport is not there is said once, of itself. */
		return transport == fallback ? REASON_NONE : REASON_TRANSPORT_UNDEFINED;
	protocol = transport_protocol(service, transport);
	if (protocol == PROTOCOL_NONE || *nexthop == '\0')
		return REASON_NONE;
	*why = parse_all(nexthop, protocol);
	return *why == NULL ? REASON_NONE : REASON_NEXTHOP_INVALID;
}

static void report_undefined(
	const struct lint *lint, const struct lint_place *place, const char *transport)
{
	struct lint_finding finding = lint_at(lint, LINT_TRANSPORT_UNDEFINED, place);
	char before[TEXT_BYTES + LINT_PLACE_BYTES];

	lint_put(finding.message, sizeof finding.message,
		"transport %.*s is not in master.cf", TEXT_BYTES, transport);
	lint_put(before, sizeof before, "add a line \"%.*s unix - - n - - ...\" to %s/master.cf, or: ",
		TEXT_BYTES, transport, instance_directory(lint->instance));
	lint_set_command(lint, &finding, place, before,
		strcmp(place->parameter, "content_filter") == 0 ? "" : "ANOTHER_TRANSPORT");
	lint_report(lint, &finding);
}

static void report_nexthop(const struct lint *lint, const struct lint_place *place,
	const char *value, const char *why)
{
	struct lint_finding finding = lint_at(lint, LINT_NEXTHOP_INVALID, place);

	lint_put(finding.message, sizeof finding.message, "\"%.*s\": %s", TEXT_BYTES, value, why);
	lint_set_command(lint, &finding, place, "write HOST, [HOST]:PORT or [ADDRESS]:PORT: ", "...");
	lint_report(lint, &finding);
}

/* look_at_pair - "transport:nexthop"; has_nexthop false: something else goes before the nexthop */
static void look_at_pair(const struct lint *lint, const struct lint_place *place, const char *value,
	bool has_nexthop)
{
	char transport[HOP_NAME_BYTES];
	const char *nexthop, *why;

	if (!hop_split(value, transport, sizeof transport, &nexthop))
		return;
	switch (lint_judge(lint, transport, has_nexthop ? nexthop : "", &why)) {
	case REASON_TRANSPORT_UNDEFINED:
		report_undefined(lint, place, transport);
		break;
	case REASON_NEXTHOP_INVALID:
		report_nexthop(lint, place, value, why);
		break;
	default:
		break;
	}
}

static void look_at_other(const struct lint *lint, const struct lint_place *place, enum kind kind,
	const char *value)
{
	const char *why = NULL;

	switch (kind) {
	case KIND_FILTER:
		look_at_pair(lint, place, value, true);
		return;
	case KIND_NEXTHOP:
		(void)lint_judge(lint, "", value, &why);
		break;
	case KIND_PROXY:
		why = parse_one(value, PROTOCOL_SMTP, 0);
		break;
	case KIND_FALLBACK:
		why = parse_all(value,
			strncmp(place->parameter, "lmtp", 4) == 0 ? PROTOCOL_LMTP : PROTOCOL_SMTP);
		break;
	}
	if (why != NULL)
		report_nexthop(lint, place, value, why);
}

/* look - at one parameter of main.cf or option of master.cf */
static void look(void *arg, const char *service, const char *name, const char *value)
{
	const struct lint *lint = arg;
	const struct lint_place place = {service, name};

	if (*value == '\0')
		return;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (strcmp(others[i].name, name) == 0)
			look_at_other(lint, &place, others[i].kind, value);
	for (const struct transport_parameter *parameter = transport_parameters();
		parameter->name != NULL; parameter++)
		if (strcmp(parameter->name, name) == 0 &&
			transport_parameter_is_used(lint->instance, parameter))
			look_at_pair(lint, &place, value,
				!parameter->is_outgoing ||
					*instance_parameter(lint->instance, "relayhost") == '\0');
}

void lint_hops(const struct lint *lint)
{
	instance_each_parameter(lint->instance, look, (void *)lint);
}
