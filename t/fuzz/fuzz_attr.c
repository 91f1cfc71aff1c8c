/*
 * fuzz_attr - whatever comes from a socket: one verdict however it is cut, values within the bytes,
 * and a message that is written again is the same
 */
#include "postfix/attr.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		__builtin_trap();
}

/* check_value - the first value of a name is the one at hand, or one before it of the same name */
static void check_value(const char *bytes, size_t count, const char *name, const char *value)
{
	const char *first = attr_value(bytes, count, name);

	require(first != NULL && first > bytes && first <= value);
	require(strlen(first) < (size_t)(bytes + count - first));
	require(first == value || strcmp(first - strlen(name) - 1, name) == 0);
}

/* check_message - a whole one: take it apart and write it again */
static void check_message(const char *bytes, size_t count)
{
	char *copy = malloc(count);
	size_t used = 0;

	require(copy != NULL);
	while (bytes[used] != '\0') {
		const char *name = bytes + used, *value = name + strlen(name) + 1;
		size_t before = used;

		require(!attr_append(
			copy, before + strlen(name) + strlen(value) + 1, &used, name, value));
		require(used == before);
		check_value(bytes, count, name, value);
		require(attr_append(copy, count, &used, name, value));
	}
	require(!attr_end(copy, used, &used) && attr_end(copy, count, &used));
	require(used == count && memcmp(copy, bytes, count) == 0);
	require(attr_value(bytes, count, "no such name") == NULL);
	free(copy);
}

/* check_cut - the same bytes, ending earlier, in memory of their own */
static void check_cut(const char *bytes, size_t count, enum attr_status whole, size_t whole_used)
{
	char *cut = malloc(count + 1);
	size_t used = 0;
	enum attr_status status;
	const char *value;

	require(cut != NULL);
	memcpy(cut + 1, bytes, count);
	status = attr_scan(cut + 1, count, &used);
	if (whole == ATTR_COMPLETE)
		require(status == (count < whole_used ? ATTR_MORE : ATTR_COMPLETE));
	else
		require(status == ATTR_MORE || status == whole);
	if (status == ATTR_COMPLETE)
		require(used == whole_used);
	value = attr_value(cut + 1, count, "protocol");
	require(value == NULL || value + strlen(value) < cut + 1 + count);
	free(cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data;
	size_t used = 0, step;
	enum attr_status status = attr_scan(bytes, size, &used);

	if (status == ATTR_COMPLETE) {
		require(used > 0 && used <= size && used <= ATTR_LIMIT_BYTES);
		check_message(bytes, used);
	} else {
		require(used == 0);
	}
	step = size / 256 + 1;
	for (size_t count = 0; count <= size; count += step)
		check_cut(bytes, count, status, used);
	return 0;
}
