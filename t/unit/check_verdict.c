/*
 * check_verdict - from the health of a route to words and headers
 */
#include "verdict/verdict.h"

#include "base/clock.h"
#include "base/xmem.h"
#include "suite.h"
#include "verdict/header.h"
#include "verdict/message.h"

#include <stdio.h>
#include <string.h>

enum { SINCE = 1795285207 }; /* 2026-11-21T18:20:07Z */

static struct hop_view amavis(enum state state, enum reason reason)
{
	struct hop_view hop = {.state = state, .reason = reason, .since = SINCE};

	(void)snprintf(hop.name, sizeof hop.name, "smtp-amavis:[127.0.0.1]:10024");
	return hop;
}

START_TEST(replies_read_as_promised)
{
	struct hop_view hop = amavis(STATE_DOWN, REASON_CONNECTION_REFUSED);
	char line[REPLY_LINE_BYTES];
	struct reply reply;

	reply_tempfail(&reply, &hop, ROLE_CONTENT_FILTER, false, SINCE + 60);
	ck_assert_str_eq(reply_line(&reply, line),
		"451 4.4.1 content filter smtp-amavis:[127.0.0.1]:10024 is down since 18:20:07Z: "
		"connection refused");
	reply_tempfail(&reply, &hop, ROLE_CONTENT_FILTER, true, SINCE + 60);
	ck_assert_str_eq(reply_line(&reply, line),
		"451 4.4.1 content filter is temporarily unavailable: connection refused");
	reply_close(&reply);
	ck_assert_str_eq(reply.code, "421");
}
END_TEST

START_TEST(a_time_of_another_day_has_its_date)
{
	struct hop_view hop = amavis(STATE_DOWN, REASON_CONNECTION_REFUSED);
	struct reply reply;

	reply_tempfail(&reply, &hop, ROLE_CONTENT_FILTER, false, SINCE + 86400);
	ck_assert_ptr_nonnull(strstr(reply.text, "since 2026-11-21T18:20:07Z:"));
}
END_TEST

START_TEST(a_reply_is_printable_and_not_too_long)
{
	struct hop_view hop = amavis(STATE_DOWN, REASON_CONNECTION_REFUSED);
	char line[REPLY_LINE_BYTES];
	struct reply reply;

	memset(hop.name, '\xe4', sizeof hop.name - 1);
	hop.name[sizeof hop.name - 1] = '\0';
	reply_tempfail(&reply, &hop, ROLE_TRANSPORT, false, SINCE);
	reply_line(&reply, line);
	ck_assert_uint_lt(strlen(line), 510);
	for (const char *cp = line; *cp != '\0'; cp++)
		ck_assert(*cp >= ' ' && *cp <= '~');
	ck_assert_ptr_nonnull(strstr(line, ": connection refused"));
}
END_TEST

START_TEST(the_header_reads_as_promised)
{
	struct hop_view hop = amavis(STATE_DOWN, REASON_CONNECTION_REFUSED);
	struct header_facts facts = {
		"Failfast-Status", "mx.example.com", "EC0648A78936", ROLE_CONTENT_FILTER, false};
	char value[HEADER_VALUE_BYTES];

	ck_assert_str_eq(header_value(value, &hop, &facts),
		"mx.example.com; state=down;\n"
		"\thop=\"smtp-amavis:[127.0.0.1]:10024\"; role=content-filter;\n"
		"\treason=connection-refused; since=2026-11-21T18:20:07Z;\n"
		"\tid=EC0648A78936");
	facts.is_terse = true;
	ck_assert_ptr_null(strstr(header_value(value, &hop, &facts), "hop="));
}
END_TEST

START_TEST(no_line_of_the_header_is_too_long)
{
	struct hop_view hop = amavis(STATE_DOWN, REASON_SERVICE_UNAVAILABLE);
	char host[HOP_HOST_BYTES], value[HEADER_VALUE_BYTES];
	const struct header_facts facts = {
		"Failfast-Status", host, "EC0648A78936", ROLE_CONTENT_FILTER, false};

	memset(host, 'h', sizeof host - 1);
	host[sizeof host - 1] = '\0';
	for (size_t length = 1; length < sizeof hop.name; length++) {
		memset(hop.name, length % 2 == 0 ? 'n' : '\\', length);
		hop.name[length] = '\0';
		header_value(value, &hop, &facts);
		for (const char *line = value; line != NULL; line = strchr(line + 1, '\n'))
			ck_assert_uint_lt(strcspn(line + 1, "\n") + sizeof "Failfast-Status: ", 998);
		ck_assert_ptr_nonnull(strstr(value, "id=EC0648A78936"));
	}
	/* Every line but one that is a single part keeps to 78. */
	(void)snprintf(host, sizeof host, "mx.example.com");
	for (size_t length = 1; length < 60; length++) {
		memset(hop.name, 'n', length);
		hop.name[length] = '\0';
		header_value(value, &hop, &facts);
		ck_assert_uint_le(strcspn(value, "\n") + strlen("Failfast-Status: "), 78);
		for (const char *line = strchr(value, '\n'); line != NULL; line = strchr(line + 1, '\n'))
			ck_assert_uint_le(strcspn(line + 1, "\n"), 78);
	}
}
END_TEST

