/*
 * dns - addresses of the servers of a nexthop, found without blocking
 *
 * c-ares cannot give up one query.  A lookup that has ended for its caller is detached and goes
 * when its last query has come home; its channel stays for so long.
 *
 * Addresses of one host are ordered IPv6 first, not by what this host can reach best: a probe that
 * met only the working half of a server could never tell that mail meets the other half.
 */
#include "probe/dns.h"

#include "probe/dns_channel.h"

#include <ares.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	MX_HOSTS = 16,   /* more of the least preferred are not looked up */
	FOUND_MAX = 128, /* addresses before ordering */
};

struct found {
	struct net_address address;
	unsigned preference, order;
};

/* One address query; the index in the lookup is its order. */
struct query {
	struct dns_lookup *lookup;
	unsigned preference;
};

struct dns_lookup {
	struct dns_channel *channel;
	struct event *event; /* the deadline, or at once when everything is known */
	dns_done_fn *done;   /* NULL: detached */
	void *arg;
	char host[DNS_DETAIL_BYTES - 64];
	struct dns_question question;
	unsigned own_failures; /* of dns when this began */
	unsigned pending;      /* queries that c-ares still has */
	struct query query[2 * MX_HOSTS];
	unsigned queries;
	struct found found[FOUND_MAX];
	size_t found_count;
	enum reason reason; /* the worst so far; what holds when nothing is found */
	const char *why;    /* constant text for it */
};

/* lookup_release - free what nobody needs any more */
static void lookup_release(struct dns_lookup *lookup)
{
	struct dns_channel *channel = lookup->channel;

	if (lookup->done != NULL || lookup->pending > 0)
		return;
	free(lookup);
	dns_channel_release(channel);
}

static void lookup_detach(struct dns_lookup *lookup)
{
	lookup->done = NULL;
	event_free(lookup->event);
	lookup->event = NULL;
	lookup_release(lookup);
}

static int by_preference(const void *left, const void *right)
{
	const struct found *one = left, *other = right;

	if (one->preference != other->preference)
		return one->preference < other->preference ? -1 : 1;
	return one->order < other->order ? -1 : one->order > other->order;
}

/* ipv6_share - how many of limit addresses may be IPv6, so that both families are tried when both
 * are there (smtp_balance_inet_protocols) */
static size_t ipv6_share(size_t ipv6, size_t ipv4, size_t limit)
{
	size_t half = (limit + 1) / 2, rest = limit > ipv4 ? limit - ipv4 : 0;
	size_t share = ipv6 < half ? ipv6 : half;

	return share > rest ? share : rest;
}

static void choose(const struct dns_lookup *lookup, struct dns_answer *answer)
{
	size_t limit = lookup->question.address_limit, ipv6 = 0;
	size_t left[2];

	if (limit == 0 || limit > DNS_ADDRESSES)
		limit = DNS_ADDRESSES;
	for (size_t at = 0; at < lookup->found_count; at++)
		ipv6 += lookup->found[at].address.sa.sa_family == AF_INET6;
	left[1] = ipv6_share(ipv6, lookup->found_count - ipv6, limit);
	left[0] = limit - left[1];
	for (size_t at = 0; at < lookup->found_count; at++) {
		const struct net_address *address = &lookup->found[at].address;
		size_t *room = &left[address->sa.sa_family == AF_INET6];

		if (*room == 0)
			continue;
		(*room)--;
		answer->address[answer->count++] = *address;
	}
}

/* explain - the reason of a lookup that found nothing */
static void explain(const struct dns_lookup *lookup, struct dns_answer *answer)
{
	const char *why = lookup->why;

	answer->reason = lookup->reason;
	if (lookup->reason == REASON_DNS_FAILURE) {
		bool has_failed = dns_channel_own_failures(lookup->channel) != lookup->own_failures;
		bool is_configured = dns_channel_is_configured(lookup->channel);

		if (!is_configured)
			why = "there is no resolv.conf";
		if (has_failed || !is_configured)
			answer->reason = REASON_LOCAL_ERROR;
	}
	(void)snprintf(answer->detail, sizeof answer->detail, "look up %s: %s", lookup->host, why);
}

