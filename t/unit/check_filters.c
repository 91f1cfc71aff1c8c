/*
 * check_filters - filters that follow each other, and several Postfix instances behind one milter
 */
#include "postfix/site.h"

#include "base/xmem.h"
#include "suite.h"
#include "verdict/route.h"

#include <stdio.h>
#include <string.h>

/* Zimbra's shape: the public listener's filter is a listener of our own, whose filter is amavis, and amavis hands
 * mail back to a listener without one.  Other listeners lead to each other. */
static const char zimbra_main[] = "myhostname = mx.example.com\nmynetworks = 127.0.0.0/8\n"
				  "queue_directory = /q\ninet_interfaces = all\ninet_protocols = all\n"
				  "content_filter = smtp:[127.0.0.1]:10030\ndefault_transport = smtp\n";
static const char zimbra_master[] = "smtp inet n - y - - smtpd\n"
				    "[127.0.0.1]:10030 inet n - y - - smtpd\n"
				    "127.0.0.1:10025 inet n - y - - smtpd\n"
				    "127.0.0.1:10040 inet n - y - - smtpd\n"
				    "127.0.0.1:10041 inet n - y - - smtpd\n"
				    "192.0.2.1:10042 inet n - y - - smtpd\n"
				    "127.0.0.1:10043 inet n - y - - smtpd\n"
				    "127.0.0.1:10044 inet n - y - - smtpd\n"
				    "localhost:10045 inet n - y - - smtpd\n"
				    "pickup unix n - y 60 1 pickup\n"
				    "smtp unix - - y - - smtp\nsmtp-amavis unix - - y - - smtp\n"
				    "lmtp unix - - y - - lmtp\n";
static const char zimbra_options[] =
	"[127.0.0.1]:10030/inet/content_filter = smtp-amavis:[127.0.0.1]:10032\n"
	"127.0.0.1:10025/inet/content_filter = \n"
	"127.0.0.1:10040/inet/content_filter = smtp:[127.0.0.1]:10041\n"
	"127.0.0.1:10041/inet/content_filter = smtp:[127.0.0.1]:10040\n"
	"192.0.2.1:10042/inet/content_filter = smtp:localhost:10045\n"
	"localhost:10045/inet/smtpd_proxy_filter = 127.0.0.1:10030\n"
	"127.0.0.1:10043/inet/content_filter = lmtp:[127.0.0.1]:10030\n"
	"127.0.0.1:10044/inet/content_filter = smtp:[192.0.2.1]:10042\n";

static struct site *site;

static void fail_report(void *arg, const char *message)
{
	(void)arg;
	ck_abort_msg("%s", message);
}

static struct site *make_site(struct postconf *postconfs, size_t count)
{
	static char text[] = "user = \"\"\nlisten_group = \"\"\n";
	FILE *fp = fmemopen(text, strlen(text), "r");
	struct conf *conf = conf_parse(fp, "test.conf", fail_report, NULL);
	struct site *made = site_new(conf, postconfs, count);

	fclose(fp);
	conf_unref(conf);
	for (size_t i = 0; i < count; i++)
		postconf_free(&postconfs[i]);
	return made;
}

static struct postconf postconf_of(const char *directory, const char *main_cf, const char *master_cf,
	const char *options)
{
	return (struct postconf){.directory = xstrdup(directory), .main = xstrdup(main_cf),
		.services = xstrdup(master_cf), .parameters = xstrdup(options)};
}

static void setup(void)
{
	struct postconf zimbra =
		postconf_of("/etc/postfix", zimbra_main, zimbra_master, zimbra_options);

	site = make_site(&zimbra, 1);
}

static void teardown(void)
{
	site_unref(site);
}

/* must_meet - exactly these, in words: "role hop, role hop" */
static void must_meet(const struct origin *origin, const char *wanted)
{
	char found[CHAIN_MAX * HOP_NAME_BYTES] = "";

	for (size_t i = 0; i < origin->filters->count; i++)
		(void)snprintf(found + strlen(found), sizeof found - strlen(found), "%s%s %s",
			i > 0 ? ", " : "", hop_role_name(origin->filters->leg[i].role),
			origin->filters->leg[i].name);
	ck_assert_str_eq(found, wanted);
}

