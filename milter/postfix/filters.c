/*
 * filters - what mail meets before it is routed, for every place where it comes in
 *
 * Made once for a site, because a verdict must not parse.  Zimbra's shape: the public listener's content filter is
 * smtp:[127.0.0.1]:10030, which is a listener of our own whose content filter is amavis, which hands mail back to a
 * listener without one.  Where a program in between hands mail back cannot be seen; only a nexthop that is a listener
 * itself is followed.
 */
#include "postfix/instance_private.h"
#include "postfix/site_private.h"

#include "base/log.h"
#include "base/xmem.h"

#include <ifaddrs.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { PORT_SMTP = 25 };

/* A chain in the making. */
struct walk {
	struct site *site;
	const struct listener *met[CHAIN_MAX];
	size_t met_count, count;
	bool is_cut;
	struct leg leg[CHAIN_MAX];
};

static void add_filters(struct walk *walk, const struct instance *instance, const char *proxy_filter,
	const char *content_filter);

/* read_addresses - of this host; listeners may be on any of them */
static void read_addresses(struct site *site)
{
	char text[NI_MAXHOST];
	struct ifaddrs *all;

	if (getifaddrs(&all) < 0) {
		log_warn("getifaddrs: listeners are only known by addresses of the loopback interface");
		return;
	}
	for (const struct ifaddrs *one = all; one != NULL; one = one->ifa_next) {
		socklen_t bytes = sizeof(struct sockaddr_in);

		if (one->ifa_addr == NULL ||
			(one->ifa_addr->sa_family != AF_INET && one->ifa_addr->sa_family != AF_INET6))
			continue;
		if (one->ifa_addr->sa_family == AF_INET6)
			bytes = sizeof(struct sockaddr_in6);
		if (getnameinfo(one->ifa_addr, bytes, text, sizeof text, NULL, 0, NI_NUMERICHOST) != 0)
			continue;
		site->addresses = xrealloc(
			site->addresses, (site->address_count + 1) * sizeof *site->addresses);
		if (cidr_parse(text, &site->addresses[site->address_count]))
			site->address_count++;
	}
	freeifaddrs(all);
}

static bool has_address(const struct site *site, const struct cidr *where)
{
	for (size_t i = 0; i < site->address_count; i++)
		if (cidr_contains(&site->addresses[i], where))
			return true;
	return false;
}

static bool is_own(const struct site *site, const struct cidr *where)
{
	return cidr_is_loopback(where) || has_address(site, where);
}

bool site_is_own_address(
	const struct site *site, const struct instance *instance, const struct cidr *address)
{
	return instance != NULL && instance_is_at(instance, address, has_address(site, address));
}

/* listener_at - the one that fits best; false: none, or several do equally well */
static bool listener_at(const struct site *site, const struct cidr *where, uint16_t port,
	size_t *instance, size_t *number)
{
	enum listener_fit best = FIT_PORT, fit;
	bool is_clear = false;
	size_t count;

	for (size_t i = 0; i < site->instance_count; i++) {
		const struct listener *found =
			instance_listener_at(site->instances[i], where, port, &fit);

		if (found == NULL || fit < best || (fit == FIT_ANY && !is_own(site, where)))
			continue;
		is_clear = fit > best;
		best = fit;
		*instance = i;
		*number = (size_t)(found - instance_listeners(site->instances[i], &count));
	}
	return is_clear;
}

bool site_listener_at(const struct site *site, const struct hop_target *target, size_t *instance,
	size_t *listener)
{
	static const char *const loopback[] = {"127.0.0.1", "::1"};
	struct cidr where;

	if (target->is_unix)
		return false;
	if (cidr_parse(target->host, &where))
		return listener_at(site, &where, target->port, instance, listener);
	for (size_t i = 0; i < sizeof loopback / sizeof *loopback; i++)
		if (strcasecmp(target->host, "localhost") == 0 && cidr_parse(loopback[i], &where) &&
			listener_at(site, &where, target->port, instance, listener))
			return true;
	return false;
}

/* has_met - note a listener; true when it was noted before, or there is no room */
static bool has_met(struct walk *walk, const struct listener *listener)
{
	for (size_t i = 0; i < walk->met_count; i++)
		if (walk->met[i] == listener)
			return true;
	if (walk->met_count == CHAIN_MAX) {
		walk->is_cut = true;
		return true;
	}
	walk->met[walk->met_count++] = listener;
	return false;
}

/* follow - go on where this nexthop is a listener of our own */
static void follow(struct walk *walk, const char *nexthop, enum hop_role role)
{
	/* Only smtpd_proxy_filter has no default port. */
	uint16_t default_port = role == ROLE_PROXY_FILTER ? 0 : PORT_SMTP;
	const struct listener *listener;
	struct hop_target target;
	size_t instance, number, count;
	const char *why;

	if (hop_parse_nexthop(nexthop, PROTOCOL_SMTP, default_port, &target, &why) != REASON_NONE ||
		!site_listener_at(walk->site, &target, &instance, &number))
		return;
	listener = &instance_listeners(walk->site->instances[instance], &count)[number];
	/* Behind a before-queue filter the client still waits for our answer. */
	if (role == ROLE_CONTENT_FILTER && listener->is_loopback)
		walk->site->filters[instance].is_handed[number] = true;
	if (!has_met(walk, listener))
		add_filters(walk, walk->site->instances[instance], listener->proxy_filter,
			listener->content_filter);
}

