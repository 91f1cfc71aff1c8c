/*
 * table_private - what the files of the table module share
 *
 * table.c is the event thread's half, table_ask.c that of everybody.  The event thread reads hops without
 * the lock, because nobody else writes them but the fields that askers touch (wanted, waiters, used_ms),
 * which it reads under the lock.
 */
#ifndef FF_TABLE_PRIVATE_H
#define FF_TABLE_PRIVATE_H

#include "health/table.h"

#include <pthread.h>
#include <uthash.h>
#include <utlist.h>

enum { MAIL_MINUTES = 60 };

/* What became of mail, a place a minute; what is older than an hour is written over. */
struct hop_mail {
	int64_t minute; /* of the monotonic clock, up to which the places are right */
	unsigned count[MAIL_MINUTES][MAIL_EFFECTS];
};

struct hop {
	UT_hash_handle hh;
	struct hop *prev, *next; /* among those wanted */
	struct hop *base;	 /* its transport, NULL: it is one, or has none */
	unsigned dependents;	 /* hops whose base this is */
	char *name;
	const struct override *override; /* the table's, NULL: none */
	unsigned roles;
	bool is_local;
	bool is_learned;
	bool is_marked;	 /* not put again since table_mark() */
	bool is_removed; /* out of the hash, lives for its waiters */
	bool is_wanted;	 /* somebody asks for a fresh result */
	bool is_probed;	 /* has checks of its own, not only those of its base */
	unsigned holds;	 /* threads that use it without the lock */
	unsigned waiters;
	uint64_t results; /* counts them, so that a waiter sees a new one */
	int64_t interval_ms;
	int64_t down_interval_ms;
	int64_t pause_ms; /* until the next probe, 0: the interval */
	int64_t started_ms; /* of the probe in flight, 0: none */
	int64_t wanted_ms;  /* when a result was first asked for since the last one, 0: not */
	int64_t due_ms;
	int64_t result_ms;
	int64_t used_ms; /* last time mail asked */
	int64_t latency_us;
	time_t since;	     /* of this state: */
	enum state state;    /* the worst of its checks, its transport's included */
	time_t last_probe;
	time_t tls_not_after; /* 0: none is known */
	enum state reported; /* what the log was told last */
	enum reason reported_reason;
	bool was_reported; /* a change of its state */
	char *detail;
	struct hop_mail *mail; /* NULL: it did nothing to mail yet */
	bool has_check[CHECK_COUNT];
	bool is_remembered[CHECK_COUNT]; /* of an engine before this one, and no result has confirmed it yet */
	struct check check[CHECK_COUNT];
	void *job;
};

struct learned {
	char name[HOP_NAME_BYTES];
	enum hop_role role;
};

struct table {
	pthread_mutex_t lock;
	pthread_cond_t news;
	struct hop *hops;
	struct kept_override *overrides; /* by name, of hops that are not there, too */
	struct memory *memories;	 /* the same */
	struct hop *wanted; /* hops with is_wanted, in the order of asking */
	unsigned waited_hops;
	unsigned waiters;
	struct learned *queue; /* of table_learn(), TABLE_LEARN_QUEUE places */
	unsigned queued;
	uint64_t generation;
	uint64_t sorted; /* the generation whose hops are in the order of their names */
	unsigned learned; /* hops with is_learned */
	bool is_teaching; /* the event thread works on what it took out of the queue */
	uint64_t queue_rounds; /* counts how often the queue was found empty */
	struct table_observer observer;
};

/* What counts of a hop: the override, or else the worst of its checks. */
struct standing {
	enum state state;
	enum reason reason;
};

/* hop_standing - the caller holds the lock or is the event thread */
struct standing hop_standing(const struct hop *hop);

/* hop_settle - see whether the hop is in another state now; the caller holds the lock */
void hop_settle(struct hop *hop);

/* table_recall - what is remembered of a new hop, and what the operator said of it; the caller holds the lock */
void table_recall(struct table *table, struct hop *hop);

/* hop_confirm - a result is in: remembered checks that are not made any more go */
void hop_confirm(struct hop *hop, const struct findings *findings);

/* table_overrides_free - all of them */
void table_overrides_free(struct table *table);

/* table_lookup - the caller holds the lock; NULL when there is none */
struct hop *table_lookup(struct table *table, const char *name);

/* table_fill_view - all but mail, which takes a while to sum up; the caller holds the lock */
void table_fill_view(const struct hop *hop, int64_t now_ms, struct hop_view *out);

/* table_sum_mail - of the last hour; the caller holds the lock */
void table_sum_mail(const struct hop *hop, int64_t now_ms, unsigned sum[MAIL_EFFECTS]);

/* hop_own_worst - the worst of its own checks, NULL when it has none */
const struct check *hop_own_worst(const struct hop *hop);

/* hop_worst - the check that decides about the hop, its transport's included; *owner (may be NULL) is the hop that
 * the check belongs to.  NULL when there is none. */
const struct check *hop_worst(const struct hop *hop, const struct hop **owner);

void hop_free(struct hop *hop);

#endif
