/*
 * fuzz_maillog - a line of a log may hold anything: what is made of it stays within bounds, does not depend on what lies
 * behind it, and a server that is named stands in the line
 */
#include "postfix/maillog.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		__builtin_trap();
}

/* is_clean - a word as it may stand in a hop's name or a log line */
static bool is_clean(const char *text, size_t bytes)
{
	size_t length = strnlen(text, bytes);

	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] <= ' ' || text[i] == 0x7f)
			return false;
	return length < bytes;
}

static bool is_in(const char *line, size_t length, const char *word)
{
	return memmem(line, length, word, strlen(word)) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = malloc(size + 1); /* no byte behind it */
	struct maillog_line out, again;

	require(line != NULL);
	memcpy(line + 1, data, size);
	if (maillog_parse(line + 1, size, &out)) {
		require(out.statement > STATEMENT_NONE && out.statement <= STATEMENT_FAILS);
		require(size <= MAILLOG_LINE_BYTES);
		require(is_clean(out.tag, sizeof out.tag) && is_in(line + 1, size, out.tag));
		require(is_clean(out.transport, sizeof out.transport));
		if (*out.transport == '\0') {
			require(is_clean(out.name, sizeof out.name) && is_in(line + 1, size, out.name));
			require(is_clean(out.address, sizeof out.address));
			require(*out.name != '\0');
			require(is_in(line + 1, size, ", relay="));
		}
		require(maillog_parse(line + 1, size, &again));
		require(again.statement == out.statement && again.port == out.port);
	}
	free(line);
	return 0;
}