static void add_filter(struct walk *walk, const struct instance *instance, const char *transport,
	const char *nexthop, enum hop_role role)
{
	struct leg *leg = &walk->leg[walk->count];
	const struct service *service =
		instance != NULL ? instance_transport(instance, transport) : NULL;

	if (walk->count == CHAIN_MAX) {
		walk->is_cut = true;
		return;
	}
	if (!site_hop_name(walk->site, instance, transport, nexthop, leg->name))
		return;
	leg->role = role;
	walk->count++;
	if (role == ROLE_PROXY_FILTER || transport_protocol(service, transport) == PROTOCOL_SMTP)
		follow(walk, nexthop, role);
}

/* add_filters - smtpd(8) that hands mail to a before-queue filter puts nothing into the queue, so that content_filter
 * is not used */
static void add_filters(struct walk *walk, const struct instance *instance, const char *proxy_filter,
	const char *content_filter)
{
	char transport[HOP_NAME_BYTES];
	const char *nexthop;

	if (*proxy_filter != '\0')
		add_filter(walk, instance, PROXY_TRANSPORT, proxy_filter, ROLE_PROXY_FILTER);
	else if (hop_split(content_filter, transport, sizeof transport, &nexthop))
		add_filter(walk, instance, transport, nexthop, ROLE_CONTENT_FILTER);
}

/* find_pickup - the service that takes the mail of sendmail(1) in; a fifo where master.cf is old enough */
static const struct service *find_pickup(const struct instance *instance)
{
	static const struct service usual = {"pickup", "unix", "pickup", "", "-", false};
	const struct service *fifo = instance_service(instance, "pickup", "fifo");

	return fifo != NULL ? fifo : &usual;
}

/* chain_new - listener: where it begins, NULL: not at a listener */
static struct chain *chain_new(struct site *site, const struct instance *instance,
	const struct listener *listener, const char *content_filter)
{
	struct walk walk = {.site = site};
	struct chain *chain;

	if (listener != NULL)
		(void)has_met(&walk, listener);
	add_filters(&walk, instance, listener != NULL ? listener->proxy_filter : "", content_filter);
	chain = xcalloc(1, sizeof *chain + walk.count * sizeof *chain->leg);
	chain->count = walk.count;
	chain->is_cut = walk.is_cut;
	memcpy(chain->leg, walk.leg, walk.count * sizeof *chain->leg);
	return chain;
}

static void build_instance(struct site *site, size_t number)
{
	const struct instance *instance = site->instances[number];
	struct filters *filters = &site->filters[number];
	const struct listener *listeners;
	size_t count;

	listeners = instance_listeners(instance, &count);
	for (size_t i = 0; i < count; i++)
		filters->listener[i] =
			chain_new(site, instance, &listeners[i], listeners[i].content_filter);
	filters->pickup = chain_new(
		site, instance, NULL, service_parameter(instance, find_pickup(instance), "content_filter", NULL));
	filters->other =
		chain_new(site, instance, NULL, instance_parameter(instance, "content_filter"));
}

void filters_build(struct site *site)
{
	size_t count;

	read_addresses(site);
	site->filters = xcalloc(site->instance_count + 1, sizeof *site->filters);
	for (size_t i = 0; i < site->instance_count; i++) {
		(void)instance_listeners(site->instances[i], &count);
		site->filters[i].listener = xcalloc(count + 1, sizeof(struct chain *));
		site->filters[i].is_handed = xcalloc(count + 1, sizeof(bool));
	}
	for (size_t i = 0; i < site->instance_count; i++)
		build_instance(site, i);
	site->unseen = chain_new(site, NULL, NULL, site->conf->content_filter);
}

void filters_report(const struct site *site)
{
	const struct listener *listeners;
	size_t count;

	for (size_t i = 0; i < site->instance_count; i++) {
		listeners = instance_listeners(site->instances[i], &count);
		for (size_t l = 0; l < count; l++)
			if (site->filters[i].listener[l]->is_cut)
				log_warnx("%s: %s: only the first %d of the filters that follow each "
					  "other are looked at",
					instance_directory(site->instances[i]),
					listeners[l].service->name, CHAIN_MAX);
	}
}

void filters_free(struct site *site)
{
	size_t count;

	for (size_t i = 0; i < site->instance_count; i++) {
		(void)instance_listeners(site->instances[i], &count);
		for (size_t l = 0; l < count; l++)
			free(site->filters[i].listener[l]);
		free(site->filters[i].listener);
		free(site->filters[i].is_handed);
		free(site->filters[i].pickup);
		free(site->filters[i].other);
	}
	free(site->filters);
	free(site->unseen);
	free(site->addresses);
}

const struct chain *site_filters_behind(const struct site *site, const char *hop)
{
	char transport[HOP_NAME_BYTES];
	const struct instance *instance;
	const struct service *service;
	size_t owner, number;
	struct hop_target target;
	const char *nexthop, *why;

	if (site->instance_count == 0 || !hop_split(hop, transport, sizeof transport, &nexthop) ||
		*nexthop == '\0')
		return NULL;
	(void)site_transport(site, transport, &instance, &service);
	if (service == NULL || transport_protocol(service, transport) != PROTOCOL_SMTP ||
		hop_parse_nexthop(nexthop, PROTOCOL_SMTP, PORT_SMTP, &target, &why) != REASON_NONE ||
		!site_listener_at(site, &target, &owner, &number))
		return NULL;
	return site->filters[owner].listener[number];
}
