/*
 * sched_memory - what an engine hands to the next one about the probing of hops
 *
 * Above all that credentials were rejected: an engine which is started again and again must not
 * lock an account.
 */
#include "probe/sched_private.h"

#include "base/xmem.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct deep_memory {
	UT_hash_handle hh;
	struct deep deep;
	char name[];
};

void sched_tell(struct sched *sched, const char *name)
{
	struct hop *hop = table_find(sched->table, name);

	if (hop != NULL)
		jobs_tell_change(sched, hop);
}

const struct deep *sched_deep(const struct hop *hop)
{
	const struct job *job = hop_job(hop);

	return job == NULL || deep_is_blank(job_deep(job)) ? NULL : job_deep(job);
}

void sched_remember(struct sched *sched, const char *name, struct deep *deep)
{
	struct deep_memory *memory = xcalloc(1, sizeof *memory + strlen(name) + 1);

	(void)strcpy(memory->name, name);
	memory->deep = *deep;
	*deep = (struct deep){0};
	HASH_ADD_STR(sched->memories, name, memory);
}

void sched_recall(struct sched *sched, const char *name, struct deep *deep)
{
	struct deep_memory *memory;

	HASH_FIND_STR(sched->memories, name, memory);
	if (memory == NULL)
		return;
	HASH_DEL(sched->memories, memory);
	*deep = memory->deep;
	free(memory);
	/* Configuration may be another one than that engine's. */
	(void)deep_recheck(deep);
}

void sched_forget_memories(struct sched *sched)
{
	struct deep_memory *memory, *next;

	HASH_ITER(hh, sched->memories, memory, next)
	{
		HASH_DEL(sched->memories, memory); /* NOLINT(clang-analyzer-unix.Malloc): not the freed one */
		deep_forget(&memory->deep);
		free(memory);
	}
}

void sched_relearn(struct sched *sched, const struct sched_learned *learned, size_t count)
{
	const unsigned limit = site_conf(sched->site)->max_hops;

	for (size_t i = 0; i < count && table_learned_count(sched->table) < limit; i++)
		if (table_find(sched->table, learned[i].name) == NULL)
			sched_take_in(sched, learned[i].name, learned[i].roles);
	sched_start_fresh(sched);
	sched_forget_memories(sched);
	table_forget_memories(sched->table);
}

const unsigned char *sched_salt(const struct sched *sched)
{
	return prober_salt(sched->prober);
}

void sched_use_salt(struct sched *sched, const unsigned char *salt)
{
	prober_use_salt(sched->prober, salt);
}

void sched_on_latch(struct sched *sched, void (*fn)(void *arg), void *arg)
{
	sched->on_latch = fn;
	sched->latch_arg = arg;
}
