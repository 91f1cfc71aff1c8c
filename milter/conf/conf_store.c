/*
 * conf_store - how a value's text gets into its field
 *
 * libconfuse hands over text only: its own numbers and words stop at the first bad one, and know no
 * durations, modes or ranges.
 */
#include "base/xmem.h"
#include "conf/conf_private.h"
#include "conf/duration.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char out_of_range[] = "out of range";

static bool in_range(const struct conf_option *option, int64_t number)
{
	return number >= option->min && number <= option->max;
}

/* parse_count - decimal digits and nothing else, up to end */
static bool parse_count(const char *text, const char *end, int64_t *out)
{
	int64_t number = 0;

	if (text == end)
		return false;
	for (; text < end; text++)
		if (*text < '0' || *text > '9' || __builtin_mul_overflow(number, 10, &number) ||
			__builtin_add_overflow(number, *text - '0', &number))
			return false;
	*out = number;
	return true;
}

const char *conf_store_text(const struct conf_option *option, const char *text, void *field)
{
	char **string = field;

	(void)option;
	free(*string);
	*string = xstrdup(text);
	return NULL;
}

const char *conf_store_duration(const struct conf_option *option, const char *text, void *field)
{
	int64_t *milliseconds = field;
	int64_t number;

	if (!duration_parse(text, &number))
		return "not a duration";
	if (!in_range(option, number))
		return out_of_range;
	*milliseconds = number;
	return NULL;
}

const char *conf_store_number(const struct conf_option *option, const char *text, void *field)
{
	unsigned *out = field;
	int64_t number;

	if (!parse_count(text, text + strlen(text), &number))
		return "not a whole number";
	if (!in_range(option, number))
		return out_of_range;
	*out = (unsigned)number;
	return NULL;
}

const char *conf_store_percent(const struct conf_option *option, const char *text, void *field)
{
	unsigned *out = field;
	size_t length = strlen(text);
	int64_t number;

	if (length > 0 && text[length - 1] == '%')
		length--;
	if (!parse_count(text, text + length, &number))
		return "not a percentage";
	if (!in_range(option, number))
		return out_of_range;
	*out = (unsigned)number;
	return NULL;
}

const char *conf_store_mode(const struct conf_option *option, const char *text, void *field)
{
	mode_t *mode = field;
	size_t digits = strspn(text, "01234567");

	(void)option;
	if (digits < 3 || text[digits] != '\0')
		return "not an octal mode";
	if (digits > 4 || (digits == 4 && text[0] != '0'))
		return "has more than permission bits";
	*mode = (mode_t)strtoul(text, NULL, 8);
	return NULL;
}

/* find_word - its place in a list that ends with NULL, -1: not there */
static int find_word(const char *const *words, const char *text)
{
	for (int i = 0; words[i] != NULL; i++)
		if (strcasecmp(words[i], text) == 0)
			return i;
	return -1;
}

static const char unknown_word[] = "unknown word";

/* conf_store_word - an enumeration whose value for the first word is option->min */
const char *conf_store_word(const struct conf_option *option, const char *text, void *field)
{
	int word = find_word(option->words, text);
	int value = (int)option->min + word;

	if (word < 0)
		return unknown_word;
	/* Enumerations and "int, -1 is not set" have the same size but not the same type. */
	memcpy(field, &value, sizeof value);
	return NULL;
}

/* conf_store_truth - a bool; the words come in pairs, false before true */
const char *conf_store_truth(const struct conf_option *option, const char *text, void *field)
{
	bool *truth = field;
	int word = find_word(option->words, text);

	if (word < 0)
		return unknown_word;
	*truth = word % 2 == 1;
	return NULL;
}

/* expected_words - "a, b or c" */
static const char *expected_words(const char *const *words, char buf[CONF_EXPECTED_BYTES])
{
	int used = 0;

	for (int i = 0; words[i] != NULL && used < CONF_EXPECTED_BYTES; i++)
		used += snprintf(buf + used, (size_t)(CONF_EXPECTED_BYTES - used), "%s%s",
			i == 0                 ? ""
			: words[i + 1] != NULL ? ", "
					       : " or ",
			words[i]);
	return buf;
}

const char *conf_expected(const struct conf_option *option, char buf[CONF_EXPECTED_BYTES])
{
	if (option->expected != NULL)
		return option->expected;
	if (option->words != NULL)
		return expected_words(option->words, buf);
	if (option->store == conf_store_duration) {
		char least[DURATION_BYTES], most[DURATION_BYTES];

		(void)snprintf(buf, CONF_EXPECTED_BYTES, "a duration from %s to %s",
			duration_format(least, option->min), duration_format(most, option->max));
	} else {
		(void)snprintf(buf, CONF_EXPECTED_BYTES, "a number from %" PRId64 " to %" PRId64,
			option->min, option->max);
	}
	return buf;
}
