/*
 * plan - how a hop is probed: as Postfix would use it
 *
 * Parameters of smtp(8) and lmtp(8) differ only in their prefix, and -o options of the transport's
 * service go before main.cf.  Plans are made anew for each probe, so 10,000 hops cost no memory and a
 * reload needs no second way in.
 */
#include "postfix/site_private.h"

#include "conf/duration.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { PORT_SMTP = 25, PORT_LMTP = 24, DEFAULT_ADDRESS_LIMIT = 5, PARAMETER_BYTES = 64, DEFAULT_MAX_IDLE_MS = 100000 };

/* parameter - "smtp_" or "lmtp_" and the name, "" when unknown */
static const char *parameter(const struct client *client, const char *name)
{
	char full[PARAMETER_BYTES];

	if (client->instance == NULL)
		return "";
	(void)snprintf(full, sizeof full, "%s_%s", client->prefix, name);
	if (client->service == NULL)
		return instance_parameter(client->instance, full);
	return service_parameter(client->instance, client->service, full, NULL);
}

const char *client_parameter(const struct client *client, const char *name)
{
	return parameter(client, name);
}

const char *client_word(const struct client *client, const char *name)
{
	if (client->instance == NULL)
		return "";
	if (client->service == NULL)
		return instance_parameter(client->instance, name);
	return service_parameter(client->instance, client->service, name, NULL);
}

/* plan_hello - the name that the transport itself would say */
static void plan_hello(const struct site *site, const struct client *client, struct plan *plan)
{
	bool is_lmtp = plan->target.protocol == PROTOCOL_LMTP;
	const char *helo = parameter(client, is_lmtp ? "lhlo_name" : "helo_name");

	if (*site->conf->probe.helo != '\0')
		helo = site->conf->probe.helo;
	if (*helo == '\0' && client->instance != NULL)
		helo = instance_parameter(client->instance, "myhostname");
	plan->helo = *helo != '\0' ? helo : site->host_name;
}

/* full_parameter - one that smtp(8) and lmtp(8) share, "" when unknown */
static const char *full_parameter(const struct client *client, const char *name)
{
	if (client->instance == NULL)
		return "";
	if (client->service == NULL)
		return instance_parameter(client->instance, name);
	return service_parameter(client->instance, client->service, name, NULL);
}

/* is_without_dns - smtp_dns_support_level, or disable_dns_lookups where that is not set */
static bool is_without_dns(const struct client *client)
{
	const char *level = parameter(client, "dns_support_level");

	if (*level != '\0' || client->instance == NULL || client->service == NULL)
		return strcmp(level, "disabled") == 0;
	return strcmp(service_parameter(client->instance, client->service, "disable_dns_lookups",
			      NULL),
		       "yes") == 0;
}

/* plan_lookup - where the names of servers are looked up.  smtpd(8) and a client without DNS ask the system. */
static void plan_lookup(const struct client *client, struct plan *plan)
{
	const char *sources = parameter(client, "host_lookup");
	const char *first = parameter(client, "address_preference");

	plan->lookup = LOOKUP_NATIVE;
	if (client->instance == NULL || client->is_smtpd)
		return;
	plan->uses_native = strstr(sources, "native") != NULL;
	if (is_without_dns(client))
		return;
	plan->first_family = strcasecmp(first, "ipv6") == 0   ? FAMILY_IPV6
			     : strcasecmp(first, "ipv4") == 0 ? FAMILY_IPV4
							      : FAMILY_ANY;
	plan->takes_alias = strcmp(parameter(client, "cname_overrides_servername"), "yes") == 0;
	plan->is_balanced = strcmp(parameter(client, "balance_inet_protocols"), "yes") == 0;
	plan->ignores_mx_error = strcmp(full_parameter(client, "ignore_mx_lookup_error"), "yes") == 0;
	if (strstr(sources, "dns") != NULL)
		plan->lookup = plan->uses_native ? LOOKUP_DNS_NATIVE : LOOKUP_DNS;
}

