/*
 * job - the probing of one hop
 *
 * A job is in one of four phases: it sleeps until its timer fires, it waits for a place among the
 * probes under way, it is probing, or it lets its connection end (QUIT).  Whatever asks for a
 * probe, timer or mail, goes through job_begin(); whatever ends one goes through job_sleep().  The
 * job of a transport has no connection to end, and may bring a result while it sleeps.
 */
#include "probe/job_private.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/xmem.h"
#include "probe/pace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* next_delay - what the state of the hop asks for */
static int64_t next_delay(const struct job *job, int64_t interval_ms)
{
	const struct conf_probe *probe = sched_settings(job->sched);
	int64_t since_ms = hop_failing_since_ms(job->hop);

	if (!hop_is_settled(job->hop) && probe->fast_interval_ms < interval_ms)
		return probe->fast_interval_ms;
	if (since_ms == 0)
		return interval_ms;
	return hop_is_local(job->hop) ? probe->down_interval_ms
				      : pace_down_ms(probe->down_interval_ms, clock_now_ms() - since_ms);
}

int64_t job_jitter(int64_t delay_ms, unsigned percent)
{
	int64_t range_ms = delay_ms * percent / 100;

	return range_ms > 0 ? delay_ms - range_ms + random() % (2 * range_ms + 1) : delay_ms;
}

static void job_arm(struct job *job, int64_t delay_ms)
{
	struct timeval delay = {delay_ms / 1000, delay_ms % 1000 * 1000};

	evtimer_add(job->timer, &delay);
}

void job_sleep(struct job *job)
{
	struct conf_hop_settings hop;
	int64_t delay_ms;

	job->phase = PHASE_SLEEPING;
	inquiries_end(&job->inquiries);
	if (job->phase != PHASE_SLEEPING)
		return;
	if (job->is_wanted) {
		job_due(job);
		return;
	}
	conf_hop_settings(site_conf(job->sched->site), hop_full_name(job->hop), &hop);
	delay_ms = next_delay(job, hop.interval_ms);
	table_set_pause(job->sched->table, job->hop, delay_ms > hop.interval_ms ? delay_ms : 0);
	job_arm(job, job_jitter(delay_ms, sched_settings(job->sched)->jitter_percent));
}

/* tell_change - about a hop that is shown; false when there is none */
static bool tell_change(struct sched *sched, struct hop *hop)
{
	struct hop_change change;
	struct hop_view view;

	if (!table_take_change(sched->table, hop, &change))
		return false;
	if (hop_is_shown(hop)) {
		table_view(sched->table, hop, clock_now_ms(), &view);
		sched->on_change(sched->arg, &view, &change);
	}
	return true;
}

static void report_change(void *arg, struct hop *hop)
{
	(void)tell_change(arg, hop);
}

void jobs_tell_change(struct sched *sched, struct hop *hop)
{
	(void)tell_change(sched, hop);
}

/* gravest - the reason that a result is known by */
static enum reason gravest(const struct findings *findings)
{
	const struct outcome *found = NULL;

	for (int i = 0; i < CHECK_COUNT; i++) {
		const struct outcome *outcome = &findings->outcome[i];

		if (findings->has[i] && outcome->reason != REASON_NONE &&
			(found == NULL || outcome->severity > found->severity))
			found = outcome;
	}
	return found != NULL ? found->reason : REASON_NONE;
}

void jobs_tell_result(struct sched *sched, const struct hop *hop, const struct findings *findings,
	int64_t took_us)
{
	if (sched->on_result != NULL)
		sched->on_result(sched->result_arg, hop, gravest(findings), took_us);
}

