/*
 * queue_hops - which hop a message waits for
 *
 * The queue does not say it.  Postfix's reason mostly names a server, and where one known hop alone
 * means that server nothing need be asked.  Else the daemon is asked for the route, as for
 * `failfastctl explain`: once for each domain of recipients, and each sender where the instance has
 * sender-dependent tables; a limited number of times and for a limited time, and not any more when
 * it fails again and again.  What can still be two hops is none: better an honest "unknown" than
 * the wrong one.
 */
#include "ctl/queue.h"

#include "base/clock.h"
#include "base/run.h"
#include "base/xmem.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <uthash.h>

enum { QUESTIONS = 2000, QUESTIONS_MS = 1000, FAILURES = 5, POSTCONF_MS = 10000 };

/* Known hops that have a server of this name or address. */
struct host {
	UT_hash_handle hh;
	const json_t **hops;
	size_t count;
	char name[];
};

/* What trivial-rewrite(8) said. */
struct route {
	UT_hash_handle hh;
	json_t *hops; /* NULL: it knows none */
	char key[];
};

struct instance {
	UT_hash_handle hh;
	bool is_sender_dependent;
	char directory[];
};

struct queue_hops {
	const struct ctl *ctl;
	json_t *status; /* NULL: the daemon does not answer */
	char why[CTL_WHY_BYTES];
	struct host *hosts;
	struct route *routes;
	struct instance *instances;
	unsigned questions, failures;
	int64_t spent_ms;
};

/* The server of a hop's name, "TRANSPORT:NEXTHOP". */
struct nexthop {
	char host[QUEUE_HOST_BYTES]; /* or a path; "": it has none */
	unsigned port;               /* 0: the default */
	bool is_path;
	bool is_any_port; /* it is told by a name */
	bool is_open;     /* its servers are found by MX, or it is a list */
};

static void parse_nexthop(const char *hop, struct nexthop *out)
{
	const char *at = strchr(hop, ':'), *end;
	size_t length;

	memset(out, 0, sizeof *out);
	at = at != NULL ? at + 1 : hop;
	out->is_path = strncmp(at, "unix:", strlen("unix:")) == 0;
	if (out->is_path || strncmp(at, "inet:", strlen("inet:")) == 0)
		at += strlen("unix:");
	out->is_open = *at == '\0' || strchr(at, ',') != NULL || strchr(at, ' ') != NULL ||
		       (*at != '[' && !out->is_path);
	if (*at == '[') {
		at++;
		at += strncasecmp(at, "ipv6:", strlen("ipv6:")) == 0 ? strlen("ipv6:") : 0;
		length = strcspn(at, "]");
		end = at + length + (at[length] == ']');
	} else {
		length = out->is_path ? strlen(at) : strcspn(at, ":, ");
		end = at + length;
	}
	if (length >= sizeof out->host)
		return;
	memcpy(out->host, at, length);
	if (*end != ':')
		return;
	out->port = (unsigned)strtoul(end + 1, NULL, 10);
	out->is_any_port = out->port == 0;
}

/* ends_with_path - "/var/spool/postfix/private/lmtp" and "private/lmtp" are one socket */
static bool ends_with_path(const char *path, const char *tail)
{
	size_t bytes = strlen(path), tail_bytes = strlen(tail);

	return bytes >= tail_bytes && strcmp(path + bytes - tail_bytes, tail) == 0 &&
	       (bytes == tail_bytes || path[bytes - tail_bytes - 1] == '/');
}

static bool is_port(const struct nexthop *nexthop, unsigned port)
{
	enum { SMTP_PORT = 25, LMTP_PORT = 24 };

	if (port == 0 || nexthop->is_any_port)
		return true;
	return nexthop->port != 0 ? nexthop->port == port : port == SMTP_PORT || port == LMTP_PORT;
}

enum queue_match queue_hops_match(const char *hop, const struct queue_server *server)
{
	struct nexthop nexthop;

