/*
 * check_conf - a configuration means what the manual says
 *
 * What is wrong with a configuration is the matter of check_conf_errors.
 */
#include "conf_helper.h"

START_TEST(an_empty_file_gives_the_defaults)
{
	struct conf *conf = parse_good("");

	ck_assert_str_eq(conf->filename, "FILE");
	ck_assert_str_eq(conf->listen, "unix:/var/spool/postfix/failfast-milter/milter.sock");
	ck_assert_uint_eq(conf->listen_mode, 0660);
	ck_assert_str_eq(conf->listen_group, "postfix");
	ck_assert_str_eq(conf->control, "/run/failfast-milter/control.sock");
	ck_assert_str_eq(conf->http, "127.0.0.1:9895");
	ck_assert_str_eq(conf->user, "failfast-milter");
	ck_assert_str_eq(conf->hostname, "");
	ck_assert_str_eq(conf->header, "Failfast-Status");
	ck_assert_int_eq(conf->header_detail, DETAIL_FULL);
	ck_assert_int_eq(conf->tag, TAG_PROBLEMS);
	ck_assert(conf->strip_forged);
	ck_assert_uint_eq(conf->max_failures, 8);
	ck_assert_int_eq(conf->slow_ms, 5000);
	ck_assert_int_eq(conf->tls_expiry_warning_ms, INT64_C(14) * 86400000);
	ck_assert_str_eq(conf->content_filter, "");
	ck_assert_uint_eq(conf->max_hops, 10000);
	ck_assert_uint_eq(conf->postfix_count + conf->hop_count, 0);
	ck_assert_uint_eq(conf->rule_count + conf->canary_count, 0);
	conf_unref(conf);
}
END_TEST

START_TEST(the_probe_section_has_defaults)
{
	struct conf *conf = parse_good("");
	const struct conf_probe *probe = &conf->probe;

	ck_assert_int_eq(probe->interval_ms, 10000);
	ck_assert_int_eq(probe->fast_interval_ms, 1000);
	ck_assert_int_eq(probe->down_interval_ms, 5000);
	ck_assert_uint_eq(probe->jitter_percent, 10);
	ck_assert_int_eq(probe->connect_timeout_ms, 5000);
	ck_assert_int_eq(probe->reply_timeout_ms, 10000);
	ck_assert_int_eq(probe->max_age_ms, 1000);
	ck_assert_int_eq(probe->max_wait_ms, 300);
	ck_assert_uint_eq(probe->rise, 2);
	ck_assert_uint_eq(probe->fall, 3);
	ck_assert_str_eq(probe->helo, "");
	ck_assert_uint_eq(probe->concurrency, 256);
	ck_assert_int_eq(probe->learned_ttl_ms, 3600000);
	conf_unref(conf);
}
END_TEST

START_TEST(the_program_of_on_change_is_known_with_its_line)
{
	struct conf *conf = parse_good("slow = 1s\non_change = /usr/bin/true\n");

	ck_assert_str_eq(conf->on_change, "/usr/bin/true");
	ck_assert_int_eq(conf->on_change_line, 2);
	conf_unref(conf);
	conf = parse_good("slow = 1s\n");
	ck_assert_str_eq(conf->on_change, "");
	ck_assert_int_eq(conf->on_change_line, 0);
	conf_unref(conf);
}
END_TEST

START_TEST(evidence_is_taken_unless_it_is_switched_off)
{
	struct conf *conf = parse_good("postfix /etc/postfix { evidence = none }\n"
				       "postfix /etc { evidence = log }\n"
				       "postfix /tmp { }\n");

	ck_assert_int_eq(conf->postfix[0].evidence, EVIDENCE_NONE);
	ck_assert_int_eq(conf->postfix[1].evidence, EVIDENCE_LOG);
	ck_assert_int_eq(conf->postfix[2].evidence, EVIDENCE_LOG);
	conf_unref(conf);
}
END_TEST

START_TEST(every_option_can_be_set)
{
	struct conf *conf = parse_good("listen = \"inet6:8895@[::1]\"\n"
				       "listen_mode = 0600\n"
				       "listen_group = mail\n"
				       "control = /tmp/control.sock\n"
				       "user = \"\"\n"
				       "hostname = mx.example.com\n"
				       "header = \"X-Status\"\n"
				       "header_detail = terse\n"
				       "tag = \"always\"\n"
				       "strip_forged = no\n"
				       "max_failures = 0\n"
				       "slow = 1500ms\n"
				       "content_filter = \"smtp-amavis:[127.0.0.1]:10024\"\n"
				       "max_hops = 7\n");

	ck_assert_str_eq(conf->listen, "inet6:8895@[::1]");
	ck_assert_uint_eq(conf->listen_mode, 0600);
	ck_assert_str_eq(conf->listen_group, "mail");
	ck_assert_str_eq(conf->control, "/tmp/control.sock");
	ck_assert_str_eq(conf->user, "");
	ck_assert_str_eq(conf->hostname, "mx.example.com");
	ck_assert_str_eq(conf->header, "X-Status");
	ck_assert_int_eq(conf->header_detail, DETAIL_TERSE);
	ck_assert_int_eq(conf->tag, TAG_ALWAYS);
	ck_assert(!conf->strip_forged);
	ck_assert_uint_eq(conf->max_failures, 0);
	ck_assert_int_eq(conf->slow_ms, 1500);
	ck_assert_str_eq(conf->content_filter, "smtp-amavis:[127.0.0.1]:10024");
	ck_assert_uint_eq(conf->max_hops, 7);
	conf_unref(conf);
}
END_TEST

