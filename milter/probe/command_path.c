/*
 * command_path - may the user= of a pipe(8) run its program?
 *
 * pipe(8) becomes the user with that one group and no supplementary ones (set_ugid()), in the
 * chroot= and directory= given, with the system's default PATH.  Whether that works is decided from
 * file modes alone: nothing is run, and nobody becomes root.  Modes do not tell about access
 * control lists, so a file that has one is never found fault with; nor is a program whose name
 * holds a $macro, which a message fills in.
 */
#include "probe/command_private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <paths.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

enum {
	LINK_LIMIT = 40,    /* as Linux */
	SCRIPT_BYTES = 256, /* as Linux reads of a script */
};

/* A walk from directory to directory.  at is an absolute path of this host without symbolic links
 * below root, rest what is still to go. */
struct walk {
	struct command *command;
	const char *root; /* "" or the chroot= directory */
	const char *what; /* the walk is for: "argv=", "directory=" */
	const char *path; /* as it was given */
	struct stat stat; /* of at */
	unsigned links;
	char at[PATH_MAX];
	char rest[2 * PATH_MAX];
};

/* here - where the walk stands */
static const char *here(const struct walk *walk)
{
	return *walk->at != '\0' ? walk->at : "/";
}

/* fail - PROBLEM is said of where the walk stands, after what it is for */
static enum answer fail(struct walk *walk, enum answer answer, const char *problem)
{
	if (strcmp(walk->path, here(walk)) == 0)
		return command_conclude(
			walk->command, answer, "%s%.150s %s", walk->what, walk->path, problem);
	return command_conclude(walk->command, answer, "%s%.80s: %.100s %s", walk->what, walk->path,
		here(walk), problem);
}

/* fail_errno - nothing is there, or it is us who cannot look */
static enum answer fail_errno(struct walk *walk)
{
	switch (errno) {
	case ENOENT:
	case ENOTDIR:
	case ENAMETOOLONG:
		return fail(walk, ANSWER_NO, "does not exist");
	case ELOOP:
		return fail(walk, ANSWER_NO, "has too many symbolic links");
	default:
		return fail(walk, ANSWER_UNKNOWN, strerror(errno));
	}
}

/* may_execute - the x bit that counts for the user; problem: what is said when it is not set */
static enum answer may_execute(struct walk *walk, const char *problem)
{
	const struct command *command = walk->command;
	mode_t bit = S_IXOTH;

	if (walk->stat.st_uid == command->uid)
		bit = S_IXUSR;
	else if (walk->stat.st_gid == command->gid)
		bit = S_IXGRP;
	if ((walk->stat.st_mode & bit) != 0)
		return ANSWER_YES;
	if (getxattr(here(walk), "system.posix_acl_access", NULL, 0) > 0)
		return fail(walk, ANSWER_UNKNOWN, "has an access control list");
	return fail(walk, ANSWER_NO, problem);
}

/* look - at what is there now */
static enum answer look(struct walk *walk)
{
	if (lstat(here(walk), &walk->stat) != 0)
		return fail_errno(walk);
	return ANSWER_YES;
}

/* go_up - to the parent, not above the root */
static void go_up(struct walk *walk)
{
	char *slash = strrchr(walk->at + strlen(walk->root), '/');

	if (slash != NULL)
		*slash = '\0';
}

/* follow - put the target of a symbolic link before what is still to go */
static enum answer follow(struct walk *walk)
{
	char target[PATH_MAX + sizeof walk->rest];
	ssize_t length = readlink(walk->at, target, PATH_MAX);

	if (length < 0)
		return fail_errno(walk);
	if (++walk->links > LINK_LIMIT || length == PATH_MAX ||
		(size_t)length + strlen(walk->rest) + 2 > sizeof walk->rest) {
		errno = ELOOP;
		return fail_errno(walk);
	}
	target[length] = '\0';
	if (*target == '/')
		walk->at[strlen(walk->root)] = '\0';
	else
		go_up(walk);
	(void)snprintf(target + length, sizeof target - (size_t)length, "/%s", walk->rest);
	memcpy(walk->rest, target, strlen(target) + 1);
	return look(walk);
}

/* step - one name further */
static enum answer step(struct walk *walk, const char *name)
{
	size_t used = strlen(walk->at), length = strlen(name);
	enum answer answer;

	if (!S_ISDIR(walk->stat.st_mode))
		return fail(walk, ANSWER_NO, "is not a directory");
	answer = may_execute(walk, "may not be entered by its user");
	if (answer != ANSWER_YES || strcmp(name, ".") == 0)
		return answer;
	if (strcmp(name, "..") == 0) {
		go_up(walk);
		return look(walk);
	}
	if (length > NAME_MAX || used + length + 2 > sizeof walk->at) {
		errno = ENAMETOOLONG;
		return fail_errno(walk);
	}
	walk->at[used] = '/';
	memcpy(walk->at + used + 1, name, length + 1);
	return look(walk);
}

/* begin - stand at the root with all of path before us; false when it is too long */
static bool begin(struct walk *walk, const char *directory, const char *path)
{
	const char *before = *path != '/' ? directory : "";

	walk->links = 0;
	return (size_t)snprintf(walk->at, sizeof walk->at, "%s", walk->root) < sizeof walk->at &&
	       (size_t)snprintf(walk->rest, sizeof walk->rest, "%s/%s", before, path) <
		       sizeof walk->rest;
}

/* next_name - take one off what is still to go; its length, 0 at the end */
static size_t next_name(struct walk *walk, char name[NAME_MAX + 2])
{
	char *from = walk->rest + strspn(walk->rest, "/");
	size_t length = strcspn(from, "/");

	/* one that is too long stays so */
	(void)snprintf(name, NAME_MAX + 2, "%.*s", (int)length, from);
	memmove(walk->rest, from + length, strlen(from + length) + 1);
	return length;
}

