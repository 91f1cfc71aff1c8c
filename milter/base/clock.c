/*
 * clock - the only place that asks what time it is
 */
#include "base/clock.h"

int64_t clock_now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000 + 1000;
}

int64_t clock_now_ms(void)
{
	return clock_now_us() / 1000;
}

time_t clock_wall(void)
{
	return time(NULL);
}

static const char *format(char buf[CLOCK_UTC_BYTES], time_t when, const char *layout)
{
	struct tm tm;

	if (gmtime_r(&when, &tm) == NULL || strftime(buf, CLOCK_UTC_BYTES, layout, &tm) == 0)
		buf[0] = '\0';
	return buf;
}

const char *clock_format_utc(char buf[CLOCK_UTC_BYTES], time_t when)
{
	return format(buf, when, "%Y-%m-%dT%H:%M:%SZ");
}

const char *clock_format_time(char buf[CLOCK_UTC_BYTES], time_t when)
{
	return format(buf, when, "%H:%M:%SZ");
}
