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

static char fold(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static bool match(const char *pattern, const char *text, bool is_folded)
{
	const char *star = NULL, *retry = NULL;

	/* On a mismatch the last star takes one character more: linear in practice, no recursion. */
	while (*text != '\0') {
		if (*pattern == '*') {
			star = pattern++;
			retry = text;
			/* What is behind the last star is the end of the text. */
			if (strchr(pattern, '*') == NULL) {
				size_t tail = strlen(pattern), rest = strlen(text);

				if (rest < tail)
					return false;
				text += rest - tail;
				star = NULL;
			}
		} else if (*pattern == '?' || *pattern == *text ||
			   (is_folded && fold(*pattern) == fold(*text))) {
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

bool pattern_match(const char *pattern, const char *text)
{
	return match(pattern, text, false);
}

bool pattern_match_folded(const char *pattern, const char *text)
{
	return match(pattern, text, true);
}
