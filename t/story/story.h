/*
 * story - what the files of the story teller share
 *
 * story.c reads the lines; life.c has the events of a longer life: overrides, restarts, headers,
 * defaults.
 */
#ifndef FF_STORY_H
#define FF_STORY_H

#include "conf/conf.h"
#include "health/machine.h"
#include "verdict/verdict.h"

#include <stddef.h>
#include <stdint.h>

enum { STORY_HOPS = 4, STORY_START_MS = 1000, STORY_CONF_BYTES = 8192 };

struct story_hop {
	bool is_local;
	enum hop_role role;
	struct hop_view view; /* name and since */
	enum state shown;     /* what since is of */
	struct check check;
	bool is_forced;
	struct override override; /* in seconds of the story */
};

struct story {
	const char *filename;
	int line;
	int expectations;
	struct machine_policy policy;
	int64_t interval_ms;
	struct story_hop hop[STORY_HOPS];
	size_t hop_count;
	char text[STORY_CONF_BYTES]; /* of the configuration: rules and options */
	struct conf *conf;           /* made of it when it is needed first */
};

/* story_complain - the story is written wrongly; ends the program */
_Noreturn void story_complain(const struct story *story, const char *what, const char *word);

/* story_expect - count, compare; ends the program when it came out otherwise */
void story_expect(struct story *story, const char *expected, const char *found);

/* story_conf - of the lines that were read so far; there may be no more of them then */
const struct conf *story_conf(struct story *story);

/* story_seconds - the time of day of the story */
time_t story_seconds(int64_t now_ms);

/* story_take_hop - the one that a word names by its role, which is taken, else the first */
struct story_hop *story_take_hop(struct story *story, char ***word);

/* story_settle - the hop may be in another state from this second on */
void story_settle(struct story_hop *hop, time_t at);

/* story_pass - time passes: overrides end */
void story_pass(struct story *story, int64_t now_ms);

/* story_see - state, reason and detail as they are now, into the hop's view */
void story_see(const struct story *story, struct story_hop *hop, int64_t now_ms);

/* Events: see story.c. */
void story_force(struct story *story, int64_t now_ms, char **word, const char *expected);
void story_restart(struct story *story, int64_t now_ms, char **word, const char *expected);
void story_header(struct story *story, int64_t now_ms, char **word, const char *expected);

/* story_default - "default [SECTION.]OPTION -> VALUE" */
void story_default(struct story *story, char **word, const char *expected);

struct conf_section;
struct conf_option;

/* coverage.c: what is told of.  coverage_missing - how much is not, each with a line on standard
 * error. */
void coverage_result(const struct check *before, const struct outcome *outcome);
void coverage_log(const struct check *before);
void coverage_force(const struct story_hop *before, const char *word);
void coverage_rule(const char *line);
void coverage_default(const struct conf_section *section, const struct conf_option *option);
int coverage_missing(void);

#endif
