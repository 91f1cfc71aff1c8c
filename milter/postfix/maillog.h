/*
 * maillog - what one line of Postfix's log says about a hop
 *
 * Pure: a line in, a statement out.  Any thread.
 *
 * A line holds text of others: addresses that clients chose and replies of servers.  So only what stands at its
 * place, written by Postfix, is read, and a line that could be read in two ways says nothing.
 */
#ifndef FF_MAILLOG_H
#define FF_MAILLOG_H

#include "health/hop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	MAILLOG_LINE_BYTES = 1000, /* a longer one says nothing: syslog may have cut it */
	MAILLOG_TAG_BYTES = 128,
};

enum statement {
	STATEMENT_NONE,
	STATEMENT_WORKS, /* took a message over a connection made for it */
	STATEMENT_DOUBT, /* failed in the middle of a message: it may be the message's fault */
	STATEMENT_FAILS, /* failed before it saw anything of a message */
};

struct maillog_line {
	enum statement statement;
	char tag[MAILLOG_TAG_BYTES];	/* "postfix/relay/smtp": syslog_name and the program */
	char transport[MAILLOG_TAG_BYTES]; /* qmgr(8): of a transport; "": of a server */
	char name[HOP_HOST_BYTES];	/* of the server, as smtp(8) names it */
	char address[HOP_PATH_BYTES];	/* or the path of its socket; "": not known, only the name is */
	uint16_t port;			/* host byte order; 0: not known, or a UNIX socket */
};

/* maillog_parse - a line without its newline, which may hold any bytes; false when it says nothing (what is in *out
 * then is not to be used) */
bool maillog_parse(const char *line, size_t length, struct maillog_line *out);

/* maillog_parse_entry - the same, where the tag ("postfix/smtp") and the words behind the head come by themselves */
bool maillog_parse_entry(const char *tag, size_t tag_length, const char *words, size_t length,
	struct maillog_line *out);

#endif
