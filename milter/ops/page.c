/*
 * page - one document for people
 *
 * The first line says how things are; below it are the hops, the worst first, and what changed
 * last.  What a phone has no room for goes below each other, see page.css.
 */
#include "ops/page_private.h"

#include "base/clock.h"

#include <string.h>
#include <unistd.h>

/* Within hours the time of day is enough. */
enum { RECENT_S = 12 * 60 * 60, DATE_LENGTH = sizeof "2026-11-21T" - 1 };

struct page {
	const struct page_parts *parts;
	struct page_question question;
	struct page_hops hops;
	struct text *out;
	time_t now;
};

static void say(const struct page *page, const char *html)
{
	text_say(page->out, html);
}

/* say_text - what may come from outside */
static void say_text(const struct page *page, const char *words)
{
	text_clean(page->out, words, page_escape);
}

/* say_foreign - the same as a part of its own, so that right-to-left letters in it move nothing
 * else */
static void say_foreign(const struct page *page, const char *class, const char *words)
{
	text_print(page->out, "<bdi class=\"%s\">", class);
	say_text(page, words);
	say(page, "</bdi>");
}

static void say_time(const struct page *page, time_t when)
{
	char utc[CLOCK_UTC_BYTES], clock[CLOCK_UTC_BYTES];
	const char *words = clock_format_time(clock, when);

	(void)clock_format_utc(utc, when);
	text_print(page->out, "<time datetime=\"%s\">%.*s%s</time>", utc,
		page->now - when < RECENT_S ? 0 : DATE_LENGTH, utc, words);
}

/* worst - the state that the page as a whole is in */
static enum state worst(const struct page *page)
{
	static const enum state order[] = {
		STATE_DOWN, STATE_FORCED_DOWN, STATE_DEGRADED, STATE_UNKNOWN, STATE_FORCED_UP};

	for (size_t i = 0; i < sizeof order / sizeof *order; i++)
		if (page->hops.states[order[i]] > 0)
			return order[i];
	return STATE_UP;
}

static const char *host_name(const struct page *page, char name[256])
{
	if (*page->parts->conf->hostname != '\0')
		return page->parts->conf->hostname;
	name[0] = name[255] = '\0';
	(void)gethostname(name, 255);
	return name;
}

/* say_headline - how things are, in one sentence */
static void say_headline(const struct page *page)
{
	static const struct {
		enum state state, other; /* which count together */
		const char *words;
	} kinds[] = {
		{STATE_DOWN, STATE_FORCED_DOWN, "down"},
		{STATE_DEGRADED, STATE_DEGRADED, "degraded"},
		{STATE_UNKNOWN, STATE_UNKNOWN, "unknown"},
	};
	unsigned said = 0, total = page->hops.total;

	if (total == 0) {
		say(page, "No hops are known yet");
		return;
	}
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		unsigned count = page->hops.states[kinds[i].state];

		if (kinds[i].other != kinds[i].state)
			count += page->hops.states[kinds[i].other];
		if (count == 0)
			continue;
		if (said++ == 0)
			text_print(page->out, "%u of %u hop%s %s %s", count, total,
				total == 1 ? "" : "s", count == 1 ? "is" : "are", kinds[i].words);
		else
			text_print(page->out, ", %u %s", count, kinds[i].words);
	}
	if (said == 0 && total == 1)
		say(page, "The one hop is up");
	else if (said == 0)
		text_print(page->out, "All %u hops are up", total);
}

static void say_head(const struct page *page)
{
	char name[256];

	say(page, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		  "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		  "<meta name=\"color-scheme\" content=\"light dark\">\n<title>");
	say_headline(page);
	say(page, " – ");
	say_text(page, host_name(page, name));
	text_print(page->out,
		"</title>\n<link id=\"icon\" rel=\"icon\" href=\"/icon.svg?%s\">\n"
		"<link rel=\"stylesheet\" href=\"/page.css\">\n"
		"<noscript><meta http-equiv=\"refresh\" content=\"10\"></noscript>\n"
		"<script src=\"/page.js\" defer></script>\n</head>\n<body>\n",
		page->hops.total > 0 ? state_name(worst(page)) : "unknown");
	if (page->hops.total > 0)
		say(page, "<a class=\"skip\" href=\"#hops\">To the hops</a>\n");
	say(page, "<header>\n<p class=\"product\">failfast-milter</p>\n<p class=\"host\">");
	say_text(page, host_name(page, name));
	say(page, "</p>\n<p class=\"asof\" id=\"asof\">");
	say_time(page, page->now);
	say(page, "</p>\n</header>\n<main>\n");
}

