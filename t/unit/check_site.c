/*
 * check_site - what is made of Postfix's configuration: listeners, hops, plans
 */
#include "postfix/site.h"

#include "base/xmem.h"
#include "suite.h"

#include <stdio.h>
#include <string.h>

/* The shape of a usual site: amavis behind smtpd and submission, a re-entry listener, postscreen. */
static const char main_cf[] = "myhostname = mx.example.com\n"
			      "queue_directory = /var/spool/postfix\n"
			      "content_filter = smtp-amavis:[127.0.0.1]:10024\n"
			      "relayhost = [relay.example.net]:587\n"
			      "default_transport = smtp\n"
			      "relay_transport = relay\n"
			      "local_transport = local:mx.example.com\n"
			      "virtual_transport = lmtp:unix:private/dovecot-lmtp\n"
			      "mydestination = mx.example.com\n"
			      "virtual_mailbox_domains = example.com\n"
			      "mailbox_transport = \n"
			      "fallback_transport = \n"
			      "smtpd_proxy_filter = \n"
			      "smtp_helo_name = $myhostname\n"
			      "lmtp_lhlo_name = lmtp.example.com\n"
			      "inet_protocols = ipv4\n"
			      "inet_interfaces = all\n"
			      "smtp_mx_address_limit = 5\n"
			      "max_idle = 90\n"
			      "smtp_tls_wrappermode = no\n"
			      "mynetworks = 127.0.0.0/8, !192.0.2.7 192.0.2.0/24 [2001:db8::]/32 hash:/x\n";
static const char master_cf[] = "smtp inet n - y - 1 postscreen\n"
				"smtpd pass - - y - - smtpd\n"
				"submission inet n - y - - smtpd\n"
				"127.0.0.1:10025 inet n - y - - smtpd\n"
				"127.0.0.1:10026 inet n - y - - smtpd\n"
				"0.0.0.0:2526 inet n - y - - smtpd\n"
				"[::]:2527 inet n - y - - smtpd\n"
				"localhost:10027 inet n - y - - smtpd\n"
				"pickup unix n - y 60 1 pickup\n"
				"smtp unix - - y - - smtp\n"
				"relay unix - - y - - smtp\n"
				"smtps-out unix - - y - - smtp\n"
				"safe unix - - y - - smtp\n"
				"hosts unix - - y - - smtp\n"
				"lmtp unix - - y - - lmtp\n"
				"local unix - n n - - local\n"
				"dovecot unix - n n - - pipe flags=DRhu user=vmail:vmail "
				"argv=/usr/lib/lda -d { a b }\n"
				"smtp-amavis unix - - y - 2 smtp\n";
static const char options[] = "127.0.0.1:10025/inet/content_filter = \n"
			      "127.0.0.1:10025/inet/mynetworks = 127.0.0.0/8\n"
			      "127.0.0.1:10026/inet/smtpd_proxy_filter = 127.0.0.1:10030\n"
			      "smtps-out/unix/smtp_tls_wrappermode = yes\n"
			      "smtps-out/unix/smtp_bind_address = 192.0.2.9\n"
			      "0.0.0.0:2526/inet/content_filter = a:[192.0.2.1]\n"
			      "[::]:2527/inet/content_filter = b:[192.0.2.1]\n"
			      "localhost:10027/inet/content_filter = \n"
			      "safe/unix/smtp_fallback_relay = [192.0.2.66]\n"
			      "hosts/unix/disable_dns_lookups = yes\n"
			      "hosts/unix/smtp_host_lookup = native\n"
			      "submission/inet/content_filter = scan:[127.0.0.1]:10099\n";

static struct site *site;

static void fail_report(void *arg, const char *message)
{
	(void)arg;
	ck_abort_msg("%s", message);
}

static struct site *make_site_of(const char *conf_text, size_t instances, const char *parameters,
	const char *services, const char *overrides)
{
	struct postconf postconf = {.directory = xstrdup("/etc/postfix"),
		.main = xstrdup(parameters),
		.services = xstrdup(services),
		.parameters = xstrdup(overrides)};
	FILE *fp = fmemopen((char *)conf_text, strlen(conf_text), "r");
	struct conf *conf = conf_parse(fp, "test.conf", fail_report, NULL);
	struct site *made = site_new(conf, &postconf, instances);

	fclose(fp);
	conf_unref(conf);
	postconf_free(&postconf);
	return made;
}

static struct site *make_site(const char *conf_text, size_t instances)
{
	return make_site_of(conf_text, instances, main_cf, master_cf, options);
}

