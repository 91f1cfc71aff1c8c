/*
 * dns - addresses of the servers of a nexthop, found without blocking
 *
 * c-ares cannot give up one query.  A lookup that has ended for its caller is detached and goes
 * when its last query has come home; its channel stays for so long.
 *
 * An answer that still holds is not asked for again, and when the resolver does not answer the last known addresses
 * serve (dns_cache.h): what is kept is what was found, so that whoever asks next may choose in another way.
 */
#include "probe/dns.h"

#include "base/clock.h"
#include "base/log.h"
#include "probe/dns_cache.h"
#include "probe/dns_channel.h"
#include "probe/dns_hosts.h"
#include "probe/dns_reply.h"

#include <ares.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	MX_HOSTS = 16,	 /* more of the least preferred are not looked up */
	FOUND_MAX = 128, /* addresses before ordering */
	ALIASES_MAX = 10,
	KEY_BYTES = DNS_NAME_BYTES + 16,
	CLASS_IN = 1,
	TYPE_A = 1,
	TYPE_MX = 15,
	TYPE_AAAA = 28,
};

/* A host whose addresses are looked up; the index in the lookup is its order. */
struct host {
	char name[DNS_NAME_BYTES];
	unsigned preference;
	unsigned pending;
	bool has_address, has_failed;
};

/* One query. */
struct query {
	struct dns_lookup *lookup;
	struct host *host; /* NULL: of MX records */
	int type;
	unsigned aliases; /* that were followed */
};