/* say_worst - the first few that are not up, by name, so that the page need not be searched in an
 * outage */
static void say_worst(const struct page *page)
{
	enum { NAMED = 3 };
	unsigned down = page->hops.states[STATE_DOWN] + page->hops.states[STATE_FORCED_DOWN],
		 count = 0;

	if (*page->question.text != '\0' || *page->question.state != '\0')
		return;
	say(page, "<ul>\n");
	for (size_t i = 0; i < page->hops.count && count < NAMED; i++) {
		struct hop_view view;

		table_view(page->parts->table, page->hops.row[i], clock_now_ms(), &view);
		if (view.state != STATE_DOWN && view.state != STATE_FORCED_DOWN)
			continue;
		count++;
		say(page, "<li>");
		say_foreign(page, "name", view.name);
		text_print(page->out, ": %s</li>\n", reason_text(view.reason));
	}
	if (count > 0 && down > count)
		text_print(page->out, "<li>and %u more</li>\n", down - count);
	say(page, "</ul>\n");
}

static void say_summary(const struct page *page)
{
	text_print(page->out,
		"<section id=\"summary\" class=\"summary is-%s\" role=\"status\">\n<h1>",
		page->hops.total > 0 ? state_name(worst(page)) : "unknown");
	say_headline(page);
	say(page, "</h1>\n");
	if (page->hops.total == 0)
		say(page, "<p>They come from Postfix’s configuration, when failfast-milter.conf "
			  "has a "
			  "<code>postfix</code> section, and from mail.</p>\n");
	else
		say_worst(page);
	say(page, "</section>\n");
}

