/*
 * message - what we know of one message between its first recipient and its end
 *
 * All recipients of a message share its filters, and most share their own hop too: only different ways
 * are kept, so a message to 1,000 recipients through one relayhost costs one leg.  Their addresses are kept only when
 * a rule asks for recipients.
 */
#include "verdict/message.h"

#include "base/clock.h"
#include "base/copy.h"
#include "verdict/header.h"
#include "verdict/verdict.h"

#include <stdlib.h>
#include <string.h>

/* A message to many recipients may wait so many times max_wait in all until it knows where they go. */
enum { RESOLVE_TIMES = 5 };

/* The hops of accepted recipients' own, and those recipients. */
struct way {
	struct leg *leg;
	size_t count;	  /* 0: they have none */
	char **recipient; /* only when a rule asks for them */
	size_t recipient_count, recipient_room;
};

struct message {
	struct site *site; /* of its session: a reload changes nothing in between */
	struct origin origin;
	struct client client;
	struct way *way;
	size_t way_count;
	int64_t resolve_left_us; /* to wait for trivial-rewrite(8) */
	bool is_incomplete;	 /* no memory for a recipient that was accepted */
	bool is_refused;	 /* a recipient was, and with it the whole message */
	struct reply refusal;	 /* the first */
	char queue_id[64];
	char sender[320];
	char client_name[HOP_HOST_BYTES];
	char client_address[64];
	char host[HOP_HOST_BYTES];
	unsigned headers; /* with our name, seen so far */
	unsigned *forged;
	size_t forged_count;
};

/* plain_address - Postfix writes "IPv6:" before an IPv6 {client_addr}, as RFC 5321 4.1.3 does */
static const char *plain_address(const char *address)
{
	static const char tag[] = "IPv6:";

	if (address == NULL)
		return "";
	return strncasecmp(address, tag, sizeof tag - 1) == 0 ? address + sizeof tag - 1 : address;
}

static void classify(const struct origin *origin, const struct facts *facts, struct client *client)
{
	const char *address = plain_address(facts->client_address);

	*client = (struct client){.class = CLIENT_OTHER};
	if (origin->is_local) {
		client->class = CLIENT_LOCAL;
		return;
	}
	client->has_address = cidr_parse(address, &client->address);
	client->is_in_mynetworks = origin->instance != NULL &&
				   instance_in_mynetworks(origin->instance, origin->listener, address,
					   facts->client_name != NULL ? facts->client_name : "");
	if (origin->is_reentry)
		client->class = CLIENT_REENTRY;
	else if (facts->login != NULL && *facts->login != '\0')
		client->class = CLIENT_AUTHENTICATED;
	else if (client->is_in_mynetworks)
		client->class = CLIENT_MYNETWORKS;
}

struct message *message_new(struct site *site, const struct facts *facts)
{
	struct message *message = site != NULL ? calloc(1, sizeof *message) : NULL;
	const char *host;

	if (message == NULL)
		return NULL;
	message->site = site_ref(site);
	site_origin(site, facts->daemon_address, facts->daemon_port, facts->host, &message->origin);
	classify(&message->origin, facts, &message->client);
	message->resolve_left_us = site_conf(site)->probe.max_wait_ms * 1000 * RESOLVE_TIMES;
	host = site_conf(site)->hostname;
	copy_text(message->host, sizeof message->host, *host != '\0' ? host : facts->host);
	copy_text(message->sender, sizeof message->sender, facts->sender);
	copy_text(message->client_name, sizeof message->client_name,
		facts->client_name != NULL ? facts->client_name : "unknown");
	copy_text(message->client_address, sizeof message->client_address,
		plain_address(facts->client_address));
	return message;
}

static void free_way(struct way *way)
{
	for (size_t i = 0; i < way->recipient_count; i++)
		free(way->recipient[i]);
	free(way->recipient);
	free(way->leg);
}