START_TEST(nothing_can_break_out_of_the_header)
{
	struct hop_view hop = amavis(STATE_DOWN, REASON_CONNECTION_REFUSED);
	const struct header_facts facts = {"X-Y", "mx\r\nX: y", "ID;\nZ", ROLE_TRANSPORT, false};
	char value[HEADER_VALUE_BYTES];

	(void)snprintf(hop.name, sizeof hop.name, "a\"; state=up\r\nBcc: x\\");
	header_value(value, &hop, &facts);
	ck_assert_ptr_null(strchr(value, '\r'));
	for (const char *cp = strchr(value, '\n'); cp != NULL; cp = strchr(cp + 1, '\n'))
		ck_assert_int_eq(cp[1], '\t');
	ck_assert_ptr_nonnull(strstr(value, "hop=\"a\\\"; state=up??Bcc: x\\\\\";"));
}
END_TEST

START_TEST(forged_headers_are_known_by_our_host_name)
{
	ck_assert(header_is_from("mx.example.com; state=up", "mx.example.com"));
	ck_assert(header_is_from(" \r\n\tMX.Example.COM ; state=up", "mx.example.com"));
	ck_assert(header_is_from("mx.example.com", "mx.example.com"));
	ck_assert(!header_is_from("mx.example.com.evil; state=up", "mx.example.com"));
	ck_assert(!header_is_from("xmx.example.com; state=up", "mx.example.com"));
	ck_assert(!header_is_from("", "mx.example.com"));
	ck_assert(header_is_from("(a (b\\) c)) mx.example.com (d); state=up", "mx.example.com"));
	ck_assert(header_is_from("\"mx.example.com\"; state=up", "mx.example.com"));
	ck_assert(header_is_from("mx.example.com.; state=up", "mx.example.com"));
	ck_assert(header_is_from("mx.example.com(x); state=up", "mx.example.com"));
	ck_assert(!header_is_from("(mx.example.com) other.example", "mx.example.com"));
	ck_assert(!header_is_from("(mx.example.com", "mx.example.com"));
}
END_TEST

/*
 * Whole messages, on a site with a filter and a relay
 */
static struct table *table;

static const char main_cf[] = "myhostname = mx.example.com\nmynetworks = 192.0.2.0/24\n"
			      "content_filter = scan:[127.0.0.1]:10024\n"
			      "relayhost = [127.0.0.1]:2525\ndefault_transport = smtp\n"
			      "queue_directory = /q\ninet_interfaces = all\n";
static const char master_cf[] = "smtp inet n - y - - smtpd\n127.0.0.1:10025 inet n - y - - smtpd\n"
				"smtp unix - - y - - smtp\nscan unix - - y - - smtp\n";
static const char options[] = "127.0.0.1:10025/inet/content_filter = \n";

static void fail_report(void *arg, const char *message)
{
	(void)arg;
	ck_abort_msg("%s", message);
}

static void open_site(const char *more)
{
	struct postconf postconf = {.directory = xstrdup("/etc/postfix"),
		.main = xstrdup(main_cf),
		.services = xstrdup(master_cf),
		.parameters = xstrdup(options)};
	char *text = xasprintf("user = \"\"\nlisten_group = \"\"\n%s", more);
	FILE *fp = fmemopen(text, strlen(text), "r");
	struct conf *conf = conf_parse(fp, "test.conf", fail_report, NULL);

	site_publish(site_new(conf, &postconf, 1));
	fclose(fp);
	free(text);
	conf_unref(conf);
	postconf_free(&postconf);
}

static void setup(void)
{
	table = table_new();
	open_site("");
}

static void teardown(void)
{
	site_publish(NULL);
	table_free(table);
}

