/*
 * smtp_hello - what a server says that it can, in its answer to EHLO
 *
 * Read as smtp(8) does: the first line is the server's name, words end at a space or "=" ("AUTH=PLAIN LOGIN" of old
 * servers), and several lists of mechanisms are one.  Pure.
 */
#ifndef FF_SMTP_HELLO_H
#define FF_SMTP_HELLO_H

#include <stdbool.h>

enum { SMTP_HELLO_AUTH_BYTES = 512 };

struct smtp_hello {
	unsigned lines;
	bool has_starttls;
	bool has_auth;
	char auth[SMTP_HELLO_AUTH_BYTES]; /* the mechanisms, "" when none */
};

/* smtp_hello_start - nothing is known */
void smtp_hello_start(struct smtp_hello *hello);

/* smtp_hello_line - one line of the reply, with its code */
void smtp_hello_line(struct smtp_hello *hello, const char *line);

#endif
