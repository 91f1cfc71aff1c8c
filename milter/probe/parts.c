/*
 * parts - which of the servers of one hop did not work when they were tried last
 */
#include "probe/parts.h"

#include <stdlib.h>
#include <string.h>

enum { FAILING_MAX = 32 };

struct part {
	char *name, *detail;
	unsigned round; /* in which it failed last */
};

struct parts {
	struct parts_turn turn;
	unsigned round;
	struct part failing[FAILING_MAX];
	unsigned count;
};

struct parts *parts_new(void)
{
	return calloc(1, sizeof(struct parts));
}

static void forget(struct parts *parts, unsigned at)
{
	free(parts->failing[at].name);
	free(parts->failing[at].detail);
	parts->count--;
	memmove(&parts->failing[at], &parts->failing[at + 1], (parts->count - at) * sizeof(struct part));
}

void parts_clear(struct parts *parts)
{
	while (parts->count > 0)
		forget(parts, parts->count - 1);
}

void parts_free(struct parts *parts)
{
	if (parts == NULL)
		return;
	parts_clear(parts);
	free(parts);
}

struct parts_turn *parts_turn(struct parts *parts)
{
	return &parts->turn;
}

void parts_works(struct parts *parts, const char *part)
{
	for (unsigned at = 0; at < parts->count; at++)
		if (strcmp(parts->failing[at].name, part) == 0) {
			forget(parts, at);
			return;
		}
}

void parts_failed(struct parts *parts, const char *part, const char *detail)
{
	struct part fresh;

	parts_works(parts, part);
	if (parts->count == FAILING_MAX)
		return;
	fresh = (struct part){strdup(part), strdup(detail), parts->round};
	if (fresh.name == NULL || fresh.detail == NULL) {
		free(fresh.name);
		free(fresh.detail);
		return;
	}
	parts->failing[parts->count++] = fresh;
}

void parts_round(struct parts *parts)
{
	parts->round++;
	for (unsigned at = parts->count; at-- > 0;)
		if (parts->round - parts->failing[at].round > 2)
			forget(parts, at);
}

const char *parts_fault(const struct parts *parts)
{
	return parts->count > 0 ? parts->failing[0].detail : NULL;
}
