/*
 * sockpath - UNIX sockets in the file system
 */
#include "base/sockpath.h"

#include "base/xmem.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 64 };

static bool complain(char error[SOCKPATH_ERROR_BYTES], const char *path, const char *what)
{
	(void)snprintf(error, SOCKPATH_ERROR_BYTES, "%.150s: %s", path, what);
	return false;
}

/* make_directories - like mkdir -p; only the last one is ours */
static bool make_directories(char *directory, const struct sockpath_access *access)
{
	struct stat status;

	if (stat(directory, &status) == 0)
		return true;
	for (char *cp = strchr(directory + 1, '/'); cp != NULL; cp = strchr(cp + 1, '/')) {
		*cp = '\0';
		(void)mkdir(directory, 0755);
		*cp = '/';
	}
	return mkdir(directory, access->directory_mode) == 0 &&
	       chmod(directory, access->directory_mode) == 0 &&
	       chown(directory, access->directory_uid, access->gid) == 0;
}

static int connect_with(const char *path, int flags)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, saved;

	if (strlen(path) >= sizeof address.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	(void)strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
		saved = errno;
		close(fd);
		errno = saved;
		fd = -1;
	}
	return fd;
}

int sockpath_connect(const char *path)
{
	return connect_with(path, 0);
}

bool sockpath_prepare(const char *path, const struct sockpath_access *access,
	char error[SOCKPATH_ERROR_BYTES])
{
	char *copy = xstrdup(path);
	bool has_directory = make_directories(dirname(copy), access);
	struct stat status;
	int fd;

	free(copy);
	if (!has_directory)
		return complain(error, path, strerror(errno));
	if (lstat(path, &status) < 0)
		return errno == ENOENT || complain(error, path, strerror(errno));
	if (!S_ISSOCK(status.st_mode))
		return complain(error, path, "exists and is not a socket");
	fd = connect_with(path, SOCK_NONBLOCK);
	if (fd >= 0 || errno == EAGAIN) {
		if (fd >= 0)
			close(fd);
		return complain(error, path, "another process serves this socket");
	}
	if (unlink(path) < 0)
		return complain(error, path, strerror(errno));
	return true;
}

mode_t sockpath_umask(const struct sockpath_access *access)
{
	return 0777 & ~access->mode;
}

bool sockpath_grant(const char *path, const struct sockpath_access *access,
	char error[SOCKPATH_ERROR_BYTES])
{
	struct stat status;
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	bool is_granted = false;

	/* A second name may be one of somebody else's socket, moved here. */
	if (fd >= 0 && fstat(fd, &status) == 0 && (!S_ISSOCK(status.st_mode) || status.st_nlink != 1))
		errno = EEXIST;
	else if (fd >= 0)
		is_granted = fchownat(fd, "", access->uid, access->gid, AT_EMPTY_PATH) == 0;
	if (!is_granted)
		(void)complain(error, path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return is_granted;
}

int sockpath_listen(const char *path, const struct sockpath_access *access,
	char error[SOCKPATH_ERROR_BYTES])
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	mode_t mask;
	int fd;

	if (strlen(path) >= sizeof address.sun_path) {
		complain(error, path, strerror(ENAMETOOLONG));
		return -1;
	}
	if (!sockpath_prepare(path, access, error))
		return -1;
	(void)strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mask = umask(sockpath_umask(access));
	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
		listen(fd, BACKLOG) == 0) {
		(void)umask(mask);
		if (sockpath_grant(path, access, error))
			return fd;
	} else {
		(void)umask(mask);
		complain(error, path, strerror(errno));
	}
	if (fd >= 0)
		close(fd);
	return -1;
}
