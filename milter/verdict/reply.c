/*
 * reply - the words of a refusal
 *
 * Hop names come from configuration and from Postfix's resolver, so they are made printable here, and a
 * reply that would be too long loses the end of its text, never its codes.
 */
#include "verdict/reply.h"

#include "base/clock.h"
#include "base/copy.h"

#include <stdio.h>
#include <string.h>

enum { ONE_DAY_S = 86400 };

/* make_printable - what is not printable ASCII has no place in an SMTP reply */
static void make_printable(char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

/* add_comment - what the operator says about it */
static void add_comment(struct reply *reply, const char *comment)
{
	size_t used = strlen(reply->text);

	(void)snprintf(reply->text + used, sizeof reply->text - used, " (%s)", comment);
}

void reply_tempfail(struct reply *reply, const struct hop_view *hop, enum hop_role role,
	bool is_brief, time_t now)
{
	char since[CLOCK_UTC_BYTES];

	copy_text(reply->code, sizeof reply->code, "451");
	copy_text(reply->enhanced, sizeof reply->enhanced, reason_code(hop->reason));
	if (is_brief) {
		(void)snprintf(reply->text, sizeof reply->text, "%s is temporarily unavailable: %s",
			hop_role_text(role), reason_text(hop->reason));
	} else {
		/* The time of day alone would mislead when it is of another day. */
		if (now - hop->since < ONE_DAY_S)
			clock_format_time(since, hop->since);
		else
			clock_format_utc(since, hop->since);
		(void)snprintf(reply->text, sizeof reply->text, "%s %.300s is down since %s: %s",
			hop_role_text(role), hop->name, since, reason_text(hop->reason));
		if (hop->is_forced && *hop->detail != '\0')
			add_comment(reply, hop->detail);
	}
	make_printable(reply->text);
}

void reply_close(struct reply *reply)
{
	copy_text(reply->code, sizeof reply->code, "421");
}

const char *reply_line(const struct reply *reply, char line[REPLY_LINE_BYTES])
{
	(void)snprintf(line, REPLY_LINE_BYTES, "%s %s %s", reply->code, reply->enhanced, reply->text);
	return line;
}