START_TEST(every_probe_option_can_be_set)
{
	struct conf *conf = parse_good(
		"probe { interval = 20 fast_interval = \"2s\" down_interval = 500ms jitter = 5%\n"
		" connect_timeout = 1m reply_timeout = 2m max_age = 3s max_wait = 0 rise = 1\n"
		" fall = 100 helo = \"[192.0.2.1]\" concurrency = 1 learned_ttl = 2d }\n");
	const struct conf_probe *probe = &conf->probe;

	ck_assert_int_eq(probe->interval_ms, 20000);
	ck_assert_int_eq(probe->fast_interval_ms, 2000);
	ck_assert_int_eq(probe->down_interval_ms, 500);
	ck_assert_uint_eq(probe->jitter_percent, 5);
	ck_assert_int_eq(probe->connect_timeout_ms, 60000);
	ck_assert_int_eq(probe->reply_timeout_ms, 120000);
	ck_assert_int_eq(probe->max_age_ms, 3000);
	ck_assert_int_eq(probe->max_wait_ms, 0);
	ck_assert_uint_eq(probe->rise, 1);
	ck_assert_uint_eq(probe->fall, 100);
	ck_assert_str_eq(probe->helo, "[192.0.2.1]");
	ck_assert_uint_eq(probe->concurrency, 1);
	ck_assert_int_eq(probe->learned_ttl_ms, 2 * 86400000);
	conf_unref(conf);
}
END_TEST

START_TEST(a_short_interval_alone_shortens_the_fast_one)
{
	struct conf *conf = parse_good("probe { interval = 200ms }");

	ck_assert_int_eq(conf->probe.fast_interval_ms, 200);
	conf_unref(conf);
}
END_TEST

START_TEST(the_last_of_two_values_counts)
{
	struct conf *conf =
		parse_good("tag = always tag = never probe { rise = 5 } probe { fall = 6 }");

	ck_assert_int_eq(conf->tag, TAG_NEVER);
	ck_assert_uint_eq(conf->probe.rise, 5);
	ck_assert_uint_eq(conf->probe.fall, 6);
	conf_unref(conf);
}
END_TEST

START_TEST(every_postfix_instance_has_a_section)
{
	struct conf *conf =
		parse_good("postfix \"/etc/postfix/\" { }\npostfix /etc/postfix-out { }");

	ck_assert_uint_eq(conf->postfix_count, 2);
	ck_assert_str_eq(conf->postfix[0].config_directory, "/etc/postfix");
	ck_assert_str_eq(conf->postfix[1].config_directory, "/etc/postfix-out");
	conf_unref(conf);
}
END_TEST

START_TEST(hop_sections_keep_their_order_lines_and_gaps)
{
	struct conf *conf = parse_good("# comment\n"
				       "hop \"relay:*\" { interval = 30s }\n"
				       "hop \"lmtp:unix:private/dovecot-lmtp\"\n"
				       "{\n  depth = connect\n}\n"
				       "hop \"relay:*\" { tls = none }\n");

	ck_assert_uint_eq(conf->hop_count, 3);
	ck_assert_str_eq(conf->hop[0].pattern, "relay:*");
	ck_assert(!conf->hop[0].is_literal);
	ck_assert_int_eq(conf->hop[0].line, 2);
	ck_assert_int_eq(conf->hop[0].interval_ms, 30000);
	ck_assert_int_eq(conf->hop[0].depth, -1);
	ck_assert_int_eq(conf->hop[0].tls, -1);
	ck_assert_ptr_null(conf->hop[0].ca_file);
	ck_assert_ptr_null(conf->hop[0].recipient);
	ck_assert(conf->hop[1].is_literal);
	ck_assert_int_eq(conf->hop[1].line, 3);
	ck_assert_int_eq(conf->hop[1].interval_ms, -1);
	ck_assert_int_eq(conf->hop[1].depth, DEPTH_CONNECT);
	ck_assert_str_eq(conf->hop[2].pattern, "relay:*");
	ck_assert_int_eq(conf->hop[2].tls, TLS_NONE);
	conf_unref(conf);
}
END_TEST

