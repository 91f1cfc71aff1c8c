/*
 * listener - where mail comes in: the smtpd(8) services of master.cf and the client networks
 */
#include "postfix/instance_private.h"

#include "base/xmem.h"
#include "health/hop.h"

#include <stdlib.h>
#include <string.h>

/* parse_place - "smtp", "10025", "127.0.0.1:10025", "[::1]:25" (master(5), "inet") */
static bool parse_place(struct listener *listener, const char *name)
{
	const char *colon = strrchr(name, ':');
	char *host;

	listener->is_wildcard = true;
	listener->is_without_host = colon == NULL;
	if (hop_parse_port(colon != NULL ? colon + 1 : name, &listener->port) != NULL)
		return false;
	if (colon != NULL) {
		host = xstrndup(name, (size_t)(colon - name));
		listener->is_localhost = strcasecmp(host, "localhost") == 0;
		listener->is_wildcard = !listener->is_localhost &&
					(!cidr_parse(host, &listener->address) ||
						cidr_is_any(&listener->address));
		free(host);
	}
	return true;
}

static bool is_loopback(const struct instance *instance, const struct listener *listener)
{
	if (listener->is_wildcard)
		return strcmp(instance_parameter(instance, "inet_interfaces"), "loopback-only") == 0;
	return listener->is_localhost || cidr_is_loopback(&listener->address);
}

/* is_reentry - content_filter explicitly empty, on an address that only this host reaches */
static bool is_reentry(const struct instance *instance, const struct listener *listener)
{
	bool is_override;
	const char *filter =
		service_parameter(instance, listener->smtpd, "content_filter", &is_override);

	return is_override && *filter == '\0' && listener->is_loopback;
}

/* describe - fill in a listener; false when mail does not come in here by SMTP */
static bool describe(const struct instance *instance, const struct service *service,
	struct listener *listener)
{
	const char *networks;
	bool has_networks;

	*listener = (struct listener){.service = service, .smtpd = service};
	if (strcmp(service->type, "inet") != 0)
		return false;
	if (strcmp(service->command, "postscreen") == 0)
		listener->smtpd = instance_service(instance, "smtpd", "pass");
	else if (strcmp(service->command, "smtpd") != 0)
		return false;
	if (listener->smtpd == NULL || !parse_place(listener, service->name))
		return false;
	listener->content_filter =
		service_parameter(instance, listener->smtpd, "content_filter", NULL);
	listener->proxy_filter =
		service_parameter(instance, listener->smtpd, "smtpd_proxy_filter", NULL);
	listener->host_name = service_parameter(instance, listener->smtpd, "myhostname", NULL);
	networks = service_parameter(instance, listener->smtpd, "mynetworks", &has_networks);
	if (has_networks)
		listener->networks = networks_new(networks, instance->network_blocks);
	listener->is_loopback = is_loopback(instance, listener);
	listener->is_reentry = is_reentry(instance, listener);
	return true;
}

/* read_interfaces - the addresses of listeners that name none */
static void read_interfaces(struct instance *instance)
{
	const char *value = instance_parameter(instance, "inet_interfaces");

	instance->interfaces = networks_new(value, "");
	instance->is_on_all = *value == '\0' || strcmp(value, "all") == 0;
	instance->is_on_loopback =
		strcmp(value, "loopback-only") == 0 || strstr(value, "localhost") != NULL;
	instance->is_on_names = networks_have_others(instance->interfaces) &&
				strcmp(value, "loopback-only") != 0 && strcmp(value, "localhost") != 0;
}

void listeners_build(struct instance *instance)
{
	read_interfaces(instance);
	instance->listeners = xcalloc(instance->service_count + 1, sizeof *instance->listeners);
	for (size_t i = 0; i < instance->service_count; i++)
		if (describe(instance, &instance->services[i],
			    &instance->listeners[instance->listener_count]))
			instance->listener_count++;
}

const struct listener *instance_listeners(const struct instance *instance, size_t *count)
{
	*count = instance->listener_count;
	return instance->listeners;
}

/* fit_interfaces - of a listener that is on inet_interfaces */
static enum listener_fit fit_interfaces(const struct instance *instance, const struct cidr *where)
{
	if (instance->is_on_all)
		return FIT_ANY;
	if (instance->is_on_loopback && cidr_is_loopback(where))
		return FIT_INTERFACE;
	if (networks_match(instance->interfaces, where, ""))
		return FIT_INTERFACE;
	/* A name may stand for it.  A connection that was forwarded to us can have any address. */
	return instance->is_on_names ? FIT_ANY : FIT_PORT;
}

/* is_loopback_itself - the two addresses that "localhost" stands for */
static bool is_loopback_itself(const struct cidr *where)
{
	struct cidr ipv4, ipv6;

	return cidr_parse("127.0.0.1", &ipv4) && cidr_parse("::1", &ipv6) &&
	       (cidr_contains(&ipv4, where) || cidr_contains(&ipv6, where));
}

bool instance_is_at(const struct instance *instance, const struct cidr *where, bool is_of_host)
{
	const char *proxies = instance_parameter(instance, "proxy_interfaces");
	struct networks *list;
	bool is_there;

	if (instance->is_on_all ? is_of_host : networks_match(instance->interfaces, where, ""))
		return true;
	if (!instance->is_on_all && instance->is_on_loopback && is_loopback_itself(where))
		return true;
	if (*proxies == '\0')
		return false;
	list = networks_new(proxies, "");
	is_there = networks_match(list, where, "");
	networks_free(list);
	return is_there;
}

static enum listener_fit fit_of(const struct instance *instance, const struct listener *listener,
	const struct cidr *where)
{
	if (listener->is_wildcard) {
		if (where == NULL)
			return FIT_PORT;
		return listener->is_without_host ? fit_interfaces(instance, where) : FIT_ANY;
	}
	if (where != NULL && (listener->is_localhost ? cidr_is_loopback(where)
						     : cidr_contains(&listener->address, where)))
		return FIT_ADDRESS;
	return FIT_NONE;
}

const struct listener *instance_listener_at(const struct instance *instance,
	const struct cidr *where, uint16_t port, enum listener_fit *fit)
{
	const struct listener *found = NULL;

	*fit = FIT_NONE;
	for (size_t i = 0; i < instance->listener_count; i++) {
		const struct listener *listener = &instance->listeners[i];
		enum listener_fit its = FIT_NONE;

		if (listener->port == port)
			its = fit_of(instance, listener, where);
		if (its > *fit) {
			*fit = its;
			found = listener;
		}
	}
	return found;
}

const struct listener *instance_listener(const struct instance *instance, const char *address,
	const char *port, enum listener_fit *fit)
{
	enum listener_fit ignored;
	struct cidr where;
	uint16_t number = 0;

	if (fit == NULL)
		fit = &ignored;
	*fit = FIT_NONE;
	if (hop_parse_port(port, &number) != NULL)
		return NULL;
	return instance_listener_at(instance, cidr_parse(address, &where) ? &where : NULL, number, fit);
}

bool instance_in_mynetworks(const struct instance *instance, const struct listener *listener,
	const char *client_address, const char *client_name)
{
	const struct networks *networks = instance->networks;
	struct cidr client;

	if (listener != NULL && listener->networks != NULL)
		networks = listener->networks;
	return networks_match(
		networks, cidr_parse(client_address, &client) ? &client : NULL, client_name);
}
