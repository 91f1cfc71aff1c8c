/*
 * route - the hops that a message will meet
 *
 * A before-queue filter comes first (smtpd(8) talks to it while the client waits), then the
 * after-queue content filters, then the transport that trivial-rewrite(8) chose.  When that leads to a listener of
 * our own, mostly one of another instance, that listener's filters come behind it; which way the mail takes from
 * there is that instance's secret.
 */
#include "verdict/route.h"

static void add(struct route *route, const struct chain *chain)
{
	for (size_t i = 0; i < chain->count && route->count < ROUTE_MAX; i++)
		route->leg[route->count++] = chain->leg[i];
}

void route_common(struct route *route, const struct origin *origin)
{
	route->count = 0;
	add(route, origin->filters);
}

void route_recipient(struct route *route, const struct site *site, const struct origin *origin,
	const char *mailer, const char *host, const char *recipient)
{
	struct leg *leg = &route->leg[route->count];
	const struct chain *behind;

	if (route->count == ROUTE_MAX || !site_recipient_hop(site, origin->instance, mailer, host,
						 recipient, leg->name, &leg->role))
		return;
	leg->is_possible = false;
	route->count++;
	behind = site_filters_behind(site, leg->name);
	if (behind != NULL)
		add(route, behind);
	leg = &route->leg[route->count];
	if (route->count < ROUTE_MAX && site_mailbox_hop(site, origin->instance, mailer, leg->name)) {
		leg->role = ROLE_TRANSPORT;
		leg->is_possible = true;
		route->count++;
	}
}
