/*
 * explain - the route that a message would take, and what we would say to it
 *
 * The document is made by the same functions that decide at RCPT, so that it cannot tell another story.  A hop that
 * nobody has used yet is not learned by being asked about.
 */
#include "ops/explain.h"

#include "base/clock.h"
#include "base/xmem.h"
#include "ops/status.h"
#include "postfix/rewrite.h"
#include "verdict/reply.h"
#include "verdict/route.h"
#include "verdict/verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_MS = 5000 };

/* Who can come in through a listener, or by sendmail(1); a content filter only where it hands mail back. */
static const enum client_class clients[] = {
	CLIENT_OTHER, CLIENT_MYNETWORKS, CLIENT_AUTHENTICATED, CLIENT_LOCAL};
static const enum client_class filters[] = {CLIENT_REENTRY};

static const char *const actions[] = {
	[ACTION_ACCEPT] = "accept",
	[ACTION_TAG] = "tag",
	[ACTION_HOLD] = "hold",
	[ACTION_TEMPFAIL] = "tempfail",
};

struct explain {
	struct event_base *base;
	const struct opener *opener;
	struct table *table;
	struct site *site;
	struct origin origin;
	char *sender, *recipient;
	uint32_t opening; /* handle, 0: not */
	struct rewrite_query *query;
	struct event *failure; /* made active when it cannot even begin */
	const char *error;
	explain_done_fn *done;
	void *arg;
};

void explain_cancel(struct explain *explain)
{
	if (explain->opening != 0)
		explain->opener->cancel(explain->opener->opener_arg, explain->opening);
	if (explain->query != NULL)
		rewrite_cancel(explain->query);
	if (explain->failure != NULL)
		event_free(explain->failure);
	site_unref(explain->site);
	free(explain->sender);
	free(explain->recipient);
	free(explain);
}

static void finish(struct explain *explain, json_t *document)
{
	explain_done_fn *done = explain->done;
	void *arg = explain->arg;

	explain_cancel(explain);
	done(arg, document);
}

static void fail(struct explain *explain, const char *what)
{
	finish(explain, json_pack("{s:s+}", "error", "trivial-rewrite(8): ", what));
}

/* look - a hop on the route; one that is not in the table is unknown */
static void look(const struct explain *explain, const struct leg *leg, struct hop_view *hop)
{
	if (table_look(explain->table, leg->name, clock_now_ms(), hop))
		return;
	memset(hop, 0, sizeof *hop);
	(void)snprintf(hop->name, sizeof hop->name, "%s", leg->name);
	hop->state = STATE_UNKNOWN;
	hop->roles = leg->role;
	hop->latency_us = -1;
}

/* verdict_of - for one kind of client; rules about networks cannot match, for no address is known */
static json_t *verdict_of(const struct explain *explain, const char *recipient,
	const struct hop_view *hops, const struct route *route, enum client_class class)
{
	const struct client client = {.class = class};
	const struct verdict_facts facts = {
		site_conf(explain->site)->rules, &client, explain->sender, recipient, clock_wall()};
	char line[REPLY_LINE_BYTES];
	struct decision decision;
	struct reply reply;
	bool has_reply;

	verdict_begin(&decision);
	for (size_t i = 0; i < route->count; i++)
		(void)verdict_add(&decision, &facts, &route->leg[i], &hops[i]);
	has_reply = decision.policy.action == ACTION_TEMPFAIL;
	if (has_reply)
		reply_tempfail(&reply, &decision.hop, decision.leg.role, decision.policy.is_brief,
			facts.now);
	return json_pack("{s:s, s:s, s:s?, s:o}", "client", client_class_name(class), "action",
		actions[decision.policy.action], "reply", has_reply ? reply_line(&reply, line) : NULL,
		"rule", decision.policy.rule != NULL ? status_text(decision.policy.rule) : json_null());
}

