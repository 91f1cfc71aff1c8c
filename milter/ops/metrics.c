/*
 * metrics - numbers for Prometheus: counting
 */
#include "ops/metrics_private.h"

#include "base/clock.h"
#include "base/xmem.h"

#include <stdlib.h>
#include <string.h>

/* How often a full house is searched for hops that are gone. */
enum { SWEEP_MS = 60 * 1000 };

const int64_t metrics_limits_us[METRICS_BUCKETS - 1] = {5000, 50000, 500000, 2000000, 10000000};

static const char *escape_label(char byte)
{
	return byte == '"' ? "\\\"" : byte == '\\' ? "\\\\" : NULL;
}

static bool label_series(struct series *series, const char *name)
{
	struct text label = {0};

	text_say(&label, "\"");
	text_clean(&label, name, escape_label);
	text_say(&label, "\"");
	series->name = strdup(name);
	series->label = label.bytes;
	series->label_bytes = label.used;
	return series->name != NULL && !label.is_short;
}

static void free_series(struct series *series)
{
	free(series->name);
	free(series->label);
	free(series);
}

static void forget(struct metrics *metrics, struct series *series)
{
	HASH_DEL(metrics->series, series); /* NOLINT(clang-analyzer-unix.Malloc): not a freed one */
	metrics->learned -= series->is_learned;
	free_series(series);
}

void metrics_sweep(struct metrics *metrics)
{
	struct series *series, *next;

	metrics->swept_ms = clock_now_ms();
	HASH_ITER (hh, metrics->series, series, next) {
		/* cppcheck-suppress uninitvar ; HASH_ITER sets it */
		if (table_find(metrics->table, series->name) == NULL)
			forget(metrics, series);
	}
}

/* has_place - for one more learned hop */
static bool has_place(struct metrics *metrics)
{
	if (metrics->learned >= METRICS_LEARNED && clock_now_ms() - metrics->swept_ms >= SWEEP_MS)
		metrics_sweep(metrics);
	return metrics->learned < METRICS_LEARNED;
}

struct series *metrics_series(struct metrics *metrics, const char *name, bool is_learned)
{
	struct series *series;

	HASH_FIND_STR(metrics->series, name, series);
	if (series != NULL)
		return series;
	if (strchr(name, '@') != NULL || (is_learned && !has_place(metrics)))
		return &metrics->other;
	series = calloc(1, sizeof *series);
	if (series == NULL || !label_series(series, name)) {
		if (series != NULL)
			free_series(series);
		return &metrics->other;
	}
	series->is_learned = is_learned;
	metrics->learned += is_learned;
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): not a freed one */
	HASH_ADD_KEYPTR(hh, metrics->series, series->name, strlen(series->name), series);
	return series;
}

static void on_change(void *arg, const struct hop_view *view, const struct hop_change *change)
{
	struct metrics *metrics = arg;

	if (change->is_new_state)
		metrics_series(metrics, view->name, view->is_learned)->changes[change->to]++;
}

void metrics_count_result(
	struct metrics *metrics, const struct hop *hop, enum reason reason, int64_t took_us)
{
	struct series *series = metrics_series(metrics, hop_full_name(hop), hop_is_learned(hop));
	unsigned bucket = 0;

	series->results[reason]++;
	if (took_us < 0)
		return;
	while (bucket < METRICS_BUCKETS - 1 && took_us > metrics_limits_us[bucket])
		bucket++;
	series->durations[bucket]++;
	series->durations_us += (uint64_t)took_us;
}

static void on_result(void *arg, const struct hop *hop, enum reason reason, int64_t took_us)
{
	metrics_count_result(arg, hop, reason, took_us);
}

struct metrics *metrics_new(struct table *table, struct sched *sched, struct notify *notify)
{
	struct metrics *metrics = xcalloc(1, sizeof *metrics);

	metrics->table = table;
	metrics->sched = sched;
	metrics->other.label = xstrdup("\"(other)\"");
	metrics->other.label_bytes = strlen(metrics->other.label);
	sched_watch_results(sched, on_result, metrics);
	notify_add(notify, on_change, metrics);
	return metrics;
}
