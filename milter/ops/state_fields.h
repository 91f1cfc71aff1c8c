/*
 * state_fields - the values in the documents of a state file
 *
 * Each function reads one key, and is false when what stands there is not what state_write.c writes; a key that is
 * missing stands for 0, false or nothing unless said otherwise.  Pure; any thread.
 */
#ifndef FF_STATE_FIELDS_H
#define FF_STATE_FIELDS_H

#include "ops/state_format.h"

#include <jansson.h>

/* field_number - from 0 to max */
bool field_number(const json_t *object, const char *key, int64_t max, int64_t *out);

/* field_count - up to STATE_COUNT_MAX */
bool field_count(const json_t *object, const char *key, unsigned *out);

/* field_time - as of clock_now_ms() of the image; at_most_ms: how far behind its moment it can be */
bool field_time(const struct state_image *image, const json_t *object, const char *key,
	int64_t at_most_ms, int64_t *out);

/* field_wall - seconds since the epoch; not of the future unless it may be */
bool field_wall(const struct state_image *image, const json_t *object, const char *key,
	bool may_be_ahead, time_t *out);

bool field_truth(const json_t *object, const char *key, bool *out);

/* field_hex - exactly so many bytes; false when it is missing */
bool field_hex(const json_t *object, const char *key, unsigned char *out, size_t count);

/* field_bits - a number of 64 bits; false when it is missing */
bool field_bits(const json_t *object, const char *key, uint64_t *out);

/* field_reason, field_state - of the keys "reason" and "state"; the latter must be there */
bool field_reason(const json_t *object, enum reason *out);
bool field_state(const json_t *object, enum state *out);

/* field_text - one clean line, the object's; NULL when it is missing, is too long or has other characters */
const char *field_text(const json_t *object, const char *key, size_t bytes);

/* field_name - of a hop, the object's; NULL when it is missing or state_is_name() says no */
const char *field_name(const json_t *object, const char *key);

#endif
