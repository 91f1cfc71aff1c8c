/*
 * pace - how often to knock, and when to begin
 */
#include "probe/pace.h"

enum { DOWN_SHARE = 20 };

int64_t pace_down_ms(int64_t down_interval_ms, int64_t down_for_ms)
{
	int64_t share_ms = down_for_ms / DOWN_SHARE;

	if (share_ms > PACE_DOWN_MS)
		share_ms = PACE_DOWN_MS;
	return share_ms > down_interval_ms ? share_ms : down_interval_ms;
}

int64_t pace_start_ms(size_t at, size_t count, int64_t interval_ms)
{
	int64_t range_ms = interval_ms < PACE_START_MS ? interval_ms : PACE_START_MS;

	if (at < PACE_START_AT_ONCE || at >= count)
		return 0;
	return range_ms * (int64_t)(at - PACE_START_AT_ONCE + 1) / (int64_t)(count - PACE_START_AT_ONCE + 1);
}
