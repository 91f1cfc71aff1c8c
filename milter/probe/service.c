/*
 * service - does a delivery agent answer on a private/ socket?
 *
 * Only what qmgr(8) itself does: connect, read the greeting, hang up.  Nothing is ever sent.  Since
 * Postfix 3.5 an agent greets with its protocol, before that with "status" = "0".  Other servers
 * greet too, with protocols of their own (and some of them log it when one hangs up on them).
 *
 * A silent service is one whose agents cannot start, or are all at work.  The connection cannot
 * tell which, the table of processes can: master(8) runs PROGRAM [-l] [-z] [-n NAME] -t TYPE ...
 * what master.cf says and leaves "-n NAME" out when the service is named like its program ("smtp",
 * "lmtp", "local").
 */
#include "probe/service.h"

#include "base/clock.h"
#include "base/log.h"
#include "postfix/attr.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	GREETING_LIMIT_BYTES = 4096,
	NAME_BYTES = 128,
	PROC_FILE_BYTES = 4096, /* the name comes first in a command line */
};

struct service_probe {
	int fd;
	struct event *readable, *timer;
	char name[NAME_BYTES];
	char greeting[GREETING_LIMIT_BYTES];
	size_t used;
	int64_t start_us;
	service_answer_fn *answered;
	void *arg;
};

static void destroy(struct service_probe *probe)
{
	if (probe->readable != NULL)
		event_free(probe->readable);
	if (probe->timer != NULL)
		event_free(probe->timer);
	(void)close(probe->fd);
	free(probe);
}

/* finish - hang up at once: until then the agent waits for a request and is kept from mail */
static void finish(struct service_probe *probe, enum service_answer answer)
{
	int64_t latency_us = clock_now_us() - probe->start_us;
	service_answer_fn *answered = probe->answered;
	void *arg = probe->arg;

	destroy(probe);
	answered(arg, answer, latency_us);
}

/* is_agent - is that complete message the greeting of a delivery agent? */
static bool is_agent(const char *bytes, size_t count)
{
	const char *protocol = attr_value(bytes, count, "protocol");
	const char *status = attr_value(bytes, count, "status");

	if (protocol != NULL)
		return strcmp(protocol, "delivery_request_protocol") == 0;
	return status != NULL && strcmp(status, "0") == 0;
}

/* finish_foreign - length: how much of the text there is at most */
static void finish_foreign(struct service_probe *probe, const char *text, size_t length)
{
	log_debug("%s: no delivery agent: %.*s", probe->name, (int)length, text);
	finish(probe, SERVICE_OTHER);
}

/* take_greeting - look at what has come so far */
static void take_greeting(struct service_probe *probe)
{
	size_t count = 0;
	enum attr_status status = attr_scan(probe->greeting, probe->used, &count);
	const char *protocol;

	if (status == ATTR_COMPLETE && is_agent(probe->greeting, count)) {
		finish(probe, SERVICE_AGENT);
	} else if (status == ATTR_COMPLETE) {
		protocol = attr_value(probe->greeting, count, "protocol");
		finish_foreign(probe, protocol == NULL ? "" : protocol, count);
	} else if (status == ATTR_BAD || probe->used == sizeof probe->greeting) {
		finish_foreign(probe, probe->greeting, probe->used);
	}
}

