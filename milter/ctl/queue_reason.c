/*
 * queue_reason - what Postfix says about a message that it could not deliver, made alike
 *
 * Reasons are Postfix's words (smtp_connect.c, smtp_proto.c, bounce and defer logs) around those of
 * a server, which puts addresses, queue ids, times and links into them.  All that can differ from
 * message to message is replaced by a word that says what it was; reply codes and enhanced status
 * codes stay, because they say what is wrong.
 */
#include "ctl/queue.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_BYTES = 256, ID_CHARS = 6, ID_DIGITS = 2 };

/* A part of a text. */
struct span {
	const char *at;
	size_t length;
};

struct out {
	char *text;
	size_t used;
	bool is_full;
};

static bool is_alnum(char byte)
{
	return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
	       (byte >= 'A' && byte <= 'Z');
}

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

static void put(struct out *out, const char *text, size_t length)
{
	static const char more[] = "...";

	if (out->is_full)
		return;
	if (out->used + length + sizeof more > QUEUE_REASON_BYTES) {
		length = QUEUE_REASON_BYTES - sizeof more - out->used;
		/* Not in the middle of a character of UTF-8. */
		while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
			length--;
		out->is_full = true;
	}
	memcpy(out->text + out->used, text, length);
	out->used += length;
	if (out->is_full) {
		memcpy(out->text + out->used, more, sizeof more - 1);
		out->used += sizeof more - 1;
	}
}

/* skip_suspended - what error(8) puts before the reason of the message that it suspends */
static const char *skip_suspended(const char *reason)
{
	static const char suspended[] = "delivery temporarily suspended: ";

	while (strncmp(reason, suspended, sizeof suspended - 1) == 0)
		reason += sizeof suspended - 1;
	return reason;
}

/* has - anywhere in a span */
static bool has(struct span word, const char *text)
{
	return memmem(word.at, word.length, text, strlen(text)) != NULL;
}

static size_t count_digits(struct span word)
{
	size_t digits = 0;

	for (size_t i = 0; i < word.length; i++)
		digits += is_digit(word.at[i]);
	return digits;
}

/* consists_of - letters, digits and these */
static bool consists_of(struct span word, const char *others)
{
	for (size_t i = 0; i < word.length; i++)
		if (!is_alnum(word.at[i]) && strchr(others, word.at[i]) == NULL)
			return false;
	return word.length > 0;
}

