/*
 * table - the health of every hop: the one object that the event thread and libmilter's threads share
 *
 * The event thread is the only writer: it puts hops in, records what probes find and sweeps out what
 * is gone.  libmilter's threads read, and may ask for a fresh result and wait for it, all askers of
 * a hop on the same probe.  One mutex guards it all: a look-up takes well under a microsecond.
 *
 * Every function says which thread may call it.  Times are clock_now_ms(), passed in.
 */
#ifndef FF_TABLE_H
#define FF_TABLE_H

#include "health/hop.h"
#include "health/machine.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum { HOP_DETAIL_BYTES = 256, OVERRIDE_COMMENT_BYTES = 128, OVERRIDES_MAX = 1000 };

struct table;
struct hop;

/* What a hop that is not up did to recipients. */
enum mail_effect { MAIL_REFUSED, MAIL_TAGGED, MAIL_HELD, MAIL_EFFECTS };

/* What the operator has said about a hop, in place of what probes find. */
struct override {
	bool is_up;    /* else down */
	time_t since;  /* of this, however often it is said again */
	time_t until;  /* 0: until it is taken back */
	char comment[OVERRIDE_COMMENT_BYTES]; /* override_is_clean(), "": none */
};

/* A copy of what is known of a hop. */
struct hop_view {
	char name[HOP_NAME_BYTES];
	unsigned roles; /* bits of enum hop_role */
	unsigned mail[MAIL_EFFECTS];   /* recipients of the last hour */
	enum state probed_state;       /* the state and the reason without the override */
	enum reason probed_reason;
	enum state state;	       /* the worst of its checks, "unknown" when stale */
	enum reason reason;	       /* of that check */
	char detail[HOP_DETAIL_BYTES]; /* of the last fault, "" when none; the comment of an override */
	time_t since;		       /* of the state */
	time_t forced_until;	       /* 0: until it is taken back */
	time_t last_probe;	       /* 0: never */
	int64_t age_ms;		       /* since the last result, -1: never */
	int64_t latency_us;	       /* of the last answer, -1: none */
	time_t tls_not_after;	       /* when the server's certificate ends, 0: none is known */
	bool is_local;
	bool is_learned;
	bool is_forced; /* by an override; what probes find goes on underneath */
	bool is_stale; /* no result for too long */
	bool has_check[CHECK_COUNT];
	struct check check[CHECK_COUNT];
};

/* How fresh a result must be: probe.max_age and probe.max_wait. */
struct freshness {
	int64_t max_age_ms;
	int64_t max_wait_ms;
};

/* What a probe found, as table_record() takes it. */
struct findings {
	bool has[CHECK_COUNT];
	struct outcome outcome[CHECK_COUNT];
	const char *detail;
	int64_t latency_us;  /* -1: none */
	int64_t evidence_ms; /* when it was found */
	bool has_tls;	     /* tls_not_after is news */
	time_t tls_not_after; /* 0: there is no certificate */
	bool is_local;
	bool is_aside; /* beside the probes of the hop: how fresh it is depends on those */
};

/* A change of a hop's state, for logs and notifications. */
struct hop_change {
	enum state from, to;
	bool is_new_state; /* else only the reason changed */
	bool is_first;	   /* the state never changed before */
};

/* What the scheduler wants to hear: a hop is wanted or a name was learned.  Comes from any thread with
 * the table locked, so it must only wake somebody up. */
struct table_observer {
	void (*wanted)(void *arg);
	void *arg;
};

/* What table_put() is told of a hop. */
struct hop_settings {
	const char *name;
	struct hop *base; /* its transport, shared with other hops; NULL: none */
	bool is_probed;	  /* it has checks of its own, beside those of its transport */
	unsigned roles;	  /* bits of enum hop_role; 0: only the base of others, and not shown */
	bool is_local;	  /* as far as the name tells; the first result knows better */
	int64_t interval_ms; /* after three of these without a result the hop is unknown */
	int64_t down_interval_ms; /* mail asks for a result of a remote hop that fails so often, 0: never */
};

