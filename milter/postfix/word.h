/*
 * word - values of Postfix's parameters, cut into words as Postfix cuts them
 *
 * Commas and white space separate, but not inside {braces} (mystrtokq() and extpar() of Postfix).  Pure; any thread.
 */
#ifndef FF_WORD_H
#define FF_WORD_H

#include <stdbool.h>
#include <stddef.h>

/* A piece of a text that somebody else owns; no NUL ends it. */
struct word {
	const char *at;
	size_t length;
};

/* word_next - take one off the front of rest; false at the end */
bool word_next(struct word *rest, struct word *out);

/* word_is_balanced - every brace has its partner */
bool word_is_balanced(const struct word *word);

/* word_take_braces - "{text}" becomes "text"; false when the first brace does not end at the last */
bool word_take_braces(struct word *word);

#endif
