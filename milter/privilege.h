/*
 * privilege - who keeper and engine are
 *
 * Started by root, the keeper lives as Postfix's mail_owner, which may enter private/, and each
 * engine as `user`, which may nothing.  A crashed engine has to be started again, so the keeper
 * keeps the right to change to that one user: CAP_SETUID and CAP_SETGID, not effective until it
 * forks, behind a seccomp(2) filter that refuses to change to anybody else, root included.
 *
 * Started by anybody else, both are that user and nothing here does anything.
 *
 * Threads: the keeper has one.
 */
#ifndef FF_PRIVILEGE_H
#define FF_PRIVILEGE_H

#include "reload.h"

#include <stdbool.h>
#include <sys/types.h>

struct identity {
	uid_t uid;
	gid_t gid;
};

struct privilege {
	bool is_root; /* started by root, and not told to stay it (user = "") */
	struct identity keeper, engine;
	char user[64]; /* the engine's name, for its supplementary groups */
};

/* privilege_find - look the users up; false with a message logged when there is no such user */
bool privilege_find(const struct sources *sources, struct privilege *privilege);

/* privilege_become_keeper - for good; false with a message logged.  After that the supplementary
 * groups are those of the engine, so that they need not be changed any more. */
bool privilege_become_keeper(const struct privilege *privilege);

/* privilege_become_user - in a child of root, before privilege_become_keeper(): for good, without any capability, but what
 * it executes may gain some, as what that user starts may; false with a message logged */
bool privilege_become_user(const struct privilege *privilege);

/* privilege_become_engine - in a child of the keeper: for good, without any capability; false with
 * a message logged */
bool privilege_become_engine(const struct privilege *privilege);

#endif
