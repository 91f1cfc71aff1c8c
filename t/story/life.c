/*
 * life - the events of a longer life: overrides, restarts, headers, defaults
 *
 * A restart goes through the text of a state file, as it does in truth.
 */
#include "story.h"

#include "base/xmem.h"
#include "conf/conf_private.h"
#include "conf/duration.h"
#include "ops/state_format.h"
#include "verdict/header.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Files know no time before 1970. */
enum { YEAR_S = 365 * 86400 };

void story_settle(struct story_hop *hop, time_t at)
{
	enum state state = !hop->is_forced       ? hop->check.state
			   : hop->override.is_up ? STATE_FORCED_UP
						 : STATE_FORCED_DOWN;

	if (state != hop->shown)
		hop->view.since = at;
	hop->shown = state;
}

void story_pass(struct story *story, int64_t now_ms)
{
	for (size_t i = 0; i < story->hop_count; i++) {
		struct story_hop *hop = &story->hop[i];

		if (!hop->is_forced || hop->override.until == 0 ||
			hop->override.until > story_seconds(now_ms))
			continue;
		hop->is_forced = false;
		story_settle(hop, hop->override.until);
	}
}

void story_see(const struct story *story, struct story_hop *hop, int64_t now_ms)
{
	bool is_stale = machine_is_stale(&hop->check, story->interval_ms, 0, now_ms);

	hop->view.state = is_stale ? STATE_UNKNOWN : hop->check.state;
	hop->view.reason = is_stale ? REASON_NONE : hop->check.reason;
	hop->view.is_forced = hop->is_forced;
	hop->view.detail[0] = '\0';
	if (!hop->is_forced)
		return;
	hop->view.state = hop->override.is_up ? STATE_FORCED_UP : STATE_FORCED_DOWN;
	hop->view.reason = hop->override.is_up ? REASON_NONE : REASON_MAINTENANCE;
	(void)snprintf(hop->view.detail, sizeof hop->view.detail, "%s", hop->override.comment);
}

/* look_at - the state as it is now */
static const char *look_at(const struct story *story, struct story_hop *hop, int64_t now_ms)
{
	story_see(story, hop, now_ms);
	return state_name(hop->view.state);
}

/* read_force - "[for DURATION] [saying WORD...]" */
static void read_force(struct story *story, char **word, struct override *override)
{
	int64_t for_ms;

	if (word[0] != NULL && strcmp(word[0], "for") == 0) {
		if (word[1] == NULL || !duration_parse(word[1], &for_ms))
			story_complain(story, "no duration:", word[1] != NULL ? word[1] : "");
		override->until = override->since + for_ms / 1000;
		word += 2;
	}
	if (word[0] == NULL)
		return;
	if (strcmp(word[0], "saying") != 0)
		story_complain(story, "not understood of an override:", word[0]);
	for (word++; *word != NULL; word++) {
		size_t used = strlen(override->comment);

		(void)snprintf(override->comment + used, sizeof override->comment - used, "%s%s",
			used > 0 ? " " : "", *word);
	}
}

void story_force(struct story *story, int64_t now_ms, char **word, const char *expected)
{
	struct story_hop *hop = story_take_hop(story, &word);
	struct override override = {.since = story_seconds(now_ms)};

	if (word[0] == NULL)
		story_complain(story, "force up, down or auto, not", "");
	coverage_force(hop, word[0]);
	if (strcmp(word[0], "auto") == 0) {
		hop->is_forced = false;
	} else {
		override.is_up = strcmp(word[0], "up") == 0;
		if (!override.is_up && strcmp(word[0], "down") != 0)
			story_complain(story, "force up, down or auto, not", word[0]);
		read_force(story, word + 1, &override);
		hop->override = override;
		hop->is_forced = true;
	}
	story_settle(hop, story_seconds(now_ms));
	story_expect(story, expected, look_at(story, hop, now_ms));
}

/* write_file - all hops as they are in the moment of the image; the caller frees it */
static char *write_file(const struct story *story, struct state_image *image)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	for (size_t i = 0; i < story->hop_count; i++) {
		const struct story_hop *hop = &story->hop[i];
		struct state_hop *entry = state_add_hop(image);

		entry->hop = (struct hop_memory){.name = xstrdup(hop->view.name),
			.roles = hop->role,
			.state = hop->shown,
			.since = hop->view.since + YEAR_S,
			.result_ms = hop->check.result_ms,
			.latency_us = -1};
		entry->hop.has_check[CHECK_SERVER] = hop->check.result_ms != 0;
		entry->hop.check[CHECK_SERVER] = hop->check;
		if (!hop->is_forced)
			continue;
		struct state_override *forced = state_add_override(image);

		forced->name = xstrdup(hop->view.name);
		forced->override = hop->override;
		forced->override.since += YEAR_S;
		forced->override.until += hop->override.until != 0 ? YEAR_S : 0;
	}
	(void)state_write(image, out);
	(void)fclose(out);
	return text;
}