/* plan_loops - smtp(8) looks for itself at port 25 alone (smtp_connect.c), lmtp(8) and smtpd(8) never do */
static void plan_loops(const struct client *client, const char *nexthop, struct plan *plan)
{
	if (client->instance == NULL || client->is_smtpd || plan->target.protocol != PROTOCOL_SMTP)
		return;
	plan->own_name = full_parameter(client, "myhostname");
	plan->passes_loops = *full_parameter(client, "best_mx_transport") != '\0' &&
			     strcmp(nexthop, instance_parameter(client->instance, "relayhost")) != 0;
}

static void plan_addresses(const struct client *client, struct plan *plan)
{
	const char *protocols =
		client->instance != NULL ? instance_parameter(client->instance, "inet_protocols") : "";
	const char *limit = parameter(client, "mx_address_limit");
	bool is_all = *protocols == '\0' || strstr(protocols, "all") != NULL;

	plan->use_ipv4 = is_all || strstr(protocols, "ipv4") != NULL;
	plan->use_ipv6 = is_all || strstr(protocols, "ipv6") != NULL;
	plan->address_limit =
		*limit != '\0' ? (unsigned)strtoul(limit, NULL, 10) : DEFAULT_ADDRESS_LIMIT;
	plan->has_bind4 = inet_pton(AF_INET, parameter(client, "bind_address"), &plan->bind4) == 1;
	plan->has_bind6 = inet_pton(AF_INET6, parameter(client, "bind_address6"), &plan->bind6) == 1;
}

/* plan_depth - as far as mail depends on, if nothing else is set; a server that waits for a TLS handshake says nothing
 * before, so there it is TLS or connecting */
static void plan_depth(const struct conf_hop_settings *settings, struct plan *plan)
{
	plan->depth = settings->depth;
	if (!settings->is_depth_set && plan_tls_is_required(&plan->tls))
		plan->depth = DEPTH_TLS;
	if (plan->tls.is_wrapped && plan->depth > DEPTH_CONNECT && plan->depth < DEPTH_TLS)
		plan->depth = DEPTH_TLS;
	plan->shallow_depth = plan->depth < DEPTH_HELLO ? plan->depth : DEPTH_HELLO;
	if (plan->tls.is_wrapped && plan->shallow_depth > DEPTH_CONNECT)
		plan->shallow_depth = DEPTH_CONNECT;
}

/* without_prefix - the nexthop as smtp(8) and lmtp(8) look it up */
static const char *without_prefix(const char *nexthop, enum hop_protocol protocol)
{
	bool has_prefix = protocol == PROTOCOL_LMTP &&
			  (strncmp(nexthop, "unix:", 5) == 0 || strncmp(nexthop, "inet:", 5) == 0);

	return nexthop + (has_prefix ? 5 : 0);
}

/* plan_auth - whether and how the transport authenticates; the level is there already */
static void plan_auth(const struct client *client, struct plan *plan)
{
	struct plan_auth *auth = &plan->auth;
	bool is_lmtp = strcmp(client->prefix, "lmtp") == 0;

	if (plan->kind != PLAN_SERVER || client->instance == NULL || client->is_smtpd ||
		strcmp(parameter(client, "sasl_auth_enable"), "yes") != 0 ||
		strcasestr(parameter(client, "discard_ehlo_keywords"), "auth") != NULL)
		return;
	*auth = (struct plan_auth){
		.is_used = true,
		.level = auth->level,
		.directory = instance_directory(client->instance),
		.mail_owner = instance_parameter(client->instance, "mail_owner"),
		.parameter = is_lmtp ? "lmtp_sasl_password_maps" : "smtp_sasl_password_maps",
		.maps = parameter(client, "sasl_password_maps"),
		.host = plan->target.is_unix ? plan->socket_name : plan->target.host,
		.nexthop = without_prefix(plan->nexthop, plan->target.protocol),
		.options = parameter(client, "sasl_security_options"),
		.tls_options = parameter(client, "sasl_tls_security_options"),
		.verified_options = parameter(client, "sasl_tls_verified_security_options"),
		.filter = parameter(client, "sasl_mechanism_filter"),
	};
}

/* default_port - where the nexthop names none; smtpd_proxy_filter always does */
static uint16_t default_port(const struct client *client, enum hop_protocol protocol)
{
	if (client->is_smtpd)
		return 0;
	return protocol == PROTOCOL_LMTP ? PORT_LMTP : PORT_SMTP;
}

