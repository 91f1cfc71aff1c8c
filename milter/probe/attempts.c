/*
 * attempts - one result of what the addresses of a server say
 *
 * When all fail, the fault that is reported is the first of those that came furthest: a server that
 * answers badly says more than an address at which there is none ("localhost" is often two
 * addresses and one server).  Our own failure outweighs all of them: nothing is known then.
 */
#include "probe/prober_private.h"

#include <ifaddrs.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void attempts_detail(struct probe *probe, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(probe->result.detail, sizeof probe->result.detail, fmt, ap);
	va_end(ap);
	for (char *cp = probe->result.detail; *cp != '\0'; cp++)
		if (*cp < ' ' || *cp > '~')
			*cp = '?';
}

void attempts_outcome(struct probe *probe, enum hop_check check, enum reason reason)
{
	probe->result.has[check] = true;
	probe->result.outcome[check] =
		(struct outcome){.reason = reason, .severity = reason_severity(reason)};
}

/* has_family - can this host have a connection of that family to another one? */
static bool has_family(int family)
{
	struct ifaddrs *list, *entry;
	bool has = false;

	if (getifaddrs(&list) != 0)
		return true;
	for (entry = list; entry != NULL && !has; entry = entry->ifa_next) {
		struct net_address address = {.bytes = sizeof address.in6};

		if (entry->ifa_addr == NULL || entry->ifa_addr->sa_family != family)
			continue;
		memcpy(&address, entry->ifa_addr,
			family == AF_INET6 ? sizeof address.in6 : sizeof address.in4);
		has = !net_address_is_local(&address) &&
		      (family != AF_INET6 || !IN6_IS_ADDR_LINKLOCAL(&address.in6.sin6_addr));
	}
	freeifaddrs(list);
	return has;
}

/*
 * counts_as_part - is a hop only half there when this address fails and another works?
 *
 * Not when the name is "localhost", which stands for one server at either address; nor when it is
 * this host that has no IPv6 (or IPv4) at all, which would make every other host half there.
 */
static bool counts_as_part(const struct probe *probe, enum reason reason)
{
	const struct net_address *address = &probe->address[probe->at];

	if (hop_target_is_local(&probe->target))
		return false;
	return reason != REASON_HOST_UNREACHABLE || net_address_is_local(address) ||
	       has_family(address->sa.sa_family);
}

/* is_newsworthy - does this fault say more than the one that is kept?  Why a fall-back relay fails matters less than why
 * it is needed. */
static bool is_newsworthy(const struct probe *probe, enum progress progress)
{
	if (probe->is_fallback && progress != PROGRESS_OURS && probe->progress != PROGRESS_NONE)
		return false;
	return progress > probe->progress;
}

static void note_part(struct probe *probe, const char *part, const char *detail)
{
	if (probe->is_fallback)
		return;
	probe->is_partial = true;
	if (probe->request.parts != NULL)
		parts_failed(probe->request.parts, part, detail);
}

void attempts_unresolved(struct probe *probe, enum reason reason, const char *detail)
{
	enum progress progress = reason == REASON_LOCAL_ERROR ? PROGRESS_OURS : PROGRESS_NAME;

	probe->is_hard = false;
	if (reason != REASON_LOCAL_ERROR)
		note_part(probe, probe->nexthop, detail);
	if (!is_newsworthy(probe, progress))
		return;
	probe->progress = progress;
	probe->result.has[CHECK_SERVER] = false;
	attempts_outcome(probe, CHECK_RESOLVE, reason);
	attempts_detail(probe, "%s", detail);
}

void attempts_extra_failed(struct probe *probe, enum reason reason, const char *detail)
{
	if (counts_as_part(probe, reason))
		note_part(probe, probe->peer, detail);
}

static bool is_hard(const struct probe *probe, enum reason reason)
{
	return (reason == REASON_CONNECTION_REFUSED || reason == REASON_SOCKET_MISSING ||
		       /* ::1 where IPv6 is switched off */
		       reason == REASON_HOST_UNREACHABLE) &&
	       net_address_is_local(&probe->address[probe->at]);
}

