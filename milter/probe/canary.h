/*
 * canary - hosts that say whether mail can leave through a transport without a nexthop of its own
 *
 * Threads: the event thread.
 */
#ifndef FF_CANARY_H
#define FF_CANARY_H

#include "health/table.h"

#include <stdbool.h>

struct sched;
struct canaries;

struct canaries *canaries_new(struct sched *sched);

/* canaries_free - every probe under way is cancelled; NULL is fine */
void canaries_free(struct canaries *canaries);

/* canaries_apply - follow the site of the scheduler, whose hops are in the table already; those that are configured as
 * before go on */
void canaries_apply(struct canaries *canaries);

/* canary_longest_ms - how long a round of the canaries of this hop can take; 0: it has none */
int64_t canary_longest_ms(const struct sched *sched, const char *hop);

#endif
