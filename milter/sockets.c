/*
 * sockets - where Postfix, failfastctl(8) and browsers reach us
 */
#include "sockets.h"

#include "base/log.h"
#include "base/sockpath.h"
#include "verdict/milter.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* While all places are taken who comes waits here, and is not told to try again in a second. */
enum { HTTP_BACKLOG = 1024 };

/* open_milter - Postfix's end; only root may give it to Postfix's group */
static bool open_milter(const struct conf *conf, const struct sockpath_access *access)
{
	const char *path = conf_listen_path(conf);
	char complaint[SOCKPATH_ERROR_BYTES];
	const char *error;
	mode_t mask;
	bool is_open;

	if (path != NULL && !sockpath_prepare(path, access, complaint)) {
		log_errx("listen: %s", complaint);
		return false;
	}
	mask = umask(sockpath_umask(access));
	is_open = milter_open(conf, &error);
	(void)umask(mask);
	if (!is_open) {
		log_errx("listen = \"%s\": %s", conf->listen, error);
		return false;
	}
	if (path != NULL && !sockpath_grant(path, access, complaint)) {
		log_errx("listen: %s", complaint);
		return false;
	}
	return true;
}

/* split_address - HOST:PORT without brackets */
static void split_address(const char *address, char host[256], char port[8])
{
	const char *colon = strrchr(address, ':');
	int length = (int)(colon - address);

	if (*address == '[') {
		address++;
		length -= 2;
	}
	(void)snprintf(host, 256, "%.*s", length, address);
	(void)snprintf(port, 8, "%s", colon + 1);
}

static int listen_at(const struct addrinfo *at)
{
	static const int yes = 1;
	int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), why;

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	if (at->ai_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
	if (bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, HTTP_BACKLOG) == 0)
		return fd;
	why = errno;
	close(fd);
	errno = why;
	return -1;
}

/* open_http - at the first address of the host; false when that must be had and cannot be */
static bool open_http(const struct conf *conf, int *fd)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct addrinfo *found = NULL;
	const char *why = NULL;
	char host[256], port[8];
	int error;

	*fd = -1;
	if (*conf->http == '\0')
		return true;
	split_address(conf->http, host, port);
	error = getaddrinfo(host, port, &hints, &found);
	if (error != 0) {
		why = gai_strerror(error);
	} else {
		*fd = listen_at(found);
		if (*fd < 0)
			why = strerror(errno);
		freeaddrinfo(found);
	}
	if (*fd >= 0)
		return true;
	if (strcmp(conf->http, CONF_HTTP_DEFAULT) == 0) {
		log_warnx("http = \"%s\", the default: %s: going on without HTTP", conf->http, why);
		return true;
	}
	log_errx("http = \"%s\": %s", conf->http, why);
	return false;
}

bool sockets_open(const struct conf *conf, const struct privilege *privilege, struct sockets *out)
{
	const struct group *group =
		*conf->listen_group != '\0' ? getgrnam(conf->listen_group) : NULL;
	struct sockpath_access access = {
		.uid = privilege->is_root ? privilege->engine.uid : (uid_t)-1,
		.gid = group != NULL ? group->gr_gid : privilege->engine.gid,
		.mode = conf->listen_mode,
		.directory_uid = privilege->is_root ? privilege->keeper.uid : (uid_t)-1,
		.directory_mode = 0750,
	};
	char complaint[SOCKPATH_ERROR_BYTES];

	*out = (struct sockets){-1, -1, -1};
	if (!open_http(conf, &out->http) || !open_milter(conf, &access))
		return false;
	if (conf_listen_path(conf) != NULL)
		out->milter = open(conf_listen_path(conf), O_PATH | O_NOFOLLOW | O_CLOEXEC);
	access.gid = privilege->is_root ? privilege->engine.gid : (gid_t)-1;
	access.mode = 0660;
	access.directory_mode = 0755;
	out->control = sockpath_listen(conf->control, &access, complaint);
	if (out->control < 0)
		log_errx("control: %s", complaint);
	return out->control >= 0;
}

void sockets_close(struct sockets *sockets)
{
	const int fds[] = {sockets->control, sockets->milter, sockets->http};

	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	*sockets = (struct sockets){-1, -1, -1};
}

void sockets_remove(const struct conf *conf)
{
	const char *path = conf_listen_path(conf);

	if (path != NULL)
		(void)unlink(path);
	(void)unlink(conf->control);
}
