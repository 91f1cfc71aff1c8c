/*
 * maillog_file - where Postfix's log is
 */
#ifndef FF_MAILLOG_FILE_H
#define FF_MAILLOG_FILE_H

#include <stdbool.h>

enum { MAILLOG_PATH_BYTES = 1024 };

/* What came of opening it. */
struct maillog_opened {
	int fd;    /* the receiver's; -1: failed */
	int error; /* an errno then; EINVAL: it is no file */
	char path[MAILLOG_PATH_BYTES]; /* the one that was opened, or the one that error is about */
};

/* maillog_open - maillog_file of main.cf, or where that is "" the file that a syslogd usually writes.  Does not block.
 * Any thread. */
void maillog_open(const char *maillog_file, struct maillog_opened *opened);

/*
 * How the engine gets the log.  It may not be allowed to read it, so somebody else opens it and passes the descriptor.
 * An interface: the engine gives the real one, tests give their own.  Event thread.
 */
struct maillog_opener {
	/* Ask for the log of the instance with that config_directory; false when that cannot be asked now.  The answer
	 * comes later, by a call of evidence_opened(), unless the other side is gone. */
	bool (*ask)(void *opener_arg, const char *directory);
	void *opener_arg;
	const char *journal; /* a directory of journal files; NULL: the journal of this system */
};

#endif
