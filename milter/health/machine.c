/*
 * machine - from results of probes to the state of a check
 *
 * One function takes results in.  A success out of "unknown" counts at once (in doubt accept), one
 * out of "down" only after `rise` in a row; a failure brings "down" at once when it is hard, else
 * after `fall` in a row.  "degraded" passes mail, so it needs no second opinion either way.  What
 * Postfix's log says of a failure counts, but decides nothing.
 */
#include "health/machine.h"

#include <stddef.h>

static const char *const names[STATE_COUNT] = {
	[STATE_UP] = "up",
	[STATE_UNKNOWN] = "unknown",
	[STATE_DEGRADED] = "degraded",
	[STATE_DOWN] = "down",
	[STATE_FORCED_UP] = "forced-up",
	[STATE_FORCED_DOWN] = "forced-down",
};

const char *state_name(enum state state)
{
	return names[state];
}

/* enter - every change of state and of its reason goes through here */
static bool enter(struct check *check, enum state state, enum reason reason, int64_t now_ms)
{
	bool changed = check->state != state || check->reason != reason;

	if (check->state != state)
		check->since_ms = now_ms;
	check->state = state;
	check->reason = reason;
	return changed;
}

/* fail - one failure more */
static bool fail(struct check *check, const struct machine_policy *policy,
	const struct outcome *outcome, int64_t now_ms)
{
	check->successes = 0;
	if (check->failures < policy->fall)
		check->failures++;
	if (check->state == STATE_DOWN || outcome->is_hard)
		check->failures = policy->fall;
	if (check->failures < policy->fall)
		return false;
	return enter(check, STATE_DOWN, outcome->reason, now_ms);
}

/* pass - one success more; a degraded one names its reason */
static bool pass(struct check *check, const struct machine_policy *policy,
	const struct outcome *outcome, int64_t now_ms)
{
	check->failures = 0;
	if (check->successes < policy->rise)
		check->successes++;
	if (check->state == STATE_DOWN && check->successes < policy->rise)
		return false;
	check->successes = policy->rise;
	return enter(check, outcome->reason == REASON_NONE ? STATE_UP : STATE_DEGRADED,
		outcome->reason, now_ms);
}

bool machine_apply(struct check *check, const struct machine_policy *policy,
	const struct outcome *outcome, int64_t now_ms)
{
	check->result_ms = now_ms;
	check->is_accused = false;
	if (outcome->reason == REASON_LOCAL_ERROR) {
		check->successes = check->failures = 0;
		return enter(check, STATE_UNKNOWN, REASON_LOCAL_ERROR, now_ms);
	}
	if (outcome->severity == SEVERITY_DOWN)
		return fail(check, policy, outcome, now_ms);
	return pass(check, policy, outcome, now_ms);
}

bool machine_accuse(struct check *check, const struct machine_policy *policy)
{
	if (check->state == STATE_DOWN || check->is_accused || check->failures + 1 >= policy->fall)
		return false;
	check->is_accused = true;
	check->failures++;
	return true;
}

bool machine_is_settled(const struct check *check)
{
	switch (check->state) {
	case STATE_UP:
	case STATE_DEGRADED:
		return check->failures == 0;
	case STATE_DOWN:
		return check->successes == 0;
	default:
		return check->reason == REASON_LOCAL_ERROR && check->failures == 0;
	}
}

bool machine_is_stale(const struct check *check, int64_t interval_ms, int64_t due_ms,
	int64_t now_ms)
{
	return check->result_ms != 0 && now_ms > check->result_ms + 3 * interval_ms &&
	       now_ms > due_ms;
}