void message_free(struct message *message)
{
	if (message == NULL)
		return;
	site_unref(message->site);
	for (size_t i = 0; i < message->way_count; i++)
		free_way(&message->way[i]);
	free(message->way);
	free(message->forged);
	free(message);
}

/* ask - what is known of a hop; one that we hear of for the first time is learned */
static bool ask(const struct message *message, struct table *table, const struct leg *leg,
	struct hop_view *hop)
{
	const struct conf_probe *probe = &site_conf(message->site)->probe;
	const struct freshness freshness = {probe->max_age_ms, probe->max_wait_ms};
	char base[HOP_NAME_BYTES];
	struct plan plan;

	if (table_ask(table, leg->name, &freshness, hop))
		return true;
	site_plan(message->site, leg->name, &plan);
	if (plan.kind == PLAN_NOTHING && !site_base(message->site, leg->name, base))
		return false;
	table_learn(table, leg->name, leg->role);
	return table_ask(table, leg->name, &freshness, hop);
}

/* find_way - of recipients whose first own hop is this; what follows it is the same each time */
static struct way *find_way(const struct message *message, const struct route *route)
{
	for (size_t i = 0; i < message->way_count; i++) {
		struct way *way = &message->way[i];

		if (route->count == 0 ? way->count == 0
				      : way->count > 0 &&
						strcmp(way->leg[0].name, route->leg[0].name) == 0)
			return way;
	}
	return NULL;
}

/* add_way - NULL: out of memory */
static struct way *add_way(struct message *message, const struct route *route)
{
	struct way *ways = realloc(message->way, (message->way_count + 1) * sizeof *ways), *way;

	if (ways == NULL)
		return NULL;
	message->way = ways;
	way = &ways[message->way_count];
	*way = (struct way){.count = route->count};
	if (route->count > 0) {
		way->leg = malloc(route->count * sizeof *way->leg);
		if (way->leg == NULL)
			return NULL;
		memcpy(way->leg, route->leg, route->count * sizeof *way->leg);
	}
	message->way_count++;
	return way;
}

static bool add_recipient(struct way *way, const char *recipient)
{
	if (way->recipient_count == way->recipient_room) {
		size_t room = way->recipient_room * 2 + 1;
		char **longer = realloc(way->recipient, room * sizeof *longer);

		if (longer == NULL)
			return false;
		way->recipient = longer;
		way->recipient_room = room;
	}
	way->recipient[way->recipient_count] = strdup(recipient);
	return way->recipient[way->recipient_count] != NULL && ++way->recipient_count > 0;
}

/* keep - remember an accepted recipient and its way; where memory is out, in doubt accept */
static void keep(struct message *message, const struct route *route, const char *recipient)
{
	struct way *way = find_way(message, route);

	if (way == NULL)
		way = add_way(message, route);
	if (way == NULL || (rules_ask_recipient(site_conf(message->site)->rules) &&
				   !add_recipient(way, recipient)))
		message->is_incomplete = true;
}

/* resolve - where mail goes that did not come by SMTP, and has no macros that say it; false when nobody knows */
static bool resolve(struct message *message, struct resolver *resolver, const struct facts *facts,
	struct rewrite_route *route)
{
	const struct origin *origin = &message->origin;
	enum resolver_answer answer;
	int64_t start_us;

	if (resolver == NULL || !origin->is_local || origin->instance == NULL ||
		facts->recipient == NULL || message->resolve_left_us <= 0)
		return false;
	start_us = clock_now_us();
	answer = resolver_ask(resolver,
		&(struct resolver_question){instance_directory(origin->instance),
			instance_rewrite_service(origin->instance),
			facts->sender != NULL ? facts->sender : "", facts->recipient},
		site_conf(message->site)->probe.max_wait_ms, route);
	message->resolve_left_us -= clock_now_us() - start_us;
	if (answer == RESOLVER_SILENT)
		message->resolve_left_us = 0;
	return answer == RESOLVER_ROUTE;
}

