/*
 * tally - what was said to mail, in numbers
 */
#include "verdict/tally.h"

#include <stdatomic.h>

/* A look takes some 10 us; a wait for a fresh result ends after max_wait, 300 ms by default. */
const int64_t tally_limits_us[TALLY_BUCKETS - 1] = {
	50, 100, 250, 500, 1000, 5000, 25000, 100000, 300000, 500000, 1000000};

static struct {
	_Atomic uint64_t recipients[TALLY_ACTIONS][REASON_COUNT];
	_Atomic uint64_t verdicts[TALLY_BUCKETS];
	_Atomic uint64_t verdicts_us;
	atomic_uint connections;
} tally;

static void count(_Atomic uint64_t *number, uint64_t by)
{
	atomic_fetch_add_explicit(number, by, memory_order_relaxed);
}

void tally_recipient(enum conf_action action, enum reason reason)
{
	count(&tally.recipients[action][reason], 1);
}

void tally_verdict(int64_t took_us)
{
	unsigned bucket = 0;

	while (bucket < TALLY_BUCKETS - 1 && took_us > tally_limits_us[bucket])
		bucket++;
	count(&tally.verdicts[bucket], 1);
	count(&tally.verdicts_us, (uint64_t)took_us);
}

void tally_opened(void)
{
	atomic_fetch_add_explicit(&tally.connections, 1, memory_order_relaxed);
}

void tally_closed(void)
{
	atomic_fetch_sub_explicit(&tally.connections, 1, memory_order_relaxed);
}

void tally_read(struct tally *out)
{
	for (int action = 0; action < TALLY_ACTIONS; action++)
		for (int reason = 0; reason < REASON_COUNT; reason++)
			out->recipients[action][reason] = atomic_load_explicit(
				&tally.recipients[action][reason], memory_order_relaxed);
	for (int i = 0; i < TALLY_BUCKETS; i++)
		out->verdicts[i] = atomic_load_explicit(&tally.verdicts[i], memory_order_relaxed);
	out->verdicts_us = atomic_load_explicit(&tally.verdicts_us, memory_order_relaxed);
	out->connections = atomic_load_explicit(&tally.connections, memory_order_relaxed);
}
