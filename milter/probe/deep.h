/*
 * deep - what a hop is probed for behind hello, from one probe to the next
 *
 * Lays what the last deep probe found (depth.h) over the results of the shallower ones in between.
 * Threads: the event thread.
 */
#ifndef FF_DEEP_H
#define FF_DEEP_H

#include "health/table.h"
#include "postfix/site.h"
#include "probe/depth.h"
#include "probe/prober.h"

/* All zero at first. */
struct deep {
	struct depth_state state;
	uint64_t tls_hash;  /* of what was asked of the server */
	bool is_rechecking; /* rejected credentials may be others now */
	unsigned char rejected[PROBE_PRINT_BYTES];
	bool has_short_print; /* only PROBE_SHORT_PRINT_BYTES of it are known */
};

/* deep_ask - fill in what this probe is to do behind hello */
void deep_ask(struct deep *deep, const struct plan *plan, int64_t now_ms, struct probe_request *request);

/* deep_take - keep what the probe found, and put into the findings what is known from before.  findings->detail may
 * point into deep then. */
void deep_take(struct deep *deep, const struct probe_result *result, struct findings *findings);

/* deep_recheck - configuration changed; true when a probe should look at once.  The same credentials are not sent
 * again. */
bool deep_recheck(struct deep *deep);

/* deep_forget - the operator asks: the next probe goes all the way, whatever was rejected before */
void deep_forget(struct deep *deep);

/* deep_copy - for somebody else to keep; false when out of memory */
bool deep_copy(struct deep *to, const struct deep *from);

/* deep_is_latched - credentials were rejected and are not sent again by themselves */
bool deep_is_latched(const struct deep *deep);

/* deep_is_blank - there is nothing to be kept */
bool deep_is_blank(const struct deep *deep);

/* deep_free - what it owns */
void deep_free(struct deep *deep);

#endif
