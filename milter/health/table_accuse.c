/*
 * table_accuse - what others than our probes say about a hop
 */
#include "health/table_private.h"

bool table_accuse(struct table *table, struct hop *hop, const struct machine_policy *policy)
{
	bool counts;

	pthread_mutex_lock(&table->lock);
	counts = hop->has_check[CHECK_SERVER] && machine_accuse(&hop->check[CHECK_SERVER], policy);
	pthread_mutex_unlock(&table->lock);
	return counts;
}

uint64_t table_generation(const struct table *table)
{
	return table->generation;
}
