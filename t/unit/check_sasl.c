/*
 * check_sasl - mechanisms as smtp(8) would choose them, and their exchanges; what a server offers
 */
#include "probe/sasl.h"
#include "probe/smtp_hello.h"
#include "suite.h"

#include <string.h>

static struct credentials tim = {"tim", "tanstaaftanstaaf"};
static struct sasl sasl;

static bool has_no_plain(const char *mechanism)
{
	return strcmp(mechanism, "PLAIN") != 0;
}

/* Offered, options, filter; what is chosen, and the mechanism or the name of what is in the way. */
static const struct {
	const char *offered, *options, *filter;
	enum sasl_choice choice;
	enum sasl_mechanism mechanism;
	const char *foreign;
} choices[] = {
	{"PLAIN LOGIN", "noanonymous", "", SASL_USABLE, SASL_PLAIN, ""},
	{"LOGIN PLAIN", "", "", SASL_USABLE, SASL_PLAIN, ""},
	{"login", "noanonymous", "", SASL_USABLE, SASL_LOGIN, ""},
	{"PLAIN CRAM-MD5 LOGIN", "noanonymous", "", SASL_USABLE, SASL_CRAM_MD5, ""},
	{"PLAIN LOGIN", "noplaintext, noanonymous", "", SASL_NO_COMMON, SASL_NONE, ""},
	{"PLAIN CRAM-MD5", "noplaintext,noanonymous", "", SASL_USABLE, SASL_CRAM_MD5, ""},
	{"CRAM-MD5 PLAIN", "noanonymous mutual_auth", "", SASL_NO_COMMON, SASL_NONE, ""},
	{"CRAM-MD5 PLAIN", "noactive", "", SASL_NO_COMMON, SASL_NONE, ""},
	{"", "noanonymous", "", SASL_NO_COMMON, SASL_NONE, ""},
	{"ANONYMOUS", "noanonymous", "", SASL_NO_COMMON, SASL_NONE, ""},
	{"ANONYMOUS", "", "", SASL_FOREIGN, SASL_NONE, "ANONYMOUS"},
	{"XOAUTH2 OAUTHBEARER", "noanonymous", "", SASL_FOREIGN, SASL_NONE, "XOAUTH2"},
	{"XOAUTH2 PLAIN", "noanonymous", "", SASL_USABLE, SASL_PLAIN, "XOAUTH2"},
	/* Postfix would not show the password there, so neither do we. */
	{"SCRAM-SHA-256 PLAIN", "noanonymous", "", SASL_FOREIGN, SASL_NONE, "SCRAM-SHA-256"},
	{"DIGEST-MD5 CRAM-MD5 PLAIN", "noanonymous", "", SASL_USABLE, SASL_CRAM_MD5, "DIGEST-MD5"},
	{"NEWER PLAIN", "noanonymous", "", SASL_USABLE, SASL_PLAIN, "NEWER"},
	{"PLAIN LOGIN CRAM-MD5", "noanonymous", "login, plain", SASL_USABLE, SASL_PLAIN, ""},
	{"PLAIN LOGIN CRAM-MD5", "noanonymous", "!cram-md5, static:all", SASL_USABLE, SASL_PLAIN, ""},
	{"PLAIN LOGIN", "noanonymous", "gssapi", SASL_NO_COMMON, SASL_NONE, ""},
	{"PLAIN", "noanonymous", "hash:/etc/postfix/mechs", SASL_FOREIGN, SASL_NONE, "PLAIN"},
	{"PLAIN", "noanonymous", "plain, /etc/postfix/mechs", SASL_USABLE, SASL_PLAIN, ""},
};

START_TEST(the_mechanism_is_one_that_postfix_may_use)
{
	const struct sasl_policy policy = {choices[_i].options, choices[_i].filter, NULL};
	enum sasl_mechanism mechanism;
	char foreign[SASL_NAME_BYTES];

	ck_assert_int_eq(sasl_choose(choices[_i].offered, &policy, &mechanism, foreign), choices[_i].choice);
	ck_assert_int_eq(mechanism, choices[_i].mechanism);
	ck_assert_str_eq(foreign, choices[_i].foreign);
}
END_TEST

