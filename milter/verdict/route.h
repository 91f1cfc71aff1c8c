/*
 * route - the hops that a message will meet, in the order in which it meets them
 *
 * Asked of the site and of Postfix's own macros; no health here.  Any thread.
 */
#ifndef FF_ROUTE_H
#define FF_ROUTE_H

#include "postfix/site.h"

enum { ROUTE_MAX = 3 };

/* One hop of a route. */
struct leg {
	enum hop_role role;
	char name[HOP_NAME_BYTES];
};

struct route {
	size_t count;
	struct leg leg[ROUTE_MAX];
};

/* route_common - the hops that every recipient of a connection shares: its filters */
void route_common(struct route *route, const struct origin *origin);

/* route_recipient - the recipient's own hop, from {rcpt_mailer} and {rcpt_host} (may be NULL); false
 * when there is none */
bool route_recipient(struct leg *leg, const struct site *site, const struct origin *origin,
	const char *mailer, const char *host, const char *recipient);

#endif
