/*
 * check_deep - what each server is asked for behind hello, and what becomes of what is found
 */
#include "probe/deep.h"
#include "suite.h"

#include <stdio.h>
#include <string.h>

enum { NOW = 1000000, DOWN_INTERVAL_MS = 5000, ONE = 1, TWO = 2 };

static struct deep deep;
static struct tls_plan tls;
static struct deep_wish wish;
static struct deep_task task;
static struct smtp_dialogue_result result;
static const unsigned char old[DEEP_PRINT_BYTES] = {7}, fresh[DEEP_PRINT_BYTES] = {8};

static void setup(void)
{
	memset(&deep, 0, sizeof deep);
	memset(&tls, 0, sizeof tls);
	deep.down_interval_ms = DOWN_INTERVAL_MS;
	wish = (struct deep_wish){.depth = DEPTH_AUTH,
		.shallow_depth = DEPTH_HELLO,
		.tls = &tls,
		.uses_auth = true,
		.recipient = ""};
}

static void teardown(void)
{
	deep_forget(&deep);
}

/* ask - is the server to be authenticated at? */
static bool ask(uint64_t server, int64_t now_ms)
{
	deep_task(&deep, server, &wish, now_ms, &task);
	return task.has_auth;
}

/* take - a result, which came so far; returns the reason that is told of the server */
static enum reason take_print(uint64_t server, int64_t now_ms, enum reason reason, unsigned kinds,
	const unsigned char *print, bool is_spared)
{
	result = (struct smtp_dialogue_result){.reason = reason, .severity = reason_severity(reason)};
	for (int kind = 0; kind < DEPTH_KIND_COUNT; kind++)
		result.is_deep[kind] = (kinds & 1U << (unsigned)kind) != 0;
	(void)snprintf(result.detail, sizeof result.detail, "at %d", (int)now_ms);
	deep_take(&deep, server, print, is_spared, &result, now_ms);
	return result.reason;
}

enum { TO_HELLO = 0, TO_TLS = 1 << DEPTH_KIND_TLS, TO_AUTH = 1 << DEPTH_KIND_AUTH, TO_RECIPIENT = 1 << DEPTH_KIND_RECIPIENT };

static enum reason take(uint64_t server, int64_t now_ms, enum reason reason, unsigned kinds)
{
	return take_print(server, now_ms, reason, kinds, (kinds & TO_AUTH) != 0 ? old : NULL, false);
}

START_TEST(authentication_is_asked_for_once_an_hour)
{
	ck_assert(ask(ONE, NOW));
	ck_assert_int_eq(task.depth, DEPTH_TLS);
	ck_assert_int_eq(take(ONE, NOW, REASON_NONE, TO_TLS | TO_AUTH), REASON_NONE);
	ck_assert(!ask(ONE, NOW + 1));
	ck_assert_int_eq(task.depth, DEPTH_HELLO);
	ck_assert(!ask(ONE, NOW + DEPTH_TLS_MS));
	ck_assert_int_eq(task.depth, DEPTH_TLS);
	ck_assert(ask(ONE, NOW + DEPTH_AUTH_MS));
}
END_TEST

START_TEST(each_server_has_its_own_times_and_faults)
{
	ck_assert(ask(ONE, NOW));
	ck_assert_int_eq(take(ONE, NOW, REASON_TLS_CERTIFICATE, TO_TLS), REASON_TLS_CERTIFICATE);
	ck_assert(ask(TWO, NOW));
	ck_assert_int_eq(take(TWO, NOW, REASON_NONE, TO_TLS | TO_AUTH), REASON_NONE);
	ck_assert(!ask(TWO, NOW + 1));
	ck_assert_int_eq(task.depth, DEPTH_HELLO);
	ck_assert_int_eq(take(TWO, NOW + 1, REASON_NONE, TO_HELLO), REASON_NONE);
	(void)ask(ONE, NOW + 1);
	ck_assert_int_eq(task.depth, DEPTH_TLS);
	ck_assert_int_eq(take(ONE, NOW + 1, REASON_NONE, TO_HELLO), REASON_TLS_CERTIFICATE);
}
END_TEST

START_TEST(a_probe_that_did_not_come_so_far_leaves_it_due)
{
	ck_assert(ask(ONE, NOW));
	ck_assert_int_eq(take(ONE, NOW, REASON_CONNECTION_LOST, TO_HELLO), REASON_CONNECTION_LOST);
	ck_assert(ask(ONE, NOW + 1));
}
END_TEST