	parse_nexthop(hop, &nexthop);
	if (nexthop.is_path)
		return ends_with_path(nexthop.host, server->address) ||
				       ends_with_path(server->address, nexthop.host)
			       ? QUEUE_MATCH_YES
			       : QUEUE_MATCH_NO;
	if (*nexthop.host != '\0' && is_port(&nexthop, server->port) &&
		(strcasecmp(nexthop.host, server->name) == 0 ||
			strcasecmp(nexthop.host, server->address) == 0))
		return QUEUE_MATCH_YES;
	return nexthop.is_open ? QUEUE_MATCH_OPEN : QUEUE_MATCH_NO;
}

static bool is_down(const json_t *hop)
{
	const char *state = ctl_text(hop, "state");

	return strcmp(state, "down") == 0 || strcmp(state, "forced-down") == 0;
}

/* only - one that is unlike NULL, or NULL when there are two */
struct only {
	const json_t *hop;
	size_t count;
};

static void take(struct only *only, const json_t *hop)
{
	only->hop = only->count++ == 0 ? hop : NULL;
}

const json_t *queue_hops_choose(const json_t *route, const struct queue_server *server)
{
	struct only all = {0}, down = {0}, named = {0}, open = {0};

	for (size_t i = 0; i < json_array_size(route); i++) {
		const json_t *hop = json_array_get(route, i);
		enum queue_match match = server != NULL
						 ? queue_hops_match(ctl_text(hop, "hop"), server)
						 : QUEUE_MATCH_NO;

		take(&all, hop);
		if (is_down(hop))
			take(&down, hop);
		if (match == QUEUE_MATCH_YES)
			take(&named, hop);
		else if (match == QUEUE_MATCH_OPEN)
			take(&open, hop);
	}
	if (server != NULL)
		return named.count > 0 ? named.hop : open.hop;
	return all.count == 1 ? all.hop : down.hop;
}

static void lower(char *text)
{
	for (; *text != '\0'; text++)
		*text = (char)tolower((unsigned char)*text);
}

static struct host *find_host(const struct queue_hops *hops, const char *name)
{
	char key[QUEUE_HOST_BYTES];
	struct host *host;

	(void)snprintf(key, sizeof key, "%s", name);
	lower(key);
	HASH_FIND_STR(hops->hosts, key, host);
	return host;
}

static void index_hop(struct queue_hops *hops, const json_t *hop)
{
	struct nexthop nexthop;
	struct host *host;

	parse_nexthop(ctl_text(hop, "hop"), &nexthop);
	if (nexthop.is_path || *nexthop.host == '\0')
		return;
	host = find_host(hops, nexthop.host);
	if (host == NULL) {
		host = xcalloc(1, sizeof *host + strlen(nexthop.host) + 1);
		(void)strcpy(host->name, nexthop.host);
		lower(host->name);
		HASH_ADD_STR(hops->hosts, name, host);
	}
	host->hops = xrealloc(host->hops, (host->count + 1) * sizeof(const json_t *));
	host->hops[host->count++] = hop;
}

struct queue_hops *queue_hops_new(const struct ctl *ctl)
{
	struct queue_hops *hops = xcalloc(1, sizeof *hops);
	json_t *list;

	hops->ctl = ctl;
	hops->status = ctl_try(ctl, json_pack("{s:s}", "command", "status"), hops->why);
	list = json_object_get(hops->status, "hops");
	for (size_t i = 0; i < json_array_size(list); i++)
		index_hop(hops, json_array_get(list, i));
	return hops;
}

static void free_hosts(struct queue_hops *hops)
{
	struct host *host = hops->hosts, *next;

	/* HASH_CLEAR leaves the elements and how they follow each other */
	HASH_CLEAR(hh, hops->hosts);
	for (; host != NULL; host = next) {
		next = host->hh.next;
		free(host->hops);
		free(host);
	}
}

static void free_routes(struct queue_hops *hops)
{
	struct route *route = hops->routes, *next;

	HASH_CLEAR(hh, hops->routes);
	for (; route != NULL; route = next) {
		next = route->hh.next;
		json_decref(route->hops);
		free(route);
	}
}

static void free_instances(struct queue_hops *hops)
{
	struct instance *instance = hops->instances, *next;

	HASH_CLEAR(hh, hops->instances);
	for (; instance != NULL; instance = next) {
		next = instance->hh.next;
		free(instance);
	}
}

void queue_hops_free(struct queue_hops *hops)
{
	free_hosts(hops);
	free_routes(hops);
	free_instances(hops);
	json_decref(hops->status);
	free(hops);
}

