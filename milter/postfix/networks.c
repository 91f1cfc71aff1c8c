/*
 * networks - lists of addresses, networks and names: mynetworks and inet_interfaces
 *
 * The first pattern that matches decides, as in match_list_match() of Postfix.  What stands in files and tables was
 * read by the keeper: postconf_networks.
 */
#include "postfix/instance_private.h"

#include "base/log.h"
#include "base/xmem.h"
#include "postfix/word.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct element {
	struct cidr network; /* when name is NULL */
	char *name;	     /* of a host, or of a domain */
	bool is_excluded;
};

struct networks {
	bool has_others;
	size_t count, room;
	struct element *element;
};

bool networks_is_table(const char *word)
{
	struct cidr address;

	/* As MATCH_DICTIONARY() of Postfix, but for IPv6 addresses without brackets. */
	return *word != '[' && strchr(word, ':') != NULL && !cidr_parse(word, &address);
}

static void add(struct networks *networks, const char *pattern, size_t length, bool is_excluded)
{
	struct element element = {.is_excluded = is_excluded};
	char *text = xstrndup(pattern, length);

	if (cidr_parse(text, &element.network)) {
		free(text);
	} else {
		element.name = text;
		networks->has_others = true;
	}
	if (networks->count == networks->room) {
		networks->room = networks->room * 2 + 8;
		networks->element =
			xrealloc(networks->element, networks->room * sizeof *networks->element);
	}
	networks->element[networks->count++] = element;
}

/* add_block - what the keeper found in a file or table */
static void add_block(struct networks *networks, const char *blocks, const char *word, bool is_excluded)
{
	char *head = xasprintf("=%s\n", word);
	const char *line = strstr(blocks, head);

	networks->has_others = true;
	while (line != NULL && line != blocks && line[-1] != '\n')
		line = strstr(line + 1, head);
	if (line != NULL)
		line += strlen(head);
	while (line != NULL && (*line == '+' || *line == '-')) {
		size_t length = strcspn(line, "\n");

		add(networks, line + 1, length - 1, is_excluded != (*line == '-'));
		line += length + (line[length] == '\n');
	}
	free(head);
}

struct networks *networks_new(const char *value, const char *blocks)
{
	struct networks *networks = xcalloc(1, sizeof *networks);
	struct word rest = {value, strlen(value)}, next;

	while (word_next(&rest, &next)) {
		bool is_excluded = false;
		char *word;

		for (; next.length > 0 && *next.at == '!'; next.at++, next.length--)
			is_excluded = !is_excluded;
		word = xstrndup(next.at, next.length);
		if (*word == '/' || networks_is_table(word))
			add_block(networks, blocks, word, is_excluded);
		else
			add(networks, word, next.length, is_excluded);
		free(word);
	}
	return networks;
}

void networks_free(struct networks *networks)
{
	if (networks == NULL)
		return;
	for (size_t i = 0; i < networks->count; i++)
		free(networks->element[i].name);
	free(networks->element);
	free(networks);
}

bool networks_have_others(const struct networks *networks)
{
	return networks->has_others;
}

/* is_called - a name, or a parent domain of it; ".example.com" is only that */
static bool is_called(const char *pattern, const char *name)
{
	size_t length = strlen(pattern), name_length = strlen(name);

	if (strcasecmp(pattern, name) == 0)
		return true;
	return name_length > length && strcasecmp(name + name_length - length, pattern) == 0 &&
	       (*pattern == '.' || name[name_length - length - 1] == '.');
}

bool networks_match(const struct networks *networks, const struct cidr *address, const char *name)
{
	for (size_t i = 0; i < networks->count; i++) {
		const struct element *element = &networks->element[i];

		if (element->name != NULL ? is_called(element->name, name)
					  : address != NULL && cidr_contains(&element->network, address))
			return !element->is_excluded;
	}
	return false;
}
