/*
 * header - Failfast-Status: what a tagged message tells about a hop
 *
 * Pure; any thread.
 */
#ifndef FF_HEADER_H
#define FF_HEADER_H

#include "health/table.h"

enum { HEADER_VALUE_BYTES = 2048 };

struct header_facts {
	const char *name;     /* of the header */
	const char *host;     /* our own name */
	const char *queue_id;
	enum hop_role role;
	bool is_terse; /* leave the name of the hop out */
};

/* header_value - the value, folded (RFC 5322 2.2.3) with newlines as libmilter takes them: lines have no more than 78
 * characters, unless one part alone is longer, and never as many as 998; returns out */
const char *header_value(char out[HEADER_VALUE_BYTES], const struct hop_view *hop,
	const struct header_facts *facts);

/* header_is_from - does a value that a message came with name this host?  Comments, quotes, upper case and a final dot
 * make it no other host. */
bool header_is_from(const char *value, const char *host);

#endif
