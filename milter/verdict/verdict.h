/*
 * verdict - from the hops on a recipient's way to what is done with it
 *
 * Pure; any thread.
 */
#ifndef FF_VERDICT_H
#define FF_VERDICT_H

#include "health/table.h"
#include "verdict/policy.h"
#include "verdict/route.h"

#include <stddef.h>

/* What is to be done, about which hop. */
struct decision {
	struct policy policy;	/* the action, and how */
	struct leg leg;		/* the first that the mail meets of those that ask for the gravest action */
	struct hop_view hop;	/* valid unless the action is ACTION_ACCEPT and is_faulty is false */
	bool is_faulty;		/* that hop is not fine, whatever the action is */
};

/* What one recipient is decided by, beside its hops. */
struct verdict_facts {
	const struct rules *rules;
	const struct client *client;
	const char *sender;	/* "" for bounces */
	const char *recipient;
	time_t now;
};

/* verdict_begin - nothing is known against it yet */
void verdict_begin(struct decision *decision);

/* verdict_add - lay the next hop on the way into the decision: the gravest action wins, the first hop that asks for it
 * names it; returns what this hop asks for */
enum conf_action verdict_add(struct decision *decision, const struct verdict_facts *facts,
	const struct leg *leg, const struct hop_view *hop);

/* verdict_wants_tag - does a message that was accepted bear a header about this hop? */
bool verdict_wants_tag(enum state state, enum conf_tag tag);

#endif
