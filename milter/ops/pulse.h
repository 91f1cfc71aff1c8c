/*
 * pulse - does the milter answer?
 *
 * Every few seconds it is asked as Postfix asks it: a connection, the negotiation of the milter
 * protocol, and its end. An answer proves that libmilter accepts connections and that one of its
 * workers is free.
 *
 * Event thread only.
 */
#ifndef FF_PULSE_H
#define FF_PULSE_H

#include "conf/conf.h"

#include <event2/event.h>
#include <stdbool.h>

enum { PULSE_INTERVAL_S = 5, PULSE_TIMEOUT_S = 3 };

struct pulse;

/* pulse_new - feel it from now on.  socket: an O_PATH descriptor of the UNIX socket that
 * conf->listen names, which need not be reachable by its path; -1 where it names none.  NULL: out
 * of memory. */
struct pulse *pulse_new(struct event_base *base, const struct conf *conf, int socket);

/* pulse_is_felt - it answered the last time */
bool pulse_is_felt(const struct pulse *pulse);

#endif
