/*
 * log - messages to syslog (facility mail), to standard error, or to the journal of systemd behind it
 *
 * log_warn() and log_err() append strerror(errno); the ...x() forms do not.  All functions may be
 * called from any thread after log_init(), keep errno, and never print more than one line a call:
 * control characters in what is printed (peer banners, host names) become '?'.
 */
#ifndef FF_LOG_H
#define FF_LOG_H

#include <stdbool.h>
#include <stddef.h>

#define LOG_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* log_init - to_stderr: also when the process is not a daemon; verbosity: number of -v options; 1
 * lets log_debug() through, 2 log_trace() */
void log_init(const char *ident, bool to_stderr, int verbosity);

void log_err(const char *fmt, ...) LOG_PRINTF(1, 2);
void log_errx(const char *fmt, ...) LOG_PRINTF(1, 2);
void log_warn(const char *fmt, ...) LOG_PRINTF(1, 2);
void log_warnx(const char *fmt, ...) LOG_PRINTF(1, 2);
void log_info(const char *fmt, ...) LOG_PRINTF(1, 2);
void log_debug(const char *fmt, ...) LOG_PRINTF(1, 2);
void log_trace(const char *fmt, ...) LOG_PRINTF(1, 2);

/* What the journal keeps beside the text of a message, as "NAME=value"; other logs leave it out. */
struct log_field {
	const char *name; /* A-Z and _ */
	const char *value;
};

/* log_info_about - log_info() with up to four fields */
void log_info_about(const struct log_field *fields, size_t field_count, const char *fmt, ...)
	LOG_PRINTF(3, 4);

/* log_is_tracing - does log_trace() print anything? */
bool log_is_tracing(void);

#endif
