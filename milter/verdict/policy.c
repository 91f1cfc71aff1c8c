/*
 * policy - what is done about a hop that is not fine
 */
#include "verdict/policy.h"

#include <string.h>

enum { MS_PER_S = 1000 };

/* Local mail is never refused: Postfix takes a tempfail of a non_smtpd_milter for a configuration
 * error.  Mail that comes back from a filter has been accepted long ago.  Strangers need not know how
 * our hops are called. */
static const struct {
	struct policy policy;
	enum rules_client bit;
	const char *name;
} classes[CLIENT_COUNT] = {
	[CLIENT_LOCAL] = {{ACTION_TAG, false, false, NULL}, RULES_LOCAL, "local"},
	[CLIENT_REENTRY] = {{ACTION_ACCEPT, false, false, NULL}, RULES_REENTRY, "reentry"},
	[CLIENT_AUTHENTICATED] = {{ACTION_TEMPFAIL, false, true, NULL}, RULES_AUTHENTICATED,
		"authenticated"},
	[CLIENT_MYNETWORKS] = {{ACTION_TEMPFAIL, false, false, NULL}, RULES_MYNETWORKS, "mynetworks"},
	[CLIENT_OTHER] = {{ACTION_TEMPFAIL, true, false, NULL}, RULES_OTHER, "other"},
};

const char *client_class_name(enum client_class class)
{
	return classes[class].name;
}

static const struct conf_rule *find_rule(const struct rules *rules,
	const struct policy_question *question)
{
	const struct client *client = question->client;
	unsigned bits = classes[client->class].bit;

	if (client->class == CLIENT_AUTHENTICATED && client->is_in_mynetworks)
		bits |= RULES_MYNETWORKS;
	return rules_first(rules, &(struct rules_question){bits,
					  client->has_address ? &client->address : NULL,
					  question->role, question->reason, question->hop,
					  question->sender, question->recipient});
}

/* names_client - does the rule have that word? */
static bool names_client(const struct conf_rule *rule, enum client_class class)
{
	for (size_t i = 0; i < rule->client.count; i++)
		if (strcmp(rule->client.item[i], classes[class].name) == 0)
			return true;
	return false;
}

/* is_its_time - the hop is down for so long that the rule acts, and not yet for too long */
static bool is_its_time(const struct conf_rule *rule, int64_t down_s)
{
	/* The clock may have been set back. */
	int64_t down_ms = down_s > 0 ? down_s * MS_PER_S : 0;

	return down_ms >= rule->after_ms &&
	       (rule->for_at_most_ms < 0 || down_ms < rule->for_at_most_ms);
}

static void apply(const struct conf_rule *rule, const struct policy_question *question,
	struct policy *out)
{
	enum client_class class = question->client->class;
	enum conf_action by_default = out->action;

	out->rule = rule->name;
	if (rule->is_brief >= 0)
		out->is_brief = rule->is_brief != 0;
	if (rule->all_or_nothing >= 0)
		out->all_or_nothing = rule->all_or_nothing != 0;
	if (!is_its_time(rule, question->since_s))
		out->action = ACTION_TAG;
	else if (rule->action >= 0)
		out->action = (enum conf_action)rule->action;
	if (class == CLIENT_LOCAL && out->action == ACTION_TEMPFAIL)
		out->action = ACTION_TAG;
	if (class == CLIENT_REENTRY && out->action > ACTION_TAG && !names_client(rule, class))
		out->action = by_default;
}

void policy_decide(const struct rules *rules, const struct policy_question *question,
	struct policy *out)
{
	const struct conf_rule *rule;

	*out = classes[question->client->class].policy;
	if (question->state == STATE_DEGRADED) {
		out->action = ACTION_TAG;
		return;
	}
	if (question->state != STATE_DOWN && question->state != STATE_FORCED_DOWN) {
		out->action = ACTION_ACCEPT;
		return;
	}
	/* By default mail that may take another way is not refused. */
	if (question->is_possible && out->action > ACTION_TAG)
		out->action = ACTION_TAG;
	rule = find_rule(rules, question);
	if (rule != NULL)
		apply(rule, question, out);
}
