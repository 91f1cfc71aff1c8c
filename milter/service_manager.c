/*
 * service_manager - what systemd(1) is told: sd_notify(3)
 */
#include "service_manager.h"

#ifdef HAVE_LIBSYSTEMD

#include <stdio.h>
#include <systemd/sd-daemon.h>
#include <time.h>

void service_manager_ready(void)
{
	(void)sd_notify(0, "READY=1");
}

void service_manager_reloading(void)
{
	struct timespec now;

	/* Type=notify-reload of systemd 253 tells with this which reload is meant. */
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
		(long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void service_manager_stopping(void)
{
	(void)sd_notify(0, "STOPPING=1");
}

int64_t service_manager_interval_ms(void)
{
	uint64_t interval_us;

	if (sd_watchdog_enabled(0, &interval_us) <= 0)
		return 0;
	return interval_us >= 2000 ? (int64_t)(interval_us / 2000) : 1;
}

void service_manager_alive(void)
{
	(void)sd_notify(0, "WATCHDOG=1");
}

#else

void service_manager_ready(void)
{
}

void service_manager_reloading(void)
{
}

void service_manager_stopping(void)
{
}

int64_t service_manager_interval_ms(void)
{
	return 0;
}

void service_manager_alive(void)
{
}

#endif