/* on_ready - everything is known, or it took too long; then what was found has to do, as for
 * smtp(8), which ignores MX hosts that it cannot look up as long as there is one */
static void on_ready(evutil_socket_t fd, short events, void *arg)
{
	struct dns_lookup *lookup = arg;
	dns_done_fn *done = lookup->done;
	void *done_arg = lookup->arg;
	struct dns_answer answer;

	(void)fd;
	(void)events;
	memset(&answer, 0, sizeof answer);
	if (lookup->pending > 0 && lookup->reason != REASON_LOCAL_ERROR) {
		lookup->reason = REASON_DNS_FAILURE;
		lookup->why = "no answer in time";
	}
	qsort(lookup->found, lookup->found_count, sizeof lookup->found[0], by_preference);
	if (lookup->found_count > 0)
		choose(lookup, &answer);
	else
		explain(lookup, &answer);
	lookup_detach(lookup);
	done(done_arg, &answer);
}

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
	lookup_release(lookup);
	return false;
}

static void settle(struct dns_lookup *lookup)
{
	if (lookup->pending == 0)
		event_active(lookup->event, EV_TIMEOUT, 0);
}

static void keep_address(struct dns_lookup *lookup, const struct ares_addrinfo_node *node,
	unsigned preference, unsigned order)
{
	struct found *found = &lookup->found[lookup->found_count];
	uint16_t port = htons(lookup->question.port);

	if (lookup->found_count == FOUND_MAX || node->ai_addrlen > sizeof found->address.in6)
		return;
	memset(found, 0, sizeof *found);
	memcpy(&found->address.sa, node->ai_addr, node->ai_addrlen);
	found->address.bytes = node->ai_addrlen;
	if (node->ai_family == AF_INET6)
		found->address.in6.sin6_port = port;
	else
		found->address.in4.sin_port = port;
	found->preference = preference;
	found->order = order * FOUND_MAX + (unsigned)lookup->found_count;
	lookup->found_count++;
}

static void keep_addresses(struct query *query, const struct ares_addrinfo *info)
{
	struct dns_lookup *lookup = query->lookup;
	size_t before = lookup->found_count;

	for (struct ares_addrinfo_node *node = info->nodes; node != NULL; node = node->ai_next) {
		bool is_ipv6 = node->ai_family == AF_INET6;

		if (is_ipv6 ? lookup->question.use_ipv6 : lookup->question.use_ipv4)
			keep_address(
				lookup, node, query->preference, (unsigned)(query - lookup->query));
	}
	if (lookup->found_count == before)
		note(lookup, REASON_DNS_NOT_FOUND, "no usable address");
}

static void on_addresses(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct query *query = arg;
	struct dns_lookup *lookup = query->lookup;

	(void)timeouts;
	if (came_home(lookup)) {
		if (status == ARES_SUCCESS)
			keep_addresses(query, info);
		else
			note_status(lookup, status);
		settle(lookup);
	}
	if (info != NULL)
		ares_freeaddrinfo(info);
}

static void ask_address(
	struct dns_lookup *lookup, const char *host, int family, unsigned preference)
{
	struct ares_addrinfo_hints hints = {.ai_family = family, .ai_socktype = SOCK_STREAM};
	struct query *query = &lookup->query[lookup->queries++];

	query->lookup = lookup;
	query->preference = preference;
	lookup->pending++;
	ares_getaddrinfo(
		dns_channel_ares(lookup->channel), host, NULL, &hints, on_addresses, query);
}

/* ask_addresses - a query for each family, because c-ares blends the two errors of a joint one. Not
 * so "localhost": for IPv6 alone c-ares 1.18 makes up a ::1 that /etc/hosts does not have, and
 * leaks memory on the way. */
static void ask_addresses(struct dns_lookup *lookup, const char *host, unsigned preference)
{
	if (strcasecmp(host, "localhost") == 0) {
		ask_address(lookup, host, AF_UNSPEC, preference);
		return;
	}
	if (lookup->question.use_ipv6)
		ask_address(lookup, host, AF_INET6, preference);
	if (lookup->question.use_ipv4)
		ask_address(lookup, host, AF_INET, preference);
}

