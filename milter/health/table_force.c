/*
 * table_force - overrides: what the operator says of a hop goes before what probes find
 *
 * Probes go on underneath, so that what they find counts at once when the override ends.  An
 * override is of one hop as it is shown: that of a transport says nothing about the hops which mail
 * reaches through it, for whoever takes the relay out of service does not mean the way to everybody
 * else.
 */
#include "health/table_private.h"

#include "base/xmem.h"

#include <stdlib.h>
#include <string.h>

struct kept_override {
	UT_hash_handle hh;
	struct override override;
	char name[];
};

bool override_is_clean(const char *comment)
{
	size_t length = strlen(comment);

	if (length >= OVERRIDE_COMMENT_BYTES)
		return false;
	for (size_t i = 0; i < length; i++)
		if (comment[i] < ' ' || comment[i] > '~')
			return false;
	return true;
}

static struct kept_override *find(struct table *table, const char *name)
{
	struct kept_override *kept;

	HASH_FIND_STR(table->overrides, name, kept);
	return kept;
}

/* set - give it to the hop, if there is one; the caller holds the lock */
static void set(struct table *table, const char *name, const struct override *override)
{
	struct hop *hop = table_lookup(table, name);

	if (hop == NULL)
		return;
	hop->override = override;
	hop_settle(hop);
	/* Of the state alone: time_t has seconds, and two changes may fall into one. */
	if (override != NULL)
		hop->since = override->since;
}

bool table_force(struct table *table, const char *name, const struct override *override)
{
	struct kept_override *kept;
	bool is_kept = true;

	pthread_mutex_lock(&table->lock);
	kept = find(table, name);
	if (kept == NULL && HASH_COUNT(table->overrides) >= OVERRIDES_MAX) {
		is_kept = false;
	} else if (kept == NULL) {
		kept = xcalloc(1, sizeof *kept + strlen(name) + 1);
		(void)strcpy(kept->name, name);
		kept->override = *override;
		HASH_ADD_STR(table->overrides, name, kept);
	} else {
		time_t since = kept->override.is_up == override->is_up ? kept->override.since
								       : override->since;

		kept->override = *override;
		kept->override.since = since;
	}
	if (is_kept)
		set(table, name, &kept->override);
	pthread_mutex_unlock(&table->lock);
	return is_kept;
}

bool table_unforce(struct table *table, const char *name)
{
	struct kept_override *kept;

	pthread_mutex_lock(&table->lock);
	kept = find(table, name);
	if (kept != NULL) {
		set(table, name, NULL);
		HASH_DEL(table->overrides, kept);
		free(kept);
	}
	pthread_mutex_unlock(&table->lock);
	return kept != NULL;
}

const struct override *table_override(struct table *table, const char *name)
{
	struct kept_override *kept = find(table, name);

	return kept != NULL ? &kept->override : NULL;
}

static int by_name(const struct kept_override *a, const struct kept_override *b)
{
	return strcmp(a->name, b->name);
}

void table_each_override(struct table *table,
	void (*fn)(void *arg, const char *name, const struct override *override), void *arg)
{
	struct kept_override *kept, *next;

	pthread_mutex_lock(&table->lock);
	HASH_SORT(table->overrides, by_name);
	pthread_mutex_unlock(&table->lock);
	HASH_ITER (hh, table->overrides, kept, next) {
		fn(arg, kept->name, &kept->override);
	}
}

const char *table_expired_override(struct table *table, time_t now)
{
	struct kept_override *kept, *next;

	HASH_ITER (hh, table->overrides, kept, next) {
		/* cppcheck-suppress uninitvar ; HASH_ITER sets it */
		if (kept->override.until != 0 && kept->override.until <= now)
			return kept->name;
	}
	return NULL;
}

time_t table_next_expiry(struct table *table)
{
	struct kept_override *kept, *next;
	time_t nearest = 0;

	HASH_ITER (hh, table->overrides, kept, next) {
		/* cppcheck-suppress uninitvar ; HASH_ITER sets it */
		if (kept->override.until != 0 && (nearest == 0 || kept->override.until < nearest))
			nearest = kept->override.until;
	}
	return nearest;
}

void table_overrides_free(struct table *table)
{
	struct kept_override *kept, *next;

	HASH_ITER (hh, table->overrides, kept, next) {
		HASH_DEL(table->overrides, kept); /* NOLINT(clang-analyzer-unix.Malloc): another */
		free(kept);
	}
}
