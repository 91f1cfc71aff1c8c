/*
 * dns_cache - answers that still hold, and the last known ones for when the resolver is down
 *
 * An answer that no longer holds stays, until the resolver says something else about the name or room is needed: a
 * resolver that is down must not make servers look down that are not.  uthash keeps the order in which entries came, so
 * the first is the one that was used least recently.
 */
#include "probe/dns_cache.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct entry {
	UT_hash_handle hh;
	int64_t until_ms;
	unsigned best_preference;
	size_t count;
	char *key, *names;
	struct dns_record records[];
};

struct dns_cache {
	struct entry *entries;
};

struct dns_cache *dns_cache_new(void)
{
	return calloc(1, sizeof(struct dns_cache));
}

static void entry_free(struct entry *entry)
{
	free(entry->key);
	free(entry->names);
	free(entry);
}

static void remove_entry(struct dns_cache *cache, struct entry *entry)
{
	HASH_DEL(cache->entries, entry);
	entry_free(entry);
}

void dns_cache_free(struct dns_cache *cache)
{
	if (cache == NULL)
		return;
	while (cache->entries != NULL)
		remove_entry(cache, cache->entries);
	free(cache);
}

static struct entry *find(struct dns_cache *cache, const char *key)
{
	struct entry *entry;

	HASH_FIND_STR(cache->entries, key, entry);
	return entry;
}

static int64_t ttl_ms(uint32_t ttl_s)
{
	if (ttl_s < DNS_TTL_MIN_MS / 1000)
		return DNS_TTL_MIN_MS;
	return ttl_s < DNS_TTL_MAX_MS / 1000 ? (int64_t)ttl_s * 1000 : DNS_TTL_MAX_MS;
}

/* names_bytes - of a list, its end included */
static size_t names_bytes(const char *names)
{
	const char *end = names;

	while (*end != '\0')
		end += strlen(end) + 1;
	return (size_t)(end - names) + 1;
}

/* entry_new - NULL when out of memory */
static struct entry *entry_new(const char *key, const struct dns_known *known)
{
	struct entry *entry = calloc(1, sizeof *entry + known->count * sizeof *known->records);

	if (entry == NULL)
		return NULL;
	entry->key = strdup(key);
	entry->names = malloc(names_bytes(known->names));
	if (entry->key == NULL || entry->names == NULL) {
		entry_free(entry);
		return NULL;
	}
	memcpy(entry->names, known->names, names_bytes(known->names));
	memcpy(entry->records, known->records, known->count * sizeof *known->records);
	entry->count = known->count;
	entry->best_preference = known->best_preference;
	return entry;
}

void dns_cache_put(struct dns_cache *cache, const char *key, const struct dns_known *known,
	uint32_t ttl_s, int64_t now_ms)
{
	struct entry *entry = entry_new(key, known);

	dns_cache_drop(cache, key);
	if (entry == NULL)
		return;
	entry->until_ms = now_ms + ttl_ms(ttl_s);
	if (HASH_COUNT(cache->entries) >= DNS_CACHE_ENTRIES)
		remove_entry(cache, cache->entries);
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): not the one that was freed */
	HASH_ADD_KEYPTR(hh, cache->entries, entry->key, strlen(entry->key), entry);
}

bool dns_cache_get(struct dns_cache *cache, const char *key, int64_t now_ms, struct dns_known *known)
{
	struct entry *entry = find(cache, key);

	if (entry == NULL)
		return false;
	HASH_DEL(cache->entries, entry);
	HASH_ADD_KEYPTR(hh, cache->entries, entry->key, strlen(entry->key), entry);
	*known = (struct dns_known){.records = entry->records,
		.count = entry->count,
		.best_preference = entry->best_preference,
		.is_fresh = now_ms < entry->until_ms,
		.names = entry->names};
	return true;
}

void dns_cache_hold(struct dns_cache *cache, const char *key, int64_t now_ms)
{
	struct entry *entry = find(cache, key);

	if (entry != NULL)
		entry->until_ms = now_ms + DNS_HOLD_MS;
}

void dns_cache_drop(struct dns_cache *cache, const char *key)
{
	struct entry *entry = find(cache, key);

	if (entry != NULL)
		remove_entry(cache, entry);
}

void dns_cache_expire(struct dns_cache *cache)
{
	struct entry *entry, *next;

	HASH_ITER(hh, cache->entries, entry, next)
	{
		entry->until_ms = 0;
	}
}
