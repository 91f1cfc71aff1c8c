/*
 * check_lint - transports, nexthops, bind addresses and commands that configuration refers to
 */
#include "lint_helper.h"

static const char master_cf[] = "smtp inet n - n - - smtpd\n"
				"127.0.0.1:10025 inet n - n - - smtpd\n"
				"smtp unix - - n - - smtp\n"
				"out unix - - n - - smtp\n"
				"lmtp unix - - n - - lmtp\n"
				"local unix - n n - - local\n"
				"error unix - - n - - error\n"
				"script unix - n n - - pipe user=nobody argv=/no/such/program\n";

static void (*const hops[])(const struct lint *lint) = {lint_hops, NULL};
static void (*const maps[])(const struct lint *lint) = {lint_maps, NULL};

static void lint_main(const char *main_cf, const char *options,
	void (*const checks[])(const struct lint *lint))
{
	lint_texts("", main_cf, master_cf, options, checks);
}

START_TEST(texts_are_printable_and_bounded)
{
	char out[32];

	lint_put(out, sizeof out, "%s", "a\033[1m\n\xff z");
	ck_assert_str_eq(out, "a\\x1B[1m\\x0A\\xFF z");
	lint_put(out, sizeof out, "%050d", 7);
	ck_assert_uint_lt(strlen(out), sizeof out);
	ck_assert_str_eq(out + strlen(out) - 3, "...");
	for (size_t bytes = 10; bytes <= sizeof out; bytes++) {
		memset(out, 'x', sizeof out);
		lint_put(out, bytes, "%s", "\001\002\003\004\005\006\007\010\011");
		ck_assert_uint_lt(strlen(out), bytes);
	}
}
END_TEST

/* Parameters, and what is wrong with them: nothing where parameter is NULL. */
static const struct {
	const char *main_cf, *options;
	const char *parameter, *service, *words;
	enum lint_check check;
} parameters[] = {
	{"default_transport = smtp\nrelay_domains = x\nrelay_transport = out:[h]\n"
	 "mydestination = x\nlocal_transport = local:x\nmailbox_transport = lmtp:unix:/x\n"
	 "content_filter = \nrelayhost = [h]:587\nvirtual_transport = gone:\n",
		"smtp/inet/content_filter = \n", NULL, NULL, NULL, 0},
	{"default_transport = error:5.1.2 no more\n", "", NULL, NULL, NULL, 0},
	{"default_transport = gone\nrelayhost = [h]\n", "", "default_transport", "",
		"transport gone is not in master.cf", LINT_TRANSPORT_UNDEFINED},
	/* relayhost goes before the nexthop of the transport's own */
	{"default_transport = smtp:[h]:x-y\nrelayhost = [h]\n", "", NULL, NULL, NULL, 0},
	{"default_transport = smtp:[h]:x-y\n", "", "default_transport", "", "unknown port",
		LINT_NEXTHOP_INVALID},
	{"default_transport = smtp\nrelayhost = [h]:x-y\n", "", "relayhost", "", "unknown port",
		LINT_NEXTHOP_INVALID},
	{"default_transport = smtp\nrelayhost = [h], [i]:0\n", "", "relayhost", "",
		"port number out of range", LINT_NEXTHOP_INVALID},
	/* only virtual mailbox domains take it there */
	{"virtual_transport = gone:\nvirtual_mailbox_domains = x\n", "", "virtual_transport", "",
		"gone", LINT_TRANSPORT_UNDEFINED},
	{"content_filter = scan:[h]:1\n", "", "content_filter", "", "scan", LINT_TRANSPORT_UNDEFINED},
	{"", "smtp/inet/content_filter = scan:[h]:1\n", "content_filter", "smtp/inet", "scan",
		LINT_TRANSPORT_UNDEFINED},
	{"", "smtp/inet/smtpd_proxy_filter = h\n", "smtpd_proxy_filter", "smtp/inet", "unknown port",
		LINT_NEXTHOP_INVALID},
	{"smtpd_proxy_filter = unix:/x\nsmtp_fallback_relay = h i:25 [j]\n", "", NULL, NULL, NULL, 0},
	{"", "out/unix/lmtp_fallback_relay = unix:\n", "lmtp_fallback_relay", "out/unix",
		"missing path", LINT_NEXTHOP_INVALID},
	/* no server is asked there */
	{"mydestination = x\nlocal_transport = local:x:y:z\n", "", NULL, NULL, NULL, 0},
};