START_TEST(a_filter_that_is_a_listener_of_ours_leads_to_that_listener_s_filter)
{
	struct origin origin;

	site_origin(site, "192.0.2.1", "25", NULL, &origin);
	must_meet(&origin, "content-filter smtp:[127.0.0.1]:10030, "
			   "content-filter smtp-amavis:[127.0.0.1]:10032");
	ck_assert(!origin.is_reentry);
	site_origin(site, "127.0.0.1", "0", NULL, &origin);
	must_meet(&origin, "content-filter smtp:[127.0.0.1]:10030, "
			   "content-filter smtp-amavis:[127.0.0.1]:10032");
	/* A port that master.cf does not have. */
	site_origin(site, "192.0.2.1", "2525", NULL, &origin);
	must_meet(&origin, "content-filter smtp:[127.0.0.1]:10030, "
			   "content-filter smtp-amavis:[127.0.0.1]:10032");
}
END_TEST

START_TEST(mail_in_the_middle_of_a_chain_was_accepted_before)
{
	struct origin origin;

	site_origin(site, "127.0.0.1", "10030", NULL, &origin);
	must_meet(&origin, "content-filter smtp-amavis:[127.0.0.1]:10032");
	ck_assert(origin.is_reentry);
	site_origin(site, "127.0.0.1", "10025", NULL, &origin);
	must_meet(&origin, "");
	ck_assert(origin.is_reentry);
	/* Others reach this one, too. */
	site_origin(site, "192.0.2.1", "10042", NULL, &origin);
	ck_assert(!origin.is_reentry);
}
END_TEST

START_TEST(listeners_that_lead_to_each_other_are_met_once)
{
	struct origin origin;

	site_origin(site, "127.0.0.1", "10040", NULL, &origin);
	must_meet(&origin, "content-filter smtp:[127.0.0.1]:10041, "
			   "content-filter smtp:[127.0.0.1]:10040");
}
END_TEST

START_TEST(localhost_own_addresses_and_before_queue_filters_are_followed)
{
	struct origin origin;

	site_origin(site, "127.0.0.1", "10044", NULL, &origin);
	must_meet(&origin, "content-filter smtp:[192.0.2.1]:10042, content-filter smtp:localhost:10045, "
			   "proxy-filter smtpd_proxy_filter:127.0.0.1:10030, "
			   "content-filter smtp-amavis:[127.0.0.1]:10032");
	/* A content filter hands over here; that it has a before-queue filter of its own does not matter. */
	site_origin(site, "127.0.0.1", "10045", NULL, &origin);
	ck_assert(origin.is_reentry);
}
END_TEST

START_TEST(what_does_not_speak_smtp_leads_nowhere)
{
	struct origin origin;

	site_origin(site, "127.0.0.1", "10043", NULL, &origin);
	must_meet(&origin, "content-filter lmtp:[127.0.0.1]:10030");
}
END_TEST

START_TEST(a_chain_without_end_is_cut)
{
	enum { LISTENERS = 12, BYTES = 4096 };
	char master[BYTES] = "smtp unix - - y - - smtp\n", options[BYTES] = "";
	struct postconf postconf;
	struct origin origin;

	for (int i = 0; i < LISTENERS; i++) {
		(void)snprintf(master + strlen(master), sizeof master - strlen(master),
			"127.0.0.1:%d inet n - y - - smtpd\n", 11000 + i);
		(void)snprintf(options + strlen(options), sizeof options - strlen(options),
			"127.0.0.1:%d/inet/content_filter = smtp:[127.0.0.1]:%d\n", 11000 + i,
			11001 + i);
	}
	site_unref(site);
	postconf = postconf_of("/etc/postfix", zimbra_main, master, options);
	site = make_site(&postconf, 1);
	site_origin(site, "127.0.0.1", "11000", NULL, &origin);
	ck_assert_uint_eq(origin.filters->count, CHAIN_MAX);
	ck_assert(origin.filters->is_cut);
	ck_assert_str_eq(origin.filters->leg[CHAIN_MAX - 1].name, "smtp:[127.0.0.1]:11007");
	site_origin(site, "127.0.0.1", "11010", NULL, &origin);
	ck_assert(!origin.filters->is_cut);
}
END_TEST

