/*
 * inquiry - the operator asks for a probe of one hop, now, and watches it
 *
 * An inquiry stands in the list of one job at a time: that of the transport, then that of the hop itself.  It keeps
 * the name of the hop and no pointer to it, because a reload may take the hop away while it waits.
 */
#include "probe/inquiry_private.h"

#include "base/xmem.h"
#include "probe/sched_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum stage { STAGE_START, STAGE_BASE, STAGE_OWN };

struct inquiry {
	struct inquiry *prev, *next;
	struct sched *sched;
	struct inquiries *at; /* whose list it stands in */
	char name[HOP_NAME_BYTES];
	bool is_watching; /* the probe has begun */
	enum stage stage;
	struct event *begin; /* so that nothing is told from within inquiry_start() */
	int64_t limit_ms;
	struct probe_result found;
	trace_fn *tell;
	inquiry_done_fn *done;
	void *arg;
};

static void tell_all(void *arg, enum trace_kind kind, enum trace_direction direction, const char *text)
{
	struct inquiries *inquiries = arg;
	struct inquiry *next;

	for (struct inquiry *inquiry = inquiries->first; inquiry != NULL; inquiry = next) {
		next = inquiry->next; /* who is told may cancel */
		if (inquiry->is_watching)
			inquiry->tell(inquiry->arg, kind, direction, text);
	}
}

void inquiries_init(struct inquiries *inquiries, const char *name)
{
	*inquiries = (struct inquiries){.trace = {.name = name, .arg = inquiries}};
}

bool inquiries_begin(struct inquiries *inquiries)
{
	for (struct inquiry *inquiry = inquiries->first; inquiry != NULL; inquiry = inquiry->next)
		inquiry->is_watching = true;
	inquiries->trace.tell = inquiries->first != NULL ? tell_all : NULL;
	return inquiries->first != NULL;
}

static enum severity worst(const struct probe_result *result)
{
	enum severity found = SEVERITY_NONE;

	for (int i = 0; i < CHECK_COUNT; i++)
		if (result->has[i] && result->outcome[i].severity > found)
			found = result->outcome[i].severity;
	return found;
}

/* merge - lay findings over what is there; the detail is that of the gravest */
static void merge(struct probe_result *result, const struct findings *findings)
{
	enum severity before = worst(result);

	for (int i = 0; i < CHECK_COUNT; i++) {
		if (!findings->has[i])
			continue;
		result->has[i] = true;
		result->outcome[i] = findings->outcome[i];
	}
	if (*result->detail == '\0' || worst(result) > before)
		(void)snprintf(result->detail, sizeof result->detail, "%s", findings->detail);
	if (findings->latency_us >= 0)
		result->latency_us = findings->latency_us;
	result->is_local = findings->is_local;
	result->evidence_ms = findings->evidence_ms;
}

void inquiries_found(struct inquiries *inquiries, const struct findings *findings)
{
	for (struct inquiry *inquiry = inquiries->first; inquiry != NULL; inquiry = inquiry->next)
		if (inquiry->is_watching)
			merge(&inquiry->found, findings);
}

static void leave(struct inquiries *at, struct inquiry *inquiry)
{
	DL_DELETE(at->first, inquiry);
	inquiry->at = NULL;
	inquiry->is_watching = false;
}

/* finish - it stands in no list any more */
static void finish(struct inquiry *inquiry, const struct probe_result *found)
{
	inquiry->done(inquiry->arg, found);
	inquiry_cancel(inquiry);
}

/* join - wait for the next probe of this hop */
static void join(struct inquiry *inquiry, struct hop *hop)
{
	struct job *job = hop_job(hop);

	inquiry->at = job_inquiries(job);
	DL_APPEND(inquiry->at->first, inquiry);
	if (job_is_busy(job))
		inquiry->tell(inquiry->arg, TRACE_PROBE, TRACE_NOTE,
			"waits until the probe that is under way has ended");
	job_inquire(job);
}

/* go_on - to the next job; the hop may have gone in the meantime, or have no checks of its own */
static void go_on(struct inquiry *inquiry)
{
	struct hop *hop = table_find(inquiry->sched->table, inquiry->name);

	if (hop == NULL) {
		finish(inquiry, NULL);
	} else if (inquiry->stage == STAGE_START && hop_base(hop) != NULL) {
		inquiry->stage = STAGE_BASE;
		join(inquiry, hop_base(hop));
	} else if (inquiry->stage != STAGE_OWN && hop_job(hop) != NULL) {
		inquiry->stage = STAGE_OWN;
		join(inquiry, hop);
	} else {
		finish(inquiry, &inquiry->found);
	}
}

static void on_begin(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	go_on(arg);
}

/* first_watching - NULL: nobody watches */
static struct inquiry *first_watching(const struct inquiries *inquiries)
{
	struct inquiry *inquiry = inquiries->first;

	while (inquiry != NULL && !inquiry->is_watching)
		inquiry = inquiry->next;
	return inquiry;
}

void inquiries_end(struct inquiries *inquiries)
{
	struct inquiry *inquiry;

	inquiries->trace.tell = NULL;
	while ((inquiry = first_watching(inquiries)) != NULL) {
		leave(inquiries, inquiry);
		go_on(inquiry);
	}
}

void inquiries_gone(struct inquiries *inquiries)
{
	while (inquiries->first != NULL) {
		struct inquiry *inquiry = inquiries->first;

		leave(inquiries, inquiry);
		finish(inquiry, NULL);
	}
}

struct inquiry *inquiry_start(struct sched *sched, const char *name, trace_fn *tell,
	inquiry_done_fn *done, void *arg)
{
	struct hop *hop = table_find(sched->table, name);
	struct inquiry *inquiry;

	if (hop == NULL)
		return NULL;
	inquiry = xcalloc(1, sizeof *inquiry);
	inquiry->sched = sched;
	(void)snprintf(inquiry->name, sizeof inquiry->name, "%s", name);
	inquiry->found.latency_us = -1;
	inquiry->tell = tell;
	inquiry->done = done;
	inquiry->arg = arg;
	for (const struct hop *each = hop; each != NULL; each = hop_base(each))
		if (hop_job(each) != NULL)
			/* One that is under way comes before ours. */
			inquiry->limit_ms += 2 * job_limit_ms(hop_job(each));
	inquiry->begin = evtimer_new(sched->base, on_begin, inquiry);
	if (inquiry->begin == NULL) {
		inquiry_cancel(inquiry);
		return NULL;
	}
	event_active(inquiry->begin, EV_TIMEOUT, 0);
	return inquiry;
}

void inquiry_cancel(struct inquiry *inquiry)
{
	if (inquiry->at != NULL)
		leave(inquiry->at, inquiry);
	if (inquiry->begin != NULL)
		event_free(inquiry->begin);
	free(inquiry);
}

int64_t inquiry_limit_ms(const struct inquiry *inquiry)
{
	return inquiry->limit_ms;
}