START_TEST(a_mechanism_without_a_plugin_is_not_used)
{
	const struct sasl_policy policy = {"noanonymous", "", has_no_plain};
	enum sasl_mechanism mechanism;
	char foreign[SASL_NAME_BYTES];

	ck_assert_int_eq(sasl_choose("PLAIN LOGIN", &policy, &mechanism, foreign), SASL_USABLE);
	ck_assert_int_eq(mechanism, SASL_LOGIN);
	ck_assert_int_eq(sasl_choose("PLAIN", &policy, &mechanism, foreign), SASL_NO_COMMON);
}
END_TEST

START_TEST(plain_is_one_command)
{
	sasl_begin(&sasl, SASL_PLAIN, &tim);
	ck_assert_str_eq(sasl.line, "AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n");
	ck_assert_str_eq(sasl.shown, "AUTH PLAIN ***");
	ck_assert_int_eq(sasl_answered(&sasl, 235, "235 2.7.0 ok"), SASL_ACCEPTED);
	ck_assert_int_eq(sasl_answered(&sasl, 334, "334 "), SASL_NONSENSE);
}
END_TEST

START_TEST(a_long_response_waits_for_the_server)
{
	struct credentials longest;

	memset(&longest, 'x', sizeof longest);
	longest.user[sizeof longest.user - 1] = longest.password[sizeof longest.password - 1] = '\0';
	sasl_begin(&sasl, SASL_PLAIN, &longest);
	ck_assert_str_eq(sasl.line, "AUTH PLAIN\r\n");
	ck_assert_int_eq(sasl_answered(&sasl, 334, "334 YQ=="), SASL_NONSENSE);
	ck_assert_int_eq(sasl_answered(&sasl, 334, "334 "), SASL_SEND);
	ck_assert_uint_eq(strlen(sasl.line), (1 + 511 + 1 + 511 + 2) / 3 * 4 + 2);
	ck_assert_int_eq(sasl_answered(&sasl, 334, "334 "), SASL_NONSENSE);
}
END_TEST

START_TEST(login_is_user_and_password_whatever_the_server_asks)
{
	sasl_begin(&sasl, SASL_LOGIN, &tim);
	ck_assert_str_eq(sasl.line, "AUTH LOGIN\r\n");
	ck_assert_int_eq(sasl_answered(&sasl, 334, "334 VXNlcm5hbWU6"), SASL_SEND);
	ck_assert_str_eq(sasl.line, "dGlt\r\n");
	ck_assert_str_eq(sasl.shown, "***");
	ck_assert_int_eq(sasl_answered(&sasl, 334, "334"), SASL_SEND);
	ck_assert_str_eq(sasl.line, "dGFuc3RhYWZ0YW5zdGFhZg==\r\n");
	ck_assert_int_eq(sasl_answered(&sasl, 334, "334 "), SASL_NONSENSE);
}
END_TEST

START_TEST(cram_md5_is_the_example_of_rfc_2195)
{
	sasl_begin(&sasl, SASL_CRAM_MD5, &tim);
	ck_assert_str_eq(sasl.line, "AUTH CRAM-MD5\r\n");
	ck_assert_int_eq(
		sasl_answered(&sasl, 334, "334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+"),
		SASL_SEND);
	ck_assert_str_eq(sasl.line, "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw\r\n");
	ck_assert_int_eq(sasl_answered(&sasl, 334, "334 PDE+"), SASL_NONSENSE);
}
END_TEST

START_TEST(a_challenge_that_is_no_base64_is_nonsense)
{
	static const char *const challenges[] = {
		"334 this is it", "334 A", "334 AA=A", "334 ====", "334 \x01\x02\x03\x04", "334 "};

	sasl_begin(&sasl, SASL_CRAM_MD5, &tim);
	ck_assert_int_eq(sasl_answered(&sasl, 334, challenges[_i]), SASL_NONSENSE);
}
END_TEST

