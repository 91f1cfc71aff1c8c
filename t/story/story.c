/*
 * story - stories of one hop on invented time: results of probes and mail in, states and verdicts out
 *
 * A story is a text file of lines like these; "#" begins a comment:
 *
 *	hop remote smtp:[relay.example.net]:587 relayhost	(local or remote, name, role)
 *	rise 2
 *	fall 3
 *	interval 10s
 *	at 0s probe ok -> up
 *	at 10s probe connection-refused -> up		(add "hard" when it needs no second opinion)
 *	at 11s log deferred -> up				(Postfix's log says so)
 *	at 12s mail other -> tempfail "451 4.4.1 relayhost is temporarily unavailable: ..."
 *	at 13s mail local -> tag
 *	at 60s look -> unknown
 *
 * Everything after "->" is what must come out.  Clients of "mail" are local, reentry, authenticated,
 * mynetworks and other.  Times are since the start of the story, 1970-01-01T00:00:00Z.
 */
#include "conf/duration.h"
#include "health/machine.h"
#include "verdict/policy.h"
#include "verdict/reply.h"
#include "verdict/verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 512, WORDS = 8, START_MS = 1000 };

struct story {
	const char *filename;
	int line;
	int expectations;
	bool is_local;
	enum hop_role role;
	struct machine_policy policy;
	int64_t interval_ms;
	struct hop_view hop; /* name and since */
	struct check check;
};

static const char *const clients[] = {"local", "reentry", "authenticated", "mynetworks", "other"};
static const char *const actions[] = {
	[ACTION_ACCEPT] = "accept", [ACTION_TAG] = "tag", [ACTION_TEMPFAIL] = "tempfail"};

static _Noreturn void complain(const struct story *story, const char *what, const char *word)
{
	(void)fprintf(stderr, "%s:%d: %s \"%s\"\n", story->filename, story->line, what, word);
	exit(EXIT_FAILURE);
}

static int index_of(const char *word, const char *const list[], size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (list[i] != NULL && strcmp(list[i], word) == 0)
			return (int)i;
	return -1;
}

static void expect(struct story *story, const char *expected, const char *found)
{
	story->expectations++;
	if (strcmp(expected, found) == 0)
		return;
	(void)fprintf(stderr, "%s:%d: expected: %s\n%s:%d: found:    %s\n", story->filename,
		story->line, expected, story->filename, story->line, found);
	exit(EXIT_FAILURE);
}

static enum state state_at(const struct story *story, int64_t now_ms)
{
	return machine_is_stale(&story->check, story->interval_ms, 0, now_ms) ? STATE_UNKNOWN
									     : story->check.state;
}

/* probe - a result comes in */
static void probe(struct story *story, int64_t now_ms, char **word, const char *expected)
{
	struct machine_policy policy = story->policy;
	struct outcome outcome = {REASON_NONE, SEVERITY_NONE, false};
	enum state before = story->check.state;

	if (word[0] == NULL)
		complain(story, "what does the probe say:", "");
	if (strcmp(word[0], "ok") != 0) {
		outcome.reason = reason_from_token(word[0]);
		if (outcome.reason == REASON_COUNT)
			complain(story, "no such reason:", word[0]);
		outcome.severity = reason_severity(outcome.reason);
		outcome.is_hard = word[1] != NULL && strcmp(word[1], "hard") == 0;
	}
	if (story->is_local)
		policy.rise = 1;
	(void)machine_apply(&story->check, &policy, &outcome, now_ms);
	if (story->check.state != before)
		story->hop.since = now_ms / 1000 - START_MS / 1000;
	expect(story, expected, state_name(story->check.state));
}

/* heard - a line of Postfix's log */
static void heard(struct story *story, char **word, const char *expected)
{
	if (word[0] == NULL || strcmp(word[0], "deferred") != 0)
		complain(story, "the log says \"deferred\", not", word[0] != NULL ? word[0] : "");
	(void)machine_accuse(&story->check, &story->policy);
	expect(story, expected, state_name(story->check.state));
}