START_TEST(parameters_name_transports_and_nexthops)
{
	const struct lint_finding *finding;

	lint_main(parameters[_i].main_cf, parameters[_i].options, hops);
	if (parameters[_i].parameter == NULL) {
		ck_assert_msg(finding_count == 0, "%s", findings[0].message);
		return;
	}
	finding = must_find(parameters[_i].check, LINT_ERROR);
	ck_assert_str_eq(finding->parameter, parameters[_i].parameter);
	ck_assert_str_eq(finding->service, parameters[_i].service);
	ck_assert_str_eq(finding->instance, "/etc/postfix");
	ck_assert_str_eq(finding->file, *parameters[_i].service != '\0' ? "/etc/postfix/master.cf"
									: "/etc/postfix/main.cf");
	ck_has(finding->message, parameters[_i].words);
	ck_has(finding->fix, *parameters[_i].service != '\0' ? "postconf -c /etc/postfix -P"
							     : "postconf -c /etc/postfix -e");
}
END_TEST

START_TEST(tables_name_transports_and_the_keys_are_counted)
{
	listing = "@a\tgone:\n@b\tsmtp:\n@c\tgone:[h]\n@d\tsmtp:[h]:x-y\n@e\terror:no\n@f\tgone:\n"
		  "@g\tsmtp:[h]:x-y\n@h\t:[h]:x-y\n";
	lint_main("transport_maps = inline:{x=y}\ndefault_transport = smtp\n", "", maps);
	ck_assert_uint_eq(finding_count, 3);
	ck_assert_str_eq(findings[0].key, "@a");
	ck_assert_uint_eq(findings[0].count, 3);
	ck_assert_str_eq(findings[0].file, "inline:{x=y}");
	ck_assert_int_eq(findings[0].check, LINT_TRANSPORT_UNDEFINED);
	ck_assert_str_eq(findings[1].key, "@d");
	ck_assert_uint_eq(findings[1].count, 2);
	ck_assert_int_eq(findings[1].check, LINT_NEXTHOP_INVALID);
	ck_assert_str_eq(findings[2].key, "@h");
}
END_TEST

START_TEST(what_a_table_finds_is_bounded)
{
	static char text[100000];
	size_t used = 0;

	for (int i = 0; i < 3000; i++)
		used += (size_t)snprintf(text + used, sizeof text - used, "k%d\tgone%d:\n", i, i);
	listing = text;
	lint_main("transport_maps = inline:{x=y}\n", "", maps);
	ck_assert_uint_eq(finding_count, 21);
	ck_assert_uint_eq(findings[20].count, 2980);
	ck_has(findings[20].message, "2980 more");
}
END_TEST

START_TEST(tables_of_senders_have_a_syntax_of_their_own)
{
	listing = "@a\tDUNNO\n@b\tgone\n";
	lint_main("sender_dependent_default_transport_maps = inline:{x=y}\n", "", maps);
	ck_assert_str_eq(must_find(LINT_TRANSPORT_UNDEFINED, LINT_ERROR)->key, "@b");
	listing = "@a\tDUNNO\n@b\t[h]:x-y\n@c\tgone:25\n";
	lint_main("sender_dependent_relayhost_maps = inline:{x=y}\ndefault_transport = smtp\n", "", maps);
	ck_assert_str_eq(must_find(LINT_NEXTHOP_INVALID, LINT_ERROR)->key, "@b");
}
END_TEST

START_TEST(tables_that_cannot_be_listed)
{
	listing = NULL;
	lint_main("transport_maps = inline:{x=y}\n", "", maps);
	ck_has(must_find(LINT_TABLE_UNLISTED, LINT_WARNING)->message, "exit status 1");
	lint_main("transport_maps = unix:passwd.byname\n", "", maps);
	ck_has(must_find(LINT_TABLE_UNLISTED, LINT_INFO)->message, "learned from mail");
	/* what is wrong with these is said elsewhere */
	lint_main("transport_maps = nosuchtype:x, hash:/no/such/file\n", "", maps);
	ck_assert_uint_eq(finding_count, 0);
}
END_TEST

