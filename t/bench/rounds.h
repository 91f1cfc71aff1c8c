/*
 * rounds - what was measured in several rounds: median and range
 *
 * Things that are compared are measured in turns, one round of each, so that what else the machine
 * does meets all of them; the ratio is taken round by round.
 */
#ifndef FF_BENCH_ROUNDS_H
#define FF_BENCH_ROUNDS_H

#include <stddef.h>

enum { ROUNDS_MAX = 64, ROUNDS_TEXT_BYTES = 96 };

struct rounds {
	double value[ROUNDS_MAX];
	size_t count;
};

/* rounds_add - more than ROUNDS_MAX are not kept */
void rounds_add(struct rounds *rounds, double value);

/* rounds_ratio - of each round of one to the same round of the other */
struct rounds rounds_ratio(const struct rounds *one, const struct rounds *other);

/* rounds_median - 0 without any round */
double rounds_median(const struct rounds *rounds);

/* rounds_text - "51.2 (48.0 to 60.3)", with so many places; returns text */
const char *rounds_text(char text[ROUNDS_TEXT_BYTES], const struct rounds *rounds, int places);

#endif
