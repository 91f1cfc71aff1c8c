/*
 * hook_queue - changes of state that on_change has not been told of yet
 *
 * Pure: it runs nothing, and keeps copies.  Whoever uses it is its only thread.
 */
#ifndef FF_HOOK_QUEUE_H
#define FF_HOOK_QUEUE_H

#include "health/table.h"

/* One change of one hop, as the program is told. */
struct hook_event {
	char hop[HOP_NAME_BYTES];
	char detail[HOP_DETAIL_BYTES]; /* "": none */
	unsigned roles;                /* bits of enum hop_role */
	enum state from, to;
	enum reason reason;
	time_t since; /* of the new state */
};

struct hook_queue;

/* hook_queue_new - room for so many hops; NULL: no memory */
struct hook_queue *hook_queue_new(unsigned limit);
void hook_queue_free(struct hook_queue *queue);

enum hook_put {
	HOOK_QUEUED,
	HOOK_MERGED,    /* with what waits of this hop: from the first "from" to the last "to" */
	HOOK_CANCELLED, /* the hop is back where it was: nothing waits of it any more */
	HOOK_FULL,      /* dropped: too many hops wait, or there is no memory */
};

/* hook_queue_put - a hop has one place at most, the one of its first change */
enum hook_put hook_queue_put(struct hook_queue *queue, const struct hook_event *event);

/* hook_queue_take - the hop that has waited for longest; false: none waits */
bool hook_queue_take(struct hook_queue *queue, struct hook_event *out);

void hook_queue_clear(struct hook_queue *queue);

/* hook_queue_count - hops that wait */
unsigned hook_queue_count(const struct hook_queue *queue);

/* hook_is_news - is this change worth a word?  A hop that turns out to be up when it is looked at
 * for the first time has not changed; one that turns out to be anything else has. */
bool hook_is_news(const struct hop_change *change);

#endif
