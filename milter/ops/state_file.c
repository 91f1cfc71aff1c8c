/*
 * state_file - a state file in the file system
 *
 * What it says decides about mail, so it must be nobody's but ours: a regular file that belongs to
 * the engine's user and that only this user can have written.
 */
#include "ops/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool complain(char error[STATE_ERROR_BYTES], const char *path, const char *what)
{
	(void)snprintf(error, STATE_ERROR_BYTES, "%.180s: %s", path, what);
	return false;
}

/* write_all - and wait until it is on the disk; the descriptor is closed whatever happens */
static bool write_all(int fd, const struct state_image *image)
{
	FILE *out = fdopen(fd, "w");
	bool is_written;
	int saved;

	if (out == NULL) {
		saved = errno;
		close(fd);
		errno = saved;
		return false;
	}
	errno = 0;
	is_written = state_write(image, out) && fsync(fd) == 0;
	saved = errno != 0 ? errno : ENOMEM;
	if (fclose(out) != 0 && is_written) {
		is_written = false;
		saved = errno;
	}
	errno = saved;
	return is_written;
}

/* flush_directory - the new name, too, shall outlive a crash; where that cannot be done the old
 * file may come back */
static void flush_directory(const char *path)
{
	char *copy = strdup(path);
	int fd = copy != NULL ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd >= 0) {
		(void)fsync(fd);
		close(fd);
	}
	free(copy);
}

bool state_file_save(
	const char *path, const struct state_image *image, char error[STATE_ERROR_BYTES])
{
	size_t bytes = strlen(path) + sizeof ".new";
	char *fresh = malloc(bytes);
	bool is_saved = false;
	int fd;

	if (fresh == NULL)
		return complain(error, path, strerror(ENOMEM));
	(void)snprintf(fresh, bytes, "%s.new", path);
	/* What a crash has left there is of no use, and anything else is not to be written into. */
	if (unlink(fresh) < 0 && errno != ENOENT) {
		(void)complain(error, fresh, strerror(errno));
		free(fresh);
		return false;
	}
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		(void)complain(error, path,
			errno == ENOENT ? "its directory does not exist" : strerror(errno));
	} else if (!write_all(fd, image) || rename(fresh, path) < 0) {
		(void)complain(error, path, strerror(errno));
		(void)unlink(fresh);
	} else {
		flush_directory(path);
		is_saved = true;
	}
	free(fresh);
	return is_saved;
}

/* check - is that file ours? */
static bool check(int fd, const char *path, size_t *bytes, char error[STATE_ERROR_BYTES])
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return complain(error, path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		return complain(error, path, "not a regular file");
	if (status.st_uid != geteuid())
		return complain(error, path, "belongs to another user");
	if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return complain(error, path, "others may write to it");
	if (status.st_size > STATE_FILE_BYTES)
		return complain(error, path, "too large");
	*bytes = (size_t)status.st_size;
	return true;
}

static char *read_all(int fd, const char *path, size_t *bytes, char error[STATE_ERROR_BYTES])
{
	char *text = malloc(*bytes + 1);
	size_t used = 0;

	while (text != NULL && used < *bytes) {
		ssize_t got = read(fd, text + used, *bytes - used);

		if (got < 0) {
			(void)complain(error, path, strerror(errno));
			free(text);
			return NULL;
		}
		if (got == 0)
			break;
		used += (size_t)got;
	}
	if (text == NULL)
		(void)complain(error, path, strerror(ENOMEM));
	*bytes = used;
	return text;
}

char *state_file_load(const char *path, size_t *bytes, char error[STATE_ERROR_BYTES])
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	char *text = NULL;

	error[0] = '\0';
	if (fd < 0) {
		if (errno == ELOOP)
			(void)complain(error, path, "not a regular file");
		else if (errno != ENOENT)
			(void)complain(error, path, strerror(errno));
		return NULL;
	}
	if (check(fd, path, bytes, error))
		text = read_all(fd, path, bytes, error);
	close(fd);
	return text;
}
