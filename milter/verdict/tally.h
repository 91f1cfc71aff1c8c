/*
 * tally - what was said to mail, in numbers
 *
 * Counted by libmilter's threads without a lock, read by whoever wants to know: numbers that are
 * read together need not fit each other to the last one.  Any thread.
 */
#ifndef FF_TALLY_H
#define FF_TALLY_H

#include "conf/conf.h"
#include "health/reason.h"

#include <stdint.h>

enum { TALLY_ACTIONS = ACTION_TEMPFAIL + 1, TALLY_BUCKETS = 12 };

/* tally_limits_us - the upper bounds of the buckets but the last one, which has none */
extern const int64_t tally_limits_us[TALLY_BUCKETS - 1];

struct tally {
	uint64_t recipients[TALLY_ACTIONS][REASON_COUNT];
	uint64_t verdicts[TALLY_BUCKETS]; /* by the time that they took; each in one bucket */
	uint64_t verdicts_us;             /* all of them together */
	unsigned connections;             /* of Postfix, open now */
};

/* tally_recipient - one recipient; REASON_NONE where no hop has a fault */
void tally_recipient(enum conf_action action, enum reason reason);

/* tally_verdict - what RCPT took */
void tally_verdict(int64_t took_us);

/* tally_opened, tally_closed - a connection of Postfix */
void tally_opened(void);
void tally_closed(void);

void tally_read(struct tally *out);

#endif