static void set(const char *name, enum reason reason)
{
	const struct machine_policy policy = {1, 1};
	const struct hop_settings settings = {
		.name = name, .is_probed = true, .roles = ROLE_TRANSPORT, .interval_ms = 10000};
	struct hop *hop = table_put(table, &settings, clock_now_ms());
	struct findings findings = {.detail = "", .latency_us = -1, .evidence_ms = clock_now_ms()};

	findings.has[CHECK_SERVER] = true;
	findings.outcome[CHECK_SERVER] =
		(struct outcome){reason, reason_severity(reason), true};
	table_record(table, hop, &policy, &findings);
}

static struct facts stranger(const char *mailer, const char *nexthop)
{
	return (struct facts){.host = "mx.example.com", .daemon_address = "192.0.2.1",
		.daemon_port = "25", .client_address = "198.51.100.1", .client_name = "client",
		.sender = "a@example.org", .recipient = "b@example.com", .mailer = mailer,
		.nexthop = nexthop};
}

/* begin_message - of a session that begins now */
static struct message *begin_message(const struct facts *facts)
{
	struct site *site = site_current();
	struct message *message = message_new(site, facts);

	site_unref(site);
	return message;
}

static enum conf_action ask(struct message *message, const struct facts *facts,
	struct decision *decision)
{
	message_recipient(message, table, NULL, facts, decision);
	return decision->policy.action;
}

START_TEST(a_broken_filter_refuses_whatever_the_recipient_s_way_is)
{
	struct facts facts = stranger("smtp", "[127.0.0.1]:2525");
	struct message *message = begin_message(&facts);
	struct decision decision;

	set("scan:[127.0.0.1]:10024", REASON_CONNECTION_REFUSED);
	set("smtp:[127.0.0.1]:2525", REASON_NONE);
	ck_assert_int_eq(ask(message, &facts, &decision), ACTION_TEMPFAIL);
	ck_assert_int_eq(decision.leg.role, ROLE_CONTENT_FILTER);
	ck_assert(decision.policy.is_brief);
	message_free(message);
}
END_TEST

START_TEST(the_first_hop_that_mail_meets_is_named)
{
	struct facts facts = stranger("smtp", "[127.0.0.1]:2525");
	struct message *message = begin_message(&facts);
	struct decision decision;

	set("scan:[127.0.0.1]:10024", REASON_CONNECTION_LOST);
	set("smtp:[127.0.0.1]:2525", REASON_CONNECTION_REFUSED);
	ck_assert_int_eq(ask(message, &facts, &decision), ACTION_TEMPFAIL);
	ck_assert_int_eq(decision.hop.reason, REASON_CONNECTION_LOST);
	message_free(message);
}
END_TEST

START_TEST(a_degraded_filter_does_not_hide_a_broken_relay)
{
	struct facts facts = stranger("smtp", "[127.0.0.1]:2525");
	struct message *message = begin_message(&facts);
	struct decision decision;

	set("scan:[127.0.0.1]:10024", REASON_SLOW);
	set("smtp:[127.0.0.1]:2525", REASON_CONNECTION_REFUSED);
	ck_assert_int_eq(ask(message, &facts, &decision), ACTION_TEMPFAIL);
	ck_assert_int_eq(decision.leg.role, ROLE_RELAYHOST);
	message_free(message);
}
END_TEST

START_TEST(one_broken_recipient_does_not_refuse_another)
{
	struct facts good = stranger("smtp", "[127.0.0.1]:2525");
	struct facts bad = stranger("smtp", "[127.0.0.1]:2526");
	struct message *message = begin_message(&good);
	struct decision decision;
	struct reply reply = {"451", "4.4.1", "x"};

	set("scan:[127.0.0.1]:10024", REASON_NONE);
	set("smtp:[127.0.0.1]:2525", REASON_NONE);
	set("smtp:[127.0.0.1]:2526", REASON_CONNECTION_REFUSED);
	ck_assert_int_eq(ask(message, &good, &decision), ACTION_ACCEPT);
	ck_assert_int_eq(ask(message, &bad, &decision), ACTION_TEMPFAIL);
	message_refused(message, &decision, &reply);
	ck_assert_ptr_null(message_refusal(message));
	message_end(message, table, &decision);
	ck_assert_int_eq(decision.policy.action, ACTION_ACCEPT);
	message_free(message);
}
END_TEST