/* own_route - the recipient's own hop and what follows it, if any */
static void own_route(struct message *message, struct resolver *resolver, const struct facts *facts,
	struct route *route)
{
	const char *recipient = facts->recipient != NULL ? facts->recipient : "";
	struct rewrite_route found;

	if (facts->mailer == NULL && resolve(message, resolver, facts, &found))
		route_recipient(route, message->site, &message->origin, found.transport, found.nexthop,
			found.recipient);
	else
		route_recipient(route, message->site, &message->origin, facts->mailer, facts->nexthop,
			recipient);
}

/* get_facts - what the message and one recipient are decided by */
static void get_facts(const struct message *message, const char *recipient,
	struct verdict_facts *facts)
{
	*facts = (struct verdict_facts){site_conf(message->site)->rules, &message->client,
		message->sender, recipient, clock_wall()};
}

void message_recipient(struct message *message, struct table *table, struct resolver *resolver,
	const struct facts *facts, struct decision *decision)
{
	const char *recipient = facts->recipient != NULL ? facts->recipient : "";
	const struct chain *filters = message->origin.filters;
	struct verdict_facts verdict;
	struct hop_view hop;
	struct route own;

	own.count = 0;
	verdict_begin(decision);
	get_facts(message, recipient, &verdict);
	for (size_t i = 0; i < filters->count; i++)
		if (ask(message, table, &filters->leg[i], &hop))
			(void)verdict_add(decision, &verdict, &filters->leg[i], &hop);
	own_route(message, resolver, facts, &own);
	for (size_t i = 0; i < own.count && decision->policy.action != ACTION_TEMPFAIL; i++)
		if (ask(message, table, &own.leg[i], &hop))
			(void)verdict_add(decision, &verdict, &own.leg[i], &hop);
	if (decision->policy.action != ACTION_TEMPFAIL)
		keep(message, &own, recipient);
}

void message_refused(struct message *message, const struct decision *decision,
	const struct reply *reply)
{
	if (!decision->policy.all_or_nothing || message->is_refused)
		return;
	message->refusal = *reply;
	message->is_refused = true;
}

const struct reply *message_refusal(const struct message *message)
{
	return message->is_refused ? &message->refusal : NULL;
}

bool message_ends_at_data(const struct message *message)
{
	const struct listener *listener = message->origin.listener;

	return listener != NULL ? *listener->proxy_filter != '\0'
				: site_has_proxy_filter(message->site);
}

/* Hops as they are when the message is all here. */
struct seen {
	size_t count;
	const struct leg *leg[ROUTE_MAX];
	struct hop_view hop[ROUTE_MAX];
};

static void see(struct table *table, const struct leg *leg, size_t count, struct seen *seen)
{
	seen->count = 0;
	for (size_t i = 0; i < count; i++) {
		seen->leg[seen->count] = &leg[i];
		if (table_look(table, leg[i].name, clock_now_ms(), &seen->hop[seen->count]))
			seen->count++;
	}
}

/* What the end of the message comes to. */
struct outcome_of_all {
	size_t recipients, refused;
	bool is_refused_whole;
	struct decision *other, refusing; /* the gravest that does not refuse, and that does */
};

static void add_decision(struct outcome_of_all *all, const struct decision *decision)
{
	struct decision *of_its_kind = all->other;

	all->recipients++;
	if (decision->policy.action == ACTION_TEMPFAIL) {
		all->is_refused_whole |= decision->policy.all_or_nothing;
		if (all->refused++ > 0)
			return;
		of_its_kind = &all->refusing;
	}
	if (decision->policy.action > of_its_kind->policy.action ||
		(decision->is_faulty && !of_its_kind->is_faulty))
		*of_its_kind = *decision;
}

