/*
 * canary - hosts that say whether mail can leave through a transport without a nexthop of its own
 *
 * A transport that goes straight to the MX hosts of each domain has no server to probe.  If every canary of it fails,
 * nothing leaves through it (the outbound port is blocked, the bind address is not routed): that is the check "server"
 * of the hop "TRANSPORT:".  One that works is proof enough, so a round asks one host, another one each time, and only
 * when that fails all the others at once.
 *
 * The hops that use the same transport with a nexthop have a server of their own; they do not depend on this.
 */
#include "probe/canary.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/xmem.h"
#include "probe/sched_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUSY_MS = 100 }; /* before looking again for a place among the probes under way */

struct host {
	struct canary *canary;
	char *name; /* "mx.partner.example:25" */
	struct probe *probe;
	enum reason reason; /* of this round */
	char detail[PROBE_DETAIL_BYTES];
	bool is_answered;
};

struct canary {
	struct canary *next;
	struct sched *sched;
	char *transport;
	struct event *timer;
	struct host *hosts;
	unsigned count;
	unsigned first;	  /* the host that this round began with */
	unsigned running; /* probes that are not released yet */
	bool is_wide;	  /* this round asks all of them */
	bool is_told;	  /* its result is known */
	bool uses_native; /* as the plan of this round had it */
};

struct canaries {
	struct sched *sched;
	struct canary *list;
};

static const struct conf_canary *find_conf(const struct conf *conf, const char *transport)
{
	for (size_t i = 0; i < conf->canary_count; i++)
		if (strcmp(conf->canary[i].transport, transport) == 0)
			return &conf->canary[i];
	return NULL;
}

static struct hop *hop_of(const struct canary *canary)
{
	char name[HOP_NAME_BYTES];

	return hop_name(name, canary->transport, "") ? table_find(canary->sched->table, name) : NULL;
}

static void arm(struct canary *canary, int64_t delay_ms)
{
	struct timeval delay = {delay_ms / 1000, delay_ms % 1000 * 1000};

	evtimer_add(canary->timer, &delay);
}

/* rest - until the next round */
static void rest(struct canary *canary)
{
	const struct conf_probe *probe = sched_settings(canary->sched);
	const struct hop *hop = hop_of(canary);
	const struct check *check = hop != NULL ? hop_own_check(hop, CHECK_SERVER) : NULL;
	struct conf_hop_settings settings;
	char name[HOP_NAME_BYTES];
	int64_t delay_ms;

	(void)hop_name(name, canary->transport, "");
	conf_hop_settings(site_conf(canary->sched->site), name, &settings);
	delay_ms = settings.interval_ms;
	if (check != NULL && !machine_is_settled(check) && probe->fast_interval_ms < delay_ms)
		delay_ms = probe->fast_interval_ms;
	else if (check != NULL && check->state == STATE_DOWN)
		delay_ms = probe->down_interval_ms;
	arm(canary, job_jitter(delay_ms, probe->jitter_percent));
}

/* worst - the reason that most hosts have, of equally common ones the first */
static const struct host *worst(const struct canary *canary)
{
	const struct host *found = &canary->hosts[0];
	unsigned most = 0;

	for (unsigned i = 0; i < canary->count; i++) {
		unsigned count = 0;

		/* What we could not find out for reasons of our own is not held against the transport. */
		if (canary->hosts[i].reason == REASON_LOCAL_ERROR)
			return &canary->hosts[i];
		for (unsigned k = 0; k < canary->count; k++)
			count += canary->hosts[k].reason == canary->hosts[i].reason;
		if (count > most) {
			most = count;
			found = &canary->hosts[i];
		}
	}
	return found;
}

/* tell - the result of a round */
static void tell(struct canary *canary, enum reason reason, const char *detail)
{
	struct sched *sched = canary->sched;
	struct hop *hop = hop_of(canary);
	const struct machine_policy policy = {
		.rise = sched_settings(sched)->rise, .fall = sched_settings(sched)->fall};
	struct findings findings = {
		.detail = detail, .latency_us = -1, .evidence_ms = clock_now_ms()};

	canary->is_told = true;
	if (hop == NULL)
		return;
	findings.is_local = hop_is_local(hop);
	findings.is_aside = hop_job(hop) != NULL;
	findings.has[CHECK_SERVER] = true;
	findings.outcome[CHECK_SERVER] =
		(struct outcome){.reason = reason, .severity = reason_severity(reason)};
	table_record(sched->table, hop, &policy, &findings);
	jobs_tell_result(sched, hop, &findings, -1);
	jobs_tell_change(sched, hop);
}