START_TEST(authenticated_clients_get_all_or_nothing_and_full_words)
{
	struct facts facts = stranger("smtp", "[127.0.0.1]:2526");
	struct message *message;
	struct decision decision;
	struct reply reply = {"451", "4.4.1", "x"};

	facts.login = "user";
	message = begin_message(&facts);
	set("scan:[127.0.0.1]:10024", REASON_NONE);
	set("smtp:[127.0.0.1]:2526", REASON_CONNECTION_REFUSED);
	ck_assert_int_eq(ask(message, &facts, &decision), ACTION_TEMPFAIL);
	ck_assert(!decision.policy.is_brief);
	message_refused(message, &decision, &reply);
	ck_assert_str_eq(message_refusal(message)->text, "x");
	message_free(message);
}
END_TEST

START_TEST(mynetworks_get_full_words)
{
	struct facts facts = stranger("smtp", "example.com");
	struct message *message;
	struct decision decision;

	facts.client_address = "192.0.2.77";
	message = begin_message(&facts);
	set("scan:[127.0.0.1]:10024", REASON_CONNECTION_REFUSED);
	ck_assert_int_eq(ask(message, &facts, &decision), ACTION_TEMPFAIL);
	ck_assert(!decision.policy.is_brief);
	ck_assert(!decision.policy.all_or_nothing);
	ck_assert_str_eq(message_client_name(message), "client");
	ck_assert_str_eq(message_client_address(message), "192.0.2.77");
	message_free(message);
}
END_TEST

START_TEST(what_breaks_while_the_data_comes_refuses_the_message)
{
	struct facts facts = stranger("smtp", "[127.0.0.1]:2525");
	struct message *message = begin_message(&facts);
	struct decision decision;

	set("scan:[127.0.0.1]:10024", REASON_NONE);
	set("smtp:[127.0.0.1]:2525", REASON_NONE);
	ck_assert_int_eq(ask(message, &facts, &decision), ACTION_ACCEPT);
	set("scan:[127.0.0.1]:10024", REASON_CONNECTION_REFUSED);
	message_end(message, table, &decision);
	ck_assert_int_eq(decision.policy.action, ACTION_TEMPFAIL);
	message_free(message);
}
END_TEST

START_TEST(what_breaks_late_for_one_of_two_recipients_only_tags)
{
	struct facts first = stranger("smtp", "[127.0.0.1]:2525");
	struct facts second = stranger("smtp", "[127.0.0.1]:2526");
	struct message *message = begin_message(&first);
	struct decision decision;

	set("scan:[127.0.0.1]:10024", REASON_NONE);
	set("smtp:[127.0.0.1]:2525", REASON_NONE);
	set("smtp:[127.0.0.1]:2526", REASON_NONE);
	ask(message, &first, &decision);
	ask(message, &second, &decision);
	set("smtp:[127.0.0.1]:2526", REASON_CONNECTION_REFUSED);
	message_end(message, table, &decision);
	ck_assert_int_eq(decision.policy.action, ACTION_TAG);
	set("smtp:[127.0.0.1]:2525", REASON_CONNECTION_REFUSED);
	message_end(message, table, &decision);
	ck_assert_int_eq(decision.policy.action, ACTION_TEMPFAIL);
	message_free(message);
}
END_TEST

static void count_tag(void *arg, const struct hop_view *hop, enum hop_role role)
{
	(void)hop;
	(void)role;
	++*(int *)arg;
}

START_TEST(mail_of_sendmail_is_tagged_never_refused)
{
	struct facts facts = stranger(NULL, NULL);
	struct message *message;
	struct decision decision;
	int tags = 0;

	facts.daemon_port = "0";
	message = begin_message(&facts);
	set("scan:[127.0.0.1]:10024", REASON_CONNECTION_REFUSED);
	ck_assert_int_eq(ask(message, &facts, &decision), ACTION_TAG);
	message_end(message, table, &decision);
	ck_assert_int_eq(decision.policy.action, ACTION_TAG);
	message_each_tag(message, table, &decision, count_tag, &tags);
	ck_assert_int_eq(tags, 1);
	message_free(message);
}
END_TEST

START_TEST(what_a_filter_hands_back_is_accepted_with_its_headers)
{
	struct facts facts = stranger("smtp", "[127.0.0.1]:2525");
	struct message *message;
	struct decision decision;

	facts.daemon_address = "127.0.0.1";
	facts.daemon_port = "10025";
	message = begin_message(&facts);
	set("scan:[127.0.0.1]:10024", REASON_CONNECTION_REFUSED);
	set("smtp:[127.0.0.1]:2525", REASON_CONNECTION_REFUSED);
	ck_assert_int_eq(ask(message, &facts, &decision), ACTION_ACCEPT);
	ck_assert(decision.is_faulty);
	message_forged(message, "mx.example.com; state=down");
	ck_assert_uint_eq(message_next_forged(message), 0);
	message_free(message);
}
END_TEST

