/*
 * log - messages to syslog, to standard error, or to the journal of systemd behind it
 *
 * Each message is formatted once into a fixed buffer, cleaned, and handed over whole, so that lines
 * of different threads never mix and a hostile banner can neither forge a line nor cost memory.
 */
#include "base/log.h"

#include "base/log_journal.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#define LINE_BYTES 2048

static bool use_stderr = true;
static bool use_journal; /* which is what standard error is */
static int level;

void log_init(const char *ident, bool to_stderr, int verbosity)
{
	use_stderr = to_stderr;
	use_journal = to_stderr && log_journal_find();
	level = verbosity;
	/* libmilter and libc log through syslog(3) too, so it is opened in both cases. */
	openlog(ident, LOG_PID | LOG_NDELAY, LOG_MAIL);
}

/* clean - replace control characters and what is no UTF-8, so that one call is one line that any terminal can show */
static void clean(char *text)
{
	for (unsigned char *cp = (unsigned char *)text; *cp != '\0'; cp++) {
		size_t length;

		if (*cp >= ' ' && *cp < 0x7f)
			continue;
		length = *cp >= 0x80 ? utf8_length((const char *)cp) : 0;
		if (length == 0)
			*cp = '?';
		else
			cp += length - 1;
	}
}

/* write_out - a clean line, to where messages go.  A journal that does not take it by its own protocol reads the
 * priority in front of the line (sd-daemon(3)). */
static void write_out(
	int priority, char line[LINE_BYTES], const struct log_field *fields, size_t field_count)
{
	size_t used = strlen(line);

	if (!use_stderr) {
		syslog(priority, "%s", line);
	} else if (!use_journal) {
		line[used++] = '\n';
		/* Where there is nobody to tell. */
		(void)!write(STDERR_FILENO, line, used);
	} else if (!log_journal_send(priority, line, fields, field_count)) {
		(void)dprintf(STDERR_FILENO, "<%d>%s\n", priority, line);
	}
}

static void emit(int priority, const char *label, int error, const struct log_field *fields,
	size_t field_count, const char *fmt, va_list ap)
{
	char line[LINE_BYTES];
	int saved = errno;
	size_t used = strlen(label), room = sizeof line - 1; /* for the newline */
	int bytes;

	memcpy(line, label, used + 1);
	bytes = vsnprintf(line + used, room - used, fmt, ap);
	if (bytes > 0)
		used += (size_t)bytes < room - used ? (size_t)bytes : room - used - 1;
	if (error != 0)
		(void)snprintf(line + used, room - used, ": %s", strerror(error));
	clean(line);
	write_out(priority, line, fields, field_count);
	errno = saved;
}

#define DEFINE_LOG(name, priority, label, error, enabled)                                          \
	void name(const char *fmt, ...)                                                            \
	{                                                                                          \
		va_list ap;                                                                        \
		if (!(enabled))                                                                    \
			return;                                                                    \
		va_start(ap, fmt);                                                                 \
		emit(priority, label, error, NULL, 0, fmt, ap);                                    \
		va_end(ap);                                                                        \
	}

DEFINE_LOG(log_err, LOG_ERR, "error: ", errno, true)
DEFINE_LOG(log_errx, LOG_ERR, "error: ", 0, true)
DEFINE_LOG(log_warn, LOG_WARNING, "warning: ", errno, true)
DEFINE_LOG(log_warnx, LOG_WARNING, "warning: ", 0, true)
DEFINE_LOG(log_info, LOG_INFO, "", 0, true)
DEFINE_LOG(log_debug, LOG_DEBUG, "", 0, level >= 1)
DEFINE_LOG(log_trace, LOG_DEBUG, "", 0, level >= 2)

void log_info_about(const struct log_field *fields, size_t field_count, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit(LOG_INFO, "", 0, fields, field_count, fmt, ap);
	va_end(ap);
}

bool log_is_tracing(void)
{
	return level >= 2;
}
