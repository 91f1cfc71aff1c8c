/*
 * word - values of Postfix's parameters, cut into words as Postfix cuts them
 */
#include "postfix/word.h"

#include <string.h>

#define SEPARATORS ", \t\r\n"

bool word_next(struct word *rest, struct word *out)
{
	size_t at = 0, level = 0;

	while (at < rest->length && strchr(SEPARATORS, rest->at[at]) != NULL)
		at++;
	out->at = rest->at + at;
	for (; at < rest->length; at++) {
		if (rest->at[at] == '{')
			level++;
		else if (level > 0 && rest->at[at] == '}')
			level--;
		else if (level == 0 && strchr(SEPARATORS, rest->at[at]) != NULL)
			break;
	}
	out->length = (size_t)(rest->at + at - out->at);
	rest->at += at;
	rest->length -= at;
	return out->length > 0;
}

bool word_is_balanced(const struct word *word)
{
	size_t level = 0;

	for (size_t i = 0; i < word->length; i++) {
		if (word->at[i] == '{')
			level++;
		else if (word->at[i] == '}' && level-- == 0)
			return false;
	}
	return level == 0;
}

bool word_take_braces(struct word *word)
{
	struct word inner = {word->at + 1, word->length - 2};

	if (word->length < 2 || word->at[0] != '{' || word->at[word->length - 1] != '}' ||
		!word_is_balanced(&inner))
		return false;
	*word = inner;
	return true;
}
