/*
 * table_ask - the half of the table that everybody may use: looking, asking, teaching
 *
 * A hop that is removed while a thread waits for its result leaves the hash at once; the last waiter
 * frees it.
 */
#include "health/table_private.h"

#include "base/clock.h"
#include "base/copy.h"

#include <string.h>

struct hop *table_lookup(struct table *table, const char *name)
{
	struct hop *hop;

	HASH_FIND_STR(table->hops, name, hop);
	return hop;
}

const struct check *hop_own_worst(const struct hop *hop)
{
	const struct check *found = NULL;

	for (int i = 0; i < CHECK_COUNT; i++)
		if (hop->has_check[i] && (found == NULL || hop->check[i].state > found->state))
			found = &hop->check[i];
	return found;
}

/* base_worst - of the checks that a transport shares with the hops that use it: a server is that of one hop alone */
static const struct check *base_worst(const struct hop *base)
{
	const struct check *found = NULL;

	for (int i = 0; i < CHECK_SERVER; i++)
		if (base->has_check[i] && (found == NULL || base->check[i].state > found->state))
			found = &base->check[i];
	return found;
}

const struct check *hop_worst(const struct hop *hop, const struct hop **owner)
{
	/* A part that was never checked makes the whole unknown, unless the other is worse. */
	static const struct check unchecked = {.state = STATE_UNKNOWN};
	const struct check *own = hop_own_worst(hop), *base = NULL;

	if (own == NULL && hop->is_probed)
		own = &unchecked;
	if (hop->base != NULL)
		base = base_worst(hop->base) != NULL ? base_worst(hop->base) : &unchecked;
	/* The transport comes first on the way. */
	if (base != NULL && (own == NULL || base->state >= own->state)) {
		if (owner != NULL)
			*owner = hop->base;
		return base;
	}
	if (owner != NULL)
		*owner = hop;
	return own;
}

struct standing hop_standing(const struct hop *hop)
{
	const struct check *check;

	if (hop->override != NULL)
		return hop->override->is_up ? (struct standing){STATE_FORCED_UP, REASON_NONE}
					    : (struct standing){STATE_FORCED_DOWN, REASON_MAINTENANCE};
	check = hop_worst(hop, NULL);
	return check != NULL ? (struct standing){check->state, check->reason}
			     : (struct standing){STATE_UNKNOWN, REASON_NONE};
}

static bool is_stale(const struct hop *hop, const struct check *check, int64_t now_ms)
{
	return hop->is_probed && check != NULL &&
	       machine_is_stale(check,
		       hop->pause_ms > hop->interval_ms ? hop->pause_ms : hop->interval_ms, hop->due_ms,
		       now_ms);
}

/* copy_checks - of the hop and of its transport, which has others */
static void copy_checks(const struct hop *hop, struct hop_view *out)
{
	for (int i = 0; i < CHECK_COUNT; i++) {
		const struct hop *owner =
			!hop->has_check[i] && hop->base != NULL && i != CHECK_SERVER ? hop->base : hop;

		out->has_check[i] = owner->has_check[i];
		out->check[i] = owner->check[i];
	}
}

/* source - the half of a hop that its latency and times are taken from */
static const struct hop *source(const struct hop *hop)
{
	return hop->is_probed || hop->base == NULL ? hop : hop->base;
}

/* fill_override - the operator's word goes over what is found */
static void fill_override(const struct hop *hop, struct hop_view *out)
{
	const struct override *override = hop->override;
	const struct standing standing = hop_standing(hop);

	out->probed_state = out->state;
	out->probed_reason = out->reason;
	out->is_forced = override != NULL;
	out->forced_until = override != NULL ? override->until : 0;
	if (override == NULL)
		return;
	out->state = standing.state;
	out->reason = standing.reason;
	copy_text(out->detail, sizeof out->detail, override->comment);
}

void table_fill_view(const struct hop *hop, int64_t now_ms, struct hop_view *out)
{
	const struct hop *owner = hop, *from = source(hop);
	const struct check *check = hop_worst(hop, &owner);

	copy_text(out->name, sizeof out->name, hop->name);
	out->roles = hop->roles;
	out->is_local = hop->is_local;
	out->is_learned = hop->is_learned;
	out->state = check != NULL ? check->state : STATE_UNKNOWN;
	out->reason = check != NULL ? check->reason : REASON_NONE;
	copy_text(out->detail, sizeof out->detail, owner->detail);
	out->since = hop->since;
	out->last_probe = from->last_probe;
	out->age_ms = from->result_ms != 0 ? now_ms - from->result_ms : -1;
	out->latency_us = from->latency_us;
	out->tls_not_after = from->tls_not_after;
	copy_checks(hop, out);
	memset(out->mail, 0, sizeof out->mail);
	out->is_stale = is_stale(hop, hop_own_worst(hop), now_ms) ||
			(hop->base != NULL && is_stale(hop->base, base_worst(hop->base), now_ms));
	if (out->is_stale) {
		out->state = STATE_UNKNOWN;
		out->reason = REASON_NONE;
		copy_text(out->detail, sizeof out->detail, "no result for too long");
	}
	fill_override(hop, out);
}

