/*
 * fuzz_sasl - whatever a server offers and answers: lines stay lines, the exchange ends, and nothing that is shown
 * has the password in it
 *
 * The input is lines: the first is the answer to EHLO, the others are replies.
 */
#include "probe/sasl.h"
#include "probe/smtp_hello.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct credentials credentials = {"user@example.test", "Xq7:secret"};

static void check_line(const struct sasl *sasl)
{
	size_t length = strnlen(sasl->line, sizeof sasl->line);

	if (length < 2 || length == sizeof sasl->line || strcmp(sasl->line + length - 2, "\r\n") != 0)
		__builtin_trap();
	if (strcspn(sasl->line, "\r\n") != length - 2)
		__builtin_trap();
	if (strlen(sasl->shown) >= sizeof sasl->shown || strstr(sasl->shown, "Xq7") != NULL)
		__builtin_trap();
}

static void check_hidden(const struct sasl *sasl, char *reply)
{
	sasl_hide(sasl, reply);
	if (strstr(reply, "Xq7:secret") != NULL)
		__builtin_trap();
}

static void converse(enum sasl_mechanism mechanism, char *replies)
{
	static struct sasl sasl;
	enum sasl_status status = SASL_SEND;
	unsigned steps = 0;

	sasl_begin(&sasl, mechanism, &credentials);
	for (char *reply = strtok(replies, "\n"); reply != NULL && status == SASL_SEND; reply = strtok(NULL, "\n")) {
		check_line(&sasl);
		if (++steps > SASL_STEPS)
			__builtin_trap();
		status = sasl_answered(&sasl, (unsigned)strtoul(reply, NULL, 10) % 1000, reply);
		check_hidden(&sasl, reply);
	}
	sasl_end(&sasl);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct sasl_policy policies[] = {
		{"noanonymous", "", NULL}, {"noplaintext, noanonymous", "", NULL}, {"", "!plain, static:all", NULL}};
	static struct smtp_hello hello;
	char foreign[SASL_NAME_BYTES];
	enum sasl_mechanism mechanism;

	for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
		char *text = strndup((const char *)data, size), *replies = strchr(text, '\n');

		if (replies != NULL)
			*replies++ = '\0';
		smtp_hello_start(&hello);
		smtp_hello_line(&hello, "250-name");
		smtp_hello_line(&hello, text);
		if (strnlen(hello.auth, sizeof hello.auth) == sizeof hello.auth)
			__builtin_trap();
		if (sasl_choose(hello.auth, &policies[i], &mechanism, foreign) == SASL_USABLE && replies != NULL)
			converse(mechanism, replies);
		free(text);
	}
	return 0;
}
