/*
 * table_mail - what a hop did to mail in the last hour
 *
 * An operator who sees a hop down asks first whether anybody noticed.  A ring of minutes a hop
 * answers that; most hops never need one.
 */
#include "health/table_private.h"

#include <stdlib.h>
#include <string.h>

enum { MINUTE_MS = 60 * 1000 };

/* advance - empty the places of the minutes that went by */
static void advance(struct hop_mail *mail, int64_t minute)
{
	if (minute - mail->minute >= MAIL_MINUTES)
		memset(mail->count, 0, sizeof mail->count);
	else
		for (int64_t gone = mail->minute + 1; gone <= minute; gone++)
			memset(mail->count[gone % MAIL_MINUTES], 0, sizeof mail->count[0]);
	mail->minute = minute;
}

void table_count_mail(
	struct table *table, const char *name, enum mail_effect effect, int64_t now_ms)
{
	int64_t minute = now_ms / MINUTE_MS;
	struct hop *hop;

	pthread_mutex_lock(&table->lock);
	hop = table_lookup(table, name);
	if (hop != NULL && hop->mail == NULL) {
		hop->mail = calloc(1, sizeof *hop->mail); /* without memory nothing is counted */
		if (hop->mail != NULL)
			hop->mail->minute = minute;
	}
	if (hop != NULL && hop->mail != NULL) {
		/* A thread that read the clock earlier may come later. */
		if (minute > hop->mail->minute)
			advance(hop->mail, minute);
		hop->mail->count[minute % MAIL_MINUTES][effect]++;
	}
	pthread_mutex_unlock(&table->lock);
}

void table_sum_mail(const struct hop *hop, int64_t now_ms, unsigned sum[MAIL_EFFECTS])
{
	int64_t first = now_ms / MINUTE_MS - MAIL_MINUTES + 1, minute;

	memset(sum, 0, MAIL_EFFECTS * sizeof *sum);
	if (hop->mail == NULL)
		return;
	minute = hop->mail->minute - MAIL_MINUTES + 1;
	if (minute < first)
		minute = first;
	if (minute < 0)
		minute = 0;
	for (; minute <= hop->mail->minute; minute++)
		for (int effect = 0; effect < MAIL_EFFECTS; effect++)
			sum[effect] += hop->mail->count[minute % MAIL_MINUTES][effect];
}
