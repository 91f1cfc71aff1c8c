/*
 * lint_maps - transports and nexthops that look-up tables name, and the keys that name them
 *
 * A map of thousands of senders mostly names a few transports.  When one of them is gone, that is one finding with
 * the first key and a count, and what a table says of any number of broken ones is bounded.
 */
#include "lint/lint_private.h"

#include "base/xmem.h"
#include "postfix/tables.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

enum { FINDINGS_LIMIT = 20, TEXT_BYTES = 200 };

/* What several keys of one table have in common. */
struct group {
	UT_hash_handle hh;
	enum reason reason;
	const char *why;
	char key[TEXT_BYTES + 1]; /* the first one */
	unsigned long count;
	char name[]; /* "transport", or "transport NUL nexthop" */
};

struct walk {
	const struct lint *lint;
	const struct lint_place *place;
	const struct table_reference *table;
	struct group *groups;
};

static struct group *find(const struct walk *walk, const char *name, size_t bytes)
{
	struct group *group;

	HASH_FIND(hh, walk->groups, name, bytes, group);
	return group;
}

static void add_group(struct walk *walk, const char *name, size_t bytes, enum reason reason,
	const char *why, const struct word *key)
{
	struct group *group = xcalloc(1, sizeof *group + bytes);
	size_t key_bytes = key->length < TEXT_BYTES ? key->length : TEXT_BYTES;

	memcpy(group->name, name, bytes);
	memcpy(group->key, key->at, key_bytes);
	group->reason = reason;
	group->why = why;
	group->count = 1;
	HASH_ADD_KEYPTR(hh, walk->groups, group->name, bytes, group);
}

/* take - one value of a table */
static void take(void *arg, const struct word *key, const char *transport, const char *nexthop)
{
	struct walk *walk = arg;
	size_t transport_bytes = strlen(transport) + 1, bytes = transport_bytes + strlen(nexthop) + 1;
	struct group *group = find(walk, transport, transport_bytes);
	enum reason reason;
	const char *why;
	char *pair;

	if (group != NULL) {
		group->count++;
		return;
	}
	reason = lint_judge(walk->lint, transport, nexthop, &why);
	if (reason == REASON_NONE)
		return;
	pair = xcalloc(1, bytes);
	memcpy(pair, transport, transport_bytes);
	memcpy(pair + transport_bytes, nexthop, bytes - transport_bytes);
	if (reason == REASON_TRANSPORT_UNDEFINED)
		bytes = transport_bytes;
	group = find(walk, pair, bytes);
	if (group != NULL)
		group->count++;
	else
		add_group(walk, pair, bytes, reason, why, key);
	free(pair);
}

/* name_table - file and key of a finding */
static void name_table(const struct walk *walk, struct lint_finding *finding,
	const struct group *group)
{
	lint_put(finding->file, sizeof finding->file, "%s", walk->table->text);
	lint_put(finding->key, sizeof finding->key, "%s", group->key);
	finding->count = group->count;
}

/* rebuild - "; then: postmap ..." for a table that has to be built, else "" */
static void rebuild(
	const struct lint *lint, const struct table_reference *table, char *out, size_t out_bytes)
{
	if (table->path != NULL && strcmp(lint_source(table), table->path) != 0)
		lint_put(out, out_bytes, " in %s, then: postmap -c %s %s", lint_source(table),
			instance_directory(lint->instance), table->text);
	else
		lint_put(out, out_bytes, " in %s", table->path != NULL ? table->path : "main.cf");
}

static void report_group(const struct walk *walk, const struct group *group)
{
	bool is_undefined = group->reason == REASON_TRANSPORT_UNDEFINED;
	struct lint_finding finding = lint_at(walk->lint,
		is_undefined ? LINT_TRANSPORT_UNDEFINED : LINT_NEXTHOP_INVALID, walk->place);
	const char *nexthop = is_undefined ? "" : group->name + strlen(group->name) + 1;
	char where[LINT_WORDS_BYTES / 2];

	name_table(walk, &finding, group);
	rebuild(walk->lint, walk->table, where, sizeof where);
	if (is_undefined) {
		lint_put(finding.message, sizeof finding.message,
			"transport %.*s is not in master.cf", TEXT_BYTES, group->name);
		lint_put(finding.fix, sizeof finding.fix,
			"add a line \"%.*s unix - - n - - ...\" to %s/master.cf, or change the %s%s",
			TEXT_BYTES, group->name, instance_directory(walk->lint->instance),
			group->count == 1 ? "key" : "keys", where);
	} else {
		lint_put(finding.message, sizeof finding.message, "\"%.*s:%.*s\": %s", TEXT_BYTES,
			group->name, TEXT_BYTES, nexthop, group->why);
		lint_put(finding.fix, sizeof finding.fix,
			"write HOST, [HOST]:PORT or [ADDRESS]:PORT%s", where);
	}
	lint_report(walk->lint, &finding);
}

