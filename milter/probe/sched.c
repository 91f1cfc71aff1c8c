/*
 * sched - which hop is probed when, and what becomes of the result
 *
 * A hop has one job, and a job is in one of four phases: it sleeps until its timer fires, it waits
 * for a place among the probes under way, it is probing, or it lets its connection end (QUIT).
 * Whatever asks for a probe, timer or mail, goes through job_begin(); whatever ends one goes
 * through job_sleep().
 */
#include "probe/sched.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/xmem.h"
#include "probe/prober.h"
#include "probe/transport.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* A service that says nothing for so long may be dead. */
enum { SILENCE_MS = 5000 };

enum phase { PHASE_SLEEPING, PHASE_WAITING, PHASE_PROBING, PHASE_ENDING };

struct job {
	struct sched *sched;
	struct hop *hop;
	struct event *timer;
	struct probe *probe;
	struct transport_check *transport; /* of a base, NULL: a server is probed */
	enum phase phase;
	bool is_wanted;		 /* again, as soon as the connection has ended */
	bool has_fallback, uses_native; /* as the plan of this probe had them */
	struct job *prev, *next; /* in the queue of those that wait for a place */
};

struct sched {
	struct event_base *base;
	struct table *table;
	struct prober *prober;
	const struct opener *opener;
	struct site *site;
	struct event *wake; /* made active by any thread */
	struct job *queue;
	unsigned in_flight;
	sched_change_fn *on_change;
	void *arg;
};

static void job_begin(struct job *job);

static const struct conf_probe *settings(const struct sched *sched)
{
	return &site_conf(sched->site)->probe;
}

/* with_jitter - spread by up to jitter_percent either way, so that probes do not march in step */
static int64_t with_jitter(int64_t delay_ms, unsigned jitter_percent)
{
	int64_t range_ms = delay_ms * jitter_percent / 100;

	return range_ms > 0 ? delay_ms - range_ms + random() % (2 * range_ms + 1) : delay_ms;
}

/* next_delay - what the state of the hop asks for */
static int64_t next_delay(const struct job *job, int64_t interval_ms)
{
	const struct conf_probe *probe = settings(job->sched);

	if (!hop_is_settled(job->hop) && probe->fast_interval_ms < interval_ms)
		return probe->fast_interval_ms;
	if (hop_state(job->hop) == STATE_DOWN)
		return probe->down_interval_ms;
	return interval_ms;
}

static void job_arm(struct job *job, int64_t delay_ms)
{
	struct timeval delay = {delay_ms / 1000, delay_ms % 1000 * 1000};

	evtimer_add(job->timer, &delay);
}

/* job_sleep - the end of every probe: until the next one, which may be wanted at once */
static void job_sleep(struct job *job)
{
	struct conf_hop_settings hop;

	job->phase = PHASE_SLEEPING;
	if (job->is_wanted) {
		job_begin(job);
		return;
	}
	conf_hop_settings(site_conf(job->sched->site), hop_full_name(job->hop), &hop);
	job_arm(job, with_jitter(next_delay(job, hop.interval_ms),
			     settings(job->sched)->jitter_percent));
}

/* report_change - tell about a hop that is shown */
static void report_change(void *arg, struct hop *hop)
{
	struct sched *sched = arg;
	struct hop_change change;
	struct hop_view view;

	if (!table_take_change(sched->table, hop, &change) || !hop_is_shown(hop))
		return;
	table_view(sched->table, hop, clock_now_ms(), &view);
	sched->on_change(sched->arg, &view, &change);
}

