/*
 * site - our configuration and what is known of Postfix, as one immutable object
 */
#include "postfix/site_private.h"

#include "base/log.h"
#include "base/xmem.h"
#include "postfix/instance_private.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t current_lock = PTHREAD_MUTEX_INITIALIZER;
static struct site *current;

struct site *site_new(struct conf *conf, const struct postconf *postconfs, size_t count)
{
	struct site *site = xcalloc(1, sizeof *site);

	atomic_init(&site->references, 1);
	site->conf = conf_ref(conf);
	site->instances = xcalloc(count + 1, sizeof(struct instance *));
	if (gethostname(site->host_name, sizeof site->host_name - 1) < 0)
		(void)strcpy(site->host_name, "localhost");
	for (size_t i = 0; i < count; i++) {
		struct instance *instance = instance_new(&postconfs[i]);

		if (instance != NULL)
			site->instances[site->instance_count++] = instance;
		else
			log_errx("%s", postconfs[i].error);
	}
	return site;
}

struct site *site_ref(struct site *site)
{
	atomic_fetch_add(&site->references, 1);
	return site;
}

void site_unref(struct site *site)
{
	if (site == NULL || atomic_fetch_sub(&site->references, 1) != 1)
		return;
	for (size_t i = 0; i < site->instance_count; i++)
		instance_free(site->instances[i]);
	free(site->instances);
	conf_unref(site->conf);
	free(site);
}

void site_publish(struct site *site)
{
	struct site *old;

	pthread_mutex_lock(&current_lock);
	old = current;
	current = site;
	pthread_mutex_unlock(&current_lock);
	site_unref(old);
}

struct site *site_current(void)
{
	struct site *site;

	pthread_mutex_lock(&current_lock);
	site = current != NULL ? site_ref(current) : NULL;
	pthread_mutex_unlock(&current_lock);
	return site;
}

const struct conf *site_conf(const struct site *site)
{
	return site->conf;
}

/* find_pickup - the service that takes the mail of sendmail(1) in; a fifo where master.cf is old enough */
static const struct service *find_pickup(const struct instance *instance)
{
	static const struct service usual = {"pickup", "unix", "pickup", "", "-"};
	const struct service *fifo = instance_service(instance, "pickup", "fifo");

	return fifo != NULL ? fifo : &usual;
}

/* local_instance - whose cleanup(8) asks us: of those that do, the one of that name; NULL when it is not sure */
static const struct instance *local_instance(const struct site *site, const char *host)
{
	static const struct service cleanup = {"cleanup", "unix", "cleanup", "", "-"};
	const struct instance *found = NULL;

	if (site->instance_count == 1)
		return site->instances[0];
	for (size_t i = 0; i < site->instance_count; i++) {
		const struct instance *instance = site->instances[i];

		if (*service_parameter(instance, &cleanup, "non_smtpd_milters", NULL) == '\0' ||
			(host != NULL && strcmp(instance_parameter(instance, "myhostname"), host) != 0))
			continue;
		if (found != NULL)
			return NULL;
		found = instance;
	}
	return found;
}

void site_local_origin(const struct site *site, const char *host, struct origin *out)
{
	*out = (struct origin){.content_filter = site->conf->content_filter,
		.proxy_filter = "",
		.is_local = true,
		.instance = local_instance(site, host)};
	if (out->instance != NULL)
		out->content_filter = service_parameter(
			out->instance, find_pickup(out->instance), "content_filter", NULL);
}

static void take_listener(struct origin *out, const struct listener *listener)
{
	out->listener = listener;
	out->content_filter = listener->content_filter;
	out->proxy_filter = listener->proxy_filter;
	out->is_reentry = listener->is_reentry;
}

