/*
 * command - can pipe(8) run its command?
 *
 * A pipe(8) with an unknown user or without its program still greets qmgr(8), so that is looked at
 * statically, as pipe(8) would (pipe(8), "user=", "argv=", "directory=", "chroot=").
 *
 * Any thread; reads the file system and the user database.
 */
#ifndef FF_COMMAND_H
#define FF_COMMAND_H

#include "health/machine.h"

enum { COMMAND_DETAIL_BYTES = 256 };

/* command_check - arguments: what stands behind "pipe" in the line that `postconf -M` prints.
 * mail_owner: user= must not be it, nor root.  Fills outcome (REASON_NONE, command-missing, or
 * local-error when we may not look) and detail, one clean line, "" when all is well. */
void command_check(const char *arguments, const char *mail_owner, struct outcome *outcome,
	char detail[COMMAND_DETAIL_BYTES]);

#endif
