/*
 * watch - notice that main.cf or master.cf changed
 *
 * Directories are watched, not files: editors and configuration management replace a file by renaming
 * another over it.  Where main.cf is a symbolic link, the directory that it points to counts, too.
 */
#include "watch.h"

#include "base/log.h"
#include "base/xmem.h"
#include "vault.h"

#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const files[] = {"main.cf", "master.cf"};

/* A file, and what tells that it is another one now. */
struct file {
	char *path;
	struct stat seen; /* all zero: missing */
};

struct watch {
	int fd;
	int *descriptors;
	size_t count;
	struct file *files; /* of look-up tables */
	size_t file_count;
	char **names; /* of the files that they are links to */
	size_t name_count;
};

struct watch *watch_new(void)
{
	struct watch *watch = xcalloc(1, sizeof *watch);

	watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (watch->fd < 0) {
		free(watch);
		return NULL;
	}
	return watch;
}

static void forget_names(struct watch *watch)
{
	while (watch->name_count > 0)
		free(watch->names[--watch->name_count]);
}

static void forget_files(struct watch *watch)
{
	while (watch->file_count > 0)
		free(watch->files[--watch->file_count].path);
}

static void look(const char *path, struct stat *status)
{
	if (stat(path, status) < 0)
		memset(status, 0, sizeof *status);
}

static void add_table(void *arg, const char *path)
{
	struct watch *watch = arg;


	watch->files = xrealloc(watch->files, (watch->file_count + 1) * sizeof *watch->files);
	watch->files[watch->file_count].path = xstrdup(path);
	look(path, &watch->files[watch->file_count].seen);
	watch->file_count++;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       /* Who may read it now? */
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

bool watch_poll(struct watch *watch)
{
	bool is_changed = false;
	struct stat now;

	for (size_t i = 0; i < watch->file_count; i++) {
		look(watch->files[i].path, &now);
		is_changed = is_changed || !is_same(&now, &watch->files[i].seen);
		watch->files[i].seen = now;
	}
	return is_changed;
}

void watch_free(struct watch *watch)
{
	forget_names(watch);
	forget_files(watch);
	free(watch->names);
	free(watch->files);
	close(watch->fd);
	free(watch->descriptors);
	free(watch);
}

static void add(struct watch *watch, const char *directory)
{
	int descriptor = inotify_add_watch(watch->fd, directory,
		IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ONLYDIR);

	if (descriptor < 0) {
		log_warn("cannot watch %s: changes are noticed on reload only", directory);
		return;
	}
	watch->descriptors =
		xrealloc(watch->descriptors, (watch->count + 1) * sizeof *watch->descriptors);
	watch->descriptors[watch->count++] = descriptor;
}

/* add_file - the directory where a file really is, when that is another one */
static void add_file(struct watch *watch, const char *directory, const char *file)
{
	char *path = xasprintf("%s/%s", directory, file);
	char *real = realpath(path, NULL), *base = realpath(directory, NULL);

	if (real != NULL && base != NULL) {
		watch->names = xrealloc(watch->names, (watch->name_count + 1) * sizeof(char *));
		watch->names[watch->name_count++] = xstrdup(basename(real));
		if (strcmp(dirname(real), base) != 0)
			add(watch, real);
	}
	free(base);
	free(real);
	free(path);
}

void watch_update(struct watch *watch, const struct sources *sources)
{
	for (size_t i = 0; i < watch->count; i++)
		(void)inotify_rm_watch(watch->fd, watch->descriptors[i]);
	watch->count = 0;
	forget_names(watch);
	forget_files(watch);
	for (size_t i = 0; i < sources->count; i++) {
		add(watch, sources->postconfs[i].directory);
		for (size_t f = 0; f < sizeof files / sizeof *files; f++)
			add_file(watch, sources->postconfs[i].directory, files[f]);
		for (size_t f = 0; f < sources->postconfs[i].file_count; f++)
			add_table(watch, sources->postconfs[i].files[f]);
	}
	vault_each_file(sources, add_table, watch);
}

int watch_fd(const struct watch *watch)
{
	return watch->fd;
}

static bool is_ours(const struct watch *watch, const struct inotify_event *event)
{
	for (size_t i = 0; i < watch->name_count; i++)
		if (event->len > 0 && strcmp(event->name, watch->names[i]) == 0)
			return true;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		if (event->len > 0 && strcmp(event->name, files[i]) == 0)
			return true;
	/* Too many at once: something may have been lost. */
	return (event->mask & IN_Q_OVERFLOW) != 0;
}

bool watch_take(struct watch *watch)
{
	char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	bool is_changed = false;
	ssize_t got;

	while ((got = read(watch->fd, buffer, sizeof buffer)) > 0)
		for (char *cp = buffer; cp < buffer + got;) {
			const struct inotify_event *event = (const struct inotify_event *)cp;

			is_changed = is_changed || is_ours(watch, event);
			cp += sizeof *event + event->len;
		}
	return is_changed;
}