static bool is_later(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static void on_readable(evutil_socket_t fd, short events, void *arg)
{
	struct service_probe *probe = arg;
	ssize_t count =
		recv(fd, probe->greeting + probe->used, sizeof probe->greeting - probe->used, 0);

	(void)events;
	if (count > 0) {
		probe->used += (size_t)count;
		take_greeting(probe);
	} else if (count < 0 && (errno == ENOMEM || errno == ENOBUFS)) {
		finish(probe, SERVICE_LOCAL);
	} else if (count == 0 || !is_later(errno)) {
		finish(probe, SERVICE_CLOSED);
	}
}

/* on_timer - stay connected; the callback may cancel the probe */
static void on_timer(evutil_socket_t fd, short events, void *arg)
{
	struct service_probe *probe = arg;

	(void)fd;
	(void)events;
	probe->answered(probe->arg, SERVICE_SILENT, clock_now_us() - probe->start_us);
}

/* prepare - what needs memory; false when there is none */
static bool prepare(struct service_probe *probe, struct event_base *base, int64_t timeout_ms)
{
	struct timeval limit = {timeout_ms / 1000, timeout_ms % 1000 * 1000};

	probe->readable = event_new(base, probe->fd, EV_READ | EV_PERSIST, on_readable, probe);
	probe->timer = evtimer_new(base, on_timer, probe);
	return probe->readable != NULL && probe->timer != NULL &&
	       event_add(probe->readable, NULL) == 0 && event_add(probe->timer, &limit) == 0;
}

struct service_probe *service_probe_start(struct event_base *base, int fd, const char *name,
	int64_t timeout_ms, service_answer_fn *answered, void *arg)
{
	struct service_probe *probe = calloc(1, sizeof *probe);

	if (probe == NULL) {
		(void)close(fd);
		return NULL;
	}
	probe->fd = fd;
	(void)snprintf(probe->name, sizeof probe->name, "%s", name);
	probe->start_us = clock_now_us();
	probe->answered = answered;
	probe->arg = arg;
	if (!prepare(probe, base, timeout_ms)) {
		destroy(probe);
		return NULL;
	}
	return probe;
}

void service_probe_cancel(struct service_probe *probe)
{
	destroy(probe);
}

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

long service_master(int fd)
{
	struct ucred peer;
	socklen_t bytes = sizeof peer;

	/* Of whoever called listen(2). */
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0 ? (long)peer.pid : 0;
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

/* is_worker - a child of that master (0: of any) that has lived for so long */
static bool is_worker(int proc, const char *pid, const struct service_workers *wanted)
{
	enum { PARENT = 1, START_TICKS = 19 };
	char path[NAME_BYTES], text[PROC_FILE_BYTES];
	struct timespec now;
	int64_t age_ms;

	(void)snprintf(path, sizeof path, "%.32s/stat", pid);
	if (read_small_file(proc, path, text) < 0)
		return false;
	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	age_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 -
		 (int64_t)stat_field(text, START_TICKS) * 1000 / sysconf(_SC_CLK_TCK);
	return (wanted->master == 0 || stat_field(text, PARENT) == wanted->master) &&
	       age_ms >= wanted->least_age_ms;
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

/* is_service - does a command line as master(8) makes it belong to that service? */
static bool is_service(const char *command, size_t bytes, const char *name)
{
	const char *end = command + bytes, *service = base_name(command);
	const char *argument = next_argument(command, end);

	while (argument != NULL && strcmp(argument, "-t") != 0) {
		if (strcmp(argument, "-n") == 0) {
			argument = next_argument(argument, end);
			if (argument == NULL)
				return false;
			service = argument;
		}
		argument = next_argument(argument, end);
	}
	return argument != NULL && strcmp(service, name) == 0;
}

/* runs_service - false also when the process is gone by now, or hidden from us */
static bool runs_service(int proc, const char *pid, const struct service_workers *wanted)
{
	char path[NAME_BYTES], command[PROC_FILE_BYTES];
	ssize_t count;

	(void)snprintf(path, sizeof path, "%.32s/cmdline", pid);
	count = read_small_file(proc, path, command);
	return count > 0 && is_service(command, (size_t)count, wanted->name) &&
	       is_worker(proc, pid, wanted);
}

int service_processes(const struct service_workers *wanted)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	int count = 0, error;

	if (proc == NULL)
		return -1;
	/* cppcheck-suppress readdirCalled ; no other thread has this stream */
	while (errno = 0, (entry = readdir(proc)) != NULL)
		if (isdigit((unsigned char)entry->d_name[0]) &&
			runs_service(dirfd(proc), entry->d_name, wanted))
			count++;
	error = errno;
	(void)closedir(proc);
	errno = error;
	return error == 0 ? count : -1;
}
