/*
 * route - the hops that a message will meet, in the order in which it meets them
 *
 * Asked of the site and of Postfix's own macros; no health here.  Any thread.
 */
#ifndef FF_ROUTE_H
#define FF_ROUTE_H

#include "postfix/site.h"

enum { ROUTE_MAX = CHAIN_MAX + 1 }; /* there is always room for the recipient's own hop */

struct route {
	size_t count;
	struct leg leg[ROUTE_MAX];
};

/* route_common - the hops that every recipient of a connection shares: its filters */
void route_common(struct route *route, const struct origin *origin);

/* route_recipient - add the recipient's own hop, from {rcpt_mailer} and {rcpt_host} (may be NULL), and what is known
 * to come behind it; nothing when there is none */
void route_recipient(struct route *route, const struct site *site, const struct origin *origin,
	const char *mailer, const char *host, const char *recipient);

#endif
