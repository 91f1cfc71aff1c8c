/*
 * message - what we know of one message between its first recipient and its end
 *
 * All recipients of a message share its filters, and most share their own hop too: only different hops
 * are kept, so a message to 1,000 recipients through one relayhost costs one leg.
 */
#include "verdict/message.h"

#include "base/clock.h"
#include "verdict/header.h"
#include "verdict/verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A message to many recipients may wait so many times max_wait in all until it knows where they go. */
enum { RESOLVE_TIMES = 5 };

/* A hop of a recipient's own. */
struct own_leg {
	struct leg leg;
	bool is_first; /* of a route */
};

struct message {
	struct site *site; /* pinned: a reload changes nothing in mid-message */
	struct origin origin;
	const struct policy *policy;
	struct route common;
	struct own_leg *own; /* different routes of accepted recipients */
	size_t own_count;
	int64_t resolve_left_us;   /* to wait for trivial-rewrite(8) */
	bool has_plain_recipient; /* one was accepted that has no hop of its own */
	bool is_refused;	  /* a recipient was */
	struct reply refusal;	  /* the first */
	char queue_id[64];
	char sender[320];
	char client[320];
	char host[HOP_HOST_BYTES];
	unsigned headers; /* with our name, seen so far */
	unsigned *forged;
	size_t forged_count;
};

static void copy(char *out, size_t bytes, const char *text)
{
	(void)snprintf(out, bytes, "%s", text != NULL ? text : "");
}

/* plain_address - Postfix writes "IPv6:" before an IPv6 {client_addr}, as RFC 5321 4.1.3 does */
static const char *plain_address(const char *address)
{
	static const char tag[] = "IPv6:";

	if (address == NULL)
		return "";
	return strncasecmp(address, tag, sizeof tag - 1) == 0 ? address + sizeof tag - 1 : address;
}

static enum client_class classify(const struct origin *origin, const struct facts *facts)
{
	if (origin->is_local)
		return CLIENT_LOCAL;
	if (origin->is_reentry)
		return CLIENT_REENTRY;
	if (facts->login != NULL && *facts->login != '\0')
		return CLIENT_AUTHENTICATED;
	if (origin->instance != NULL &&
		instance_in_mynetworks(origin->instance, origin->listener,
			plain_address(facts->client_address)))
		return CLIENT_MYNETWORKS;
	return CLIENT_OTHER;
}

struct message *message_new(const struct facts *facts)
{
	struct site *site = site_current();
	struct message *message = site != NULL ? calloc(1, sizeof *message) : NULL;
	const char *host;

	if (message == NULL) {
		site_unref(site);
		return NULL;
	}
	message->site = site;
	site_origin(site, facts->daemon_address, facts->daemon_port, facts->host, &message->origin);
	message->policy = policy_default(classify(&message->origin, facts));
	route_common(&message->common, &message->origin);
	message->resolve_left_us = site_conf(site)->probe.max_wait_ms * 1000 * RESOLVE_TIMES;
	host = site_conf(site)->hostname;
	copy(message->host, sizeof message->host, *host != '\0' ? host : facts->host);
	copy(message->sender, sizeof message->sender, facts->sender);
	(void)snprintf(message->client, sizeof message->client, "%s[%s]",
		facts->client_name != NULL ? facts->client_name : "unknown",
		plain_address(facts->client_address));
	return message;
}

