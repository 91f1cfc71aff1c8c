/*
 * tls_policy - what smtp_tls_policy_maps says about a nexthop
 *
 * The tables are listed by the keeper when it reads Postfix's configuration.  Their listings travel as one text: a line
 * "=TYPE:NAME" for each table that could be listed, then its "KEY TAB VALUE" lines.
 */
#ifndef FF_TLS_POLICY_H
#define FF_TLS_POLICY_H

#include "postfix/postconf.h"

#include <stddef.h>

enum { TLS_POLICY_BYTES = 1024, TLS_POLICY_LISTING_BYTES = 256 * 1024 };

enum tls_policy_answer {
	TLS_POLICY_NONE,    /* no table has the nexthop */
	TLS_POLICY_FOUND,
	TLS_POLICY_UNKNOWN, /* a table would have to be asked that cannot be listed */
};

/* tls_policy_find - look a nexthop up as smtp(8) does: as it is written ("[host]:587"), and where it is a bare domain its
 * parents as ".parent".  maps: the value of the parameter; listings: the text. */
enum tls_policy_answer tls_policy_find(const char *maps, const char *listings, const char *nexthop,
	char value[TLS_POLICY_BYTES]);

/* tls_policy_read - list the tables of all parameters into postconf->policies and remember their files.  Blocks as
 * postconf_read(). */
void tls_policy_read(struct postconf *postconf);

#endif
