/*
 * attr - Postfix's internal attribute protocol, the "null" form (attr_scan0(3))
 *
 * A message is a list of NAME NUL VALUE NUL and ends with an empty name: a further NUL.  Pure; any thread.
 */
#ifndef FF_ATTR_H
#define FF_ATTR_H

#include <stdbool.h>
#include <stddef.h>

enum { ATTR_LIMIT_BYTES = 65536 };

enum attr_status {
	ATTR_MORE,     /* not complete yet */
	ATTR_COMPLETE, /* *used bytes are one message */
	ATTR_BAD,      /* this is no message, or a too long one */
};

/* attr_scan - is there a whole message at the front of the bytes? */
enum attr_status attr_scan(const char *bytes, size_t count, size_t *used);

/* attr_value - of a complete message of `count` bytes: the first value of that name, NULL: none.  Points into
 * bytes. */
const char *attr_value(const char *bytes, size_t count, const char *name);

/* attr_append - add one attribute at *used; false when it does not fit or holds a NUL-unsafe value */
bool attr_append(char *bytes, size_t size, size_t *used, const char *name, const char *value);

/* attr_end - add the end of the message; false when it does not fit */
bool attr_end(char *bytes, size_t size, size_t *used);

#endif
