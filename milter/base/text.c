/*
 * text - a text that grows while it is written
 */
#include "base/text.h"

#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BYTES = 4096 };

void text_free(struct text *text)
{
	free(text->bytes);
	*text = (struct text){0};
}

static bool make_room(struct text *text, size_t count)
{
	size_t room = text->room > 0 ? text->room : FIRST_BYTES;
	char *bytes;

	if (text->room - text->used >= count)
		return true;
	while (room - text->used < count)
		room *= 2;
	bytes = realloc(text->bytes, room);
	if (bytes == NULL) {
		text->is_short = true;
		return false;
	}
	text->bytes = bytes;
	text->room = room;
	return true;
}

void text_add(struct text *text, const char *bytes, size_t count)
{
	if (count == 0 || !make_room(text, count))
		return;
	memcpy(text->bytes + text->used, bytes, count);
	text->used += count;
}

void text_say(struct text *text, const char *words)
{
	text_add(text, words, strlen(words));
}

void text_number(struct text *text, uint64_t number)
{
	char digits[24];
	size_t at = sizeof digits;

	do
		digits[--at] = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	text_add(text, digits + at, sizeof digits - at);
}

void text_print(struct text *text, const char *fmt, ...)
{
	va_list args;
	int count;

	va_start(args, fmt);
	count = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (count < 0 || !make_room(text, (size_t)count + 1))
		return;
	va_start(args, fmt);
	(void)vsnprintf(text->bytes + text->used, (size_t)count + 1, fmt, args);
	va_end(args);
	text->used += (size_t)count;
}

void text_clean(struct text *text, const char *words, const char *(*escape)(char byte))
{
	const unsigned char *at = (const unsigned char *)words;

	while (*at != '\0') {
		size_t length = *at >= 0x80 ? utf8_length((const char *)at) : 1;
		const char *instead = *at < 0x80 ? escape((char)*at) : NULL;

		if (instead != NULL) {
			text_say(text, instead);
		} else if (length == 0 || *at < ' ' || *at == 0x7f) {
			/* The backslash is escaped where it has to be. */
			instead = escape('\\');
			text_print(text, "%sx%02x", instead != NULL ? instead : "\\", *at);
			length = 1;
		} else {
			text_add(text, (const char *)at, length);
		}
		at += length;
	}
}
