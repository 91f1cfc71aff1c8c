/*
 * check_transport - what becomes of each answer, and of silence
 */
#include "probe/transport.h"

#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char greeting[] = "protocol\0delivery_request_protocol\0";

static struct event_base *base;
static struct transport_check *check;
static struct probe_result result;
static int results, opens, error_to_give, peer = -1;
static opener_done_fn *pending;
static void *pending_arg;

static uint32_t fake_open(void *opener_arg, const char *directory, const char *name,
	opener_done_fn *done, void *arg)
{
	(void)opener_arg;
	ck_assert_str_eq(directory, "/etc/postfix");
	(void)name;
	opens++;
	pending = done;
	pending_arg = arg;
	return 1;
}

static void fake_cancel(void *opener_arg, uint32_t handle)
{
	(void)opener_arg;
	(void)handle;
	pending = NULL;
}

static const struct opener opener = {fake_open, fake_cancel, NULL};

static void on_done(void *arg, const struct probe_result *found)
{
	(void)arg;
	result = *found;
	results++;
}

static void setup(void)
{
	base = event_base_new();
	check = transport_check_new(base, &opener, on_done, NULL);
}

static void teardown(void)
{
	transport_check_free(check);
	event_base_free(base);
	if (peer >= 0)
		close(peer);
}

static struct transport_plan smtp_plan(const char *name)
{
	return (struct transport_plan){.name = name,
		.directory = "/etc/postfix",
		.command = "smtp",
		.arguments = "",
		.mail_owner = "postfix",
		.bind4 = "",
		.bind6 = ""};
}

