/*
 * route - the hops that a message will meet
 *
 * A before-queue filter comes first (smtpd(8) talks to it while the client waits), then the
 * after-queue content filter, then the transport that trivial-rewrite(8) chose.
 */
#include "verdict/route.h"

void route_common(struct route *route, const struct origin *origin)
{
	struct leg *leg = route->leg;

	route->count = 0;
	if (site_proxy_hop(origin->proxy_filter, leg->name)) {
		leg->role = ROLE_PROXY_FILTER;
		leg = &route->leg[++route->count];
	}
	if (*origin->content_filter != '\0' && site_filter_hop(origin->content_filter, leg->name)) {
		leg->role = ROLE_CONTENT_FILTER;
		route->count++;
	}
}

bool route_recipient(struct leg *leg, const struct site *site, const struct origin *origin,
	const char *mailer, const char *host, const char *recipient)
{
	return site_recipient_hop(site, origin->instance, mailer, host, recipient, leg->name,
		&leg->role);
}
