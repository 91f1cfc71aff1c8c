/*
 * story - stories of the hops of a route on invented time: results of probes and mail in, states and verdicts out
 *
 * A story is a text file of lines like these; "#" begins a comment:
 *
 *	hop remote smtp:[relay.example.net]:587 relayhost	(local or remote, name, role; of several, mail
 *								meets the first one first)
 *	rise 2						(these three as by default)
 *	fall 3
 *	interval 10s
 *	option tag = "always"				(as in failfast-milter.conf)
 *	rule "patient" { client = "other" after = 5m }		(as in failfast-milter.conf, on one line)
 *	at 0s probe ok -> up					(of several hops: at 0s probe relayhost ok -> up)
 *	at 10s probe connection-refused -> up		(add "hard" when it needs no second opinion)
 *	at 11s log deferred -> up				(Postfix's log says so)
 *	at 12s mail other -> tempfail "451 4.4.1 relayhost is temporarily unavailable: ..."
 *	at 13s mail local -> tag
 *	at 14s mail authenticated mynetworks from a@b.example to c@d.example at 192.0.2.1 -> hold
 *	at 14s all-or-nothing authenticated -> yes
 *	at 14s rule-for other -> patient
 *	at 60s look -> unknown
 *	at 70s force down for 2h saying new disks -> forced-down	(or up, or auto)
 *	at 80s header -> Failfast-Status: mx.example.com; state=forced-down; ...	(what a message is tagged with, or "none")
 *	at 90s restart file 75s -> forced-down			(with a state file that was written at that time)
 *	default probe.interval -> 10s				(what an option is when nobody sets it)
 *
 * Everything after "->" is what must come out.  Clients of "mail", "all-or-nothing" and "rule-for" are local, reentry,
 * authenticated, mynetworks and other; "mynetworks" behind the first word says that it is in mynetworks, too.
 * "possibly" says that the mail may well take another way.  Where nothing is said, mail is from sender@from.example to
 * rcpt@to.example.  Times are since the start of the story, 1970-01-01T00:00:00Z.
 */
#include "story.h"

#include "base/cidr.h"
#include "conf/duration.h"
#include "verdict/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 512, WORDS = 24 };

static const char *const clients[] = {"local", "reentry", "authenticated", "mynetworks", "other"};
static const char *const actions[] = {
	[ACTION_ACCEPT] = "accept",
	[ACTION_TAG] = "tag",
	[ACTION_HOLD] = "hold",
	[ACTION_TEMPFAIL] = "tempfail",
};

_Noreturn void story_complain(const struct story *story, const char *what, const char *word)
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

void story_expect(struct story *story, const char *expected, const char *found)
{
	story->expectations++;
	if (strcmp(expected, found) == 0)
		return;
	(void)fprintf(stderr, "%s:%d: expected: %s\n%s:%d: found:    %s\n", story->filename,
		story->line, expected, story->filename, story->line, found);
	exit(EXIT_FAILURE);
}

time_t story_seconds(int64_t now_ms)
{
	return now_ms / 1000 - STORY_START_MS / 1000;
}

struct story_hop *story_take_hop(struct story *story, char ***word)
{
	for (size_t i = 0; i < story->hop_count; i++)
		if (**word != NULL && strcmp(hop_role_name(story->hop[i].role), **word) == 0) {
			++*word;
			return &story->hop[i];
		}
	return &story->hop[0];
}

/* probe - a result comes in */
static void probe(struct story *story, int64_t now_ms, char **word, const char *expected)
{
	struct story_hop *hop = story_take_hop(story, &word);
	struct machine_policy policy = story->policy;
	struct outcome outcome = {REASON_NONE, SEVERITY_NONE, false};

	if (word[0] == NULL)
		story_complain(story, "what does the probe say:", "");
	if (strcmp(word[0], "ok") != 0) {
		outcome.reason = reason_from_token(word[0]);
		if (outcome.reason == REASON_COUNT)
			story_complain(story, "no such reason:", word[0]);
		outcome.severity = reason_severity(outcome.reason);
		outcome.is_hard = word[1] != NULL && strcmp(word[1], "hard") == 0;
	}
	if (hop->is_local)
		policy.rise = 1;
	coverage_result(&hop->check, &outcome);
	(void)machine_apply(&hop->check, &policy, &outcome, now_ms);
	story_settle(hop, story_seconds(now_ms));
	story_expect(story, expected, state_name(hop->check.state));
}

static void report(void *arg, const char *message)
{
	story_complain(arg, "a rule is wrong:", message);
}

