/*
 * hearsay - when a hop is probed because of what Postfix's log says of it
 *
 * Pure: time is passed in.  The log makes probes come sooner or later, and never decides.  A log and probes that
 * contradict each other (a relay that greets and hangs up later) must not make us knock at a server's door each second,
 * so such probes come less and less often.
 */
#ifndef FF_HEARSAY_H
#define FF_HEARSAY_H

#include "postfix/maillog.h"

#include <stdbool.h>
#include <stdint.h>

/* Of one hop; all zero at first. */
struct hearsay {
	enum statement statement; /* since the last result, that the state does not bear out */
	int64_t result_ms;	  /* of the last probe */
	int64_t gap_ms;		  /* from there to one that is made because of the log; 0: the least */
	int64_t put_off_ms;	  /* when success last put a probe off */
};

/* hearsay_result - a probe has ended: is the hop down now, and is that settled? */
void hearsay_result(struct hearsay *hearsay, bool is_down, bool is_settled, int64_t now_ms);

/* hearsay_hurries - the log says otherwise than the state: the next probe is due after so many ms at the latest, not
 * sooner than least_ms and never later than most_ms after the last.  *is_new: the first time since that. */
int64_t hearsay_hurries(struct hearsay *hearsay, enum statement statement, int64_t least_ms,
	int64_t most_ms, int64_t now_ms, bool *is_new);

/* hearsay_puts_off - the log says that it works, as we know: may the next probe wait for another interval?  Not
 * for longer than two and a half in all, so that nothing looks stale. */
bool hearsay_puts_off(struct hearsay *hearsay, int64_t interval_ms, int64_t now_ms);

#endif
