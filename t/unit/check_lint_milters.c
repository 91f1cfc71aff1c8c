/*
 * check_lint_milters - is our milter asked, can it be reached, and what happens when it is not there?
 */
#include "lint_helper.h"

#define PATH "listen = \"unix:/queue/ff/milter.sock\"\n"
#define TCP "listen = \"inet:8895@127.0.0.1\"\n"
#define MAIN "queue_directory = /queue\ncompatibility_level = 3.6\ninet_interfaces = all\n"
#define QUIET "milter_default_action = accept\nmilter_connect_timeout = 30s\nmilter_command_timeout = 30s\n"
#define LOCAL "non_smtpd_milters = $smtpd_milters, unix:ff/milter.sock inet:127.0.0.1:8895 inet:[::1]:8895\n"

static const char master_cf[] = "smtp inet n - n - - smtpd\n"
				"587 inet n - n - - smtpd\n"
				"127.0.0.1:10025 inet n - n - - smtpd\n"
				"cleanup unix n - n - 0 cleanup\n";
static void (*const milters[])(const struct lint *lint) = {lint_milters, NULL};

/* lint_with - smtpd_milters of main.cf, and one option of 587/inet (NULL: none) */
static void lint_with(const char *conf, const char *list, const char *settings, const char *option,
	const char *services)
{
	char *main_cf = xasprintf(MAIN LOCAL "%ssmtpd_milters = %s\n", settings, list);
	char *options = option != NULL ? xasprintf("587/inet/%s\n", option) : xstrdup("");

	lint_texts(conf, main_cf, services, options, milters);
	free(main_cf);
	free(options);
}

/* Values of smtpd_milters that ask us, or do not. */
static const struct {
	const char *conf, *list;
	bool is_asked;
} lists[] = {
	{PATH, "unix:ff/milter.sock", true},
	{PATH, "unix:/queue/ff/milter.sock", true},
	{PATH, "local:ff/milter.sock", true},
	{PATH, "inet:127.0.0.1:8891, unix:ff/milter.sock", true},
	{PATH, "{ unix:ff/milter.sock, default_action=accept }", true},
	{PATH, "{inet:h:1,default_action=tempfail} { unix:ff/milter.sock }", true},
	{PATH, "", false},
	{PATH, "unix:other/milter.sock", false},
	{PATH, "unix:/ff/milter.sock", false},
	{PATH, "inet:127.0.0.1:8895", false},
	{PATH, "{", false},
	{PATH, "{ }", false},
	{TCP, "inet:127.0.0.1:8895", true},
	{TCP, "inet:localhost:8895", true},
	{TCP, "inet:192.0.2.1:8895", false},
	{TCP, "inet:127.0.0.1:8896", false},
	{TCP, "unix:ff/milter.sock", false},
	{TCP, "inet:", false},
	{"listen = \"inet:8895@0.0.0.0\"\n", "inet:192.0.2.1:8895", true},
	{"listen = \"inet6:8895@::1\"\n", "inet:[::1]:8895", true},
	{"listen = \"inet6:8895@::1\"\n", "inet:[2001:db8::1]:8895", false},
};

START_TEST(our_milter_is_found_in_every_spelling)
{
	lint_with(lists[_i].conf, lists[_i].list, QUIET, NULL, master_cf);
	if (lists[_i].is_asked) {
		ck_assert_msg(finding_count == 0, "%s", findings[0].message);
		return;
	}
	ck_assert_str_eq(must_find(LINT_MILTER_NOT_ASKED, LINT_WARNING)->parameter, "smtpd_milters");
	ck_has(findings[0].fix, "default_action=accept }");
	if (strstr(lists[_i].conf, "::1") != NULL)
		ck_has(findings[0].fix, "inet:[::1]:8895");
	if (*lists[_i].list != '\0')
		ck_has(findings[0].fix, lists[_i].list);
}
END_TEST

START_TEST(listeners_that_do_not_ask)
{
	static const char ours[] = "unix:ff/milter.sock";

	lint_with(PATH, ours, QUIET, "smtpd_milters = ", master_cf);
	ck_assert_str_eq(must_find(LINT_MILTER_NOT_ASKED, LINT_WARNING)->service, "587/inet");
	lint_with(PATH, ours, QUIET, "receive_override_options = no_address_mappings,no_milters", master_cf);
	ck_assert_str_eq(must_find(LINT_MILTER_NOT_ASKED, LINT_WARNING)->parameter,
		"receive_override_options");
	lint_with(PATH, ours, QUIET "smtpd_milter_maps = cidr:/x\n", "smtpd_milters = ", master_cf);
	(void)must_find(LINT_MILTER_NOT_ASKED, LINT_INFO);
	/* on loopback an empty list is meant so */
	lint_texts(PATH, MAIN LOCAL QUIET "smtpd_milters = unix:ff/milter.sock\n", master_cf,
		"127.0.0.1:10025/inet/smtpd_milters = \n", milters);
	ck_assert_uint_eq(finding_count, 0);
	lint_texts(PATH, MAIN QUIET "smtpd_milters = unix:ff/milter.sock\n", master_cf, "", milters);
	ck_assert_str_eq(must_find(LINT_MILTER_NOT_ASKED, LINT_INFO)->parameter, "non_smtpd_milters");
	ck_assert_str_eq(findings[0].fix, "postconf -c /etc/postfix -e 'non_smtpd_milters=$smtpd_milters'");
}
END_TEST