/* go - to the end of path.  directory: where a relative path begins, NULL: not known. */
static enum answer go(struct walk *walk, const char *directory, const char *path)
{
	char name[NAME_MAX + 2];
	enum answer answer;

	walk->path = path;
	if (*path == '\0')
		return command_conclude(walk->command, ANSWER_NO, "%s is empty", walk->what);
	if (*path != '/' && directory == NULL)
		return command_conclude(walk->command, ANSWER_UNKNOWN,
			"%s%.150s is relative to queue_directory", walk->what, path);
	if (!begin(walk, directory, path)) {
		errno = ENAMETOOLONG;
		return fail_errno(walk);
	}
	answer = look(walk);
	while (answer == ANSWER_YES && next_name(walk, name) > 0) {
		answer = step(walk, name);
		if (answer == ANSWER_YES && S_ISLNK(walk->stat.st_mode))
			answer = follow(walk);
	}
	return answer;
}

/* check_root - chroot(2) is done as root; root: its real path, "" when there is none */
static enum answer check_root(struct command *command, char root[PATH_MAX])
{
	*root = '\0';
	if (command->root == NULL)
		return ANSWER_YES;
	if (*command->root != '/' && *command->root != '\0')
		return command_conclude(command, ANSWER_UNKNOWN,
			"chroot=%.150s is relative to queue_directory", command->root);
	if (realpath(command->root, root) == NULL)
		return command_conclude(command,
			errno == ENOENT || errno == ENOTDIR ? ANSWER_NO : ANSWER_UNKNOWN,
			"chroot=%.150s: %s", command->root, strerror(errno));
	if (strcmp(root, "/") == 0)
		*root = '\0';
	return ANSWER_YES;
}

static enum answer check_directory(struct walk *walk)
{
	enum answer answer;

	if (walk->command->directory == NULL)
		return ANSWER_YES;
	walk->what = "directory=";
	answer = go(walk, walk->command->root != NULL ? "" : NULL, walk->command->directory);
	if (answer != ANSWER_YES)
		return answer;
	if (!S_ISDIR(walk->stat.st_mode))
		return fail(walk, ANSWER_NO, "is not a directory");
	return may_execute(walk, "may not be entered by its user");
}

/* read_interpreter - of a script, as the kernel finds it; false when that is none, or none we can
 * read */
static bool read_interpreter(const char *path, char out[SCRIPT_BYTES])
{
	char head[SCRIPT_BYTES + 1];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	ssize_t count = fd >= 0 ? read(fd, head, SCRIPT_BYTES) : -1;
	const char *at;
	size_t length;

	if (fd >= 0)
		(void)close(fd);
	if (count < 2 || strncmp(head, "#!", 2) != 0)
		return false;
	head[count] = '\0';
	at = head + 2 + strspn(head + 2, " \t");
	length = strcspn(at, " \t\n");
	memcpy(out, at, length);
	out[length] = '\0';
	return *out == '/' && at[length] != '\0';
}

/* check_file - what the walk has come to */
static enum answer check_file(struct walk *walk)
{
	struct statvfs mount;

	if (!S_ISREG(walk->stat.st_mode))
		return fail(walk, ANSWER_NO, "is not a file");
	if (statvfs(walk->at, &mount) == 0 && (mount.f_flag & ST_NOEXEC) != 0)
		return fail(walk, ANSWER_NO, "is on a file system without programs (noexec)");
	return may_execute(walk, "may not be executed by its user");
}

/* check_path - a program and, when it is a script, its interpreter */
static enum answer check_path(struct walk *walk, const char *path)
{
	const struct command *command = walk->command;
	const char *directory = command->root != NULL ? "" : NULL;
	char interpreter[SCRIPT_BYTES];
	enum answer answer;

	if (command->directory != NULL && (*command->directory == '/' || directory != NULL))
		directory = command->directory;
	walk->what = "argv=";
	answer = go(walk, directory, path);
	if (answer == ANSWER_YES)
		answer = check_file(walk);
	if (answer != ANSWER_YES || !read_interpreter(walk->at, interpreter))
		return answer;
	walk->what = "interpreter of argv= ";
	answer = go(walk, NULL, interpreter);
	return answer == ANSWER_YES ? check_file(walk) : answer;
}

/* search_path - as execvp(3); pipe(8) sets PATH to the system's default */
static void search_path(struct walk *walk)
{
	struct command *command = walk->command;
	enum answer best = ANSWER_NO;

	for (const char *at = _PATH_DEFPATH; *at != '\0'; at += strspn(at, ":")) {
		size_t length = strcspn(at, ":");
		struct command attempt = *command;
		char path[PATH_MAX];
		enum answer answer;

		attempt.answer = ANSWER_YES;
		walk->command = &attempt;
		(void)snprintf(path, sizeof path, "%.*s/%s", (int)length, at, command->program);
		answer = check_path(walk, path);
		if (answer < best)
			best = answer;
		at += length;
	}
	walk->command = command;
	if (best != ANSWER_YES)
		(void)command_conclude(command, best, "argv=%.150s is no program in %s",
			command->program, _PATH_DEFPATH);
}

void command_check_program(struct command *command)
{
	char root[PATH_MAX];
	struct walk walk = {.command = command, .root = root};

	if (check_root(command, root) != ANSWER_YES || check_directory(&walk) == ANSWER_NO ||
		strchr(command->program, '$') != NULL)
		return;
	if (*command->program == '\0')
		(void)command_conclude(command, ANSWER_NO, "argv= names no program");
	else if (strchr(command->program, '/') == NULL)
		search_path(&walk);
	else
		(void)check_path(&walk, command->program);
}