const char *queue_hops_error(const struct queue_hops *hops)
{
	return hops->status == NULL ? hops->why : NULL;
}

/* has_sender_maps - does the route depend on who sends?  In doubt it does. */
static bool has_sender_maps(const char *directory)
{
	const char *const argv[] = {"postconf", "-c", directory, "-h",
		"sender_dependent_default_transport_maps", "sender_dependent_relayhost_maps", NULL};
	char *error = NULL, *text = run_capture(argv, POSTCONF_MS, &error);
	bool has = text == NULL || text[strspn(text, " \t\n")] != '\0';

	free(text);
	free(error);
	return has;
}

static bool is_sender_dependent(struct queue_hops *hops, const char *directory)
{
	struct instance *instance;

	HASH_FIND_STR(hops->instances, directory, instance);
	if (instance == NULL) {
		instance = xcalloc(1, sizeof *instance + strlen(directory) + 1);
		(void)strcpy(instance->directory, directory);
		instance->is_sender_dependent = has_sender_maps(directory);
		HASH_ADD_STR(hops->instances, directory, instance);
	}
	return instance->is_sender_dependent;
}

/* ask - the hops of a route; NULL: nobody knows */
static json_t *ask(struct queue_hops *hops, const struct queue_recipient *recipient)
{
	int64_t start_ms = clock_now_ms();
	char why[CTL_WHY_BYTES];
	json_t *request =
		json_pack("{s:s, s:s, s:s, s:s}", "command", "explain", "sender", recipient->sender,
			"recipient", recipient->address, "instance", recipient->directory);
	json_t *answer = request != NULL ? ctl_try(hops->ctl, request, why) : NULL;
	json_t *found = json_incref(json_object_get(answer, "hops"));

	hops->questions++;
	hops->failures = answer != NULL ? 0 : hops->failures + 1;
	hops->spent_ms += clock_now_ms() - start_ms;
	json_decref(answer);
	return found;
}

/* route_key - what a route depends on; the caller frees it */
static char *route_key(struct queue_hops *hops, const struct queue_recipient *recipient)
{
	const char *at = strrchr(recipient->address, '@');
	char *key = xasprintf("%s\n%s\n%s", recipient->directory,
		is_sender_dependent(hops, recipient->directory) ? recipient->sender : "",
		at != NULL ? at : recipient->address);

	lower(key + strlen(recipient->directory));
	return key;
}

/* find_route - as it was asked for, or asked for now if there is time left for that */
static const json_t *find_route(struct queue_hops *hops, const struct queue_recipient *recipient)
{
	char *key;
	struct route *route;

	if (hops->status == NULL)
		return NULL;
	key = route_key(hops, recipient);
	HASH_FIND_STR(hops->routes, key, route);
	if (route == NULL && hops->questions < QUESTIONS && hops->spent_ms < QUESTIONS_MS &&
		hops->failures < FAILURES) {
		route = xcalloc(1, sizeof *route + strlen(key) + 1);
		(void)strcpy(route->key, key);
		route->hops = ask(hops, recipient);
		HASH_ADD_STR(hops->routes, key, route);
	}
	free(key);
	return route != NULL ? route->hops : NULL;
}

/* find_server - the one hop that we know and that means this server, port included */
static const json_t *find_server(const struct queue_hops *hops, const struct queue_server *server)
{
	const char *names[] = {server->address, server->name};
	struct only only = {0};

	if (server->port == 0)
		return NULL;
	for (size_t n = 0; n < 2; n++) {
		const struct host *host = find_host(hops, names[n]);

		if (n == 1 && strcasecmp(names[0], names[1]) == 0)
			break;
		for (size_t i = 0; host != NULL && i < host->count; i++)
			if (queue_hops_match(ctl_text(host->hops[i], "hop"), server) ==
				QUEUE_MATCH_YES)
				take(&only, host->hops[i]);
	}
	return only.hop;
}

const json_t *queue_hops_find(struct queue_hops *hops, const struct queue_recipient *recipient)
{
	const json_t *hop = recipient->server != NULL ? find_server(hops, recipient->server) : NULL;

	return hop != NULL ? hop
			   : queue_hops_choose(find_route(hops, recipient), recipient->server);
}