START_TEST(a_hop_without_sections_has_the_global_settings)
{
	struct conf *conf = parse_good("probe { interval = 7s } hop \"other:*\" { interval = 1s }");
	struct conf_hop_settings settings;

	conf_hop_settings(conf, "relay:[smtp.example.net]:587", &settings);
	ck_assert_int_eq(settings.interval_ms, 7000);
	ck_assert_int_eq(settings.depth, DEPTH_HELLO);
	ck_assert_int_eq(settings.tls, TLS_DEFAULT);
	ck_assert_str_eq(settings.ca_file, "");
	ck_assert_str_eq(settings.recipient, "");
	conf_unref(conf);
}
END_TEST

START_TEST(later_hop_sections_are_laid_over_earlier_ones)
{
	struct conf *conf = parse_good("hop \"*\" { interval = 30s depth = greeting }\n"
				       "hop \"relay:*\" { depth = connect }\n"
				       "hop \"relay:[a]:587\" { tls = none }\n"
				       "hop \"*\" { interval = 40s }\n");
	struct conf_hop_settings settings;

	conf_hop_settings(conf, "relay:[a]:587", &settings);
	ck_assert_int_eq(settings.interval_ms, 40000);
	ck_assert_int_eq(settings.depth, DEPTH_CONNECT);
	ck_assert_int_eq(settings.tls, TLS_NONE);
	conf_hop_settings(conf, "smtp:", &settings);
	ck_assert_int_eq(settings.interval_ms, 40000);
	ck_assert_int_eq(settings.depth, DEPTH_GREETING);
	ck_assert_int_eq(settings.tls, TLS_DEFAULT);
	conf_unref(conf);
}
END_TEST

static const struct {
	const char *title, *hop;
	bool matches;
} titles[] = {
	{"relay:[smtp.example.net]:587", "relay:[smtp.example.net]:587", true},
	{"relay:[smtp.example.net]:587", "relay:s:587", false},
	{"relay:[smtp.example.net]:*", "relay:[smtp.example.net]:587", true},
	{"relay:[smtp.example.net]:*", "relay:s:587", false},
	{"relay:[a]:58?", "relay:[a]:587", true},
	{"relay:[a]:58?", "relay:a:587", false},
	{"*", "smtp:", true},
	{"lmtp:*", "lmtp:unix:private/dovecot-lmtp", true},
	{"lmtp:*", "lmtp2:unix:private/dovecot-lmtp", false},
	{"*:[127.0.0.1]:10024", "smtp-amavis:[127.0.0.1]:10024", true},
	{"relay:", "relay:", true},
	{"relay:", "relay:a", false},
	{"relay:\\\\\\\\*", "relay:\\\\host", true},
	{"relay:\\\\*", "relay:*", false},
	{"Relay:*", "relay:a", false},
};

START_TEST(only_star_and_question_mark_make_a_pattern)
{
	char text[256];
	struct conf_hop_settings settings;
	struct conf *conf;

	(void)snprintf(text, sizeof text, "hop \"%s\" { interval = 99s }", titles[_i].title);
	conf = parse_good(text);
	ck_assert_int_eq(conf->hop[0].is_literal, strpbrk(titles[_i].title, "*?") == NULL);
	conf_hop_settings(conf, titles[_i].hop, &settings);
	ck_assert_msg((settings.interval_ms == 99000) == titles[_i].matches, "%s over %s",
		titles[_i].title, titles[_i].hop);
	conf_unref(conf);
}
END_TEST

static const char *const good_values[] = {"listen = unix:/run/a.sock", "listen = local:/run/a.sock",
	"listen = inet:1@127.0.0.1", "listen = inet:65535@mx.example.com",
	"listen = inet:8895@[127.0.0.1]", "listen = inet6:8895@::1",
	"listen = inet6:8895@mx_1.example.com.", "listen_mode = 777", "listen_mode = \"0000\"",
	"listen_group = \"\"", "header = X!#$%&", "strip_forged = TRUE", "strip_forged = off",
	"content_filter = smtp-17", "content_filter = \"\"",
	"content_filter = \"plesk-192.0.2.10-:\"", "probe { helo = mx.example.com }",
	"probe { helo = \"[IPv6:2001:db8::1]\" }", "probe { jitter = 0 }", "probe { jitter = 50% }",
	"probe { interval = 1s fast_interval = 1s }", "hop \"smtp:\" { }", "hop '*' { }",
	"hop \"smtp-?:[::1]:25\" { depth = HELLO }", "slow=10s tag=never",
	"probe{interval=5s}hop x:y{}", "postfix \"/etc/post fix\" { }"};

START_TEST(good_values_are_taken)
{
	conf_unref(parse_good(good_values[_i]));
}
END_TEST

