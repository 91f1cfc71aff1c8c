/*
 * workers - the delivery agents that run
 *
 * master(8) runs PROGRAM [-l] [-z] [-n NAME] -t TYPE ... what master.cf says and leaves "-n NAME" out when the
 * service is named like its program ("smtp", "lmtp", "local").
 *
 * When a whole Postfix is slow, thousands of services are silent at the same time: one look at /proc serves all.
 */
#include "probe/workers.h"

#include "base/xmem.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	MAX_AGE_MS = 500,
	NAME_BYTES = 128,
	PROC_FILE_BYTES = 4096, /* the name comes first in a command line */
};

/* A process that master(8) may have started. */
struct worker {
	char *name; /* of the service */
	long parent;
	int64_t start_ms; /* since boot */
};

static struct {
	struct worker *list;
	size_t count;
	int64_t read_ms;
	bool is_read;
} seen;

/* read_small_file - the first bytes of a file below directory, and a NUL; the count, or -1 */
static ssize_t read_small_file(int directory, const char *path, char text[PROC_FILE_BYTES])
{
	int fd = openat(directory, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	ssize_t count = -1;

	if (fd >= 0) {
		count = read(fd, text, PROC_FILE_BYTES - 1);
		(void)close(fd);
	}
	if (count >= 0)
		text[count] = '\0';
	return count;
}

/* stat_field - of "PID (COMMAND) STATE PPID ...", with anything in COMMAND; counted from STATE, 0: not there */
static long stat_field(const char *text, int field)
{
	const char *cp = strrchr(text, ')');

	for (int i = 0; cp != NULL && i <= field; i++) {
		cp = strchr(cp + 1, ' ');
	}
	return cp != NULL ? strtol(cp, NULL, 10) : 0;
}

/* next_argument - NULL behind the last one; a cut off one has the NUL of the buffer */
static const char *next_argument(const char *argument, const char *end)
{
	argument += strlen(argument) + 1;
	return argument < end ? argument : NULL;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

/* service_of - the service that a command line as master(8) makes it belongs to, NULL: it is another */
static const char *service_of(const char *command, size_t bytes)
{
	const char *end = command + bytes, *service = base_name(command);
	const char *argument = next_argument(command, end);

	while (argument != NULL && strcmp(argument, "-t") != 0) {
		if (strcmp(argument, "-n") == 0) {
			argument = next_argument(argument, end);
			if (argument == NULL)
				return NULL;
			service = argument;
		}
		argument = next_argument(argument, end);
	}
	return argument != NULL ? service : NULL;
}

static int64_t time_ms(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* look_at - one process; it may be gone by now, or hidden from us */
static void look_at(int proc, const char *pid)
{
	enum { PARENT = 1, START_TICKS = 19 };
	char path[NAME_BYTES], command[PROC_FILE_BYTES], text[PROC_FILE_BYTES];
	const char *service = NULL;
	struct worker *worker;
	ssize_t bytes;

	(void)snprintf(path, sizeof path, "%.32s/cmdline", pid);
	bytes = read_small_file(proc, path, command);
	if (bytes > 0)
		service = service_of(command, (size_t)bytes);
	(void)snprintf(path, sizeof path, "%.32s/stat", pid);
	if (service == NULL || read_small_file(proc, path, text) < 0)
		return;
	seen.list = xrealloc(seen.list, (seen.count + 1) * sizeof *seen.list);
	worker = &seen.list[seen.count++];
	worker->name = xstrdup(service);
	worker->parent = stat_field(text, PARENT);
	worker->start_ms = (int64_t)stat_field(text, START_TICKS) * 1000 / sysconf(_SC_CLK_TCK);
}

/* look_around - at all processes; false with errno set */
static bool look_around(void)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	int error;

	while (seen.count > 0)
		free(seen.list[--seen.count].name);
	if (proc == NULL)
		return false;
	/* cppcheck-suppress readdirCalled ; no other thread has this stream */
	while (errno = 0, (entry = readdir(proc)) != NULL)
		if (isdigit((unsigned char)entry->d_name[0]))
			look_at(dirfd(proc), entry->d_name);
	error = errno;
	(void)closedir(proc);
	errno = error;
	return error == 0;
}

/* refresh - false with errno set when we know nothing */
static bool refresh(int64_t now_ms)
{
	if (!seen.is_read || now_ms - seen.read_ms > MAX_AGE_MS) {
		seen.is_read = look_around();
		seen.read_ms = now_ms;
	}
	return seen.is_read;
}

static bool is_wanted(const struct worker *worker, const struct workers_wanted *wanted)
{
	return (wanted->master == 0 || worker->parent == wanted->master) &&
	       time_ms(CLOCK_BOOTTIME) - worker->start_ms >= wanted->least_age_ms &&
	       strcmp(worker->name, wanted->name) == 0;
}

int workers_count(const struct workers_wanted *wanted, int64_t now_ms)
{
	int count = 0;

	if (!refresh(now_ms))
		return -1;
	for (size_t i = 0; i < seen.count; i++)
		count += is_wanted(&seen.list[i], wanted);
	return count;
}

int64_t workers_started_ms(const struct workers_wanted *wanted, int64_t now_ms)
{
	int64_t start_ms = -1;

	if (!refresh(now_ms))
		return -1;
	for (size_t i = 0; i < seen.count; i++)
		if (is_wanted(&seen.list[i], wanted) &&
			(start_ms < 0 || seen.list[i].start_ms < start_ms))
			start_ms = seen.list[i].start_ms;
	if (start_ms < 0)
		return -1;
	return time_ms(CLOCK_REALTIME) - time_ms(CLOCK_BOOTTIME) + start_ms;
}
