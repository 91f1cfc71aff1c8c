/*
 * tables - the transports and nexthops that Postfix's look-up tables name
 *
 * Values are split as maps_create() of Postfix splits them and read as trivial-rewrite(8) and
 * local(8) read them, so that a hop found here is one that mail can take.  What postmap(1) lists
 * depends on the type of the table alone: only some types have a "sequence" operation, and
 * proxymap(8) has none. Types that hold their one or few values in plain sight (static, randmap)
 * are turned into an inline table with the same values, which postmap(1) can list.
 */
#include "postfix/tables.h"

#include "base/xmem.h"
#include "postfix/word.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <uthash.h>

enum { NESTING_LIMIT = 16 };

/*
 * Parameters of postconf(5) that name hops by address, and nothing else that does:
 *
 *   transport_maps                            by recipient, for all mail
 *   sender_dependent_default_transport_maps   by sender, instead of default_transport
 *   sender_dependent_relayhost_maps           by sender, instead of relayhost
 *   mailbox_transport_maps                    by user, local(8) hands over to it
 *   fallback_transport_maps                   by user unknown to local(8)
 *
 * local(8) has no use for an empty transport and takes a word without a colon for one, which is the
 * syntax of a default transport.  A transport of transport_maps without a nexthop goes to the
 * recipient's domain, not to relayhost.  Left out: address_verify_*_maps (only probes of verify(8) go
 * there, and by default they are the tables above), access(5) and header_checks(5) tables (FILTER
 * actions among others, in parameters of any name), mailbox_command_maps (commands),
 * smtpd_milter_maps (milters).
 */
static const struct table_parameter parameters[] = {
	{"transport_maps", TABLE_TRANSPORT, false},
	{"sender_dependent_default_transport_maps", TABLE_DEFAULT_TRANSPORT, true},
	{"sender_dependent_relayhost_maps", TABLE_RELAYHOST, false},
	{"mailbox_transport_maps", TABLE_DEFAULT_TRANSPORT, false},
	{"fallback_transport_maps", TABLE_DEFAULT_TRANSPORT, false},
	{NULL, TABLE_TRANSPORT, false},
};

/* Types whose content is a file.  Postfix's cdb has no "sequence"; dbm and sdbm are two files each,
 * written together.  Others (SQL, LDAP, socketmap, tcp, memcache, ...) change without a file. */
static const struct {
	const char *type, *suffix;
	bool is_listable;
} file_types[] = {
	{"hash", ".db", true},
	{"btree", ".db", true},
	{"lmdb", ".lmdb", true},
	{"texthash", "", true},
	{"dbm", ".pag", true},
	{"sdbm", ".pag", true},
	{"cdb", ".cdb", false},
	{"cidr", "", false},
	{"pcre", "", false},
	{"regexp", "", false},
};

/* Transports that end the matter (error(8), discard(8)): no hop. */
static const char *const no_hops[] = {"error", "retry", "discard"};

struct list {
	struct table_reference *item;
	size_t count;
};

/* What becomes of a table's values. */
enum use {
	USE_VALUES, /* they are the result */
	USE_KEYS,   /* they are looked up in the next table of a pipemap */
};

const struct table_parameter *tables_parameters(void)
{
	return parameters;
}

/* take_type - take "type:" off the front, when something is behind it */
static bool take_type(struct word *word, const char *type)
{
	size_t length = strlen(type);

	if (word->length <= length + 1 || word->at[length] != ':' ||
		strncmp(word->at, type, length) != 0)
		return false;
	word->at += length + 1;
	word->length -= length + 1;
	return true;
}

static struct table_reference *new_reference(struct list *list, char *text)
{
	struct table_reference *reference;

	list->item = xrealloc(list->item, (list->count + 1) * sizeof *list->item);
	reference = &list->item[list->count++];
	*reference = (struct table_reference){.text = text};
	return reference;
}

/* add_table - one that has no members.  A path that is not absolute is one below queue_directory
 * for Postfix, and another one for postmap(1): that is not listed. */
static void add_table(struct list *list, const struct word *word, enum use use)
{
	struct table_reference *reference = new_reference(list, xstrndup(word->at, word->length));

	for (size_t i = 0; i < sizeof file_types / sizeof *file_types; i++) {
		struct word name = *word;

		if (!take_type(&name, file_types[i].type) || *name.at != '/')
			continue;
		reference->path =
			xasprintf("%.*s%s", (int)name.length, name.at, file_types[i].suffix);
		reference->is_listable = file_types[i].is_listable && use == USE_VALUES;
		return;
	}
	if (strncmp(reference->text, "inline:{", strlen("inline:{")) == 0)
		reference->is_listable = use == USE_VALUES;
}

/* append - grow the text by a piece; returns the new text */
static char *append(char *text, const char *before, const struct word *piece, const char *after)
{
	char *longer = xasprintf("%s%s%.*s%s", text, before, (int)piece->length, piece->at, after);

	free(text);
	return longer;
}

/* add_static - static:value, static:{value} */
static bool add_static(struct list *list, struct word value)
{
	if (*value.at == '{' && !word_take_braces(&value))
		return false;
	if (value.length == 0 || !word_is_balanced(&value))
		return false;
	new_reference(list, append(xstrdup("inline:{{1="), "", &value, "}}"))->is_listable = true;
	return true;
}

/* add_random - randmap:{value, value} */
static bool add_random(struct list *list, struct word name)
{
	struct word value;
	char *text;

	if (!word_take_braces(&name) || !word_next(&name, &value))
		return false;
	text = append(xstrdup("inline:{"), "{1=", &value, "}");
	for (unsigned key = 2; word_next(&name, &value); key++) {
		char before[32];

		(void)snprintf(before, sizeof before, ",{%u=", key);
		text = append(text, before, &value, "}");
	}
	new_reference(list, append(text, "", &(struct word){"", 0}, "}"))->is_listable = true;
	return true;
}