void site_origin(const struct site *site, const char *daemon_address, const char *daemon_port,
	struct origin *out)
{
	*out = (struct origin){.content_filter = site->conf->content_filter, .proxy_filter = ""};
	if (daemon_port == NULL || strcmp(daemon_port, "0") == 0) {
		site_local_origin(site, NULL, out);
		return;
	}
	for (size_t i = 0; i < site->instance_count && out->listener == NULL; i++) {
		out->listener = instance_listener(site->instances[i],
			daemon_address != NULL ? daemon_address : "", daemon_port);
		out->instance = site->instances[i];
	}
	if (out->listener != NULL) {
		take_listener(out, out->listener);
	} else if (site->instance_count == 1) {
		/* A port that master.cf does not have (redirected, proxied): what main.cf says holds. */
		out->content_filter = instance_parameter(out->instance, "content_filter");
	} else {
		out->instance = NULL;
	}
}

void site_first_origin(const struct site *site, struct origin *out)
{
	const struct listener *listeners;
	size_t count;

	*out = (struct origin){.content_filter = site->conf->content_filter, .proxy_filter = ""};
	if (site->instance_count == 0)
		return;
	out->instance = site->instances[0];
	listeners = instance_listeners(out->instance, &count);
	if (count > 0)
		take_listener(out, &listeners[0]);
	else
		out->content_filter = instance_parameter(out->instance, "content_filter");
}

bool site_filter_hop(const char *value, char name[HOP_NAME_BYTES])
{
	char transport[HOP_NAME_BYTES];
	const char *nexthop;

	if (hop_split(value, transport, sizeof transport, &nexthop))
		return hop_name(name, transport, nexthop);
	return false;
}

bool site_proxy_hop(const char *value, char name[HOP_NAME_BYTES])
{
	return *value != '\0' && hop_name(name, PROXY_TRANSPORT, value);
}

const struct service *site_transport(const struct site *site, const char *transport,
	const struct instance **instance)
{
	for (size_t i = 0; i < site->instance_count; i++) {
		const struct service *service = instance_transport(site->instances[i], transport);

		if (service != NULL) {
			*instance = site->instances[i];
			return service;
		}
	}
	return NULL;
}

/* by_name - a guess for when we cannot see master.cf */
static enum hop_protocol by_name(const char *name)
{
	if (strncmp(name, "lmtp", 4) == 0)
		return PROTOCOL_LMTP;
	if (strncmp(name, "smtp", 4) == 0 || strcmp(name, "relay") == 0)
		return PROTOCOL_SMTP;
	return PROTOCOL_NONE;
}

enum hop_protocol transport_protocol(const struct service *service, const char *transport)
{
	if (service == NULL)
		return by_name(transport);
	if (strcmp(service->command, "smtp") == 0)
		return PROTOCOL_SMTP;
	return strcmp(service->command, "lmtp") == 0 ? PROTOCOL_LMTP : PROTOCOL_NONE;
}

bool is_no_hop(const char *mailer)
{
	return *mailer == '\0' || strcmp(mailer, "error") == 0 || strcmp(mailer, "discard") == 0 ||
	       strcmp(mailer, "retry") == 0;
}

static const char *domain_of(const char *address)
{
	const char *at = strrchr(address, '@');

	return at != NULL ? at + 1 : "";
}

bool site_recipient_hop(const struct site *site, const struct instance *instance,
	const char *mailer, const char *host, const char *recipient, char name[HOP_NAME_BYTES],
	enum hop_role *role)
{
	const struct service *service = NULL;

	if (mailer == NULL || is_no_hop(mailer))
		return false;
	if (host == NULL)
		host = "";
	if (instance != NULL)
		service = instance_transport(instance, mailer);
	else
		service = site_transport(site, mailer, &instance);
	*role = ROLE_TRANSPORT;
	if (service != NULL && transport_protocol(service, mailer) == PROTOCOL_NONE)
		return hop_name(name, mailer, "");
	if (instance != NULL && *host != '\0' &&
		strcmp(host, instance_parameter(instance, "relayhost")) == 0)
		*role = ROLE_RELAYHOST;
	else if (strcasecmp(host, domain_of(recipient)) == 0)
		host = "";
	return hop_name(name, mailer, host);
}
