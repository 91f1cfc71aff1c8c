/*
 * command_private - what the files of the command module share
 */
#ifndef FF_COMMAND_PRIVATE_H
#define FF_COMMAND_PRIVATE_H

#include "probe/command.h"

#include <sys/types.h>

/* What a look at something says.  In order of what matters most. */
enum answer { ANSWER_YES, ANSWER_UNKNOWN, ANSWER_NO };

/* What pipe(8) makes of its arguments, and what is wrong with them. */
struct command {
	const char *mail_owner;
	const char *user, *group; /* group: NULL when not given */
	const char *directory;    /* NULL: queue_directory */
	const char *root;         /* NULL: no chroot= */
	const char *program;      /* NULL until argv= was seen */
	uid_t uid;
	gid_t gid;
	enum answer answer;
	char detail[COMMAND_DETAIL_BYTES];
};

/* command_conclude - keep the worst answer and the first words for it; returns the answer */
enum answer command_conclude(struct command *command, enum answer answer, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* command_check_program - can the user run the program, in the chroot= and directory= given? */
void command_check_program(struct command *command);

#endif
