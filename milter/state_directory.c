/*
 * state_directory - where the state file lies
 *
 * Its parent may belong to anybody, so the new directory is held by a descriptor before it is given
 * away: nothing that is put in its place is.
 */
#include "state_directory.h"

#include "base/log.h"
#include "base/xmem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* make_parents - like mkdir -p, but for the last one */
static void make_parents(char *directory)
{
	for (char *cp = strchr(directory + 1, '/'); cp != NULL; cp = strchr(cp + 1, '/')) {
		*cp = '\0';
		(void)mkdir(directory, 0755);
		*cp = '/';
	}
}

/* give_away - false with errno set */
static bool give_away(const char *directory, const struct identity *owner)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat status;
	bool is_given = false;

	if (fd < 0)
		return false;
	errno = EPERM;
	if (fstat(fd, &status) == 0 && status.st_uid == geteuid())
		is_given = fchmod(fd, 0700) == 0 && fchown(fd, owner->uid, owner->gid) == 0;
	close(fd);
	return is_given;
}

void state_directory_make(const struct conf *conf, const struct privilege *privilege)
{
	char *directory, *slash;

	if (*conf->state == '\0')
		return;
	directory = xstrdup(conf->state);
	slash = strrchr(directory, '/');
	if (slash != NULL && slash != directory) {
		*slash = '\0';
		make_parents(directory);
		/* The engine tells what comes of it when it cannot write there. */
		if (mkdir(directory, 0700) == 0 ? !give_away(directory, &privilege->engine)
						: errno != EEXIST)
			log_debug("state: %s: %s", directory, strerror(errno));
	}
	free(directory);
}