static void setup(void)
{
	site = make_site("user = \"\"\nlisten_group = \"\"\n", 1);
}

static void teardown(void)
{
	site_unref(site);
}

/* must_meet - exactly this filter */
static void must_meet(const struct origin *origin, const char *hop)
{
	ck_assert_uint_eq(origin->filters->count, 1);
	ck_assert_str_eq(origin->filters->leg[0].name, hop);
}

START_TEST(listeners_have_their_own_content_filter)
{
	struct origin origin;

	site_origin(site, "192.0.2.1", "25", NULL, &origin);
	must_meet(&origin, "smtp-amavis:[127.0.0.1]:10024");
	ck_assert_str_eq(origin.listener->smtpd->name, "smtpd");
	site_origin(site, "192.0.2.1", "587", NULL, &origin);
	must_meet(&origin, "scan:[127.0.0.1]:10099");
	site_origin(site, "127.0.0.1", "10026", NULL, &origin);
	must_meet(&origin, "smtpd_proxy_filter:127.0.0.1:10030");
	ck_assert(!origin.is_reentry);
}
END_TEST

START_TEST(an_explicitly_empty_filter_on_loopback_is_a_reentry)
{
	struct origin origin;

	site_origin(site, "127.0.0.1", "10025", NULL, &origin);
	ck_assert(origin.is_reentry);
	ck_assert_uint_eq(origin.filters->count, 0);
	/* The same port on another address is another listener, which master.cf does not have. */
	site_origin(site, "192.0.2.1", "10025", NULL, &origin);
	ck_assert(!origin.is_reentry);
}
END_TEST

START_TEST(a_listener_on_any_address_is_found_at_each)
{
	struct origin origin;

	site_origin(site, "192.0.2.1", "2526", NULL, &origin);
	must_meet(&origin, "a:[192.0.2.1]");
	site_origin(site, "2001:db8::1", "2527", NULL, &origin);
	must_meet(&origin, "b:[192.0.2.1]");
}
END_TEST

START_TEST(localhost_is_both_loopback_addresses)
{
	struct origin origin;

	site_origin(site, "::1", "10027", NULL, &origin);
	ck_assert(origin.is_reentry);
	site_origin(site, "127.0.0.1", "10027", NULL, &origin);
	ck_assert(origin.is_reentry);
}
END_TEST

START_TEST(an_unknown_port_has_the_filter_of_main_cf)
{
	struct origin origin;

	site_origin(site, "192.0.2.1", "2525", NULL, &origin);
	ck_assert_ptr_null(origin.listener);
	must_meet(&origin, "smtp-amavis:[127.0.0.1]:10024");
}
END_TEST

START_TEST(mail_of_sendmail_comes_in_through_pickup)
{
	struct origin origin;

	site_origin(site, "127.0.0.1", "0", NULL, &origin);
	ck_assert(origin.is_local);
	must_meet(&origin, "smtp-amavis:[127.0.0.1]:10024");
	site_origin(site, NULL, NULL, NULL, &origin);
	ck_assert(origin.is_local);
}
END_TEST

START_TEST(pickup_may_be_a_fifo_with_options_of_its_own)
{
	struct site *old = make_site_of("user = \"\"\nlisten_group = \"\"\n", 1, main_cf,
		"smtp inet n - n - - smtpd\npickup fifo n - n 60 1 pickup\n",
		"pickup/fifo/content_filter = \n");
	struct origin origin;

	site_origin(old, NULL, NULL, NULL, &origin);
	ck_assert(origin.is_local);
	ck_assert_uint_eq(origin.filters->count, 0);
	site_unref(old);
}
END_TEST

/* two_instances - of one host, or of two names; the first asks us for local mail or not */
static struct site *two_instances(const char *host, const char *first_milters)
{
	struct postconf pair[2] = {{.directory = xstrdup("/etc/postfix"),
					   .main = xasprintf("myhostname = mx\ncontent_filter = a:\n"
							     "non_smtpd_milters =%s\n",
						   first_milters)},
		{.directory = xstrdup("/etc/postfix-out"),
			.main = xasprintf("myhostname = %s\ncontent_filter = b:\n"
					  "non_smtpd_milters = inet:x:1\n",
				host)}};
	FILE *fp = fmemopen((char *)"user = \"\"\n", 10, "r");
	struct conf *conf = conf_parse(fp, "test.conf", fail_report, NULL);
	struct site *made;

