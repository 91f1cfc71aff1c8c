/*
 * metrics_private - what the files of metrics share
 *
 * metrics.c counts, metrics_text.c writes.
 */
#ifndef FF_METRICS_PRIVATE_H
#define FF_METRICS_PRIVATE_H

#include "ops/metrics.h"

#include <uthash.h>

enum { METRICS_BUCKETS = 6 };

/* The numbers of one hop. */
struct series {
	UT_hash_handle hh;
	char *name;
	char *label; /* the name as the value of a label, in quotes */
	size_t label_bytes;
	bool is_learned; /* takes one of METRICS_LEARNED places */
	uint64_t results[REASON_COUNT];
	uint64_t changes[STATE_COUNT];
	uint64_t durations[METRICS_BUCKETS]; /* each in one bucket */
	uint64_t durations_us;
};

struct metrics {
	struct table *table;
	struct sched *sched;
	struct series *series;
	struct series other;
	unsigned learned;
	int64_t swept_ms;
};

/* metrics_limits_us - of the buckets of durations, but the last one, which has no limit */
extern const int64_t metrics_limits_us[METRICS_BUCKETS - 1];

/* metrics_series - of a hop, made when there is none yet; maybe that of all others */
struct series *metrics_series(struct metrics *metrics, const char *name, bool is_learned);

/* metrics_sweep - forget what belongs to hops that are gone */
void metrics_sweep(struct metrics *metrics);

#endif