/* record - every result of every probe goes through here */
static void record(struct job *job, const struct findings *findings)
{
	struct sched *sched = job->sched;
	const struct machine_policy policy = {
		/* On this host an answer is proof enough: the next message must pass. */
		.rise = findings->is_local ? 1 : settings(sched)->rise,
		.fall = settings(sched)->fall,
	};

	table_record(sched->table, job->hop, &policy, findings);
	report_change(sched, job->hop);
	if (hop_dependents(job->hop) > 0)
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

/* soften - faults that do not stop mail, or that we cannot be sure of */
static void soften(const struct job *job, struct findings *findings)
{
	static const struct outcome partial = {REASON_PARTIAL, SEVERITY_DEGRADED, false};
	static const struct outcome unsure = {REASON_LOCAL_ERROR, SEVERITY_NONE, false};

	if (job->uses_native && findings->has[CHECK_RESOLVE] &&
		findings->outcome[CHECK_RESOLVE].severity == SEVERITY_DOWN)
		findings->outcome[CHECK_RESOLVE] = unsure;
	for (int i = 0; job->has_fallback && i < CHECK_COUNT; i++)
		if (findings->has[i] && findings->outcome[i].severity == SEVERITY_DOWN)
			findings->outcome[i] = partial;
}

/* record_result - of a server or a transport */
static void record_result(struct job *job, const struct probe_result *result)
{
	struct findings findings = {
		.detail = result->detail,
		.latency_us = result->latency_us,
		.evidence_ms = result->evidence_ms,
		.is_local = result->is_local,
	};

	memcpy(findings.has, result->has, sizeof findings.has);
	memcpy(findings.outcome, result->outcome, sizeof findings.outcome);
	soften(job, &findings);
	record(job, &findings);
}

static void on_done(void *arg, const struct probe_result *result)
{
	struct job *job = arg;

	job->phase = PHASE_ENDING;
	record_result(job, result);
}

/* fill_places - start those that wait, as far as there is room; one may need none */
static void fill_places(struct sched *sched)
{
	while (sched->queue != NULL && sched->in_flight < settings(sched)->concurrency) {
		struct job *job = sched->queue;

		DL_DELETE(sched->queue, job);
		job->phase = PHASE_SLEEPING;
		job_begin(job);
	}
}

static void on_released(void *arg)
{
	struct job *job = arg;
	struct sched *sched = job->sched;

	job->probe = NULL;
	sched->in_flight--;
	job_sleep(job);
	fill_places(sched);
}

/* on_transport - the result of a run, or what a parked connection brought by itself */
static void on_transport(void *arg, const struct probe_result *result)
{
	struct job *job = arg;
	struct sched *sched = job->sched;

	if (job->phase == PHASE_PROBING) {
		job->phase = PHASE_SLEEPING;
		sched->in_flight--;
	}
	record_result(job, result);
	if (job->phase == PHASE_SLEEPING)
		job_sleep(job);
	fill_places(sched);
}

static void fill_request(const struct sched *sched, const char *name, const struct plan *plan,
	struct probe_request *request)
{
	memset(request, 0, sizeof *request);
	(void)snprintf(request->name, sizeof request->name, "%s", name);
	(void)snprintf(request->helo, sizeof request->helo, "%s", plan->helo);
	request->target = plan->target;
	(void)snprintf(request->private_directory, sizeof request->private_directory, "%s",
		plan->private_directory);
	request->depth = plan->depth;
	request->connect_timeout_ms = settings(sched)->connect_timeout_ms;
	request->reply_timeout_ms = settings(sched)->reply_timeout_ms;
	request->slow_ms = site_conf(sched->site)->slow_ms;
	request->address_limit = plan->address_limit;
	request->use_ipv4 = plan->use_ipv4;
	request->use_ipv6 = plan->use_ipv6;
	request->has_bind4 = plan->has_bind4;
	request->has_bind6 = plan->has_bind6;
	request->bind4 = plan->bind4;
	request->bind6 = plan->bind6;
}

/* job_probe - start a probe now */
static void job_probe(struct job *job, const struct plan *plan)
{
	static const struct outcome local_error = {REASON_LOCAL_ERROR, SEVERITY_NONE, false};
	struct sched *sched = job->sched;
	struct probe_request request;
	int64_t now_ms = clock_now_ms();

	fill_request(sched, hop_full_name(job->hop), plan, &request);
	job->probe = prober_start(sched->prober, &request, on_done, on_released, job);
	if (job->probe == NULL) {
		record_without_probe(job, &local_error, "out of memory");
		return;
	}
	job->phase = PHASE_PROBING;
	job->has_fallback = plan->has_fallback;
	job->uses_native = plan->uses_native;
	sched->in_flight++;
	table_probe_begins(sched->table, job->hop, now_ms, now_ms + prober_limit_ms(&request));
}

/* job_check_transport - start a look at the transport now */
static void job_check_transport(struct job *job)
{
	struct sched *sched = job->sched;
	char name[HOP_NAME_BYTES];
	struct transport_plan plan;
	int64_t timeout_ms = settings(sched)->reply_timeout_ms, now_ms = clock_now_ms();

	if (!site_transport_plan(sched->site, hop_full_name(job->hop), name, &plan))
		return;
	if (timeout_ms > SILENCE_MS)
		timeout_ms = SILENCE_MS;
	job->phase = PHASE_PROBING;
	sched->in_flight++;
	table_probe_begins(sched->table, job->hop, now_ms, now_ms + 2 * timeout_ms);
	transport_check_run(job->transport, &plan, timeout_ms);
}

static void job_free(struct job *job)
{
	if (job->phase == PHASE_WAITING)
		DL_DELETE(job->sched->queue, job);
	if (job->probe != NULL) {
		prober_cancel(job->probe);
		job->sched->in_flight--;
	} else if (job->phase == PHASE_PROBING) {
		job->sched->in_flight--;
	}
	transport_check_free(job->transport);
	event_free(job->timer);
	free(job);
}

/* forget - the hop and its job */
static void forget(struct sched *sched, struct hop *hop)
{
	struct hop *base = hop_base(hop);

	log_debug("hop %s: not probed any more", hop_full_name(hop));
	if (hop_job(hop) != NULL)
		job_free(hop_job(hop));
	table_remove(sched->table, hop);
	if (base != NULL && hop_dependents(base) == 0 && !hop_is_shown(base)) {
		job_free(hop_job(base));
		table_remove(sched->table, base);
	}
	fill_places(sched);
}

/* job_begin - a probe is due or wanted */
static void job_begin(struct job *job)
{
	struct sched *sched = job->sched;
	struct plan plan;

	if (job->phase != PHASE_SLEEPING) {
		/* One that is under way answers who asks now; one that is ending does not. */
		job->is_wanted = job->phase == PHASE_ENDING;
		return;
	}
	job->is_wanted = false;
	evtimer_del(job->timer);
	if (sched->in_flight >= settings(sched)->concurrency) {
		job->phase = PHASE_WAITING;
		DL_APPEND(sched->queue, job);
		return;
	}
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

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct job *job = arg;

	(void)fd;
	(void)what;
	if (table_is_forgotten(job->sched->table, job->hop, settings(job->sched)->learned_ttl_ms,
		    clock_now_ms()))
		forget(job->sched, job->hop);
	else
		job_begin(job);
}

/* adopt - see to it that the hop is probed, from now on */
static void adopt(struct sched *sched, struct hop *hop, bool is_base)
{
	struct job *job = hop_job(hop);

	if (job != NULL)
		return;
	job = xcalloc(1, sizeof *job);
	job->sched = sched;
	job->hop = hop;
	job->timer = evtimer_new(sched->base, on_timer, job);
	if (is_base)
		job->transport =
			transport_check_new(sched->base, sched->opener, on_transport, job);
	if (job->timer == NULL || (is_base && job->transport == NULL)) {
		log_errx("out of memory");
		abort();
	}
	hop_set_job(hop, job);
	job_begin(job);
}

typedef struct hop *put_fn(struct table *table, const struct hop_settings *settings, int64_t now_ms);

/* longest_sleep - so that sleeping does not look stale */
static int64_t longest_sleep(const struct sched *sched, const char *name)
{
	struct conf_hop_settings hop;

	conf_hop_settings(site_conf(sched->site), name, &hop);
	return hop.interval_ms > settings(sched)->down_interval_ms
		       ? hop.interval_ms
		       : settings(sched)->down_interval_ms;
}

/* take_in_base - put the transport of a hop into the table; NULL when it has none */
static struct hop *take_in_base(struct sched *sched, const char *name, enum hop_role role,
	put_fn *put)
{
	char base_name[HOP_NAME_BYTES];
	struct hop *base;

	if (!site_base(sched->site, name, base_name))
		return NULL;
	const struct hop_settings settings = {
		.name = base_name,
		.is_probed = true,
		.is_local = true,
		.roles = strcmp(base_name, name) == 0 ? role : 0,
		.interval_ms = longest_sleep(sched, base_name),
	};

	base = put(sched->table, &settings, clock_now_ms());
	adopt(sched, base, true);
	/* cppcheck-suppress returnDanglingLifetime ; put() copies the settings */
	return base;
}

/* take_in - put a hop into the table if there is something to look at */
static void take_in(struct sched *sched, const char *name, enum hop_role role, put_fn *put)
{
	struct hop *base = take_in_base(sched, name, role, put), *hop;
	struct plan plan;

	if (base != NULL && strcmp(hop_full_name(base), name) == 0)
		return;
	site_plan(sched->site, name, &plan);
	if (base == NULL && plan.kind == PLAN_NOTHING)
		return;
	const struct hop_settings settings = {
		.name = name,
		.base = base,
		.is_probed = plan.kind != PLAN_NOTHING,
		.is_local = plan.kind != PLAN_SERVER || hop_target_is_local(&plan.target),
		.roles = role,
		.interval_ms = longest_sleep(sched, name),
	};

	hop = put(sched->table, &settings, clock_now_ms());
	if (settings.is_probed)
		adopt(sched, hop, false);
}

/* put_configured - called for each hop that configuration names */
static void put_configured(void *arg, const char *name, enum hop_role role)
{
	take_in(arg, name, role, table_put);
}

/* learn - a hop that mail named, if there is room for it */
static void learn(struct sched *sched, const char *name, enum hop_role role)
{
	if (table_find(sched->table, name) != NULL)
		return;
	if (table_learned_count(sched->table) >= site_conf(sched->site)->max_hops) {
		struct hop *oldest = table_oldest_learned(sched->table);

		if (oldest == NULL)
			return;
		forget(sched, oldest);
	}
	take_in(sched, name, role, table_put_learned);
}

/* is_gone - of what was not put again: learned hops stay as long as there is something to look at */
static bool is_gone(void *arg, struct hop *hop)
{
	struct sched *sched = arg;
	char base_name[HOP_NAME_BYTES];
	struct plan plan;

	site_plan(sched->site, hop_full_name(hop), &plan);
	if (hop_is_learned(hop) && hop_is_shown(hop) &&
		(plan.kind != PLAN_NOTHING ||
			site_base(sched->site, hop_full_name(hop), base_name)))
		return false;
	log_debug("hop %s: not configured any more", hop_full_name(hop));
	if (hop_job(hop) != NULL)
		job_free(hop_job(hop));
	return true;
}

/* rearm - intervals may be shorter now; what is due is never put off, however often we reload */
static void rearm(void *arg, struct hop *hop)
{
	struct job *job = hop_job(hop);
	struct timeval now, due, rearmed, left, gained;

	(void)arg;
	if (job == NULL || job->phase != PHASE_SLEEPING || !evtimer_pending(job->timer, &due))
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

void sched_apply(struct sched *sched, struct site *site)
{
	struct site *old = sched->site;

	sched->site = site_ref(site);
	table_mark(sched->table);
	site_each_hop(site, put_configured, sched);
	table_sweep(sched->table, is_gone, sched);
	if (old != NULL)
		table_each(sched->table, rearm, sched);
	fill_places(sched);
	site_unref(old);
}

/* on_wake - mail wants fresh results, or taught us names */
static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct sched *sched = arg;
	char name[HOP_NAME_BYTES];
	enum hop_role role;
	struct hop *hop;

	(void)fd;
	(void)what;
	while (table_learned_next(sched->table, name, &role))
		learn(sched, name, role);
	while ((hop = table_next_wanted(sched->table)) != NULL)
		job_begin(hop_job(hop));
}

static void wake(void *arg)
{
	struct sched *sched = arg;

	event_active(sched->wake, 0, 0);
}

struct sched *sched_new(struct event_base *base, struct table *table, const struct opener *opener,
	sched_change_fn *on_change, void *arg)
{
	struct sched *sched = xcalloc(1, sizeof *sched);
	const struct table_observer observer = {wake, sched};

	sched->base = base;
	sched->table = table;
	sched->opener = opener;
	sched->on_change = on_change;
	sched->arg = arg;
	sched->prober = prober_new(base, opener);
	sched->wake = event_new(base, -1, EV_PERSIST, on_wake, sched);
	if (sched->prober == NULL || sched->wake == NULL) {
		sched_free(sched);
		return NULL;
	}
	table_observe(table, &observer);
	return sched;
}

static void end_job(void *arg, struct hop *hop)
{
	(void)arg;
	if (hop_job(hop) != NULL)
		job_free(hop_job(hop));
	hop_set_job(hop, NULL);
}

void sched_free(struct sched *sched)
{
	if (sched->site != NULL)
		table_each(sched->table, end_job, NULL);
	if (sched->wake != NULL)
		event_free(sched->wake);
	if (sched->prober != NULL)
		prober_free(sched->prober);
	site_unref(sched->site);
	free(sched);
}

unsigned sched_in_flight(const struct sched *sched)
{
	return sched->in_flight;
}