/* record - every result of every probe goes through here */
static void record(struct job *job, const struct findings *findings)
{
	struct sched *sched = job->sched;
	const struct machine_policy policy = {
		/* On this host an answer is proof enough: the next message must pass. */
		.rise = findings->is_local ? 1 : sched_settings(sched)->rise,
		.fall = sched_settings(sched)->fall,
	};

	inquiries_found(&job->inquiries, findings);
	table_record(sched->table, job->hop, &policy, findings);
	jobs_tell_result(sched, job->hop, findings,
		job->began_us != 0 ? clock_now_us() - job->began_us : -1);
	job->began_us = 0;
	if (tell_change(sched, job->hop) && hop_dependents(job->hop) > 0)
		table_each_dependent(sched->table, job->hop, report_change, sched);
}

/* record_without_probe - the answer was known before anything was sent */
static void record_without_probe(struct job *job, const struct outcome *outcome, const char *detail)
{
	struct findings findings = {
		.detail = detail,
		.latency_us = -1,
		.evidence_ms = clock_now_ms(),
		.is_local = hop_is_local(job->hop),
	};

	findings.has[CHECK_SERVER] = true;
	findings.outcome[CHECK_SERVER] = *outcome;
	record(job, &findings);
	job_sleep(job);
}

/* soften - faults that we cannot be sure of */
static void soften(const struct job *job, struct findings *findings)
{
	static const struct outcome unsure = {REASON_LOCAL_ERROR, SEVERITY_NONE, false};

	if (job->uses_native && findings->has[CHECK_RESOLVE] &&
		findings->outcome[CHECK_RESOLVE].severity == SEVERITY_DOWN)
		findings->outcome[CHECK_RESOLVE] = unsure;
}

/* tell_latches - credentials that were rejected must not be sent again by the next engine, either */
static void tell_latches(struct job *job)
{
	unsigned latches = deep_latches(&job->deep);

	if (latches > job->latches && job->sched->on_latch != NULL)
		job->sched->on_latch(job->sched->latch_arg);
	job->latches = latches;
}

void job_record_result(struct job *job, const struct probe_result *result)
{
	struct findings findings = {
		.detail = result->detail,
		.latency_us = result->latency_us,
		.evidence_ms = result->evidence_ms,
		.is_local = result->is_local,
	};

	memcpy(findings.has, result->has, sizeof findings.has);
	memcpy(findings.outcome, result->outcome, sizeof findings.outcome);
	if (result->is_deep[DEPTH_KIND_TLS]) {
		findings.has_tls = true;
		findings.tls_not_after = result->tls_not_after;
	}
	tell_latches(job);
	soften(job, &findings);
	record(job, &findings);
	hearsay_result(&job->hearsay, hop_failing_since_ms(job->hop) != 0, hop_is_settled(job->hop),
		clock_now_ms());
}

static void on_done(void *arg, const struct probe_result *result)
{
	struct job *job = arg;

	struct sched *sched = job->sched;
	int64_t now_ms = clock_now_ms();

	job->phase = PHASE_ENDING;
	job_record_result(job, result);
	if (result->goes_on)
		table_probe_begins(sched->table, job->hop, now_ms, now_ms + job->limit_ms);
}

/* One that starts may need no place, so this goes on. */
void jobs_fill_places(struct sched *sched)
{
	while (sched->queue != NULL && sched->in_flight < sched_settings(sched)->concurrency) {
		struct job *job = sched->queue;

		DL_DELETE(sched->queue, job);
		job->phase = PHASE_SLEEPING;
		job_due(job);
	}
}

static void on_released(void *arg)
{
	struct job *job = arg;
	struct sched *sched = job->sched;

	job->probe = NULL;
	sched->in_flight--;
	job_sleep(job);
	jobs_fill_places(sched);
}

/* may_have_parts - more servers than one, as far as the nexthop tells */
static bool may_have_parts(const struct plan *plan)
{
	return *plan->others != '\0' || (!plan->target.is_unix && !plan->target.is_numeric);
}

