/*
 * sched - which hops there are to be probed
 *
 * The table of hops follows the site: what configuration names is put in, what mail names is
 * learned, what neither does any more goes.  Hops share the hop of their transport, which is there
 * as long as one of them is.
 */
#include "probe/sched_private.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/xmem.h"
#include "probe/pace.h"

#include <stdlib.h>
#include <string.h>

const struct conf_probe *sched_settings(const struct sched *sched)
{
	return &site_conf(sched->site)->probe;
}

void sched_forget(struct sched *sched, struct hop *hop)
{
	struct hop *base = hop_base(hop);

	log_debug("hop %s: not probed any more", hop_full_name(hop));
	job_free(hop_job(hop));
	table_remove(sched->table, hop);
	if (base != NULL && hop_dependents(base) == 0 && !hop_is_shown(base)) {
		job_free(hop_job(base));
		table_remove(sched->table, base);
	}
	jobs_fill_places(sched);
}

/* adopt - see to it that the hop is probed, from now on */
static void adopt(struct sched *sched, struct hop *hop, bool is_base)
{
	if (hop_job(hop) != NULL)
		return;
	hop_set_job(hop, job_new(sched, hop, is_base));
	if (hop_is_local(hop)) {
		job_due(hop_job(hop));
		return;
	}
	sched->fresh = xrealloc(sched->fresh, (sched->fresh_count + 1) * sizeof(struct hop *));
	sched->fresh[sched->fresh_count++] = hop;
}

typedef struct hop *put_fn(
	struct table *table, const struct hop_settings *settings, int64_t now_ms);

/* longest_sleep - so that sleeping does not look stale */
static int64_t longest_sleep(const struct sched *sched, const char *name)
{
	struct conf_hop_settings hop;

	conf_hop_settings(site_conf(sched->site), name, &hop);
	if (hop.interval_ms < sched_settings(sched)->down_interval_ms)
		hop.interval_ms = sched_settings(sched)->down_interval_ms;
	return hop.interval_ms + canary_longest_ms(sched, name);
}

/* take_in_base - put the transport of a hop into the table; NULL when it has none */
static struct hop *take_in_base(
	struct sched *sched, const char *name, unsigned roles, put_fn *put)
{
	char base_name[HOP_NAME_BYTES];
	struct hop *base;

	if (!site_base(sched->site, name, base_name))
		return NULL;
	const struct hop_settings settings = {
		.name = base_name,
		.is_probed = true,
		.is_local = true,
		.roles = strcmp(base_name, name) == 0 ? roles : 0,
		.interval_ms = longest_sleep(sched, base_name),
	};

	base = put(sched->table, &settings, clock_now_ms());
	/* One that an engine before this one has left. */
	if (hop_own_check(base, CHECK_SERVER) != NULL && canary_longest_ms(sched, base_name) == 0)
		table_forget_check(sched->table, base, CHECK_SERVER);
	adopt(sched, base, true);
	/* cppcheck-suppress returnDanglingLifetime ; put() copies the settings */
	return base;
}

/* take_in - put a hop into the table if there is something to look at */
static void take_in(struct sched *sched, const char *name, unsigned roles, put_fn *put)
{
	struct hop *base = take_in_base(sched, name, roles, put), *hop;
	bool has_canary = canary_longest_ms(sched, name) > 0;
	struct plan plan;

	if (base != NULL && strcmp(hop_full_name(base), name) == 0)
		return;
	site_plan(sched->site, name, &plan);
	if (base == NULL && plan.kind == PLAN_NOTHING && !has_canary)
		return;
	const struct hop_settings settings = {
		.name = name,
		.base = base,
		.is_probed = plan.kind != PLAN_NOTHING || has_canary,
		/* Nobody is to wait for a canary. */
		.is_local = plan.kind == PLAN_SERVER ? hop_target_is_local(&plan.target) : !has_canary,
		.roles = roles,
		.interval_ms = longest_sleep(sched, name),
		.down_interval_ms = sched_settings(sched)->down_interval_ms,
	};

	hop = put(sched->table, &settings, clock_now_ms());
	if (plan.kind != PLAN_NOTHING) {
		adopt(sched, hop, false);
	} else {
		job_free(hop_job(hop));
		hop_set_job(hop, NULL);
	}
}

/* put_configured - called for each hop that configuration names */
static void put_configured(void *arg, const char *name, enum hop_role role)
{
	take_in(arg, name, role, table_put);
}

void sched_take_in(struct sched *sched, const char *name, unsigned roles)
{
	take_in(sched, name, roles, table_put_learned);
}

void sched_start_fresh(struct sched *sched)
{
	for (size_t i = 0; i < sched->fresh_count; i++) {
		struct conf_hop_settings settings;

		conf_hop_settings(site_conf(sched->site), hop_full_name(sched->fresh[i]), &settings);
		job_start(hop_job(sched->fresh[i]),
			pace_start_ms(i, sched->fresh_count, settings.interval_ms));
	}
	free(sched->fresh);
	sched->fresh = NULL;
	sched->fresh_count = 0;
}