	for (size_t i = 0; i < 2; i++) {
		pair[i].services = xstrdup(master_cf);
		pair[i].parameters = xstrdup("");
	}
	made = site_new(conf, pair, 2);
	for (size_t i = 0; i < 2; i++)
		postconf_free(&pair[i]);
	conf_unref(conf);
	(void)fclose(fp);
	return made;
}

static const struct {
	const char *second, *first_milters, *asked, *filter; /* "": nobody knows whose mail it is */
} pairs[] = {
	{"out", " inet:x:1", "mx", "a:"},
	{"out", " inet:x:1", "out", "postfix-out/b:"},
	{"mx", " inet:x:1", "mx", ""},
	{"mx", "", "mx", "postfix-out/b:"},
	{"out", "", NULL, "postfix-out/b:"},
	{"out", " inet:x:1", NULL, ""},
	{"out", " inet:x:1", "third", ""},
};

START_TEST(of_two_instances_the_one_whose_cleanup_asks_us_has_the_mail)
{
	struct site *two = two_instances(pairs[_i].second, pairs[_i].first_milters);
	struct origin origin;

	site_origin(two, NULL, NULL, pairs[_i].asked, &origin);
	ck_assert(origin.is_local);
	ck_assert_uint_eq(origin.filters->count, *pairs[_i].filter != '\0');
	if (origin.filters->count > 0)
		ck_assert_str_eq(origin.filters->leg[0].name, pairs[_i].filter);
	ck_assert((origin.instance != NULL) == (*pairs[_i].filter != '\0'));
	site_unref(two);
}
END_TEST

START_TEST(without_postfix_the_filter_of_our_own_configuration_holds)
{
	struct site *blind = make_site("user = \"\"\nlisten_group = \"\"\n"
				       "content_filter = \"scan:[127.0.0.1]:10024\"\n",
		0);
	struct origin origin;
	struct plan plan;

	site_origin(blind, "192.0.2.1", "25", NULL, &origin);
	must_meet(&origin, "scan:[127.0.0.1]:10024");
	ck_assert_ptr_null(origin.instance);
	site_plan(blind, "smtp:[127.0.0.1]:25", &plan);
	ck_assert_int_eq(plan.kind, PLAN_SERVER);
	site_unref(blind);
}
END_TEST

START_TEST(mynetworks_are_addresses_networks_and_exceptions)
{
	struct origin origin;

	site_origin(site, "192.0.2.1", "25", NULL, &origin);
	ck_assert(instance_in_mynetworks(origin.instance, origin.listener, "127.1.2.3", "unknown"));
	ck_assert(instance_in_mynetworks(origin.instance, origin.listener, "192.0.2.8", "unknown"));
	ck_assert(!instance_in_mynetworks(origin.instance, origin.listener, "192.0.2.7", "unknown"));
	ck_assert(instance_in_mynetworks(origin.instance, origin.listener, "2001:db8::5", "unknown"));
	ck_assert(!instance_in_mynetworks(origin.instance, origin.listener, "198.51.100.1", "unknown"));
	ck_assert(!instance_in_mynetworks(origin.instance, origin.listener, "unknown", "unknown"));
	/* A listener may have networks of its own. */
	site_origin(site, "127.0.0.1", "10025", NULL, &origin);
	ck_assert(instance_in_mynetworks(origin.instance, origin.listener, "127.0.0.1", "unknown"));
	ck_assert(!instance_in_mynetworks(origin.instance, origin.listener, "192.0.2.8", "unknown"));
}
END_TEST

