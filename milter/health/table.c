/*
 * table - the health of every hop: the half of the event thread, its only writer
 */
#include "health/table_private.h"

#include "base/clock.h"
#include "base/xmem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct table *table_new(void)
{
	struct table *table = xcalloc(1, sizeof *table);
	pthread_condattr_t attr;

	table->queue = xcalloc(TABLE_LEARN_QUEUE, sizeof *table->queue);
	pthread_mutex_init(&table->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&table->news, &attr);
	pthread_condattr_destroy(&attr);
	return table;
}

void hop_free(struct hop *hop)
{
	free(hop->name);
	free(hop->detail);
	free(hop->mail);
	free(hop);
}

void table_free(struct table *table)
{
	struct hop *hop, *next;

	if (table == NULL)
		return;
	HASH_ITER(hh, table->hops, hop, next)
	{
		HASH_DEL(table->hops, hop); /* NOLINT(clang-analyzer-unix.Malloc): not the freed one */
		hop_free(hop);
	}
	table_overrides_free(table);
	table_forget_memories(table);
	pthread_cond_destroy(&table->news);
	pthread_mutex_destroy(&table->lock);
	free(table->queue);
	free(table);
}

void table_observe(struct table *table, const struct table_observer *observer)
{
	table->observer = *observer;
}

unsigned table_count(struct table *table)
{
	unsigned count;

	pthread_mutex_lock(&table->lock);
	count = HASH_COUNT(table->hops);
	pthread_mutex_unlock(&table->lock);
	return count;
}

/* news - the caller holds the lock and changed something that askers wait for */
static void news(struct table *table)
{
	if (table->waiters > 0)
		pthread_cond_broadcast(&table->news);
}

bool table_learned_next(struct table *table, char name[HOP_NAME_BYTES], enum hop_role *role)
{
	bool is_there;

	pthread_mutex_lock(&table->lock);
	is_there = table->queued > 0;
	if (is_there) {
		struct learned *last = &table->queue[--table->queued];

		(void)snprintf(name, HOP_NAME_BYTES, "%s", last->name);
		*role = last->role;
	} else {
		table->queue_rounds++;
		news(table);
	}
	table->is_teaching = is_there;
	pthread_mutex_unlock(&table->lock);
	return is_there;
}

static struct hop *hop_new(const char *name)
{
	struct hop *hop = xcalloc(1, sizeof *hop);

	hop->name = xstrdup(name);
	hop->is_marked = true;
	hop->latency_us = -1;
	hop->since = clock_wall();
	hop->state = hop->reported = STATE_UNKNOWN;
	for (int i = 0; i < CHECK_COUNT; i++)
		hop->check[i].state = STATE_UNKNOWN;
	return hop;
}

static void set_base(struct hop *hop, struct hop *base)
{
	if (hop->base == base)
		return;
	if (hop->base != NULL)
		hop->base->dependents--;
	if (base != NULL)
		base->dependents++;
	hop->base = base;
}

static struct hop *put(struct table *table, const struct hop_settings *settings, bool is_learned,
	int64_t now_ms)
{
	struct hop *hop;
	bool is_new;

	pthread_mutex_lock(&table->lock);
	hop = table_lookup(table, settings->name);
	is_new = hop == NULL;
	if (is_new) {
		hop = hop_new(settings->name);
		hop->is_learned = is_learned;
		hop->used_ms = now_ms;
		table->learned += is_learned;
		table->generation++;
		HASH_ADD_KEYPTR(hh, table->hops, hop->name, strlen(hop->name), hop);
	}
	hop->roles = hop->is_marked ? settings->roles : hop->roles | settings->roles;
	hop->is_marked = false;
	if (hop->is_learned && !is_learned)
		table->learned--;
	hop->is_learned = hop->is_learned && is_learned;
	if (hop->result_ms == 0)
		hop->is_local = settings->is_local;
	hop->interval_ms = settings->interval_ms;
	hop->down_interval_ms = settings->down_interval_ms;
	hop->is_probed = settings->is_probed;
	if (!hop->is_probed)
		memset(hop->has_check, 0, sizeof hop->has_check);
	set_base(hop, settings->base);
	if (is_new)
		table_recall(table, hop);
	news(table);
	pthread_mutex_unlock(&table->lock);
	return hop;
}

struct hop *table_put(struct table *table, const struct hop_settings *settings, int64_t now_ms)
{
	return put(table, settings, false, now_ms);
}

