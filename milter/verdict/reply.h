/*
 * reply - the words of a refusal
 *
 * Pure; any thread.
 */
#ifndef FF_REPLY_H
#define FF_REPLY_H

#include "health/table.h"

#include <time.h>

enum {
	REPLY_TEXT_BYTES = 450, /* with codes below the 512 octets of RFC 5321 4.5.3.1.5 */
	REPLY_LINE_BYTES = REPLY_TEXT_BYTES + 16,
};

struct reply {
	char code[4];		     /* "451", or "421" to end the session */
	char enhanced[8];	     /* "4.4.1" (RFC 3463) */
	char text[REPLY_TEXT_BYTES]; /* printable ASCII */
};

/* reply_tempfail - about one hop in one role.  Brief: the role and the cause alone. */
void reply_tempfail(struct reply *reply, const struct hop_view *hop, enum hop_role role,
	bool is_brief, time_t now);

/* reply_close - make it end the session (RFC 5321 3.8) */
void reply_close(struct reply *reply);

/* reply_line - as the client sees it, for the log; returns line */
const char *reply_line(const struct reply *reply, char line[REPLY_LINE_BYTES]);

#endif
