/*
 * check_attribution - which hop a line is about
 */
#include "postfix/attribution.h"

#include "base/xmem.h"
#include "suite.h"

#include <stdio.h>
#include <string.h>

static const char main_cf[] = "queue_directory = /var/spool/postfix\n"
			      "myhostname = mx.example.com\n"
			      "inet_protocols = ipv4\n"
			      "syslog_name = postfix\n"
			      "maillog_file = \n";
static const char other_cf[] = "queue_directory = /var/spool/postfix-out\n"
			       "myhostname = mx.example.com\n"
			       "multi_instance_name = postfix-out\n"
			       "inet_protocols = ipv4\n"
			       "syslog_name = postfix-out\n"
			       "maillog_file = \n";
static const char master_cf[] = "smtp unix - - y - - smtp\n"
				"relay unix - - y - - smtp\n"
				"named unix - - y - - smtp\n"
				"lmtp unix - - y - - lmtp\n"
				"qmgr unix n - n 300 1 qmgr\n"
				"local unix - n n - - local\n";
static const char options[] = "named/unix/syslog_name = postfix/named\n";

static struct attribution *attribution;
static struct suspects suspects;

static void fail_report(void *arg, const char *message)
{
	(void)arg;
	ck_abort_msg("%s", message);
}

/* begin - a site of one or two instances; second_cf NULL: one */
static void begin(const char *second_cf)
{
	struct postconf postconfs[2] = {
		{.directory = xstrdup("/etc/postfix"),
			.main = xstrdup(main_cf),
			.services = xstrdup(master_cf),
			.parameters = xstrdup(options)},
		{.directory = xstrdup("/etc/postfix-out"),
			.main = xstrdup(second_cf != NULL ? second_cf : main_cf),
			.services = xstrdup(master_cf),
			.parameters = xstrdup(options)},
	};
	char text[] = "user = \"\"\nlisten_group = \"\"\n";
	FILE *fp = fmemopen(text, strlen(text), "r");
	struct conf *conf = conf_parse(fp, "test.conf", fail_report, NULL);
	struct site *site = site_new(conf, postconfs, second_cf != NULL ? 2 : 1);

	fclose(fp);
	attribution = attribution_new(site);
	site_unref(site);
	conf_unref(conf);
	postconf_free(&postconfs[0]);
	postconf_free(&postconfs[1]);
}

static void teardown(void)
{
	attribution_free(attribution);
}

/* ask - of the first instance's log */
static const char *ask(const char *tag, const char *name, const char *address, unsigned port)
{
	struct maillog_line line = {.statement = STATEMENT_FAILS, .port = (uint16_t)port};

	(void)snprintf(line.tag, sizeof line.tag, "%s", tag);
	(void)snprintf(line.name, sizeof line.name, "%s", name);
	(void)snprintf(line.address, sizeof line.address, "%s", address);
	attribution_find(attribution, "/etc/postfix", &line, &suspects);
	return suspects.count == 1 && suspects.is_sure ? suspects.hop[0] : "";
}

START_TEST(a_server_is_known_by_name_or_address_and_port)
{
	begin(NULL);
	attribution_add(attribution, "smtp:[Relay.example.net]:587");
	attribution_add(attribution, "smtp:[192.0.2.1]:2525");
	attribution_add(attribution, "local:");
	ck_assert_str_eq(ask("postfix/smtp", "relay.example.net", "192.0.2.7", 587),
		"smtp:[Relay.example.net]:587");
	ck_assert_str_eq(
		ask("postfix/smtp", "192.0.2.1", "192.0.2.1", 2525), "smtp:[192.0.2.1]:2525");
	ck_assert_str_eq(ask("postfix/smtp", "relay.example.net", "", 0), "smtp:[Relay.example.net]:587");
	ck_assert_str_eq(ask("postfix/smtp", "relay.example.net", "192.0.2.7", 25), "");
	ck_assert_str_eq(ask("postfix/smtp", "mx.example.org", "192.0.2.9", 25), "");
	ck_assert_uint_eq(suspects.count, 0);
}
END_TEST

START_TEST(another_service_is_meant_by_another_name)
{
	begin(NULL);
	attribution_add(attribution, "smtp:[192.0.2.1]:25");
	attribution_add(attribution, "named:[192.0.2.1]:25");
	ck_assert_str_eq(ask("postfix/smtp", "192.0.2.1", "192.0.2.1", 25), "smtp:[192.0.2.1]:25");
	ck_assert_str_eq(
		ask("postfix/named/smtp", "192.0.2.1", "192.0.2.1", 25), "named:[192.0.2.1]:25");
	ck_assert_str_eq(ask("postfix/lmtp", "192.0.2.1", "192.0.2.1", 25), "");
	ck_assert_str_eq(ask("other/smtp", "192.0.2.1", "192.0.2.1", 25), "");
}
END_TEST