static void add_word(struct list *list, struct word word, enum use use, unsigned nesting);

/* add_members - of unionmap:{...} and pipemap:{...}; of the latter only the last one's values come
 * out */
static bool add_members(
	struct list *list, struct word name, bool is_pipe, enum use use, unsigned nesting)
{
	struct word member, next;

	if (nesting >= NESTING_LIMIT || !word_take_braces(&name) || !word_next(&name, &member))
		return false;
	while (word_next(&name, &next)) {
		add_word(list, member, is_pipe ? USE_KEYS : use, nesting + 1);
		member = next;
	}
	add_word(list, member, use, nesting + 1);
	return true;
}

/* add_word - one "type:name" with all that it refers to */
static void add_word(struct list *list, struct word word, enum use use, unsigned nesting)
{
	struct word name;
	bool is_done = false, is_proxied = false;
	size_t first = list->count;

	while (take_type(&word, "proxy"))
		is_proxied = true;
	name = word;
	if (take_type(&name, "unionmap"))
		is_done = add_members(list, name, false, use, nesting);
	else if (take_type(&name, "pipemap"))
		is_done = add_members(list, name, true, use, nesting);
	else if (use == USE_VALUES && take_type(&name, "static"))
		is_done = add_static(list, name);
	else if (use == USE_VALUES && take_type(&name, "randmap"))
		is_done = add_random(list, name);
	if (!is_done)
		add_table(list, &word, use);
	for (; first < list->count; first++)
		list->item[first].is_proxied |= is_proxied;
}

struct table_reference *tables_references(const char *value, size_t *count)
{
	struct word rest = {value, strlen(value)}, word;
	struct list list = {NULL, 0};

	while (word_next(&rest, &word))
		add_word(&list, word, USE_VALUES, 0);
	*count = list.count;
	return list.item;
}

void tables_free(struct table_reference *references, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(references[i].text);
		free(references[i].path);
	}
	free(references);
}

struct walk {
	enum table_kind kind;
	table_value_fn *fn;
	void *arg;
};

static bool is_no_hop(const char *transport)
{
	for (size_t i = 0; i < sizeof no_hops / sizeof *no_hops; i++)
		if (strcmp(transport, no_hops[i]) == 0)
			return true;
	return false;
}

/* take_value - one value of the table.  transport_maps know no "DUNNO": there it is a transport,
 * most likely one that does not exist.  A default transport without a name is a fault that
 * trivial-rewrite(8) reports itself. */
static void take_value(const struct walk *walk, const struct word *key, char *value)
{
	char *colon = strchr(value, ':');

	if (*value == '\0')
		return;
	for (const char *at = value; *at != '\0'; at++)
		if ((unsigned char)*at < ' ' || *at == '\177')
			return;
	if (walk->kind != TABLE_TRANSPORT && strcasecmp(value, "DUNNO") == 0)
		return;
	if (walk->kind == TABLE_RELAYHOST) {
		walk->fn(walk->arg, key, "", value);
		return;
	}
	if (colon != NULL)
		*colon++ = '\0';
	else
		colon = value + strlen(value);
	if (*value == '\0' && (*colon == '\0' || walk->kind == TABLE_DEFAULT_TRANSPORT))
		return;
	if (!is_no_hop(value))
		walk->fn(walk->arg, key, value, colon);
}

void tables_each_value(const char *listing, enum table_kind kind, table_value_fn *fn, void *arg)
{
	const struct walk walk = {kind, fn, arg};

	while (*listing != '\0') {
		size_t length = strcspn(listing, "\n");
		const char *tab = memchr(listing, '\t', length);

		if (tab != NULL) {
			const struct word key = {listing, (size_t)(tab - listing)};
			char *value = xstrndup(tab + 1, (size_t)(listing + length - tab - 1));

			take_value(&walk, &key, value);
			free(value);
		}
		listing += length + (listing[length] == '\n');
	}
}

/* A hop that was given already. */
struct seen {
	UT_hash_handle hh;
	char pair[]; /* transport, NUL, nexthop */
};

struct once {
	void (*fn)(void *arg, const char *transport, const char *nexthop);
	void *arg;
	struct seen *seen;
};

/* give_hop - unless it was given before */
static void give_hop(void *arg, const struct word *key, const char *transport, const char *nexthop)
{
	struct once *once = arg;
	size_t transport_bytes = strlen(transport) + 1;
	size_t bytes = transport_bytes + strlen(nexthop) + 1;
	struct seen *seen = xcalloc(1, sizeof *seen + bytes), *old;

	(void)key;
	memcpy(seen->pair, transport, transport_bytes);
	memcpy(seen->pair + transport_bytes, nexthop, bytes - transport_bytes);
	HASH_FIND(hh, once->seen, seen->pair, bytes, old);
	if (old != NULL) {
		free(seen);
		return;
	}
	HASH_ADD_KEYPTR(hh, once->seen, seen->pair, bytes, seen);
	once->fn(once->arg, seen->pair, seen->pair + transport_bytes);
}

void tables_each_hop(const char *listing, enum table_kind kind,
	void (*fn)(void *arg, const char *transport, const char *nexthop), void *arg)
{
	struct once once = {fn, arg, NULL};
	struct seen *seen, *next;

	tables_each_value(listing, kind, give_hop, &once);
	/* HASH_CLEAR leaves the elements and how they follow each other */
	seen = once.seen;
	HASH_CLEAR(hh, once.seen);
	for (; seen != NULL; seen = next) {
		next = seen->hh.next;
		free(seen);
	}
}
