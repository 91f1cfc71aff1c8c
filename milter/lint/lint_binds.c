/*
 * lint_binds - bind addresses of smtp(8) and lmtp(8) transports
 *
 * A value of main.cf is judged once, however many transports use it.
 */
#include "lint/lint_private.h"

#include "base/xmem.h"
#include "postfix/site.h"
#include "probe/bind.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 64 };

/* One of a transport's two parameters. */
struct bind {
	const char *name; /* behind "smtp_" or "lmtp_" */
	bool is_ipv6;
	const char *protocol; /* in inet_protocols, without which Postfix does not look at it */
};

static const struct bind binds[] = {
	{"bind_address", false, "ipv4"},
	{"bind_address6", true, "ipv6"},
};

static bool is_protocol_used(const struct lint *lint, const char *protocol)
{
	const char *protocols = instance_parameter(lint->instance, "inet_protocols");

	return *protocols == '\0' || strstr(protocols, "all") != NULL ||
	       strstr(protocols, protocol) != NULL;
}

static void report(const struct lint *lint, const struct lint_place *place, enum severity severity,
	bool is_used, const char *detail)
{
	struct lint_finding finding = lint_at(lint, LINT_BIND_ADDRESS, place);

	if (severity == SEVERITY_DEGRADED)
		finding.severity = LINT_WARNING;
	if (!is_used)
		finding.severity = LINT_INFO;
	lint_put(finding.message, sizeof finding.message, "%s%s%s", detail,
		severity == SEVERITY_DEGRADED ? ", mail leaves from another address" : "",
		is_used ? "" : " (nothing names this transport)");
	lint_set_command(lint, &finding, place,
		"use an address that \"ip address\" shows, or none: ", "");
	lint_report(lint, &finding);
}

/* look - at one parameter of one transport */
static void look(const struct lint *lint, const struct service *service, const struct bind *bind,
	const char *prefix, bool *is_main_done)
{
	char name[NAME_BYTES], enforce[NAME_BYTES], detail[BIND_DETAIL_BYTES];
	struct outcome outcome;
	struct lint_place place = {NULL, name};
	bool is_override, is_enforced;
	const char *value;
	char *full;

	lint_put(name, sizeof name, "%s_%s", prefix, bind->name);
	lint_put(enforce, sizeof enforce, "%s_bind_address_enforce", prefix);
	value = service_parameter(lint->instance, service, name, &is_override);
	if (*value == '\0' || (!is_override && *is_main_done))
		return;
	*is_main_done |= !is_override;
	is_enforced = strcmp(service_parameter(lint->instance, service, enforce, NULL), "yes") == 0;
	bind_check(bind->is_ipv6 ? "" : value, bind->is_ipv6 ? value : "", is_enforced, &outcome,
		detail);
	if (outcome.reason != REASON_BIND_ADDRESS)
		return;
	full = xasprintf("%s/%s", service->name, service->type);
	if (is_override)
		place.service = full;
	report(lint, &place, outcome.severity,
		!is_override || lint_knows(lint->used, service->name), detail);
	free(full);
}

void lint_binds(const struct lint *lint)
{
	bool is_main_done[2][2] = {{false}}; /* of smtp_ and lmtp_ */
	size_t count;
	const struct service *services = instance_services(lint->instance, &count);

	for (size_t i = 0; i < count; i++) {
		bool is_lmtp = strcmp(services[i].command, "lmtp") == 0;

		if (!is_lmtp && strcmp(services[i].command, "smtp") != 0)
			continue;
		for (size_t b = 0; b < sizeof binds / sizeof *binds; b++)
			if (is_protocol_used(lint, binds[b].protocol))
				look(lint, &services[i], &binds[b], is_lmtp ? "lmtp" : "smtp",
					&is_main_done[is_lmtp][b]);
	}
}
