/*
 * job_transport - a look at one transport, as often as master(8) can bear it
 *
 * Asking a service makes master(8) start an agent for it, which then stays for max_idle.  Of a few dozen transports
 * each is asked at each interval.  Of thousands each is asked so seldom that no more than AGENTS agents are there
 * for us at a time, and in between the kernel's list says whether somebody listens; that finds what was removed and a
 * master that is gone.  Mail that goes to a transport, or a fault, makes us ask at once.
 */
#include "probe/job_private.h"

#include "base/clock.h"

#include <stdlib.h>

enum { AGENTS = 50 };

void job_transport_checked(void *arg, const struct probe_result *result)
{
	struct job *job = arg;
	struct sched *sched = job->sched;

	if (job->phase == PHASE_PROBING) {
		job->phase = PHASE_SLEEPING;
		sched->in_flight--;
	}
	if (!job->is_glance)
		job->is_suspect = result->outcome[CHECK_SERVICE].reason != REASON_NONE;
	job_record_result(job, result);
	if (job->phase == PHASE_SLEEPING)
		job_sleep(job);
	jobs_fill_places(sched);
}

/* is_glance_enough - there are many transports, this one was fine the last time, and somebody listens */
static bool is_glance_enough(struct job *job, const struct transport_plan *plan, int64_t now_ms)
{
	const struct sched *sched = job->sched;
	int64_t share_ms = plan->max_idle_ms * (int64_t)sched->transports / AGENTS;

	if (sched->transports <= AGENTS || job->is_asked || job->is_suspect || *plan->command == '\0')
		return false;
	if (job->asked_ms == 0) /* not all of the first at the same time */
		job->asked_ms = now_ms - random() % (share_ms + 1);
	return now_ms - job->asked_ms < share_ms &&
	       listening_count(sched->listening, plan->name, now_ms) >= plan->instances;
}

void job_check_transport(struct job *job)
{
	struct sched *sched = job->sched;
	char name[HOP_NAME_BYTES];
	struct transport_plan plan;
	int64_t timeout_ms = sched_settings(sched)->reply_timeout_ms, now_ms = clock_now_ms();

	if (!site_transport_plan(sched->site, hop_full_name(job->hop), name, &plan)) {
		job_sleep(job); /* the next reload may make it a delivery agent */
		return;
	}
	if (timeout_ms > SILENCE_MS)
		timeout_ms = SILENCE_MS;
	job->phase = PHASE_PROBING;
	job->began_us = clock_now_us();
	sched->in_flight++;
	table_probe_begins(sched->table, job->hop, now_ms, now_ms + 2 * timeout_ms);
	job->is_glance = is_glance_enough(job, &plan, now_ms);
	job->is_asked = false;
	if (job->is_glance) {
		transport_check_glance(job->transport, &plan);
		return;
	}
	job->asked_ms = now_ms;
	transport_check_run(job->transport, &plan, timeout_ms);
}