/* learn - a hop that mail named, if there is room for it */
static void learn(struct sched *sched, const char *name, enum hop_role role)
{
	if (table_find(sched->table, name) != NULL)
		return;
	if (table_learned_count(sched->table) >= site_conf(sched->site)->max_hops) {
		struct hop *oldest = table_oldest_learned(sched->table);

		if (oldest == NULL)
			return;
		sched_forget(sched, oldest);
	}
	sched_take_in(sched, name, role);
	sched_start_fresh(sched);
}

/* forget_unused - a hop that nobody names any more */
static bool forget_unused(void *arg, struct hop *hop)
{
	(void)arg;
	log_debug("hop %s: not configured any more", hop_full_name(hop));
	job_free(hop_job(hop));
	return true;
}

static void rearm(void *arg, struct hop *hop)
{
	(void)arg;
	if (hop_job(hop) != NULL)
		job_rearm(hop_job(hop));
}

/* The learned hops of a moment. */
struct learned_list {
	struct hop **hop;
	size_t count;
};

static void collect_learned(void *arg, struct hop *hop)
{
	struct learned_list *list = arg;

	if (!hop_is_learned(hop) || !hop_is_shown(hop))
		return;
	list->hop = xrealloc(list->hop, (list->count + 1) * sizeof(struct hop *));
	list->hop[list->count++] = hop;
}

/* take_in_learned - again: what there is to look at may be something else now */
static void take_in_learned(struct sched *sched)
{
	struct learned_list list = {0};

	table_each(sched->table, collect_learned, &list);
	for (size_t i = 0; i < list.count; i++)
		sched_take_in(sched, hop_full_name(list.hop[i]), hop_roles(list.hop[i]));
	free(list.hop);
}

void sched_apply(struct sched *sched, struct site *site)
{
	struct site *old = sched->site;

	sched->site = site_ref(site);
	table_mark(sched->table);
	site_each_hop(site, put_configured, sched);
	take_in_learned(sched);
	sched_start_fresh(sched);
	table_sweep(sched->table, forget_unused, sched);
	canaries_apply(sched->canaries);
	if (old != NULL)
		table_each(sched->table, rearm, sched);
	jobs_fill_places(sched);
	site_unref(old);
}

/* on_wake - mail wants fresh results, or taught us names */
static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct sched *sched = arg;
	char name[HOP_NAME_BYTES];
	enum hop_role role;
	struct hop *hop;

	(void)fd;
	(void)what;
	while (table_learned_next(sched->table, name, &role))
		learn(sched, name, role);
	while ((hop = table_next_wanted(sched->table)) != NULL)
		if (hop_job(hop) != NULL) /* a reload may have taken it, and canaries come by themselves */
			job_begin(hop_job(hop));
}

static void wake(void *arg)
{
	struct sched *sched = arg;

	event_active(sched->wake, 0, 0);
}

struct sched *sched_new(struct event_base *base, struct table *table, const struct opener *opener,
	sched_change_fn *on_change, void *arg)
{
	struct sched *sched = xcalloc(1, sizeof *sched);
	const struct table_observer observer = {wake, sched};

	sched->base = base;
	sched->table = table;
	sched->opener = opener;
	sched->on_change = on_change;
	sched->arg = arg;
	sched->listening = listening_new();
	sched->canaries = canaries_new(sched);
	sched->prober = prober_new(base, opener);
	sched->wake = event_new(base, -1, EV_PERSIST, on_wake, sched);
	if (sched->prober == NULL || sched->wake == NULL) {
		sched_free(sched);
		return NULL;
	}
	table_observe(table, &observer);
	return sched;
}

void sched_use_keyring(struct sched *sched, const struct keyring *keyring)
{
	prober_use_keyring(sched->prober, keyring);
}

void sched_watch_results(struct sched *sched, sched_result_fn *on_result, void *arg)
{
	sched->on_result = on_result;
	sched->result_arg = arg;
}

unsigned sched_in_flight(const struct sched *sched)
{
	return sched->in_flight;
}

void sched_evidence(struct sched *sched, const char *name, enum statement statement, bool is_sure)
{
	struct hop *hop = table_find(sched->table, name);

	if (hop != NULL && hop_job(hop) != NULL)
		job_hear(hop_job(hop), statement, is_sure);
}

static void end_job(void *arg, struct hop *hop)
{
	(void)arg;
	job_free(hop_job(hop));
	hop_set_job(hop, NULL);
}

void sched_free(struct sched *sched)
{
	if (sched->site != NULL)
		table_each(sched->table, end_job, NULL);
	canaries_free(sched->canaries);
	if (sched->wake != NULL)
		event_free(sched->wake);
	if (sched->prober != NULL)
		prober_free(sched->prober);
	site_unref(sched->site);
	sched_forget_memories(sched);
	listening_free(sched->listening);
	free(sched->fresh);
	free(sched);
}