/*
 * postfix-in takes mail from the world and hands it to postfix-out.  Both have "smtp", both listen on port 25, each on
 * an address of its own.
 */
static const char in_main[] = "myhostname = in.example.com\nnon_smtpd_milters = unix:x\nmulti_instance_name = \n"
			      "mynetworks = 192.0.2.0/24\nqueue_directory = /in\n"
			      "inet_interfaces = 192.0.2.1, 127.0.0.1\ninet_protocols = all\n"
			      "content_filter = smtp:[127.0.0.1]:10030\nrelayhost = [192.0.2.2]:25\n"
			      "default_transport = smtp\nsmtp_helo_name = $myhostname\n";
static const char in_master[] = "smtp inet n - y - - smtpd\nsubmission inet n - y - - smtpd\n"
				"pickup unix n - y 60 1 pickup\nsmtp unix - - y - - smtp\n";
static const char in_options[] = "submission/inet/content_filter = smtp-amavis:[192.0.2.77]\n"
				 "smtp/unix/smtp_bind_address = 192.0.2.1\n";
static const char out_main[] = "myhostname = out.example.com\nnon_smtpd_milters = unix:x\nmulti_instance_name = postfix-out\n"
			       "mynetworks = 127.0.0.0/8\nqueue_directory = /out\n"
			       "inet_interfaces = 192.0.2.2\ninet_protocols = all\n"
			       "content_filter = smtp-amavis:[127.0.0.1]:10024\nrelayhost = \n"
			       "default_transport = smtp\nsmtp_helo_name = out.example.com\n";
static const char out_master[] = "smtp inet n - y - - smtpd\n127.0.0.1:10030 inet n - y - - smtpd\n"
				 "submission inet n - y - - smtpd\n192.0.2.2:2525 inet n - y - - smtpd\n"
				 "pickup unix n - y 60 1 pickup\nsmtp unix - - y - - smtp\nsmtp-amavis unix - - y - - smtp\n";
static const char out_options[] = "127.0.0.1:10030/inet/smtpd_proxy_filter = unix:proxy.sock\n"
				  "192.0.2.2:2525/inet/myhostname = in.example.com\n"
				  "smtp/unix/smtp_bind_address = 192.0.2.2\n";

static void open_two(const char *second_main)
{
	struct postconf two[2] = {postconf_of("/etc/postfix", in_main, in_master, in_options),
		postconf_of("/etc/postfix-out", second_main, out_master, out_options)};

	site_unref(site);
	site = make_site(two, 2);
}

START_TEST(a_listener_is_that_of_the_instance_which_has_its_address)
{
	struct origin origin;

	open_two(out_main);
	site_origin(site, "192.0.2.1", "25", NULL, &origin);
	ck_assert_str_eq(instance_directory(origin.instance), "/etc/postfix");
	site_origin(site, "192.0.2.2", "25", NULL, &origin);
	ck_assert_str_eq(instance_directory(origin.instance), "/etc/postfix-out");
	must_meet(&origin, "content-filter smtp-amavis:[127.0.0.1]:10024");
}
END_TEST

START_TEST(the_name_of_the_host_tells_instances_apart)
{
	struct origin origin;

	open_two(out_main);
	/* An address that neither has: the connection was forwarded. */
	site_origin(site, "198.51.100.1", "25", "out.example.com", &origin);
	ck_assert_str_eq(instance_directory(origin.instance), "/etc/postfix-out");
	site_origin(site, "198.51.100.1", "25", "OTHER.example.com", &origin);
	ck_assert_ptr_null(origin.instance);
	must_meet(&origin, "");
	/* A listener can have a name of its own. */
	site_origin(site, "192.0.2.2", "2525", "in.example.com", &origin);
	ck_assert_str_eq(instance_directory(origin.instance), "/etc/postfix-out");
	/* Mail of sendmail(1) has no port. */
	site_origin(site, "127.0.0.1", "0", "out.example.com", &origin);
	ck_assert(origin.is_local);
	must_meet(&origin, "content-filter smtp-amavis:[127.0.0.1]:10024");
	site_origin(site, "127.0.0.1", "0", NULL, &origin);
	ck_assert(origin.is_local);
	ck_assert_ptr_null(origin.instance);
	must_meet(&origin, "");
}
END_TEST