START_TEST(a_rejection_lasts_and_only_other_credentials_are_tried)
{
	ck_assert(ask(ONE, NOW));
	ck_assert_int_eq(take(ONE, NOW, REASON_AUTH_REJECTED, TO_AUTH), REASON_AUTH_REJECTED);
	ck_assert(!ask(ONE, NOW + 10 * (int64_t)DEPTH_AUTH_MS));
	ck_assert_int_eq(take(ONE, NOW + 1, REASON_NONE, TO_HELLO), REASON_AUTH_REJECTED);
	ck_assert_str_eq(result.detail, "at 1000000");
	ck_assert_int_eq(take(ONE, NOW + 2, REASON_CONNECTION_LOST, TO_HELLO), REASON_CONNECTION_LOST);
	ck_assert(deep_recheck(&deep));
	ck_assert(ask(ONE, NOW + 3));
	ck_assert(deep_is_rejected(&deep, old));
	ck_assert(!deep_is_rejected(&deep, fresh));
	ck_assert_int_eq(take_print(ONE, NOW + 3, REASON_NONE, TO_AUTH, fresh, false), REASON_NONE);
	ck_assert(!ask(ONE, NOW + 4));
	ck_assert(!deep_is_rejected(&deep, old));
	ck_assert(!deep_recheck(&deep));
}
END_TEST

START_TEST(a_recheck_ends_when_the_credentials_are_the_same)
{
	ck_assert(ask(ONE, NOW));
	(void)take(ONE, NOW, REASON_AUTH_REJECTED, TO_AUTH);
	ck_assert(deep_recheck(&deep));
	(void)take(ONE, NOW, REASON_CONNECTION_LOST, TO_HELLO);
	ck_assert_msg(ask(ONE, NOW), "not asked yet");
	ck_assert_int_eq(take_print(ONE, NOW, REASON_NONE, TO_HELLO, old, true), REASON_AUTH_REJECTED);
	ck_assert(!ask(ONE, NOW));
}
END_TEST

START_TEST(a_look_up_that_fails_takes_no_rejection_back)
{
	ck_assert(ask(ONE, NOW));
	(void)take(ONE, NOW, REASON_AUTH_REJECTED, TO_AUTH);
	ck_assert(deep_recheck(&deep));
	ck_assert_int_eq(take_print(ONE, NOW + 1, REASON_LOCAL_ERROR, TO_AUTH, NULL, false), REASON_LOCAL_ERROR);
	ck_assert_msg(deep_is_rejected(&deep, old), "they would be sent once more");
	ck_assert_uint_eq(deep_latches(&deep), 1);
	ck_assert_msg(ask(ONE, NOW + 2), "whether they are others is not known yet");
	ck_assert_int_eq(take_print(ONE, NOW + 2, REASON_NONE, TO_HELLO, old, true), REASON_AUTH_REJECTED);
	ck_assert(!ask(ONE, NOW + 3));
}
END_TEST

START_TEST(what_one_server_rejects_is_not_for_the_others_but_other_words_are)
{
	ck_assert(ask(ONE, NOW));
	(void)take(ONE, NOW, REASON_AUTH_REJECTED, TO_AUTH);
	ck_assert(ask(TWO, NOW));
	ck_assert(deep_is_rejected(&deep, old));
	ck_assert_int_eq(take_print(TWO, NOW, REASON_NONE, TO_HELLO, old, true), REASON_AUTH_REJECTED);
	ck_assert_ptr_nonnull(strstr(result.detail, "another server"));
	ck_assert(!ask(TWO, NOW + 10 * (int64_t)DEPTH_AUTH_MS));
	ck_assert(ask(3, NOW));
	ck_assert_int_eq(take_print(3, NOW, REASON_NONE, TO_AUTH, fresh, false), REASON_NONE);
	ck_assert_msg(deep_is_rejected(&deep, old), "another server's yes to other words says nothing of these");
}
END_TEST

START_TEST(the_operator_may_ask_again)
{
	ck_assert(ask(ONE, NOW));
	(void)take(ONE, NOW, REASON_AUTH_REJECTED, TO_AUTH);
	deep_forget(&deep);
	ck_assert(ask(ONE, NOW));
	ck_assert(!deep_is_rejected(&deep, old));
	ck_assert_int_eq(take(ONE, NOW, REASON_NONE, TO_AUTH), REASON_NONE);
}
END_TEST

