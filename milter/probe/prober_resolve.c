/*
 * prober_resolve - from a nexthop to the addresses that are tried
 */
#include "probe/prober_private.h"

#include "base/log.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum { PORT_SMTP = 25 };

bool prober_needs_lookup(const struct hop_target *target)
{
	return !target->is_unix && !target->is_numeric;
}

/* prober_looks_for_itself - smtp(8) does, at this port alone */
bool prober_looks_for_itself(const struct probe *probe)
{
	return probe->request.own_name != NULL && probe->target.port == PORT_SMTP;
}

/* start_trying - the addresses are known */
static void start_trying(struct probe *probe)
{
	if (probe->is_extra && !nexthops_extra_address(probe)) {
		if (nexthops_extra(probe))
			prober_begin_nexthop(probe);
		else
			prober_release(probe);
		return;
	}
	prober_try_address(probe);
}

/* trace_answer - each address, or why there is none */
static void trace_answer(const struct probe *probe, const struct dns_answer *answer)
{
	char text[NET_ADDRESS_TEXT_BYTES];

	if (answer->reason != REASON_NONE)
		trace_step(probe->request.trace, TRACE_RESOLVE, TRACE_RECEIVED, "%s", answer->detail);
	for (size_t i = 0; answer->reason == REASON_NONE && i < answer->count; i++)
		trace_step(probe->request.trace, TRACE_RESOLVE, TRACE_RECEIVED, "%s",
			net_address_text(text, &answer->address[i]));
}

/* unresolved - the nexthop has no address, or none that can be used */
static void unresolved(struct probe *probe, enum reason reason, const char *detail)
{
	log_debug("%s: %s", probe->request.name, detail);
	if (probe->is_extra) {
		if (reason != REASON_LOCAL_ERROR)
			parts_failed(probe->request.parts, probe->nexthop, detail);
		nexthops_extra_skip(probe);
		prober_release(probe);
		return;
	}
	attempts_unresolved(probe, reason, detail);
	prober_next_nexthop(probe);
}

/* looped - the mail exchanger is this host */
static void looped(struct probe *probe, const char *detail)
{
	if (probe->is_extra) {
		nexthops_extra_skip(probe);
		prober_release(probe);
		return;
	}
	probe->is_final = true;
	probe->result.is_local = true;
	if (probe->request.passes_loops) {
		attempts_settle_success(probe, -1);
	} else {
		attempts_failed(probe, PROGRESS_CONNECTED, REASON_LOOP, detail, -1);
		attempts_settle_failure(probe);
	}
	prober_end(probe);
}

static void on_resolved(void *arg, const struct dns_answer *answer)
{
	struct probe *probe = arg;

	probe->lookup = NULL;
	trace_answer(probe, answer);
	if (answer->is_exchanger)
		probe->is_final = !probe->is_extra;
	if (answer->reason == REASON_LOOP) {
		looped(probe, answer->detail);
		return;
	}
	if (answer->reason != REASON_NONE) {
		unresolved(probe, answer->reason, answer->detail);
		return;
	}
	if (probe->request.parts != NULL)
		parts_works(probe->request.parts, probe->nexthop);
	probe->count = answer->count;
	memcpy(probe->address, answer->address, answer->count * sizeof answer->address[0]);
	memcpy(probe->is_best, answer->is_best, answer->count * sizeof answer->is_best[0]);
	terms_name_servers(probe, answer);
	start_trying(probe);
}

/* is_own - does the Postfix whose mail it is take mail at that address? */
static bool is_own(void *arg, const struct net_address *address)
{
	const struct probe *probe = arg;
	char text[INET6_ADDRSTRLEN];
	struct cidr where;
	const void *bytes = address->sa.sa_family == AF_INET6 ? (const void *)&address->in6.sin6_addr
							      : (const void *)&address->in4.sin_addr;

	return inet_ntop(address->sa.sa_family, bytes, text, sizeof text) != NULL &&
	       cidr_parse(text, &where) &&
	       site_is_own_address(probe->request.site, probe->request.instance, &where);
}

static void resolve(struct probe *probe)
{
	const struct probe_request *request = &probe->request;
	struct dns_question question = {
		.host = probe->target.host,
		.port = probe->target.port,
		.lookup_mx = probe->target.lookup_mx,
		.use_ipv4 = request->use_ipv4,
		.use_ipv6 = request->use_ipv6,
		.lookup = request->lookup,
		.first = request->first_family,
		.takes_alias = request->takes_alias,
		.is_balanced = request->is_balanced,
		.ignores_mx_error = request->ignores_mx_error,
		.address_limit = request->address_limit,
		.timeout_ms = request->reply_timeout_ms,
		.is_own = prober_looks_for_itself(probe) ? is_own : NULL,
		.is_own_arg = probe,
	};

	probe->looks_up = true;
	trace_step(request->trace, TRACE_RESOLVE, TRACE_SENT, "look up %s%s%s%s", question.host,
		question.lookup_mx ? ", MX" : "", question.use_ipv4 ? ", IPv4" : "",
		question.use_ipv6 ? ", IPv6" : "");
	probe->lookup = dns_lookup(probe->prober->dns, &question, on_resolved, probe);
	if (probe->lookup == NULL)
		unresolved(probe, REASON_LOCAL_ERROR, "out of memory");
}

/* no_address - what cannot be an address, or may not be used */
static void no_address(struct probe *probe, enum reason reason, const char *detail)
{
	if (probe->is_extra) {
		nexthops_extra_skip(probe);
		prober_release(probe);
		return;
	}
	(void)snprintf(probe->peer, sizeof probe->peer, "%.100s", probe->target.host);
	attempts_failed(probe, PROGRESS_ADDRESS, reason, detail, -1);
	prober_next_nexthop(probe);
}

/* take_address - of a target that needs no lookup */
static void take_address(struct probe *probe)
{
	const struct hop_target *target = &probe->target;
	struct net_address *address = &probe->address[0];
	char detail[PROBE_DETAIL_BYTES];

	probe->count = 1;
	probe->at = 0;
	probe->is_best[0] = true;
	if (target->is_unix ? !net_address_unix(address, target->path)
			    : !net_address_numeric(address, target->host, target->port)) {
		memset(address, 0, sizeof *address);
		no_address(probe, REASON_NEXTHOP_INVALID, "no valid address");
	} else if ((address->sa.sa_family == AF_INET && !probe->request.use_ipv4) ||
		   (address->sa.sa_family == AF_INET6 && !probe->request.use_ipv6)) {
		/* smtp(8) then finds "no usable address", too */
		(void)snprintf(detail, sizeof detail,
			"%.200s: address family is switched off (inet_protocols)", target->host);
		no_address(probe, REASON_DNS_NOT_FOUND, detail);
	} else if (!target->is_unix && prober_looks_for_itself(probe) && is_own(probe, address)) {
		(void)snprintf(
			detail, sizeof detail, "mail for %.200s loops back to myself", target->host);
		looped(probe, detail);
	} else {
		start_trying(probe);
	}
}

void prober_begin_nexthop(struct probe *probe)
{
	if (!terms_begin(probe))
		unresolved(probe, REASON_LOCAL_ERROR, "out of memory");
	else if (probe->why != NULL)
		unresolved(probe, REASON_NEXTHOP_INVALID, probe->why);
	else if (prober_needs_lookup(&probe->target))
		resolve(probe);
	else
		take_address(probe);
}
