/*
 * service_manager - what systemd(1) is told: sd_notify(3)
 *
 * Nothing happens without systemd, or in a build without libsystemd.  The keeper's only thread.
 */
#ifndef FF_SERVICE_MANAGER_H
#define FF_SERVICE_MANAGER_H

#include <stdint.h>

/* service_manager_ready - started, or done with a reload */
void service_manager_ready(void);

/* service_manager_reloading - to be followed by service_manager_ready() */
void service_manager_reloading(void);

void service_manager_stopping(void);

/* service_manager_interval_ms - how often it wants to hear that we are alive, halved as
 * sd_watchdog_enabled(3) recommends; 0: it does not want to */
int64_t service_manager_interval_ms(void);

/* service_manager_alive - we are */
void service_manager_alive(void);

#endif
