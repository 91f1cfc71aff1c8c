/*
 * pulse - is the engine still alive?
 */
#include "pulse.h"

void pulse_start(struct pulse *pulse, int64_t now_ms)
{
	*pulse = (struct pulse){.tick_ms = now_ms + PULSE_TICK_MS};
}

void pulse_beat(struct pulse *pulse)
{
	pulse->silent = 0;
	pulse->has_begun = true;
}

bool pulse_tick(struct pulse *pulse, int64_t now_ms)
{
	unsigned limit = pulse->has_begun ? PULSE_LIMIT : PULSE_START_LIMIT;

	/* From now and not from when it was due: ticks that were missed are not made up for. */
	pulse->tick_ms = now_ms + PULSE_TICK_MS;
	if (++pulse->silent < limit)
		return false;
	pulse->silent = 0;
	return true;
}

bool pulse_is_weak(const struct pulse *pulse)
{
	return pulse->has_begun && pulse->silent > PULSE_LIMIT / 3;
}
