/*
 * lint_milter_list - our milter in the lists of milters of main.cf
 *
 * Milters are named as "unix:PATH" or "inet:HOST:PORT", alone or with options of their own:
 * "{ unix:PATH, default_action=accept }".  A path is relative to queue_directory, and in a chroot an absolute one is,
 * too.
 */
#include "lint/lint_milter.h"

#include "base/cidr.h"
#include "base/xmem.h"
#include "health/hop.h"
#include "postfix/word.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char *copy_of(const struct word *word)
{
	return xstrndup(word->at, word->length);
}

/* take_option - "default_action=accept" or "{ default_action = accept }" */
static void take_option(struct lint_milter *milter, struct word word)
{
	const struct {
		const char *name;
		char **value;
	} options[] = {
		{"default_action", &milter->action},
		{"connect_timeout", &milter->connect},
		{"command_timeout", &milter->command},
	};
	char *text, *equals;

	(void)word_take_braces(&word);
	text = copy_of(&word);
	equals = strchr(text, '=');
	for (size_t i = 0; equals != NULL && i < sizeof options / sizeof *options; i++) {
		const char *name = text + strspn(text, " \t"), *value = equals + 1 + strspn(equals + 1, " \t");
		size_t length = strcspn(name, " \t=");

		if (strlen(options[i].name) != length || strncmp(name, options[i].name, length) != 0)
			continue;
		free(*options[i].value);
		*options[i].value = xstrndup(value, strcspn(value, " \t"));
	}
	free(text);
}

/* next_milter - take one off the front of a list; lint_milter_free() it */
static bool next_milter(struct word *rest, struct lint_milter *milter)
{
	struct word word, inner;

	milter->name = milter->action = milter->connect = milter->command = NULL;
	if (!word_next(rest, &word))
		return false;
	inner = word;
	if (word_take_braces(&inner) && word_next(&inner, &word)) {
		struct word option;

		while (word_next(&inner, &option))
			take_option(milter, option);
	}
	milter->name = copy_of(&word);
	return true;
}

void lint_milter_free(struct lint_milter *milter)
{
	free(milter->name);
	free(milter->action);
	free(milter->connect);
	free(milter->command);
	milter->name = milter->action = milter->connect = milter->command = NULL;
}

/* is_same_file - by spelling, or the same socket */
static bool is_same_file(const char *one, const char *other)
{
	struct stat status1, status2;

	if (strcmp(one, other) == 0)
		return true;
	return stat(one, &status1) == 0 && stat(other, &status2) == 0 &&
	       status1.st_dev == status2.st_dev && status1.st_ino == status2.st_ino;
}

/* match_path - of "unix:" */
static enum lint_found match_path(const struct lint *lint, const char *path, bool is_chrooted)
{
	const char *ours = conf_listen_path(lint->conf);
	char *below = xasprintf("%s/%s", instance_parameter(lint->instance, "queue_directory"),
		path + strspn(path, "/"));
	enum lint_found found = LINT_FOUND_NOT;

	if (ours != NULL && is_same_file((is_chrooted || *path != '/') ? below : path, ours))
		found = LINT_FOUND;
	else if (ours != NULL && is_chrooted && *path == '/' && is_same_file(path, ours))
		found = LINT_FOUND_OUTSIDE;
	free(below);
	return found;
}

/* match_place - of "inet:HOST:PORT"; ours is "inet:PORT@HOST" */
static enum lint_found match_place(const struct lint *lint, const char *place)
{
	const char *ours = strchr(lint->conf->listen, ':'), *colon = strrchr(place, ':');
	uint16_t our_port, port;
	struct cidr our_address, address;
	char *text, *at, *host;
	bool is_ours;

	if (conf_listen_path(lint->conf) != NULL || ours == NULL || colon == NULL)
		return LINT_FOUND_NOT;
	text = xstrdup(ours + 1);
	at = strchr(text, '@');
	if (at != NULL)
		*at = '\0';
	host = xstrndup(place, (size_t)(colon - place));
	is_ours = hop_parse_port(text, &our_port) == NULL && hop_parse_port(colon + 1, &port) == NULL &&
		  our_port == port;
	if (is_ours && at != NULL && cidr_parse(at + 1, &our_address) && cidr_parse(host, &address))
		is_ours = cidr_is_any(&our_address) || cidr_contains(&our_address, &address);
	free(text);
	free(host);
	return is_ours ? LINT_FOUND : LINT_FOUND_NOT;
}

static enum lint_found match(const struct lint *lint, const char *name, bool is_chrooted)
{
	static const struct {
		const char *prefix;
		bool is_path;
	} types[] = {{"unix:", true}, {"local:", true}, {"inet:", false}};

	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		size_t length = strlen(types[i].prefix);

		if (strncmp(name, types[i].prefix, length) != 0)
			continue;
		return types[i].is_path ? match_path(lint, name + length, is_chrooted)
					: match_place(lint, name + length);
	}
	return LINT_FOUND_NOT;
}

enum lint_found lint_find_milter(const struct lint *lint, const char *list, bool is_chrooted,
	struct lint_milter *milter)
{
	struct word rest = {list, strlen(list)};

	while (next_milter(&rest, milter)) {
		enum lint_found found = match(lint, milter->name, is_chrooted);

		if (found != LINT_FOUND_NOT)
			return found;
		lint_milter_free(milter);
	}
	return LINT_FOUND_NOT;
}

char *lint_milter_name(const struct lint *lint)
{
	const char *path = conf_listen_path(lint->conf), *colon = strchr(lint->conf->listen, ':'), *at;
	const char *queue_directory = instance_parameter(lint->instance, "queue_directory");
	size_t length = strlen(queue_directory);

	if (path != NULL && strncmp(path, queue_directory, length) == 0 && path[length] == '/')
		return xasprintf("unix:%s", path + length + 1);
	if (path != NULL || colon == NULL || (at = strchr(colon, '@')) == NULL)
		return xasprintf("unix:%s", path != NULL ? path : lint->conf->listen);
	return xasprintf(strchr(at, ':') != NULL && at[1] != '[' ? "inet:[%s]:%.*s" : "inet:%s:%.*s",
		at + 1, (int)(at - colon - 1), colon + 1);
}
