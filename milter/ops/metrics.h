/*
 * metrics - numbers for Prometheus
 *
 * What can be looked up is looked up when somebody asks; what cannot (how often, how long) is
 * counted here for each hop. A hop that is gone takes its numbers with it.
 *
 * No mail address becomes a label: a hop whose name has an "@" is counted in hop="(other)".  So are
 * learned hops beyond METRICS_LEARNED, which mail could make any number of.
 *
 * Event thread only.
 */
#ifndef FF_METRICS_H
#define FF_METRICS_H

#include "base/text.h"
#include "health/table.h"
#include "ops/notify.h"
#include "probe/sched.h"

enum { METRICS_LEARNED = 1000 };

struct metrics;

/* metrics_new - counts from now on; all of these must outlive it.  Before the first sched_apply().
 * Never NULL, lives as long as the process. */
struct metrics *metrics_new(struct table *table, struct sched *sched, struct notify *notify);

/* metrics_count_result - one probe; the scheduler's results come here by themselves */
void metrics_count_result(
	struct metrics *metrics, const struct hop *hop, enum reason reason, int64_t took_us);

/* metrics_write - all of it in the text format of Prometheus, version 0.0.4 */
void metrics_write(struct metrics *metrics, struct text *out);

#endif