void attempts_failed(struct probe *probe, enum progress progress, enum reason reason,
	const char *detail, int64_t latency_us)
{
	if (reason == REASON_LOCAL_ERROR)
		progress = PROGRESS_OURS;
	else if (progress == PROGRESS_ADDRESS && reason != REASON_HOST_UNREACHABLE)
		progress = PROGRESS_HOST;
	probe->is_hard =
		is_hard(probe, reason) && (probe->progress == PROGRESS_NONE || probe->is_hard);
	if (reason != REASON_LOCAL_ERROR && counts_as_part(probe, reason))
		note_part(probe, probe->peer, detail);
	if (!is_newsworthy(probe, progress))
		return;
	probe->progress = progress;
	if (probe->looks_up)
		attempts_outcome(probe, CHECK_RESOLVE, REASON_NONE);
	attempts_outcome(probe, CHECK_SERVER, reason);
	attempts_detail(probe, "%s", detail);
	probe->result.latency_us = latency_us;
}

void attempts_settle_failure(struct probe *probe)
{
	struct outcome *outcome = &probe->result.outcome[CHECK_SERVER];

	/* Nothing is known of the server then. */
	if (!probe->result.has[CHECK_SERVER])
		probe->is_hard = false;
	/* An account that is tried again and again gets locked: once is enough. */
	outcome->is_hard = outcome->reason == REASON_AUTH_REJECTED ||
			   (probe->is_hard && outcome->reason != REASON_LOCAL_ERROR);
	if (probe->request.parts != NULL)
		parts_clear(probe->request.parts);
}

void attempts_settle_success(struct probe *probe, int64_t latency_us)
{
	const char *fault = NULL;

	if (probe->request.parts != NULL) {
		parts_works(probe->request.parts, probe->peer);
		fault = parts_fault(probe->request.parts);
	}
	probe->result.latency_us = latency_us;
	if (probe->looks_up)
		attempts_outcome(probe, CHECK_RESOLVE, REASON_NONE);
	if (fault != NULL && !probe->is_partial)
		attempts_detail(probe, "%s", fault);
	if (probe->is_partial || probe->is_fallback || fault != NULL) {
		attempts_outcome(probe, CHECK_SERVER, REASON_PARTIAL);
		return;
	}
	probe->result.detail[0] = '\0';
	attempts_outcome(probe, CHECK_SERVER, REASON_NONE);
	if (latency_us > probe->request.slow_ms * 1000) {
		attempts_outcome(probe, CHECK_SERVER, REASON_SLOW);
		attempts_detail(probe, "%s greeted after %lld ms", probe->peer,
			(long long)(latency_us / 1000));
	}
}

/* take_depths - note how far the dialogue came */
static void take_depths(struct probe *probe, const struct smtp_dialogue_result *result)
{
	for (int kind = 0; kind < DEPTH_KIND_COUNT; kind++)
		probe->result.is_deep[kind] = probe->result.is_deep[kind] || result->is_deep[kind];
	if (result->tls_not_after != 0)
		probe->result.tls_not_after = result->tls_not_after;
}

bool attempts_dialogue(struct probe *probe, const struct smtp_dialogue_result *result)
{
	struct outcome *outcome = &probe->result.outcome[CHECK_SERVER];

	take_depths(probe, result);
	if (result->severity == SEVERITY_DOWN) {
		attempts_failed(probe, PROGRESS_CONNECTED, result->reason, result->detail, result->latency_us);
		return false;
	}
	/* What could not be seen of a server that works so far is not seen at another one. */
	attempts_settle_success(probe, result->latency_us);
	if (result->reason != REASON_NONE) {
		attempts_outcome(probe, CHECK_SERVER, result->reason);
		outcome->severity = result->severity;
		attempts_detail(probe, "%s", result->detail);
	}
	return true;
}
