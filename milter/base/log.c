/*
 * log - messages to syslog or to standard error
 *
 * Each message is formatted once into a fixed buffer, cleaned, and handed over whole, so that lines
 * of different threads never mix and a hostile banner can neither forge a line nor cost memory.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#define LINE_BYTES 2048

static bool use_stderr = true;
static int level;

void log_init(const char *ident, bool to_stderr, int verbosity)
{
	use_stderr = to_stderr;
	level = verbosity;
	/* libmilter and libc log through syslog(3) too, so it is opened in both cases. */
	openlog(ident, LOG_PID | LOG_NDELAY, LOG_MAIL);
}

/* utf8_length - bytes of the character that begins here, 0: none, or a control character (U+0080 to U+009F) */
static size_t utf8_length(const unsigned char *cp)
{
	size_t length = *cp >= 0xf0 ? 4 : *cp >= 0xe0 ? 3 : 2;

	if (*cp < 0xc2 || *cp > 0xf4 || (*cp == 0xc2 && cp[1] < 0xa0))
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((cp[i] & 0xc0) != 0x80)
			return 0;
	/* Longer than need be, surrogates, beyond U+10FFFF */
	if ((*cp == 0xe0 && cp[1] < 0xa0) || (*cp == 0xed && cp[1] > 0x9f) ||
		(*cp == 0xf0 && cp[1] < 0x90) || (*cp == 0xf4 && cp[1] > 0x8f))
		return 0;
	return length;
}

/* clean - replace control characters and what is no UTF-8, so that one call is one line that any terminal can show */
static void clean(char *text)
{
	for (unsigned char *cp = (unsigned char *)text; *cp != '\0'; cp++) {
		size_t length = *cp >= 0x80 ? utf8_length(cp) : 1;

		if (*cp < ' ' || *cp == 0x7f || length == 0)
			*cp = '?';
		else
			cp += length - 1;
	}
}

static void emit(int priority, const char *label, int error, const char *fmt, va_list ap)
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
	if (use_stderr) {
		used = strlen(line);
		line[used++] = '\n';
		/* Where there is nobody to tell. */
		(void)!write(STDERR_FILENO, line, used);
	} else {
		syslog(priority, "%s", line);
	}
	errno = saved;
}

#define DEFINE_LOG(name, priority, label, error, enabled)                                          \
	void name(const char *fmt, ...)                                                            \
	{                                                                                          \
		va_list ap;                                                                        \
		if (!(enabled))                                                                    \
			return;                                                                    \
		va_start(ap, fmt);                                                                 \
		emit(priority, label, error, fmt, ap);                                             \
		va_end(ap);                                                                        \
	}

DEFINE_LOG(log_err, LOG_ERR, "error: ", errno, true)
DEFINE_LOG(log_errx, LOG_ERR, "error: ", 0, true)
DEFINE_LOG(log_warn, LOG_WARNING, "warning: ", errno, true)
DEFINE_LOG(log_warnx, LOG_WARNING, "warning: ", 0, true)
DEFINE_LOG(log_info, LOG_INFO, "", 0, true)
DEFINE_LOG(log_debug, LOG_DEBUG, "", 0, level >= 1)
DEFINE_LOG(log_trace, LOG_DEBUG, "", 0, level >= 2)

bool log_is_tracing(void)
{
	return level >= 2;
}