START_TEST(a_bind_address_of_main_cf_is_told_of_once)
{
	static void (*const binds[])(const struct lint *lint) = {lint_hops, lint_binds, NULL};

	lint_main("smtp_bind_address = none\nsmtp_bind_address6 = \ninet_protocols = all\n", "", binds);
	ck_assert_str_eq(must_find(LINT_BIND_ADDRESS, LINT_ERROR)->service, "");
	lint_main("smtp_bind_address = 127.0.0.1\n", "", binds);
	ck_assert_uint_eq(finding_count, 0);
	/* out/unix is used by nobody, smtp/unix is */
	lint_main("default_transport = smtp\n",
		"out/unix/smtp_bind_address = none\nsmtp/unix/smtp_bind_address = none\n", binds);
	ck_assert_uint_eq(finding_count, 2);
	ck_assert_str_eq(findings[0].service, "smtp/unix");
	ck_assert_int_eq(findings[0].severity, LINT_ERROR);
	ck_assert_int_eq(findings[1].severity, LINT_INFO);
	lint_main("smtp_bind_address6 = none\ninet_protocols = ipv4\n", "", binds);
	ck_assert_uint_eq(finding_count, 0);
}
END_TEST

START_TEST(a_command_that_nothing_uses_is_a_remark)
{
	static void (*const commands[])(const struct lint *lint) = {lint_hops, lint_commands, NULL};
	static const char programs[] = "script unix - n n - - pipe user=nobody argv=/no/such/program\n"
				       "gone unix - - n - - nosuchagent\n"
				       "25 inet n - n - - nosuchserver\n";

	lint_texts("", "daemon_directory = /no/such/folder\nmail_owner = postfix\n", programs, "", commands);
	ck_assert_uint_eq(finding_count, 2);
	ck_assert_str_eq(findings[0].service, "25/inet");
	ck_assert_int_eq(findings[0].severity, LINT_ERROR);
	ck_assert_int_eq(findings[1].severity, LINT_INFO);
	ck_has(findings[1].message, "script, gone");
	lint_texts("", "daemon_directory = /no/such/folder\ncontent_filter = gone:x\n",
		"gone unix - - n - - nosuchagent\n", "", commands);
	ck_has(must_find(LINT_PROGRAM_MISSING, LINT_ERROR)->message, "/no/such/folder/nosuchagent");
}
END_TEST

START_TEST(our_own_configuration_names_transports)
{
	static void (*const own[])(const struct lint *lint) = {lint_own, NULL};

	lint_texts("content_filter = \"smtp:[h]\"\nhop \"lmtp:*\" { }\nhop \"gone:*\" { }\n", "", master_cf,
		"", own);
	ck_assert_uint_eq(finding_count, 0);
	lint_texts("hop \"gone:[h]:1\" { }\n", "", master_cf, "", own);
	ck_has(must_find(LINT_TRANSPORT_UNDEFINED, LINT_ERROR)->fix, "line 3");
	ck_assert_str_eq(findings[0].instance, "");
	ck_assert_str_eq(findings[0].file, "test.conf");
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, texts_are_printable_and_bounded);
	tcase_add_loop_test(tcase, parameters_name_transports_and_nexthops, 0,
		sizeof parameters / sizeof *parameters);
	tcase_add_test(tcase, tables_name_transports_and_the_keys_are_counted);
	tcase_add_test(tcase, what_a_table_finds_is_bounded);
	tcase_add_test(tcase, tables_of_senders_have_a_syntax_of_their_own);
	tcase_add_test(tcase, tables_that_cannot_be_listed);
	tcase_add_test(tcase, a_bind_address_of_main_cf_is_told_of_once);
	tcase_add_test(tcase, a_command_that_nothing_uses_is_a_remark);
	tcase_add_test(tcase, our_own_configuration_names_transports);
}

int main(void)
{
	return suite_run("lint", add);
}
