/*
 * transport - what a transport needs before it can take any mail
 *
 * The bind addresses and the command are looked at statically, because an agent greets without them.  Then the
 * question that qmgr(8) will ask is asked in the same way: connect to private/NAME and wait for the greeting.
 */
#include "probe/transport.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/xmem.h"
#include "probe/bind.h"
#include "probe/command.h"
#include "probe/service.h"
#include "probe/workers.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Agents of this age were at work before we asked: a service is silent for longer before they are looked for. */
enum { LEAST_AGE_MS = 3000 };

struct transport_check {
	struct event_base *base;
	const struct opener *opener;
	probe_done_fn *done;
	void *arg;
	struct event *report; /* made active when the result is complete */
	uint32_t opening;     /* handle, 0: not */
	struct service_probe *service;
	bool is_running;
	bool is_parked;
	int64_t timeout_ms;
	char *name;
	long master; /* process ID of the master(8) that the service belongs to, 0: not known */
	const struct trace *trace;
	struct probe_result result;
};

/* note - lay one outcome in; the detail is that of the gravest */
static void __attribute__((format(printf, 4, 5)))
note(struct transport_check *check, enum hop_check which, const struct outcome *outcome,
	const char *fmt, ...)
{
	struct probe_result *result = &check->result;
	enum severity worst = SEVERITY_NONE;
	va_list ap;

	for (int i = 0; i < CHECK_COUNT; i++)
		if (result->has[i] && result->outcome[i].severity > worst)
			worst = result->outcome[i].severity;
	result->has[which] = true;
	result->outcome[which] = *outcome;
	if (outcome->reason == REASON_NONE ||
		(*result->detail != '\0' && outcome->severity <= worst))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(result->detail, sizeof result->detail, fmt, ap);
	va_end(ap);
	for (char *cp = result->detail; *cp != '\0'; cp++)
		if (*cp < ' ' || *cp > '~')
			*cp = '?';
}

/* trace_outcome - of a check that needs no dialogue */
static void trace_outcome(const struct transport_check *check, enum trace_kind kind,
	const struct outcome *outcome, const char *detail)
{
	trace_step(check->trace, kind, TRACE_NOTE, "%s%s%s",
		outcome->reason == REASON_NONE ? "ok" : reason_token(outcome->reason),
		*detail != '\0' ? ": " : "", detail);
}

static void on_report(evutil_socket_t fd, short what, void *arg)
{
	struct transport_check *check = arg;

	(void)fd;
	(void)what;
	check->is_running = false;
	check->result.is_local = true;
	check->result.evidence_ms = clock_now_ms();
	check->done(check->arg, &check->result);
}

/* conclude - the service check is done, and with it the run */
static void __attribute__((format(printf, 4, 5)))
conclude(struct transport_check *check, enum reason reason, bool is_hard, const char *fmt, ...)
{
	const struct outcome outcome = {reason, reason_severity(reason), is_hard};
	char detail[PROBE_DETAIL_BYTES];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(detail, sizeof detail, fmt, ap);
	va_end(ap);
	trace_outcome(check, TRACE_SERVICE, &outcome, detail);
	note(check, CHECK_SERVICE, &outcome, "%s", detail);
	event_active(check->report, 0, 0);
}

/* judge_silence - agents that are all at work answer later, agents that crash never do */
static void judge_silence(struct transport_check *check)
{
	const struct workers_wanted wanted = {check->name, check->master, LEAST_AGE_MS};
	int processes = workers_count(&wanted, clock_now_ms());

	if (processes < 0)
		conclude(check, REASON_LOCAL_ERROR, false, "cannot look for processes: %s",
			strerror(errno));
	else if (processes > 0)
		conclude(check, REASON_TRANSPORT_BUSY, false,
			"private/%s does not answer, %d delivery agents are running", check->name,
			processes);
	else
		conclude(check, REASON_TRANSPORT_SILENT, false,
			"private/%s does not answer, no delivery agent is running", check->name);
}

static void on_answer(void *arg, enum service_answer answer, int64_t latency_us)
{
	struct transport_check *check = arg;

	check->is_parked = answer == SERVICE_SILENT;
	if (answer == SERVICE_SILENT) {
		judge_silence(check);
		return;
	}
	check->service = NULL;
	if (answer == SERVICE_AGENT)
		trace_step(check->trace, TRACE_SERVICE, TRACE_RECEIVED,
			"the greeting of a delivery agent");
	if (!check->is_running)
		/* Static checks were made when this was parked: they hold. */
		check->result.detail[0] = '\0';
	check->result.latency_us = latency_us;
	if (answer == SERVICE_AGENT)
		conclude(check, REASON_NONE, false, "%s", "");
	else if (answer == SERVICE_LOCAL)
		conclude(check, REASON_LOCAL_ERROR, false, "out of memory");
	else
		conclude(check, REASON_TRANSPORT_BROKEN, false, "private/%s %s", check->name,
			answer == SERVICE_CLOSED ? "hangs up"
						 : "does not greet as a delivery agent");
}

