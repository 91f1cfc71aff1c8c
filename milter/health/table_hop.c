/*
 * table_hop - what the event thread may read of a hop, since nobody else writes it
 */
#include "health/table_private.h"

const char *hop_full_name(const struct hop *hop)
{
	return hop->name;
}

bool hop_is_settled(const struct hop *hop)
{
	bool is_settled = hop->result_ms != 0;

	for (int i = 0; i < CHECK_COUNT; i++)
		if (hop->has_check[i] && !machine_is_settled(&hop->check[i]))
			is_settled = false;
	return is_settled;
}

int64_t hop_failing_since_ms(const struct hop *hop)
{
	int64_t since_ms = 0;

	/* What is remembered may be older than this host is up: less than 0. */
	for (int i = 0; i < CHECK_COUNT; i++)
		if (hop->has_check[i] && machine_is_failing(&hop->check[i]) &&
			(since_ms == 0 || hop->check[i].turned_ms > since_ms))
			since_ms = hop->check[i].turned_ms;
	return since_ms;
}

bool hop_is_local(const struct hop *hop)
{
	return hop->is_local;
}

unsigned hop_roles(const struct hop *hop)
{
	return hop->roles;
}

bool hop_is_shown(const struct hop *hop)
{
	return hop->roles != 0;
}

struct hop *hop_base(const struct hop *hop)
{
	return hop->base;
}

unsigned hop_dependents(const struct hop *hop)
{
	return hop->dependents;
}

bool hop_is_learned(const struct hop *hop)
{
	return hop->is_learned;
}

const struct check *hop_own_check(const struct hop *hop, enum hop_check check)
{
	return hop->has_check[check] ? &hop->check[check] : NULL;
}

void *hop_job(const struct hop *hop)
{
	return hop->job;
}

void hop_set_job(struct hop *hop, void *job)
{
	hop->job = job;
}