/* table_new, table_free - start and end; no other thread may use it any more when it is freed */
struct table *table_new(void);
void table_free(struct table *table);

/* table_observe - event thread, before the milter starts */
void table_observe(struct table *table, const struct table_observer *observer);

/*
 * Any thread
 */

/* table_look - copy what is known now; false when there is no such hop */
bool table_look(struct table *table, const char *name, int64_t now_ms, struct hop_view *out);

/*
 * table_ask - copy what is known but for mail, and for a hop of this host see to it that it is fresh.
 *
 * A result older than max_age is not used: a probe is asked for, and this thread waits for its result
 * until max_wait after that probe's start, no later; then the last known state counts.  From three
 * quarters of max_age on a probe is asked for without waiting, so that a busy hop makes nobody wait.
 * While nobody listens at the hop a fiftieth of max_age counts instead.
 * A remote hop that fails is asked for when its result is older than its down_interval_ms, without waiting.
 * Not more than TABLE_WAITED_HOPS hops are waited for at a time, because libmilter has few workers.
 *
 * false when there is no such hop; a name that table_learn() took a moment ago is waited for, too.
 */
bool table_ask(struct table *table, const char *name, const struct freshness *freshness,
	struct hop_view *out);

enum { TABLE_WAITED_HOPS = 3, TABLE_LEARN_QUEUE = 256 };

/* table_learn - hand the event thread a hop that mail named; dropped when too many are queued */
void table_learn(struct table *table, const char *name, enum hop_role role);

/* table_count_mail - a recipient met a hop that is not up; one that is not in the table is ignored */
void table_count_mail(struct table *table, const char *name, enum mail_effect effect, int64_t now_ms);

/* table_count - hops known */
unsigned table_count(struct table *table);

/*
 * Event thread only
 */

/* table_learned_next - take one name from the queue of table_learn().  false when it is empty: then all
 * were handled, and askers of names that came to nothing wait no longer. */
bool table_learned_next(struct table *table, char name[HOP_NAME_BYTES], enum hop_role *role);

/* table_put - find or create; the first put after table_mark() replaces the roles, further ones add to
 * them.  The hop belongs to the table. */
struct hop *table_put(struct table *table, const struct hop_settings *settings, int64_t now_ms);

/* table_put_learned - the same for a hop that only mail names; one that is configured stays so.  When mail used it
 * last is not changed by putting it again. */
struct hop *table_put_learned(struct table *table, const struct hop_settings *settings,
	int64_t now_ms);

/* table_find - NULL when there is none */
struct hop *table_find(struct table *table, const char *name);

/* table_mark, table_sweep - reload as mark, put again, sweep: each hop that was not put since is shown
 * to gone() and removed when that says true */
void table_mark(struct table *table);
void table_sweep(struct table *table, bool (*gone)(void *arg, struct hop *hop), void *arg);

/* table_remove - forget one hop */
void table_remove(struct table *table, struct hop *hop);

/* table_learned_count - hops that only mail names */
unsigned table_learned_count(struct table *table);

/* table_oldest_learned - the learned hop that mail has not used for longest, NULL: none */
struct hop *table_oldest_learned(struct table *table);

/* table_is_forgotten - a learned hop that mail has not used for ttl_ms */
bool table_is_forgotten(struct table *table, const struct hop *hop, int64_t ttl_ms, int64_t now_ms);

/* table_probe_begins - due_ms: when its result must be there at the latest */
void table_probe_begins(struct table *table, struct hop *hop, int64_t now_ms, int64_t due_ms);

/* table_set_pause - how long until the next probe, if that is longer than the interval of the hop; 0: it is not */
void table_set_pause(struct table *table, struct hop *hop, int64_t pause_ms);

/* table_record - take the findings of a probe in and wake those who wait */
void table_record(struct table *table, struct hop *hop, const struct machine_policy *policy,
	const struct findings *findings);

/* table_accuse - Postfix says that the server of this hop does not work; true when that counts: machine_accuse() */
bool table_accuse(struct table *table, struct hop *hop, const struct machine_policy *policy);