static void start_host(struct host *host);

/* settle - after an answer: is anything known now? */
static void settle(struct canary *canary)
{
	const struct host *host;

	if (canary->is_told)
		return;
	for (unsigned i = 0; i < canary->count; i++)
		if (canary->hosts[i].is_answered && canary->hosts[i].reason == REASON_NONE) {
			tell(canary, REASON_NONE, "");
			return;
		}
	if (!canary->is_wide) {
		canary->is_wide = true;
		for (unsigned i = 0; i < canary->count; i++)
			if (!canary->hosts[i].is_answered)
				start_host(&canary->hosts[i]);
	}
	for (unsigned i = 0; i < canary->count; i++)
		if (!canary->hosts[i].is_answered)
			return;
	host = worst(canary);
	tell(canary, host->reason, host->detail);
}

/* reason_of - REASON_NONE: the host can be reached, be it badly */
static enum reason reason_of(const struct canary *canary, const struct probe_result *result)
{
	enum hop_check check = result->has[CHECK_SERVER] ? CHECK_SERVER : CHECK_RESOLVE;
	const struct outcome *outcome = &result->outcome[check];

	if (outcome->reason == REASON_LOCAL_ERROR)
		return REASON_LOCAL_ERROR;
	if (!result->has[check] || outcome->severity != SEVERITY_DOWN)
		return REASON_NONE;
	return check == CHECK_RESOLVE && canary->uses_native ? REASON_LOCAL_ERROR : outcome->reason;
}

static void on_done(void *arg, const struct probe_result *result)
{
	struct host *host = arg;

	host->is_answered = true;
	host->reason = reason_of(host->canary, result);
	(void)snprintf(host->detail, sizeof host->detail, "%s", result->detail);
	if (host->reason != REASON_NONE)
		log_debug("canary %s of %s: %s", host->name, host->canary->transport, host->detail);
	settle(host->canary);
}

static void on_released(void *arg)
{
	struct host *host = arg;
	struct canary *canary = host->canary;

	host->probe = NULL;
	canary->running--;
	canary->sched->in_flight--;
	if (canary->running == 0)
		rest(canary);
	jobs_fill_places(canary->sched);
}

/* make_request - as mail of that transport would go there; false when the transport speaks no SMTP */
static bool make_request(const struct host *host, struct probe_request *request)
{
	struct canary *canary = host->canary;
	char name[HOP_NAME_BYTES];
	struct plan plan;

	if (!hop_name(name, canary->transport, host->name))
		return false;
	site_plan(canary->sched->site, name, &plan);
	canary->uses_native = plan.uses_native;
	if (plan.kind != PLAN_SERVER || plan.target.protocol != PROTOCOL_SMTP)
		return false;
	job_request(canary->sched, name, &plan, request);
	/* The host itself is meant, and mail would not go another way. */
	request->target.lookup_mx = false;
	request->fallbacks = NULL;
	request->depth = request->shallow_depth;
	request->auth.is_wanted = false;
	request->recipient[0] = '\0';
	return true;
}

/* unasked - no probe could be started */
static void unasked(struct host *host, const char *detail)
{
	host->is_answered = true;
	host->reason = REASON_LOCAL_ERROR;
	(void)snprintf(host->detail, sizeof host->detail, "canary %s: %s", host->name, detail);
}

static void start_host(struct host *host)
{
	struct canary *canary = host->canary;
	struct probe_request request;

	if (!make_request(host, &request)) {
		unasked(host, "the transport is not smtp(8)");
		return;
	}
	host->probe = prober_start(canary->sched->prober, &request, on_done, on_released, host);
	if (host->probe == NULL) {
		unasked(host, "out of memory");
		return;
	}
	canary->running++;
	canary->sched->in_flight++;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct canary *canary = arg;

	(void)fd;
	(void)what;
	if (canary->sched->in_flight >= sched_settings(canary->sched)->concurrency) {
		arm(canary, BUSY_MS);
		return;
	}
	canary->is_wide = canary->is_told = false;
	for (unsigned i = 0; i < canary->count; i++)
		canary->hosts[i].is_answered = false;
	if (++canary->first >= canary->count)
		canary->first = 0;
	start_host(&canary->hosts[canary->first]);
	if (canary->running == 0) {
		settle(canary);
		rest(canary);
	}
}