START_TEST(files_tables_and_names_in_mynetworks_count_in_their_order)
{
	struct postconf postconf = {.directory = xstrdup("/etc/postfix"),
		.main = xstrdup("mynetworks = !/f, hash:/t 192.0.2.0/24 cidr:/unknown example.com, .example.net "
				"!cidr:/c [::1]/128\n"),
		.services = xstrdup(""),
		.parameters = xstrdup(""),
		.networks = xstrdup("=/f\n+192.0.2.1\n-192.0.2.2\n=/ff\n+192.0.2.9\n=hash:/t\n"
				    "+198.51.100.7\n+mx.example.org\n=cidr:/c\n+203.0.113.0/24\n")};
	struct instance *instance = instance_new(&postconf);
	static const struct {
		const char *address, *name;
		bool is_in;
	} clients[] = {
		{"192.0.2.1", "unknown", false}, /* excluded by the file */
		{"192.0.2.2", "unknown", true},	 /* excluded from what is excluded */
		{"192.0.2.9", "unknown", true},
		{"198.51.100.7", "unknown", true},
		{"198.51.100.8", "unknown", false},
		{"198.51.100.8", "MX.example.org", true},
		{"198.51.100.8", "a.mx.example.org", true},
		{"198.51.100.8", "xmx.example.org", false},
		{"198.51.100.8", "example.com", true},
		{"198.51.100.8", "a.example.com", true},
		{"198.51.100.8", "aexample.com", false},
		{"198.51.100.8", "example.net", false},
		{"198.51.100.8", "a.example.net", true},
		{"203.0.113.5", "unknown", false},
		{"::1", "unknown", true},
		{"unknown", "example.com", true},
		{"unknown", "unknown", false},
	};

	for (size_t i = 0; i < sizeof clients / sizeof *clients; i++)
		ck_assert_msg(instance_in_mynetworks(instance, NULL, clients[i].address, clients[i].name) ==
				      clients[i].is_in,
			"%s %s", clients[i].address, clients[i].name);
	instance_free(instance);
	postconf_free(&postconf);
}
END_TEST

static const struct {
	const char *mailer, *host, *recipient, *hop; /* hop NULL: none */
	enum hop_role role;
} routes[] = {
	{"smtp", "example.org", "a@example.org", "smtp:", ROLE_TRANSPORT},
	{"smtp", "EXAMPLE.org", "a@example.ORG", "smtp:", ROLE_TRANSPORT},
	{"smtp", "[relay.example.net]:587", "a@example.org", "smtp:[relay.example.net]:587",
		ROLE_RELAYHOST},
	{"relay", "[192.0.2.5]", "a@example.org", "relay:[192.0.2.5]", ROLE_TRANSPORT},
	{"local", "mx.example.com", "a@mx.example.com", "local:", ROLE_TRANSPORT},
	{"dovecot", "example.org", "a@example.org", "dovecot:", ROLE_TRANSPORT},
	{"lmtp", "unix:private/dovecot-lmtp", "a@example.org", "lmtp:unix:private/dovecot-lmtp",
		ROLE_TRANSPORT},
	{"plesk-192.0.2.10-", "example.org", "a@example.org", "plesk-192.0.2.10-:", ROLE_TRANSPORT},
	{"error", "5.1.1 no such user", "a@example.org", NULL, ROLE_TRANSPORT},
	{"discard", "example.org", "a@example.org", NULL, ROLE_TRANSPORT},
	{NULL, NULL, "a@example.org", NULL, ROLE_TRANSPORT},
	{"smtp", NULL, "a@example.org", "smtp:", ROLE_TRANSPORT},
};

START_TEST(a_recipient_s_hop_is_named_as_postfix_spells_it)
{
	char name[HOP_NAME_BYTES];
	struct origin origin;
	enum hop_role role;
	bool is_there;

	site_origin(site, "192.0.2.1", "25", NULL, &origin);
	is_there = site_recipient_hop(site, origin.instance, routes[_i].mailer, routes[_i].host,
		routes[_i].recipient, name, &role);
	ck_assert(is_there == (routes[_i].hop != NULL));
	if (is_there) {
		ck_assert_str_eq(name, routes[_i].hop);
		ck_assert_int_eq(role, routes[_i].role);
	}
}
END_TEST