START_TEST(a_hop_that_is_not_looked_at_so_deep_any_more_is_cured)
{
	ck_assert(ask(ONE, NOW));
	(void)take(ONE, NOW, REASON_AUTH_REJECTED, TO_AUTH);
	wish.depth = DEPTH_HELLO;
	wish.uses_auth = false;
	ck_assert(!ask(ONE, NOW));
	ck_assert_uint_eq(deep.count, 0);
	ck_assert_int_eq(take(ONE, NOW, REASON_NONE, TO_HELLO), REASON_NONE);
}
END_TEST

START_TEST(other_settings_of_tls_are_looked_at_at_once)
{
	(void)ask(ONE, NOW);
	(void)take(ONE, NOW, REASON_NONE, TO_TLS | TO_AUTH);
	tls.level = TLS_LEVEL_VERIFY;
	(void)ask(ONE, NOW + 1);
	ck_assert_int_eq(task.depth, DEPTH_TLS);
	ck_assert(!task.has_auth);
}
END_TEST

START_TEST(when_mail_does_not_get_through_tls_is_looked_at_but_nothing_is_authenticated)
{
	(void)ask(ONE, NOW);
	(void)take(ONE, NOW, REASON_NONE, TO_TLS | TO_AUTH);
	deep_doubt(&deep);
	ck_assert(!ask(ONE, NOW + 1));
	ck_assert_int_eq(task.depth, DEPTH_TLS);
	(void)take(ONE, NOW + 1, REASON_NONE, TO_TLS);
	(void)ask(ONE, NOW + 2);
	ck_assert_int_eq(task.depth, DEPTH_HELLO);
}
END_TEST

START_TEST(a_recipient_is_asked_for_by_itself_or_with_authentication)
{
	wish.recipient = "a@example.test";
	ck_assert(ask(ONE, NOW));
	ck_assert(task.has_recipient);
	(void)take(ONE, NOW, REASON_SERVICE_REJECTED, TO_AUTH | TO_RECIPIENT);
	ck_assert_msg(!ask(ONE, NOW), "the fault is the recipient's");
	wish.depth = DEPTH_HELLO;
	wish.uses_auth = false;
	ck_assert(!ask(ONE, NOW));
	ck_assert(task.has_recipient);
	(void)take(ONE, NOW, REASON_NONE, TO_RECIPIENT);
	(void)ask(ONE, NOW + DEPTH_RECIPIENT_MS - 1);
	ck_assert(!task.has_recipient);
	(void)ask(ONE, NOW + DEPTH_RECIPIENT_MS);
	ck_assert(task.has_recipient);
	wish.is_extra = true;
	(void)ask(ONE, NOW + DEPTH_RECIPIENT_MS);
	ck_assert_msg(!task.has_recipient, "mail goes elsewhere");
}
END_TEST

START_TEST(servers_that_were_not_met_for_long_are_forgotten)
{
	for (uint64_t server = 1; server <= DEEP_SERVERS; server++) {
		ck_assert(ask(server, NOW));
		(void)take(server, NOW, REASON_NONE, TO_AUTH);
	}
	ck_assert(!ask(1, NOW + 1));
	ck_assert(ask(DEEP_SERVERS + 1, NOW + 1));
	ck_assert_uint_eq(deep.count, DEEP_SERVERS);
	ck_assert(!ask(1, NOW + 1));
	ck_assert(ask(2, NOW + 1));
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, authentication_is_asked_for_once_an_hour);
	tcase_add_test(tcase, each_server_has_its_own_times_and_faults);
	tcase_add_test(tcase, a_probe_that_did_not_come_so_far_leaves_it_due);
	tcase_add_test(tcase, a_rejection_lasts_and_only_other_credentials_are_tried);
	tcase_add_test(tcase, a_recheck_ends_when_the_credentials_are_the_same);
	tcase_add_test(tcase, a_look_up_that_fails_takes_no_rejection_back);
	tcase_add_test(tcase, what_one_server_rejects_is_not_for_the_others_but_other_words_are);
	tcase_add_test(tcase, the_operator_may_ask_again);
	tcase_add_test(tcase, a_hop_that_is_not_looked_at_so_deep_any_more_is_cured);
	tcase_add_test(tcase, other_settings_of_tls_are_looked_at_at_once);
	tcase_add_test(tcase, when_mail_does_not_get_through_tls_is_looked_at_but_nothing_is_authenticated);
	tcase_add_test(tcase, a_recipient_is_asked_for_by_itself_or_with_authentication);
	tcase_add_test(tcase, servers_that_were_not_met_for_long_are_forgotten);
}

int main(void)
{
	return suite_run("deep", add);
}
