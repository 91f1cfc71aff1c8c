/*
 * table_memory - what an engine hands to the next one about its hops
 *
 * What is remembered is how a hop begins.  It counts by its age, which goes on, and is never fresh;
 * the first result of a probe is laid over it like any other.
 */
#include "health/table_private.h"

#include "base/xmem.h"

#include <stdlib.h>
#include <string.h>

struct memory {
	UT_hash_handle hh;
	struct hop_memory hop;
};

void hop_memory_free(struct hop_memory *memory)
{
	free(memory->name);
	free(memory->detail);
	memory->name = memory->detail = NULL;
}

bool table_memorize(struct table *table, const struct hop *hop, struct hop_memory *out)
{
	bool is_copied;

	pthread_mutex_lock(&table->lock);
	*out = (struct hop_memory){
		.name = strdup(hop->name),
		.detail = hop->detail != NULL ? strdup(hop->detail) : NULL,
		.roles = hop->roles,
		.is_learned = hop->is_learned,
		.is_local = hop->is_local,
		.state = hop->state,
		.since = hop->since,
		.last_probe = hop->last_probe,
		.tls_not_after = hop->tls_not_after,
		.result_ms = hop->result_ms,
		.used_ms = hop->used_ms,
		.latency_us = hop->latency_us,
	};
	memcpy(out->has_check, hop->has_check, sizeof out->has_check);
	memcpy(out->check, hop->check, sizeof out->check);
	is_copied = out->name != NULL && (hop->detail == NULL || out->detail != NULL);
	pthread_mutex_unlock(&table->lock);
	if (!is_copied)
		hop_memory_free(out);
	return is_copied;
}

bool table_remember(struct table *table, struct hop_memory *memory)
{
	struct memory *kept;

	HASH_FIND_STR(table->memories, memory->name, kept);
	if (kept != NULL || table_find(table, memory->name) != NULL)
		return false;
	kept = xcalloc(1, sizeof *kept);
	kept->hop = *memory;
	memory->name = memory->detail = NULL;
	HASH_ADD_KEYPTR(hh, table->memories, kept->hop.name, strlen(kept->hop.name), kept);
	return true;
}

static void forget(struct table *table, struct memory *memory)
{
	HASH_DEL(table->memories, memory);
	hop_memory_free(&memory->hop);
	free(memory);
}

void table_forget_memories(struct table *table)
{
	struct memory *memory, *next;

	HASH_ITER (hh, table->memories, memory, next) {
		/* cppcheck-suppress uninitvar ; HASH_ITER sets it */
		forget(table, memory); /* NOLINT(clang-analyzer-unix.Malloc): another */
	}
}

/* begin_with - the memory is of the hop as a whole where that has no checks of its own */
static void begin_with(struct hop *hop, struct hop_memory *memory)
{
	hop->is_local = memory->is_local;
	hop->last_probe = memory->last_probe;
	hop->tls_not_after = memory->tls_not_after;
	hop->result_ms = memory->result_ms;
	hop->used_ms = memory->used_ms;
	hop->latency_us = memory->latency_us;
	hop->detail = memory->detail;
	memory->detail = NULL;
	for (int i = 0; i < CHECK_COUNT && hop->is_probed; i++) {
		hop->has_check[i] = hop->is_remembered[i] = memory->has_check[i];
		hop->check[i] = memory->check[i];
	}
}

void table_recall(struct table *table, struct hop *hop)
{
	const struct override *override = table_override(table, hop->name);
	struct standing standing;
	struct memory *memory;

	HASH_FIND_STR(table->memories, hop->name, memory);
	if (memory != NULL)
		begin_with(hop, &memory->hop);
	hop->override = override;
	standing = hop_standing(hop);
	if (override != NULL)
		hop->since = override->since;
	else if (memory != NULL && memory->hop.state == standing.state)
		hop->since = memory->hop.since;
	/* Nothing has changed by that: nobody is told. */
	if (memory != NULL || override != NULL) {
		hop->state = hop->reported = standing.state;
		hop->reported_reason = standing.reason;
	}
	if (memory != NULL)
		forget(table, memory);
}

/* is_fine - the probe got through: each check that this hop has was made */
static bool is_fine(const struct findings *findings)
{
	for (int i = 0; i < CHECK_COUNT; i++)
		if (findings->has[i] && (findings->outcome[i].severity == SEVERITY_DOWN ||
						findings->outcome[i].reason == REASON_LOCAL_ERROR))
			return false;
	return true;
}

void hop_confirm(struct hop *hop, const struct findings *findings)
{
	const int first = findings->has[CHECK_SERVICE] ? CHECK_SERVICE : CHECK_RESOLVE;
	const int end = findings->has[CHECK_SERVICE] ? CHECK_RESOLVE : CHECK_COUNT;
	bool is_whole = !findings->is_aside && is_fine(findings);

	for (int i = 0; i < CHECK_COUNT; i++) {
		if (findings->has[i])
			hop->is_remembered[i] = false;
		if (!hop->is_remembered[i] || !is_whole || i < first || i >= end)
			continue;
		/* Another configuration asks for something else. */
		hop->has_check[i] = hop->is_remembered[i] = false;
		hop->check[i] = (struct check){.state = STATE_UNKNOWN};
	}
}