START_TEST(nothing_is_assumed_of_mail_of_an_unknown_instance)
{
	char name[HOP_NAME_BYTES];
	enum hop_role role;

	open_two(out_main);
	ck_assert(!site_recipient_hop(site, NULL, "smtp", "[192.0.2.9]", "a@b", name, &role));
	ck_assert(!site_recipient_hop(site, NULL, "smtp-amavis", "[192.0.2.9]", "a@b", name, &role));
}
END_TEST

START_TEST(a_filter_of_one_instance_can_be_a_listener_of_another)
{
	struct origin origin;

	open_two(out_main);
	site_origin(site, "192.0.2.1", "25", NULL, &origin);
	must_meet(&origin, "content-filter smtp:[127.0.0.1]:10030, "
			   "proxy-filter postfix-out/smtpd_proxy_filter:unix:proxy.sock");
	site_origin(site, "127.0.0.1", "10030", NULL, &origin);
	ck_assert(origin.is_reentry);
}
END_TEST

START_TEST(the_same_transport_of_two_instances_is_two_hops)
{
	char name[HOP_NAME_BYTES], transport[HOP_NAME_BYTES];
	struct transport_plan base;
	struct origin origin;
	enum hop_role role;
	struct plan plan;

	open_two(out_main);
	site_origin(site, "192.0.2.2", "25", NULL, &origin);
	ck_assert(site_recipient_hop(site, origin.instance, "smtp", "[192.0.2.9]", "a@b", name, &role));
	ck_assert_str_eq(name, "postfix-out/smtp:[192.0.2.9]");
	site_plan(site, name, &plan);
	ck_assert_str_eq(plan.helo, "out.example.com");
	ck_assert_int_eq(ntohl(plan.bind4.s_addr) & 0xff, 2);
	ck_assert(site_base(site, name, name));
	ck_assert_str_eq(name, "postfix-out/smtp:");
	ck_assert(site_transport_plan(site, name, transport, &base));
	ck_assert_str_eq(base.name, "smtp");
	ck_assert_str_eq(base.directory, "/etc/postfix-out");
	ck_assert_str_eq(base.bind4, "192.0.2.2");
	site_plan(site, "smtp:[192.0.2.9]", &plan);
	ck_assert_int_eq(ntohl(plan.bind4.s_addr) & 0xff, 1);
}
END_TEST

START_TEST(a_transport_that_one_instance_lacks_is_no_fault_of_the_other_that_has_it)
{
	char transport[HOP_NAME_BYTES], name[HOP_NAME_BYTES];
	struct transport_plan base;
	struct origin origin;
	enum hop_role role;
	struct plan plan;

	open_two(out_main);
	/* Only postfix-out has it, so there it needs no more than its name. */
	site_origin(site, "192.0.2.1", "587", NULL, &origin);
	must_meet(&origin, "content-filter postfix/smtp-amavis:[192.0.2.77]");
	ck_assert(site_transport_plan(site, "postfix/smtp-amavis:", transport, &base));
	ck_assert_str_eq(base.command, "");
	ck_assert_str_eq(base.directory, "/etc/postfix");
	ck_assert(site_transport_plan(site, "smtp-amavis:", transport, &base));
	ck_assert_str_eq(base.command, "smtp");
	ck_assert_str_eq(base.directory, "/etc/postfix-out");
	/* One that neither has is looked for where mail would. */
	site_origin(site, "192.0.2.2", "25", NULL, &origin);
	ck_assert(site_recipient_hop(site, origin.instance, "gone", "", "a@b", name, &role));
	ck_assert_str_eq(name, "postfix-out/gone:");
	ck_assert(site_transport_plan(site, name, transport, &base));
	ck_assert_str_eq(base.directory, "/etc/postfix-out");
	site_plan(site, "postfix-out/smtpd_proxy_filter:unix:proxy.sock", &plan);
	ck_assert_str_eq(plan.target.path, "/out/proxy.sock");
}
END_TEST