/* job_probe - start a probe now */
static void job_probe(struct job *job, const struct plan *plan)
{
	static const struct outcome local_error = {REASON_LOCAL_ERROR, SEVERITY_NONE, false};
	struct sched *sched = job->sched;
	struct probe_request request;
	int64_t now_ms = clock_now_ms();

	job_request(sched, hop_full_name(job->hop), plan, &request);
	if (job->parts == NULL && may_have_parts(plan))
		job->parts = parts_new();
	request.parts = job->parts;
	request.tries_parts = hop_is_settled(job->hop) && hop_failing_since_ms(job->hop) == 0;
	request.is_operator = job->is_operator;
	request.trace = &job->inquiries.trace;
	if (job->is_operator)
		deep_forget(&job->deep);
	job->deep.down_interval_ms = sched_settings(sched)->down_interval_ms;
	request.deep = &job->deep;
	job->limit_ms = prober_limit_ms(&request);
	job->probe = prober_start(sched->prober, &request, on_done, on_released, job);
	if (job->probe == NULL) {
		record_without_probe(job, &local_error, "out of memory");
		return;
	}
	job->phase = PHASE_PROBING;
	job->began_us = clock_now_us();
	job->uses_native = plan->uses_native;
	sched->in_flight++;
	table_probe_begins(sched->table, job->hop, now_ms, now_ms + job->limit_ms);
}

void job_free(struct job *job)
{
	if (job == NULL)
		return;
	inquiries_gone(&job->inquiries);
	if (job->phase == PHASE_WAITING)
		DL_DELETE(job->sched->queue, job);
	if (job->probe != NULL) {
		prober_cancel(job->probe);
		job->sched->in_flight--;
	} else if (job->phase == PHASE_PROBING) {
		job->sched->in_flight--;
	}
	if (job->transport != NULL)
		job->sched->transports--;
	transport_check_free(job->transport);
	deep_forget(&job->deep);
	parts_free(job->parts);
	event_free(job->timer);
	free(job);
}

void job_start(struct job *job, int64_t delay_ms)
{
	if (delay_ms == 0)
		job_due(job);
	else if (job->phase == PHASE_SLEEPING)
		job_arm(job, delay_ms);
}

void job_begin(struct job *job)
{
	job->is_asked = true;
	job_due(job);
}

void job_due(struct job *job)
{
	struct sched *sched = job->sched;
	struct plan plan;

	if (job->phase != PHASE_SLEEPING) {
		/* One that is under way answers who asks now; one that is ending does not. */
		job->is_wanted = job->is_wanted || job->phase == PHASE_ENDING;
		return;
	}
	job->is_wanted = false;
	evtimer_del(job->timer);
	if (sched->in_flight >= sched_settings(sched)->concurrency) {
		job->phase = PHASE_WAITING;
		DL_APPEND(sched->queue, job);
		return;
	}
	job->is_operator = inquiries_begin(&job->inquiries);
	if (job->transport != NULL) {
		job_check_transport(job);
		return;
	}
	site_plan(sched->site, hop_full_name(job->hop), &plan);
	if (plan.kind == PLAN_SERVER) {
		job_probe(job, &plan);
	} else if (plan.kind == PLAN_INVALID) {
		const struct outcome outcome = {plan.reason, SEVERITY_DOWN, true};

		record_without_probe(job, &outcome, plan.why);
	}
}

/* wake_by - at that time at the latest */
static void wake_by(struct job *job, int64_t delay_ms)
{
	struct timeval now, due, left;

	if (!evtimer_pending(job->timer, &due))
		return;
	(void)evutil_gettimeofday(&now, NULL);
	evutil_timersub(&due, &now, &left);
	if ((int64_t)left.tv_sec * 1000 + left.tv_usec / 1000 > delay_ms)
		job_arm(job, delay_ms);
}

