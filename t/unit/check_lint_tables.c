/*
 * check_lint_tables - tables that are missing, old, or of a type that Postfix does not know
 */
#include "lint_helper.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void (*const tables[])(const struct lint *lint) = {lint_tables, NULL};
static char folder[] = "/tmp/check_lint_XXXXXX";

static void setup(void)
{
	(void)strcpy(folder + sizeof "/tmp/check_lint_" - 1, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void teardown(void)
{
	static const char *const names[] = {"t", "t.db", "u"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char *path = xasprintf("%s/%s", folder, names[i]);

		(void)unlink(path);
		free(path);
	}
	(void)rmdir(folder);
}

/* make - an empty file that was changed so many seconds ago */
static void make(const char *name, int age_s)
{
	char *path = xasprintf("%s/%s", folder, name);
	struct timespec times[2];
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	ck_assert_int_ge(fd, 0);
	clock_gettime(CLOCK_REALTIME, &times[0]);
	times[0].tv_sec -= age_s;
	times[1] = times[0];
	ck_assert_int_eq(futimens(fd, times), 0);
	close(fd);
	free(path);
}

/* lint_value - value has "%s" for the folder, twice at most */
static void lint_value(const char *parameter, const char *before, const char *name)
{
	char *main_cf = xasprintf(
		"mydestination = x\n%s = %s%s/%s\n", parameter, before, folder, name);

	lint_texts("", main_cf, "smtp unix - - n - - smtp\n", "", tables);
	free(main_cf);
}

START_TEST(a_table_needs_its_file)
{
	lint_value("virtual_alias_maps", "hash:", "t");
	ck_has(must_find(LINT_TABLE_MISSING, LINT_ERROR)->fix, "postmap -c ");
	make("t", 10);
	lint_value("virtual_alias_maps", "hash:", "t");
	ck_has(must_find(LINT_TABLE_NOT_BUILT, LINT_ERROR)->fix, "postmap -c ");
	lint_value("alias_maps", "hash:", "t");
	ck_has(must_find(LINT_TABLE_NOT_BUILT, LINT_ERROR)->fix, "postalias -c ");
	make("t.db", 20);
	lint_value("virtual_alias_maps", "proxy:hash:", "t");
	(void)must_find(LINT_TABLE_OUTDATED, LINT_WARNING);
	make("t.db", 10);
	lint_value("virtual_alias_maps", "hash:", "t");
	ck_assert_uint_eq(finding_count, 0);
	lint_value("header_checks", "pcre:", "u");
	ck_has(must_find(LINT_TABLE_MISSING, LINT_ERROR)->file, "pcre:/tmp");
	make("u", 0);
	lint_value("header_checks", "pcre:", "u");
	ck_assert_uint_eq(finding_count, 0);
}
END_TEST

/* Values without files, and what is said of them. */
static const struct {
	const char *main_cf;
	enum lint_check check; /* LINT_CHECK_COUNT: nothing */
	const char *parameter;
} values[] = {
	{"canonical_maps = nosuchtype:/x", LINT_TABLE_TYPE_UNKNOWN, "canonical_maps"},
	{"canonical_maps = /etc/postfix/canonical", LINT_TABLE_TYPE_UNKNOWN, "canonical_maps"},
	{"local_recipient_maps = proxy:unix:passwd.byname inline:{a=b}", LINT_CHECK_COUNT, NULL},
	{"smtpd_recipient_restrictions = check_policy_service unix:private/x, nosuchtype:/x",
		LINT_CHECK_COUNT, NULL},
	{"smtpd_recipient_restrictions = check_sender_access hash:/no/such", LINT_TABLE_MISSING,
		"smtpd_recipient_restrictions"},
	{"mynetworks = 127.0.0.0/8 [::1]/128 cidr:/no/such/net", LINT_TABLE_MISSING, "mynetworks"},
	/* made when missing */
	{"address_verify_map = hash:/no/such", LINT_CHECK_COUNT, NULL},
	{"smtp_tls_session_cache_database = hash:/no/such", LINT_CHECK_COUNT, NULL},
	{"postscreen_cache_map = hash:/no/such", LINT_CHECK_COUNT, NULL},
	{"postscreen_dnsbl_reply_map = texthash:/no/such", LINT_TABLE_MISSING, "postscreen_dnsbl_reply_map"},
	{"proxy_read_maps = hash:/no/such nosuchtype:/x", LINT_CHECK_COUNT, NULL},
	/* needed by nobody where no mail is local */
	{"alias_maps = hash:/no/such\nlocal_recipient_maps = hash:/no/such", LINT_CHECK_COUNT, NULL},
	{"mydestination = x\nalias_maps = hash:/no/such\nlocal_recipient_maps = hash:/no/such",
		LINT_TABLE_MISSING, "alias_maps"},
	/* the list is blamed, not what has its value by default */
	{"virtual_alias_domains = hash:/no/such\nvirtual_alias_maps = hash:/no/such", LINT_TABLE_MISSING,
		"virtual_alias_maps"},
	{"address_verify_transport_maps = hash:/no/such\ntransport_maps = hash:/no/such",
		LINT_TABLE_MISSING, "transport_maps"},
};

START_TEST(parameters_refer_to_tables)
{
	char *main_cf = xasprintf("%s\n", values[_i].main_cf);

	lint_texts("", main_cf, "smtp unix - - n - - smtp\n", "", tables);
	free(main_cf);
	if (values[_i].check == LINT_CHECK_COUNT) {
		ck_assert_msg(finding_count == 0, "%s", findings[0].message);
		return;
	}
	ck_assert_str_eq(must_find(values[_i].check, LINT_ERROR)->parameter, values[_i].parameter);
	ck_assert(*findings[0].fix != '\0');
}
END_TEST

START_TEST(options_of_master_cf_refer_to_tables)
{
	lint_texts("", "", "smtp inet n - n - - smtpd\n", "smtp/inet/smtpd_sender_login_maps = hash:/no/such\n",
		tables);
	ck_assert_str_eq(must_find(LINT_TABLE_MISSING, LINT_ERROR)->service, "smtp/inet");
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_table_needs_its_file);
	tcase_add_loop_test(tcase, parameters_refer_to_tables, 0, sizeof values / sizeof *values);
	tcase_add_test(tcase, options_of_master_cf_refer_to_tables);
}

int main(void)
{
	return suite_run("lint_tables", add);
}
