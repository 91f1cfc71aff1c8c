/*
 * check_policy - which rule matches, and what comes of it; the stories in t/story tell the rest
 */
#include "conf_helper.h"

#include "base/pattern.h"
#include "base/xmem.h"
#include "verdict/policy.h"

#include <stdio.h>

static const struct rules_question question = {RULES_OTHER, NULL, ROLE_TRANSPORT,
	REASON_CONNECTION_REFUSED, "relay:[smtp.example.net]:587", "a@example.com", "b@example.net"};

static const char *first(const struct conf *conf, const struct rules_question *asked)
{
	const struct conf_rule *rule = rules_first(conf->rules, asked);

	return rule != NULL ? rule->name : "none";
}

START_TEST(without_rules_none_matches)
{
	struct conf *conf = parse_good("");

	ck_assert_str_eq(first(conf, &question), "none");
	ck_assert(!rules_ask_recipient(conf->rules));
	conf_unref(conf);
}
END_TEST

START_TEST(a_rule_that_says_nothing_matches_everything)
{
	struct conf *conf = parse_good("rule all { }\nrule second { action = tag }\n");

	for (unsigned role = ROLE_PROXY_FILTER; role <= ROLE_TRANSPORT; role <<= 1)
		for (int reason = REASON_NONE + 1; reason < REASON_COUNT; reason++)
			for (unsigned client = RULES_AUTHENTICATED; client <= RULES_OTHER; client <<= 1)
				ck_assert_str_eq(first(conf, &(struct rules_question){client, NULL, role,
							     (enum reason)reason, "x:", "", ""}),
					"all");
	conf_unref(conf);
}
END_TEST

/* matches - a rule with one list of one pattern */
static bool matches(const char *key, const char *pattern, const struct rules_question *asked)
{
	char *text = xasprintf("rule x { %s = \"%s\" }\n", key, pattern);
	struct conf *conf = parse_good(text);
	bool is_match = rules_first(conf->rules, asked) != NULL;

	conf_unref(conf);
	free(text);
	return is_match;
}

START_TEST(patterns_match_as_if_there_were_no_shortcut)
{
	static const char *const patterns[] = {"*", "a@example.com", "*@example.com", "a@*", "?@example.com",
		"*@*", "*.com", "a*", "*example*", "a@b@*", "*@b@example.com", "@*", "*@", "<>", "A@EXAMPLE.com",
		"*@Example.COM", "relay:*", "*:587", "r*:*", "relay:[*", "a:b:*", "*:*", "x", "\xc3\xa4@*",
		"*@\xc3\xa4.example"};
	static const char *const texts[] = {"a@example.com", "b@example.com", "a@b@example.com", "A@Example.COM",
		"a", "x", "@", "@example.com", "a@", "relay:", "relay:[smtp.example.net]:587", "a:b:c", ":587",
		"\xc3\xa4@example.com", "a@\xc3\xa4.example"};

	for (size_t p = 0; p < sizeof patterns / sizeof *patterns; p++)
		for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) {
			struct rules_question asked = question;

			asked.sender = asked.recipient = asked.hop = texts[t];
			ck_assert_msg(matches("sender", patterns[p], &asked) ==
					      pattern_match_folded(patterns[p], texts[t]),
				"sender %s, %s", patterns[p], texts[t]);
			ck_assert_msg(matches("recipient", patterns[p], &asked) ==
					      pattern_match_folded(patterns[p], texts[t]),
				"recipient %s, %s", patterns[p], texts[t]);
			ck_assert_msg(matches("hop", patterns[p], &asked) ==
					      pattern_match(patterns[p], texts[t]),
				"hop %s, %s", patterns[p], texts[t]);
		}
}
END_TEST

START_TEST(the_sender_of_a_bounce_is_written_in_angle_brackets)
{
	struct rules_question asked = question;

	asked.sender = "";
	ck_assert(matches("sender", "<>", &asked));
	ck_assert(matches("sender", "*", &asked));
	ck_assert(!matches("sender", "*@*", &asked));
	ck_assert(!matches("sender", "<>", &question));
}
END_TEST

