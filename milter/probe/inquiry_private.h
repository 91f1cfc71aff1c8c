/*
 * inquiry_private - those who ask for a probe of one hop, as its job keeps them
 */
#ifndef FF_INQUIRY_PRIVATE_H
#define FF_INQUIRY_PRIVATE_H

#include "health/table.h"
#include "probe/inquiry.h"

/* Those who wait for the next probe, and those who watch the one under way. */
struct inquiries {
	struct inquiry *first;
	struct trace trace; /* for the probe: tells those who watch */
};

/* inquiries_init - name must outlive it */
void inquiries_init(struct inquiries *inquiries, const char *name);

/* inquiries_begin - a probe begins: those who wait watch it.  true: there are some, the operator asks */
bool inquiries_begin(struct inquiries *inquiries);

/* inquiries_found - what the probe found is theirs, too */
void inquiries_found(struct inquiries *inquiries, const struct findings *findings);

/* inquiries_end - the probe is over for those who watched */
void inquiries_end(struct inquiries *inquiries);

/* inquiries_gone - the hop goes */
void inquiries_gone(struct inquiries *inquiries);

#endif
