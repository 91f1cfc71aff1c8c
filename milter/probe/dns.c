/*
 * dns - addresses of the servers of a nexthop, found without blocking
 *
 * c-ares cannot give up one query.  A lookup that has ended for its caller is detached and goes
 * when its last query has come home; its channel stays for so long.
 *
 * An answer that still holds is not asked for again, and when the resolver does not answer the last known addresses
 * serve (dns_cache.h): what is kept is what was found, so that whoever asks next may choose in another way.
 */
#include "probe/dns_private.h"

#include "base/clock.h"
#include "base/log.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_BYTES = DNS_HOSTS * DNS_NAME_BYTES + 1 };

static_assert((int)DNS_NAME_BYTES <= (int)HOP_HOST_BYTES, "a name fits into an answer");

void dns_lookup_release(struct dns_lookup *lookup)
{
	struct dns_channel *channel = lookup->channel;

	if (lookup->done != NULL || lookup->pending > 0)
		return;
	free(lookup);
	dns_channel_release(channel);
}

void dns_lookup_settle(struct dns_lookup *lookup)
{
	if (lookup->pending == 0)
		event_active(lookup->event, EV_TIMEOUT, 0);
}

static void lookup_detach(struct dns_lookup *lookup)
{
	lookup->done = NULL;
	event_free(lookup->event);
	lookup->event = NULL;
	dns_lookup_release(lookup);
}

/* take_known - found becomes what the cache has; false when that is nothing */
static bool take_known(struct dns_lookup *lookup, const struct dns_known *known)
{
	if (known->count == 0 || known->count > FOUND_MAX)
		return false;
	const char *name = known->names;

	lookup->hosts = 0;
	for (; *name != '\0' && lookup->hosts < DNS_HOSTS; name += strlen(name) + 1)
		(void)snprintf(lookup->host[lookup->hosts++].known_as, DNS_NAME_BYTES, "%s", name);
	memcpy(lookup->found, known->records, known->count * sizeof *known->records);
	lookup->found_count = known->count;
	lookup->best_preference = known->best_preference;
	lookup->is_known = true;
	return true;
}

/* known_as - the name by which smtp(8) knows a host */
static const char *known_as(const struct host *host)
{
	return host->known_as[0] != '\0' ? host->known_as : host->name;
}

/* list_names - of all hosts, by their numbers */
static void list_names(const struct dns_lookup *lookup, char names[NAMES_BYTES])
{
	for (unsigned at = 0; at < lookup->hosts; at++) {
		size_t bytes = strlen(known_as(&lookup->host[at])) + 1;

		memcpy(names, known_as(&lookup->host[at]), bytes);
		names += bytes;
	}
	*names = '\0';
}

/* keep - what was found, in the cache; what is missing may be there soon */
static void keep(const struct dns_lookup *lookup, int64_t now_ms)
{
	char names[NAMES_BYTES];
	const struct dns_known known = {.records = lookup->found,
		.count = lookup->found_count,
		.best_preference = lookup->best_preference,
		.names = names};

	list_names(lookup, names);
	dns_cache_put(dns_channel_cache(lookup->channel), lookup->key, &known,
		lookup->reason == REASON_DNS_FAILURE ? 0 : lookup->ttl_s, now_ms);
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
		keep(lookup, now_ms);
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
	answer->names = lookup->hosts;
	for (unsigned at = 0; at < lookup->hosts; at++)
		(void)strcpy(answer->name[at], known_as(&lookup->host[at]));
	answer->count = dns_choose(lookup->found, lookup->found_count, limit, question->first,
		question->is_balanced);
	for (size_t at = 0; at < answer->count; at++) {
		struct net_address *address = &answer->address[at];

		*address = lookup->found[at].address;
		if (address->sa.sa_family == AF_INET6)
			address->in6.sin6_port = htons(question->port);
		else
			address->in4.sin_port = htons(question->port);
		answer->host[at] = lookup->found[at].host;
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

static void begin(struct dns_lookup *lookup)
{
	struct dns_known known;

	lookup->pending++;
	if (!dns_cache_get(dns_channel_cache(lookup->channel), lookup->key, clock_now_ms(), &known) ||
		!known.is_fresh || !take_known(lookup, &known))
		dns_query_begin(lookup);
	lookup->pending--;
	dns_lookup_settle(lookup);
	dns_channel_settle(lookup->channel);
}

/* name_it - what is asked, as far as it matters for what is found */
static void name_it(struct dns_lookup *lookup, const struct dns_question *question)
{
	(void)snprintf(lookup->name, sizeof lookup->name, "%s", question->host);
	lookup->question = *question;
	lookup->question.host = lookup->name;
	(void)snprintf(lookup->key, sizeof lookup->key, "%s %d%d%d%d%d%d", lookup->name,
		question->lookup_mx, question->takes_alias, question->use_ipv4, question->use_ipv6, (int)question->lookup,
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
		dns_lookup_release(lookup);
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
