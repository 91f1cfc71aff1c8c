/*
 * dns_cache - answers that still hold, and the last known ones for when the resolver is down
 *
 * Pure: time is a parameter.  Threads: one at a time.
 */
#ifndef FF_DNS_CACHE_H
#define FF_DNS_CACHE_H

#include "probe/dns_choose.h"

#include <stdint.h>

enum {
	DNS_TTL_MIN_MS = 5 * 1000,	  /* an answer holds for so long at least */
	DNS_TTL_MAX_MS = 60 * 60 * 1000, /* and no longer than this */
	DNS_HOLD_MS = 30 * 1000,	  /* the resolver is not asked again for so long when it failed */
	DNS_CACHE_ENTRIES = 20000,	  /* then the least recently used goes */
};

struct dns_cache;

/* What is known of a name. */
struct dns_known {
	const struct dns_record *records; /* of the cache, until it is changed */
	size_t count;
	unsigned best_preference; /* of all MX records, those without an address too */
	bool is_fresh;		  /* else only the last known */
	const char *names;	  /* of the hosts by their numbers: "ONE NUL TWO NUL NUL" */
};

/* dns_cache_new - NULL when out of memory */
struct dns_cache *dns_cache_new(void);
void dns_cache_free(struct dns_cache *cache);

/* dns_cache_put - a copy of an answer that holds for ttl_s.  Without memory nothing is kept. */
void dns_cache_put(struct dns_cache *cache, const char *key, const struct dns_known *known,
	uint32_t ttl_s, int64_t now_ms);

/* dns_cache_get - false: nothing is known */
bool dns_cache_get(struct dns_cache *cache, const char *key, int64_t now_ms, struct dns_known *known);

/* dns_cache_hold - the resolver failed: what is known counts as fresh for DNS_HOLD_MS */
void dns_cache_hold(struct dns_cache *cache, const char *key, int64_t now_ms);

/* dns_cache_drop - there is no such name any more */
void dns_cache_drop(struct dns_cache *cache, const char *key);

/* dns_cache_expire - another resolver: nothing is fresh any more */
void dns_cache_expire(struct dns_cache *cache);

#endif
