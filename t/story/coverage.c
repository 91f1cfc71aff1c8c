/*
 * coverage - what the stories have told of, and what is missing
 *
 * Every result in every state, every override in every state, every key of a rule, every default.
 */
#include "story.h"

#include "conf/conf_private.h"

#include <stdio.h>
#include <string.h>

/* The states that a check can be in, flapping told from the other kinds of degraded. */
static const char *const states[] = {"unknown", "up", "degraded", "flapping", "down"};
static const char *const results[] = {
	"ok", "degraded", "a failure", "a certain failure", "local-error", "the log"};
static const char *const words[] = {"up", "down", "auto"};

enum {
	STATES = sizeof states / sizeof *states,
	RESULTS = sizeof results / sizeof *results,
	FORCES = 3,
	OPTIONS = 32
};

static bool has_result[STATES][RESULTS], has_force[STATES + 2][FORCES];
static bool has_key[OPTIONS], has_default[CONF_SECTION_COUNT][OPTIONS];

static int state_of(const struct check *check)
{
	static const int index[STATE_COUNT] = {
		[STATE_UNKNOWN] = 0, [STATE_UP] = 1, [STATE_DEGRADED] = 2, [STATE_DOWN] = 4};

	return check->reason == REASON_FLAPPING ? 3 : index[check->state];
}

void coverage_result(const struct check *before, const struct outcome *outcome)
{
	int result = 0;

	if (outcome->reason == REASON_LOCAL_ERROR)
		result = 4;
	else if (outcome->severity == SEVERITY_DEGRADED)
		result = 1;
	else if (outcome->severity == SEVERITY_DOWN)
		result = outcome->is_hard ? 3 : 2;
	has_result[state_of(before)][result] = true;
}

void coverage_log(const struct check *before)
{
	has_result[state_of(before)][5] = true;
}

void coverage_force(const struct story_hop *before, const char *word)
{
	int state = !before->is_forced       ? state_of(&before->check)
		    : before->override.is_up ? STATES
					     : STATES + 1;

	for (int i = 0; i < FORCES; i++)
		if (strcmp(words[i], word) == 0)
			has_force[state][i] = true;
}

void coverage_rule(const char *line)
{
	const struct conf_section *section = conf_section_find("rule");

	for (size_t i = 0; i < section->option_count; i++) {
		char key[64];

		(void)snprintf(key, sizeof key, " %s = ", section->option[i].name);
		if (strstr(line, key) != NULL)
			has_key[i] = true;
	}
}

void coverage_default(const struct conf_section *section, const struct conf_option *option)
{
	has_default[section - conf_sections][option - section->option] = true;
}

static int missing(bool is_there, const char *what, const char *where, const char *which)
{
	if (!is_there)
		(void)fprintf(stderr, "no story has %s %s %s\n", what, which, where);
	return !is_there;
}

static int missing_options(void)
{
	const struct conf_section *rule = conf_section_find("rule");
	int count = 0;

	for (size_t i = 0; i < rule->option_count; i++)
		count += missing(has_key[i], "the key", "in a rule", rule->option[i].name);
	for (size_t s = 0; s < CONF_SECTION_COUNT; s++)
		for (size_t i = 0; i < conf_sections[s].option_count; i++)
			count += missing(has_default[s][i] || conf_sections[s].option[i].is_list, "the default of",
				conf_sections[s].name, conf_sections[s].option[i].name);
	return count;
}

int coverage_missing(void)
{
	int count = missing_options();

	for (int state = 0; state < STATES; state++)
		for (int result = 0; result < RESULTS; result++)
			count += missing(has_result[state][result], "the result", states[state],
				results[result]);
	for (int state = 0; state < STATES + 2; state++)
		for (int i = 0; i < FORCES; i++)
			count += missing(has_force[state][i], "force",
				state < STATES    ? states[state]
				: state == STATES ? "forced-up"
						  : "forced-down",
				words[i]);
	return count;
}
