/*
 * dns_query - the queries of one look-up, and what their replies say
 *
 * A reply may lead to more queries: from MX records to the addresses of the hosts, from an alias to
 * what it stands for.
 */
#include "probe/dns_private.h"

#include "probe/dns_hosts.h"
#include "probe/dns_reply.h"

#include <ares.h>
#include <stdio.h>
#include <string.h>

enum { ALIASES_MAX = 10, CLASS_IN = 1, TYPE_A = 1, TYPE_MX = 15, TYPE_AAAA = 28 };

/* note - remember why a query found nothing: our own failure outweighs the resolver's, and that
 * outweighs a clear "there is none" */
static void note(struct dns_lookup *lookup, enum reason reason, const char *why)
{
	if (lookup->reason == REASON_NONE || lookup->reason == REASON_DNS_NOT_FOUND ||
		reason == REASON_LOCAL_ERROR) {
		lookup->reason = reason;
		lookup->why = why;
	}
}

static void note_status(struct dns_lookup *lookup, int status)
{
	switch (status) {
	case ARES_ENOTFOUND:
	case ARES_ENODATA:
	case ARES_ENONAME:
	case ARES_EBADNAME:
		note(lookup, REASON_DNS_NOT_FOUND, ares_strerror(status));
		break;
	case ARES_ENOMEM:
		note(lookup, REASON_LOCAL_ERROR, ares_strerror(status));
		break;
	default:
		note(lookup, REASON_DNS_FAILURE, ares_strerror(status));
	}
}

/* came_home - a query has ended; false when nobody waits for it any more (lookup is then gone) */
static bool came_home(struct dns_lookup *lookup)
{
	lookup->pending--;
	if (lookup->done != NULL)
		return true;
	dns_lookup_release(lookup);
	return false;
}

/* keep_address - of the host that it belongs to */
static void keep_address(
	struct dns_lookup *lookup, struct host *host, const struct net_address *address)
{
	struct dns_record *found = &lookup->found[lookup->found_count];
	bool is_ipv6 = address->sa.sa_family == AF_INET6;

	if (lookup->found_count == FOUND_MAX ||
		!(is_ipv6 ? lookup->question.use_ipv6 : lookup->question.use_ipv4))
		return;
	host->has_address = true;
	found->address = *address;
	found->preference = host->preference;
	found->host = (unsigned char)(host - lookup->host);
	found->order = found->host * FOUND_MAX + (unsigned)lookup->found_count;
	lookup->found_count++;
}

/* keep_ipv4, keep_ipv6 - the addresses of a reply; how many it has */
static unsigned keep_ipv4(struct query *query, const unsigned char *bytes, int count)
{
	struct ares_addrttl list[FOUND_MAX];
	struct net_address address = {.bytes = sizeof address.in4};
	int found = FOUND_MAX;

	if (ares_parse_a_reply(bytes, count, NULL, list, &found) != ARES_SUCCESS)
		return 0;
	address.in4.sin_family = AF_INET;
	for (int i = 0; i < found; i++) {
		address.in4.sin_addr = list[i].ipaddr;
		keep_address(query->lookup, query->host, &address);
	}
	return (unsigned)found;
}

static unsigned keep_ipv6(struct query *query, const unsigned char *bytes, int count)
{
	struct ares_addr6ttl list[FOUND_MAX];
	struct net_address address = {.bytes = sizeof address.in6};
	int found = FOUND_MAX;

	if (ares_parse_aaaa_reply(bytes, count, NULL, list, &found) != ARES_SUCCESS)
		return 0;
	address.in6.sin6_family = AF_INET6;
	for (int i = 0; i < found; i++) {
		memcpy(&address.in6.sin6_addr, &list[i].ip6addr, sizeof address.in6.sin6_addr);
		keep_address(query->lookup, query->host, &address);
	}
	return (unsigned)found;
}

/* keep_hosts - what hosts(5) says; false when that is nothing */
static bool keep_hosts(struct dns_lookup *lookup, struct host *host)
{
	struct net_address address[DNS_ADDRESSES];
	size_t count = dns_hosts_find(host->name, 0, address, DNS_ADDRESSES);

	for (size_t at = 0; at < count; at++)
		keep_address(lookup, host, &address[at]);
	if (host->has_address)
		lookup->ttl_s = 0;
	return host->has_address;
}

/* end_host - all that DNS says about it is known */
static void end_host(struct dns_lookup *lookup, struct host *host)
{
	if (host->has_address || host->has_failed)
		return;
	if (lookup->question.lookup == LOOKUP_DNS_NATIVE && keep_hosts(lookup, host))
		return;
	note(lookup, REASON_DNS_NOT_FOUND, "no usable address");
}

static void on_reply(void *arg, int status, int timeouts, unsigned char *bytes, int count);

static void ask(struct query *query, const char *name)
{
	struct dns_lookup *lookup = query->lookup;

	lookup->pending++;
	if (query->host != NULL)
		query->host->pending++;
	ares_query(dns_channel_ares(lookup->channel), name, CLASS_IN, query->type, on_reply, query);
}

static void ask_type(struct dns_lookup *lookup, struct host *host, const char *name, int type)
{
	struct query *query = &lookup->query[lookup->queries++];

	*query = (struct query){.lookup = lookup, .host = host, .type = type};
	ask(query, name);
}

/* ask_host - the addresses of one host; an address stands for itself, though it has no place in an
 * MX record */
