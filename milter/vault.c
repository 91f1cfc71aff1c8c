/*
 * vault - the keeper's side: look up credentials as smtp(8) does
 *
 * smtp(8) asks the tables for the name of the server, then for the nexthop as it is written (smtp_sasl_glue.c).
 * smtp_sender_dependent_authentication is not looked at: a probe has no sender.
 */
#include "vault.h"

#include "base/run.h"
#include "base/secret.h"
#include "base/xmem.h"
#include "postfix/site.h"
#include "postfix/tables.h"
#include "postfix/word.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	SEND_TIMEOUT_MS = 1000,
	LOOKUP_TIMEOUT_MS = 3000, /* nothing else is answered meanwhile */
	TABLES = 16,
	VALUE_BYTES = CREDENTIAL_USER_BYTES + CREDENTIAL_PASSWORD_BYTES,
	ANSWER_BYTES = 2 * sizeof(uint32_t) + VALUE_BYTES + 2,
};

struct vault {
	struct site *site;
};

/* An answer being made: number, status, and two strings or one. */
struct answer {
	uint32_t number, status;
	size_t bytes; /* of the text */
	char text[VALUE_BYTES + 2];
};

struct vault *vault_new(void)
{
	return xcalloc(1, sizeof(struct vault));
}

void vault_free(struct vault *vault)
{
	site_unref(vault->site);
	free(vault);
}

void vault_learn(struct vault *vault, const struct sources *sources)
{
	site_unref(vault->site);
	vault->site = site_new(sources->conf, sources->postconfs, sources->count);
}

static void __attribute__((format(printf, 2, 3))) fail(struct answer *answer, const char *fmt, ...)
{
	va_list ap;

	answer->status = KEYRING_ERROR;
	va_start(ap, fmt);
	(void)vsnprintf(answer->text, KEYRING_WHY_BYTES, fmt, ap);
	va_end(ap);
	answer->bytes = strlen(answer->text) + 1;
}

/* take_value - "user:password"; the password is empty where there is no colon */
static void take_value(struct answer *answer, char *value)
{
	char *colon = strchr(value, ':');
	size_t user_bytes = colon != NULL ? (size_t)(colon - value) : strlen(value);
	const char *password = colon != NULL ? colon + 1 : "";

	if (user_bytes >= CREDENTIAL_USER_BYTES || strlen(password) >= CREDENTIAL_PASSWORD_BYTES) {
		fail(answer, "the user name or password is too long");
		return;
	}
	memcpy(answer->text, value, user_bytes);
	answer->text[user_bytes] = '\0';
	(void)strcpy(answer->text + user_bytes + 1, password);
	answer->bytes = user_bytes + strlen(password) + 2;
	answer->status = KEYRING_FOUND;
}

/* blame - what postmap(1) said, and what would help */
static void blame(struct answer *answer, const struct plan *plan, const char *words)
{
	static const char *const prefixes[] = {"postmap: ", "fatal: ", "error: ", "warning: "};

	for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
		if (strncmp(words, prefixes[i], strlen(prefixes[i])) == 0)
			words += strlen(prefixes[i]);
	if (strstr(words, "Permission denied") != NULL)
		fail(answer, "%s: %.120s: let %.32s read it (chgrp, chmod 0640)", plan->auth.parameter, words,
			plan->auth.mail_owner);
	else
		fail(answer, "%s: %.180s", plan->auth.parameter, words);
}

/* look_up - one key in all tables, in their order; false: there is no such key */
static bool look_up(struct answer *answer, const struct plan *plan, const char *key)
{
	const char *argv[TABLES + 6] = {"postmap", "-c", plan->auth.directory, "-q", key};
	struct word rest = {plan->auth.maps, strlen(plan->auth.maps)}, word;
	char *tables[TABLES] = {NULL}, *error = NULL;
	char value[VALUE_BYTES];
	size_t count = 0;
	enum run_answer found = RUN_NOTHING;

	while (count < TABLES && word_next(&rest, &word)) {
		tables[count] = xstrndup(word.at, word.length);
		argv[5 + count] = tables[count];
		count++;
	}
	if (count > 0)
		found = run_query(argv, LOOKUP_TIMEOUT_MS, value, sizeof value, &error);
	if (found == RUN_FOUND)
		take_value(answer, value);
	else if (found == RUN_FAILED)
		blame(answer, plan, error);
	free(error);
	secret_wipe(value, sizeof value);
	while (count > 0)
		free(tables[--count]);
	return found != RUN_NOTHING;
}

