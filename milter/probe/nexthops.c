/*
 * nexthops - from one destination of a hop to the next
 *
 * A nexthop of smtp(8) may be a list, and smtp_fallback_relay is another one that comes behind it.  As smtp_connect.c
 * does, each is looked up when its turn comes, when none before it worked.
 *
 * After a probe that found a server that works, one server more is tried, another one each time (parts.h), so that a
 * part that fails is seen without a connection to every server at every interval.  A fall-back relay has no turn:
 * nobody but a message that needs it should bother it.
 */
#include "probe/prober_private.h"

#include <stdio.h>
#include <string.h>

/* take_word - the next of a list; false when there is none */
static bool take_word(const char **list, char *word, size_t bytes)
{
	size_t length;

	*list += strspn(*list, HOP_SEPARATORS);
	length = strcspn(*list, HOP_SEPARATORS);
	if (length == 0)
		return false;
	(void)snprintf(word, bytes, "%.*s", (int)length, *list);
	*list += length;
	return true;
}

static unsigned count_words(const char *list)
{
	char word[HOP_NAME_BYTES];
	unsigned count = 0;

	while (take_word(&list, word, sizeof word))
		count++;
	return count;
}

static const char *fallbacks(const struct probe_request *request)
{
	return request->fallbacks != NULL ? request->fallbacks : "";
}

unsigned nexthops_count(const struct probe_request *request)
{
	return 1 + count_words(request->others) + count_words(fallbacks(request));
}

/* set_target - what is not even a nexthop stops smtp(8) for good; here it is a destination that does not work */
static void set_target(struct probe *probe, const char *nexthop)
{
	const struct probe_request *request = &probe->request;

	(void)snprintf(probe->nexthop, sizeof probe->nexthop, "%s", nexthop);
	probe->count = probe->at = 0;
	probe->why = NULL;
	if (hop_parse_nexthop(nexthop, request->target.protocol, request->default_port,
		    &probe->target, &probe->why) == REASON_NONE)
		probe->target.lookup_mx = probe->target.lookup_mx && request->uses_mx;
}

void nexthops_first(struct probe *probe)
{
	probe->number = 0;
	probe->target = probe->request.target;
	probe->rest = probe->request.others;
	probe->why = NULL;
	probe->count = probe->at = 0;
	(void)snprintf(probe->nexthop, sizeof probe->nexthop, "%s", probe->target.host);
}

bool nexthops_next(struct probe *probe)
{
	char word[HOP_NAME_BYTES];

	if (probe->is_final)
		return false;
	if (!take_word(&probe->rest, word, sizeof word)) {
		if (probe->is_fallback || probe->is_extra)
			return false;
		probe->is_fallback = true;
		probe->rest = fallbacks(&probe->request);
		if (!take_word(&probe->rest, word, sizeof word))
			return false;
	}
	probe->number++;
	set_target(probe, word);
	return true;
}

bool nexthops_has_more(const struct probe *probe)
{
	if (probe->is_final)
		return false;
	return probe->rest[strspn(probe->rest, HOP_SEPARATORS)] != '\0' ||
	       (!probe->is_fallback && !probe->is_extra && count_words(fallbacks(&probe->request)) > 0);
}

bool nexthops_wants_extra(const struct probe *probe)
{
	const struct probe_request *request = &probe->request;

	return request->parts != NULL && request->tries_parts && !probe->is_fallback &&
	       !probe->result.is_local && (probe->count > 1 || count_words(request->others) > 0);
}

void nexthops_begin_extra(struct probe *probe)
{
	(void)snprintf(probe->worked, sizeof probe->worked, "%s", probe->peer);
	probe->is_extra = true;
	probe->extra_steps = 0;
}

/* end_of_list - the turn begins anew with the first */
static void end_of_list(struct probe *probe, struct parts_turn *turn)
{
	*turn = (struct parts_turn){0, 0};
	parts_round(probe->request.parts);
}

bool nexthops_extra(struct probe *probe)
{
	struct parts_turn *turn = parts_turn(probe->request.parts);

	/* A list in which nothing else is to be tried ends this. */
	if (probe->extra_steps++ > 1 + count_words(probe->request.others))
		return false;
	nexthops_first(probe);
	for (unsigned i = 0; i < turn->nexthop; i++)
		if (!nexthops_next(probe)) {
			end_of_list(probe, turn);
			nexthops_first(probe);
			break;
		}
	return true;
}

bool nexthops_extra_address(struct probe *probe)
{
	struct parts_turn *turn = parts_turn(probe->request.parts);
	char text[NET_ADDRESS_TEXT_BYTES];

	while (turn->address < probe->count) {
		probe->at = turn->address++;
		if (strcmp(net_address_text(text, &probe->address[probe->at]), probe->worked) != 0)
			return true;
	}
	nexthops_extra_skip(probe);
	return false;
}

void nexthops_extra_skip(struct probe *probe)
{
	struct parts_turn *turn = parts_turn(probe->request.parts);

	turn->nexthop++;
	turn->address = 0;
	if (turn->nexthop > count_words(probe->request.others))
		end_of_list(probe, turn);
}
