/*
 * smtp_hello - what a server says that it can, in its answer to EHLO
 */
#include "probe/smtp_hello.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { CODE_BYTES = 4 };

void smtp_hello_start(struct smtp_hello *hello)
{
	memset(hello, 0, sizeof *hello);
}

static bool is_word(const char *word, size_t length, const char *other)
{
	return strlen(other) == length && strncasecmp(word, other, length) == 0;
}

static void add_mechanisms(struct smtp_hello *hello, const char *words)
{
	size_t used = strlen(hello->auth);

	hello->has_auth = true;
	if (*words != '\0' && strcasecmp(hello->auth, words) != 0)
		(void)snprintf(hello->auth + used, sizeof hello->auth - used, "%s%s", used > 0 ? " " : "", words);
}

void smtp_hello_line(struct smtp_hello *hello, const char *line)
{
	const char *word, *rest;
	size_t length;

	if (strlen(line) <= CODE_BYTES || hello->lines++ == 0)
		return;
	word = line + CODE_BYTES + strspn(line + CODE_BYTES, " \t=");
	length = strcspn(word, " \t=");
	rest = word + length + strspn(word + length, " \t=");
	if (is_word(word, length, "AUTH"))
		add_mechanisms(hello, rest);
	else if (is_word(word, length, "STARTTLS"))
		hello->has_starttls = true;
}
