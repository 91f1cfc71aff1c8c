/*
 * attribution - which hop a line of Postfix's log is about
 *
 * An index by server: "PORT HOST", or the path of a socket.  A host without port is in it as "0 HOST", for lines that say
 * that a name cannot be found.
 */
#include "postfix/attribution.h"

#include "base/xmem.h"
#include "postfix/site_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { KEY_BYTES = HOP_HOST_BYTES + 8 };

/* There may be 10,000 hops, so each thing is kept once. */
struct entry {
	struct entry *next; /* of the same server */
	const struct known *hop;
	const struct instance *instance;
	const struct service *service;
};

struct server {
	UT_hash_handle hh;
	struct entry *entries;
	char key[];
};

struct known {
	UT_hash_handle hh;
	char hop[];
};

struct attribution {
	struct site *site;
	struct server *servers;
	struct known *known; /* hops that were added, whether they have a server or not */
	char base[HOP_NAME_BYTES]; /* of the transport that was asked for last */
};

struct attribution *attribution_new(struct site *site)
{
	struct attribution *attribution = xcalloc(1, sizeof *attribution);

	attribution->site = site_ref(site);
	return attribution;
}

static void free_entries(struct entry *entry)
{
	struct entry *next;

	for (; entry != NULL; entry = next) {
		next = entry->next;
		free(entry);
	}
}

void attribution_free(struct attribution *attribution)
{
	struct server *server, *next;
	struct known *known, *next_known;

	if (attribution == NULL)
		return;
	HASH_ITER(hh, attribution->known, known, next_known)
	{
		HASH_DEL(attribution->known, known); /* NOLINT(clang-analyzer-unix.Malloc): not the freed one */
		free(known);
	}
	HASH_ITER(hh, attribution->servers, server, next)
	{
		HASH_DEL(attribution->servers, server); /* NOLINT(clang-analyzer-unix.Malloc): not the freed one */
		free_entries(server->entries);
		free(server);
	}
	site_unref(attribution->site);
	free(attribution);
}

static struct server *find(const struct attribution *attribution, const char *key)
{
	struct server *server;

	HASH_FIND_STR(attribution->servers, key, server);
	return server;
}

/* make_key - host names are the same in upper and lower case */
static void make_key(char key[KEY_BYTES], uint16_t port, const char *host)
{
	(void)snprintf(key, KEY_BYTES, "%u %s", port, host);
	if (*host == '/')
		return;
	for (char *cp = key; *cp != '\0'; cp++)
		if (*cp >= 'A' && *cp <= 'Z')
			*cp = (char)(*cp - 'A' + 'a');
}

static void put(struct attribution *attribution, uint16_t port, const char *host,
	const struct entry *model)
{
	struct entry *entry = xcalloc(1, sizeof *entry);
	struct server *server;
	char key[KEY_BYTES];

	make_key(key, port, host);
	server = find(attribution, key);
	if (server == NULL) {
		server = xcalloc(1, sizeof *server + strlen(key) + 1);
		(void)strcpy(server->key, key);
		HASH_ADD_STR(attribution->servers, key, server);
	}
	*entry = *model;
	entry->next = server->entries;
	server->entries = entry;
}

bool attribution_has(const struct attribution *attribution, const char *hop)
{
	const struct known *known;

	HASH_FIND_STR(attribution->known, hop, known);
	return known != NULL;
}

static const struct known *remember(struct attribution *attribution, const char *hop)
{
	struct known *known = xcalloc(1, sizeof *known + strlen(hop) + 1);

	(void)strcpy(known->hop, hop);
	HASH_ADD_STR(attribution->known, hop, known);
	return known;
}

void attribution_add(struct attribution *attribution, const char *hop)
{
	char transport[HOP_NAME_BYTES];
	struct entry model = {0};
	const char *nexthop;
	struct plan plan;

	if (attribution_has(attribution, hop))
		return;
	model.hop = remember(attribution, hop);
	site_plan(attribution->site, hop, &plan);
	if (plan.kind != PLAN_SERVER || !hop_split(hop, transport, sizeof transport, &nexthop))
		return;
	(void)site_transport(attribution->site, transport, &model.instance, &model.service);
	if (model.service == NULL)
		return;
	if (plan.target.is_unix) {
		put(attribution, 0, plan.target.path, &model);
		return;
	}
	put(attribution, plan.target.port, plan.target.host, &model);
	put(attribution, 0, plan.target.host, &model);
}