struct dns_lookup {
	struct dns_channel *channel;
	struct event *event; /* the deadline, or at once when everything is known */
	dns_done_fn *done;   /* NULL: detached */
	void *arg;
	char name[DNS_NAME_BYTES];
	char key[KEY_BYTES];
	struct dns_question question;
	unsigned own_failures; /* of dns when this began */
	unsigned pending;      /* queries that c-ares still has */
	struct host host[MX_HOSTS];
	unsigned hosts;
	struct query query[2 * MX_HOSTS + 1];
	unsigned queries;
	struct dns_record found[FOUND_MAX];
	size_t found_count;
	unsigned best_preference;
	uint32_t ttl_s;
	bool is_known;	    /* found holds what the cache had */
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

/* take_known - found becomes what the cache has; false when that is nothing */
static bool take_known(struct dns_lookup *lookup, const struct dns_known *known)
{
	if (known->count == 0 || known->count > FOUND_MAX)
		return false;
	memcpy(lookup->found, known->records, known->count * sizeof *known->records);
	lookup->found_count = known->count;
	lookup->best_preference = known->best_preference;
	lookup->is_known = true;
	return true;
}

/* remember - keep what was found, or fall back on what was found before */
static void remember(struct dns_lookup *lookup)
{
	struct dns_cache *cache = dns_channel_cache(lookup->channel);
	int64_t now_ms = clock_now_ms();
	struct dns_known known;

	if (lookup->is_known)
		return;
	if (lookup->found_count > 0) {
		/* What is missing may be there soon. */
		dns_cache_put(cache, lookup->key, lookup->found, lookup->found_count,
			lookup->best_preference, lookup->reason == REASON_DNS_FAILURE ? 0 : lookup->ttl_s,
			now_ms);
	} else if (lookup->reason == REASON_DNS_NOT_FOUND) {
		dns_cache_drop(cache, lookup->key);
	} else if (dns_cache_get(cache, lookup->key, now_ms, &known) && take_known(lookup, &known)) {
		log_debug("look up %s: %s; the last known addresses serve", lookup->name, lookup->why);
		dns_cache_hold(cache, lookup->key, now_ms);
	}
}

/* leave_out_own - false when none is left */
static bool leave_out_own(struct dns_lookup *lookup, struct dns_answer *answer)
{
	unsigned best = UINT32_MAX;

	if (lookup->question.is_own == NULL)
		return true;
	for (size_t at = 0; at < lookup->found_count; at++)
		if (lookup->found[at].preference < best)
			best = lookup->found[at].preference;
	lookup->found_count = dns_drop_own(lookup->found, lookup->found_count, lookup->question.is_own,
		lookup->question.is_own_arg, &answer->is_exchanger);
	if (lookup->found_count > 0)
		return true;
	if (best == lookup->best_preference) {
		answer->reason = REASON_LOOP;
		(void)snprintf(answer->detail, sizeof answer->detail,
			"mail for %s loops back to myself", lookup->name);
	} else {
		answer->reason = REASON_DNS_NOT_FOUND;
		(void)snprintf(answer->detail, sizeof answer->detail,
			"unable to find primary relay for %s", lookup->name);
	}
	return false;
}

static void choose(struct dns_lookup *lookup, struct dns_answer *answer)
{
	const struct dns_question *question = &lookup->question;
	size_t limit = question->address_limit;

	if (!leave_out_own(lookup, answer))
		return;
	if (limit == 0 || limit > DNS_ADDRESSES)
		limit = DNS_ADDRESSES;
	answer->count = dns_choose(lookup->found, lookup->found_count, limit, question->first,
		question->is_balanced);
	for (size_t at = 0; at < answer->count; at++) {
		struct net_address *address = &answer->address[at];

		*address = lookup->found[at].address;
		if (address->sa.sa_family == AF_INET6)
			address->in6.sin6_port = htons(question->port);
		else
			address->in4.sin_port = htons(question->port);
		answer->is_best[at] = lookup->found[at].preference == lookup->found[0].preference;
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
	(void)snprintf(answer->detail, sizeof answer->detail, "look up %s: %s", lookup->name, why);
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
	if (!lookup->is_known && lookup->pending > 0 && lookup->reason != REASON_LOCAL_ERROR) {
		lookup->reason = REASON_DNS_FAILURE;
		lookup->why = "no answer in time";
	}
	remember(lookup);
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
	found->order = (unsigned)(host - lookup->host) * FOUND_MAX + (unsigned)lookup->found_count;
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

/* ask_host - the addresses of one host; an address stands for itself, though it has no place in an MX record */
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

/* has_null - one such record makes the domain refuse mail (RFC 7505), for smtp(8) whatever else there is */
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
	for (int floor = -1; lookup->hosts < MX_HOSTS;) {
		int next = INT32_MAX;

		for (const struct ares_mx_reply *mx = list; mx != NULL; mx = mx->next)
			if (mx->priority > floor && mx->priority < next)
				next = mx->priority;
		if (next == INT32_MAX)
			break;
		if (floor < 0)
			lookup->best_preference = (unsigned)next;
		for (const struct ares_mx_reply *mx = list; mx != NULL && lookup->hosts < MX_HOSTS;
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
	settle(lookup);
}

static bool is_ascii(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text >= 0x80)
			return false;
	return true;
}

static void begin_queries(struct dns_lookup *lookup)
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

static void begin(struct dns_lookup *lookup)
{
	struct dns_known known;

	lookup->pending++;
	if (!dns_cache_get(dns_channel_cache(lookup->channel), lookup->key, clock_now_ms(), &known) ||
		!known.is_fresh || !take_known(lookup, &known))
		begin_queries(lookup);
	lookup->pending--;
	settle(lookup);
	dns_channel_settle(lookup->channel);
}

/* name_it - what is asked, as far as it matters for what is found */
static void name_it(struct dns_lookup *lookup, const struct dns_question *question)
{
	(void)snprintf(lookup->name, sizeof lookup->name, "%s", question->host);
	lookup->question = *question;
	lookup->question.host = lookup->name;
	(void)snprintf(lookup->key, sizeof lookup->key, "%s %d%d%d%d%d", lookup->name,
		question->lookup_mx, question->use_ipv4, question->use_ipv6, (int)question->lookup,
		question->ignores_mx_error);
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
	lookup->ttl_s = UINT32_MAX;
	lookup->own_failures = dns_channel_own_failures(lookup->channel);
	lookup->done = done;
	lookup->arg = arg;
	name_it(lookup, question);
	begin(lookup);
	return lookup;
}

void dns_cancel(struct dns_lookup *lookup)
{
	lookup_detach(lookup);
}
