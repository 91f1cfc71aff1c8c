/*
 * command - can pipe(8) run its command?
 *
 * pipe(8) reads its arguments at the first delivery only (get_service_attr()), so it greets qmgr(8)
 * with anything in them, and then dies.  Here they are read in the same order, with the same
 * complaints.
 */
#include "probe/command_private.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BLANKS " \t\r\n"

enum {
	ENTRY_BYTES = 16 << 10,
	ENTRY_LIMIT_BYTES = 16 << 20, /* groups can have many members */
};

enum answer command_conclude(struct command *command, enum answer answer, const char *fmt, ...)
{
	va_list ap;

	if (answer > command->answer) {
		command->answer = answer;
		va_start(ap, fmt);
		(void)vsnprintf(command->detail, sizeof command->detail, fmt, ap);
		va_end(ap);
		for (char *at = command->detail; *at != '\0'; at++)
			if (*at < ' ' || *at > '~')
				*at = '?';
	}
	return answer;
}

/*
 * The user database
 */

struct account {
	uid_t uid;
	gid_t gid;
};

/* look_up_user, look_up_group - into the buffer given; 0 (with *found), or an errno */
static int look_up_user(
	const char *name, char *buffer, size_t bytes, struct account *out, bool *found)
{
	struct passwd entry, *result = NULL;
	int error = getpwnam_r(name, &entry, buffer, bytes, &result);

	*found = result != NULL;
	if (result != NULL)
		*out = (struct account){result->pw_uid, result->pw_gid};
	return error;
}

static int look_up_group(
	const char *name, char *buffer, size_t bytes, struct account *out, bool *found)
{
	struct group entry, *result = NULL;
	int error = getgrnam_r(name, &entry, buffer, bytes, &result);

	*found = result != NULL;
	if (result != NULL)
		*out = (struct account){(uid_t)-1, result->gr_gid};
	return error;
}

/* look_up - YES with *out, NO: there is none, UNKNOWN: the database did not say */
static enum answer look_up(int (*ask)(const char *, char *, size_t, struct account *, bool *),
	const char *name, struct account *out)
{
	for (size_t bytes = ENTRY_BYTES; bytes <= ENTRY_LIMIT_BYTES; bytes *= 4) {
		char *buffer = malloc(bytes);
		bool found = false;
		int error = buffer != NULL ? ask(name, buffer, bytes, out, &found) : ENOMEM;

		free(buffer);
		if (found)
			return ANSWER_YES;
		if (error == 0 || error == ENOENT || error == ESRCH)
			return ANSWER_NO;
		if (error != ERANGE)
			break;
	}
	return ANSWER_UNKNOWN;
}

/*
 * Arguments
 */

/* take_flags - pipe(8) knows these letters only */
static enum answer take_flags(struct command *command, char *value)
{
	size_t known = strspn(value, "BDFORX.>hqu");

	if (value[known] == '\0')
		return ANSWER_YES;
	return command_conclude(command, ANSWER_NO, "flags=: unknown flag \"%c\"", value[known]);
}

/* take_user - user=name or user=name:group, no numbers */
static enum answer take_user(struct command *command, char *value)
{
	struct account account = {0, 0};
	char *group = strchr(value, ':');
	enum answer answer;

	if (group != NULL)
		*group++ = '\0';
	command->user = value;
	command->group = group != NULL && *group != '\0' ? group : NULL;
	answer = look_up(look_up_user, command->user, &account);
	if (answer != ANSWER_YES)
		return command_conclude(command, answer, "user=%s: %s", command->user,
			answer == ANSWER_NO ? "unknown user" : "user not found out");
	command->uid = account.uid;
	command->gid = account.gid;
	if (command->group == NULL)
		return ANSWER_YES;
	answer = look_up(look_up_group, command->group, &account);
	if (answer != ANSWER_YES)
		return command_conclude(command, answer, "user=%s:%s: %s", command->user,
			command->group,
			answer == ANSWER_NO ? "unknown group" : "group not found out");
	command->gid = account.gid;
	return ANSWER_YES;
}

static enum answer take_directory(struct command *command, char *value)
{
	command->directory = value;
	return ANSWER_YES;
}

static enum answer take_root(struct command *command, char *value)
{
	command->root = value;
	return ANSWER_YES;
}

static enum answer take_size(struct command *command, char *value)
{
	if (value[strspn(value, "0123456789")] == '\0')
		return ANSWER_YES;
	return command_conclude(command, ANSWER_NO, "size=%s: not a number", value);
}

static enum answer take_program(struct command *command, char *value)
{
	command->program = value;
	return ANSWER_YES;
}

static enum answer take_text(struct command *command, char *value)
{
	(void)command;
	(void)value;
	return ANSWER_YES;
}