START_TEST(networks_match_with_every_length)
{
	struct cidr four, six;
	struct rules_question asked = question;
	char text[64];

	ck_assert(cidr_parse("192.0.2.77", &four) && cidr_parse("2001:db8:1:2:3:4:5:6", &six));
	ck_assert(!matches("client", "192.0.2.77", &asked));
	asked.address = &four;
	ck_assert(matches("client", "192.0.2.77", &asked));
	ck_assert(matches("client", "192.0.2.64/27", &asked));
	ck_assert(matches("client", "0.0.0.0/0", &asked));
	ck_assert(!matches("client", "192.0.2.96/27", &asked));
	ck_assert(!matches("client", "192.0.2.78", &asked));
	ck_assert(!matches("client", "2001:db8::/32", &asked));
	asked.address = &six;
	ck_assert(matches("client", "[2001:db8:1:2:3:4:5:6]", &asked));
	ck_assert(matches("client", "2001:db8:1:2::/64", &asked));
	ck_assert(matches("client", "2001:db8:1:2:3:4:5:0/117", &asked));
	ck_assert(!matches("client", "2001:db8:1:3::/64", &asked));
	ck_assert(!matches("client", "2001:db8:1:2:3:4:6:0/117", &asked));
	ck_assert(!matches("client", "0.0.0.0/0", &asked));
	/* The same as cidr_contains() for every length. */
	for (unsigned bits = 0; bits <= 128; bits++) {
		struct cidr network = six;

		for (unsigned bit = bits; bit < 128; bit++)
			network.address[bit / 8] &= (uint8_t) ~(0x80U >> (bit % 8));
		(void)snprintf(text, sizeof text,
			"%02x%02x:%02x%02x:%02x%02x:%02x%02x:%02x%02x:%02x%02x:%02x%02x:%02x%02x/%u",
			network.address[0], network.address[1], network.address[2], network.address[3],
			network.address[4], network.address[5], network.address[6], network.address[7],
			network.address[8], network.address[9], network.address[10], network.address[11],
			network.address[12], network.address[13], network.address[14],
			network.address[15], bits);
		ck_assert_msg(matches("client", text, &asked), "%s", text);
	}
}
END_TEST

START_TEST(the_first_of_many_rules_wins)
{
	size_t bytes = 1;
	char *text = xstrdup(""), name[32];
	struct rules_question asked = question;
	struct conf *conf;

	for (int i = 0; i < 1000; i++) {
		char *more = xasprintf("%srule r%d { sender = \"*@c%d.example\" }\n", text, i, i);

		free(text);
		text = more;
		bytes = strlen(text);
	}
	ck_assert_uint_gt(bytes, 1);
	conf = parse_good(text);
	for (int i = 0; i < 1000; i++) {
		char sender[64];

		(void)snprintf(sender, sizeof sender, "somebody@c%d.example", i);
		(void)snprintf(name, sizeof name, "r%d", i);
		asked.sender = sender;
		ck_assert_str_eq(first(conf, &asked), name);
	}
	asked.sender = "somebody@c1000.example";
	ck_assert_str_eq(first(conf, &asked), "none");
	conf_unref(conf);
	free(text);
}
END_TEST

/* decide - what is done for a class of client, about a hop that is down for a minute */
static struct policy decide(const char *text, enum client_class class, bool is_possible)
{
	struct conf *conf = parse_good(text);
	const struct client client = {.class = class};
	struct policy policy;

	policy_decide(conf->rules,
		&(struct policy_question){&client, ROLE_TRANSPORT, is_possible, "smtp:[192.0.2.1]", STATE_DOWN,
			REASON_CONNECTION_REFUSED, 60, "a@example.com", "b@example.net"},
		&policy);
	policy.rule = policy.rule != NULL ? "one" : NULL;
	conf_unref(conf);
	return policy;
}

START_TEST(what_a_rule_leaves_open_is_as_by_default)
{
	struct policy policy = decide("rule x { detail = brief }", CLIENT_AUTHENTICATED, false);

	ck_assert(policy.is_brief && policy.all_or_nothing && policy.rule != NULL);
	ck_assert_int_eq(policy.action, ACTION_TEMPFAIL);
	policy = decide("rule x { all_or_nothing = true }", CLIENT_OTHER, false);
	ck_assert(policy.is_brief && policy.all_or_nothing);
	ck_assert_int_eq(policy.action, ACTION_TEMPFAIL);
	ck_assert_int_eq(decide("rule x { detail = full }", CLIENT_LOCAL, false).action, ACTION_TAG);
	ck_assert_int_eq(decide("rule x { detail = full }", CLIENT_REENTRY, false).action, ACTION_ACCEPT);
	ck_assert_int_eq(decide("rule x { detail = full }", CLIENT_OTHER, true).action, ACTION_TAG);
}
END_TEST

