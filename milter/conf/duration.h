/*
 * duration - "500ms", "10s", "5m", "4h", "14d"; a bare number is seconds
 */
#ifndef FF_DURATION_H
#define FF_DURATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* duration_parse - text to milliseconds; false when it is no duration or does not fit */
bool duration_parse(const char *text, int64_t *out_ms);

enum { DURATION_BYTES = 32 };

/* duration_format - the shortest form that says it exactly; returns buf */
const char *duration_format(char buf[DURATION_BYTES], int64_t duration_ms);

#endif