static const struct attribute {
	const char *name;
	enum answer (*take)(struct command *command, char *value);
} attributes[] = {
	{"flags=", take_flags},
	{"user=", take_user},
	{"directory=", take_directory},
	{"chroot=", take_root},
	{"eol=", take_text},
	{"null_sender=", take_text},
	{"size=", take_size},
	{"argv=", take_program},
};

static const struct attribute *find_attribute(const char *word)
{
	for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++)
		if (strncasecmp(word, attributes[i].name, strlen(attributes[i].name)) == 0)
			return &attributes[i];
	return NULL;
}

/* next_word - blanks inside braces do not count; braces around all of it are taken off, and the
 * blanks behind them (mystrtokq() and extpar() of Postfix).  NULL at the end. */
static char *next_word(char **rest)
{
	char *word = *rest + strspn(*rest, BLANKS), *end;
	size_t level = 0;

	for (end = word; *end != '\0' && (level > 0 || strchr(BLANKS, *end) == NULL); end++) {
		if (*end == '{')
			level++;
		else if (*end == '}' && level > 0)
			level--;
	}
	*rest = *end != '\0' ? end + 1 : end;
	*end = '\0';
	if (end == word)
		return NULL;
	if (*word != '{' || end[-1] != '}' || end - word < 2)
		return word;
	for (end--; end > word + 1 && strchr(BLANKS, end[-1]) != NULL; end--)
		continue;
	*end = '\0';
	return word + 1 + strspn(word + 1, BLANKS);
}

/* first_attribute - behind the options that all daemons know (getopt(3) of single_server.c) */
static char *first_attribute(char **rest)
{
	char *word;

	while ((word = next_word(rest)) != NULL && word[0] == '-' && word[1] != '\0') {
		if (strcmp(word, "--") == 0)
			return next_word(rest);
		if (strchr("imnorst", word[strlen(word) - 1]) != NULL)
			(void)next_word(rest);
	}
	return word;
}

/* unknown_attribute - postconf(1) forgets the braces around the first argument, so a word without
 * "=" behind it may be a part of it: "{directory=/srv/my mail}" */
static enum answer unknown_attribute(struct command *command, const char *word, unsigned place)
{
	enum answer answer = place == 1 && strchr(word, '=') == NULL ? ANSWER_UNKNOWN : ANSWER_NO;

	return command_conclude(command, answer, "unknown attribute \"%s\"", word);
}

/* read_arguments - up to argv=; the first fault ends it, as in pipe(8) */
static enum answer read_arguments(struct command *command, char *text)
{
	unsigned place = 0;

	for (char *word = first_attribute(&text); word != NULL; word = next_word(&text)) {
		const struct attribute *attribute = find_attribute(word);
		enum answer answer;

		if (attribute == NULL)
			return unknown_attribute(command, word, place);
		answer = attribute->take(command, word + strlen(attribute->name));
		if (answer != ANSWER_YES || command->program != NULL)
			return answer;
		place++;
	}
	return ANSWER_YES;
}

/* check_account - what pipe(8) refuses */
static enum answer check_account(struct command *command)
{
	struct account owner;

	if (command->user == NULL)
		return command_conclude(command, ANSWER_NO, "user= is missing");
	if (command->program == NULL)
		return command_conclude(command, ANSWER_NO, "argv= is missing");
	if (command->uid == 0)
		return command_conclude(command, ANSWER_NO, "user=%s is root", command->user);
	if (command->gid == 0)
		return command_conclude(
			command, ANSWER_NO, "user=%s has the group of root", command->user);
	if (look_up(look_up_user, command->mail_owner, &owner) != ANSWER_YES)
		return ANSWER_YES;
	if (command->uid == owner.uid)
		return command_conclude(
			command, ANSWER_NO, "user=%s is the mail owner", command->user);
	if (command->gid == owner.gid)
		return command_conclude(command, ANSWER_NO,
			"user=%s has the group of the mail owner", command->user);
	return ANSWER_YES;
}

void command_check(const char *arguments, const char *mail_owner, struct outcome *outcome,
	char detail[COMMAND_DETAIL_BYTES])
{
	static const struct outcome outcomes[] = {
		[ANSWER_YES] = {REASON_NONE, SEVERITY_NONE, false},
		[ANSWER_UNKNOWN] = {REASON_LOCAL_ERROR, SEVERITY_NONE, false},
		[ANSWER_NO] = {REASON_COMMAND_MISSING, SEVERITY_DOWN, true},
	};
	struct command command = {.mail_owner = mail_owner};
	char *text = strdup(arguments);

	if (text == NULL)
		(void)command_conclude(&command, ANSWER_UNKNOWN, "out of memory");
	else if (read_arguments(&command, text) == ANSWER_YES &&
		 check_account(&command) == ANSWER_YES)
		command_check_program(&command);
	free(text);
	*outcome = outcomes[command.answer];
	memcpy(detail, command.detail, sizeof command.detail);
}