/* report_rest - in place of all findings behind the last one */
static void report_rest(const struct walk *walk, const struct group *group)
{
	struct lint_finding finding = lint_at(walk->lint,
		group->reason == REASON_TRANSPORT_UNDEFINED ? LINT_TRANSPORT_UNDEFINED
							    : LINT_NEXTHOP_INVALID,
		walk->place);
	unsigned long groups = 0, keys = 0;

	name_table(walk, &finding, group);
	for (; group != NULL; group = group->hh.next) {
		groups++;
		keys += group->count;
	}
	finding.count = keys;
	lint_put(finding.message, sizeof finding.message,
		"%lu more transports or nexthops of this table cannot work", groups);
	lint_put(finding.fix, sizeof finding.fix, "repair those above, then run this again");
	lint_report(walk->lint, &finding);
}

static void report_groups(struct walk *walk)
{
	struct group *group = walk->groups, *next;
	unsigned reported = 0;

	for (; group != NULL && reported < FINDINGS_LIMIT; group = group->hh.next, reported++)
		report_group(walk, group);
	if (group != NULL)
		report_rest(walk, group);
	/* HASH_CLEAR leaves the elements and how they follow each other */
	group = walk->groups;
	HASH_CLEAR(hh, walk->groups);
	for (; group != NULL; group = next) {
		next = group->hh.next;
		free(group);
	}
}

/* report_unlisted - what a table names that nobody can list is learned with the mail that takes it */
static void report_unlisted(const struct lint *lint, const struct lint_place *place,
	const struct table_reference *table, const char *error)
{
	struct lint_finding finding = lint_at(lint, LINT_TABLE_UNLISTED, place);

	lint_put(finding.file, sizeof finding.file, "%s", table->text);
	if (error != NULL) {
		finding.severity = LINT_WARNING;
		lint_put(finding.message, sizeof finding.message, "the table cannot be listed: %s",
			error);
		if (table->path != NULL && strcmp(lint_source(table), table->path) != 0)
			lint_put(finding.fix, sizeof finding.fix, "postmap -c %s %s",
				instance_directory(lint->instance), table->text);
	} else {
		lint_put(finding.message, sizeof finding.message,
			"a table of this type cannot be listed: its hops are learned from mail");
	}
	lint_report(lint, &finding);
}

static void look_at_table(const struct lint *lint, const struct lint_place *place,
	const struct table_reference *table, enum table_kind kind)
{
	struct walk walk = {lint, place, table, NULL};
	char *error = NULL, *listing;

	/* lint_tables says what is wrong with the table itself */
	if (!lint_has_type(lint, table->text) ||
		(table->path != NULL && access(table->path, F_OK) < 0))
		return;
	if (!table->is_listable) {
		report_unlisted(lint, place, table, NULL);
		return;
	}
	listing = lint->list(instance_directory(lint->instance), table->text, &error);
	if (listing != NULL) {
		tables_each_value(listing, kind, take, &walk);
		report_groups(&walk);
	} else {
		report_unlisted(lint, place, table, error);
	}
	free(listing);
	free(error);
}

static void look(void *arg, const char *service, const char *name, const char *value)
{
	const struct lint *lint = arg;
	const struct lint_place place = {service, name};

	for (const struct table_parameter *parameter = tables_parameters(); parameter->name != NULL;
		parameter++) {
		struct table_reference *tables;
		size_t count;

		if (strcmp(parameter->name, name) != 0)
			continue;
		tables = tables_references(value, &count);
		for (size_t i = 0; i < count; i++)
			look_at_table(lint, &place, &tables[i], parameter->kind);
		tables_free(tables, count);
	}
}

void lint_maps(const struct lint *lint)
{
	instance_each_parameter(lint->instance, look, (void *)lint);
}
