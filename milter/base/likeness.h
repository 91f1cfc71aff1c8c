/*
 * likeness - how far a word is from another, for "did you mean"
 *
 * Pure.  Any thread.
 */
#ifndef FF_LIKENESS_H
#define FF_LIKENESS_H

#include <stddef.h>

enum { LIKENESS_BYTES = 512 };

/* likeness_distance - letters to insert, remove or change (Levenshtein); SIZE_MAX when one is LIKENESS_BYTES long or
 * longer */
size_t likeness_distance(const char *from, const char *to);

#endif
