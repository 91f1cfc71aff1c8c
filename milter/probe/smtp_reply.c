/*
 * smtp_reply - incremental parser of SMTP and LMTP replies
 *
 * The peer may be anything, so what it can make us keep is two lines of fixed size, whatever it
 * sends.  Where the RFC and smtp(8) differ, smtp(8) wins: mail goes through it, not the RFC.
 */
#include "probe/smtp_reply.h"

#include <string.h>

enum { CODE_DIGITS = 3 };

void smtp_reply_start(struct smtp_reply *reply)
{
	memset(reply, 0, sizeof *reply);
}

bool smtp_reply_is_foreign(const struct smtp_reply *reply)
{
	return reply->code == 0 && reply->lines > 0;
}

/* keep - add to the line what fits; smtp(8) sees nothing of a line behind a NUL */
static void keep(struct smtp_reply *reply, const char *bytes, size_t count)
{
	size_t room = SMTP_REPLY_LINE_BYTES - 1 - reply->line_bytes, text;

	if (reply->is_cut || count == 0)
		return;
	text = strnlen(bytes, count);
	reply->is_cut = text < count;
	if (text > room)
		text = room;
	memcpy(reply->line + reply->line_bytes, bytes, text);
	reply->line_bytes += text;
}

/* end_line - what is kept becomes a printable string without its carriage returns */
static void end_line(struct smtp_reply *reply)
{
	while (reply->line_bytes > 0 && reply->line[reply->line_bytes - 1] == '\r')
		reply->line_bytes--;
	reply->line[reply->line_bytes] = '\0';
	for (char *cp = reply->line; *cp != '\0'; cp++)
		if (*cp < ' ' || *cp > '~')
			*cp = '?';
	reply->line_bytes = 0;
	reply->is_cut = false;
	reply->lines++;
}

static void set_text(struct smtp_reply *reply)
{
	memcpy(reply->text, reply->line, sizeof reply->text);
}

/* parse_line - SMTP_REPLY_COMPLETE when this was the last line */
static enum smtp_reply_status parse_line(struct smtp_reply *reply)
{
	const char *line = reply->line;
	size_t digits = strspn(line, "0123456789");
	bool is_last = line[digits] == ' ' || line[digits] == '\0';
	unsigned code;

	if (digits != CODE_DIGITS || (!is_last && line[digits] != '-')) {
		if (reply->lines == 1)
			set_text(reply);
		return SMTP_REPLY_LINE;
	}
	code = (unsigned)(line[0] - '0') * 100 + (unsigned)(line[1] - '0') * 10 +
	       (unsigned)(line[2] - '0');
	/* postscreen(8) says "220-" and then "550 ... blocked": the text must be the latter's. */
	if (code != reply->code || reply->text[0] == '\0')
		set_text(reply);
	reply->code = code;
	return is_last ? SMTP_REPLY_COMPLETE : SMTP_REPLY_LINE;
}

enum smtp_reply_status smtp_reply_feed(
	struct smtp_reply *reply, const char *bytes, size_t count, size_t *used)
{
	const char *newline = count == 0 ? NULL : memchr(bytes, '\n', count);
	size_t text = newline == NULL ? count : (size_t)(newline - bytes);

	*used = newline == NULL ? count : text + 1;
	reply->total_bytes += *used;
	if (reply->total_bytes > SMTP_REPLY_LIMIT_BYTES)
		return SMTP_REPLY_OVERFLOW;
	keep(reply, bytes, text);
	if (newline == NULL)
		return SMTP_REPLY_MORE;
	end_line(reply);
	return parse_line(reply);
}
