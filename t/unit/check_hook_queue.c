/*
 * check_hook_queue - which changes of a hop that flaps are told, and which are not
 */
#include "ops/hook_queue.h"

#include "suite.h"

#include <stdio.h>
#include <string.h>

static struct hook_queue *queue;
static struct hook_event event;

static void setup(void)
{
	queue = hook_queue_new(3);
	ck_assert_ptr_nonnull(queue);
}

static void teardown(void)
{
	hook_queue_free(queue);
}

static enum hook_put put(const char *hop, enum state from, enum state to)
{
	struct hook_event one = {
		.from = from, .to = to, .reason = REASON_CONNECTION_REFUSED, .since = to};

	(void)snprintf(one.hop, sizeof one.hop, "%s", hop);
	(void)snprintf(one.detail, sizeof one.detail, "now %s", state_name(to));
	return hook_queue_put(queue, &one);
}

/* expect - the next one is this */
static void expect(const char *hop, enum state from, enum state to)
{
	ck_assert(hook_queue_take(queue, &event));
	ck_assert_str_eq(event.hop, hop);
	ck_assert_int_eq(event.from, from);
	ck_assert_int_eq(event.to, to);
}

static void expect_nothing(void)
{
	ck_assert_uint_eq(hook_queue_count(queue), 0);
	ck_assert(!hook_queue_take(queue, &event));
}

START_TEST(hops_come_out_in_the_order_of_their_first_change)
{
	ck_assert_int_eq(put("b:", STATE_UP, STATE_DOWN), HOOK_QUEUED);
	ck_assert_int_eq(put("a:", STATE_DOWN, STATE_UP), HOOK_QUEUED);
	ck_assert_int_eq(put("b:", STATE_DOWN, STATE_DEGRADED), HOOK_MERGED);
	ck_assert_uint_eq(hook_queue_count(queue), 2);
	expect("b:", STATE_UP, STATE_DEGRADED);
	expect("a:", STATE_DOWN, STATE_UP);
	expect_nothing();
}
END_TEST

START_TEST(changes_of_a_hop_become_one_from_the_first_to_the_last)
{
	put("a:", STATE_UP, STATE_DOWN);
	put("a:", STATE_DOWN, STATE_UNKNOWN);
	put("a:", STATE_UNKNOWN, STATE_DEGRADED);
	expect("a:", STATE_UP, STATE_DEGRADED);
	ck_assert_str_eq(event.detail, "now degraded");
	ck_assert_int_eq(event.since, STATE_DEGRADED);
	expect_nothing();
}
END_TEST

START_TEST(changes_that_cancel_out_are_nothing)
{
	put("a:", STATE_UP, STATE_DOWN);
	ck_assert_int_eq(put("a:", STATE_DOWN, STATE_UP), HOOK_CANCELLED);
	expect_nothing();
	/* What comes then is new. */
	put("a:", STATE_UP, STATE_DEGRADED);
	put("a:", STATE_DEGRADED, STATE_DOWN);
	expect("a:", STATE_UP, STATE_DOWN);
	expect_nothing();
}
END_TEST

START_TEST(no_change_is_not_queued)
{
	ck_assert_int_eq(put("a:", STATE_UP, STATE_UP), HOOK_CANCELLED);
	expect_nothing();
}
END_TEST

START_TEST(it_is_bounded_by_hops_and_not_by_changes)
{
	put("a:", STATE_UP, STATE_DOWN);
	put("b:", STATE_UP, STATE_DOWN);
	put("c:", STATE_UP, STATE_DOWN);
	for (int i = 0; i < 1000; i++) {
		put("b:", STATE_DOWN, STATE_DEGRADED);
		put("b:", STATE_DEGRADED, STATE_DOWN);
	}
	ck_assert_int_eq(put("d:", STATE_UP, STATE_DOWN), HOOK_FULL);
	ck_assert_uint_eq(hook_queue_count(queue), 3);
	ck_assert_int_eq(put("a:", STATE_DOWN, STATE_UP), HOOK_CANCELLED);
	ck_assert_int_eq(put("d:", STATE_UP, STATE_DOWN), HOOK_QUEUED);
	expect("b:", STATE_UP, STATE_DOWN);
	hook_queue_clear(queue);
	expect_nothing();
}
END_TEST

START_TEST(a_hop_that_is_first_found_up_is_no_news)
{
	const struct {
		struct hop_change change;
		bool is_news;
	} cases[] = {
		{{STATE_UNKNOWN, STATE_UP, true, true}, false},
		{{STATE_UNKNOWN, STATE_DOWN, true, true}, true},
		{{STATE_UNKNOWN, STATE_DEGRADED, true, true}, true},
		/* It was down, then it could not be looked at. */
		{{STATE_UNKNOWN, STATE_UP, true, false}, true},
		/* Its state was kept over a restart. */
		{{STATE_DOWN, STATE_UP, true, true}, true},
		{{STATE_DOWN, STATE_DOWN, false, false}, false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		ck_assert_msg(hook_is_news(&cases[i].change) == cases[i].is_news, "case %zu", i);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, hops_come_out_in_the_order_of_their_first_change);
	tcase_add_test(tcase, changes_of_a_hop_become_one_from_the_first_to_the_last);
	tcase_add_test(tcase, changes_that_cancel_out_are_nothing);
	tcase_add_test(tcase, no_change_is_not_queued);
	tcase_add_test(tcase, it_is_bounded_by_hops_and_not_by_changes);
	tcase_add_test(tcase, a_hop_that_is_first_found_up_is_no_news);
}

int main(void)
{
	return suite_run("hook_queue", add);
}