START_TEST(plans_say_what_the_transport_itself_would_do)
{
	struct plan plan;

	site_plan(site, "smtp-amavis:[127.0.0.1]:10024", &plan);
	ck_assert_int_eq(plan.kind, PLAN_SERVER);
	ck_assert_int_eq(plan.target.protocol, PROTOCOL_SMTP);
	ck_assert_int_eq(plan.target.port, 10024);
	ck_assert_int_eq(plan.depth, DEPTH_HELLO);
	ck_assert(plan.use_ipv4 && !plan.use_ipv6);
	ck_assert_uint_eq(plan.address_limit, 5);
	site_plan(site, "lmtp:unix:private/dovecot-lmtp", &plan);
	ck_assert_int_eq(plan.target.protocol, PROTOCOL_LMTP);
	ck_assert_str_eq(plan.target.path, "/var/spool/postfix/private/dovecot-lmtp");
	ck_assert_str_eq(plan.helo, "lmtp.example.com");
	site_plan(site, "smtps-out:[192.0.2.5]:465", &plan);
	ck_assert_int_eq(plan.depth, DEPTH_TLS);
	ck_assert_int_eq(plan.shallow_depth, DEPTH_CONNECT);
	ck_assert(plan.has_bind4);
	site_plan(site, "smtpd_proxy_filter:127.0.0.1:10030", &plan);
	ck_assert_int_eq(plan.kind, PLAN_SERVER);
	ck_assert_int_eq(plan.target.port, 10030);
	site_plan(site, "smtp:relay.example.net", &plan);
	ck_assert(plan.target.lookup_mx && !plan.uses_native);
	ck_assert_str_eq(plan.fallbacks, "");
	site_plan(site, "hosts:relay.example.net", &plan);
	ck_assert(!plan.target.lookup_mx && plan.uses_native);
	site_plan(site, "safe:[192.0.2.5]", &plan);
	ck_assert_str_ne(plan.fallbacks, "");
	site_plan(site, "smtp:[192.0.2.5]:26,relay.example.net", &plan);
	ck_assert_int_eq(plan.kind, PLAN_SERVER);
	ck_assert_uint_eq(plan.target.port, 26);
	ck_assert_str_eq(plan.others, ",relay.example.net");
	ck_assert_ptr_nonnull(plan.own_name);
	site_plan(site, "lmtp:unix:private/a,b", &plan);
	ck_assert_str_eq(plan.others, "");
	ck_assert_ptr_null(plan.own_name);
	site_plan(site, "relay:[192.0.2.5]:no-such-port", &plan);
	ck_assert_int_eq(plan.kind, PLAN_INVALID);
	ck_assert_int_eq(plan.reason, REASON_NEXTHOP_INVALID);
}
END_TEST

START_TEST(what_has_no_server_of_its_own_is_not_probed)
{
	static const char *const names[] = {"smtp:", "local:", "dovecot:", "dovecot:example.org",
		"no-such-transport:[192.0.2.1]", "rubbish", ""};
	struct plan plan;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		site_plan(site, names[i], &plan);
		ck_assert_int_eq(plan.kind, PLAN_NOTHING);
	}
}
END_TEST

START_TEST(a_transport_is_shared_by_the_hops_that_use_it)
{
	char name[HOP_NAME_BYTES], transport[HOP_NAME_BYTES];
	struct transport_plan plan;

	ck_assert(site_base(site, "smtps-out:[192.0.2.5]:465", name));
	ck_assert_str_eq(name, "smtps-out:");
	ck_assert(site_transport_plan(site, name, transport, &plan));
	ck_assert_str_eq(plan.name, "smtps-out");
	ck_assert_str_eq(plan.command, "smtp");
	ck_assert_str_eq(plan.bind4, "192.0.2.9");
	ck_assert_str_eq(plan.directory, "/etc/postfix");
	ck_assert_uint_eq(plan.instances, 1);
	ck_assert_int_eq(plan.max_idle_ms, 90000);
	/* One that master.cf does not have is looked at all the same: that is its fault. */
	ck_assert(site_transport_plan(site, "plesk-192.0.2.10-:", transport, &plan));
	ck_assert_str_eq(plan.command, "");
	/* A before-queue filter has no transport, and pickup(8) is no delivery agent. */
	ck_assert(!site_base(site, "smtpd_proxy_filter:127.0.0.1:10030", name));
	ck_assert(!site_transport_plan(site, "pickup:", transport, &plan));
}
END_TEST

START_TEST(arguments_of_services_are_kept_as_they_are)
{
	char transport[HOP_NAME_BYTES];
	struct transport_plan plan;

	ck_assert(site_transport_plan(site, "dovecot:", transport, &plan));
	ck_assert_str_eq(plan.command, "pipe");
	ck_assert_str_eq(plan.arguments, "flags=DRhu user=vmail:vmail argv=/usr/lib/lda -d { a b }");
}
END_TEST

static void append(void *arg, const char *name, enum hop_role role)
{
	char *list = arg;

	(void)snprintf(list + strlen(list), 4096 - strlen(list), "%s=%s\n", name,
		hop_role_name(role));
}