bool table_look(struct table *table, const char *name, int64_t now_ms, struct hop_view *out)
{
	struct hop *hop;

	pthread_mutex_lock(&table->lock);
	hop = table_lookup(table, name);
	if (hop != NULL) {
		table_fill_view(hop, now_ms, out);
		table_sum_mail(hop, now_ms, out->mail);
	}
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

/* wait_for_hop - one that is not there may still be in the queue of what mail taught us */
static struct hop *wait_for_hop(struct table *table, const char *name, int64_t deadline_ms)
{
	uint64_t round = table->queue_rounds;
	struct hop *hop = NULL;

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
	static const enum reason cheap[] = {REASON_CONNECTION_REFUSED, REASON_SOCKET_MISSING,
		REASON_TRANSPORT_UNDEFINED, REASON_TRANSPORT_REFUSED};
	const struct check *check = hop_own_worst(hop);

	for (size_t i = 0; i < sizeof cheap / sizeof *cheap; i++)
		if (check != NULL && check->state == STATE_DOWN && check->reason == cheap[i])
			return max_age_ms / 50;
	return max_age_ms;
}

/* freshen - see to it that the hop's own checks are fresh; the caller holds lock and hop.  Returns the time, which has
 * gone on if it waited. */
static int64_t freshen(struct table *table, struct hop *hop, const struct freshness *freshness,
	int64_t now_ms)
{
	int64_t age_ms = INT64_MAX;
	int64_t usable_ms = usable_age(hop, freshness->max_age_ms);

	hop->used_ms = now_ms;
	if (hop->results > 0) /* what is remembered is not fresh */
		age_ms = now_ms - hop->result_ms;
	if (hop->is_local && age_ms > usable_ms * 3 / 4)
		want(table, hop, now_ms);
	if (!hop->is_local && hop->down_interval_ms > 0 && age_ms > hop->down_interval_ms &&
		hop_failing_since_ms(hop) != 0)
		want(table, hop, now_ms);
	if (!hop->is_local || age_ms <= usable_ms)
		return now_ms;
	wait_for_result(table, hop, freshness->max_wait_ms);
	return clock_now_ms();
}

static void let_go(struct hop *hop)
{
	if (--hop->holds == 0 && hop->is_removed)
		hop_free(hop);
}

bool table_ask(struct table *table, const char *name, const struct freshness *freshness,
	struct hop_view *out)
{
	struct hop *hop, *base;
	int64_t now_ms;

	pthread_mutex_lock(&table->lock);
	now_ms = clock_now_ms();
	hop = table_lookup(table, name);
	if (hop == NULL) {
		hop = wait_for_hop(table, name, now_ms + freshness->max_wait_ms);
		now_ms = clock_now_ms();
	}
	if (hop == NULL) {
		pthread_mutex_unlock(&table->lock);
		return false;
	}
	/* Whatever a probe finds, an override stands. */
	base = hop->override == NULL ? hop->base : NULL;
	hop->holds++;
	if (base != NULL) {
		base->holds++;
		now_ms = freshen(table, base, freshness, now_ms);
	}
	if (hop->is_probed && hop->override == NULL)
		now_ms = freshen(table, hop, freshness, now_ms);
	hop->used_ms = now_ms;
	table_fill_view(hop, now_ms, out);
	if (base != NULL)
		let_go(base);
	let_go(hop);
	pthread_mutex_unlock(&table->lock);
	return true;
}

void table_learn(struct table *table, const char *name, enum hop_role role)
{
	struct learned *place;

	pthread_mutex_lock(&table->lock);
	if (table->queued < TABLE_LEARN_QUEUE) {
		place = &table->queue[table->queued++];
		copy_text(place->name, sizeof place->name, name);
		place->role = role;
		if (table->observer.wanted != NULL)
			table->observer.wanted(table->observer.arg);
	}
	pthread_mutex_unlock(&table->lock);
}
