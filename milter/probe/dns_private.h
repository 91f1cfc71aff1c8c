/*
 * dns_private - what the files of a look-up share
 *
 * dns.c begins and ends it, dns_query.c asks and reads what is answered.
 */
#ifndef FF_DNS_PRIVATE_H
#define FF_DNS_PRIVATE_H

#include "probe/dns.h"
#include "probe/dns_cache.h"
#include "probe/dns_channel.h"
#include "probe/dns_reply.h"

enum {
	FOUND_MAX = 128, /* addresses before ordering */
	KEY_BYTES = DNS_NAME_BYTES + 16,
};

/* A host whose addresses are looked up; the index in the lookup is its order. */
struct host {
	char name[DNS_NAME_BYTES];
	char known_as[DNS_NAME_BYTES]; /* where that is another name */
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
	struct host host[DNS_HOSTS];
	unsigned hosts;
	struct query query[2 * DNS_HOSTS + 1];
	unsigned queries;
	struct dns_record found[FOUND_MAX];
	size_t found_count;
	unsigned best_preference;
	uint32_t ttl_s;
	bool is_known;      /* found holds what the cache had */
	enum reason reason; /* the worst so far; what holds when nothing is found */
	const char *why;    /* constant text for it */
};

/* dns_query_begin - ask whatever has to be asked; what is found out is in the lookup when nothing
 * is pending any more */
void dns_query_begin(struct dns_lookup *lookup);

/* dns_lookup_settle - report it if that was the last query */
void dns_lookup_settle(struct dns_lookup *lookup);

/* dns_lookup_release - free what nobody needs any more */
void dns_lookup_release(struct dns_lookup *lookup);

#endif
