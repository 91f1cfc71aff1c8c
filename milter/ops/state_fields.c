/*
 * state_fields - the values in the documents of a state file
 */
#include "ops/state_fields.h"

#include <stdlib.h>
#include <string.h>

bool field_number(const json_t *object, const char *key, int64_t max, int64_t *out)
{
	const json_t *value = json_object_get(object, key);

	*out = json_integer_value(value);
	return value == NULL || (json_is_integer(value) && *out >= 0 && *out <= max);
}

bool field_count(const json_t *object, const char *key, unsigned *out)
{
	int64_t count;
	bool is_good = field_number(object, key, STATE_COUNT_MAX, &count);

	*out = is_good ? (unsigned)count : 0;
	return is_good;
}

bool field_time(const struct state_image *image, const json_t *object, const char *key,
	int64_t at_most_ms, int64_t *out)
{
	int64_t wall_ms;

	*out = 0;
	if (!field_number(object, key, STATE_TIME_MAX_MS, &wall_ms))
		return false;
	if (wall_ms == 0)
		return true;
	if (wall_ms > image->wall_ms + at_most_ms)
		wall_ms = image->wall_ms + at_most_ms;
	*out = image->now_ms - (image->wall_ms - wall_ms);
	if (*out == 0) /* which means never */
		*out = -1;
	return true;
}

bool field_wall(const struct state_image *image, const json_t *object, const char *key,
	bool may_be_ahead, time_t *out)
{
	int64_t wall_ms;
	bool is_good = field_number(object, key, STATE_TIME_MAX_MS, &wall_ms);

	if (!may_be_ahead && wall_ms > image->wall_ms)
		wall_ms = image->wall_ms;
	*out = (time_t)(wall_ms / 1000);
	return is_good;
}

bool field_truth(const json_t *object, const char *key, bool *out)
{
	const json_t *value = json_object_get(object, key);

	*out = json_is_true(value);
	return value == NULL || json_is_true(value);
}

bool field_hex(const json_t *object, const char *key, unsigned char *out, size_t count)
{
	const char *text = json_string_value(json_object_get(object, key));

	if (text == NULL || strlen(text) != 2 * count ||
		strspn(text, "0123456789abcdef") != 2 * count)
		return false;
	for (size_t i = 0; i < count; i++) {
		const char byte[3] = {text[2 * i], text[2 * i + 1], '\0'};

		out[i] = (unsigned char)strtoul(byte, NULL, 16);
	}
	return true;
}

bool field_bits(const json_t *object, const char *key, uint64_t *out)
{
	unsigned char bytes[sizeof *out];

	if (!field_hex(object, key, bytes, sizeof bytes))
		return false;
	*out = 0;
	for (size_t i = 0; i < sizeof bytes; i++)
		*out = *out << 8 | bytes[i];
	return true;
}

bool field_reason(const json_t *object, enum reason *out)
{
	const json_t *value = json_object_get(object, "reason");

	*out = REASON_NONE;
	if (value == NULL)
		return true;
	*out = json_is_string(value) ? reason_from_token(json_string_value(value)) : REASON_COUNT;
	return *out < REASON_COUNT && *out != REASON_NONE;
}

bool field_state(const json_t *object, enum state *out)
{
	const char *name = json_string_value(json_object_get(object, "state"));

	for (int state = 0; name != NULL && state < STATE_COUNT; state++)
		if (strcmp(name, state_name((enum state)state)) == 0) {
			*out = (enum state)state;
			return true;
		}
	return false;
}

const char *field_text(const json_t *object, const char *key, size_t bytes)
{
	const char *text = json_string_value(json_object_get(object, key));

	if (text == NULL || strlen(text) >= bytes)
		return NULL;
	for (const char *cp = text; *cp != '\0'; cp++)
		if ((unsigned char)*cp < ' ' || *cp == 0x7f)
			return NULL;
	return text;
}

bool state_is_name(const char *name)
{
	for (const char *cp = name; *cp != '\0'; cp++)
		if ((unsigned char)*cp <= ' ' || *cp == 0x7f || *cp == '"')
			return false;
	return strlen(name) < HOP_NAME_BYTES && *name != ':' && strchr(name, ':') != NULL;
}

const char *field_name(const json_t *object, const char *key)
{
	const char *name = json_string_value(json_object_get(object, key));

	return name != NULL && state_is_name(name) ? name : NULL;
}
