/*
 * pulse - is the engine still alive?
 *
 * The engine's event thread says so every PULSE_BEAT_MS.  The keeper counts its own ticks in
 * between, and not the time: when the whole host stands still, suspended or stopped, the keeper
 * does not tick either, and nobody is blamed for it.
 *
 * Pure; one thread at a time.
 */
#ifndef FF_PULSE_H
#define FF_PULSE_H

#include <stdbool.h>
#include <stdint.h>

enum {
	PULSE_BEAT_MS = 1000,
	PULSE_TICK_MS = 1000,
	PULSE_LIMIT = 15,       /* ticks without a beat: it hangs */
	PULSE_START_LIMIT = 60, /* before the first beat, with ten thousand hops to take in */
};

struct pulse {
	unsigned silent; /* ticks since the last beat */
	bool has_begun;
	int64_t tick_ms; /* when the next tick is due, 0: at once */
};

/* pulse_start - a new engine */
void pulse_start(struct pulse *pulse, int64_t now_ms);

/* pulse_beat - it said that it is alive */
void pulse_beat(struct pulse *pulse);

/* pulse_tick - to be called when tick_ms is over, however late that is; true: it hangs.  Then it
 * counts anew, so that one which cannot be killed is told again. */
bool pulse_tick(struct pulse *pulse, int64_t now_ms);

/* pulse_is_weak - no beat for a third of the limit: nobody should be told that all is well */
bool pulse_is_weak(const struct pulse *pulse);

#endif
