/*
 * check_vault - what the keeper looks up, and what it refuses; and the engine's side of it
 *
 * The tables are empty, so a request that is allowed finds nothing and no program is run.
 */
#include "vault.h"

#include "base/xmem.h"
#include "suite.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char main_cf[] = "mail_owner = postfix\nmyhostname = mx.example.test\n"
			      "smtp_sasl_auth_enable = yes\nlmtp_sasl_auth_enable = no\n"
			      "smtp_fallback_relay = [fall.example], back.example\n";
static const char master_cf[] = "smtp unix - - n - - smtp\n"
				"strange unix - - n - - smtp\n"
				"lmtp unix - - n - - lmtp\n";
static const char options[] = "strange/unix/smtp_sasl_auth_enable = no\n";
static const char conf_text[] = "user = \"\"\nlisten_group = \"\"\n"
				"hop \"*\" { depth = auth }\n"
				"hop \"smtp:*shallow.example*\" { depth = hello }\n";

static struct vault *vault;
static int fds[2];

static void setup(void)
{
	struct postconf postconf = {.directory = (char *)"/etc/postfix",
		.main = (char *)main_cf,
		.services = (char *)master_cf,
		.parameters = (char *)options};
	FILE *fp = fmemopen((void *)conf_text, strlen(conf_text), "r");
	const struct sources sources = {
		.conf = conf_parse(fp, "test", NULL, NULL), .postconfs = &postconf, .count = 1};

	fclose(fp);
	vault = vault_new();
	vault_learn(vault, &sources);
	conf_unref(sources.conf);
	ck_assert(channel_pair(fds));
}

static void teardown(void)
{
	vault_free(vault);
	close(fds[0]);
	close(fds[1]);
}

/* ask - the status of the answer */
static unsigned ask(const void *payload, size_t bytes)
{
	struct channel_message request = {.type = CHANNEL_ASK, .bytes = bytes, .fd = -1}, reply;
	uint32_t head[2];

	memcpy(request.payload, payload, bytes);
	ck_assert(vault_answer(vault, fds[1], &request));
	ck_assert_int_eq(channel_receive(fds[0], &reply), CHANNEL_GOT);
	ck_assert_int_eq(reply.type, CHANNEL_TOLD);
	ck_assert_uint_ge(reply.bytes, sizeof head);
	memcpy(head, reply.payload, sizeof head);
	ck_assert_uint_ne(head[1], KEYRING_FOUND);
	return head[1];
}

static unsigned ask_nexthop(const char *hop, uint32_t number, const char *host)
{
	const uint32_t head[] = {1, number};
	char payload[CHANNEL_PAYLOAD_BYTES];
	size_t used = sizeof head;

	memcpy(payload, head, sizeof head);

	used += strlen(strcpy(payload + used, hop)) + 1;
	used += strlen(strcpy(payload + used, host)) + 1;
	return ask(payload, used);
}

static unsigned ask_name(const char *hop, const char *host)
{
	return ask_nexthop(hop, 0, host);
}

START_TEST(what_the_configuration_asks_for_is_looked_up)
{
	ck_assert_uint_eq(ask_name("smtp:[relay.example]:587", "relay.example"), KEYRING_NONE);
	ck_assert_uint_eq(ask_name("smtp:[192.0.2.1]", "192.0.2.1"), KEYRING_NONE);
	ck_assert_uint_eq(ask_name("smtp:[ipv6:2001:db8::1]", "2001:db8::1"), KEYRING_NONE);
	/* Only a mail exchanger has a name that the configuration does not say. */
	ck_assert_uint_eq(ask_name("smtp:example.net", "mx1.example.net"), KEYRING_NONE);
	/* smtp_fallback_relay comes behind a list. */
	ck_assert_uint_eq(ask_nexthop("smtp:[a.example],[b.example]:587", 0, "a.example"), KEYRING_NONE);
	ck_assert_uint_eq(ask_nexthop("smtp:[a.example],[b.example]:587", 1, "b.example"), KEYRING_NONE);
	ck_assert_uint_eq(ask_nexthop("smtp:[a.example],[b.example]:587", 2, "fall.example"), KEYRING_NONE);
	ck_assert_uint_eq(ask_nexthop("smtp:[a.example],[b.example]:587", 3, "mx.back.example"), KEYRING_NONE);
	ck_assert_uint_eq(ask_nexthop("smtp:[a.example],[b.example]:587", 4, "a.example"), KEYRING_ERROR);
	ck_assert_uint_eq(ask_nexthop("smtp:[a.example],[b.example]:587", 1, "a.example"), KEYRING_ERROR);
}
END_TEST

/* Hop and host. */
static const char *const refused[][2] = {
	{"smtp:[relay.example]:587", "other.example"},
	{"smtp:[relay.example]:587", ""},
	{"smtp:example.net", ""},
	{"strange:[relay.example]:587", "relay.example"},	/* smtp_sasl_auth_enable = no */
	{"lmtp:[relay.example]:24", "relay.example"},		/* likewise */
	{"smtp:[mx.shallow.example]:25", "mx.shallow.example"}, /* no depth = auth */
	{"smtp:mx.shallow.example:25", "mx.shallow.example"},
	{"unknown:[relay.example]:587", "relay.example"},
	{"smtp:", "relay.example"},
	{"smtp:[relay.example", "relay.example"},
	{"smtp:example.net", "-s"},
	{"smtp:example.net", "a b"},
	{"smtp:example.net", "../../etc/passwd"},
	{"smtp:example.net", "a\nb"},
	{"", ""},
};