const struct conf *story_conf(struct story *story)
{
	if (story->conf == NULL) {
		FILE *fp = fmemopen(story->text, strlen(story->text), "r");

		story->conf = conf_parse(fp, "the story's configuration", report, story);
		(void)fclose(fp);
	}
	return story->conf;
}

/* A recipient to decide about. */
struct mail {
	struct client client;
	struct verdict_facts facts;
	bool is_possible;
};

/* read_mail - "CLIENT [mynetworks] [from ADDRESS] [to ADDRESS] [at ADDRESS] [possibly]" */
static void read_mail(struct story *story, int64_t now_ms, char **word, struct mail *mail)
{
	int class = word[0] != NULL ? index_of(word[0], clients, sizeof clients / sizeof *clients) : -1;

	if (class < 0)
		story_complain(story, "no such client:", word[0] != NULL ? word[0] : "");
	*mail = (struct mail){
		.client.class = (enum client_class)class,
		.facts = {story_conf(story)->rules, &mail->client, "sender@from.example", "rcpt@to.example",
			  story_seconds(now_ms)},
	};
	for (word++; *word != NULL; word++) {
		if (strcmp(*word, "mynetworks") == 0)
			mail->client.is_in_mynetworks = true;
		else if (strcmp(*word, "possibly") == 0)
			mail->is_possible = true;
		else if (strcmp(*word, "from") == 0 && word[1] != NULL)
			mail->facts.sender = strcmp(*++word, "<>") == 0 ? "" : *word;
		else if (strcmp(*word, "to") == 0 && word[1] != NULL)
			mail->facts.recipient = *++word;
		else if (strcmp(*word, "at") == 0 && word[1] != NULL)
			mail->client.has_address = cidr_parse(*++word, &mail->client.address);
		else
			story_complain(story, "not understood of mail:", *word);
	}
}

/* decide - by all hops on the way */
static void decide(struct story *story, int64_t now_ms, char **word, struct decision *decision)
{
	struct mail mail;

	read_mail(story, now_ms, word, &mail);
	verdict_begin(decision);
	for (size_t i = 0; i < story->hop_count; i++) {
		struct story_hop *hop = &story->hop[i];
		struct leg leg = {.role = hop->role, .is_possible = mail.is_possible};

		(void)snprintf(leg.name, sizeof leg.name, "%s", hop->view.name);
		story_see(story, hop, now_ms);
		(void)verdict_add(decision, &mail.facts, &leg, &hop->view);
	}
}

/* heard - a line of Postfix's log */
static void heard(struct story *story, int64_t now_ms, char **word, const char *expected)
{
	struct story_hop *hop = story_take_hop(story, &word);

	(void)now_ms;
	if (word[0] == NULL || strcmp(word[0], "deferred") != 0)
		story_complain(story, "the log says \"deferred\", not", word[0] != NULL ? word[0] : "");
	coverage_log(&hop->check);
	(void)machine_accuse(&hop->check, &story->policy);
	story_expect(story, expected, state_name(hop->check.state));
}

/* mail - a recipient is asked about */
static void mail(struct story *story, int64_t now_ms, char **word, const char *expected)
{
	char line[REPLY_LINE_BYTES], found[REPLY_LINE_BYTES + 32];
	struct decision decision;
	struct reply reply;

	decide(story, now_ms, word, &decision);
	(void)snprintf(found, sizeof found, "%s", actions[decision.policy.action]);
	if (decision.policy.action == ACTION_TEMPFAIL) {
		reply_tempfail(&reply, &decision.hop, decision.leg.role, decision.policy.is_brief,
			story_seconds(now_ms));
		(void)snprintf(found, sizeof found, "tempfail \"%s\"", reply_line(&reply, line));
	}
	story_expect(story, expected, found);
}

/* all_or_nothing - is the whole message refused with this recipient? */
static void all_or_nothing(struct story *story, int64_t now_ms, char **word, const char *expected)
{
	struct decision decision;

	decide(story, now_ms, word, &decision);
	story_expect(story, expected,
		decision.policy.action == ACTION_TEMPFAIL && decision.policy.all_or_nothing ? "yes" : "no");
}

/* rule_for - which rule says so? */
static void rule_for(struct story *story, int64_t now_ms, char **word, const char *expected)
{
	struct decision decision;

	decide(story, now_ms, word, &decision);
	story_expect(story, expected, decision.policy.rule != NULL ? decision.policy.rule : "none");
}

static void look(struct story *story, int64_t now_ms, char **word, const char *expected)
{
	struct story_hop *hop = story_take_hop(story, &word);

	story_see(story, hop, now_ms);
	story_expect(story, expected, state_name(hop->view.state));
}