START_TEST(a_hop_that_mail_may_not_meet_refuses_only_by_an_explicit_rule)
{
	ck_assert_int_eq(decide("", CLIENT_OTHER, true).action, ACTION_TAG);
	ck_assert_int_eq(decide("", CLIENT_REENTRY, true).action, ACTION_ACCEPT);
	ck_assert_int_eq(decide("rule x { action = tempfail }", CLIENT_OTHER, true).action, ACTION_TEMPFAIL);
	ck_assert_int_eq(decide("rule x { action = hold }", CLIENT_OTHER, true).action, ACTION_HOLD);
}
END_TEST

START_TEST(what_was_accepted_before_is_only_refused_by_its_own_word)
{
	ck_assert_int_eq(decide("rule x { action = tempfail }", CLIENT_REENTRY, false).action, ACTION_ACCEPT);
	ck_assert_int_eq(decide("rule x { action = hold }", CLIENT_REENTRY, false).action, ACTION_ACCEPT);
	ck_assert_int_eq(decide("rule x { action = tag }", CLIENT_REENTRY, false).action, ACTION_TAG);
	ck_assert_int_eq(decide("rule x { client = reentry action = tempfail }", CLIENT_REENTRY, false).action,
		ACTION_TEMPFAIL);
	ck_assert_int_eq(decide("rule x { client = {other, reentry} action = hold }", CLIENT_REENTRY, false).action,
		ACTION_HOLD);
}
END_TEST

START_TEST(what_is_not_down_asks_no_rule)
{
	struct conf *conf = parse_good("rule x { action = tempfail }");
	const struct client client = {.class = CLIENT_OTHER};

	for (int state = STATE_UP; state < STATE_COUNT; state++) {
		struct policy policy;

		policy_decide(conf->rules,
			&(struct policy_question){&client, ROLE_TRANSPORT, false, "smtp:", (enum state)state,
				REASON_MAINTENANCE, 0, "", ""},
			&policy);
		ck_assert_int_eq(policy.action,
			state == STATE_DOWN || state == STATE_FORCED_DOWN ? ACTION_TEMPFAIL
			: state == STATE_DEGRADED			  ? ACTION_TAG
									  : ACTION_ACCEPT);
		ck_assert((policy.rule != NULL) == (policy.action == ACTION_TEMPFAIL));
	}
	conf_unref(conf);
}
END_TEST

START_TEST(a_clock_that_was_set_back_does_not_matter)
{
	struct conf *conf = parse_good("rule x { action = hold for_at_most = 4h }");
	const struct client client = {.class = CLIENT_OTHER};
	struct policy policy;

	policy_decide(conf->rules,
		&(struct policy_question){&client, ROLE_TRANSPORT, false, "smtp:", STATE_DOWN,
			REASON_MAINTENANCE, -3600, "", ""},
		&policy);
	ck_assert_int_eq(policy.action, ACTION_HOLD);
	conf_unref(conf);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, without_rules_none_matches);
	tcase_add_test(tcase, a_rule_that_says_nothing_matches_everything);
	tcase_add_test(tcase, patterns_match_as_if_there_were_no_shortcut);
	tcase_add_test(tcase, the_sender_of_a_bounce_is_written_in_angle_brackets);
	tcase_add_test(tcase, networks_match_with_every_length);
	tcase_add_test(tcase, the_first_of_many_rules_wins);
	tcase_add_test(tcase, what_a_rule_leaves_open_is_as_by_default);
	tcase_add_test(tcase, a_hop_that_mail_may_not_meet_refuses_only_by_an_explicit_rule);
	tcase_add_test(tcase, what_was_accepted_before_is_only_refused_by_its_own_word);
	tcase_add_test(tcase, what_is_not_down_asks_no_rule);
	tcase_add_test(tcase, a_clock_that_was_set_back_does_not_matter);
}

int main(void)
{
	return suite_run("policy", add);
}
