/*
 * depth - how deep the next probe of a hop goes
 */
#include "probe/depth.h"

#include "probe/pace.h"

#include <stdio.h>
#include <stdlib.h>

static const int64_t interval_ms[DEPTH_KIND_COUNT] = {
	[DEPTH_KIND_TLS] = DEPTH_TLS_MS,
	[DEPTH_KIND_AUTH] = DEPTH_AUTH_MS,
	[DEPTH_KIND_RECIPIENT] = DEPTH_RECIPIENT_MS,
};

bool depth_due(const struct depth_state *state, enum depth_kind kind, int64_t now_ms)
{
	return !state->kind[kind].is_latched && now_ms >= state->kind[kind].due_ms;
}

/* retry_ms - after so many faults in a row */
static int64_t retry_ms(unsigned faults)
{
	int64_t delay_ms = DEPTH_RETRY_MS;

	if (faults < DEPTH_CONFIRM)
		return 0;
	for (; faults > DEPTH_CONFIRM && delay_ms < DEPTH_RETRY_MAX_MS; faults--)
		delay_ms *= 2;
	return delay_ms < DEPTH_RETRY_MAX_MS ? delay_ms : DEPTH_RETRY_MAX_MS;
}

/* later_ms - after so many answers of "later" in a row, for so long.  Probes come a little too early now and then. */
static int64_t later_ms(unsigned faults, int64_t down_interval_ms, int64_t down_for_ms)
{
	return faults < DEPTH_CONFIRM ? 0 : pace_down_ms(down_interval_ms, down_for_ms) * 4 / 5;
}

/* keep_fault - where there is no memory, only what the machine has seen counts */
static void keep_fault(struct depth_state *state, enum depth_kind kind, const struct outcome *outcome,
	const char *detail)
{
	struct depth_fault *fault = state->kind[kind].fault;

	if (fault == NULL)
		fault = state->kind[kind].fault = calloc(1, sizeof *fault);
	if (fault == NULL)
		return;
	fault->outcome = *outcome;
	(void)snprintf(fault->detail, sizeof fault->detail, "%s", detail);
}

/* is_deep - slowness and the like is nothing that only a deep probe sees */
static bool is_deep(const struct outcome *outcome)
{
	return outcome->reason == REASON_AUTH_UNAVAILABLE || outcome->reason == REASON_TLS_EXPIRING ||
	       outcome->reason == REASON_TLS_HANDSHAKE;
}

/* pause_ms - after a fault; it is counted already */
static int64_t pause_ms(const struct depth_state *state, enum depth_kind kind, const struct outcome *outcome,
	int64_t down_interval_ms, int64_t now_ms)
{
	unsigned faults = state->kind[kind].faults;

	/* Nothing was sent where there is no mechanism: looking again costs the server nothing. */
	if (outcome->reason == REASON_AUTH_UNAVAILABLE)
		return 0;
	if (outcome->reason == REASON_SERVICE_UNAVAILABLE && kind != DEPTH_KIND_TLS)
		return later_ms(faults, down_interval_ms, now_ms - state->kind[kind].since_ms);
	if (kind == DEPTH_KIND_TLS && outcome->severity == SEVERITY_DOWN)
		return 0;
	if (kind == DEPTH_KIND_TLS && outcome->severity != SEVERITY_NONE)
		return DEPTH_WARNING_MS;
	return retry_ms(faults);
}

void depth_record(struct depth_state *state, enum depth_kind kind, const struct outcome *outcome,
	const char *detail, int64_t down_interval_ms, int64_t now_ms)
{
	/* What could not be looked up takes nothing back: rejected credentials are not sent again for that. */
	if (state->kind[kind].is_latched && outcome->reason == REASON_LOCAL_ERROR)
		return;
	if (outcome->reason == REASON_NONE || (outcome->severity == SEVERITY_DEGRADED && !is_deep(outcome))) {
		depth_forget(state, kind);
		state->kind[kind].due_ms = now_ms + interval_ms[kind];
		return;
	}
	keep_fault(state, kind, outcome, detail);
	if (state->kind[kind].faults++ == 0)
		state->kind[kind].since_ms = now_ms;
	state->kind[kind].is_latched = outcome->reason == REASON_AUTH_REJECTED;
	state->kind[kind].due_ms = now_ms + pause_ms(state, kind, outcome, down_interval_ms, now_ms);
}

/* rank - what cannot be checked is worse than what is fine, and better than any fault */
static int rank(const struct outcome *outcome)
{
	return outcome->severity != SEVERITY_NONE ? 1 + (int)outcome->severity : outcome->reason != REASON_NONE;
}

const struct depth_fault *depth_fault(const struct depth_state *state, const struct outcome *shallow)
{
	const struct depth_fault *worst = NULL;
	int worst_rank = rank(shallow);

	for (int kind = 0; kind < DEPTH_KIND_COUNT; kind++) {
		const struct depth_fault *fault = state->kind[kind].fault;

		if (fault == NULL || rank(&fault->outcome) <= worst_rank)
			continue;
		worst = fault;
		worst_rank = rank(&fault->outcome);
	}
	return worst;
}

bool depth_recheck(struct depth_state *state)
{
	bool is_due = false;

	for (int kind = 0; kind < DEPTH_KIND_COUNT; kind++) {
		const struct depth_fault *fault = state->kind[kind].fault;
		bool is_unknown = fault != NULL && fault->outcome.reason == REASON_LOCAL_ERROR;

		if (is_unknown)
			state->kind[kind].due_ms = 0;
		is_due = is_due || is_unknown || state->kind[kind].is_latched;
	}
	return is_due;
}

void depth_forget(struct depth_state *state, enum depth_kind kind)
{
	free(state->kind[kind].fault);
	state->kind[kind].fault = NULL;
	state->kind[kind].faults = 0;
	state->kind[kind].is_latched = false;
	state->kind[kind].due_ms = 0;
}

void depth_free(struct depth_state *state)
{
	for (int kind = 0; kind < DEPTH_KIND_COUNT; kind++)
		free(state->kind[kind].fault);
}
