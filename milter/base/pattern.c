/*
 * pattern - shell patterns over names that are full of brackets
 */
#include "base/pattern.h"

#include <stddef.h>
#include <string.h>

bool pattern_is_plain(const char *pattern)
{
	return strpbrk(pattern, "*?") == NULL;
}

bool pattern_match(const char *pattern, const char *text)
{
	const char *star = NULL, *retry = NULL;

	/* On a mismatch the last star takes one character more: linear in practice, no recursion. */
	while (*text != '\0') {
		if (*pattern == '*') {
			star = pattern++;
			retry = text;
		} else if (*pattern == '?' || *pattern == *text) {
			pattern++;
			text++;
		} else if (star != NULL) {
			pattern = star + 1;
			text = ++retry;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}
