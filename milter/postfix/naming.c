/*
 * naming - whose transport a hop's name means
 *
 * Each Postfix instance has transports and private/ sockets of its own, and most have some of the same names.  With
 * one instance a hop is named as Postfix spells it.  With several that goes for the first that has the transport;
 * what another one calls the same is another hop, and bears the name of its instance.
 */
#include "postfix/site_private.h"

#include "base/xmem.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SEPARATOR = '/' }; /* no service of master.cf has it in its name */

/* is_free - can be part of a hop's name, and no earlier instance has it */
static bool is_free(const struct site *site, size_t count, const char *label)
{
	char name[HOP_NAME_BYTES];

	if (!hop_name(name, label, "") || strchr(label, SEPARATOR) != NULL)
		return false;
	for (size_t i = 0; i < count; i++)
		if (strcmp(site->labels[i], label) == 0)
			return false;
	return true;
}

void naming_build(struct site *site)
{
	site->labels = xcalloc(site->instance_count + 1, sizeof(char *));
	for (size_t i = 0; i < site->instance_count; i++) {
		const char *slash = strrchr(instance_directory(site->instances[i]), '/');
		const char *label = instance_parameter(site->instances[i], "multi_instance_name");

		if (*label == '\0' && slash != NULL)
			label = slash + 1;
		site->labels[i] = is_free(site, i, label) ? xstrdup(label)
							   : xasprintf("instance%zu", i + 1);
	}
}

void naming_free(struct site *site)
{
	for (size_t i = 0; i < site->instance_count; i++)
		free(site->labels[i]);
	free(site->labels);
}

/* owner_of - the instance that is meant when a name does not say it */
static const struct instance *owner_of(const struct site *site, const char *transport)
{
	for (size_t i = 0; i < site->instance_count; i++)
		if (instance_transport(site->instances[i], transport) != NULL)
			return site->instances[i];
	return site->instance_count > 0 ? site->instances[0] : NULL;
}

static const char *label_of(const struct site *site, const struct instance *instance)
{
	size_t i = 0;

	while (site->instances[i] != instance)
		i++;
	return site->labels[i];
}

bool site_hop_name(const struct site *site, const struct instance *instance,
	const char *transport, const char *nexthop, char name[HOP_NAME_BYTES])
{
	const struct service *service =
		instance != NULL ? instance_transport(instance, transport) : NULL;
	bool (*join)(char out[HOP_NAME_BYTES], const char *, const char *) =
		transport_protocol(service, transport) != PROTOCOL_NONE &&
				strncasecmp(nexthop, "unix:", 5) != 0
			? hop_list_name
			: hop_name;
	char *full;
	bool is_fine;

	if (instance == NULL || site->instance_count < 2 || owner_of(site, transport) == instance)
		return join(name, transport, nexthop);
	full = xasprintf("%s%c%s", label_of(site, instance), SEPARATOR, transport);
	is_fine = join(name, full, nexthop);
	free(full);
	return is_fine;
}

const char *site_transport(const struct site *site, const char *transport,
	const struct instance **instance, const struct service **service)
{
	*instance = NULL;
	for (size_t i = 0; i < site->instance_count && *instance == NULL; i++) {
		size_t length = strlen(site->labels[i]);

		if (strncmp(transport, site->labels[i], length) == 0 && transport[length] == SEPARATOR) {
			*instance = site->instances[i];
			transport += length + 1;
		}
	}
	if (*instance == NULL)
		*instance = owner_of(site, transport);
	*service = *instance != NULL ? instance_transport(*instance, transport) : NULL;
	return transport;
}
