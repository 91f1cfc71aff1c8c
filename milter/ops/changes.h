/*
 * changes - the newest changes of state, for people who look later
 *
 * Event thread only.
 */
#ifndef FF_CHANGES_H
#define FF_CHANGES_H

#include "ops/notify.h"

enum { CHANGES_KEPT = 100 };

struct changes;

struct change {
	time_t when;
	char hop[HOP_NAME_BYTES];
	enum state from, to;
	enum reason reason; /* REASON_NONE: all is well */
	char detail[HOP_DETAIL_BYTES];
};

/* changes_new - keep what comes from now on; never NULL, lives as long as the process */
struct changes *changes_new(struct notify *notify);

/* changes_at - 0 is the newest; NULL: there are no more */
const struct change *changes_at(const struct changes *changes, unsigned index);

#endif