static void canary_free(struct canary *canary)
{
	for (unsigned i = 0; i < canary->count; i++) {
		if (canary->hosts[i].probe != NULL) {
			prober_cancel(canary->hosts[i].probe);
			canary->sched->in_flight--;
		}
		free(canary->hosts[i].name);
	}
	event_free(canary->timer);
	free(canary->hosts);
	free(canary->transport);
	free(canary);
}

static struct canary *canary_new(struct sched *sched, const struct conf_canary *conf)
{
	struct canary *canary = xcalloc(1, sizeof *canary);

	canary->sched = sched;
	canary->transport = xstrdup(conf->transport);
	canary->count = (unsigned)conf->hosts.count;
	canary->hosts = xcalloc(canary->count, sizeof *canary->hosts);
	for (unsigned i = 0; i < canary->count; i++) {
		canary->hosts[i].canary = canary;
		canary->hosts[i].name = xstrdup(conf->hosts.item[i]);
	}
	canary->timer = evtimer_new(sched->base, on_timer, canary);
	if (canary->timer == NULL) {
		log_errx("out of memory");
		abort();
	}
	arm(canary, 0);
	return canary;
}

static bool is_same(const struct canary *canary, const struct conf_canary *conf)
{
	if (canary->count != conf->hosts.count)
		return false;
	for (unsigned i = 0; i < canary->count; i++)
		if (strcmp(canary->hosts[i].name, conf->hosts.item[i]) != 0)
			return false;
	return true;
}

/* drop_changed - end those that are configured no more, or in another way */
static void drop_changed(struct canaries *canaries, const struct conf *conf)
{
	struct canary **link = &canaries->list;

	while (*link != NULL) {
		struct canary *canary = *link;
		const struct conf_canary *now = find_conf(conf, canary->transport);
		struct hop *hop = hop_of(canary);

		if (now != NULL && is_same(canary, now)) {
			link = &canary->next;
			continue;
		}
		if (now == NULL && hop != NULL) {
			table_forget_check(canaries->sched->table, hop, CHECK_SERVER);
			jobs_tell_change(canaries->sched, hop);
		}
		*link = canary->next;
		canary_free(canary);
	}
}

static bool is_there(const struct canaries *canaries, const char *transport)
{
	for (const struct canary *canary = canaries->list; canary != NULL; canary = canary->next)
		if (strcmp(canary->transport, transport) == 0)
			return true;
	return false;
}

void canaries_apply(struct canaries *canaries)
{
	const struct conf *conf = site_conf(canaries->sched->site);

	drop_changed(canaries, conf);
	for (size_t i = 0; i < conf->canary_count; i++) {
		struct canary *canary;

		if (conf->canary[i].hosts.count == 0 || is_there(canaries, conf->canary[i].transport))
			continue;
		canary = canary_new(canaries->sched, &conf->canary[i]);
		canary->next = canaries->list;
		canaries->list = canary;
	}
}

int64_t canary_longest_ms(const struct sched *sched, const char *hop)
{
	const struct conf_probe *probe = sched_settings(sched);
	char transport[HOP_NAME_BYTES];
	const char *nexthop;

	if (!hop_split(hop, transport, sizeof transport, &nexthop) || *nexthop != '\0' ||
		find_conf(site_conf(sched->site), transport) == NULL)
		return 0;
	/* Two hosts after each other: look-up, connection, and a few replies of each. */
	return 2 * (probe->connect_timeout_ms + 4 * probe->reply_timeout_ms);
}

struct canaries *canaries_new(struct sched *sched)
{
	struct canaries *canaries = xcalloc(1, sizeof *canaries);

	canaries->sched = sched;
	return canaries;
}

void canaries_free(struct canaries *canaries)
{
	if (canaries == NULL)
		return;
	while (canaries->list != NULL) {
		struct canary *canary = canaries->list;

		canaries->list = canary->next;
		canary_free(canary);
	}
	free(canaries);
}