/* mail - a recipient is asked about */
static void mail(struct story *story, int64_t now_ms, char **word, const char *expected)
{
	int client = word[0] != NULL ? index_of(word[0], clients, sizeof clients / sizeof *clients) : -1;
	const struct policy *policy;
	enum conf_action action;
	char line[REPLY_LINE_BYTES], found[REPLY_LINE_BYTES + 32];
	struct reply reply;

	if (client < 0)
		complain(story, "no such client:", word[0] != NULL ? word[0] : "");
	policy = policy_default((enum client_class)client);
	story->hop.state = state_at(story, now_ms);
	story->hop.reason = story->check.reason;
	action = verdict_action(story->hop.state, false, policy);
	(void)snprintf(found, sizeof found, "%s", actions[action]);
	if (action == ACTION_TEMPFAIL) {
		reply_tempfail(&reply, &story->hop, story->role, policy->is_brief,
			now_ms / 1000 - START_MS / 1000);
		(void)snprintf(found, sizeof found, "tempfail \"%s\"", reply_line(&reply, line));
	}
	expect(story, expected, found);
}

/* at - "at TIME probe|log|mail|look ... -> ..." */
static void at(struct story *story, char **word, const char *expected)
{
	int64_t now_ms;

	if (word[0] == NULL || !duration_parse(word[0], &now_ms) || word[1] == NULL ||
		expected == NULL)
		complain(story, "a line reads \"at TIME WHAT ... -> EXPECTED\", not", "at");
	now_ms += START_MS;
	if (strcmp(word[1], "probe") == 0)
		probe(story, now_ms, word + 2, expected);
	else if (strcmp(word[1], "log") == 0)
		heard(story, word + 2, expected);
	else if (strcmp(word[1], "mail") == 0)
		mail(story, now_ms, word + 2, expected);
	else if (strcmp(word[1], "look") == 0)
		expect(story, expected, state_name(state_at(story, now_ms)));
	else
		complain(story, "nothing happens by the name of", word[1]);
}

/* hop - "hop local|remote NAME ROLE" */
static void hop(struct story *story, char **word)
{
	if (word[0] == NULL || word[1] == NULL || word[2] == NULL)
		complain(story, "a hop is \"local|remote NAME ROLE\", not", "");
	story->is_local = strcmp(word[0], "local") == 0;
	(void)snprintf(story->hop.name, sizeof story->hop.name, "%s", word[1]);
	for (unsigned role = ROLE_PROXY_FILTER; role <= ROLE_TRANSPORT; role <<= 1)
		if (strcmp(hop_role_name((enum hop_role)role), word[2]) == 0)
			story->role = (enum hop_role)role;
	if (story->role == 0)
		complain(story, "no such role:", word[2]);
}

static void run_line(struct story *story, char *line)
{
	char *arrow = strstr(line, " -> "), *expected = NULL, *word[WORDS + 1] = {NULL}, *rest = NULL;
	int count = 0;

	if (arrow != NULL) {
		*arrow = '\0';
		expected = arrow + strlen(" -> ");
	}
	for (char *cp = strtok_r(line, " \t", &rest); cp != NULL && count < WORDS;
		cp = strtok_r(NULL, " \t", &rest))
		word[count++] = cp;
	if (count == 0)
		return;
	if (strcmp(word[0], "at") == 0)
		at(story, word + 1, expected);
	else if (strcmp(word[0], "hop") == 0)
		hop(story, word + 1);
	else if (strcmp(word[0], "rise") == 0 && count == 2)
		story->policy.rise = (unsigned)strtoul(word[1], NULL, 10);
	else if (strcmp(word[0], "fall") == 0 && count == 2)
		story->policy.fall = (unsigned)strtoul(word[1], NULL, 10);
	else if (strcmp(word[0], "interval") != 0 || count != 2 ||
		 !duration_parse(word[1], &story->interval_ms))
		complain(story, "not understood:", word[0]);
}

static int run_file(const char *filename)
{
	struct story story = {
		.filename = filename, .policy = {2, 3}, .interval_ms = 10000, .check.state = STATE_UNKNOWN};
	FILE *fp = fopen(filename, "re");
	char line[LINE_BYTES];

	if (fp == NULL) {
		perror(filename);
		exit(EXIT_FAILURE);
	}
	while (fgets(line, sizeof line, fp) != NULL) {
		story.line++;
		line[strcspn(line, "#\n")] = '\0';
		run_line(&story, line);
	}
	fclose(fp);
	if (story.expectations == 0)
		complain(&story, "the story expects nothing", "");
	return story.expectations;
}

int main(int argc, char **argv)
{
	int expectations = 0;

	for (int i = 1; i < argc; i++)
		expectations += run_file(argv[i]);
	(void)printf("%d stories, %d expectations met\n", argc - 1, expectations);
	return argc > 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}