/* ask_exchangers - addresses of the MX hosts, the most preferred first */
static void ask_exchangers(struct dns_lookup *lookup, struct ares_mx_reply *list)
{
	unsigned hosts = 0;

	for (int floor = -1; hosts < MX_HOSTS;) {
		int next = INT32_MAX;

		for (struct ares_mx_reply *mx = list; mx != NULL; mx = mx->next)
			if (mx->priority > floor && mx->priority < next)
				next = mx->priority;
		if (next == INT32_MAX)
			break;
		for (struct ares_mx_reply *mx = list; mx != NULL && hosts < MX_HOSTS; mx = mx->next)
			if (mx->priority == next && *mx->host != '\0') {
				ask_addresses(lookup, mx->host, (unsigned)next);
				hosts++;
			}
		floor = next;
	}
	if (hosts == 0) /* RFC 7505 */
		note(lookup, REASON_DNS_NOT_FOUND, "the domain does not accept mail (null MX)");
}

static void on_exchangers(void *arg, int status, int timeouts, unsigned char *reply, int bytes)
{
	struct dns_lookup *lookup = arg;
	struct ares_mx_reply *list = NULL;

	(void)timeouts;
	if (!came_home(lookup))
		return;
	/* While this runs, answers from /etc/hosts may come from within the queries. */
	lookup->pending++;
	if (status == ARES_SUCCESS)
		status = ares_parse_mx_reply(reply, bytes, &list);
	if (list != NULL)
		ask_exchangers(lookup, list);
	else if (status == ARES_SUCCESS || status == ARES_ENODATA || status == ARES_ENOTFOUND ||
		 status == ARES_EBADNAME)
		ask_addresses(lookup, lookup->host, 0);
	else
		note_status(lookup, status);
	if (list != NULL)
		ares_free_data(list);
	lookup->pending--;
	settle(lookup);
}

static bool is_ascii(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text >= 0x80)
			return false;
	return true;
}

static void begin(struct dns_lookup *lookup)
{
	lookup->pending++;
	if (!is_ascii(lookup->host)) {
		/* smtp(8) would convert it; what we cannot do is not the hop's fault. */
		note(lookup, REASON_LOCAL_ERROR, "internationalized names cannot be looked up");
	} else if (lookup->question.lookup_mx) {
		lookup->pending++;
		ares_query(dns_channel_ares(lookup->channel), lookup->host, 1 /* IN */, 15 /* MX */,
			on_exchangers, lookup);
	} else {
		ask_addresses(lookup, lookup->host, 0);
	}
	if (!lookup->question.use_ipv4 && !lookup->question.use_ipv6)
		note(lookup, REASON_LOCAL_ERROR, "no protocol is enabled (inet_protocols)");
	lookup->pending--;
	settle(lookup);
	dns_channel_settle(lookup->channel);
}

struct dns_lookup *dns_lookup(
	struct dns *dns, const struct dns_question *question, dns_done_fn *done, void *arg)
{
	struct timeval limit = {question->timeout_ms / 1000, question->timeout_ms % 1000 * 1000};
	struct dns_lookup *lookup = calloc(1, sizeof *lookup);

	if (lookup == NULL)
		return NULL;
	lookup->channel = dns_channel_acquire(dns);
	lookup->event = dns_channel_timer(lookup->channel, on_ready, lookup);
	if (lookup->event == NULL || event_add(lookup->event, &limit) != 0) {
		if (lookup->event != NULL)
			event_free(lookup->event);
		lookup_release(lookup);
		return NULL;
	}
	lookup->question = *question;
	lookup->own_failures = dns_channel_own_failures(lookup->channel);
	lookup->done = done;
	lookup->arg = arg;
	(void)snprintf(lookup->host, sizeof lookup->host, "%s", question->host);
	lookup->question.host = lookup->host;
	begin(lookup);
	return lookup;
}

void dns_cancel(struct dns_lookup *lookup)
{
	lookup_detach(lookup);
}