static bool is_ip(struct span word)
{
	char text[INET6_ADDRSTRLEN];
	unsigned char address[16];

	if (word.length >= sizeof text)
		return false;
	memcpy(text, word.at, word.length);
	text[word.length] = '\0';
	return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

/* is_host - "mx1.example.com" */
static bool is_host(struct span word)
{
	size_t last = word.length;

	if (!consists_of(word, "-._"))
		return false;
	while (last > 0 && isalpha((unsigned char)word.at[last - 1]))
		last--;
	return last > 1 && word.at[last - 1] == '.' && word.length - last >= 2;
}

/* is_status_code - "4.7.1" */
static bool is_status_code(struct span word)
{
	return word.length >= 5 && word.length <= 9 && strchr("245", word.at[0]) != NULL &&
	       word.at[1] == '.' && consists_of(word, ".") &&
	       memchr(word.at + 2, '.', word.length - 2) != NULL &&
	       count_digits(word) == word.length - 2;
}

/* is_id - letters and digits mixed; a number alone is none */
static bool is_id(struct span word)
{
	size_t letters = 0;

	for (size_t i = 0; i < word.length; i++)
		letters += isalpha((unsigned char)word.at[i]) != 0;
	return word.length >= ID_CHARS && letters > 0 && consists_of(word, "-_=.:+~#") &&
	       count_digits(word) >= ID_DIGITS;
}

/* stand_in - what stands for a word of its kind; NULL: the word itself */
static const char *stand_in(struct span word)
{
	const char *open = memchr(word.at, '[', word.length);

	if (has(word, "@"))
		return "ADDRESS";
	if (has(word, "://"))
		return "URL";
	if (open > word.at && memchr(open, ']', word.length - (size_t)(open - word.at)) != NULL)
		return "SERVER";
	if (is_ip(word))
		return "IP";
	if (is_host(word))
		return "HOST";
	return is_id(word) ? "ID" : NULL;
}

/* put_digits - a word, with "N" for each number in it */
static void put_digits(struct out *out, struct span word)
{
	for (size_t i = 0, run; i < word.length; i += run) {
		bool is_number = is_digit(word.at[i]);

		for (run = 1; i + run < word.length && is_digit(word.at[i + run]) == is_number;
			run++)
			;
		put(out, is_number ? "N" : word.at + i, is_number ? 1 : run);
	}
}

/* put_core - a word without the punctuation around it */
static void put_core(struct out *out, struct span word, bool is_after_colon)
{
	static const char name[] = "name=";
	const char *instead;

	/* "450" or "450-4.2.1", the first word of a reply */
	if (is_after_colon && word.length >= 3 && strchr("245", *word.at) != NULL &&
		count_digits((struct span){word.at, 3}) == 3 &&
		(word.length == 3 || word.at[3] == '-')) {
		put(out, word.at, word.length > 3 ? 4 : 3);
		word = word.length > 3 ? (struct span){word.at + 4, word.length - 4}
				       : (struct span){word.at, 0};
	}
	if (word.length >= sizeof name && memcmp(word.at, name, sizeof name - 1) == 0) {
		put(out, "name=HOST", strlen("name=HOST"));
		return;
	}
	instead = is_status_code(word) || word.length == 0 ? NULL : stand_in(word);
	if (instead != NULL)
		put(out, instead, strlen(instead));
	else if (is_status_code(word))
		put(out, word.at, word.length);
	else
		put_digits(out, word);
}

/* strip - from "<a@b>:" to "a@b"; brackets that belong to it stay */
static struct span strip(struct span word)
{
	while (word.length > 0 && strchr("<([{\"'`,;:", *word.at) != NULL)
		word = (struct span){word.at + 1, word.length - 1};
	while (word.length > 0) {
		char last = word.at[word.length - 1];

		if (strchr(">)}\"'`,;:.!?", last) == NULL &&
			(last != ']' || memchr(word.at, '[', word.length) != NULL))
			break;
		word.length--;
	}
	return word;
}

void queue_reason_normalize(char text[QUEUE_REASON_BYTES], const char *reason)
{
	struct out out = {text, 0, false};
	bool is_after_colon = false;

	reason = skip_suspended(reason);
	while (*(reason += strspn(reason, " \t\r\n")) != '\0') {
		struct span word = {reason, strcspn(reason, " \t\r\n")}, core = strip(word);
		const char *end = word.at + word.length;

		if (out.used > 0)
			put(&out, " ", 1);
		put(&out, word.at, (size_t)(core.at - word.at));
		put_core(&out, core, is_after_colon);
		put(&out, core.at + core.length, (size_t)(end - core.at) - core.length);
		is_after_colon = end[-1] == ':';
		reason = end;
	}
	text[out.used] = '\0';
}

/* before_reply - how much of a reason is Postfix's own */
static size_t before_reply(const char *reason)
{
	const char *said = strstr(reason, " said: ");

	return said != NULL ? (size_t)(said - reason) : strlen(reason);
}

static bool copy(char out[QUEUE_HOST_BYTES], const char *at, size_t length)
{
	if (length == 0 || length >= QUEUE_HOST_BYTES)
		return false;
	memcpy(out, at, length);
	out[length] = '\0';
	return true;
}

/* parse_server - "NAME[ADDRESS]:PORT" */
static bool parse_server(struct span word, struct queue_server *out)
{
	const char *open = memchr(word.at, '[', word.length), *close;

	close = open != NULL ? memchr(open, ']', word.length - (size_t)(open - word.at)) : NULL;
	if (close == NULL || !copy(out->name, word.at, (size_t)(open - word.at)) ||
		!copy(out->address, open + 1, (size_t)(close - open) - 1))
		return false;
	out->port = 0;
	if (close + 1 < word.at + word.length && close[1] == ':')
		out->port = (unsigned)strtoul(close + 2, NULL, 10);
	return true;
}

/* named_alone - a server that could not be found has a name and nothing else */
static bool named_alone(const char *reason, struct queue_server *out)
{
	static const char *const before[] = {
		"Name service error for name=", "unable to look up host "};

	for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
		const char *found = strstr(reason, before[i]);

		if (found == NULL || (size_t)(found - reason) >= before_reply(reason))
			continue;
		found += strlen(before[i]);
		out->address[0] = '\0';
		out->port = 0;
		return copy(out->name, found, strcspn(found, " :;,"));
	}
	return false;
}

bool queue_reason_server(const char *reason, struct queue_server *out)
{
	size_t left;

	reason = skip_suspended(reason);
	if (named_alone(reason, out))
		return true;
	left = before_reply(reason);
	while (left > 0) {
		struct span word = {reason, strcspn(reason, " ")};

		if (word.length > left)
			word.length = left;
		if (parse_server(word, out))
			return true;
		left -= word.length;
		reason += word.length;
		left -= left > 0;
		reason += *reason == ' ';
	}
	return false;
}

bool queue_reason_is_reply(const char *reason)
{
	reason = skip_suspended(reason);
	return strncmp(reason, "host ", strlen("host ")) == 0 &&
	       strstr(reason, " said: ") != NULL &&
	       strstr(reason, " refused to talk to me: ") == NULL;
}
