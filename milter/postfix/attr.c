/*
 * attr - Postfix's internal attribute protocol, the "null" form (attr_scan0(3))
 *
 * What comes is not trusted to be this protocol at all: names are held to what Postfix uses, so
 * that a greeting of another kind is known as such and not taken for the beginning of a message.
 * The verdict on some bytes never changes when more of them come.
 */
#include "postfix/attr.h"

#include <string.h>

enum { NAME_LIMIT_BYTES = 100 };

/* is_name_byte - "=" would be the plain form of the protocol: anvil(8) speaks that */
static bool is_name_byte(char byte)
{
	return byte > ' ' && byte <= '~' && byte != '=';
}

/* name_length - how many bytes of a name are at the front */
static size_t name_length(const char *bytes, size_t count)
{
	size_t length = 0;

	while (length < count && is_name_byte(bytes[length]))
		length++;
	return length;
}

/* scan_name - ATTR_COMPLETE: a name of *length bytes (0: the end of the message) and its NUL */
static enum attr_status scan_name(const char *bytes, size_t count, size_t *length)
{
	*length = name_length(bytes, count);
	if (*length > NAME_LIMIT_BYTES)
		return ATTR_BAD;
	if (*length == count)
		return ATTR_MORE;
	return bytes[*length] == '\0' ? ATTR_COMPLETE : ATTR_BAD;
}

enum attr_status attr_scan(const char *bytes, size_t count, size_t *used)
{
	size_t limit = count < ATTR_LIMIT_BYTES ? count : ATTR_LIMIT_BYTES, at = 0, length;

	for (;;) {
		enum attr_status status = scan_name(bytes + at, limit - at, &length);
		const char *end;

		if (status == ATTR_BAD)
			return status;
		if (status == ATTR_MORE)
			break;
		at += length + 1;
		if (length == 0) {
			*used = at;
			return ATTR_COMPLETE;
		}
		end = memchr(bytes + at, '\0', limit - at);
		if (end == NULL)
			break;
		at = (size_t)(end - bytes) + 1;
	}
	return limit == ATTR_LIMIT_BYTES ? ATTR_BAD : ATTR_MORE;
}

const char *attr_value(const char *bytes, size_t count, const char *name)
{
	const char *at = bytes, *last = bytes + count;

	while (at < last && *at != '\0') {
		const char *value = memchr(at, '\0', (size_t)(last - at));
		const char *end;

		if (value == NULL)
			return NULL;
		value++;
		end = memchr(value, '\0', (size_t)(last - value));
		if (end == NULL)
			return NULL;
		if (strcmp(at, name) == 0)
			return value;
		at = end + 1;
	}
	return NULL;
}

/* append - text and its NUL */
static bool append(char *bytes, size_t size, size_t *used, const char *text)
{
	size_t length = strlen(text) + 1;

	if (*used > size || length > size - *used)
		return false;
	memcpy(bytes + *used, text, length);
	*used += length;
	return true;
}

bool attr_append(char *bytes, size_t size, size_t *used, const char *name, const char *value)
{
	size_t length = strlen(name), at = *used;

	/* An empty name would end the message. */
	if (length == 0 || length > NAME_LIMIT_BYTES || name_length(name, length) != length)
		return false;
	if (!append(bytes, size, &at, name) || !append(bytes, size, &at, value))
		return false;
	*used = at;
	return true;
}

bool attr_end(char *bytes, size_t size, size_t *used)
{
	return append(bytes, size, used, "");
}