START_TEST(the_class_of_the_code_decides)
{
	sasl_begin(&sasl, SASL_PLAIN, &tim);
	ck_assert_int_eq(sasl_answered(&sasl, 235, "235 ok"), SASL_ACCEPTED);
	ck_assert_int_eq(sasl_answered(&sasl, 535, "535 no"), SASL_REJECTED);
	ck_assert_int_eq(sasl_answered(&sasl, 534, "534 no"), SASL_REJECTED);
	ck_assert_int_eq(sasl_answered(&sasl, 454, "454 later"), SASL_REFUSED);
	ck_assert_int_eq(sasl_answered(&sasl, 421, "421 later"), SASL_REFUSED);
	ck_assert_int_eq(sasl_answered(&sasl, 0, "hello"), SASL_NONSENSE);
}
END_TEST

START_TEST(a_server_that_repeats_the_secret_is_cut_short)
{
	char text[3][64] = {"535 what is AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm", "535 tanstaaftanstaaf?",
		"535 5.7.8 no"};

	sasl_begin(&sasl, SASL_PLAIN, &tim);
	for (int i = 0; i < 3; i++)
		sasl_hide(&sasl, text[i]);
	ck_assert_str_eq(text[0], "535 what is AUTH PLAIN ***");
	ck_assert_str_eq(text[1], "535 ***");
	ck_assert_str_eq(text[2], "535 5.7.8 no");
}
END_TEST

START_TEST(nothing_is_left_at_the_end)
{
	static const struct sasl nothing;

	sasl_begin(&sasl, SASL_LOGIN, &tim);
	(void)sasl_answered(&sasl, 334, "334 ");
	sasl_end(&sasl);
	ck_assert_int_eq(memcmp(&sasl, &nothing, sizeof sasl), 0);
}
END_TEST

START_TEST(what_a_server_offers_is_read_as_smtp_reads_it)
{
	struct smtp_hello hello;

	smtp_hello_start(&hello);
	smtp_hello_line(&hello, "250-AUTH PLAIN"); /* a name */
	ck_assert(!hello.has_auth);
	smtp_hello_line(&hello, "250-starttls");
	smtp_hello_line(&hello, "250-AUTHENTIC PLAIN");
	ck_assert(hello.has_starttls && !hello.has_auth);
	smtp_hello_line(&hello, "250-AUTH LOGIN PLAIN");
	smtp_hello_line(&hello, "250-AUTH=LOGIN PLAIN");
	ck_assert_str_eq(hello.auth, "LOGIN PLAIN");
	smtp_hello_line(&hello, "250 AUTH=CRAM-MD5");
	ck_assert_str_eq(hello.auth, "LOGIN PLAIN CRAM-MD5");
	smtp_hello_start(&hello);
	smtp_hello_line(&hello, "250-name");
	smtp_hello_line(&hello, "250 AUTH");
	ck_assert(hello.has_auth);
	ck_assert_str_eq(hello.auth, "");
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(
		tcase, the_mechanism_is_one_that_postfix_may_use, 0, (int)(sizeof choices / sizeof *choices));
	tcase_add_test(tcase, a_mechanism_without_a_plugin_is_not_used);
	tcase_add_test(tcase, plain_is_one_command);
	tcase_add_test(tcase, a_long_response_waits_for_the_server);
	tcase_add_test(tcase, login_is_user_and_password_whatever_the_server_asks);
	tcase_add_test(tcase, cram_md5_is_the_example_of_rfc_2195);
	tcase_add_loop_test(tcase, a_challenge_that_is_no_base64_is_nonsense, 0, 6);
	tcase_add_test(tcase, the_class_of_the_code_decides);
	tcase_add_test(tcase, a_server_that_repeats_the_secret_is_cut_short);
	tcase_add_test(tcase, nothing_is_left_at_the_end);
	tcase_add_test(tcase, what_a_server_offers_is_read_as_smtp_reads_it);
}

int main(void)
{
	return suite_run("sasl", add);
}