struct hop *table_put_learned(struct table *table, const struct hop_settings *settings,
	int64_t now_ms)
{
	return put(table, settings, true, now_ms);
}

struct hop *table_find(struct table *table, const char *name)
{
	struct hop *hop;

	pthread_mutex_lock(&table->lock);
	hop = table_lookup(table, name);
	pthread_mutex_unlock(&table->lock);
	return hop;
}

void table_mark(struct table *table)
{
	struct hop *hop, *next;

	pthread_mutex_lock(&table->lock);
	HASH_ITER(hh, table->hops, hop, next)
	{
		hop->is_marked = true;
	}
	pthread_mutex_unlock(&table->lock);
}

void table_remove(struct table *table, struct hop *hop)
{
	pthread_mutex_lock(&table->lock);
	HASH_DEL(table->hops, hop);
	table->learned -= hop->is_learned;
	if (hop->is_wanted)
		DL_DELETE(table->wanted, hop);
	set_base(hop, NULL);
	hop->is_removed = true;
	hop->override = NULL; /* it may end before those who hold the hop */
	if (hop->holds > 0)
		news(table);
	else
		hop_free(hop);
	pthread_mutex_unlock(&table->lock);
}

void table_sweep(struct table *table, bool (*gone)(void *arg, struct hop *hop), void *arg)
{
	struct hop *hop, *next;

	/* Only this thread changes the hash, so it may be walked without the lock.  Twice: a transport goes when the
	 * last hop that uses it has gone. */
	for (int round = 0; round < 2; round++) {
		HASH_ITER(hh, table->hops, hop, next)
		{
			/* cppcheck-suppress uninitvar ; HASH_ITER sets it */
			if (hop->is_marked && hop->dependents == 0 && gone(arg, hop))
				table_remove(table, hop);
		}
	}
}

unsigned table_learned_count(struct table *table)
{
	unsigned count;

	pthread_mutex_lock(&table->lock);
	count = table->learned;
	pthread_mutex_unlock(&table->lock);
	return count;
}

struct hop *table_oldest_learned(struct table *table)
{
	struct hop *hop, *next, *oldest = NULL;

	pthread_mutex_lock(&table->lock);
	HASH_ITER(hh, table->hops, hop, next)
	{
		/* cppcheck-suppress uninitvar ; HASH_ITER sets it */
		if (hop->is_learned && hop->dependents == 0 && hop->override == NULL &&
			(oldest == NULL || hop->used_ms < oldest->used_ms))
			oldest = hop;
	}
	pthread_mutex_unlock(&table->lock);
	return oldest;
}

bool table_is_forgotten(struct table *table, const struct hop *hop, int64_t ttl_ms, int64_t now_ms)
{
	bool is_forgotten;

	pthread_mutex_lock(&table->lock);
	is_forgotten = hop->is_learned && hop->dependents == 0 && hop->override == NULL &&
		       now_ms - hop->used_ms > ttl_ms;
	pthread_mutex_unlock(&table->lock);
	return is_forgotten;
}

void table_probe_begins(struct table *table, struct hop *hop, int64_t now_ms, int64_t due_ms)
{
	pthread_mutex_lock(&table->lock);
	hop->started_ms = now_ms;
	hop->due_ms = due_ms;
	pthread_mutex_unlock(&table->lock);
}

void table_set_pause(struct table *table, struct hop *hop, int64_t pause_ms)
{
	if (hop->pause_ms == pause_ms)
		return;
	pthread_mutex_lock(&table->lock);
	hop->pause_ms = pause_ms;
	pthread_mutex_unlock(&table->lock);
}

struct hop *table_next_wanted(struct table *table)
{
	struct hop *hop;

	pthread_mutex_lock(&table->lock);
	hop = table->wanted;
	if (hop != NULL) {
		DL_DELETE(table->wanted, hop);
		hop->is_wanted = false;
	}
	pthread_mutex_unlock(&table->lock);
	return hop;
}

/* replace_detail - the detail belongs to the last fault; none is left when the hop is up.  What is said about other checks
 * than that which decides does not replace it. */
static void replace_detail(struct hop *hop, const struct findings *findings)
{
	const struct check *worst = hop_own_worst(hop);
	const char *detail = findings->detail;

	if (worst != NULL && worst->state != STATE_UP && !findings->has[worst - hop->check])
		return;
	if (hop->detail != NULL && strcmp(hop->detail, detail) == 0)
		return;
	free(hop->detail);
	hop->detail = *detail != '\0' ? strdup(detail) : NULL;
}

