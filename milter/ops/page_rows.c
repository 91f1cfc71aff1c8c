/*
 * page_rows - which hops the page shows, and in which order
 */
#include "ops/page_private.h"

#include "base/clock.h"
#include "base/pattern.h"

#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

/* The worst first, as failfastctl(8) has them. */
static const int ranks[STATE_COUNT] = {
	[STATE_DOWN] = 0,
	[STATE_FORCED_DOWN] = 1,
	[STATE_UNKNOWN] = 2,
	[STATE_DEGRADED] = 3,
	[STATE_FORCED_UP] = 4,
	[STATE_UP] = 5,
};

struct row {
	struct hop *hop;
	enum state state;
};

struct collect {
	struct table *table;
	const struct page_question *question;
	struct page_hops *out;
	struct row *row;
	size_t count, room;
	bool is_short;
};

static void copy(char *out, size_t bytes, const char *value)
{
	(void)snprintf(out, bytes, "%s", value);
}

void page_read_query(const char *query, struct page_question *question)
{
	struct evkeyvalq pairs;
	const char *value;

	*question = (struct page_question){0};
	if (evhttp_parse_query_str(query, &pairs) < 0)
		return;
	value = evhttp_find_header(&pairs, "q");
	if (value != NULL)
		copy(question->text, sizeof question->text, value);
	value = evhttp_find_header(&pairs, "state");
	for (int state = 0; value != NULL && state < STATE_COUNT; state++)
		if (strcmp(value, state_name((enum state)state)) == 0)
			copy(question->state, sizeof question->state, value);
	if (value != NULL && strcmp(value, "problems") == 0)
		copy(question->state, sizeof question->state, value);
	question->wants_all = evhttp_find_header(&pairs, "all") != NULL;
	evhttp_clear_headers(&pairs);
}

bool page_is_problem(enum state state)
{
	return state != STATE_UP && state != STATE_FORCED_UP;
}

static bool has_text(const struct hop_view *view, const char *text)
{
	if (*text == '\0')
		return true;
	if (!pattern_is_plain(text) && pattern_match(text, view->name))
		return true;
	return strcasestr(view->name, text) != NULL ||
	       (view->reason != REASON_NONE &&
		       (strcasestr(reason_token(view->reason), text) != NULL ||
			       strcasestr(reason_text(view->reason), text) != NULL ||
			       strcasestr(view->detail, text) != NULL));
}

static bool has_state(enum state state, const char *wanted)
{
	if (*wanted == '\0')
		return true;
	if (strcmp(wanted, "problems") == 0)
		return page_is_problem(state);
	return strcmp(state_name(state), wanted) == 0;
}

static void collect_hop(void *arg, struct hop *hop)
{
	struct collect *collect = arg;
	struct hop_view view;

	if (!hop_is_shown(hop))
		return;
	table_view(collect->table, hop, clock_now_ms(), &view);
	collect->out->total++;
	collect->out->states[view.state]++;
	if (!has_state(view.state, collect->question->state) ||
		!has_text(&view, collect->question->text))
		return;
	if (collect->count == collect->room) {
		size_t room = collect->room > 0 ? collect->room * 2 : 64;
		struct row *row = realloc(collect->row, room * sizeof *row);

		if (row == NULL) {
			collect->is_short = true;
			return;
		}
		collect->row = row;
		collect->room = room;
	}
	collect->row[collect->count++] = (struct row){hop, view.state};
}

static int by_badness(const void *a, const void *b)
{
	const struct row *left = a, *right = b;
	int difference = ranks[left->state] - ranks[right->state];

	return difference != 0 ? difference
			       : strcmp(hop_full_name(left->hop), hop_full_name(right->hop));
}

bool page_find_hops(
	struct table *table, const struct page_question *question, struct page_hops *out)
{
	struct collect collect = {.table = table, .question = question, .out = out};

	*out = (struct page_hops){0};
	table_each(table, collect_hop, &collect);
	if (collect.count > 0)
		qsort(collect.row, collect.count, sizeof *collect.row, by_badness);
	out->matching = collect.count;
	out->count = collect.count > PAGE_ROWS && !question->wants_all ? PAGE_ROWS : collect.count;
	out->row = calloc(out->count + 1, sizeof(struct hop *));
	for (size_t i = 0; out->row != NULL && i < out->count; i++)
		out->row[i] = collect.row[i].hop;
	free(collect.row);
	return out->row != NULL && !collect.is_short;
}

void page_free_hops(struct page_hops *hops)
{
	free(hops->row);
}

const char *page_escape(char byte)
{
	switch (byte) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

void page_say_duration(struct text *out, int64_t seconds)
{
	enum { MINUTE = 60, HOUR = 60 * MINUTE, DAY = 24 * HOUR };
	static const struct {
		int64_t seconds;
		const char *name;
	} units[] = {{DAY, "d"}, {HOUR, "h"}, {MINUTE, "min"}, {1, "s"}};
	size_t unit = 0;
	int64_t rest;

	if (seconds < 0)
		seconds = 0;
	while (unit < 3 && seconds < units[unit].seconds)
		unit++;
	text_print(out, "%lld %s", (long long)(seconds / units[unit].seconds), units[unit].name);
	rest = seconds % units[unit].seconds;
	/* From hours on a second number is worth reading. */
	if (unit < 2 && rest >= units[unit + 1].seconds)
		text_print(out, " %lld %s", (long long)(rest / units[unit + 1].seconds),
			units[unit + 1].name);
}