/* run - start, let the opener answer, and wait for the result; silence_ms is the time that an agent has */
static void run(const char *name, int64_t silence_ms)
{
	const struct transport_plan plan = smtp_plan(name);
	int before = results, fds[2];

	transport_check_run(check, &plan, silence_ms);
	if (pending != NULL) {
		opener_done_fn *done = pending;

		pending = NULL;
		if (error_to_give != 0) {
			done(pending_arg, &(struct opened){-1, error_to_give, 0});
		} else {
			ck_assert_int_eq(
				socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
			peer = fds[1];
			ck_assert_int_eq(write(peer, greeting, silence_ms > 1000 ? sizeof greeting : 0),
				silence_ms > 1000 ? (ssize_t)sizeof greeting : 0);
			done(pending_arg, &(struct opened){fds[0], 0, 0});
		}
	}
	while (results == before)
		ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
	ck_assert(!transport_check_is_running(check));
}

static const struct {
	int error;
	enum reason reason;
	bool is_hard;
} refusals[] = {
	{ENOENT, REASON_TRANSPORT_UNDEFINED, true},
	{EPERM, REASON_TRANSPORT_UNDEFINED, true},
	{ECONNREFUSED, REASON_TRANSPORT_REFUSED, true},
	{EACCES, REASON_LOCAL_ERROR, false},
	{EMFILE, REASON_LOCAL_ERROR, false},
	{EAGAIN, REASON_TRANSPORT_SILENT, false},
};

START_TEST(every_refusal_has_its_reason)
{
	error_to_give = refusals[_i].error;
	run("no-such-transport", 5000);
	ck_assert(result.has[CHECK_SERVICE]);
	ck_assert_int_eq(result.outcome[CHECK_SERVICE].reason, refusals[_i].reason);
	ck_assert(result.outcome[CHECK_SERVICE].is_hard == refusals[_i].is_hard);
	ck_assert_str_ne(result.detail, "");
	ck_assert(result.is_local);
}
END_TEST

START_TEST(an_agent_is_up)
{
	run("smtp", 5000);
	ck_assert_int_eq(result.outcome[CHECK_SERVICE].reason, REASON_NONE);
	ck_assert_str_eq(result.detail, "");
	ck_assert(!result.has[CHECK_BIND] && !result.has[CHECK_COMMAND]);
}
END_TEST

START_TEST(a_silent_service_stays_parked_and_tells_when_it_is_back)
{
	run("no-such-process", 50);
	ck_assert_int_eq(result.outcome[CHECK_SERVICE].reason, REASON_TRANSPORT_SILENT);
	ck_assert_int_eq(opens, 1);
	/* Looking again opens nothing more. */
	run("no-such-process", 50);
	ck_assert_int_eq(result.outcome[CHECK_SERVICE].reason, REASON_TRANSPORT_SILENT);
	ck_assert_int_eq(opens, 1);
	/* Nobody asks, and it says that it is back. */
	ck_assert_int_eq(write(peer, greeting, sizeof greeting), (ssize_t)sizeof greeting);
	results = 0;
	while (results == 0)
		ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
	ck_assert_int_eq(result.outcome[CHECK_SERVICE].reason, REASON_NONE);
	ck_assert_str_eq(result.detail, "");
}
END_TEST

START_TEST(a_service_that_hangs_up_is_broken)
{
	run("no-such-process", 50);
	close(peer);
	peer = -1;
	results = 0;
	while (results == 0)
		ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
	ck_assert_int_eq(result.outcome[CHECK_SERVICE].reason, REASON_TRANSPORT_BROKEN);
}
END_TEST

START_TEST(the_detail_is_that_of_the_gravest_fault)
{
	struct transport_plan plan = smtp_plan("x");

	plan.command = "pipe";
	plan.arguments = "user=no-such-user-here argv=/bin/true";
	plan.bind4 = "192.0.2.254";
	error_to_give = EACCES;
	transport_check_run(check, &plan, 100);
	pending(pending_arg, &(struct opened){-1, EACCES, 0});
	while (results == 0)
		ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
	ck_assert_int_eq(result.outcome[CHECK_COMMAND].reason, REASON_COMMAND_MISSING);
	ck_assert_int_eq(result.outcome[CHECK_BIND].severity, SEVERITY_DEGRADED);
	ck_assert_int_eq(result.outcome[CHECK_SERVICE].reason, REASON_LOCAL_ERROR);
	ck_assert_ptr_nonnull(strstr(result.detail, "no-such-user-here"));
}
END_TEST

START_TEST(a_glance_asks_nobody)
{
	struct transport_plan plan = smtp_plan("x");

	plan.bind4 = "192.0.2.254";
	transport_check_glance(check, &plan);
	ck_assert_ptr_null(pending);
	while (results == 0)
		ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
	ck_assert_int_eq(result.outcome[CHECK_BIND].severity, SEVERITY_DEGRADED);
	ck_assert(result.has[CHECK_SERVICE]);
	ck_assert_int_eq(result.outcome[CHECK_SERVICE].reason, REASON_NONE);
}
END_TEST

START_TEST(a_glance_at_a_silent_service_does_not_make_it_fine)
{
	const struct transport_plan plan = smtp_plan("x");
	int before;

	run("x", 50);
	before = results;
	transport_check_glance(check, &plan);
	while (results == before)
		ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
	ck_assert_int_eq(result.outcome[CHECK_SERVICE].reason, REASON_TRANSPORT_SILENT);
}
END_TEST

START_TEST(freeing_in_mid_run_is_fine)
{
	const struct transport_plan plan = smtp_plan("x");

	transport_check_run(check, &plan, 100);
	transport_check_free(check);
	ck_assert_ptr_null(pending);
	check = transport_check_new(base, &opener, on_done, NULL);
	run("y", 50);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, every_refusal_has_its_reason, 0,
		(int)(sizeof refusals / sizeof *refusals));
	tcase_add_test(tcase, an_agent_is_up);
	tcase_add_test(tcase, a_silent_service_stays_parked_and_tells_when_it_is_back);
	tcase_add_test(tcase, a_service_that_hangs_up_is_broken);
	tcase_add_test(tcase, the_detail_is_that_of_the_gravest_fault);
	tcase_add_test(tcase, a_glance_asks_nobody);
	tcase_add_test(tcase, a_glance_at_a_silent_service_does_not_make_it_fine);
	tcase_add_test(tcase, freeing_in_mid_run_is_fine);
}

int main(void)
{
	return suite_run("transport", add);
}
