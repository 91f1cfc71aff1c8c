/*
 * hearsay - when a hop is probed because of what Postfix's log says of it
 */
#include "probe/hearsay.h"

enum { PUT_OFF_STEPS = 20 }; /* a busy log moves the timer so often in an interval, and no oftener */

void hearsay_result(struct hearsay *hearsay, bool is_down, bool is_settled, int64_t now_ms)
{
	bool is_contradicted = is_down ? hearsay->statement == STATEMENT_WORKS
				       : hearsay->statement > STATEMENT_WORKS;

	hearsay->gap_ms = is_contradicted && is_settled ? 2 * hearsay->gap_ms : 0;
	hearsay->statement = STATEMENT_NONE;
	hearsay->result_ms = now_ms;
}

int64_t hearsay_hurries(struct hearsay *hearsay, enum statement statement, int64_t least_ms,
	int64_t most_ms, int64_t now_ms, bool *is_new)
{
	int64_t left_ms;

	*is_new = hearsay->statement == STATEMENT_NONE;
	hearsay->statement = statement;
	if (hearsay->gap_ms < least_ms)
		hearsay->gap_ms = least_ms;
	if (hearsay->gap_ms > most_ms)
		hearsay->gap_ms = most_ms;
	left_ms = hearsay->result_ms + hearsay->gap_ms - now_ms;
	return left_ms > 0 ? left_ms : 0;
}

bool hearsay_puts_off(struct hearsay *hearsay, int64_t interval_ms, int64_t now_ms)
{
	if (now_ms - hearsay->put_off_ms < interval_ms / PUT_OFF_STEPS ||
		now_ms - hearsay->result_ms >= interval_ms + interval_ms / 2)
		return false;
	hearsay->put_off_ms = now_ms;
	return true;
}
