/*
 * likeness - how far a word is from another, for "did you mean"
 */
#include "base/likeness.h"

#include <stdint.h>
#include <string.h>

static size_t least(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

size_t likeness_distance(const char *from, const char *to)
{
	size_t row[LIKENESS_BYTES];
	size_t length = strlen(to);

	if (length >= LIKENESS_BYTES || strlen(from) >= LIKENESS_BYTES)
		return SIZE_MAX;
	for (size_t i = 0; i <= length; i++)
		row[i] = i;
	for (; *from != '\0'; from++) {
		size_t diagonal = row[0]++;

		for (size_t i = 1; i <= length; i++) {
			size_t above = row[i];

			row[i] = least(above + 1, row[i - 1] + 1, diagonal + (*from != to[i - 1]));
			diagonal = above;
		}
	}
	return row[length];
}
