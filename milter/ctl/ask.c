/*
 * ask - one request to the daemon, one answer
 */
#include "ctl/ctl.h"

#include "base/sockpath.h"
#include "base/xmem.h"

#include <errno.h>
#include <grp.h>
#include <libgen.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

enum { ANSWER_TIMEOUT_S = 10 };

static const char hung_up[] = "failfast-milter hung up";

/* is_given - is the user a member of the group, whatever this session may know of it? */
static bool is_given(const struct group *group)
{
	/* cppcheck-suppress getpwuidCalled ; there is one thread */
	const struct passwd *user = getpwuid(geteuid());

	for (char **member = group->gr_mem; user != NULL && *member != NULL; member++)
		if (strcmp(*member, user->pw_name) == 0)
			return true;
	return false;
}

/* explain_denial - whose the socket is, or its directory, when that is what keeps us out */
static void explain_denial(const char *path, char words[CTL_WHY_BYTES])
{
	char *directory = xstrdup(path);
	const char *owned = dirname(directory);
	const struct group *group;
	struct stat status;

	if (access(owned, X_OK) == 0)
		owned = path;
	/* cppcheck-suppress getgrgidCalled ; there is one thread */
	group = stat(owned, &status) == 0 ? getgrgid(status.st_gid) : NULL;
	if (group == NULL)
		(void)snprintf(words, CTL_WHY_BYTES, "run this as root, or as a member of the group that owns it");
	else if (is_given(group))
		(void)snprintf(words, CTL_WHY_BYTES,
			"you are a member of group %s, which owns %s, but this session does not know yet: log in again",
			group->gr_name, owned);
	else
		(void)snprintf(words, CTL_WHY_BYTES,
			"you are not a member of group %s, which owns %s: become one, or run this as root",
			group->gr_name, owned);
	free(directory);
}

/* advise - what an operator can do about a socket that cannot be had */
static void advise(const struct ctl *ctl, int error, char words[CTL_WHY_BYTES])
{
	switch (error) {
	case EACCES:
		explain_denial(ctl->socket, words);
		return;
	case ENOENT:
		(void)snprintf(words, CTL_WHY_BYTES, "is failfast-milter running?%s%s%s",
			ctl->unread != NULL ? " (the usual socket was tried: you may not read " : "",
			ctl->unread != NULL ? ctl->unread : "", ctl->unread != NULL ? ")" : "");
		return;
	case ECONNREFUSED:
		(void)snprintf(words, CTL_WHY_BYTES,
			"the socket was left behind, nobody listens: is failfast-milter running?");
		return;
	default:
		(void)snprintf(words, CTL_WHY_BYTES, "see \"control\" in failfast-milter.conf(5)");
	}
}

static int connect_to(const struct ctl *ctl, char why[CTL_WHY_BYTES])
{
	const struct timeval timeout = {ANSWER_TIMEOUT_S, 0};
	int fd = sockpath_connect(ctl->socket);

	if (fd < 0) {
		char words[CTL_WHY_BYTES];
		int error = errno;

		advise(ctl, error, words);
		(void)snprintf(why, CTL_WHY_BYTES, "%.150s: %s: %.300s", ctl->socket, strerror(error), words);
		return -1;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
	return fd;
}

/* send_request - in whole; a daemon that hangs up at once is no reason to be killed by SIGPIPE */
static bool send_request(int fd, json_t *request)
{
	char *line = json_dumps(request, JSON_COMPACT);
	size_t bytes = line != NULL ? strlen(line) : 0, sent = 0;
	ssize_t got = 0;

	if (line == NULL)
		return false;
	line[bytes++] = '\n'; /* in place of its NUL */
	while (sent < bytes && got >= 0) {
		got = send(fd, line + sent, bytes - sent, MSG_NOSIGNAL);
		if (got > 0)
			sent += (size_t)got;
		else if (got < 0 && errno == EINTR)
			got = 0;
	}
	free(line);
	return sent == bytes;
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
		stream = fdopen(fd, "r");
	if (stream != NULL && !send_request(fd, request)) {
		(void)snprintf(why, CTL_WHY_BYTES, "%s: no answer: %s", ctl->socket,
			errno == EPIPE ? hung_up : strerror(errno));
		fclose(stream);
		stream = NULL;
	}
	json_decref(request);
	return stream;
}

/* no_answer - why there is none */
static const char *no_answer(FILE *stream, const json_error_t *error)
{
	if (errno == EAGAIN)
		return "failfast-milter takes too long";
	if (errno != 0 && errno != ECONNRESET)
		return strerror(errno);
	return errno != 0 || feof(stream) ? hung_up : error->text;
}

json_t *ctl_next(const struct ctl *ctl, FILE *stream, char why[CTL_WHY_BYTES])
{
	const char *complaint;
	json_error_t error;
	json_t *answer;

	errno = 0;
	answer = json_loadf(stream, JSON_DISABLE_EOF_CHECK, &error);
	if (answer == NULL)
		(void)snprintf(why, CTL_WHY_BYTES, "%s: no answer: %s", ctl->socket, no_answer(stream, &error));
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
