/*
 * check_broker - what the keeper connects to, and what it refuses; and the engine's side of it
 */
#include "broker.h"

#include "base/sockpath.h"
#include "base/xmem.h"
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char master_cf[] = "smtp unix - - n - - smtp\n"
				"vacation unix - n n - - pipe user=a argv=/b\n"
				"rewrite unix - - n - - trivial-rewrite\n"
				"bounce unix - - n - 0 bounce\n"
				"submission inet n - n - - smtpd\n"
				"gone unix - - n - - smtp\n"
				"lmtp unix - - n - - lmtp\n";

static char queue[64];
static int listener, fds[2];
static struct broker *broker;
static const struct sockpath_access ours = {(uid_t)-1, (gid_t)-1, 0600, (uid_t)-1, 0700};

static void setup(void)
{
	char main_cf[256], path[128], error[SOCKPATH_ERROR_BYTES];
	struct postconf postconf = {.directory = (char *)"/etc/postfix",
		.main = main_cf,
		.services = (char *)master_cf,
		.parameters = (char *)""};
	char conf_text[] = "user = \"\"\nlisten_group = \"\"\n";
	FILE *fp = fmemopen(conf_text, strlen(conf_text), "r");
	const struct sources sources = {
		.conf = conf_parse(fp, "test", NULL, NULL), .postconfs = &postconf, .count = 1};

	fclose(fp);
	(void)strcpy(queue, "/tmp/check_broker.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(queue));
	(void)snprintf(main_cf, sizeof main_cf,
		"queue_directory = %s\nmydestination = a\nvirtual_mailbox_domains = a\n"
		"virtual_transport = lmtp:unix:private/dovecot-lmtp\n"
		"mailbox_transport = lmtp:unix:private/../x\n",
		queue);
	(void)snprintf(path, sizeof path, "%s/private/smtp", queue);
	listener = sockpath_listen(path, &ours, error);
	ck_assert_msg(listener >= 0, "%s", error);
	broker = broker_new();
	broker_learn(broker, &sources);
	conf_unref(sources.conf);
	ck_assert(channel_pair(fds));
}

static void teardown(void)
{
	char command[128];

	broker_free(broker);
	close(fds[0]);
	close(fds[1]);
	close(listener);
	(void)snprintf(command, sizeof command, "rm -rf %s", queue);
	ck_assert_int_eq(system(command), 0);
}

/* ask - the errno of the answer, 0 when a descriptor came along */
static int ask(const void *payload, size_t bytes)
{
	struct channel_message request = {.type = CHANNEL_OPEN, .bytes = bytes, .fd = -1}, reply;
	uint32_t words[3];

	memcpy(request.payload, payload, bytes);
	ck_assert(broker_answer(broker, fds[1], &request));
	ck_assert_int_eq(channel_receive(fds[0], &reply), CHANNEL_GOT);
	ck_assert_int_eq(reply.type, CHANNEL_OPENED);
	ck_assert_uint_eq(reply.bytes, sizeof words);
	memcpy(words, reply.payload, sizeof words);
	ck_assert((reply.fd >= 0) == (words[1] == 0));
	if (reply.fd >= 0)
		close(reply.fd);
	return (int)words[1];
}

static int ask_name(const char *directory, const char *name)
{
	char payload[CHANNEL_PAYLOAD_BYTES] = {1, 0, 0, 0};
	size_t used = 4;

	used += strlen(strcpy(payload + used, directory)) + 1;
	used += strlen(strcpy(payload + used, name)) + 1;
	return ask(payload, used);
}

START_TEST(a_delivery_agent_is_connected_to)
{
	ck_assert_int_eq(ask_name("/etc/postfix", "smtp"), 0);
}
END_TEST

START_TEST(a_missing_socket_is_told_by_its_errno)
{
	ck_assert_int_eq(ask_name("/etc/postfix", "vacation"), ENOENT);
	ck_assert_int_eq(ask_name("/etc/postfix", "rewrite"), ENOENT);
	/* Not of master.cf, but named by virtual_transport. */
	ck_assert_int_eq(ask_name("/etc/postfix", "dovecot-lmtp"), ENOENT);
}
END_TEST

START_TEST(without_a_queue_nothing_is_known)
{
	char path[128];

	(void)snprintf(path, sizeof path, "%s/private/smtp", queue);
	ck_assert_int_eq(unlink(path), 0);
	*strrchr(path, '/') = '\0';
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert_int_eq(ask_name("/etc/postfix", "smtp"), ENOTDIR);
}
END_TEST

START_TEST(everything_else_is_refused)
{
	static const char *const names[] = {"bounce", "submission", "no-such", "", ".", "..", "x",
		"../private/smtp", "private/smtp", "smtp/", "/smtp", "smtp\n", "smtp "};
	char name[2000];

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		ck_assert_msg(ask_name("/etc/postfix", names[i]) == EPERM, "\"%s\"", names[i]);
	memset(name, 's', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	ck_assert_int_eq(ask_name("/etc/postfix", name), EPERM);
	ck_assert_int_eq(ask_name("/etc/other", "smtp"), EPERM);
	ck_assert_int_eq(ask_name("/etc/postfix\nsmtp", "smtp"), EPERM);
	ck_assert_int_eq(ask_name("", "smtp"), EPERM);
}
END_TEST

START_TEST(any_bytes_get_an_answer_and_do_no_harm)
{
	static const char good[] = "\1\0\0\0/etc/postfix\0smtp";
	char payload[CHANNEL_PAYLOAD_BYTES];

	for (size_t cut = 0; cut < sizeof good; cut++)
		ck_assert_int_eq(ask(good, cut), EPERM);
	ck_assert_int_eq(ask(good, sizeof good), 0);
	srandom(1);
	for (int round = 0; round < 20000; round++) {
		size_t bytes = (size_t)random() % 64;

		memcpy(payload, good, sizeof good);
		for (int change = 0; change < 3; change++)
			payload[random() % 64] = (char)random();
		ck_assert_int_ne(ask(payload, bytes), ENOENT);
	}
}
END_TEST

START_TEST(services_stay_known_when_master_cf_loses_them)
{
	char main_cf[128], path[128];
	struct postconf postconf = {.directory = (char *)"/etc/postfix",
		.main = main_cf,
		.services = (char *)"smtp unix - - n - - smtp\n",
		.parameters = (char *)""};
	char conf_text[] = "user = \"\"\nlisten_group = \"\"\n";
	FILE *fp = fmemopen(conf_text, strlen(conf_text), "r");
	const struct sources sources = {
		.conf = conf_parse(fp, "test", NULL, NULL), .postconfs = &postconf, .count = 1};

	fclose(fp);
	(void)snprintf(main_cf, sizeof main_cf, "queue_directory = %s\n", queue);
	broker_learn(broker, &sources);
	conf_unref(sources.conf);
	(void)snprintf(path, sizeof path, "%s/private/gone", queue);
	ck_assert_int_eq(ask_name("/etc/postfix", "gone"), ENOENT);
}
END_TEST

static int answers;
static int last_error;

static void on_opened(void *arg, const struct opened *opened)
{
	(void)arg;
	answers++;
	last_error = opened->error;
	if (opened->fd >= 0)
		close(opened->fd);
}

/* serve - let the keeper's side answer all that has come, and the engine's side take it */
static void serve(struct opener *opener)
{
	struct channel_message message;

	while (channel_receive(fds[1], &message) == CHANNEL_GOT) {
		ck_assert(broker_answer(broker, fds[1], &message));
		while (channel_receive(fds[0], &message) == CHANNEL_GOT)
			requests_answered(opener, &message);
	}
}

START_TEST(many_requests_wait_for_their_turn)
{
	struct opener *opener = requests_new(fds[0]);

	for (int i = 0; i < 3000; i++)
		ck_assert_uint_ne(opener->open(opener->opener_arg, "/etc/postfix", "vacation",
					  on_opened, NULL),
			0);
	ck_assert_int_eq(answers, 0);
	serve(opener);
	ck_assert_int_eq(answers, 3000);
	ck_assert_int_eq(last_error, ENOENT);
	free(opener->opener_arg);
}
END_TEST

START_TEST(a_cancelled_request_is_heard_of_no_more)
{
	struct opener *opener = requests_new(fds[0]);
	uint32_t handle =
		opener->open(opener->opener_arg, "/etc/postfix", "smtp", on_opened, NULL);

	opener->cancel(opener->opener_arg, handle);
	serve(opener);
	ck_assert_int_eq(answers, 0);
	/* What would not fit is refused at once. */
	char name[BROKER_NAME_BYTES + 1];

	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	ck_assert_uint_eq(
		opener->open(opener->opener_arg, "/etc/postfix", name, on_opened, NULL), 0);
	free(opener->opener_arg);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_delivery_agent_is_connected_to);
	tcase_add_test(tcase, a_missing_socket_is_told_by_its_errno);
	tcase_add_test(tcase, without_a_queue_nothing_is_known);
	tcase_add_test(tcase, everything_else_is_refused);
	tcase_add_test(tcase, any_bytes_get_an_answer_and_do_no_harm);
	tcase_add_test(tcase, services_stay_known_when_master_cf_loses_them);
	tcase_add_test(tcase, many_requests_wait_for_their_turn);
	tcase_add_test(tcase, a_cancelled_request_is_heard_of_no_more);
}

int main(void)
{
	return suite_run("broker", add);
}
