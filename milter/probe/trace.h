/*
 * trace - what a probe does, step by step, for people who watch
 *
 * One hook serves the log of "-v -v" and the operator who asks for a probe.  Each step is a kind, a
 * direction and one line of text.  A secret never gets here: who sends one says "AUTH PLAIN ***".
 * New kinds of steps are a word in the enumeration and one in the table of trace.c.
 *
 * Threads: event thread.
 */
#ifndef FF_TRACE_H
#define FF_TRACE_H

#include <stdbool.h>

enum trace_kind {
	TRACE_PROBE, /* about the probe itself */
	TRACE_SERVICE,
	TRACE_BIND,
	TRACE_COMMAND,
	TRACE_RESOLVE,
	TRACE_CONNECT,
	TRACE_DIALOGUE,
	TRACE_TLS,
	TRACE_AUTH,
};

enum trace_direction {
	TRACE_NOTE, /* something that we found */
	TRACE_SENT,
	TRACE_RECEIVED,
};

enum { TRACE_TEXT_BYTES = 600 };

/* trace_fn - one step; text is one line, printable ASCII.  Must not cancel the probe. */
typedef void trace_fn(void *arg, enum trace_kind kind, enum trace_direction direction,
	const char *text);

/* Who watches.  Belongs to who starts the probe, outlives it, and may change in the meantime. */
struct trace {
	const char *name; /* of the hop, for the log */
	trace_fn *tell;	  /* NULL: only the log */
	void *arg;
};

/* trace_is_watched - does anybody see what is told?  trace may be NULL. */
bool trace_is_watched(const struct trace *trace);

/* trace_step - tell one step; cheap when nobody watches.  trace may be NULL. */
void trace_step(const struct trace *trace, enum trace_kind kind, enum trace_direction direction,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* trace_kind_name - "connect", "dialogue" and so on */
const char *trace_kind_name(enum trace_kind kind);

#endif
