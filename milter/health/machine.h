/*
 * machine - from results of probes to the state of a check, and from checks to the state of a hop
 *
 * Pure: time is a parameter, nothing is looked up, nothing is kept but what the caller hands in.
 */
#ifndef FF_MACHINE_H
#define FF_MACHINE_H

#include "health/reason.h"

#include <stdbool.h>
#include <stdint.h>

/* In order of how bad it is: the state of a hop is the greatest of its checks' states.  "unknown"
 * is worse than "up" because a hop of which one check could not be made is not known to be up. */
enum state {
	STATE_UP,
	STATE_UNKNOWN,
	STATE_DEGRADED,
	STATE_DOWN,
	STATE_FORCED_UP,
	STATE_FORCED_DOWN,
	STATE_COUNT
};

/* state_name - "up", "unknown", "degraded", "down", "forced-up", "forced-down" */
const char *state_name(enum state state);

/* What one probe says about one check. */
struct outcome {
	enum reason reason;	/* REASON_NONE: it works */
	enum severity severity; /* of this fault here; SEVERITY_NONE with REASON_NONE or local-error */
	bool is_hard;		/* needs no second opinion: refused or missing on this host */
};

struct machine_policy {
	unsigned rise; /* successes in a row that end "down" */
	unsigned fall; /* failures in a row that begin it, unless hard */
};

/* What the last run of results says, whatever state it was held at. */
enum opinion { OPINION_NONE, OPINION_PASSES, OPINION_FAILS };

/*
 * A check that falls often is held at degraded, "flapping": from its return after the FLAP_FALLS-th fall within
 * FLAP_WINDOW_MS on, it passes mail with a tag, whatever it does next, until it has passed or failed for FLAP_QUIET_MS
 * without a change.  Then it is what it is, up or down.  Hard failures are certain: they are neither counted nor held.
 */
enum { FLAP_FALLS = 3, FLAP_WINDOW_MS = 10 * 60 * 1000, FLAP_QUIET_MS = 60 * 1000 };

struct check {
	enum state state;
	enum reason reason;	/* of the state; REASON_NONE when up */
	unsigned successes;	/* in a row, up to rise */
	unsigned failures;	/* in a row, up to fall */
	bool is_accused;	/* somebody else's failure is among them: machine_accuse() */
	int64_t since_ms;	/* monotonic time of the last change of state */
	int64_t result_ms;	/* monotonic time of the last result, 0: never */
	enum opinion opinion;
	int64_t turned_ms;	     /* when it changed last */
	int64_t fell_ms[FLAP_FALLS]; /* the last falls, the oldest first; 0: none */
};

/*
 * machine_apply - take one outcome in; true when the state or its reason changed.
 *
 * local-error makes the check unknown at once and starts every count anew: what we could not find out
 * is never held against the hop.
 */
bool machine_apply(struct check *check, const struct machine_policy *policy,
	const struct outcome *outcome, int64_t now_ms);

/*
 * machine_accuse - Postfix says that it does not work; true when that counts.
 *
 * It counts as one failure, but the failure that decides is always a probe's: it never changes the state, the last
 * place up to fall stays free, and only one counts until the next result.  A check that is down needs no more.
 */
bool machine_accuse(struct check *check, const struct machine_policy *policy);
/* machine_is_failing - down, or held at degraded although it fails */
bool machine_is_failing(const struct check *check);

/* machine_is_settled - false while a run of successes or failures has not decided yet: then the next
 * probe is due after the fast interval */
bool machine_is_settled(const struct check *check);

/*
 * machine_is_stale - no result for three intervals although none can be under way: the prober hangs.
 * due_ms: when the probe in flight must have ended at the latest, 0 if none is.
 */
bool machine_is_stale(const struct check *check, int64_t interval_ms, int64_t due_ms,
	int64_t now_ms);

#endif
