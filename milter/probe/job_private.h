/*
 * job_private - what the files of a job share
 *
 * job.c says when a hop is probed and what becomes of the result, job_request.c what is asked of a server,
 * job_transport.c looks at a transport.
 */
#ifndef FF_JOB_PRIVATE_H
#define FF_JOB_PRIVATE_H

#include "probe/deep.h"
#include "probe/hearsay.h"
#include "probe/sched_private.h"
#include "probe/transport.h"

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
	bool is_wanted;                 /* again, as soon as the connection has ended */
	bool is_asked;                  /* mail or its log wants it, or wanted it last: a glance is not enough */
	bool is_glance, is_suspect;     /* of a transport: this run; the last time it was asked it had a fault */
	int64_t asked_ms;               /* when that was */
	bool uses_native;               /* as the plan of this probe had it */
	int64_t limit_ms;               /* of this probe */
	int64_t began_us;               /* likewise, 0: nothing was sent, or its result was told */
	struct parts *parts;            /* NULL: it has never had more servers than one */
	unsigned latches;               /* in deep, as they were told */
	struct deep deep;               /* of a server */
	struct hearsay hearsay;
	struct inquiries inquiries;     /* of the operator */
	bool is_operator;               /* asks for this probe */
	struct job *prev, *next;        /* in the queue of those that wait for a place */
};

/* job_sleep - the end of every probe: until the next one, which may be wanted at once */
void job_sleep(struct job *job);

/* job_record_result - of a server or a transport */
void job_record_result(struct job *job, const struct probe_result *result);

/* job_check_transport - start a look at the transport now; job_transport_checked - the result of a run, or what a parked
 * connection brought by itself */
void job_check_transport(struct job *job);
void job_transport_checked(void *arg, const struct probe_result *result);

#endif