void job_hear(struct job *job, enum statement statement, bool is_sure)
{
	const struct conf_probe *probe = sched_settings(job->sched);
	const struct machine_policy policy = {.fall = probe->fall};
	bool is_down = hop_failing_since_ms(job->hop) != 0, is_new;
	struct conf_hop_settings hop;
	int64_t delay_ms;

	if (statement != STATEMENT_WORKS && is_down)
		return;
	conf_hop_settings(site_conf(job->sched->site), hop_full_name(job->hop), &hop);
	if (statement == STATEMENT_WORKS && !is_down) {
		if (is_sure && job->phase == PHASE_SLEEPING && hop_is_settled(job->hop) &&
			hearsay_puts_off(&job->hearsay, hop.interval_ms, clock_now_ms()))
			job_sleep(job);
		return;
	}
	if (statement == STATEMENT_FAILS && is_sure)
		(void)table_accuse(job->sched->table, job->hop, &policy);
	delay_ms = hearsay_hurries(&job->hearsay, statement, probe->fast_interval_ms,
		hop.interval_ms, clock_now_ms(), &is_new);
	if (is_new && statement == STATEMENT_FAILS && is_sure)
		deep_doubt(&job->deep);
	if (is_new)
		log_debug("hop %s: %s in Postfix's log", hop_full_name(job->hop),
			is_down ? "delivered" : "deferred");
	job->is_asked = true;
	if (job->phase == PHASE_SLEEPING)
		wake_by(job, delay_ms);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct job *job = arg;

	(void)fd;
	(void)what;
	if (table_is_forgotten(job->sched->table, job->hop,
		    sched_settings(job->sched)->learned_ttl_ms, clock_now_ms()))
		sched_forget(job->sched, job->hop);
	else
		job_due(job);
}

struct job *job_new(struct sched *sched, struct hop *hop, bool is_base)
{
	struct job *job = xcalloc(1, sizeof *job);

	job->sched = sched;
	job->hop = hop;
	job->timer = evtimer_new(sched->base, on_timer, job);
	if (is_base)
		job->transport = transport_check_new(sched->base, sched->opener, job_transport_checked, job);
	sched->transports += is_base;
	inquiries_init(&job->inquiries, hop_full_name(hop));
	if (job->timer == NULL || (is_base && job->transport == NULL)) {
		log_errx("out of memory");
		abort();
	}
	if (is_base)
		transport_check_watch(job->transport, &job->inquiries.trace);
	else
		sched_recall(sched, hop_full_name(hop), &job->deep);
	return job;
}

const struct deep *job_deep(const struct job *job)
{
	return &job->deep;
}

struct inquiries *job_inquiries(struct job *job)
{
	return &job->inquiries;
}

void job_inquire(struct job *job)
{
	job->is_asked = true;
	if (job_is_busy(job))
		job->is_wanted = true;
	else
		job_due(job);
}

bool job_is_busy(const struct job *job)
{
	return job->phase == PHASE_PROBING || job->phase == PHASE_ENDING;
}

int64_t job_limit_ms(const struct job *job)
{
	struct probe_request request;
	struct plan plan;

	if (job->transport != NULL)
		return 2 * (int64_t)SILENCE_MS;
	site_plan(job->sched->site, hop_full_name(job->hop), &plan);
	if (plan.kind != PLAN_SERVER)
		return 0; /* nothing is asked, and the plan has no more to say */
	job_request(job->sched, hop_full_name(job->hop), &plan, &request);
	return prober_limit_ms(&request);
}

void job_rearm(struct job *job)
{
	struct timeval now, due, rearmed, left, gained;

	if (deep_recheck(&job->deep)) {
		job_due(job);
		return;
	}
	if (job->phase != PHASE_SLEEPING || !evtimer_pending(job->timer, &due))
		return;
	job_sleep(job);
	if (!evtimer_pending(job->timer, &rearmed))
		return;
	evutil_timersub(&due, &rearmed, &gained);
	if (gained.tv_sec >= 0)
		return;
	(void)evutil_gettimeofday(&now, NULL);
	evutil_timersub(&due, &now, &left);
	if (left.tv_sec < 0)
		evutil_timerclear(&left);
	evtimer_add(job->timer, &left);
}