/* table_generation - another number after a hop was put in that was not there */
uint64_t table_generation(const struct table *table);
/* table_forget_check - nobody looks at it any more */
void table_forget_check(struct table *table, struct hop *hop, enum hop_check check);

/* table_take_change - did state or reason change since this was asked last?  What is recorded of a transport
 * changes the hops that depend on it, too. */
bool table_take_change(struct table *table, struct hop *hop, struct hop_change *change);

/* table_each_dependent - call fn for every hop whose base this is; fn must not put or remove hops */
void table_each_dependent(struct table *table, struct hop *base,
	void (*fn)(void *arg, struct hop *hop), void *arg);

/* table_next_wanted - take one hop that somebody wants a fresh result of, NULL: no more */
struct hop *table_next_wanted(struct table *table);

/* table_view - copy one hop */
void table_view(struct table *table, const struct hop *hop, int64_t now_ms, struct hop_view *out);

/* table_each - call fn for every hop in the order of their names; fn must not put or remove hops */
void table_each(struct table *table, void (*fn)(void *arg, struct hop *hop), void *arg);

/*
 * Overrides (table_force.c).  They are kept by name, also of hops that are not in the table: one that comes back,
 * after a mistake in the configuration or with mail, finds its own.  Event thread only.
 */

/* override_is_clean - one line of printable ASCII that fits: nothing in it can steer a terminal or end a header */
bool override_is_clean(const char *comment);

/* table_force - from now on the hop of this name counts as that; false: there are OVERRIDES_MAX already.  One that
 * says the same state as before keeps its since. */
bool table_force(struct table *table, const char *name, const struct override *override);

/* table_unforce - what probes find counts again; false when there was no override */
bool table_unforce(struct table *table, const char *name);

/* table_override - NULL: none; the table's, until the next change */
const struct override *table_override(struct table *table, const char *name);

/* table_each_override - in the order of their names; fn must not change any */
void table_each_override(struct table *table,
	void (*fn)(void *arg, const char *name, const struct override *override), void *arg);

/* table_expired_override - the name of one that ends at now or before, NULL: none; the table's */
const char *table_expired_override(struct table *table, time_t now);

/* table_next_expiry - when the next one ends, 0: none does */
time_t table_next_expiry(struct table *table);

/*
 * Memory (table_memory.c): what an engine hands to the next one.  Event thread only.
 */

/* What is known of a hop. Strings are the struct's own. Times like those of the table; before this host was started
 * they are negative. */
struct hop_memory {
	char *name;
	char *detail; /* NULL: none */
	unsigned roles;
	bool is_learned;
	bool is_local;
	enum state state; /* since: */
	time_t since, last_probe, tls_not_after;
	int64_t result_ms, used_ms, latency_us;
	bool has_check[CHECK_COUNT];
	struct check check[CHECK_COUNT];
};

/* hop_memory_free - what the struct owns */
void hop_memory_free(struct hop_memory *memory);

/* table_memorize - copy; false when out of memory */
bool table_memorize(struct table *table, const struct hop *hop, struct hop_memory *out);

/* table_remember - a hop of this name begins with that when it is put in; takes what memory owns over.  false when one
 * of this name is there already. */
bool table_remember(struct table *table, struct hop_memory *memory);

/* table_forget_memories - of hops that were not put in */
void table_forget_memories(struct table *table);

/* Plain accessors. */
const char *hop_full_name(const struct hop *hop);
bool hop_is_settled(const struct hop *hop); /* its own checks */
bool hop_is_local(const struct hop *hop);
bool hop_is_learned(const struct hop *hop);
bool hop_is_shown(const struct hop *hop);
unsigned hop_roles(const struct hop *hop);
unsigned hop_dependents(const struct hop *hop);
struct hop *hop_base(const struct hop *hop);
int64_t hop_failing_since_ms(const struct hop *hop); /* one of its own checks fails, 0: none */
const struct check *hop_own_check(const struct hop *hop, enum hop_check check); /* NULL: never looked at */
void *hop_job(const struct hop *hop);
void hop_set_job(struct hop *hop, void *job);

#endif
