/*
 * sasl - authenticate as smtp(8) does with Cyrus SASL: PLAIN, LOGIN and CRAM-MD5 (RFC 4954, 4616, 2195)
 *
 * Pure: it is fed what the server offers and answers, and gives the next line to send.  It does no I/O and logs
 * nothing.  What it holds is secret: sasl_end() wipes it.  Any thread, one object in one thread at a time.
 */
#ifndef FF_SASL_H
#define FF_SASL_H

#include "postfix/keyring.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	SASL_LINE_BYTES = 2048, /* of a line to send, with CRLF and the final NUL */
	SASL_STEPS = 100,	/* challenges that smtp(8) answers before it gives up */
	SASL_NAME_BYTES = 64,
};

enum sasl_mechanism { SASL_NONE, SASL_PLAIN, SASL_LOGIN, SASL_CRAM_MD5 };

/* What Postfix allows here. */
struct sasl_policy {
	const char *options; /* smtp_sasl_security_options, or that for TLS */
	const char *filter;  /* smtp_sasl_mechanism_filter */
	/* is_installed - has Cyrus SASL that mechanism on this host?  NULL: all of them */
	bool (*is_installed)(const char *mechanism);
};

enum sasl_choice {
	SASL_USABLE,
	SASL_NO_COMMON, /* Postfix finds none either */
	SASL_FOREIGN,	/* Postfix may use one that we do not speak, or a filter that we cannot look up */
};

/* sasl_choose - of the words that the server offers; *mechanism when usable, else foreign gets the name of what is in
 * the way ("" when there is none) */
enum sasl_choice sasl_choose(const char *offered, const struct sasl_policy *policy,
	enum sasl_mechanism *mechanism, char foreign[SASL_NAME_BYTES]);

enum sasl_status {
	SASL_SEND,	/* sasl->line is to be sent */
	SASL_ACCEPTED,	/* 235 */
	SASL_REJECTED,	/* 5xx */
	SASL_REFUSED,	/* 4xx: try again later */
	SASL_NONSENSE,	/* the server does not keep to the protocol */
};

struct sasl {
	enum sasl_mechanism mechanism;
	struct credentials credentials;
	unsigned steps;
	size_t pending; /* an initial response that was too long for the command lies in line already */
	char shown[32]; /* the line as it may be logged: "AUTH PLAIN ***" */
	char line[SASL_LINE_BYTES];
};

/* sasl_begin - takes a copy of the credentials; the first command is in line and shown */
void sasl_begin(struct sasl *sasl, enum sasl_mechanism mechanism, const struct credentials *credentials);

/* sasl_answered - by a whole reply; text is its last line with the code */
enum sasl_status sasl_answered(struct sasl *sasl, unsigned code, const char *text);

/* sasl_hide - cut a line of the server where it says what we have sent, as some do */
void sasl_hide(const struct sasl *sasl, char *text);

/* sasl_end - wipe all of it */
void sasl_end(struct sasl *sasl);

#endif