/* not_opened - what connect(2) says about a service */
static void not_opened(struct transport_check *check, int error)
{
	switch (error) {
	case EPERM:
		conclude(check, REASON_TRANSPORT_UNDEFINED, true,
			"transport %s is not in master.cf", check->name);
		break;
	case ENOENT:
		conclude(check, REASON_TRANSPORT_UNDEFINED, true,
			"connect to transport private/%s: No such file or directory", check->name);
		break;
	case ECONNREFUSED:
		conclude(check, REASON_TRANSPORT_REFUSED, true,
			"connect to transport private/%s: Connection refused", check->name);
		break;
	case EAGAIN:
		/* Its backlog is full: as silent as can be. */
		judge_silence(check);
		break;
	default:
		conclude(check, REASON_LOCAL_ERROR, false, "connect to transport private/%s: %s",
			check->name, strerror(error));
	}
}

static void on_opened(void *arg, const struct opened *opened)
{
	struct transport_check *check = arg;

	check->opening = 0;
	check->master = opened->master;
	if (opened->fd < 0) {
		not_opened(check, opened->error);
		return;
	}
	check->service = service_probe_start(check->base, opened->fd, check->name, check->timeout_ms,
		on_answer, check);
	if (check->service == NULL)
		conclude(check, REASON_LOCAL_ERROR, false, "out of memory");
}

/* look_statically - bind addresses and command */
static void look_statically(struct transport_check *check, const struct transport_plan *plan)
{
	char detail[PROBE_DETAIL_BYTES];
	struct outcome outcome;

	_Static_assert((int)COMMAND_DETAIL_BYTES <= (int)PROBE_DETAIL_BYTES &&
			       (int)BIND_DETAIL_BYTES <= (int)PROBE_DETAIL_BYTES,
		"one buffer holds the detail of each");
	if (strcmp(plan->command, "pipe") == 0) {
		command_check(plan->arguments, plan->mail_owner, &outcome, detail);
		trace_outcome(check, TRACE_COMMAND, &outcome, detail);
		note(check, CHECK_COMMAND, &outcome, "%s", detail);
	}
	if (*plan->bind4 != '\0' || *plan->bind6 != '\0') {
		bind_check(plan->bind4, plan->bind6, plan->is_bind_enforced, &outcome, detail);
		trace_outcome(check, TRACE_BIND, &outcome, detail);
		note(check, CHECK_BIND, &outcome, "%s", detail);
	}
}

/* begin - a run; false when one is under way */
static bool begin(struct transport_check *check, const struct transport_plan *plan)
{
	if (check->is_running)
		return false;
	check->is_running = true;
	free(check->name);
	check->name = xstrdup(plan->name);
	memset(&check->result, 0, sizeof check->result);
	check->result.latency_us = -1;
	look_statically(check, plan);
	return true;
}

void transport_check_glance(struct transport_check *check, const struct transport_plan *plan)
{
	if (!begin(check, plan))
		return;
	if (check->is_parked)
		judge_silence(check);
	else
		conclude(check, REASON_NONE, false, "%s", "");
}

void transport_check_run(struct transport_check *check, const struct transport_plan *plan,
	int64_t timeout_ms)
{
	if (!begin(check, plan))
		return;
	check->timeout_ms = timeout_ms;
	trace_step(check->trace, TRACE_SERVICE, TRACE_SENT, "connect to private/%s%s", plan->name,
		check->is_parked ? ": an earlier connection still waits for its answer" : "");
	if (check->is_parked) {
		judge_silence(check);
		return;
	}
	check->opening = check->opener->open(check->opener->opener_arg, plan->directory, plan->name,
		on_opened, check);
	if (check->opening == 0)
		conclude(check, REASON_LOCAL_ERROR, false, "cannot ask for private/%s", plan->name);
}

void transport_check_watch(struct transport_check *check, const struct trace *trace)
{
	check->trace = trace;
}

bool transport_check_is_running(const struct transport_check *check)
{
	return check->is_running;
}

struct transport_check *transport_check_new(struct event_base *base, const struct opener *opener,
	probe_done_fn *done, void *arg)
{
	struct transport_check *check = calloc(1, sizeof *check);

	if (check == NULL)
		return NULL;
	check->base = base;
	check->opener = opener;
	check->done = done;
	check->arg = arg;
	check->report = event_new(base, -1, 0, on_report, check);
	if (check->report == NULL) {
		free(check);
		return NULL;
	}
	return check;
}

void transport_check_free(struct transport_check *check)
{
	if (check == NULL)
		return;
	if (check->opening != 0)
		check->opener->cancel(check->opener->opener_arg, check->opening);
	if (check->service != NULL)
		service_probe_cancel(check->service);
	event_free(check->report);
	free(check->name);
	free(check);
}
