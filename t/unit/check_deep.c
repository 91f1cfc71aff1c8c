/*
 * check_deep - what a probe is asked for behind hello, and what becomes of its findings
 */
#include "probe/deep.h"
#include "suite.h"

#include <string.h>

enum { NOW = 1000000 };

static struct deep deep;
static struct plan plan;
static struct probe_request request;
static struct findings findings;

static void setup(void)
{
	memset(&deep, 0, sizeof deep);
	plan = (struct plan){.kind = PLAN_SERVER,
		.depth = DEPTH_AUTH,
		.recipient = "",
		.others = "",
		.fallbacks = "",
		.auth = {.is_used = true,
			.host = "relay.example",
			.options = "noanonymous",
			.tls_options = "",
			.verified_options = "",
			.filter = ""}};
}

static void teardown(void)
{
	deep_free(&deep);
}

/* ask - is a probe at that time to authenticate? */
static bool ask(int64_t now_ms)
{
	memset(&request, 0, sizeof request);
	deep_ask(&deep, &plan, now_ms, &request);
	return request.auth.is_wanted;
}

/* take - a result; came: how far.  Returns the reason that is recorded. */
static enum reason take(int64_t now_ms, enum reason reason, bool came_to_auth, bool came_to_recipient)
{
	struct probe_result result = {.detail = "of this probe", .evidence_ms = now_ms};

	result.has[CHECK_SERVER] = true;
	result.outcome[CHECK_SERVER] = (struct outcome){reason, reason_severity(reason), false};
	result.is_deep[DEPTH_KIND_AUTH] = came_to_auth;
	result.is_deep[DEPTH_KIND_RECIPIENT] = came_to_recipient;
	memset(result.print, 7, sizeof result.print);
	memset(&findings, 0, sizeof findings);
	findings.detail = result.detail;
	findings.has[CHECK_SERVER] = true;
	findings.outcome[CHECK_SERVER] = result.outcome[CHECK_SERVER];
	deep_take(&deep, &result, &findings);
	return findings.outcome[CHECK_SERVER].reason;
}

START_TEST(authentication_is_asked_for_once_an_hour)
{
	ck_assert(ask(NOW));
	ck_assert_str_eq(request.auth.host, "relay.example");
	ck_assert_int_eq(take(NOW, REASON_NONE, true, false), REASON_NONE);
	ck_assert(!ask(NOW + 1));
	ck_assert(ask(NOW + DEPTH_AUTH_MS));
}
END_TEST

START_TEST(a_probe_that_did_not_come_so_far_leaves_it_due)
{
	ck_assert(ask(NOW));
	ck_assert_int_eq(take(NOW, REASON_CONNECTION_REFUSED, false, false), REASON_CONNECTION_REFUSED);
	ck_assert(ask(NOW + 1));
}
END_TEST

START_TEST(a_rejection_lasts_and_only_other_credentials_are_tried)
{
	ck_assert(ask(NOW));
	ck_assert_int_eq(take(NOW, REASON_AUTH_REJECTED, true, false), REASON_AUTH_REJECTED);
	ck_assert(!ask(NOW + 10 * (int64_t)DEPTH_AUTH_MS));
	ck_assert_int_eq(take(NOW + 1, REASON_NONE, false, false), REASON_AUTH_REJECTED);
	ck_assert_str_eq(findings.detail, "of this probe");
	ck_assert_int_eq(take(NOW + 2, REASON_CONNECTION_REFUSED, false, false), REASON_CONNECTION_REFUSED);
	ck_assert(deep_recheck(&deep));
	ck_assert(ask(NOW + 3));
	ck_assert(request.auth.has_rejected);
	ck_assert_int_eq(request.auth.rejected[0], 7);
	ck_assert_int_eq(take(NOW + 3, REASON_NONE, true, false), REASON_NONE);
	ck_assert(!ask(NOW + 4));
	ck_assert(!deep_recheck(&deep));
}
END_TEST

START_TEST(a_recheck_ends_when_the_credentials_are_the_same)
{
	struct probe_result result = {.is_spared = true, .evidence_ms = NOW};

	(void)take(NOW, REASON_AUTH_REJECTED, true, false);
	ck_assert(deep_recheck(&deep));
	(void)take(NOW, REASON_CONNECTION_REFUSED, false, false);
	ck_assert_msg(ask(NOW), "not asked yet");
	result.has[CHECK_SERVER] = true;
	deep_take(&deep, &result, &findings);
	ck_assert(!ask(NOW));
}
END_TEST

START_TEST(the_operator_may_ask_again)
{
	(void)take(NOW, REASON_AUTH_REJECTED, true, false);
	deep_forget(&deep);
	ck_assert(ask(NOW));
	ck_assert(!request.auth.has_rejected);
	ck_assert_int_eq(take(NOW, REASON_NONE, true, false), REASON_NONE);
}
END_TEST

START_TEST(a_hop_that_is_not_to_authenticate_any_more_is_cured)
{
	(void)take(NOW, REASON_AUTH_REJECTED, true, false);
	plan.depth = DEPTH_HELLO;
	ck_assert(!ask(NOW));
	ck_assert_int_eq(take(NOW, REASON_NONE, false, false), REASON_NONE);
}
END_TEST

START_TEST(a_recipient_is_asked_for_by_itself_or_with_authentication)
{
	plan.recipient = "a@example.test";
	ck_assert(ask(NOW));
	ck_assert_str_eq(request.recipient, "a@example.test");
	(void)take(NOW, REASON_SERVICE_REJECTED, true, true);
	ck_assert_msg(!ask(NOW), "the fault is the recipient's");
	plan.depth = DEPTH_HELLO;
	ck_assert(!ask(NOW));
	ck_assert_str_eq(request.recipient, "a@example.test");
	(void)take(NOW, REASON_NONE, false, true);
	(void)ask(NOW + DEPTH_RECIPIENT_MS - 1);
	ck_assert_str_eq(request.recipient, "");
	(void)ask(NOW + DEPTH_RECIPIENT_MS);
	ck_assert_str_eq(request.recipient, "a@example.test");
}
END_TEST

START_TEST(the_mail_exchanger_says_its_own_name)
{
	plan.target.lookup_mx = true;
	ck_assert(ask(NOW));
	ck_assert_str_eq(request.auth.host, "");
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, authentication_is_asked_for_once_an_hour);
	tcase_add_test(tcase, a_probe_that_did_not_come_so_far_leaves_it_due);
	tcase_add_test(tcase, a_rejection_lasts_and_only_other_credentials_are_tried);
	tcase_add_test(tcase, a_recheck_ends_when_the_credentials_are_the_same);
	tcase_add_test(tcase, the_operator_may_ask_again);
	tcase_add_test(tcase, a_hop_that_is_not_to_authenticate_any_more_is_cured);
	tcase_add_test(tcase, a_recipient_is_asked_for_by_itself_or_with_authentication);
	tcase_add_test(tcase, the_mail_exchanger_says_its_own_name);
}

int main(void)
{
	return suite_run("deep", add);
}