/* is_list - may it be more than one nexthop?  smtpd(8) knows no lists, and a path may have anything in it. */
static bool is_list(const struct client *client, enum hop_protocol protocol, const char *nexthop)
{
	return !client->is_smtpd && (protocol != PROTOCOL_LMTP || strncasecmp(nexthop, "unix:", 5) != 0);
}

/* take_word - move on to the word of that number, and behind it; false: there are not so many, *number is how many are
 * missing */
static bool take_word(const char **list, unsigned *number, char word[HOP_NAME_BYTES])
{
	for (;; --*number) {
		size_t length;

		*list += strspn(*list, HOP_SEPARATORS);
		length = strcspn(*list, HOP_SEPARATORS);
		if (length == 0)
			return false;
		(void)snprintf(word, HOP_NAME_BYTES, "%.*s", (int)length, *list);
		*list += length;
		if (*number == 0)
			return true;
	}
}

/* choose - the nexthop of that number, as it is written; false: there are not so many */
static bool choose(const struct client *client, enum hop_protocol protocol, const char *nexthop,
	unsigned number, struct plan *plan)
{
	const char *list = nexthop, *fallbacks = "";

	if (!is_list(client, protocol, nexthop)) {
		(void)snprintf(plan->nexthop, sizeof plan->nexthop, "%s", nexthop);
		return number == 0;
	}
	if (client->instance != NULL)
		fallbacks = parameter(client, "fallback_relay");
	if (number == 0) {
		/* One of separators alone is no nexthop either. */
		(void)take_word(&list, &number, plan->nexthop);
		plan->others = list;
		plan->fallbacks = fallbacks;
		return true;
	}
	return take_word(&list, &number, plan->nexthop) || take_word(&fallbacks, &number, plan->nexthop);
}

/* plan_target - parse the nexthop of that number as the transport would */
static void plan_target(const struct client *client, enum hop_protocol protocol,
	const char *nexthop, unsigned number, struct plan *plan)
{
	struct hop_target *target = &plan->target;
	char path[HOP_PATH_BYTES];

	if (!choose(client, protocol, nexthop, number, plan))
		return;
	plan->default_port = default_port(client, protocol);
	plan->instance = client->instance;
	plan->uses_mx = !is_without_dns(client);
	plan->reason = hop_parse_nexthop(
		plan->nexthop, protocol, plan->default_port, target, &plan->why);
	plan->kind = plan->reason == REASON_NONE ? PLAN_SERVER : PLAN_INVALID;
	if (plan->kind == PLAN_INVALID || client->instance == NULL)
		return;
	target->lookup_mx = target->lookup_mx && plan->uses_mx;
	if (!target->is_unix || target->path[0] == '/')
		return;
	if (snprintf(path, sizeof path, "%s/%s",
		    instance_parameter(client->instance, "queue_directory"), target->path) >=
		(int)sizeof path) {
		plan->kind = PLAN_INVALID;
		plan->reason = REASON_NEXTHOP_INVALID;
		plan->why = "the path of the socket is too long";
		return;
	}
	memcpy(target->path, path, sizeof path);
}

/* plan_private - a socket right in private/, where only Postfix may go */
static void plan_private(const struct client *client, struct plan *plan)
{
	const char *path = plan->target.path, *queue_directory;
	size_t length;

	if (plan->kind != PLAN_SERVER || !plan->target.is_unix || client->instance == NULL)
		return;
	queue_directory = instance_parameter(client->instance, "queue_directory");
	length = strlen(queue_directory);
	if (strncmp(path, queue_directory, length) == 0 &&
		strncmp(path + length, "/private/", strlen("/private/")) == 0 &&
		strchr(path + length + strlen("/private/"), '/') == NULL)
		plan->private_directory = instance_directory(client->instance);
}

/* find_client - who connects to the servers of this transport, and what it speaks */
static enum hop_protocol find_client(const struct site *site, const char *transport,
	struct client *client)
{
	enum hop_protocol protocol;