START_TEST(a_relayhost_that_is_a_listener_of_ours_has_that_listener_s_filters_behind_it)
{
	struct origin origin;
	struct route route;

	open_two(out_main);
	site_origin(site, "192.0.2.1", "25", NULL, &origin);
	route_common(&route, &origin);
	route_recipient(&route, site, &origin, "smtp", "[192.0.2.2]:25", "a@example.org");
	ck_assert_uint_eq(route.count, 4);
	ck_assert_str_eq(route.leg[2].name, "smtp:[192.0.2.2]:25");
	ck_assert_int_eq(route.leg[2].role, ROLE_RELAYHOST);
	ck_assert_str_eq(route.leg[3].name, "smtp-amavis:[127.0.0.1]:10024");
	ck_assert_int_eq(route.leg[3].role, ROLE_CONTENT_FILTER);
	/* Whose listener that would be is not ours to say. */
	route.count = 0;
	route_recipient(&route, site, &origin, "smtp", "[198.51.100.9]:25", "a@example.org");
	ck_assert_uint_eq(route.count, 1);
}
END_TEST

START_TEST(instances_without_a_name_of_their_own_are_numbered)
{
	char name[HOP_NAME_BYTES];
	struct origin origin;
	enum hop_role role;

	open_two("myhostname = x\nqueue_directory = /out\ninet_interfaces = 192.0.2.2\n"
		 "multi_instance_name = postfix\n");
	site_origin(site, "192.0.2.2", "25", NULL, &origin);
	ck_assert(site_recipient_hop(site, origin.instance, "smtp", "", "a@b", name, &role));
	ck_assert_str_eq(name, "instance2/smtp:");
}
END_TEST

static void append(void *arg, const char *name, enum hop_role role)
{
	char *list = arg;

	(void)snprintf(list + strlen(list), 4096 - strlen(list), "%s=%s\n", name,
		hop_role_name(role));
}

START_TEST(every_hop_of_every_instance_is_found)
{
	char list[4096] = "";

	open_two(out_main);
	site_each_hop(site, append, list);
	ck_assert_ptr_nonnull(strstr(list, "smtp:[127.0.0.1]:10030=content-filter\n"));
	ck_assert_ptr_nonnull(strstr(list, "postfix-out/smtpd_proxy_filter:unix:proxy.sock=proxy-filter\n"));
	ck_assert_ptr_nonnull(strstr(list, "smtp-amavis:[127.0.0.1]:10024=content-filter\n"));
	ck_assert_ptr_nonnull(strstr(list, "postfix/smtp-amavis:[192.0.2.77]=content-filter\n"));
	ck_assert_ptr_nonnull(strstr(list, "smtp:[192.0.2.2]:25=relayhost\n"));
	ck_assert_ptr_nonnull(strstr(list, "postfix-out/smtp:=transport\n"));
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_filter_that_is_a_listener_of_ours_leads_to_that_listener_s_filter);
	tcase_add_test(tcase, mail_in_the_middle_of_a_chain_was_accepted_before);
	tcase_add_test(tcase, listeners_that_lead_to_each_other_are_met_once);
	tcase_add_test(tcase, localhost_own_addresses_and_before_queue_filters_are_followed);
	tcase_add_test(tcase, what_does_not_speak_smtp_leads_nowhere);
	tcase_add_test(tcase, a_chain_without_end_is_cut);
	tcase_add_test(tcase, a_listener_is_that_of_the_instance_which_has_its_address);
	tcase_add_test(tcase, the_name_of_the_host_tells_instances_apart);
	tcase_add_test(tcase, nothing_is_assumed_of_mail_of_an_unknown_instance);
	tcase_add_test(tcase, a_filter_of_one_instance_can_be_a_listener_of_another);
	tcase_add_test(tcase, the_same_transport_of_two_instances_is_two_hops);
	tcase_add_test(tcase, a_transport_that_one_instance_lacks_is_no_fault_of_the_other_that_has_it);
	tcase_add_test(tcase, a_relayhost_that_is_a_listener_of_ours_has_that_listener_s_filters_behind_it);
	tcase_add_test(tcase, instances_without_a_name_of_their_own_are_numbered);
	tcase_add_test(tcase, every_hop_of_every_instance_is_found);
}

int main(void)
{
	return suite_run("filters", add);
}