START_TEST(anything_else_is_refused)
{
	ck_assert_uint_eq(ask_name(refused[_i][0], refused[_i][1]), KEYRING_ERROR);
}
END_TEST

START_TEST(requests_of_any_form_are_survived)
{
	static char junk[CHANNEL_PAYLOAD_BYTES];

	ck_assert_uint_eq(ask("", 0), KEYRING_ERROR);
	ck_assert_uint_eq(ask("\1\0\0\0", 4), KEYRING_ERROR);
	ck_assert_uint_eq(ask("\1\0\0\0\0\0\0\0", 8), KEYRING_ERROR);
	ck_assert_uint_eq(ask("\1\0\0\0\0\0\0\0smtp:[a]", 16), KEYRING_ERROR);
	memset(junk, 'a', sizeof junk);
	for (size_t bytes = 1; bytes <= sizeof junk; bytes += 97)
		ck_assert_uint_eq(ask(junk, bytes), KEYRING_ERROR);
}
END_TEST

/* What the engine heard. */
static struct {
	unsigned count;
	enum keyring_status status;
	struct credentials credentials;
	char why[KEYRING_WHY_BYTES];
} heard;

static void on_told(void *arg, const struct keyring_answer *answer)
{
	(void)arg;
	heard.count++;
	heard.status = answer->status;
	if (answer->status == KEYRING_FOUND)
		heard.credentials = *answer->credentials;
	if (answer->status == KEYRING_ERROR)
		(void)snprintf(heard.why, sizeof heard.why, "%s", answer->why);
}

/* tell - as the keeper would; the message must be wiped */
static void tell(struct keyring *keyring, uint32_t number, uint32_t status, const char *text, size_t bytes)
{
	static const char zero[CHANNEL_PAYLOAD_BYTES];
	struct channel_message message = {.type = CHANNEL_TOLD, .bytes = 8 + bytes, .fd = -1};

	memcpy(message.payload, &number, 4);
	memcpy(message.payload + 4, &status, 4);
	memcpy(message.payload + 8, text, bytes);
	secrets_told(keyring, &message);
	ck_assert_int_eq(memcmp(message.payload, zero, sizeof zero), 0);
}

START_TEST(answers_go_to_who_asked_and_are_wiped)
{
	struct keyring *keyring = secrets_new(fds[0]);
	uint32_t handle = keyring->ask(keyring->keyring_arg, "smtp:[a]", 0, "a", on_told, NULL), other;

	memset(&heard, 0, sizeof heard);
	ck_assert_uint_ne(handle, 0);
	tell(keyring, handle + 1, KEYRING_FOUND, "user\0pass", 10);
	ck_assert_uint_eq(heard.count, 0);
	tell(keyring, handle, KEYRING_FOUND, "user\0pass", 10);
	ck_assert_uint_eq(heard.count, 1);
	ck_assert_int_eq(heard.status, KEYRING_FOUND);
	ck_assert_str_eq(heard.credentials.user, "user");
	ck_assert_str_eq(heard.credentials.password, "pass");
	other = keyring->ask(keyring->keyring_arg, "smtp:[a]", 0, "a", on_told, NULL);
	tell(keyring, other, KEYRING_FOUND, "user\0pass", 9); /* no end */
	ck_assert_int_eq(heard.status, KEYRING_ERROR);
	other = keyring->ask(keyring->keyring_arg, "smtp:[a]", 0, "a", on_told, NULL);
	tell(keyring, other, KEYRING_ERROR, "words", 6);
	ck_assert_str_eq(heard.why, "words");
	other = keyring->ask(keyring->keyring_arg, "smtp:[a]", 0, "a", on_told, NULL);
	keyring->cancel(keyring->keyring_arg, other);
	tell(keyring, other, KEYRING_NONE, "", 0);
	ck_assert_uint_eq(heard.count, 3);
	free(keyring->keyring_arg);
}
END_TEST

START_TEST(questions_wait_when_many_are_asked)
{
	struct keyring *keyring = secrets_new(fds[0]);
	struct channel_message message;
	unsigned sent = 0;

	memset(&heard, 0, sizeof heard);
	for (int i = 0; i < 2 * VAULT_OUTSTANDING; i++)
		ck_assert_uint_ne(keyring->ask(keyring->keyring_arg, "smtp:[a]", 0, "a", on_told, NULL), 0);
	while (channel_receive(fds[1], &message) == CHANNEL_GOT) {
		uint32_t number;

		sent++;
		ck_assert_int_eq(message.type, CHANNEL_ASK);
		memcpy(&number, message.payload, sizeof number);
		if (sent == 1)
			ck_assert_uint_eq(number, 1);
		tell(keyring, number, KEYRING_NONE, "", 0);
	}
	ck_assert_uint_eq(sent, 2 * VAULT_OUTSTANDING);
	ck_assert_uint_eq(heard.count, 2 * VAULT_OUTSTANDING);
	free(keyring->keyring_arg);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, what_the_configuration_asks_for_is_looked_up);
	tcase_add_loop_test(tcase, anything_else_is_refused, 0, (int)(sizeof refused / sizeof *refused));
	tcase_add_test(tcase, requests_of_any_form_are_survived);
	tcase_add_test(tcase, answers_go_to_who_asked_and_are_wiped);
	tcase_add_test(tcase, questions_wait_when_many_are_asked);
}

int main(void)
{
	return suite_run("vault", add);
}
