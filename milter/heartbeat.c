/*
 * heartbeat - is the engine still alive?
 */
#include "heartbeat.h"

void heartbeat_start(struct heartbeat *pulse, int64_t now_ms)
{
	*pulse = (struct heartbeat){.tick_ms = now_ms + HEARTBEAT_TICK_MS};
}

void heartbeat_beat(struct heartbeat *pulse)
{
	pulse->silent = 0;
	pulse->has_begun = true;
}

bool heartbeat_tick(struct heartbeat *pulse, int64_t now_ms)
{
	unsigned limit = pulse->has_begun ? HEARTBEAT_LIMIT : HEARTBEAT_START_LIMIT;

	/* From now and not from when it was due: ticks that were missed are not made up for. */
	pulse->tick_ms = now_ms + HEARTBEAT_TICK_MS;
	if (++pulse->silent < limit)
		return false;
	pulse->silent = 0;
	return true;
}

bool heartbeat_is_weak(const struct heartbeat *pulse)
{
	return pulse->has_begun && pulse->silent > HEARTBEAT_LIMIT / 3;
}
