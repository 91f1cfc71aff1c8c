/*
 * smtp_reply - incremental parser of SMTP and LMTP replies (RFC 5321 4.2)
 *
 * Pure: it is fed bytes as they come and keeps a bounded part of them.  As lenient as smtp(8): a
 * line that is no reply line is skipped, the last line alone gives the code.  Any thread, one
 * object in one thread at a time.
 */
#ifndef FF_SMTP_REPLY_H
#define FF_SMTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>

enum {
	/* What is kept of a line, with the final NUL; the rest of it is read and forgotten. */
	SMTP_REPLY_LINE_BYTES = 512,
	/* What is read of a reply.  smtp(8) has no such limit, so it is far above any reply that
	 * is meant to be one. */
	SMTP_REPLY_LIMIT_BYTES = 1024 * 1024,
};

enum smtp_reply_status {
	SMTP_REPLY_MORE,     /* everything was used, the line has not ended */
	SMTP_REPLY_LINE,     /* a line has ended, the reply has not */
	SMTP_REPLY_COMPLETE, /* the last line has ended */
	SMTP_REPLY_OVERFLOW, /* longer than SMTP_REPLY_LIMIT_BYTES */
};

struct smtp_reply {
	unsigned code;                    /* of the last reply line, 0: none so far */
	char text[SMTP_REPLY_LINE_BYTES]; /* for people: the first of the last lines that have the
					     same code, "554 5.7.1 go away"; without any reply
					     line, the first line */
	char line[SMTP_REPLY_LINE_BYTES]; /* the line that has ended, printable */
	unsigned lines;                   /* how many have ended */
	size_t line_bytes, total_bytes;   /* the parser's own */
	bool is_cut;                      /* the parser's own: the line had a NUL */
};

/* smtp_reply_start - begin a new reply */
void smtp_reply_start(struct smtp_reply *reply);

/* smtp_reply_feed - take bytes up to the end of one line, at most count; *used says how many.  Not
 * to be called again after COMPLETE or OVERFLOW. */
enum smtp_reply_status smtp_reply_feed(
	struct smtp_reply *reply, const char *bytes, size_t count, size_t *used);

/* smtp_reply_is_foreign - lines have come, and none of them was a reply line */
bool smtp_reply_is_foreign(const struct smtp_reply *reply);

#endif