	*client = (struct client){.prefix = "smtp"};
	transport = site_transport(site, transport, &client->instance, &client->service);
	if (strcmp(transport, PROXY_TRANSPORT) == 0) {
		client->is_smtpd = true;
		client->service = NULL;
		return PROTOCOL_SMTP;
	}
	if (client->service == NULL && site->instance_count > 0)
		return PROTOCOL_NONE;
	protocol = transport_protocol(client->service, transport);
	if (protocol == PROTOCOL_LMTP)
		client->prefix = "lmtp";
	return protocol;
}

void site_plan(const struct site *site, const char *hop, struct plan *plan)
{
	site_plan_nexthop(site, hop, 0, plan);
}

void site_plan_nexthop(const struct site *site, const char *hop, unsigned number, struct plan *plan)
{
	struct conf_hop_settings settings;
	char transport[HOP_NAME_BYTES];
	const char *nexthop;
	enum hop_protocol protocol;
	struct client client;

	memset(plan, 0, sizeof *plan);
	plan->private_directory = plan->others = plan->fallbacks = "";
	conf_hop_settings(site->conf, hop, &settings);
	plan->interval_ms = settings.interval_ms;
	plan->recipient = settings.recipient;
	if (!hop_split(hop, transport, sizeof transport, &nexthop) || *nexthop == '\0')
		return;
	/* That much is its transport's, which has a plan of its own. */
	if (settings.is_depth_set && settings.depth == DEPTH_SERVICE)
		return;
	protocol = find_client(site, transport, &client);
	if (protocol == PROTOCOL_NONE)
		return;
	plan->socket_name = client_word(&client, "myhostname");
	plan_target(&client, protocol, nexthop, number, plan);
	plan_private(&client, plan);
	plan_lookup(&client, plan);
	plan_loops(&client, nexthop, plan);
	plan_hello(site, &client, plan);
	plan_addresses(&client, plan);
	plan_tls(&client, &settings, plan);
	plan_depth(&settings, plan);
	plan_auth(&client, plan);
}

bool site_base(const struct site *site, const char *hop, char name[HOP_NAME_BYTES])
{
	char transport[HOP_NAME_BYTES];
	const struct instance *instance;
	const struct service *service;
	const char *nexthop;

	return site->instance_count > 0 && hop_split(hop, transport, sizeof transport, &nexthop) &&
	       strcmp(site_transport(site, transport, &instance, &service), PROXY_TRANSPORT) != 0 &&
	       hop_name(name, transport, "");
}

/* max_idle - as postconf(5) has it: a bare number is seconds */
static int64_t max_idle(const struct instance *instance)
{
	int64_t idle_ms;

	if (duration_parse(instance_parameter(instance, "max_idle"), &idle_ms))
		return idle_ms;
	return DEFAULT_MAX_IDLE_MS;
}

/* sharers - instances that have a service of that name */
static unsigned sharers(const struct site *site, const char *name)
{
	unsigned count = 0;

	for (size_t i = 0; i < site->instance_count; i++)
		count += instance_transport(site->instances[i], name) != NULL;
	return count;
}

bool site_transport_plan(const struct site *site, const char *base, char transport[HOP_NAME_BYTES],
	struct transport_plan *plan)
{
	struct client client = {.prefix = "smtp"};
	const char *nexthop, *name;

	if (site->instance_count == 0 || !hop_split(base, transport, HOP_NAME_BYTES, &nexthop))
		return false;
	name = site_transport(site, transport, &client.instance, &client.service);
	if (client.service != NULL && !service_is_agent(client.service))
		return false;
	*plan = (struct transport_plan){
		.name = name,
		.directory = instance_directory(client.instance),
		.command = client.service != NULL ? client.service->command : "",
		.arguments = client.service != NULL ? client.service->arguments : "",
		.mail_owner = instance_parameter(client.instance, "mail_owner"),
		.bind4 = "",
		.bind6 = "",
		.instances = sharers(site, name),
		.max_idle_ms = max_idle(client.instance),
	};
	if (client.service == NULL || transport_protocol(client.service, name) == PROTOCOL_NONE)
		return true;
	if (strcmp(client.service->command, "lmtp") == 0)
		client.prefix = "lmtp";
	plan->bind4 = parameter(&client, "bind_address");
	plan->bind6 = parameter(&client, "bind_address6");
	plan->is_bind_enforced = strcmp(parameter(&client, "bind_address_enforce"), "yes") == 0;
	return true;
}
