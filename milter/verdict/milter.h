/*
 * milter - the callbacks of libmilter: Postfix asks, we answer
 *
 * Callbacks run in libmilter's threads.  Nothing in them blocks but the bounded wait for a fresh
 * result.  Any failure of our own means accept, logged.
 */
#ifndef FF_MILTER_H
#define FF_MILTER_H

#include "conf/conf.h"
#include "health/table.h"
#include "verdict/resolver.h"

#include <stdbool.h>
#include <stdint.h>

/* milter_open - register with libmilter and open conf->listen; false with *error (constant text) set.  Children
 * inherit it. */
bool milter_open(const struct conf *conf, const char **error);

/* milter_use_resolver - for mail of sendmail(1); before milter_run() */
void milter_use_resolver(struct resolver *resolver);

/* milter_run - serve until the process ends; returns only on failure */
void milter_run(struct table *table);

/* milter_drain - from now on no new message is looked at; those that are open get their answer.  Any
 * thread. */
void milter_drain(void);

/* milter_open_messages - between their first recipient and their end; any thread */
unsigned milter_open_messages(void);

#endif
