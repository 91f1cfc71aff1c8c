/*
 * http_host - names under which this host may be asked
 *
 * A web page of somebody else can have its own name point to 127.0.0.1 and then read what we answer
 * to its visitor's browser.  The browser still sends that name.  An address is safe: no page comes
 * from there but ours.
 */
#include "ops/http.h"

#include "postfix/site.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static bool is_address(const char *host)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;
	size_t length = strlen(host);

	if (inet_pton(AF_INET, host, &address) == 1)
		return true;
	if (host[0] != '[' || length < 3 || host[length - 1] != ']' || length - 2 >= sizeof text)
		return false;
	memcpy(text, host + 1, length - 2);
	text[length - 2] = '\0';
	return inet_pton(AF_INET6, text, &address) == 1;
}

static bool is_same(const char *name, const char *host, size_t length)
{
	return strlen(name) == length && strncasecmp(name, host, length) == 0;
}

/* is_of_postfix - the myhostname of an instance */
static bool is_of_postfix(const char *host, size_t length)
{
	struct site *site = site_current();
	const struct conf *conf;
	bool is_found = false;

	if (site == NULL)
		return false;
	conf = site_conf(site);
	for (size_t i = 0; i < conf->postfix_count && !is_found; i++) {
		const struct instance *instance =
			site_instance(site, conf->postfix[i].config_directory);

		is_found = instance != NULL &&
			   is_same(instance_parameter(instance, "myhostname"), host, length);
	}
	site_unref(site);
	return is_found;
}

bool http_is_own_name(const struct conf *conf, const char *host)
{
	size_t length = strlen(host), bound = strlen(conf->http);
	const char *colon = strrchr(conf->http, ':');
	char name[256] = "";

	if (length > 0 && host[length - 1] == '.')
		length--;
	if (length == 0)
		return false;
	if (is_address(host) || is_same("localhost", host, length))
		return true;
	if (colon != NULL)
		bound = (size_t)(colon - conf->http);
	if (bound == length && strncasecmp(conf->http, host, length) == 0)
		return true;
	if (gethostname(name, sizeof name - 1) == 0 && is_same(name, host, length))
		return true;
	return is_same(conf->hostname, host, length) || is_of_postfix(host, length);
}
