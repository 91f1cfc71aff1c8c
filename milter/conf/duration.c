/*
 * duration - "500ms", "10s", "5m", "4h", "14d"; a bare number is seconds
 *
 * Whole numbers of one unit, as in Postfix's main.cf: what is not exactly that is no duration, so
 * that "1h30" or "10 s" is refused instead of being read as something else.
 */
#include "conf/duration.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Longest unit first, the order in which duration_format() tries them. */
static const struct {
	const char *suffix;
	int64_t ms;
} units[] = {
	{"d", INT64_C(86400000)},
	{"h", INT64_C(3600000)},
	{"m", INT64_C(60000)},
	{"s", INT64_C(1000)},
	{"ms", INT64_C(1)},
};

enum { UNIT_COUNT = sizeof units / sizeof units[0] };

/* unit_ms - 0 when there is no such unit */
static int64_t unit_ms(const char *suffix)
{
	if (*suffix == '\0')
		return 1000;
	for (size_t i = 0; i < UNIT_COUNT; i++)
		if (strcmp(units[i].suffix, suffix) == 0)
			return units[i].ms;
	return 0;
}

bool duration_parse(const char *text, int64_t *out_ms)
{
	const char *cp = text;
	int64_t number = 0;

	for (; *cp >= '0' && *cp <= '9'; cp++)
		if (__builtin_mul_overflow(number, 10, &number) ||
			__builtin_add_overflow(number, *cp - '0', &number))
			return false;
	if (cp == text)
		return false;

	int64_t scale = unit_ms(cp);

	return scale != 0 && !__builtin_mul_overflow(number, scale, out_ms);
}

const char *duration_format(char buf[DURATION_BYTES], int64_t duration_ms)
{
	size_t unit = 0;

	/* Nothing at all is "0s", not "0d". */
	if (duration_ms == 0)
		unit = UNIT_COUNT - 2;
	while (duration_ms % units[unit].ms != 0)
		unit++;
	(void)snprintf(buf, DURATION_BYTES, "%" PRId64 "%s", duration_ms / units[unit].ms,
		units[unit].suffix);
	return buf;
}
