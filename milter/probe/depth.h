/*
 * depth - how deep the next probe of a hop goes
 *
 * What lies behind EHLO or LHLO (TLS, authentication, a recipient) costs the server more than a look, so it is done now
 * and then; in between shallower probes go on, and what the last deep one found stays valid: a shallower failure
 * shows at once, a shallow success does not cure a deep fault.
 *
 * A deep fault is looked at again at once, until it is believed.  Then it depends on how soon its repair has to be seen, and
 * on what looking costs the server:
 * - one of TLS with each probe, which the server hardly feels; one that does not stop mail every DEPTH_WARNING_MS;
 * - no mechanism for authentication with each probe, for nothing is sent;
 * - a server that says "later" (4xx) to AUTH or to a recipient at the pace of a hop that is down (pace.h): it said itself
 *   that it is to be asked again, and so does every message in Postfix's queue;
 * - everything else ever more seldom, from DEPTH_RETRY_MS to DEPTH_RETRY_MAX_MS.
 * Rejected credentials are never tried again by themselves, because servers lock accounts.
 *
 * Pure: time is a parameter (clock_now_ms()).
 */
#ifndef FF_DEPTH_H
#define FF_DEPTH_H

#include "health/machine.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	DEPTH_TLS_MS = 600 * 1000,	 /* between two handshakes that are fine */
	DEPTH_AUTH_MS = 3600 * 1000,	 /* between two authentications that are fine */
	DEPTH_RECIPIENT_MS = 600 * 1000, /* between two recipients that are fine */
	DEPTH_CONFIRM = 3,		 /* faults in a row that are looked at again with the next probe */
	DEPTH_RETRY_MS = 15 * 1000,	 /* after those, doubled each time up to: */
	DEPTH_RETRY_MAX_MS = 300 * 1000,
	DEPTH_WARNING_MS = 60 * 1000, /* between two looks at what may be wrong with TLS */
	DEPTH_DETAIL_BYTES = 256,
};

/* What a hop is probed for beyond hello. */
enum depth_kind { DEPTH_KIND_TLS, DEPTH_KIND_AUTH, DEPTH_KIND_RECIPIENT, DEPTH_KIND_COUNT };

/* A fault that a deep probe found. */
struct depth_fault {
	struct outcome outcome;
	char detail[DEPTH_DETAIL_BYTES];
};

struct depth_state {
	struct {
		int64_t due_ms; /* 0: at once */
		int64_t since_ms; /* of the first of the faults in a row */
		unsigned faults;
		bool is_latched;	   /* not again by itself */
		struct depth_fault *fault; /* NULL: none known */
	} kind[DEPTH_KIND_COUNT];
};

/* depth_due - is it time for that? */
bool depth_due(const struct depth_state *state, enum depth_kind kind, int64_t now_ms);

/* depth_record - a probe went so far and found this; a shallower failure is not recorded */
void depth_record(struct depth_state *state, enum depth_kind kind, const struct outcome *outcome,
	const char *detail, int64_t down_interval_ms, int64_t now_ms);

/* depth_fault - what to say in place of a shallow success of this outcome, NULL: nothing worse is known */
const struct depth_fault *depth_fault(const struct depth_state *state, const struct outcome *shallow);

/* depth_recheck - configuration changed: what could not be checked is due, and rejected credentials may be others now,
 * which is for the caller to see; true when there is something to do */
bool depth_recheck(struct depth_state *state);

/* depth_forget - begin anew: the next probe goes all the way */
void depth_forget(struct depth_state *state, enum depth_kind kind);

/* depth_free - what the state owns */
void depth_free(struct depth_state *state);

#endif
