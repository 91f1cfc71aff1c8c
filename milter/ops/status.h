/*
 * status - the table of hops as one JSON document
 *
 * Keys are stable; failfastctl(8) documents them.  Event thread only.
 */
#ifndef FF_STATUS_H
#define FF_STATUS_H

#include "health/table.h"

#include <jansson.h>

/* status_document - every hop whose name matches pattern (fnmatch(3), but brackets stand for themselves;
 * a plain text matches any part of a name; NULL: all); the caller owns the reference.  NULL: no memory. */
json_t *status_document(struct table *table, const char *pattern);

/* status_is_asked_for - does the name match pattern? */
bool status_is_asked_for(const char *pattern, const char *name);

/* status_hop - one hop, as the document has it */
json_t *status_hop(const struct hop_view *view);

/* status_override - what the operator says of a hop, as the document has it */
json_t *status_override(const struct override *override);

/* status_text - a JSON string of any bytes */
json_t *status_text(const char *bytes);

#endif