static const struct {
	const char *name;
	void (*happen)(struct story *story, int64_t now_ms, char **word, const char *expected);
} events[] = {
	{"probe", probe},
	{"log", heard},
	{"mail", mail},
	{"all-or-nothing", all_or_nothing},
	{"rule-for", rule_for},
	{"look", look},
	{"force", story_force},
	{"restart", story_restart},
	{"header", story_header},
};

/* at - "at TIME EVENT ... -> ..." */
static void at(struct story *story, char **word, const char *expected)
{
	int64_t now_ms;

	if (word[0] == NULL || !duration_parse(word[0], &now_ms) || word[1] == NULL ||
		expected == NULL || story->hop_count == 0)
		story_complain(story, "a line reads \"at TIME WHAT ... -> EXPECTED\" behind a hop, not", "at");
	now_ms += STORY_START_MS;
	story_pass(story, now_ms);
	for (size_t i = 0; i < sizeof events / sizeof *events; i++)
		if (strcmp(word[1], events[i].name) == 0) {
			events[i].happen(story, now_ms, word + 2, expected);
			return;
		}
	story_complain(story, "nothing happens by the name of", word[1]);
}

/* hop - "hop local|remote NAME ROLE" */
static void hop(struct story *story, char **word)
{
	struct story_hop *hop = &story->hop[story->hop_count];

	if (word[0] == NULL || word[1] == NULL || word[2] == NULL || story->hop_count == STORY_HOPS)
		story_complain(story, "a hop is \"local|remote NAME ROLE\", not", "");
	story->hop_count++;
	hop->check.state = hop->shown = STATE_UNKNOWN;
	hop->is_local = strcmp(word[0], "local") == 0;
	(void)snprintf(hop->view.name, sizeof hop->view.name, "%s", word[1]);
	for (unsigned role = ROLE_PROXY_FILTER; role <= ROLE_TRANSPORT; role <<= 1)
		if (strcmp(hop_role_name((enum hop_role)role), word[2]) == 0)
			hop->role = (enum hop_role)role;
	if (hop->role == 0)
		story_complain(story, "no such role:", word[2]);
}

/* configure - one more line of the configuration */
static void configure(struct story *story, const char *line)
{
	size_t used = strlen(story->text);

	if (used + strlen(line) + 2 > sizeof story->text || story->conf != NULL)
		story_complain(story, "rules and options go before mail, and are not as many:", line);
	(void)snprintf(story->text + used, sizeof story->text - used, "%s\n", line);
}

static void run_line(struct story *story, char *line)
{
	char *arrow = strstr(line, " -> "), *expected = NULL, *word[WORDS + 1] = {NULL}, *rest = NULL;
	int count = 0;

	if (strncmp(line, "rule ", strlen("rule ")) == 0) {
		coverage_rule(line);
		configure(story, line);
		return;
	}
	if (strncmp(line, "option ", strlen("option ")) == 0) {
		configure(story, line + strlen("option "));
		return;
	}
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
	else if (strcmp(word[0], "default") == 0)
		story_default(story, word + 1, expected);
	else if (strcmp(word[0], "rise") == 0 && count == 2)
		story->policy.rise = (unsigned)strtoul(word[1], NULL, 10);
	else if (strcmp(word[0], "fall") == 0 && count == 2)
		story->policy.fall = (unsigned)strtoul(word[1], NULL, 10);
	else if (strcmp(word[0], "interval") != 0 || count != 2 ||
		 !duration_parse(word[1], &story->interval_ms))
		story_complain(story, "not understood:", word[0]);
}

static int run_file(const char *filename)
{
	struct story story = {.filename = filename, .text = "user = \"\"\nlisten_group = \"\"\n"};
	const struct conf *conf = story_conf(&story);
	FILE *fp = fopen(filename, "re");
	char line[LINE_BYTES];

	/* What a story does not say is as it is by default. */
	story.policy = (struct machine_policy){conf->probe.rise, conf->probe.fall};
	story.interval_ms = conf->probe.interval_ms;
	conf_unref(story.conf);
	story.conf = NULL;
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
	conf_unref(story.conf);
	if (story.expectations == 0)
		story_complain(&story, "the story expects nothing", "");
	return story.expectations;
}

/* With "--complete" before the stories they must leave out nothing. */
int main(int argc, char **argv)
{
	bool is_complete = argc > 1 && strcmp(argv[1], "--complete") == 0;
	int first = is_complete ? 2 : 1, expectations = 0;

	for (int i = first; i < argc; i++)
		expectations += run_file(argv[i]);
	(void)printf("%d stories, %d expectations met\n", argc - first, expectations);
	return argc > first && (!is_complete || coverage_missing() == 0) ? EXIT_SUCCESS : EXIT_FAILURE;
}
