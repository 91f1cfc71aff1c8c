/*
 * machine - from results of probes to the state of a check
 *
 * One function takes results in.  A success out of "unknown" counts at once (in doubt accept), one
 * out of "down" only after `rise` in a row; a failure brings "down" at once when it is hard, else
 * after `fall` in a row.  "degraded" passes mail, so it needs no second opinion either way.  What
 * Postfix's log says of a failure counts, but decides nothing.
 *
 * Flapping.  A relay that falls and returns all the time would have mail refused and accepted by turns,
 * and tell its operator a hundred times.  In doubt mail is accepted, so such a check is held at degraded.
 * Yet what is really down stays down, and must be refused: so the hold ends when nothing changes any more.
 * What this host itself refuses is known and not in doubt; restarting a filter ten times is no flapping.
 */
#include "health/machine.h"

#include <stddef.h>
#include <string.h>

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

/* turn - the last run of results has decided; a fall is counted when it was seen to work before */
static void turn(struct check *check, enum opinion opinion, bool is_hard, int64_t now_ms)
{
	if (check->opinion == opinion)
		return;
	if (opinion == OPINION_FAILS && check->opinion == OPINION_PASSES && !is_hard) {
		memmove(&check->fell_ms[0], &check->fell_ms[1],
			sizeof check->fell_ms - sizeof check->fell_ms[0]);
		check->fell_ms[FLAP_FALLS - 1] = now_ms;
	}
	check->opinion = opinion;
	check->turned_ms = now_ms;
}

/* is_quiet - nothing has changed for long enough to believe it */
static bool is_quiet(const struct check *check, int64_t now_ms)
{
	return now_ms - check->turned_ms >= FLAP_QUIET_MS;
}

static bool falls_often(const struct check *check, int64_t now_ms)
{
	return check->fell_ms[0] != 0 && now_ms - check->fell_ms[0] <= FLAP_WINDOW_MS;
}

static bool is_held(const struct check *check)
{
	return check->state == STATE_DEGRADED && check->reason == REASON_FLAPPING;
}

/* fail - one failure more */
static bool fail(struct check *check, const struct machine_policy *policy,
	const struct outcome *outcome, int64_t now_ms)
{
	check->successes = 0;
	if (check->failures < policy->fall)
		check->failures++;
	if (machine_is_failing(check) || outcome->is_hard)
		check->failures = policy->fall;
	if (check->failures < policy->fall)
		return false;
	turn(check, OPINION_FAILS, outcome->is_hard, now_ms);
	if (is_held(check) && !outcome->is_hard && !is_quiet(check, now_ms))
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
	if (machine_is_failing(check) && check->successes < policy->rise)
		return false;
	check->successes = policy->rise;
	turn(check, OPINION_PASSES, false, now_ms);
	if (falls_often(check, now_ms) && !is_quiet(check, now_ms))
		return enter(check, STATE_DEGRADED, REASON_FLAPPING, now_ms);
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
		check->opinion = OPINION_NONE;
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

bool machine_is_failing(const struct check *check)
{
	return check->state == STATE_DOWN || check->opinion == OPINION_FAILS;
}

bool machine_is_settled(const struct check *check)
{
	if (machine_is_failing(check))
		return check->successes == 0;
	switch (check->state) {
	case STATE_UP:
	case STATE_DEGRADED:
		return check->failures == 0;
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
