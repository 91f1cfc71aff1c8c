/*
 * hook_queue - changes of state that on_change has not been told of yet
 *
 * One program runs at a time, and a hop may change faster than that.  Who is told late wants to
 * know what is true now, so the changes of a hop that waits become one, or none.
 */
#include "ops/hook_queue.h"

#include <stdlib.h>
#include <uthash.h>
#include <utlist.h>

struct entry {
	UT_hash_handle hh;
	struct entry *prev, *next; /* in the order of their first change */
	struct hook_event event;
};

struct hook_queue {
	struct entry *by_hop;
	struct entry *list;
	unsigned limit;
};

struct hook_queue *hook_queue_new(unsigned limit)
{
	struct hook_queue *queue = calloc(1, sizeof *queue);

	if (queue != NULL)
		queue->limit = limit;
	return queue;
}

static void drop(struct hook_queue *queue, struct entry *entry)
{
	HASH_DEL(queue->by_hop, entry);
	DL_DELETE(queue->list, entry);
	free(entry);
}

void hook_queue_clear(struct hook_queue *queue)
{
	while (queue->list != NULL)
		drop(queue, queue->list);
}

void hook_queue_free(struct hook_queue *queue)
{
	hook_queue_clear(queue);
	free(queue);
}

unsigned hook_queue_count(const struct hook_queue *queue)
{
	return HASH_COUNT(queue->by_hop);
}

static enum hook_put append(struct hook_queue *queue, const struct hook_event *event)
{
	struct entry *entry;

	if (event->from == event->to)
		return HOOK_CANCELLED;
	entry = hook_queue_count(queue) < queue->limit ? calloc(1, sizeof *entry) : NULL;
	if (entry == NULL)
		return HOOK_FULL;
	entry->event = *event;
	HASH_ADD_STR(queue->by_hop, event.hop, entry);
	DL_APPEND(queue->list, entry);
	return HOOK_QUEUED;
}

enum hook_put hook_queue_put(struct hook_queue *queue, const struct hook_event *event)
{
	struct entry *entry;
	enum state first;

	HASH_FIND_STR(queue->by_hop, event->hop, entry);
	if (entry == NULL)
		return append(queue, event);
	first = entry->event.from;
	if (first == event->to) {
		drop(queue, entry);
		return HOOK_CANCELLED;
	}
	entry->event = *event;
	entry->event.from = first;
	return HOOK_MERGED;
}

bool hook_queue_take(struct hook_queue *queue, struct hook_event *out)
{
	if (queue->list == NULL)
		return false;
	*out = queue->list->event;
	drop(queue, queue->list);
	return true;
}

bool hook_is_news(const struct hop_change *change)
{
	if (!change->is_new_state)
		return false;
	return !change->is_first || change->from != STATE_UNKNOWN || change->to != STATE_UP;
}
