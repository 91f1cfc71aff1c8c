/*
 * discover - the hops that configuration names
 *
 * Postfix names transports in a handful of parameters of main.cf and in the options of its listeners;
 * our own configuration adds content_filter and the hop sections without pattern characters.
 */
#include "postfix/discover.h"
#include "postfix/site_private.h"

#include <stdio.h>
#include <string.h>

struct walk {
	const struct site *site;
	void (*fn)(void *arg, const char *name, enum hop_role role);
	void *arg;
};

static const struct transport_parameter parameters[] = {
	{"default_transport", NULL, true},
	{"relay_transport", "relay_domains", true},
	{"local_transport", "mydestination", false},
	{"virtual_transport", "virtual_mailbox_domains", false},
	{"mailbox_transport", "mydestination", false},
	{"fallback_transport", "mydestination", false},
	{NULL, NULL, false},
};

const struct transport_parameter *transport_parameters(void)
{
	return parameters;
}

bool transport_parameter_is_used(
	const struct instance *instance, const struct transport_parameter *parameter)
{
	return parameter->needs == NULL || *instance_parameter(instance, parameter->needs) != '\0';
}

static void add_chain(const struct walk *walk, const struct chain *chain)
{
	for (size_t i = 0; i < chain->count; i++)
		walk->fn(walk->arg, chain->leg[i].name, chain->leg[i].role);
}

/* add_name - a hop as our own configuration spells it */
static void add_name(const struct walk *walk, const char *hop)
{
	char transport[HOP_NAME_BYTES], name[HOP_NAME_BYTES];
	const char *nexthop;

	if (hop_split(hop, transport, sizeof transport, &nexthop) &&
		hop_name(name, transport, nexthop))
		walk->fn(walk->arg, name, ROLE_TRANSPORT);
}

/* add_pair - a transport and a nexthop as a route has them */
static void add_pair(const struct walk *walk, const struct instance *instance, const char *transport,
	const char *nexthop)
{
	const struct service *service = instance_transport(instance, transport);
	enum hop_role role = ROLE_TRANSPORT;
	char name[HOP_NAME_BYTES];

	if (is_no_hop(transport))
		return;
	if (service != NULL && transport_protocol(service, transport) == PROTOCOL_NONE)
		nexthop = "";
	if (*nexthop != '\0' && strcmp(nexthop, instance_parameter(instance, "relayhost")) == 0)
		role = ROLE_RELAYHOST;
	if (site_hop_name(walk->site, instance, transport, nexthop, name))
		walk->fn(walk->arg, name, role);
}

static void add_transport(const struct walk *walk, const struct instance *instance,
	const char *parameter)
{
	char transport[HOP_NAME_BYTES];
	const char *nexthop;

	if (hop_split(instance_parameter(instance, parameter), transport, sizeof transport,
			&nexthop))
		add_pair(walk, instance, transport, nexthop);
}

/* add_outgoing - off-host mail goes to relayhost, when there is one and the transport has no nexthop of its own, which
 * would go before it (trivial-rewrite(8)) */
static void add_outgoing(const struct walk *walk, const struct instance *instance,
	const char *parameter)
{
	char transport[HOP_NAME_BYTES];
	const char *nexthop;

	if (!hop_split(instance_parameter(instance, parameter), transport, sizeof transport,
		    &nexthop))
		return;
	if (*nexthop == '\0')
		nexthop = instance_parameter(instance, "relayhost");
	add_pair(walk, instance, transport, nexthop);
}

static void add_parameters(const struct walk *walk, const struct instance *instance)
{
	for (const struct transport_parameter *parameter = parameters; parameter->name != NULL;
		parameter++) {
		if (!transport_parameter_is_used(instance, parameter))
			continue;
		if (parameter->is_outgoing)
			add_outgoing(walk, instance, parameter->name);
		else
			add_transport(walk, instance, parameter->name);
	}
}

/* add_tables - what tables name; a transport that they leave to Postfix is mostly the default one */
static void add_tables(const struct walk *walk, const struct instance *instance)
{
	char fallback[HOP_NAME_BYTES], transport[HOP_NAME_BYTES], nexthop[HOP_NAME_BYTES];
	const char *rest;

	if (!hop_split(instance_parameter(instance, "default_transport"), fallback, sizeof fallback,
		    &rest))
		return;
	for (const char *line = instance_hops(instance); *line != '\0'; line = strchr(line, '\n') + 1) {
		size_t length = strcspn(line, "\t"), tail = strcspn(line + length + 1, "\n");

		if (length >= sizeof transport || tail >= sizeof nexthop)
			continue;
		(void)snprintf(transport, sizeof transport, "%.*s", (int)length, line);
		(void)snprintf(nexthop, sizeof nexthop, "%.*s", (int)tail, line + length + 1);
		add_pair(walk, instance, *transport != '\0' ? transport : fallback, nexthop);
	}
}

/* add_filters - of all mail that comes in */
static void add_filters(const struct walk *walk, size_t number)
{
	const struct filters *filters = &walk->site->filters[number];
	size_t count;

	(void)instance_listeners(walk->site->instances[number], &count);
	for (size_t i = 0; i < count; i++)
		add_chain(walk, filters->listener[i]);
	add_chain(walk, filters->pickup);
}

void site_each_hop(const struct site *site,
	void (*fn)(void *arg, const char *name, enum hop_role role), void *arg)
{
	const struct walk walk = {site, fn, arg};

	for (size_t i = 0; i < site->instance_count; i++) {
		const struct instance *instance = site->instances[i];

		add_filters(&walk, i);
		add_tables(&walk, instance);
		add_parameters(&walk, instance);
	}
	add_chain(&walk, site->unseen);
	for (size_t i = 0; i < site->conf->hop_count; i++)
		if (site->conf->hop[i].is_literal)
			add_name(&walk, site->conf->hop[i].pattern);
	/* What canaries say is said of a transport without a nexthop. */
	for (size_t i = 0; i < site->conf->canary_count; i++)
		add_name(&walk, site->conf->canary[i].transport);
}
