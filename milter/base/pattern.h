/*
 * pattern - shell patterns over names that are full of brackets
 *
 * Nexthops are written with brackets, so only "*" and "?" are special here.  Pure; any thread.
 */
#ifndef FF_PATTERN_H
#define FF_PATTERN_H

#include <stdbool.h>

/* pattern_match - does the whole text match? */
bool pattern_match(const char *pattern, const char *text);

/* pattern_match_folded - the same, where "A" and "a" are one (US-ASCII only) */
bool pattern_match_folded(const char *pattern, const char *text);

/* pattern_is_plain - no special characters */
bool pattern_is_plain(const char *pattern);

#endif
