/*
 * verdict - from the hops on a recipient's way to what is done with it
 */
#include "verdict/verdict.h"

void verdict_begin(struct decision *decision)
{
	/* The rest is large, and means nothing yet. */
	decision->policy = (struct policy){.action = ACTION_ACCEPT};
	decision->is_faulty = false;
}

enum conf_action verdict_add(struct decision *decision, const struct verdict_facts *facts,
	const struct leg *leg, const struct hop_view *hop)
{
	bool is_faulty = hop->state == STATE_DOWN || hop->state == STATE_FORCED_DOWN ||
			 hop->state == STATE_DEGRADED;
	struct policy policy;

	/* Most mail meets healthy hops. */
	if (!is_faulty)
		return ACTION_ACCEPT;
	policy_decide(facts->rules,
		&(struct policy_question){facts->client, leg->role, leg->is_possible, leg->name,
			hop->state, hop->reason, facts->now - hop->since, facts->sender,
			facts->recipient},
		&policy);
	if (policy.action > decision->policy.action || !decision->is_faulty) {
		decision->policy = policy;
		decision->leg = *leg;
		decision->hop = *hop;
		decision->is_faulty = true;
	}
	return policy.action;
}

bool verdict_wants_tag(enum state state, enum conf_tag tag)
{
	switch (tag) {
	case TAG_NEVER:
		return false;
	case TAG_ALWAYS:
		return true;
	default:
		return state != STATE_UP && state != STATE_FORCED_UP;
	}
}