/* is_host - what may be the name or address of a server */
static bool is_host(const char *host)
{
	size_t length = strlen(host);

	if (length == 0 || length >= HOP_HOST_BYTES || *host == '-')
		return false;
	for (; *host != '\0'; host++)
		if (!isalnum((unsigned char)*host) && strchr("._-:", *host) == NULL)
			return false;
	return true;
}

/* is_server_of - only where mail exchangers or aliases are looked up does the configuration not say the server's name */
static bool is_server_of(const struct plan *plan, const char *host)
{
	bool is_open = plan->target.lookup_mx || plan->takes_alias;

	return is_host(host) && (is_open || strcasecmp(host, plan->auth.host) == 0);
}

/* find - the credentials for a nexthop of a hop */
static void find(const struct vault *vault, const char *hop, unsigned number, const char *host,
	struct answer *answer)
{
	struct plan plan;

	if (vault->site == NULL || strlen(hop) >= HOP_NAME_BYTES) {
		fail(answer, "no such hop");
		return;
	}
	site_plan_nexthop(vault->site, hop, number, &plan);
	if (plan.kind != PLAN_SERVER || plan.depth != DEPTH_AUTH || !plan.auth.is_used || !is_server_of(&plan, host)) {
		fail(answer, "the keeper knows of no authentication there");
		return;
	}
	answer->status = KEYRING_NONE;
	if (!look_up(answer, &plan, host))
		(void)look_up(answer, &plan, plan.auth.nexthop);
}

bool vault_answer(const struct vault *vault, int channel, const struct channel_message *message)
{
	struct answer answer = {.status = KEYRING_ERROR};
	uint32_t head[2] = {0, 0};
	char request[HOP_NAME_BYTES + HOP_HOST_BYTES + 2] = "";
	char packed[ANSWER_BYTES];
	const char *host;
	bool is_sent;

	if (message->bytes > sizeof head && message->bytes - sizeof head < sizeof request - 1) {
		memcpy(head, message->payload, sizeof head);
		memcpy(request, message->payload + sizeof head, message->bytes - sizeof head);
	}
	answer.number = head[0];
	host = request + strlen(request) + 1;
	find(vault, request, head[1], host, &answer);
	memcpy(packed, &answer, 2 * sizeof(uint32_t));
	memcpy(packed + 2 * sizeof(uint32_t), answer.text, answer.bytes);
	is_sent = channel_send(channel, CHANNEL_TOLD, packed, 2 * sizeof(uint32_t) + answer.bytes, -1, SEND_TIMEOUT_MS);
	secret_wipe(packed, sizeof packed);
	secret_wipe(&answer, sizeof answer);
	return is_sent;
}

/* What each_parameter() needs. */
struct walk {
	void (*fn)(void *arg, const char *path);
	void *arg;
};

static void take_parameter(void *arg, const char *service, const char *name, const char *value)
{
	const struct walk *walk = arg;
	struct table_reference *tables;
	size_t count;

	(void)service;
	if (strcmp(name, "smtp_sasl_password_maps") != 0 && strcmp(name, "lmtp_sasl_password_maps") != 0)
		return;
	tables = tables_references(value, &count);
	for (size_t i = 0; i < count; i++)
		if (tables[i].path != NULL)
			walk->fn(walk->arg, tables[i].path);
	tables_free(tables, count);
}

void vault_each_file(const struct sources *sources, void (*fn)(void *arg, const char *path), void *arg)
{
	struct walk walk = {fn, arg};
	bool is_asked = false;

	for (size_t i = 0; i < sources->conf->hop_count; i++)
		is_asked = is_asked || sources->conf->hop[i].depth == DEPTH_AUTH;
	for (size_t i = 0; is_asked && i < sources->count; i++) {
		struct instance *instance = instance_new(&sources->postconfs[i]);

		if (instance != NULL)
			instance_each_parameter(instance, take_parameter, &walk);
		instance_free(instance);
	}
}
