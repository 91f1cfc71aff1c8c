/*
 * utf8 - characters that may be shown to people
 */
#include "base/utf8.h"

size_t utf8_length(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t length = *at >= 0xf0 ? 4 : *at >= 0xe0 ? 3 : 2;

	if (*at < 0xc2 || *at > 0xf4 || (*at == 0xc2 && at[1] < 0xa0))
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	/* Longer than need be, surrogates, beyond U+10FFFF */
	if ((*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] > 0x9f) ||
		(*at == 0xf0 && at[1] < 0x90) || (*at == 0xf4 && at[1] > 0x8f))
		return 0;
	return length;
}
