/*
 * rounds - what was measured in several rounds: median and range
 */
#include "rounds.h"

#include <stdio.h>
#include <stdlib.h>

void rounds_add(struct rounds *rounds, double value)
{
	if (rounds->count < ROUNDS_MAX)
		rounds->value[rounds->count++] = value;
}

struct rounds rounds_ratio(const struct rounds *one, const struct rounds *other)
{
	struct rounds ratio = {.count = 0};

	for (size_t i = 0; i < one->count && i < other->count; i++)
		rounds_add(&ratio, one->value[i] / other->value[i]);
	return ratio;
}

static int by_value(const void *a, const void *b)
{
	const double *one = a, *other = b;

	return (*one > *other) - (*one < *other);
}

static struct rounds sorted(const struct rounds *rounds)
{
	struct rounds copy = *rounds;

	qsort(copy.value, copy.count, sizeof copy.value[0], by_value);
	return copy;
}

double rounds_median(const struct rounds *rounds)
{
	struct rounds in_order = sorted(rounds);
	size_t middle = in_order.count / 2;

	if (in_order.count == 0)
		return 0;
	if (in_order.count % 2 == 1)
		return in_order.value[middle];
	return (in_order.value[middle - 1] + in_order.value[middle]) / 2;
}

const char *rounds_text(char text[ROUNDS_TEXT_BYTES], const struct rounds *rounds, int places)
{
	struct rounds in_order = sorted(rounds);

	if (in_order.count == 0)
		(void)snprintf(text, ROUNDS_TEXT_BYTES, "not measured");
	else
		(void)snprintf(text, ROUNDS_TEXT_BYTES, "%.*f (%.*f to %.*f)", places,
			rounds_median(rounds), places, in_order.value[0], places,
			in_order.value[in_order.count - 1]);
	return text;
}
