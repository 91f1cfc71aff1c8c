/*
 * ask - one request to the daemon, one answer
 */
#include "ctl/ctl.h"

#include "base/sockpath.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { ANSWER_TIMEOUT_S = 10 };

/* advice - what an operator can do about a socket that cannot be had */
static const char *advice(int error)
{
	switch (error) {
	case ENOENT:
	case ECONNREFUSED:
		return "is failfast-milter running?";
	case EACCES:
		return "run this as root, or as a member of the group that owns the socket";
	default:
		return "see \"control\" in failfast-milter.conf(5)";
	}
}

static int connect_to(const struct ctl *ctl, char why[CTL_WHY_BYTES])
{
	const struct timeval timeout = {ANSWER_TIMEOUT_S, 0};
	int fd = sockpath_connect(ctl->socket);

	if (fd < 0) {
		(void)snprintf(why, CTL_WHY_BYTES, "%s: %s: %s", ctl->socket, strerror(errno),
			advice(errno));
		return -1;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
	return fd;
}

static bool send_request(FILE *stream, json_t *request)
{
	return json_dumpf(request, stream, JSON_COMPACT) == 0 && fputc('\n', stream) != EOF &&
	       fflush(stream) == 0;
}

FILE *ctl_begin(const struct ctl *ctl, json_t *request, char why[CTL_WHY_BYTES])
{
	FILE *stream = NULL;
	int fd;

	if (request == NULL) {
		(void)snprintf(why, CTL_WHY_BYTES, "the words are not UTF-8");
		return NULL;
	}
	fd = connect_to(ctl, why);
	if (fd >= 0)
		stream = fdopen(fd, "r+");
	if (stream != NULL && !send_request(stream, request)) {
		(void)snprintf(why, CTL_WHY_BYTES, "%s: no answer: %s", ctl->socket, strerror(errno));
		fclose(stream);
		stream = NULL;
	}
	json_decref(request);
	return stream;
}

json_t *ctl_next(const struct ctl *ctl, FILE *stream, char why[CTL_WHY_BYTES])
{
	const char *complaint;
	json_error_t error;
	json_t *answer;

	errno = 0;
	answer = json_loadf(stream, JSON_DISABLE_EOF_CHECK, &error);
	if (answer == NULL)
		(void)snprintf(why, CTL_WHY_BYTES, "%s: no answer: %s", ctl->socket,
			errno != 0 ? strerror(errno) : error.text);
	complaint = json_string_value(json_object_get(answer, "error"));
	if (complaint != NULL) {
		(void)snprintf(why, CTL_WHY_BYTES, "%s", complaint);
		json_decref(answer);
		answer = NULL;
	}
	return answer;
}

void ctl_wait_for(FILE *stream, int64_t limit_ms)
{
	const struct timeval timeout = {limit_ms / 1000 + ANSWER_TIMEOUT_S, 0};

	(void)setsockopt(fileno(stream), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
}

json_t *ctl_try(const struct ctl *ctl, json_t *request, char why[CTL_WHY_BYTES])
{
	FILE *stream = ctl_begin(ctl, request, why);
	json_t *answer;

	if (stream == NULL)
		return NULL;
	answer = ctl_next(ctl, stream, why);
	fclose(stream);
	return answer;
}

json_t *ctl_ask(const struct ctl *ctl, json_t *request)
{
	char why[CTL_WHY_BYTES];
	json_t *answer = ctl_try(ctl, request, why);

	if (answer == NULL)
		(void)fprintf(stderr, "failfastctl: %s\n", why);
	return answer;
}