/* begin_with - what the file says; nothing else is known any more */
static void begin_with(struct story *story, const struct state_image *image, int64_t now_ms)
{
	for (size_t i = 0; i < story->hop_count; i++) {
		struct story_hop *hop = &story->hop[i];

		hop->check = (struct check){.state = STATE_UNKNOWN};
		hop->is_forced = false;
		hop->shown = STATE_UNKNOWN;
		hop->view.since = story_seconds(now_ms);
		for (size_t k = 0; k < image->hop_count; k++)
			if (strcmp(image->hop[k].hop.name, hop->view.name) == 0) {
				hop->check = image->hop[k].hop.check[CHECK_SERVER];
				hop->shown = image->hop[k].hop.state;
				hop->view.since = image->hop[k].hop.since - YEAR_S;
			}
		for (size_t k = 0; k < image->override_count; k++)
			if (strcmp(image->override[k].name, hop->view.name) == 0) {
				hop->override = image->override[k].override;
				hop->override.since -= YEAR_S;
				hop->override.until -= hop->override.until != 0 ? YEAR_S : 0;
				hop->is_forced = true;
				hop->shown =
					hop->override.is_up ? STATE_FORCED_UP : STATE_FORCED_DOWN;
				hop->view.since = hop->override.since;
			}
		story_settle(hop, story_seconds(now_ms));
	}
}

void story_restart(struct story *story, int64_t now_ms, char **word, const char *expected)
{
	struct state_image image = {0}, read_back = {0};
	char why[STATE_WHY_BYTES], *text;
	int64_t written_ms, age_ms;

	if (word[0] == NULL || word[1] == NULL || strcmp(word[0], "file") != 0 ||
		!duration_parse(word[1], &written_ms))
		story_complain(story, "a restart is \"restart file TIME\", not",
			word[0] != NULL ? word[0] : "");
	image.now_ms = written_ms + STORY_START_MS;
	image.wall_ms = written_ms + (int64_t)YEAR_S * 1000;
	text = write_file(story, &image);
	read_back.now_ms = now_ms;
	read_back.wall_ms = now_ms - STORY_START_MS + (int64_t)YEAR_S * 1000;
	if (state_read(&read_back, text, strlen(text), &age_ms, why) == STATE_DAMAGED)
		story_complain(story, "the state file is damaged:", why);
	begin_with(story, &read_back, now_ms);
	state_image_free(&image);
	state_image_free(&read_back);
	free(text);
	story_expect(story, expected, look_at(story, &story->hop[0], now_ms));
}

/* unfold - one line of several */
static void unfold(char *text)
{
	char *out = text;

	for (const char *cp = text; *cp != '\0'; cp++) {
		if (*cp == '\n')
			continue;
		*out++ = (char)(*cp == '\t' ? ' ' : *cp);
	}
	*out = '\0';
}

void story_header(struct story *story, int64_t now_ms, char **word, const char *expected)
{
	struct story_hop *hop = story_take_hop(story, &word);
	const struct conf *conf = story_conf(story);
	const struct header_facts facts = {.name = conf->header,
		.host = "mx.example.com",
		.queue_id = "ID",
		.role = hop->role,
		.is_terse = conf->header_detail == DETAIL_TERSE};
	char value[HEADER_VALUE_BYTES], found[HEADER_VALUE_BYTES + 128];

	story_see(story, hop, now_ms);
	if (!verdict_wants_tag(hop->view.state, conf->tag)) {
		story_expect(story, expected, "none");
		return;
	}
	(void)header_value(value, &hop->view, &facts);
	unfold(value);
	(void)snprintf(found, sizeof found, "%s: %s", conf->header, value);
	story_expect(story, expected, found);
}

void story_default(struct story *story, char **word, const char *expected)
{
	char *name = word[0] != NULL ? word[0] : "", *dot = strchr(name, '.');
	const struct conf_section *section;
	const struct conf_option *option;

	if (dot != NULL)
		*dot = '\0';
	section = conf_section_find(dot != NULL ? name : "");
	option = section != NULL ? conf_option_find(section, dot != NULL ? dot + 1 : name) : NULL;
	if (option == NULL || expected == NULL)
		story_complain(story, "no such option:", dot != NULL ? dot + 1 : name);
	coverage_default(section, option);
	story_expect(story, expected,
		option->initial == NULL    ? "none"
		: *option->initial == '\0' ? "\"\""
					   : option->initial);
}
