/*
 * postconf_networks - what files and tables in mynetworks hold
 *
 * They are read by the keeper, together with the rest of the configuration and again when they change, so that no
 * message waits for a look-up and no table is opened in the engine.  Files are taken apart as match_list_parse() of
 * Postfix does it, cidr tables as cidr_table(5) says, and of tables that postmap(1) can list the keys count.
 * Others (SQL, LDAP, regular expressions, servers) cannot be read beforehand: they are named in the log, and who is in
 * mynetworks only by them is not known to be there.
 *
 * The result is a text of blocks: "=WORD" as it stands in mynetworks without its "!", then a line for each pattern in
 * it, "+PATTERN" or, of one that excludes, "-PATTERN".
 */
#include "postfix/postconf_networks.h"

#include "base/cidr.h"
#include "base/log.h"
#include "base/xmem.h"
#include "postfix/instance.h"
#include "postfix/postconf_tables.h"
#include "postfix/tables.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NESTING_LIMIT = 8, PATTERNS_MAX = 20000 };

struct reader {
	struct postconf *postconf;
	char *text; /* the result */
	size_t bytes;
	FILE *out; /* writes it */
	unsigned patterns;
};

void postconf_remember(struct postconf *postconf, const char *path)
{
	postconf->files =
		xrealloc(postconf->files, (postconf->file_count + 1) * sizeof *postconf->files);
	postconf->files[postconf->file_count++] = xstrdup(path);
}

static void add_pattern(struct reader *reader, const char *pattern, size_t length, bool is_excluded)
{
	if (reader->patterns++ < PATTERNS_MAX)
		(void)fprintf(reader->out, "%c%.*s\n", is_excluded ? '-' : '+', (int)length, pattern);
	else if (reader->patterns == PATTERNS_MAX + 1)
		log_warnx("%s: mynetworks: more than %d patterns in files and tables, the others are left out",
			reader->postconf->directory, PATTERNS_MAX);
}

/* open_file - NULL after a line in the log */
static FILE *open_file(struct reader *reader, const char *path)
{
	FILE *fp = fopen(path, "re");

	postconf_remember(reader->postconf, path);
	if (fp == NULL)
		log_warnx("%s: mynetworks: %s: %s", reader->postconf->directory, path, strerror(errno));
	return fp;
}

/* read_cidr - the networks of a table of cidr_table(5); "if" and "endif" are passed over, what is between them counts */
static void read_cidr(struct reader *reader, const char *path, bool is_excluded)
{
	FILE *fp = open_file(reader, path);
	char *line = NULL;
	size_t room = 0;

	while (fp != NULL && getline(&line, &room, fp) >= 0) {
		size_t length = strcspn(line, " \t\r\n");
		struct cidr cidr;

		/* A line that begins with white space belongs to the one before. */
		if (length == 0 || *line == '#')
			continue;
		line[length] = '\0';
		if (cidr_parse(line, &cidr))
			add_pattern(reader, line, length, is_excluded);
		else if (*line == '!')
			log_warnx("%s: mynetworks: %s: \"%s\" is not understood", reader->postconf->directory,
				path, line);
	}
	free(line);
	if (fp != NULL)
		(void)fclose(fp);
}

/* read_keys - addresses and names; networks are none in such a table, for Postfix looks up whole addresses */
static void read_keys(struct reader *reader, const char *table, bool is_excluded)
{
	char *error = NULL;
	char *listing = postconf_list_table(reader->postconf->directory, table, &error);

	if (listing == NULL)
		log_warnx("%s: not consulted for mynetworks", error);
	for (const char *line = listing; line != NULL && *line != '\0';) {
		size_t length = strcspn(line, "\n"), key = strcspn(line, "\t\n");

		if (key > 0 && memchr(line, '/', key) == NULL)
			add_pattern(reader, line, key, is_excluded);
		line += length + (line[length] == '\n');
	}
	free(listing);
	free(error);
}

