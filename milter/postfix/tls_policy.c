/*
 * tls_policy - what smtp_tls_policy_maps says about a nexthop
 *
 * A table that is not listed makes the answer unknown, unless one before it has the nexthop: Postfix asks them in their
 * order.
 */
#include "postfix/tls_policy.h"

#include "base/log.h"
#include "base/xmem.h"
#include "postfix/instance.h"
#include "postfix/postconf_tables.h"
#include "postfix/tables.h"
#include "postfix/word.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* without_proxy - proxymap(8) would look into the same table */
static struct word without_proxy(struct word table)
{
	static const char proxy[] = "proxy:";

	while (table.length > strlen(proxy) && strncmp(table.at, proxy, strlen(proxy)) == 0) {
		table.at += strlen(proxy);
		table.length -= strlen(proxy);
	}
	return table;
}

/* find_listing - the lines of one table, NULL when it is not listed */
static const char *find_listing(const char *listings, const struct word *table)
{
	while (*listings != '\0') {
		size_t length = strcspn(listings, "\n");
		bool is_it = *listings == '=' && length == table->length + 1 &&
			     memcmp(listings + 1, table->at, table->length) == 0;

		listings += length + (listings[length] == '\n');
		if (is_it)
			return listings;
	}
	return NULL;
}

static void copy_value(char value[TLS_POLICY_BYTES], const char *text, size_t length)
{
	(void)snprintf(value, TLS_POLICY_BYTES, "%.*s", (int)length, text);
}

/* find_key - in the lines of one table; Postfix folds keys to lower case */
static bool find_key(const char *lines, const char *key, char value[TLS_POLICY_BYTES])
{
	size_t key_length = strlen(key);

	while (*lines != '\0' && *lines != '=') {
		size_t length = strcspn(lines, "\n");

		if (length > key_length && lines[key_length] == '\t' &&
			strncasecmp(lines, key, key_length) == 0) {
			copy_value(value, lines + key_length + 1, length - key_length - 1);
			return true;
		}
		lines += length + (lines[length] == '\n');
	}
	return false;
}

/* find_one - one key in all tables */
static enum tls_policy_answer find_one(const char *maps, const char *listings, const char *key,
	char value[TLS_POLICY_BYTES])
{
	static const char fixed[] = "static:";
	struct word rest = {maps, strlen(maps)}, table;

	while (word_next(&rest, &table)) {
		const char *lines;

		table = without_proxy(table);
		if (table.length > strlen(fixed) && strncmp(table.at, fixed, strlen(fixed)) == 0) {
			table.at += strlen(fixed);
			table.length -= strlen(fixed);
			(void)word_take_braces(&table);
			copy_value(value, table.at, table.length);
			return TLS_POLICY_FOUND;
		}
		lines = find_listing(listings, &table);
		if (lines == NULL)
			return TLS_POLICY_UNKNOWN;
		if (find_key(lines, key, value))
			return TLS_POLICY_FOUND;
	}
	return TLS_POLICY_NONE;
}

enum tls_policy_answer tls_policy_find(const char *maps, const char *listings, const char *nexthop,
	char value[TLS_POLICY_BYTES])
{
	bool is_bare = strpbrk(nexthop, "[]:/") == NULL;
	enum tls_policy_answer answer;

	do {
		answer = find_one(maps, listings, nexthop, value);
		nexthop = is_bare && *nexthop != '\0' ? strchr(nexthop + 1, '.') : NULL;
	} while (answer == TLS_POLICY_NONE && nexthop != NULL);
	return answer;
}

/* A growing text. */
struct text {
	char *at;
	size_t length;
	struct postconf *postconf;
};

static void append(struct text *text, const char *piece)
{
	size_t length = strlen(piece);

	text->at = xrealloc(text->at, text->length + length + 1);
	memcpy(text->at + text->length, piece, length + 1);
	text->length += length;
}

static void remember(struct postconf *postconf, const char *path)
{
	postconf->files =
		xrealloc(postconf->files, (postconf->file_count + 1) * sizeof *postconf->files);
	postconf->files[postconf->file_count++] = xstrdup(path);
}

/* list - one table, unless it was listed already.  A line of an inline table may begin with "=", and none with a TAB: such
 * keys are no nexthops. */
static void list(struct text *text, const char *name, const struct table_reference *reference)
{
	const struct word table = {name, strlen(name)};
	char *error = NULL, *listing;

	if (find_listing(text->at, &table) != NULL || strpbrk(name, "\n") != NULL)
		return;
	if (reference->path != NULL)
		remember(text->postconf, reference->path);
	/* static, unionmap and the like are not what they refer to. */
	if (!reference->is_listable || strcmp(reference->text, name) != 0)
		return;
	listing = postconf_list_table(text->postconf->directory, name, &error);
	if (listing == NULL)
		log_warnx("%s: TLS policies are not known", error);
	else if (strlen(listing) > TLS_POLICY_LISTING_BYTES)
		log_warnx("%s: too large: TLS policies are not known", name);
	else if (*listing != '=' && strstr(listing, "\n=") == NULL) {
		append(text, "=");
		append(text, name);
		append(text, "\n");
		append(text, listing);
	}
	free(listing);
	free(error);
}

static bool is_policy_parameter(const char *name)
{
	return strcmp(name, "smtp_tls_policy_maps") == 0 ||
	       strcmp(name, "lmtp_tls_policy_maps") == 0;
}

static void take_parameter(void *arg, const char *service, const char *name, const char *value)
{
	struct word rest = {value, strlen(value)}, table;

	(void)service;
	while (is_policy_parameter(name) && word_next(&rest, &table)) {
		struct table_reference *references;
		char *text;
		size_t count;

		table = without_proxy(table);
		text = xstrndup(table.at, table.length);
		references = tables_references(text, &count);
		if (count == 1)
			list(arg, text, references);
		tables_free(references, count);
		free(text);
	}
}

void tls_policy_read(struct postconf *postconf)
{
	struct instance *instance = instance_new(postconf);
	struct text text = {xstrdup(""), 0, postconf};

	if (instance != NULL)
		instance_each_parameter(instance, take_parameter, &text);
	instance_free(instance);
	postconf->policies = text.at;
}
