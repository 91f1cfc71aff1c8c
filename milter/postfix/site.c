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
#include <strings.h>
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
	naming_build(site);
	filters_build(site);
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
	filters_free(site);
	naming_free(site);
	for (size_t i = 0; i < site->instance_count; i++)
		instance_free(site->instances[i]);
	free(site->instances);
	conf_unref(site->conf);
	free(site);
}

void site_publish(struct site *site)
{
	struct site *old;

	if (site != NULL)
		filters_report(site);
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

const struct instance *site_instance(const struct site *site, const char *directory)
{
	for (size_t i = 0; i < site->instance_count; i++)
		if (strcmp(instance_directory(site->instances[i]), directory) == 0)
			return site->instances[i];
	return NULL;
}

/* is_called - Postfix tells its myhostname; false: it is another one's */
static bool is_called(const char *host_name, const char *host)
{
	return host == NULL || strcasecmp(host_name, host) == 0;
}

/* is_candidate - the same for an instance as a whole */
static bool is_candidate(const struct instance *instance, const char *host)
{
	return is_called(instance_parameter(instance, "myhostname"), host);
}

/* known_host - host if it tells instances apart: there are several, and something is called so; else NULL */
static const char *known_host(const struct site *site, const char *host)
{
	const struct listener *listeners;
	size_t count;

	if (site->instance_count < 2)
		return NULL;
	for (size_t i = 0; i < site->instance_count; i++) {
		if (is_candidate(site->instances[i], host))
			return host;
		listeners = instance_listeners(site->instances[i], &count);
		for (size_t l = 0; l < count; l++)
			if (is_called(listeners[l].host_name, host))
				return host;
	}
	return NULL;
}

/* is_asking - its cleanup(8) has us look at mail of sendmail(1) */
static bool is_asking(const struct instance *instance)
{
	static const struct service cleanup = {"cleanup", "unix", "cleanup", "", "-", false};

	return *service_parameter(instance, &cleanup, "non_smtpd_milters", NULL) != '\0';
}

/* only_candidate - false when there is none or more than one */
static bool only_candidate(const struct site *site, const char *host, bool is_local, size_t *number)
{
	size_t count = 0;

	for (size_t i = 0; i < site->instance_count; i++)
		if (site->instance_count == 1 ||
			(is_candidate(site->instances[i], host) &&
				(!is_local || is_asking(site->instances[i])))) {
			*number = i;
			count++;
		}
	return count == 1;
}

static void take_listener(const struct site *site, size_t number, const struct listener *listener,
	struct origin *out)
{
	const struct filters *filters = &site->filters[number];
	size_t count;
	size_t index =
		(size_t)(listener - instance_listeners(site->instances[number], &count));

	out->instance = site->instances[number];
	out->listener = listener;
	out->filters = filters->listener[index];
	out->is_reentry = listener->is_reentry || filters->is_handed[index];
}

/* take_best_listener - false when none fits; one of several that fit equally well is none */
static bool take_best_listener(const struct site *site, const char *address, const char *port,
	const char *host, struct origin *out)
{
	const struct listener *best = NULL;
	enum listener_fit best_fit = FIT_NONE, fit;
	bool is_clear = false;
	size_t number = 0;

	for (size_t i = 0; i < site->instance_count; i++) {
		const struct listener *found =
			instance_listener(site->instances[i], address, port, &fit);

		if (found == NULL || fit < best_fit || !is_called(found->host_name, host))
			continue;
		is_clear = fit > best_fit;
		best_fit = fit;
		best = found;
		number = i;
	}
	if (is_clear)
		take_listener(site, number, best, out);
	return best != NULL;
}

void site_origin(const struct site *site, const char *daemon_address, const char *daemon_port,
	const char *host, struct origin *out)
{
	bool is_local = daemon_port == NULL || strcmp(daemon_port, "0") == 0;
	size_t number;

	*out = (struct origin){.filters = site->unseen, .is_local = is_local};
	host = known_host(site, host);
	if (!is_local && take_best_listener(site, daemon_address != NULL ? daemon_address : "",
				 daemon_port, host, out))
		return;
	if (!only_candidate(site, host, is_local, &number))
		return;
	/* A port that master.cf does not have (redirected, proxied): what main.cf says holds. */
	out->instance = site->instances[number];
	out->filters = is_local ? site->filters[number].pickup : site->filters[number].other;
}

bool site_has_proxy_filter(const struct site *site)
{
	for (size_t i = 0; i < site->instance_count; i++) {
		size_t count;
		const struct listener *listeners = instance_listeners(site->instances[i], &count);

		for (size_t l = 0; l < count; l++)
			if (*listeners[l].proxy_filter != '\0')
				return true;
	}
	return false;
}

void site_first_origin(const struct site *site, const char *directory, struct origin *out)
{
	const struct listener *listeners;
	size_t count, number = 0;

	*out = (struct origin){.filters = site->unseen};
	while (directory != NULL && number < site->instance_count &&
		strcmp(instance_directory(site->instances[number]), directory) != 0)
		number++;
	if (number >= site->instance_count)
		return;
	out->instance = site->instances[number];
	out->filters = site->filters[number].other;
	listeners = instance_listeners(out->instance, &count);
	if (count > 0)
		take_listener(site, number, &listeners[0], out);
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

	if (mailer == NULL || is_no_hop(mailer) || (instance == NULL && site->instance_count > 0))
		return false;
	if (host == NULL)
		host = "";
	if (instance != NULL)
		service = instance_transport(instance, mailer);
	*role = ROLE_TRANSPORT;
	if (service != NULL && transport_protocol(service, mailer) == PROTOCOL_NONE)
		return site_hop_name(site, instance, mailer, "", name);
	if (instance != NULL && *host != '\0' &&
		strcmp(host, instance_parameter(instance, "relayhost")) == 0)
		*role = ROLE_RELAYHOST;
	else if (strcasecmp(host, domain_of(recipient)) == 0)
		host = "";
	return site_hop_name(site, instance, mailer, host, name);
}

bool site_mailbox_hop(const struct site *site, const struct instance *instance,
	const char *mailer, char name[HOP_NAME_BYTES])
{
	const struct service *service = instance != NULL ? instance_transport(instance, mailer) : NULL;
	char transport[HOP_NAME_BYTES];
	const char *nexthop;

	/* A table goes before it. */
	return service != NULL && strcmp(service->command, "local") == 0 &&
	       *service_parameter(instance, service, "mailbox_transport_maps", NULL) == '\0' &&
	       hop_split(service_parameter(instance, service, "mailbox_transport", NULL), transport,
		       sizeof transport, &nexthop) &&
	       !is_no_hop(transport) && site_hop_name(site, instance, transport, nexthop, name);
}
