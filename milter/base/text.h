/*
 * text - a text that grows while it is written
 *
 * Running out of memory is noted, not reported at each step: whoever uses the text asks is_short in
 * the end.  No thread of its own; one text belongs to one thread.
 */
#ifndef FF_TEXT_H
#define FF_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
	char *bytes; /* not terminated; NULL while empty */
	size_t used, room;
	bool is_short; /* something is missing: there was no memory */
};

void text_free(struct text *text);

void text_add(struct text *text, const char *bytes, size_t count);
void text_say(struct text *text, const char *words);
void text_number(struct text *text, uint64_t number);
void text_print(struct text *text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* text_clean - words as UTF-8 without control characters: what is none becomes \xNN, so that
 * different words stay different.  escape is asked for each byte of ASCII, and gives what stands in
 * its place, or NULL. */
void text_clean(struct text *text, const char *words, const char *(*escape)(char byte));

#endif
