/*
 * header - Failfast-Status: what a tagged message tells about a hop
 *
 * The value is a host name and then tag=value pairs like those of Authentication-Results (RFC 8601).
 * What comes from outside is quoted or reduced to characters that cannot end a value or a line.
 */
#include "verdict/header.h"

#include "base/clock.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* quote - a quoted-string of RFC 5322 3.2.4; out must hold twice the text and the quotes */
static void quote(char *out, const char *text)
{
	*out++ = '"';
	for (; *text != '\0'; text++) {
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

const char *header_value(char out[HEADER_VALUE_BYTES], const struct hop_view *hop,
	const struct header_facts *facts)
{
	char host[HOP_HOST_BYTES], id[64], name[2 * HOP_NAME_BYTES + 3], since[CLOCK_UTC_BYTES];
	int used;

	atom(host, sizeof host, facts->host);
	atom(id, sizeof id, facts->queue_id);
	used = snprintf(out, HEADER_VALUE_BYTES, "%s; state=%s;", host, state_name(hop->state));
	if (!facts->is_terse) {
		quote(name, hop->name);
		used += snprintf(out + used, HEADER_VALUE_BYTES - (size_t)used, " hop=%s;", name);
	}
	used += snprintf(out + used, HEADER_VALUE_BYTES - (size_t)used, "\n\trole=%s;",
		hop_role_name(facts->role));
	if (hop->reason != REASON_NONE)
		used += snprintf(out + used, HEADER_VALUE_BYTES - (size_t)used, " reason=%s;",
			reason_token(hop->reason));
	(void)snprintf(out + used, HEADER_VALUE_BYTES - (size_t)used, " since=%s;\n\tid=%s",
		clock_format_utc(since, hop->since), id);
	return out;
}

bool header_is_from(const char *value, const char *host)
{
	size_t length;

	value += strspn(value, " \t\r\n");
	length = strcspn(value, "; \t\r\n");
	return length == strlen(host) && strncasecmp(value, host, length) == 0;
}
