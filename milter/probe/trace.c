/*
 * trace - what a probe does, step by step, for people who watch
 *
 * What a peer or a configuration has put into a text is made printable here, once, so that a hostile
 * banner reaches neither a terminal nor a JSON parser as anything else than a line.
 */
#include "probe/trace.h"

#include "base/log.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

static const char *const kinds[] = {
	[TRACE_PROBE] = "probe",
	[TRACE_SERVICE] = "service",
	[TRACE_BIND] = "bind",
	[TRACE_COMMAND] = "command",
	[TRACE_RESOLVE] = "resolve",
	[TRACE_CONNECT] = "connect",
	[TRACE_DIALOGUE] = "dialogue",
	[TRACE_TLS] = "tls",
	[TRACE_AUTH] = "auth",
};

static const char *const signs[] = {
	[TRACE_NOTE] = "", [TRACE_SENT] = "> ", [TRACE_RECEIVED] = "< "};

bool trace_is_watched(const struct trace *trace)
{
	return trace != NULL && (trace->tell != NULL || log_is_tracing());
}

void trace_step(const struct trace *trace, enum trace_kind kind, enum trace_direction direction,
	const char *fmt, ...)
{
	char text[TRACE_TEXT_BYTES];
	va_list ap;

	if (!trace_is_watched(trace))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	for (char *cp = text; *cp != '\0'; cp++)
		if (*cp < ' ' || *cp > '~')
			*cp = '?';
	log_trace("%s: %s: %s%s", trace->name, kinds[kind], signs[direction], text);
	if (trace->tell != NULL)
		trace->tell(trace->arg, kind, direction, text);
}

const char *trace_kind_name(enum trace_kind kind)
{
	return kinds[kind];
}
