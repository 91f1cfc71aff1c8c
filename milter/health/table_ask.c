/*
 * table_ask - the half of the table that everybody may use: looking, asking, teaching
 *
 * A hop that is removed while a thread waits for its result leaves the hash at once; the last waiter
 * frees it.
 */
#include "health/table_private.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

struct hop *table_lookup(struct table *table, const char *name)
{
	struct hop *hop;

	HASH_FIND_STR(table->hops, name, hop);
	return hop;
}

const struct check *hop_worst_check(const struct hop *hop)
{
	const struct check *found = NULL;

	for (int i = 0; i < CHECK_COUNT; i++)
		if (hop->has_check[i] && (found == NULL || hop->check[i].state > found->state))
			found = &hop->check[i];
	return found;
}

void table_fill_view(const struct hop *hop, int64_t now_ms, struct hop_view *out)
{
	const struct check *check = hop_worst_check(hop);

	(void)snprintf(out->name, sizeof out->name, "%s", hop->name);
	out->roles = hop->roles;
	out->is_local = hop->is_local;
	out->is_learned = hop->is_learned;
	out->state = check != NULL ? check->state : STATE_UNKNOWN;
	out->reason = check != NULL ? check->reason : REASON_NONE;
	(void)snprintf(out->detail, sizeof out->detail, "%s", hop->detail != NULL ? hop->detail : "");
	out->since = hop->since;
	out->last_probe = hop->last_probe;
	out->age_ms = hop->result_ms != 0 ? now_ms - hop->result_ms : -1;
	out->latency_us = hop->latency_us;
	memcpy(out->has_check, hop->has_check, sizeof out->has_check);
	memcpy(out->check, hop->check, sizeof out->check);
	if (check != NULL && machine_is_stale(check, hop->interval_ms, hop->due_ms, now_ms)) {
		out->state = STATE_UNKNOWN;
		out->reason = REASON_NONE;
		(void)snprintf(out->detail, sizeof out->detail, "no result for too long");
	}
}

bool table_look(struct table *table, const char *name, int64_t now_ms, struct hop_view *out)
{
	struct hop *hop;

	pthread_mutex_lock(&table->lock);
	hop = table_lookup(table, name);
	if (hop != NULL)
		table_fill_view(hop, now_ms, out);
	pthread_mutex_unlock(&table->lock);
	return hop != NULL;
}

/* wait_until - one wait for news, bounded; false when the time is over */
static bool wait_until(struct table *table, int64_t deadline_ms)
{
	int64_t left_ms = deadline_ms - clock_now_ms();
	struct timespec until;

	if (left_ms <= 0)
		return false;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += left_ms / 1000;
	until.tv_nsec += (left_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	table->waiters++;
	pthread_cond_timedwait(&table->news, &table->lock, &until);
	table->waiters--;
	return true;
}

/* wait_for_hop - a name may still be in the queue of what mail taught us */
static struct hop *wait_for_hop(struct table *table, const char *name, int64_t deadline_ms)
{
	uint64_t round = table->queue_rounds;
	struct hop *hop = table_lookup(table, name);

	while (hop == NULL && (table->queued > 0 || table->is_teaching) &&
		table->queue_rounds == round &&
		wait_until(table, deadline_ms))
		hop = table_lookup(table, name);
	return hop;
}

/* wait_for_result - the caller holds the lock and gets it back with hop still valid */
static void wait_for_result(struct table *table, struct hop *hop, int64_t max_wait_ms)
{
	uint64_t seen = hop->results;
	int64_t deadline_ms;

	if (hop->waiters == 0 && table->waited_hops >= TABLE_WAITED_HOPS)
		return;
	if (hop->waiters++ == 0)
		table->waited_hops++;
	do
		deadline_ms = (hop->started_ms != 0 ? hop->started_ms : hop->wanted_ms) + max_wait_ms;
	while (hop->results == seen && !hop->is_removed && wait_until(table, deadline_ms));
	if (--hop->waiters == 0)
		table->waited_hops--;
}

/* want - ask the scheduler for a probe, once until it has taken notice */
static void want(struct table *table, struct hop *hop, int64_t now_ms)
{
	if (hop->wanted_ms == 0)
		hop->wanted_ms = now_ms;
	if (hop->is_wanted || hop->is_removed)
		return;
	hop->is_wanted = true;
	DL_APPEND(table->wanted, hop);
	if (table->observer.wanted != NULL)
		table->observer.wanted(table->observer.arg);
}

/* usable_age - where nobody listens, looking again bothers nobody, and the first message after a repair shall
 * pass */
static int64_t usable_age(const struct hop *hop, int64_t max_age_ms)
{
	const struct check *check = hop_worst_check(hop);

	if (check != NULL && check->state == STATE_DOWN &&
		(check->reason == REASON_CONNECTION_REFUSED ||
			check->reason == REASON_SOCKET_MISSING))
		return max_age_ms / 10;
	return max_age_ms;
}

bool table_ask(struct table *table, const char *name, const struct freshness *freshness,
	struct hop_view *out)
{
	int64_t now_ms = clock_now_ms(), age_ms = INT64_MAX, usable_ms;
	struct hop *hop;

	pthread_mutex_lock(&table->lock);
	hop = wait_for_hop(table, name, now_ms + freshness->max_wait_ms);
	if (hop == NULL) {
		pthread_mutex_unlock(&table->lock);
		return false;
	}
	hop->used_ms = now_ms;
	if (hop->result_ms != 0)
		age_ms = now_ms - hop->result_ms;
	usable_ms = usable_age(hop, freshness->max_age_ms);
	if (hop->is_local && age_ms > usable_ms * 3 / 4)
		want(table, hop, now_ms);
	if (hop->is_local && age_ms > usable_ms)
		wait_for_result(table, hop, freshness->max_wait_ms);
	table_fill_view(hop, clock_now_ms(), out);
	if (hop->is_removed && hop->waiters == 0)
		hop_free(hop);
	pthread_mutex_unlock(&table->lock);
	return true;
}

void table_learn(struct table *table, const char *name, enum hop_role role)
{
	struct learned *place;

	pthread_mutex_lock(&table->lock);
	if (table->queued < TABLE_LEARN_QUEUE) {
		place = &table->queue[table->queued++];
		(void)snprintf(place->name, sizeof place->name, "%s", name);
		place->role = role;
		if (table->observer.wanted != NULL)
			table->observer.wanted(table->observer.arg);
	}
	pthread_mutex_unlock(&table->lock);
}
