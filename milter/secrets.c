/*
 * secrets - the engine's side of the vault: what was asked and not answered yet
 *
 * Not more than VAULT_OUTSTANDING are with the keeper at a time; the others wait here in the order in which they came.
 */
#include "base/secret.h"
#include "health/hop.h"
#include "vault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct question {
	struct question *prev, *next;
	uint32_t number;
	bool is_sent;
	keyring_done_fn *done; /* NULL: cancelled */
	void *arg;
	size_t bytes;
	uint32_t nexthop; /* of the hop, by its number */
	char text[HOP_NAME_BYTES + HOP_HOST_BYTES]; /* "HOP NUL HOST NUL" */
};

struct secrets {
	struct keyring keyring;
	struct question *list;
	unsigned outstanding;
	uint32_t last;
	int channel;
};

static bool send_question(const struct secrets *secrets, const struct question *question)
{
	const uint32_t head[] = {question->number, question->nexthop};
	char payload[sizeof head + sizeof question->text];

	memcpy(payload, head, sizeof head);
	memcpy(payload + sizeof head, question->text, question->bytes);
	return channel_send(secrets->channel, CHANNEL_ASK, payload, sizeof head + question->bytes, -1, 0);
}

/* send_waiting - one that cannot be sent now goes with the next answer */
static void send_waiting(struct secrets *secrets)
{
	struct question *question;

	DL_FOREACH(secrets->list, question)
	{
		if (secrets->outstanding >= VAULT_OUTSTANDING)
			return;
		/* cppcheck-suppress uninitvar ; DL_FOREACH sets it */
		if (question->is_sent) /* NOLINT(clang-analyzer-unix.Malloc): not the freed one */
			continue;
		if (!send_question(secrets, question))
			return;
		question->is_sent = true;
		secrets->outstanding++;
	}
}

static uint32_t ask(void *keyring_arg, const char *hop, unsigned number, const char *host,
	keyring_done_fn *done, void *arg)
{
	struct secrets *secrets = keyring_arg;
	struct question *question = calloc(1, sizeof *question);

	if (question == NULL || strlen(hop) >= HOP_NAME_BYTES || strlen(host) >= HOP_HOST_BYTES) {
		free(question);
		return 0;
	}
	if (++secrets->last == 0)
		secrets->last = 1;
	question->number = secrets->last;
	question->nexthop = number;
	question->done = done;
	question->arg = arg;
	question->bytes =
		(size_t)snprintf(question->text, sizeof question->text, "%s%c%s", hop, '\0', host) + 1;
	DL_APPEND(secrets->list, question);
	send_waiting(secrets);
	return question->number;
}

static struct question *find(struct secrets *secrets, uint32_t number)
{
	struct question *question;

	DL_SEARCH_SCALAR(secrets->list, question, number, number);
	return question;
}

static void cancel(void *keyring_arg, uint32_t handle)
{
	struct secrets *secrets = keyring_arg;
	struct question *question = find(secrets, handle);

	if (question == NULL)
		return;
	if (question->is_sent) {
		question->done = NULL;
		return;
	}
	DL_DELETE(secrets->list, question);
	free(question);
}

struct keyring *secrets_new(int channel)
{
	struct secrets *secrets = calloc(1, sizeof *secrets);

	if (secrets == NULL)
		return NULL;
	secrets->channel = channel;
	secrets->keyring = (struct keyring){ask, cancel, secrets};
	return &secrets->keyring;
}

/* copy_text - one string of an answer; returns its bytes, 0 when it does not end or does not fit */
static size_t copy_text(char *out, size_t out_bytes, const char *text, size_t bytes)
{
	size_t length = strnlen(text, bytes);

	if (length == bytes || length >= out_bytes)
		return 0;
	memcpy(out, text, length + 1);
	return length + 1;
}

/* deliver - hand the answer to who asked */
static void deliver(const struct question *question, uint32_t status, const char *text, size_t bytes)
{
	struct credentials credentials = {"", ""};
	char why[KEYRING_WHY_BYTES] = "no answer from the keeper";
	struct keyring_answer answer = {KEYRING_ERROR, NULL, why};
	size_t used;

	if (status == KEYRING_NONE) {
		answer.status = KEYRING_NONE;
	} else if (status == KEYRING_FOUND) {
		used = copy_text(credentials.user, sizeof credentials.user, text, bytes);
		if (used > 0 &&
			copy_text(credentials.password, sizeof credentials.password, text + used, bytes - used) > 0) {
			answer.status = KEYRING_FOUND;
			answer.credentials = &credentials;
		}
	} else {
		(void)copy_text(why, sizeof why, text, bytes);
	}
	question->done(question->arg, &answer);
	secret_wipe(&credentials, sizeof credentials);
}

void secrets_told(struct keyring *keyring, struct channel_message *message)
{
	struct secrets *secrets = keyring->keyring_arg;
	struct question *question = NULL;
	uint32_t head[2] = {0, 0};

	if (message->bytes >= sizeof head) {
		memcpy(head, message->payload, sizeof head);
		question = find(secrets, head[0]);
	}
	if (question != NULL && question->done != NULL)
		deliver(question, head[1], message->payload + sizeof head, message->bytes - sizeof head);
	secret_wipe(message->payload, sizeof message->payload);
	if (question == NULL)
		return;
	DL_DELETE(secrets->list, question);
	free(question);
	secrets->outstanding--;
	send_waiting(secrets);
}
