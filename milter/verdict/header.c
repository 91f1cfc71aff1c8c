/*
 * header - Failfast-Status: what a tagged message tells about a hop
 *
 * The value is a host name and then tag=value pairs like those of Authentication-Results (RFC 8601).
 * What comes from outside is quoted or reduced to characters that cannot end a value or a line.
 */
#include "verdict/header.h"

#include "base/clock.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { LINE_MAX_BYTES = 78, QUOTED_BYTES = 900 }; /* RFC 5322 2.1.1: should, and must with what goes before it */

/* quote - a quoted-string of RFC 5322 3.2.4 */
static void quote(char out[QUOTED_BYTES], const char *text)
{
	char *end = out + QUOTED_BYTES - 4;

	*out++ = '"';
	for (; *text != '\0' && out < end; text++) {
		if (*text == '"' || *text == '\\')
			*out++ = '\\';
		*out++ = (char)(*text >= ' ' && *text <= '~' ? *text : '?');
	}
	*out++ = '"';
	*out = '\0';
}

/* atom - copy what is safe outside of quotes */
static void atom(char *out, size_t bytes, const char *text)
{
	size_t used = 0;

	for (; *text != '\0' && used + 1 < bytes; text++)
		out[used++] = isalnum((unsigned char)*text) || strchr(".-_:", *text) != NULL ? *text : '?';
	out[used] = '\0';
}

/* A value that grows. */
struct value {
	char *text;
	size_t used;
	size_t column; /* of the line that it is at */
};

/* add - one part; a line ends before what would make it too long */
static void add(struct value *value, const char *name, const char *text)
{
	size_t length = strlen(name) + strlen(text) + 2; /* a space before it and a semicolon behind it */
	bool is_folded = value->used > 0 && value->column + length > LINE_MAX_BYTES;

	value->used += (size_t)snprintf(value->text + value->used, HEADER_VALUE_BYTES - value->used,
		"%s%s%s", value->used == 0 ? "" : is_folded ? ";\n\t" : "; ", name, text);
	value->column = is_folded ? 8 + length : value->column + length;
}

const char *header_value(char out[HEADER_VALUE_BYTES], const struct hop_view *hop,
	const struct header_facts *facts)
{
	char host[HOP_HOST_BYTES], id[64], name[QUOTED_BYTES], since[CLOCK_UTC_BYTES];
	struct value value = {.text = out, .column = strlen(facts->name) + 1};

	atom(host, sizeof host, facts->host);
	atom(id, sizeof id, facts->queue_id);
	add(&value, "", host);
	add(&value, "state=", state_name(hop->state));
	if (!facts->is_terse) {
		quote(name, hop->name);
		add(&value, "hop=", name);
	}
	add(&value, "role=", hop_role_name(facts->role));
	if (hop->reason != REASON_NONE)
		add(&value, "reason=", reason_token(hop->reason));
	if (!facts->is_terse && hop->is_forced && *hop->detail != '\0') {
		quote(name, hop->detail);
		add(&value, "comment=", name);
	}
	add(&value, "since=", clock_format_utc(since, hop->since));
	add(&value, "id=", id);
	return out;
}

/* skip_comments - white space and comments, which may be in each other (CFWS of RFC 5322 3.2.2) */
static const char *skip_comments(const char *text)
{
	unsigned depth = 0;

	for (; *text != '\0'; text++) {
		if (*text == '(')
			depth++;
		else if (*text == ')' && depth > 0)
			depth--;
		else if (depth > 0 && *text == '\\' && text[1] != '\0')
			text++;
		else if (depth == 0 && strchr(" \t\r\n", *text) == NULL)
			break;
	}
	return text;
}

bool header_is_from(const char *value, const char *host)
{
	size_t length, wanted = strlen(host);

	/* Whoever forges one writes it so that somebody still reads it as ours. */
	value = skip_comments(value);
	if (*value == '"')
		value = skip_comments(value + 1);
	length = strcspn(value, ";(\" \t\r\n");
	while (length > wanted && value[length - 1] == '.')
		length--;
	return length == wanted && strncasecmp(value, host, length) == 0;
}
