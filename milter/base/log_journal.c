/*
 * log_journal - messages to the journal of systemd
 *
 * What a service writes to standard error is in the journal, too, but as text alone.  Told by its
 * own protocol, a message keeps its priority and the facility mail, and a change of state has the
 * hop and the state as fields of their own (journalctl FAILFAST_HOP=...).
 */
#include "base/log_journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>
#ifdef HAVE_LIBSYSTEMD
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>
#endif

bool log_journal_find(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device;
	char *colon;
	struct stat st;

	if (stream == NULL || fstat(STDERR_FILENO, &st) < 0)
		return false;
	device = strtoull(stream, &colon, 10);
	return *colon == ':' && st.st_dev == device && st.st_ino == strtoull(colon + 1, NULL, 10);
}

#ifdef HAVE_LIBSYSTEMD
enum { FIXED_FIELDS = 4, FIELDS_MAX = 4, FIELD_BYTES = 512, MESSAGE_BYTES = 2100 };

/* iov_of - "NAME=VALUE" in a buffer of ours, cut to it */
static struct iovec iov_of(char *buffer, size_t bytes, const char *name, const char *value)
{
	int length = snprintf(buffer, bytes, "%s=%s", name, value);

	if (length < 0)
		length = 0;
	return (struct iovec){buffer, (size_t)length < bytes ? (size_t)length : bytes - 1};
}

bool log_journal_send(
	int priority, const char *line, const struct log_field *fields, size_t field_count)
{
	char message[MESSAGE_BYTES], buffers[FIXED_FIELDS - 1 + FIELDS_MAX][FIELD_BYTES];
	const struct log_field fixed[FIXED_FIELDS - 1] = {{"SYSLOG_IDENTIFIER", "failfast-milter"},
		{"SYSLOG_FACILITY", "2"}, /* LOG_MAIL without its shift */
		{"PRIORITY", (const char[]){(char)('0' + LOG_PRI(priority)), '\0'}}};
	struct iovec iov[FIXED_FIELDS + FIELDS_MAX];
	int count = 0;

	for (size_t i = 0; i < FIXED_FIELDS - 1; i++, count++)
		iov[count] = iov_of(
			buffers[count], sizeof buffers[count], fixed[i].name, fixed[i].value);
	for (size_t i = 0; i < field_count && i < FIELDS_MAX; i++, count++)
		iov[count] = iov_of(
			buffers[count], sizeof buffers[count], fields[i].name, fields[i].value);
	iov[count++] = iov_of(message, sizeof message, "MESSAGE", line);
	return sd_journal_sendv(iov, count) == 0;
}
#else
bool log_journal_send(
	int priority, const char *line, const struct log_field *fields, size_t field_count)
{
	(void)priority, (void)line, (void)fields, (void)field_count;
	return false;
}
#endif