static void ask_host(struct dns_lookup *lookup, const char *name, unsigned preference)
{
	struct host *host = &lookup->host[lookup->hosts++];
	struct net_address address;

	*host = (struct host){.preference = preference};
	(void)snprintf(host->name, sizeof host->name, "%s", name);
	if (net_address_numeric(&address, name, 0)) {
		keep_address(lookup, host, &address);
		end_host(lookup, host);
		return;
	}
	if (lookup->question.lookup == LOOKUP_NATIVE && keep_hosts(lookup, host))
		return;
	/* An answer may come at once. */
	host->pending++;
	if (lookup->question.use_ipv6)
		ask_type(lookup, host, host->name, TYPE_AAAA);
	if (lookup->question.use_ipv4)
		ask_type(lookup, host, host->name, TYPE_A);
	if (--host->pending == 0)
		end_host(lookup, host);
}

/* has_null - one such record makes the domain refuse mail (RFC 7505), for smtp(8) whatever else
 * there is */
static bool has_null(const struct ares_mx_reply *list)
{
	for (; list != NULL; list = list->next)
		if (*list->host == '\0')
			return true;
	return false;
}

/* ask_exchangers - addresses of the MX hosts, the most preferred first */
static void ask_exchangers(struct dns_lookup *lookup, const struct ares_mx_reply *list)
{
	lookup->best_preference = UINT32_MAX;
	for (int floor = -1; lookup->hosts < DNS_HOSTS;) {
		int next = INT32_MAX;

		for (const struct ares_mx_reply *mx = list; mx != NULL; mx = mx->next)
			if (mx->priority > floor && mx->priority < next)
				next = mx->priority;
		if (next == INT32_MAX)
			break;
		if (floor < 0)
			lookup->best_preference = (unsigned)next;
		for (const struct ares_mx_reply *mx = list; mx != NULL && lookup->hosts < DNS_HOSTS;
			mx = mx->next)
			if (mx->priority == next)
				ask_host(lookup, mx->host, (unsigned)next);
		floor = next;
	}
}

/* take_exchangers - false when the reply has no MX records */
static bool take_exchangers(struct dns_lookup *lookup, const unsigned char *bytes, int count)
{
	struct ares_mx_reply *list = NULL;

	if (ares_parse_mx_reply(bytes, count, &list) != ARES_SUCCESS || list == NULL)
		return false;
	if (has_null(list))
		note(lookup, REASON_DNS_NOT_FOUND, "the domain does not accept mail (null MX)");
	else
		ask_exchangers(lookup, list);
	ares_free_data(list);
	return true;
}

/* take - what a good reply says; false when that is nothing about what was asked */
static bool take(struct query *query, const unsigned char *bytes, int count)
{
	if (query->host == NULL)
		return take_exchangers(query->lookup, bytes, count);
	return (query->type == TYPE_A ? keep_ipv4(query, bytes, count)
				      : keep_ipv6(query, bytes, count)) > 0;
}

/* read_reply - the status that the reply comes to; it may lead to another name */
static int read_reply(struct query *query, const unsigned char *bytes, int count)
{
	struct dns_lookup *lookup = query->lookup;
	struct dns_reply reply;

	if (!dns_reply_read(bytes, (size_t)count, &reply))
		return ARES_EBADRESP;
	if (reply.ttl_s < lookup->ttl_s)
		lookup->ttl_s = reply.ttl_s;
	if (lookup->question.takes_alias && query->host != NULL && reply.alias[0] != '\0')
		(void)strcpy(query->host->known_as, reply.alias);
	if (take(query, bytes, count))
		return ARES_SUCCESS;
	if (reply.alias[0] == '\0' || query->aliases == ALIASES_MAX)
		return ARES_ENODATA;
	query->aliases++;
	ask(query, reply.alias);
	return ARES_SUCCESS;
}

static bool is_not_found(int status)
{
	return status == ARES_ENODATA || status == ARES_ENOTFOUND || status == ARES_EBADNAME ||
	       status == ARES_ENONAME;
}

/* no_reply - of one query */
static void no_reply(struct query *query, int status)
{
	struct dns_lookup *lookup = query->lookup;

	if (query->host == NULL && (is_not_found(status) || lookup->question.ignores_mx_error)) {
		ask_host(lookup, lookup->name, 0);
		return;
	}
	if (query->host != NULL && !is_not_found(status))
		query->host->has_failed = true;
	note_status(lookup, status);
}

static void on_reply(void *arg, int status, int timeouts, unsigned char *bytes, int count)
{
	struct query *query = arg;
	struct dns_lookup *lookup = query->lookup;
	struct host *host = query->host;

	(void)timeouts;
	if (!came_home(lookup))
		return;
	/* Some queries end before ares_query() does. */
	lookup->pending++;
	if (status == ARES_SUCCESS)
		status = read_reply(query, bytes, count);
	if (status != ARES_SUCCESS)
		no_reply(query, status);
	if (host != NULL && --host->pending == 0)
		end_host(lookup, host);
	lookup->pending--;
	dns_lookup_settle(lookup);
}

static bool is_ascii(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text >= 0x80)
			return false;
	return true;
}

void dns_query_begin(struct dns_lookup *lookup)
{
	if (!is_ascii(lookup->name)) {
		/* smtp(8) would convert it; what we cannot do is not the hop's fault. */
		note(lookup, REASON_LOCAL_ERROR, "internationalized names cannot be looked up");
	} else if (!lookup->question.use_ipv4 && !lookup->question.use_ipv6) {
		note(lookup, REASON_LOCAL_ERROR, "no protocol is enabled (inet_protocols)");
	} else if (lookup->question.lookup_mx) {
		ask_type(lookup, NULL, lookup->name, TYPE_MX);
	} else {
		ask_host(lookup, lookup->name, 0);
	}
}
