/*
 * heartbeat - is the engine still alive?
 *
 * The engine's event thread says so every HEARTBEAT_BEAT_MS.  The keeper counts its own ticks in between, and not the time:
 * when the whole host stands still, suspended or stopped, the keeper does not tick either, and nobody is blamed for it.
 *
 * Pure; one thread at a time.
 */
#ifndef FF_HEARTBEAT_H
#define FF_HEARTBEAT_H

#include <stdbool.h>
#include <stdint.h>

enum {
	HEARTBEAT_BEAT_MS = 1000,
	HEARTBEAT_TICK_MS = 1000,
	HEARTBEAT_LIMIT = 15,	/* ticks without a beat: it hangs */
	HEARTBEAT_START_LIMIT = 60, /* before the first beat, with ten thousand hops to take in */
};

struct heartbeat {
	unsigned silent; /* ticks since the last beat */
	bool has_begun;
	int64_t tick_ms; /* when the next tick is due, 0: at once */
};

/* heartbeat_start - a new engine */
void heartbeat_start(struct heartbeat *pulse, int64_t now_ms);

/* heartbeat_beat - it said that it is alive */
void heartbeat_beat(struct heartbeat *pulse);

/* heartbeat_tick - to be called when tick_ms is over, however late that is; true: it hangs.  Then it counts anew, so that
 * one which cannot be killed is told again. */
bool heartbeat_tick(struct heartbeat *pulse, int64_t now_ms);

/* heartbeat_is_weak - no beat for a third of the limit: nobody should be told that all is well */
bool heartbeat_is_weak(const struct heartbeat *pulse);

#endif