/* say_query - the question as it stands in a link, with another state */
static void say_query(const struct page *page, const char *state)
{
	static const char plain[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";

	text_print(page->out, "/?state=%s&amp;q=", state);
	for (const char *cp = page->question.text; *cp != '\0'; cp++)
		if (strchr(plain, *cp) != NULL)
			text_add(page->out, cp, 1);
		else
			text_print(page->out, "%%%02X", (unsigned char)*cp);
}

static void say_chip(const struct page *page, const char *state, const char *words, unsigned count)
{
	bool is_current = strcmp(state, page->question.state) == 0;

	/* States that nobody is in only take room. */
	if (count == 0 && !is_current && *state != '\0')
		return;
	text_print(
		page->out, "<li><a class=\"chip is-%s\" href=\"", *state != '\0' ? state : "all");
	say_query(page, state);
	text_print(page->out, "\"%s>%s <b>%u</b></a></li>\n",
		is_current ? " aria-current=\"true\"" : "", words, count);
}

static void say_filter(const struct page *page)
{
	static const enum state order[] = {STATE_DOWN, STATE_FORCED_DOWN, STATE_DEGRADED,
		STATE_UNKNOWN, STATE_FORCED_UP, STATE_UP};
	unsigned problems = 0;

	for (int state = 0; state < STATE_COUNT; state++)
		if (page_is_problem((enum state)state))
			problems += page->hops.states[state];
	say(page,
		"<div class=\"filter\">\n<nav id=\"states\" aria-label=\"Hops by state\">\n<ul>\n");
	say_chip(page, "", "all", page->hops.total);
	say_chip(page, "problems", "problems", problems);
	for (size_t i = 0; i < sizeof order / sizeof *order; i++)
		say_chip(page, state_name(order[i]), state_name(order[i]),
			page->hops.states[order[i]]);
	say(page, "</ul>\n</nav>\n<form id=\"filter\" role=\"search\" action=\"/\">\n"
		  "<label for=\"q\">Find</label>\n<input id=\"q\" name=\"q\" type=\"search\" "
		  "autocomplete=\"off\" spellcheck=\"false\" maxlength=\"150\" "
		  "placeholder=\"hop, reason, detail\" value=\"");
	say_text(page, page->question.text);
	say(page, "\">\n");
	if (*page->question.state != '\0')
		text_print(page->out, "<input type=\"hidden\" name=\"state\" value=\"%s\">\n",
			page->question.state);
	say(page, "<button>Show</button>\n</form>\n</div>\n");
}

static void say_cell(const struct page *page, const char *label)
{
	text_print(page->out, "<td role=\"cell\" data-label=\"%s\">", label);
}

static void say_name(const struct page *page, const struct hop_view *view)
{
	unsigned said = 0;

	say(page, "<th role=\"rowheader\" scope=\"row\">");
	say_foreign(page, "name", view->name);
	say(page, "<span class=\"more\">");
	for (unsigned role = ROLE_PROXY_FILTER; role <= ROLE_TRANSPORT; role <<= 1)
		if ((view->roles & role) != 0)
			text_print(page->out, "%s%s", said++ > 0 ? ", " : "",
				hop_role_text((enum hop_role)role));
	say(page, view->is_learned ? ", learned from mail</span></th>" : "</span></th>");
}

static void say_reason(const struct page *page, const struct hop_view *view)
{
	bool has_detail = *view->detail != '\0' && page_is_problem(view->state);

	say_cell(page, "Reason");
	if (view->reason != REASON_NONE)
		text_print(page->out, "<span>%s</span>", reason_text(view->reason));
	else if (view->state == STATE_UNKNOWN && view->last_probe == 0)
		say(page, "<span class=\"more\">not probed yet</span>");
	if (has_detail)
		say_foreign(page, "more", view->detail);
	say(page, "</td>");
}

static void say_probe(const struct page *page, const struct hop_view *view)
{
	say_cell(page, "State for");
	if (view->since != 0) {
		say(page, "<span>");
		page_say_duration(page->out, page->now - view->since);
		say(page, "</span><span class=\"more\">");
		say_time(page, view->since);
		say(page, "</span>");
	}
	say(page, "</td>");
	say_cell(page, "Last probe");
	if (view->last_probe != 0) {
		say(page, "<span>");
		page_say_duration(page->out, page->now - view->last_probe);
		say(page, " ago</span>");
	}
	if (view->latency_us >= 0)
		text_print(page->out, "<span class=\"more\">in %.*f ms</span>",
			view->latency_us < 100000 ? 1 : 0, (double)view->latency_us / 1000.0);
	say(page, "</td>");
}

static void say_mail(const struct page *page, const struct hop_view *view)
{
	static const char *const words[MAIL_EFFECTS] = {
		[MAIL_REFUSED] = "refused", [MAIL_TAGGED] = "tagged", [MAIL_HELD] = "held"};

	say_cell(page, "Mail, last hour");
	for (int effect = 0; effect < MAIL_EFFECTS; effect++)
		if (view->mail[effect] > 0)
			text_print(page->out, "<span class=\"mail is-%s\"><b>%u</b> %s</span>",
				words[effect], view->mail[effect], words[effect]);
	say(page, "</td>");
}

static void say_row(const struct page *page, const struct hop *hop)
{
	struct hop_view view;

	table_view(page->parts->table, hop, clock_now_ms(), &view);
	text_print(page->out, "<tr role=\"row\" class=\"is-%s\">", state_name(view.state));
	say_cell(page, "State");
	text_print(page->out, "<span class=\"state is-%s\">%s</span></td>", state_name(view.state),
		state_name(view.state));
	say_name(page, &view);
	say_reason(page, &view);
	say_probe(page, &view);
	say_mail(page, &view);
	say(page, "</tr>\n");
}

/* say_count - how many of how many are shown, where that is not all */
static void say_count(const struct page *page)
{
	const struct page_hops *hops = &page->hops;

	say(page, "<p id=\"count\" class=\"count\">");
	if (hops->count < hops->matching) {
		text_print(page->out, "The worst %zu of %zu are shown. <a href=\"", hops->count,
			hops->matching);
		say_query(page, page->question.state);
		say(page, "&amp;all=1\">Show all</a>");
	} else if (hops->total > 0 && hops->matching == 0) {
		say(page, "No hop is like that. <a href=\"/\">Show all</a>");
	} else if (hops->matching < hops->total) {
		text_print(page->out, "%zu of %u hops. <a href=\"/\">Show all</a>", hops->matching,
			hops->total);
	}
	say(page, "</p>\n");
}

static void say_hops(const struct page *page)
{
	static const char *const columns[] = {
		"State", "Hop", "Reason", "State for", "Last probe", "Mail, last hour"};

	say(page, "<section id=\"hops\" aria-labelledby=\"hops-title\" tabindex=\"-1\">\n"
		  "<h2 id=\"hops-title\" class=\"hidden\">Hops</h2>\n");
	say_count(page);
	text_print(page->out,
		"<table id=\"table\" role=\"table\"%s>\n"
		"<caption class=\"hidden\">Hops, the worst first</caption>\n"
		"<thead role=\"rowgroup\">\n<tr role=\"row\">",
		page->hops.count == 0 ? " hidden" : "");
	for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
		text_print(
			page->out, "<th role=\"columnheader\" scope=\"col\">%s</th>", columns[i]);
	say(page, "</tr>\n</thead>\n<tbody id=\"rows\" role=\"rowgroup\">\n");
	for (size_t i = 0; i < page->hops.count; i++)
		say_row(page, page->hops.row[i]);
	say(page, "</tbody>\n</table>\n</section>\n");
}

static void say_changes(const struct page *page)
{
	unsigned limit = page->question.wants_all ? CHANGES_KEPT : PAGE_CHANGES;
	const struct change *change;

	say(page, "<section aria-labelledby=\"changes-title\">\n"
		  "<h2 id=\"changes-title\">Newest changes</h2>\n<ol id=\"changes\" "
		  "class=\"changes\">\n");
	for (unsigned i = 0; i < limit && (change = changes_at(page->parts->changes, i)) != NULL;
		i++) {
		say(page, "<li>");
		say_time(page, change->when);
		text_print(page->out,
			" <span class=\"turn\"><span class=\"state is-%s\">%s</span>"
			"<span class=\"from\"> after %s</span></span> ",
			state_name(change->to), state_name(change->to), state_name(change->from));
		say_foreign(page, "name", change->hop);
		if (change->reason != REASON_NONE)
			text_print(page->out, " <span class=\"why\">%s</span>",
				reason_text(change->reason));
		say(page, "</li>\n");
	}
	if (changes_at(page->parts->changes, 0) == NULL)
		say(page, "<li>None since the start.</li>\n");
	say(page, "</ol>\n</section>\n");
}

static void say_foot(const struct page *page)
{
	say(page, "</main>\n<footer>\n<p>failfast-milter " PACKAGE_VERSION
		  ", <a href=\"/status.json\">status.json</a>, <a href=\"/metrics\">metrics</a>, "
		  "<a href=\"/healthz\">healthz</a>. Times are UTC.</p>\n"
		  "<p id=\"live\" class=\"live\"><noscript>Refreshes every 10 "
		  "seconds.</noscript></p>\n"
		  "</footer>\n</body>\n</html>\n");
}

void page_write(const struct page_parts *parts, const char *query, struct text *out)
{
	struct page page = {.parts = parts, .out = out, .now = clock_wall()};

	page_read_query(query, &page.question);
	if (!page_find_hops(parts->table, &page.question, &page.hops))
		out->is_short = true;
	say_head(&page);
	say_summary(&page);
	if (page.hops.total > 0) {
		say_filter(&page);
		say_hops(&page);
	}
	say_changes(&page);
	say_foot(&page);
	page_free_hops(&page.hops);
}

void page_icon(const char *state, struct text *out)
{
	static const struct {
		const char *state, *colour;
	} colours[] = {{"up", "#1a7f37"}, {"forced-up", "#1a7f37"}, {"degraded", "#b35900"},
		{"down", "#c8202a"}, {"forced-down", "#c8202a"}};
	const char *colour = "#6b7280";

	for (size_t i = 0; i < sizeof colours / sizeof *colours; i++)
		if (strcmp(colours[i].state, state) == 0)
			colour = colours[i].colour;
	text_print(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 16 16\">"
		"<circle cx=\"8\" cy=\"8\" r=\"7\" fill=\"%s\"/></svg>\n",
		colour);
}