/* decide_way - for each recipient that goes this way; one stands for all where no rule asks for them */
static void decide_way(const struct message *message, const struct way *way,
	const struct seen *common, const struct seen *own, struct outcome_of_all *all)
{
	size_t count = way->recipient_count > 0 ? way->recipient_count : 1;

	for (size_t r = 0; r < count; r++) {
		struct verdict_facts facts;
		struct decision decision;

		get_facts(message, way->recipient_count > 0 ? way->recipient[r] : "", &facts);
		verdict_begin(&decision);
		for (size_t i = 0; i < common->count; i++)
			(void)verdict_add(&decision, &facts, common->leg[i], &common->hop[i]);
		for (size_t i = 0; i < own->count && decision.policy.action != ACTION_TEMPFAIL; i++)
			(void)verdict_add(&decision, &facts, own->leg[i], &own->hop[i]);
		add_decision(all, &decision);
	}
}

void message_end(struct message *message, struct table *table, struct decision *decision)
{
	struct outcome_of_all all;
	struct seen common, own;

	all.recipients = all.refused = 0;
	all.is_refused_whole = false;
	all.other = decision;
	verdict_begin(&all.refusing);
	verdict_begin(decision);
	see(table, message->origin.filters->leg, message->origin.filters->count, &common);
	for (size_t i = 0; i < message->way_count; i++) {
		see(table, message->way[i].leg, message->way[i].count, &own);
		decide_way(message, &message->way[i], &common, &own, &all);
	}
	if (all.refused == 0)
		return;
	if (decision->policy.action <= ACTION_TAG)
		*decision = all.refusing;
	if (all.is_refused_whole || (all.refused == all.recipients && !message->is_incomplete))
		*decision = all.refusing;
	else if (decision->policy.action == ACTION_TEMPFAIL)
		decision->policy.action = ACTION_TAG;
}

static void tag_legs(const struct leg *leg, size_t count, struct table *table, enum conf_tag tag,
	void (*fn)(void *arg, const struct hop_view *hop, enum hop_role role), void *arg)
{
	struct hop_view hop;

	for (size_t i = 0; i < count; i++)
		if (table_look(table, leg[i].name, clock_now_ms(), &hop) &&
			verdict_wants_tag(hop.state, tag))
			fn(arg, &hop, leg[i].role);
}

void message_each_tag(struct message *message, struct table *table, const struct decision *decision,
	void (*fn)(void *arg, const struct hop_view *hop, enum hop_role role), void *arg)
{
	enum conf_tag tag = site_conf(message->site)->tag;

	if (decision->policy.action < ACTION_TAG && tag != TAG_ALWAYS)
		return;
	tag_legs(message->origin.filters->leg, message->origin.filters->count, table, tag, fn, arg);
	for (size_t i = 0; i < message->way_count; i++)
		tag_legs(message->way[i].leg, message->way[i].count, table, tag, fn, arg);
}

void message_set_queue_id(struct message *message, const char *queue_id)
{
	if (queue_id != NULL)
		copy_text(message->queue_id, sizeof message->queue_id, queue_id);
}

void message_forged(struct message *message, const char *value)
{
	unsigned *forged;

	message->headers++;
	/* What comes back from our own filter bears our own headers. */
	if (message->origin.is_reentry || !header_is_from(value, message->host))
		return;
	forged = realloc(message->forged, (message->forged_count + 1) * sizeof *forged);
	if (forged == NULL)
		return;
	message->forged = forged;
	message->forged[message->forged_count++] = message->headers;
}

unsigned message_next_forged(struct message *message)
{
	return message->forged_count > 0 ? message->forged[--message->forged_count] : 0;
}

const struct conf *message_conf(const struct message *message)
{
	return site_conf(message->site);
}

const char *message_queue_id(const struct message *message)
{
	return *message->queue_id != '\0' ? message->queue_id : "NOQUEUE";
}

const char *message_host(const struct message *message)
{
	return message->host;
}

const char *message_sender(const struct message *message)
{
	return message->sender;
}

const char *message_client_name(const struct message *message)
{
	return message->client_name;
}

const char *message_client_address(const struct message *message)
{
	return message->client_address;
}
