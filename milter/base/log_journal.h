/*
 * log_journal - messages to the journal of systemd
 *
 * Threads: any, after log_journal_find().
 */
#ifndef FF_LOG_JOURNAL_H
#define FF_LOG_JOURNAL_H

#include "base/log.h"

#include <stdbool.h>

/* log_journal_find - does standard error end in the journal?  As systemd says it: JOURNAL_STREAM
 * (systemd.exec(5)) has device and inode of what the journal listens to, and a standard error that
 * was sent elsewhere is another. */
bool log_journal_find(void);

/* log_journal_send - one line, with its priority (syslog(3)) and fields; false: it was not taken,
 * write it to standard error */
bool log_journal_send(
	int priority, const char *line, const struct log_field *fields, size_t field_count);

#endif