START_TEST(paths_in_a_chroot)
{
	static const char chrooted[] = "smtp inet n - y - - smtpd\ncleanup unix n - n - 0 cleanup\n";
	static const char by_default[] = "smtp inet n - - - - smtpd\ncleanup unix n - n - 0 cleanup\n";

	lint_with(PATH, "unix:ff/milter.sock", QUIET, NULL, chrooted);
	ck_assert_uint_eq(finding_count, 0);
	lint_with(PATH, "unix:/ff/milter.sock", QUIET, NULL, chrooted);
	ck_assert_uint_eq(finding_count, 0);
	lint_with(PATH, "unix:/queue/ff/milter.sock", QUIET, NULL, chrooted);
	ck_has(must_find(LINT_MILTER_UNREACHABLE, LINT_ERROR)->fix, "unix:ff/milter.sock");
	lint_with("listen = \"unix:/run/ff.sock\"\n", "unix:/run/ff.sock", QUIET, NULL, chrooted);
	ck_assert_str_eq(lint_check_name(findings[0].check), "milter-unreachable");
	ck_has(findings[0].fix, "below /queue");
	/* "-" was "y" before compatibility level 1 */
	lint_with(PATH, "unix:/queue/ff/milter.sock", QUIET, NULL, by_default);
	ck_assert_uint_eq(finding_count, 0);
	lint_texts(PATH,
		"queue_directory = /queue\ncompatibility_level = 0\n" LOCAL QUIET
		"smtpd_milters = unix:/queue/ff/milter.sock\n",
		by_default, "", milters);
	(void)must_find(LINT_MILTER_UNREACHABLE, LINT_ERROR);
}
END_TEST

/* Default actions: global, and our milter's own. */
static const struct {
	const char *global, *own;
	bool is_fine;
	enum lint_severity severity;
	const char *words;
} actions[] = {
	{"accept", "", true, 0, NULL},
	{"ACCEPT", "", true, 0, NULL},
	{"tempfail", ", default_action=accept", true, 0, NULL},
	{"tempfail", ", { default_action = accept }", true, 0, NULL},
	{"tempfail", "", false, LINT_WARNING, "refused with 451"},
	{"shutdown", "", false, LINT_WARNING, "turned away"},
	{"quarantine", "", false, LINT_WARNING, "hold queue"},
	{"reject", "", false, LINT_ERROR, "for good"},
	{"acept", "", false, LINT_WARNING, "does not know"},
	{"accept", ", default_action=reject", false, LINT_ERROR, "for good"},
	{"accept", ", connect_timeout=3s default_action=tempfail", false, LINT_WARNING, "451"},
};

START_TEST(default_actions_other_than_accept)
{
	char *main_cf = xasprintf(MAIN "milter_default_action = %s\nsmtpd_milters = { unix:ff/milter.sock%s }\n"
				       "non_smtpd_milters = { unix:ff/milter.sock, default_action=accept }\n",
		actions[_i].global, actions[_i].own);

	lint_texts(PATH, main_cf, master_cf, "", milters);
	free(main_cf);
	if (actions[_i].is_fine) {
		ck_assert_msg(finding_count == 0, "%s", findings[0].message);
		return;
	}
	ck_has(must_find(LINT_MILTER_DEFAULT_ACTION, actions[_i].severity)->message, actions[_i].words);
	ck_assert_str_eq(findings[0].parameter,
		*actions[_i].own != '\0' ? "smtpd_milters" : "milter_default_action");
}
END_TEST

START_TEST(timeouts_that_no_client_waits_for)
{
	static const struct {
		const char *value;
		bool is_fine;
	} times[] = {{"30", true}, {"300s", true}, {"5m", true}, {"6m", false}, {"1h", false},
		{"1d", false}, {"1w", false}, {"301", false}, {"x", true}, {"", true}, {"5y", true}};

	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		char *settings = xasprintf("milter_default_action = accept\nmilter_command_timeout = %s\n",
			times[i].value);

		lint_with(PATH, "unix:ff/milter.sock", settings, NULL, master_cf);
		free(settings);
		if (times[i].is_fine)
			ck_assert_uint_eq(finding_count, 0);
		else
			(void)must_find(LINT_MILTER_TIMEOUT, LINT_WARNING);
	}
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, our_milter_is_found_in_every_spelling, 0, sizeof lists / sizeof *lists);
	tcase_add_test(tcase, listeners_that_do_not_ask);
	tcase_add_test(tcase, paths_in_a_chroot);
	tcase_add_loop_test(tcase, default_actions_other_than_accept, 0, sizeof actions / sizeof *actions);
	tcase_add_test(tcase, timeouts_that_no_client_waits_for);
}

int main(void)
{
	return suite_run("lint_milters", add);
}