void message_free(struct message *message)
{
	if (message == NULL)
		return;
	site_unref(message->site);
	free(message->own);
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

/* consider - lay one leg into a decision: the gravest action wins, the first leg names it */
static enum conf_action consider(const struct message *message, const struct leg *leg,
	const struct hop_view *hop, struct decision *decision)
{
	enum conf_action action = verdict_action(hop->state, leg->is_possible, message->policy);
	bool is_faulty = hop->state == STATE_DOWN || hop->state == STATE_FORCED_DOWN ||
			 hop->state == STATE_DEGRADED;

	if (action > decision->action || (is_faulty && !decision->is_faulty)) {
		decision->leg = *leg;
		decision->hop = *hop;
		decision->is_faulty = is_faulty;
	}
	if (action > decision->action)
		decision->action = action;
	return action;
}

/* keep - remember the way of an accepted recipient; what follows its first hop is the same each time */
static void keep(struct message *message, const struct route *route)
{
	struct own_leg *own;

	for (size_t i = 0; i < message->own_count; i++)
		if (message->own[i].is_first && strcmp(message->own[i].leg.name, route->leg[0].name) == 0)
			return;
	own = realloc(message->own, (message->own_count + route->count) * sizeof *own);
	if (own == NULL) {
		/* In doubt accept: it counts as one without a hop. */
		message->has_plain_recipient = true;
		return;
	}
	message->own = own;
	for (size_t i = 0; i < route->count; i++)
		message->own[message->own_count++] = (struct own_leg){route->leg[i], i == 0};
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

void message_recipient(struct message *message, struct table *table, struct resolver *resolver,
	const struct facts *facts, struct decision *decision)
{
	struct route own;
	struct hop_view hop;

	own.count = 0;
	*decision = (struct decision){.action = ACTION_ACCEPT};
	message_set_queue_id(message, facts->queue_id);
	for (size_t i = 0; i < message->common.count; i++)
		if (ask(message, table, &message->common.leg[i], &hop))
			(void)consider(message, &message->common.leg[i], &hop, decision);
	own_route(message, resolver, facts, &own);
	for (size_t i = 0; i < own.count && decision->action != ACTION_TEMPFAIL; i++)
		if (ask(message, table, &own.leg[i], &hop))
			(void)consider(message, &own.leg[i], &hop, decision);
	if (decision->action == ACTION_TEMPFAIL)
		return;
	if (own.count > 0)
		keep(message, &own);
	else
		message->has_plain_recipient = true;
}

void message_refused(struct message *message, const struct reply *reply)
{
	if (!message->is_refused)
		message->refusal = *reply;
	message->is_refused = true;
}

const struct reply *message_refusal(const struct message *message)
{
	return message->is_refused && message->policy->all_or_nothing ? &message->refusal : NULL;
}

/* end_own - the recipients' own hops: refuse only when that does not refuse a healthy recipient's mail */
static void end_own(struct message *message, struct table *table, struct decision *decision)
{
	struct decision own = {.action = ACTION_ACCEPT};
	size_t routes = 0, refused = 0;
	bool is_refused = false;
	struct hop_view hop;

	for (size_t i = 0; i < message->own_count; i++) {
		const struct leg *leg = &message->own[i].leg;

		if (message->own[i].is_first) {
			routes++;
			is_refused = false;
		}
		if (!table_look(table, leg->name, clock_now_ms(), &hop) ||
			consider(message, leg, &hop, &own) != ACTION_TEMPFAIL || is_refused)
			continue;
		is_refused = true;
		refused++;
	}
	if (own.action == ACTION_TEMPFAIL && !message->policy->all_or_nothing &&
		(refused < routes || message->has_plain_recipient))
		own.action = ACTION_TAG;
	if (own.action > decision->action)
		*decision = own;
}

void message_end(struct message *message, struct table *table, struct decision *decision)
{
	struct hop_view hop;

	*decision = (struct decision){.action = ACTION_ACCEPT};
	for (size_t i = 0; i < message->common.count; i++)
		if (table_look(table, message->common.leg[i].name, clock_now_ms(), &hop))
			(void)consider(message, &message->common.leg[i], &hop, decision);
	if (decision->action != ACTION_TEMPFAIL)
		end_own(message, table, decision);
}

void message_each_tag(struct message *message, struct table *table, const struct decision *decision,
	void (*fn)(void *arg, const struct hop_view *hop, enum hop_role role), void *arg)
{
	enum conf_tag tag = site_conf(message->site)->tag;
	struct hop_view hop;

	if (decision->action != ACTION_TAG && tag != TAG_ALWAYS)
		return;
	for (size_t i = 0; i < message->common.count + message->own_count; i++) {
		const struct leg *leg = i < message->common.count
						? &message->common.leg[i]
						: &message->own[i - message->common.count].leg;

		if (table_look(table, leg->name, clock_now_ms(), &hop) &&
			verdict_wants_tag(hop.state, tag))
			fn(arg, &hop, leg->role);
	}
}

void message_set_queue_id(struct message *message, const char *queue_id)
{
	if (queue_id != NULL)
		copy(message->queue_id, sizeof message->queue_id, queue_id);
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

const struct policy *message_policy(const struct message *message)
{
	return message->policy;
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

const char *message_client(const struct message *message)
{
	return message->client;
}