START_TEST(an_object_lives_as_long_as_its_references)
{
	struct conf *conf = parse_good("hop \"a:b\" { }");

	ck_assert_ptr_eq(conf_ref(conf), conf);
	conf_unref(conf);
	ck_assert_str_eq(conf->hop[0].pattern, "a:b");
	conf_unref(conf);
	conf_unref(NULL);
}
END_TEST

START_TEST(fixed_differences_are_named)
{
	char names[64] = "x";
	char small[8];
	struct conf *old = parse_good("");
	struct conf *same = parse_good("tag = always probe { interval = 3s }");
	struct conf *fresh = parse_good("listen = inet:1@localhost user = other");

	ck_assert_uint_eq(conf_fixed_differences(old, same, names, sizeof names), 0);
	ck_assert_str_eq(names, "");
	ck_assert_uint_eq(conf_fixed_differences(old, fresh, names, sizeof names), 2);
	ck_assert_str_eq(names, "listen, user");
	ck_assert_uint_eq(conf_fixed_differences(old, fresh, small, sizeof small), 2);
	ck_assert_str_eq(small, "listen,");
	ck_assert_uint_eq(conf_fixed_differences(old, fresh, NULL, 0), 2);
	conf_unref(old);
	conf_unref(same);
	conf_unref(fresh);
}
END_TEST

#define ADD(test) tcase_add_test(tcase, test)
#define ADD_LOOP(test, array)                                                                      \
	tcase_add_loop_test(tcase, test, 0, (int)(sizeof(array) / sizeof(array)[0]))

START_TEST(a_rule_has_what_it_says_and_nothing_else)
{
	struct conf *conf = parse_good("rule \"submission\" {\n"
				       " client = {\"authenticated\", \"192.0.2.0/24\", \"[2001:db8::]/32\"}\n"
				       " client += \"local\"\n"
				       " role = {\"content-filter\", \"proxy-filter\"}\n"
				       " hop = {\"smtp-amavis:*\"} reason = {\"connection-*\", \"slow\",}\n"
				       " sender = {\"*@example.com\"} recipient = \"postmaster@*\"\n"
				       " action = hold detail = brief all_or_nothing = true after = 5s\n"
				       " for_at_most = 4h\n}\nrule open { }\n");
	const struct conf_rule *rule = conf->rule;

	ck_assert_uint_eq(conf->rule_count, 2);
	ck_assert_str_eq(rule->name, "submission");
	ck_assert_int_eq(rule->line, 1);
	ck_assert_uint_eq(rule->client.count, 4);
	ck_assert_str_eq(rule->client.item[3], "local");
	ck_assert_uint_eq(rule->role.count + rule->hop.count + rule->reason.count, 5);
	ck_assert_str_eq(rule->sender.item[0], "*@example.com");
	ck_assert_str_eq(rule->recipient.item[0], "postmaster@*");
	ck_assert_int_eq(rule->action, ACTION_HOLD);
	ck_assert(rule->is_brief == 1 && rule->all_or_nothing == 1);
	ck_assert_int_eq(rule->after_ms, 5000);
	ck_assert_int_eq(rule->for_at_most_ms, 4 * 3600 * 1000);
	rule++;
	ck_assert(rule->action == -1 && rule->is_brief == -1 && rule->all_or_nothing == -1);
	ck_assert(rule->after_ms == 0 && rule->for_at_most_ms == -1);
	ck_assert_uint_eq(rule->client.count + rule->hop.count + rule->recipient.count, 0);
	conf_unref(conf);
}
END_TEST

static void add_values(TCase *tcase)
{
	ADD(an_empty_file_gives_the_defaults);
	ADD(the_probe_section_has_defaults);
	ADD(the_program_of_on_change_is_known_with_its_line);
	ADD(evidence_is_taken_unless_it_is_switched_off);
	ADD(every_option_can_be_set);
	ADD(every_probe_option_can_be_set);
	ADD(a_short_interval_alone_shortens_the_fast_one);
	ADD(the_last_of_two_values_counts);
	ADD(every_postfix_instance_has_a_section);
	ADD_LOOP(good_values_are_taken, good_values);
	ADD(an_object_lives_as_long_as_its_references);
	ADD(fixed_differences_are_named);
}

static void add_hops(TCase *tcase)
{
	ADD(hop_sections_keep_their_order_lines_and_gaps);
	ADD(a_hop_without_sections_has_the_global_settings);
	ADD(later_hop_sections_are_laid_over_earlier_ones);
	ADD(a_rule_has_what_it_says_and_nothing_else);
	ADD_LOOP(only_star_and_question_mark_make_a_pattern, titles);
}

static void add(TCase *tcase)
{
	add_values(tcase);
	add_hops(tcase);
}

int main(void)
{
	return suite_run("conf", add);
}