START_TEST(every_hop_that_configuration_names_is_found)
{
	char list[4096] = "";

	site_each_hop(site, append, list);
	ck_assert_ptr_nonnull(strstr(list, "smtp-amavis:[127.0.0.1]:10024=content-filter\n"));
	ck_assert_ptr_nonnull(strstr(list, "scan:[127.0.0.1]:10099=content-filter\n"));
	ck_assert_ptr_nonnull(strstr(list, "smtpd_proxy_filter:127.0.0.1:10030=proxy-filter\n"));
	ck_assert_ptr_nonnull(strstr(list, "smtp:[relay.example.net]:587=relayhost\n"));
	ck_assert_ptr_nonnull(strstr(list, "lmtp:unix:private/dovecot-lmtp=transport\n"));
	ck_assert_ptr_nonnull(strstr(list, "local:=transport\n"));
	/* Nothing is relayed to, so relay_transport is not on any route. */
	ck_assert_ptr_null(strstr(list, "relay:"));
}
END_TEST

START_TEST(a_nexthop_of_the_transport_goes_before_relayhost)
{
	struct site *other = make_site_of("user = \"\"\nlisten_group = \"\"\n", 1,
		"relayhost = [relay.example.net]:587\nrelay_domains = example.org\n"
		"default_transport = smtp:[192.0.2.5]:26\nrelay_transport = relay\n",
		master_cf, options);
	char list[4096] = "";

	site_each_hop(other, append, list);
	ck_assert_ptr_nonnull(strstr(list, "smtp:[192.0.2.5]:26=transport\n"));
	ck_assert_ptr_nonnull(strstr(list, "relay:[relay.example.net]:587=relayhost\n"));
	ck_assert_ptr_null(strstr(list, "smtp:[relay.example.net]:587"));
	site_unref(other);
}
END_TEST

START_TEST(postconf_survives_packing_and_damage_is_noticed)
{
	struct postconf in = {.directory = xstrdup("/a"),
		.main = xstrdup("m = 1\n"),
		.services = xstrdup(""),
		.parameters = xstrdup("p"),
		.hops = xstrdup("smtp\t\n"),
		.policies = xstrdup("=texthash:/x\na\tmay\n"),
		.networks = xstrdup("=/f\n+192.0.2.0/24\n")};
	struct postconf out;
	size_t bytes;
	char *block = postconf_pack(&in, &bytes);

	ck_assert_uint_eq(postconf_unpack(&out, block, bytes), bytes);
	ck_assert_str_eq(out.directory, "/a");
	ck_assert_str_eq(out.main, "m = 1\n");
	ck_assert_str_eq(out.parameters, "p");
	ck_assert_str_eq(out.hops, "smtp\t\n");
	ck_assert_str_eq(out.networks, "=/f\n+192.0.2.0/24\n");
	ck_assert_ptr_null(out.error);
	postconf_free(&out);
	for (size_t cut = 0; cut < bytes; cut++)
		ck_assert_uint_eq(postconf_unpack(&out, block, cut), 0);
	postconf_free(&in);
	free(block);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, of_two_instances_the_one_whose_cleanup_asks_us_has_the_mail, 0,
		sizeof pairs / sizeof pairs[0]);
	tcase_add_test(tcase, listeners_have_their_own_content_filter);
	tcase_add_test(tcase, an_explicitly_empty_filter_on_loopback_is_a_reentry);
	tcase_add_test(tcase, a_listener_on_any_address_is_found_at_each);
	tcase_add_test(tcase, localhost_is_both_loopback_addresses);
	tcase_add_test(tcase, an_unknown_port_has_the_filter_of_main_cf);
	tcase_add_test(tcase, mail_of_sendmail_comes_in_through_pickup);
	tcase_add_test(tcase, pickup_may_be_a_fifo_with_options_of_its_own);
	tcase_add_test(tcase, without_postfix_the_filter_of_our_own_configuration_holds);
	tcase_add_test(tcase, mynetworks_are_addresses_networks_and_exceptions);
	tcase_add_test(tcase, files_tables_and_names_in_mynetworks_count_in_their_order);
	tcase_add_loop_test(tcase, a_recipient_s_hop_is_named_as_postfix_spells_it, 0,
		(int)(sizeof routes / sizeof *routes));
	tcase_add_test(tcase, plans_say_what_the_transport_itself_would_do);
	tcase_add_test(tcase, what_has_no_server_of_its_own_is_not_probed);
	tcase_add_test(tcase, a_transport_is_shared_by_the_hops_that_use_it);
	tcase_add_test(tcase, arguments_of_services_are_kept_as_they_are);
	tcase_add_test(tcase, every_hop_that_configuration_names_is_found);
	tcase_add_test(tcase, a_nexthop_of_the_transport_goes_before_relayhost);
	tcase_add_test(tcase, postconf_survives_packing_and_damage_is_noticed);
}

int main(void)
{
	return suite_run("site", add);
}