static void read_table(struct reader *reader, const struct table_reference *table, bool is_excluded)
{
	static const char cidr[] = "cidr:";

	if (strncmp(table->text, cidr, sizeof cidr - 1) == 0 && table->path != NULL) {
		read_cidr(reader, table->path, is_excluded);
		return;
	}
	if (table->path != NULL)
		postconf_remember(reader->postconf, table->path);
	if (table->is_listable)
		read_keys(reader, table->text, is_excluded);
	else
		log_warnx("%s: mynetworks: %s cannot be listed and is not consulted",
			reader->postconf->directory, table->text);
}

static void read_list(struct reader *reader, struct word list, bool is_excluded, unsigned nesting);

static void read_file(struct reader *reader, const char *path, bool is_excluded, unsigned nesting)
{
	FILE *fp = nesting < NESTING_LIMIT ? open_file(reader, path) : NULL;
	char *line = NULL;
	size_t room = 0;

	while (fp != NULL && getline(&line, &room, fp) >= 0)
		if (*line != '#') {
			line[strcspn(line, "\r\n")] = '\0';
			read_list(reader, (struct word){line, strlen(line)}, is_excluded, nesting + 1);
		}
	free(line);
	if (fp != NULL)
		(void)fclose(fp);
}

/* read_word - a file or a table; false: it is neither */
static bool read_word(struct reader *reader, const char *word, bool is_excluded, unsigned nesting)
{
	static const char all[] = "static:";
	struct table_reference *tables;
	size_t count;

	if (*word == '/') {
		read_file(reader, word, is_excluded, nesting);
		return true;
	}
	if (!networks_is_table(word))
		return false;
	if (strncmp(word, all, sizeof all - 1) == 0) {
		add_pattern(reader, "0.0.0.0/0", strlen("0.0.0.0/0"), is_excluded);
		add_pattern(reader, "::/0", strlen("::/0"), is_excluded);
		return true;
	}
	tables = tables_references(word, &count);
	for (size_t i = 0; i < count; i++)
		read_table(reader, &tables[i], is_excluded);
	tables_free(tables, count);
	return true;
}

/* read_list - what stands in a file */
static void read_list(struct reader *reader, struct word list, bool is_excluded, unsigned nesting)
{
	struct word next;

	while (word_next(&list, &next)) {
		bool is_turned = is_excluded;
		char *word;

		for (; next.length > 0 && *next.at == '!'; next.at++, next.length--)
			is_turned = !is_turned;
		word = xstrndup(next.at, next.length);
		if (!read_word(reader, word, is_turned, nesting))
			add_pattern(reader, word, strlen(word), is_turned);
		free(word);
	}
}

/* is_read - the same word stands in another place, too */
static bool is_read(struct reader *reader, const char *word)
{
	char *head = xasprintf("=%s\n", word);
	bool is_there;

	(void)fflush(reader->out);
	is_there = strstr(reader->text, head) != NULL;
	free(head);
	return is_there;
}

/* read_parameter - a block for each file and table of mynetworks, of main.cf or of a listener */
static void read_parameter(void *arg, const char *service, const char *name, const char *value)
{
	struct word rest = {value, strlen(value)}, next;
	struct reader *reader = arg;

	(void)service;
	if (strcmp(name, "mynetworks") != 0)
		return;
	while (word_next(&rest, &next)) {
		char *word;

		for (; next.length > 0 && *next.at == '!'; next.at++)
			next.length--;
		word = xstrndup(next.at, next.length);
		if ((*word == '/' || networks_is_table(word)) && !is_read(reader, word)) {
			(void)fprintf(reader->out, "=%s\n", word);
			(void)read_word(reader, word, false, 0);
		}
		free(word);
	}
}

void postconf_read_networks(struct postconf *postconf)
{
	struct instance *instance = instance_new(postconf);
	struct reader reader = {.postconf = postconf};

	reader.out = open_memstream(&reader.text, &reader.bytes);
	if (instance != NULL && reader.out != NULL)
		instance_each_parameter(instance, read_parameter, &reader);
	if (reader.out != NULL)
		(void)fclose(reader.out);
	instance_free(instance);
	postconf->networks = reader.text;
}