void hop_settle(struct hop *hop)
{
	enum state state = hop_standing(hop).state;

	if (state != hop->state)
		hop->since = clock_wall();
	hop->state = state;
}

/* settle_all - the hop, and those that depend on it */
static void settle_all(struct table *table, struct hop *changed)
{
	struct hop *hop, *next;

	hop_settle(changed);
	if (changed->dependents == 0)
		return;
	HASH_ITER(hh, table->hops, hop, next)
	{
		/* cppcheck-suppress uninitvar ; HASH_ITER sets it */
		if (hop->base == changed)
			hop_settle(hop);
	}
}

/* note_probe - when it was, and that nobody has to wait for it any more */
static void note_probe(struct hop *hop, const struct findings *findings)
{
	hop->is_local = findings->is_local;
	hop->latency_us = findings->latency_us;
	if (findings->has_tls)
		hop->tls_not_after = findings->tls_not_after;
	hop->result_ms = findings->evidence_ms;
	hop->last_probe = clock_wall();
	hop->started_ms = 0;
	hop->wanted_ms = 0;
	hop->due_ms = 0;
	hop->results++;
}

void table_record(struct table *table, struct hop *hop, const struct machine_policy *policy,
	const struct findings *findings)
{
	enum state before;

	pthread_mutex_lock(&table->lock);
	before = hop_own_worst(hop) != NULL ? hop_own_worst(hop)->state : STATE_COUNT;
	for (int i = 0; i < CHECK_COUNT; i++) {
		if (!findings->has[i])
			continue;
		hop->has_check[i] = true;
		(void)machine_apply(&hop->check[i], policy, &findings->outcome[i], findings->evidence_ms);
	}
	hop_confirm(hop, findings);
	if (hop_own_worst(hop) == NULL || hop_own_worst(hop)->state != before)
		settle_all(table, hop);
	replace_detail(hop, findings);
	if (!findings->is_aside)
		note_probe(hop, findings);
	news(table);
	pthread_mutex_unlock(&table->lock);
}

void table_forget_check(struct table *table, struct hop *hop, enum hop_check check)
{
	pthread_mutex_lock(&table->lock);
	hop->has_check[check] = false;
	hop->check[check] = (struct check){.state = STATE_UNKNOWN};
	settle_all(table, hop);
	pthread_mutex_unlock(&table->lock);
}

bool table_take_change(struct table *table, struct hop *hop, struct hop_change *change)
{
	struct standing standing;
	bool is_changed;

	pthread_mutex_lock(&table->lock);
	standing = hop_standing(hop);
	change->from = hop->reported;
	change->to = standing.state;
	change->is_new_state = change->from != change->to;
	is_changed = change->is_new_state || standing.reason != hop->reported_reason;
	change->is_first = !hop->was_reported;
	hop->was_reported = hop->was_reported || change->is_new_state;
	hop->reported = standing.state;
	hop->reported_reason = standing.reason;
	pthread_mutex_unlock(&table->lock);
	return is_changed;
}

void table_each_dependent(struct table *table, struct hop *base,
	void (*fn)(void *arg, struct hop *hop), void *arg)
{
	struct hop *hop, *next;

	HASH_ITER(hh, table->hops, hop, next)
	{
		/* cppcheck-suppress uninitvar ; HASH_ITER sets it */
		if (hop->base == base)
			fn(arg, hop);
	}
}

void table_view(struct table *table, const struct hop *hop, int64_t now_ms, struct hop_view *out)
{
	pthread_mutex_lock(&table->lock);
	table_fill_view(hop, now_ms, out);
	table_sum_mail(hop, now_ms, out->mail);
	pthread_mutex_unlock(&table->lock);
}

static int by_name(const struct hop *a, const struct hop *b)
{
	return strcmp(a->name, b->name);
}

void table_each(struct table *table, void (*fn)(void *arg, struct hop *hop), void *arg)
{
	struct hop *hop, *next;

	/* Removing one keeps the order. */
	if (table->sorted != table->generation) {
		pthread_mutex_lock(&table->lock);
		HASH_SORT(table->hops, by_name);
		pthread_mutex_unlock(&table->lock);
		table->sorted = table->generation;
	}
	HASH_ITER(hh, table->hops, hop, next)
	{
		fn(arg, hop);
	}
}
