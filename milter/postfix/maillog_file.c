/*
 * maillog_file - where Postfix's log is
 */
#include "postfix/maillog_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of Debian and its like, and of Red Hat and its like. */
static const char *const usual[] = {"/var/log/mail.log", "/var/log/maillog"};

/* is_own - for us "/dev/stdout" is our own, which Postfix does not write to */
static bool is_own(const char *path)
{
	return strncmp(path, "/dev/", strlen("/dev/")) == 0 ||
	       strncmp(path, "/proc/", strlen("/proc/")) == 0;
}

/* open_path - a regular file; nothing else can be followed */
static void open_path(const char *path, struct maillog_opened *opened)
{
	struct stat status;

	(void)snprintf(opened->path, sizeof opened->path, "%s", path);
	opened->error = EINVAL;
	opened->fd = -1;
	if (is_own(path))
		return;
	opened->error = 0;
	opened->fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (opened->fd < 0) {
		opened->error = errno;
	} else if (fstat(opened->fd, &status) < 0 || !S_ISREG(status.st_mode)) {
		close(opened->fd);
		opened->fd = -1;
		opened->error = EINVAL;
	}
}

void maillog_open(const char *maillog_file, struct maillog_opened *opened)
{
	if (*maillog_file != '\0') {
		open_path(maillog_file, opened);
		return;
	}
	for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
		open_path(usual[i], opened);
		if (opened->error != ENOENT)
			return;
	}
	/* The name that this system would most likely use. */
	(void)snprintf(opened->path, sizeof opened->path, "%s", usual[0]);
}