static json_t *verdicts_of(const struct explain *explain, const char *recipient,
	const struct hop_view *hops, const struct route *route)
{
	const enum client_class *class = explain->origin.is_reentry ? filters : clients;
	size_t count = explain->origin.is_reentry ? sizeof filters / sizeof *filters
						  : sizeof clients / sizeof *clients;
	json_t *verdicts = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(verdicts, verdict_of(explain, recipient, hops, route, class[i]));
	return verdicts;
}

static json_t *describe(const struct explain *explain, const struct rewrite_route *found)
{
	json_t *hops = json_array();
	struct hop_view views[ROUTE_MAX];
	struct route route;

	route_common(&route, &explain->origin);
	route_recipient(&route, explain->site, &explain->origin, found->transport, found->nexthop,
		found->recipient);
	for (size_t i = 0; i < route.count; i++) {
		json_t *hop;

		look(explain, &route.leg[i], &views[i]);
		hop = status_hop(&views[i]);
		json_object_set_new(hop, "role", json_string(hop_role_name(route.leg[i].role)));
		json_array_append_new(hops, hop);
	}
	return json_pack("{s:o, s:o, s:o, s:o, s:b, s:o, s:o}", "sender",
		status_text(explain->sender), "recipient", status_text(found->recipient),
		"transport", status_text(found->transport), "nexthop", status_text(found->nexthop),
		"reentry", explain->origin.is_reentry, "hops", hops, "verdicts",
		verdicts_of(explain, found->recipient, views, &route));
}

static void on_route(void *arg, const struct rewrite_route *route, const char *error)
{
	struct explain *explain = arg;

	explain->query = NULL;
	if (route == NULL)
		fail(explain, error);
	else
		finish(explain, describe(explain, route));
}

static void on_opened(void *arg, const struct opened *opened)
{
	struct explain *explain = arg;

	explain->opening = 0;
	if (opened->fd < 0) {
		fail(explain, strerror(opened->error));
		return;
	}
	explain->query = rewrite_resolve(explain->base, opened->fd, explain->sender, explain->recipient,
		TIMEOUT_MS, on_route, explain);
	if (explain->query == NULL)
		fail(explain, "out of memory");
}

static void on_failure(evutil_socket_t fd, short what, void *arg)
{
	struct explain *explain = arg;

	(void)fd;
	(void)what;
	fail(explain, explain->error);
}

/* find_origin - false when no Postfix instance is known */
static bool find_origin(struct explain *explain, const struct explain_question *question)
{
	if (question->daemon_port != NULL)
		site_origin(explain->site, question->daemon_address, question->daemon_port, NULL,
			&explain->origin);
	else
		site_first_origin(explain->site, question->directory, &explain->origin);
	return explain->origin.instance != NULL;
}

static void begin(struct explain *explain, const struct explain_question *question)
{
	if (explain->site == NULL || !find_origin(explain, question))
		explain->error = "no Postfix instance is known, or none has that listener";
	else
		explain->opening = explain->opener->open(explain->opener->opener_arg,
			instance_directory(explain->origin.instance),
			instance_rewrite_service(explain->origin.instance), on_opened, explain);
	if (explain->opening != 0)
		return;
	if (explain->error == NULL)
		explain->error = "cannot ask for private/rewrite";
	event_active(explain->failure, 0, 0);
}

struct explain *explain_start(struct event_base *base, const struct opener *opener,
	struct table *table, const struct explain_question *question, explain_done_fn *done,
	void *arg)
{
	struct explain *explain = calloc(1, sizeof *explain);

	if (explain == NULL)
		return NULL;
	explain->base = base;
	explain->opener = opener;
	explain->table = table;
	explain->site = site_current();
	explain->sender = xstrdup(question->sender);
	explain->recipient = xstrdup(question->recipient);
	explain->done = done;
	explain->arg = arg;
	explain->failure = event_new(base, -1, 0, on_failure, explain);
	if (explain->failure == NULL) {
		explain_cancel(explain);
		return NULL;
	}
	begin(explain, question);
	return explain;
}
