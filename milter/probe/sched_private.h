/*
 * sched_private - what the files of the scheduler share
 *
 * sched.c keeps the table of hops in step with the site, job.c probes each hop.
 */
#ifndef FF_SCHED_PRIVATE_H
#define FF_SCHED_PRIVATE_H

#include "probe/canary.h"
#include "probe/deep.h"
#include "probe/inquiry_private.h"
#include "probe/listening.h"
#include "probe/prober.h"
#include "probe/sched.h"

struct job;

struct sched {
	struct event_base *base;
	struct table *table;
	struct prober *prober;
	const struct opener *opener;
	struct site *site;
	struct event *wake; /* made active by any thread */
	struct job *queue;
	unsigned in_flight;
	unsigned transports; /* how many are looked at */
	struct hop **fresh;  /* remote hops that were adopted and are not yet started */
	size_t fresh_count;
	struct listening *listening;
	struct canaries *canaries;
	struct deep_memory *memories; /* by name */
	void (*on_latch)(void *arg);  /* NULL: nobody wants to know */
	void *latch_arg;
	sched_change_fn *on_change;
	void *arg;
	sched_result_fn *on_result; /* NULL: nobody counts */
	void *result_arg;
};

/* sched_settings - the probe section in force */
const struct conf_probe *sched_settings(const struct sched *sched);

/* sched_forget - the hop, its job, and its transport when no other hop uses it */
void sched_forget(struct sched *sched, struct hop *hop);

/* sched_take_in - put a hop into the table if there is something to look at, as one that mail names */
void sched_take_in(struct sched *sched, const char *name, unsigned roles);

/* sched_start_fresh - probe the remote hops that were taken in, not all of thousands in one moment */
void sched_start_fresh(struct sched *sched);

/* sched_recall - what is remembered of a hop, into *deep, which is all zero otherwise */
void sched_recall(struct sched *sched, const char *name, struct deep *deep);

/* sched_forget_memories - of hops that did not come */
void sched_forget_memories(struct sched *sched);

/* job_deep - what is known of it from behind hello */
const struct deep *job_deep(const struct job *job);

/* job_new - probe the hop from now on; is_base: it stands for a transport.  Ends the process when out of memory. */
struct job *job_new(struct sched *sched, struct hop *hop, bool is_base);

/* job_free - stop; NULL is fine */
void job_free(struct job *job);

/* job_start - the first probe, after delay_ms */
void job_start(struct job *job, int64_t delay_ms);

/* job_begin - mail wants a probe */
void job_begin(struct job *job);

/* job_due - it is time for a probe */
void job_due(struct job *job);

/* job_inquiries - who asks for a probe of this hop and watches it */
struct inquiries *job_inquiries(struct job *job);

/* job_inquire - the operator has joined them: probe as soon as the one under way has ended */
void job_inquire(struct job *job);

/* job_is_busy - a probe is under way, or is ending */
bool job_is_busy(const struct job *job);

/* job_limit_ms - how long a probe of this hop can take */
int64_t job_limit_ms(const struct job *job);

/* job_rearm - intervals may be shorter now; what is due is never put off, however often we reload */
void job_rearm(struct job *job);

/* job_hear - what Postfix's log says: see sched_evidence() */
void job_hear(struct job *job, enum statement statement, bool is_sure);
/* job_jitter - spread a delay by up to percent either way */
int64_t job_jitter(int64_t delay_ms, unsigned percent);

/* job_request - what the plan of a hop of that name asks for; its strings are those of the plan */
void job_request(const struct sched *sched, const char *name, const struct plan *plan,
	struct probe_request *request);

/* jobs_tell_change - report it when the hop is in another state now */
void jobs_tell_change(struct sched *sched, struct hop *hop);

/* jobs_tell_result - what was recorded of a hop, and how long it took (-1: nothing was sent) */
void jobs_tell_result(struct sched *sched, const struct hop *hop, const struct findings *findings,
	int64_t took_us);

/* jobs_fill_places - start those that wait, as far as there is room */
void jobs_fill_places(struct sched *sched);

#endif