START_TEST(forged_headers_are_given_highest_first)
{
	struct facts facts = stranger("smtp", "example.com");
	struct message *message = begin_message(&facts);

	message_forged(message, "mx.example.com; state=up");
	message_forged(message, "other.example; state=up");
	message_forged(message, "mx.example.com");
	ck_assert_uint_eq(message_next_forged(message), 3);
	ck_assert_uint_eq(message_next_forged(message), 1);
	ck_assert_uint_eq(message_next_forged(message), 0);
	message_free(message);
}
END_TEST

START_TEST(tag_always_and_never_do_what_they_say)
{
	struct facts facts = stranger("smtp", "[127.0.0.1]:2525");
	struct message *message;
	struct decision decision;
	int tags = 0;

	set("scan:[127.0.0.1]:10024", REASON_NONE);
	set("smtp:[127.0.0.1]:2525", REASON_SLOW);
	open_site("tag = always\n");
	message = begin_message(&facts);
	ask(message, &facts, &decision);
	message_end(message, table, &decision);
	message_each_tag(message, table, &decision, count_tag, &tags);
	ck_assert_int_eq(tags, 2);
	message_free(message);
	open_site("tag = never\n");
	message = begin_message(&facts);
	tags = 0;
	ask(message, &facts, &decision);
	message_end(message, table, &decision);
	message_each_tag(message, table, &decision, count_tag, &tags);
	ck_assert_int_eq(tags, 0);
	message_free(message);
}
END_TEST

START_TEST(a_reload_changes_nothing_in_mid_message)
{
	struct facts facts = stranger("smtp", "[127.0.0.1]:2525");
	struct message *message = begin_message(&facts);

	open_site("header = X-Other\n");
	ck_assert_str_eq(message_conf(message)->header, "Failfast-Status");
	message_free(message);
	message = begin_message(&facts);
	ck_assert_str_eq(message_conf(message)->header, "X-Other");
	message_free(message);
}
END_TEST

START_TEST(a_thousand_recipients_of_one_hop_cost_one_leg)
{
	struct facts facts = stranger("smtp", "[127.0.0.1]:2525");
	struct message *message = begin_message(&facts);
	struct decision decision;
	int tags = 0;

	set("scan:[127.0.0.1]:10024", REASON_NONE);
	set("smtp:[127.0.0.1]:2525", REASON_SLOW);
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(ask(message, &facts, &decision), ACTION_TAG);
	message_end(message, table, &decision);
	message_each_tag(message, table, &decision, count_tag, &tags);
	ck_assert_int_eq(tags, 1);
	message_free(message);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, replies_read_as_promised);
	tcase_add_test(tcase, a_time_of_another_day_has_its_date);
	tcase_add_test(tcase, a_reply_is_printable_and_not_too_long);
	tcase_add_test(tcase, the_header_reads_as_promised);
	tcase_add_test(tcase, no_line_of_the_header_is_too_long);
	tcase_add_test(tcase, nothing_can_break_out_of_the_header);
	tcase_add_test(tcase, forged_headers_are_known_by_our_host_name);
	tcase_add_test(tcase, a_broken_filter_refuses_whatever_the_recipient_s_way_is);
	tcase_add_test(tcase, the_first_hop_that_mail_meets_is_named);
	tcase_add_test(tcase, a_degraded_filter_does_not_hide_a_broken_relay);
	tcase_add_test(tcase, one_broken_recipient_does_not_refuse_another);
	tcase_add_test(tcase, authenticated_clients_get_all_or_nothing_and_full_words);
	tcase_add_test(tcase, mynetworks_get_full_words);
	tcase_add_test(tcase, what_breaks_while_the_data_comes_refuses_the_message);
	tcase_add_test(tcase, what_breaks_late_for_one_of_two_recipients_only_tags);
	tcase_add_test(tcase, mail_of_sendmail_is_tagged_never_refused);
	tcase_add_test(tcase, what_a_filter_hands_back_is_accepted_with_its_headers);
	tcase_add_test(tcase, forged_headers_are_given_highest_first);
	tcase_add_test(tcase, tag_always_and_never_do_what_they_say);
	tcase_add_test(tcase, a_reload_changes_nothing_in_mid_message);
	tcase_add_test(tcase, a_thousand_recipients_of_one_hop_cost_one_leg);
}

int main(void)
{
	return suite_run("verdict", add);
}
