/*
 * lint_own - transports that our own configuration names
 */
#include "lint/lint_private.h"

#include "base/xmem.h"
#include "health/hop.h"
#include "postfix/site.h"

#include <stdlib.h>
#include <string.h>

/* is_known - some instance has it, or it is no service at all */
static bool is_known(const struct lint *lint, const char *transport)
{
	if (is_no_hop(transport) || strcmp(transport, "smtpd_proxy_filter") == 0)
		return true;
	for (size_t i = 0; i < lint->instance_count; i++)
		if (instance_transport(lint->instances[i], transport) != NULL)
			return true;
	return false;
}

/* each_value - call fn for whatever names a transport; line 0: not known */
static void each_value(const struct lint *lint,
	void (*fn)(const struct lint *lint, const char *option, const char *value, int line))
{
	const struct conf *conf = lint->conf;

	if (*conf->content_filter != '\0')
		fn(lint, "content_filter", conf->content_filter, 0);
	for (size_t i = 0; i < conf->hop_count; i++) {
		char *option = xasprintf("hop \"%s\"", conf->hop[i].pattern);

		if (conf->hop[i].is_literal)
			fn(lint, option, conf->hop[i].pattern, conf->hop[i].line);
		free(option);
	}
	for (size_t i = 0; i < conf->canary_count; i++) {
		char *option = xasprintf("canary \"%s\"", conf->canary[i].transport);

		fn(lint, option, conf->canary[i].transport, 0);
		free(option);
	}
}

static void use(const struct lint *lint, const char *option, const char *value, int line)
{
	char transport[HOP_NAME_BYTES];
	const char *nexthop;

	(void)option;
	(void)line;
	if (hop_split(value, transport, sizeof transport, &nexthop))
		(void)lint_remember(lint->used, transport);
}

void lint_use_own(const struct lint *lint)
{
	each_value(lint, use);
}

/* look - at the transport of "transport:nexthop" */
static void look(const struct lint *lint, const char *option, const char *value, int line)
{
	struct lint_finding finding = lint_new(LINT_TRANSPORT_UNDEFINED);
	char transport[HOP_NAME_BYTES];
	const char *nexthop;

	if (!hop_split(value, transport, sizeof transport, &nexthop) || is_known(lint, transport))
		return;
	lint_put(finding.file, sizeof finding.file, "%s", lint->conf->filename);
	lint_put(finding.parameter, sizeof finding.parameter, "%s", option);
	lint_put(finding.message, sizeof finding.message, "transport %.200s is in no master.cf", transport);
	if (line > 0)
		lint_put(finding.fix, sizeof finding.fix,
			"correct line %d, or add the transport to master.cf", line);
	else
		lint_put(finding.fix, sizeof finding.fix,
			"correct %s, or add the transport to master.cf", option);
	lint_report(lint, &finding);
}

void lint_own(const struct lint *lint)
{
	if (lint->instance_count > 0)
		each_value(lint, look);
}