START_TEST(services_that_log_alike_are_both_suspects)
{
	begin(NULL);
	attribution_add(attribution, "smtp:[192.0.2.1]:25");
	attribution_add(attribution, "relay:[192.0.2.1]:25");
	ck_assert_str_eq(ask("postfix/smtp", "192.0.2.1", "192.0.2.1", 25), "");
	ck_assert_uint_eq(suspects.count, 2);
	ck_assert(!suspects.is_sure);
}
END_TEST

START_TEST(too_many_suspects_are_none)
{
	char name[64];

	begin(NULL);
	for (int i = 0; i <= ATTRIBUTION_HOPS; i++) {
		(void)snprintf(name, sizeof name, "smtp:[relay.example.net]:%d", 100 + i);
		attribution_add(attribution, name);
	}
	(void)ask("postfix/smtp", "relay.example.net", "", 0);
	ck_assert_uint_eq(suspects.count, 0);
}
END_TEST

START_TEST(a_socket_is_known_by_its_path)
{
	begin(NULL);
	attribution_add(attribution, "lmtp:unix:private/dovecot-lmtp");
	attribution_add(attribution, "lmtp:unix:/run/lmtp");
	ck_assert_str_eq(ask("postfix/lmtp", "mx.example.com", "private/dovecot-lmtp", 0),
		"lmtp:unix:private/dovecot-lmtp");
	ck_assert_str_eq(ask("postfix/lmtp", "mx.example.com", "/run/lmtp", 0), "lmtp:unix:/run/lmtp");
	ck_assert_str_eq(ask("postfix/lmtp", "mx.example.com", "private/other", 0), "");
}
END_TEST

START_TEST(a_transport_is_known_by_its_name)
{
	struct maillog_line line = {
		.statement = STATEMENT_FAILS, .tag = "postfix/qmgr", .transport = "customer"};

	begin(NULL);
	attribution_find(attribution, "/etc/postfix", &line, &suspects);
	ck_assert_uint_eq(suspects.count, 1);
	ck_assert_str_eq(suspects.hop[0], "customer:");
	(void)strcpy(line.tag, "elsewhere/qmgr");
	attribution_find(attribution, "/etc/postfix", &line, &suspects);
	ck_assert_uint_eq(suspects.count, 0);
	attribution_find(attribution, "/etc/unknown", &line, &suspects);
	ck_assert_uint_eq(suspects.count, 0);
}
END_TEST

START_TEST(each_instance_has_hops_of_its_own)
{
	begin(other_cf);
	attribution_add(attribution, "smtp:[192.0.2.1]:25");
	attribution_add(attribution, "postfix-out/smtp:[192.0.2.1]:25");
	ck_assert_str_eq(ask("postfix/smtp", "192.0.2.1", "192.0.2.1", 25), "smtp:[192.0.2.1]:25");
	ck_assert_str_eq(ask("postfix-out/smtp", "192.0.2.1", "192.0.2.1", 25), "");
	ck_assert_uint_eq(suspects.count, 0);
}
END_TEST

START_TEST(instances_that_log_alike_are_not_told_apart)
{
	begin(main_cf);
	attribution_add(attribution, "smtp:[192.0.2.1]:25");
	(void)ask("postfix/smtp", "192.0.2.1", "192.0.2.1", 25);
	ck_assert_uint_eq(suspects.count, 1);
	ck_assert(!suspects.is_sure);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, NULL, teardown);
	tcase_add_test(tcase, a_server_is_known_by_name_or_address_and_port);
	tcase_add_test(tcase, another_service_is_meant_by_another_name);
	tcase_add_test(tcase, services_that_log_alike_are_both_suspects);
	tcase_add_test(tcase, too_many_suspects_are_none);
	tcase_add_test(tcase, a_socket_is_known_by_its_path);
	tcase_add_test(tcase, a_transport_is_known_by_its_name);
	tcase_add_test(tcase, each_instance_has_hops_of_its_own);
	tcase_add_test(tcase, instances_that_log_alike_are_not_told_apart);
}

int main(void)
{
	return suite_run("attribution", add);
}