static void suspect(struct suspects *out, const char *hop)
{
	for (size_t i = 0; i < out->count; i++)
		if (strcmp(out->hop[i], hop) == 0)
			return;
	if (out->count < ATTRIBUTION_HOPS)
		out->hop[out->count] = hop;
	out->count++;
}

/* is_logging_as - does an agent of this service log under that name? */
static bool is_logging_as(const struct entry *entry, const char *tag)
{
	const char *name = service_parameter(entry->instance, entry->service, "syslog_name", NULL);
	size_t length = strlen(name);

	return strncmp(tag, name, length) == 0 && tag[length] == '/' &&
	       strcmp(tag + length + 1, entry->service->command) == 0;
}

static void look_up(const struct attribution *attribution, const struct instance *instance,
	const char *tag, uint16_t port, const char *host, struct suspects *out)
{
	const struct server *server;
	char key[KEY_BYTES];

	make_key(key, port, host);
	server = find(attribution, key);
	for (const struct entry *entry = server != NULL ? server->entries : NULL; entry != NULL;
		entry = entry->next)
		if (entry->instance == instance && is_logging_as(entry, tag))
			suspect(out, entry->hop->hop);
}

/* is_alone - no other instance writes the same log under the same name */
static bool is_alone(const struct site *site, const struct instance *instance)
{
	static const char *const names[] = {"syslog_name", "maillog_file"};

	for (size_t i = 0; i < site->instance_count; i++) {
		bool is_same = site->instances[i] != instance;

		for (size_t n = 0; n < sizeof names / sizeof *names; n++)
			is_same = is_same && strcmp(instance_parameter(instance, names[n]),
						     instance_parameter(site->instances[i], names[n])) == 0;
		if (is_same)
			return false;
	}
	return true;
}

/* find_socket - of LMTP; a relative path begins in the queue directory */
static void find_socket(const struct attribution *attribution, const struct instance *instance,
	const struct maillog_line *line, struct suspects *out)
{
	char path[HOP_PATH_BYTES];
	int bytes = snprintf(path, sizeof path, "%s/%s",
		instance_parameter(instance, "queue_directory"), line->address);

	if (*line->address == '/')
		look_up(attribution, instance, line->tag, 0, line->address, out);
	else if (bytes < (int)sizeof path)
		look_up(attribution, instance, line->tag, 0, path, out);
}

/* find_transport - of qmgr(8), which logs under the name of main.cf */
static void find_transport(struct attribution *attribution, const struct instance *instance,
	const struct maillog_line *line, struct suspects *out)
{
	const char *name = instance_parameter(instance, "syslog_name");
	size_t length = strlen(name);

	if (strncmp(line->tag, name, length) == 0 && strcmp(line->tag + length, "/qmgr") == 0 &&
		site_hop_name(attribution->site, instance, line->transport, "", attribution->base))
		suspect(out, attribution->base);
}

void attribution_find(struct attribution *attribution, const char *directory,
	const struct maillog_line *line, struct suspects *out)
{
	const struct instance *instance = site_instance(attribution->site, directory);

	*out = (struct suspects){0};
	if (instance == NULL)
		return;
	if (*line->transport != '\0') {
		find_transport(attribution, instance, line, out);
	} else if (strchr(line->address, '/') != NULL) {
		find_socket(attribution, instance, line, out);
	} else {
		look_up(attribution, instance, line->tag, line->port, line->name, out);
		if (*line->address != '\0')
			look_up(attribution, instance, line->tag, line->port, line->address, out);
	}
	if (out->count > ATTRIBUTION_HOPS)
		out->count = 0;
	out->is_sure = out->count == 1 && is_alone(attribution->site, instance);
}
