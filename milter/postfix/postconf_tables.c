/*
 * postconf_tables - the hops that look-up tables name
 *
 * Tables are listed by the keeper, which may read what the engine may not.  Only what they name travels: a map of
 * 2,000 senders mostly names a few dozen transports.
 */
#include "postfix/postconf_tables.h"

#include "base/log.h"
#include "base/run.h"
#include "base/xmem.h"
#include "postfix/instance.h"
#include "postfix/postconf_networks.h"
#include "postfix/tables.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_MS = 10000 };

/* A growing list of lines. */
struct lines {
	char *text;
	size_t used, size;
	const char *relayhost; /* the nexthop of a transport without one, "": it has none */
};

static void append(void *arg, const char *transport, const char *nexthop)
{
	struct lines *lines = arg;
	size_t bytes;

	if (*nexthop == '\0')
		nexthop = lines->relayhost;
	bytes = strlen(transport) + strlen(nexthop) + sizeof "\t\n";
	if (lines->size - lines->used < bytes) {
		lines->size = lines->size * 2 + bytes;
		lines->text = xrealloc(lines->text, lines->size);
	}
	lines->used = (size_t)(stpcpy(stpcpy(stpcpy(stpcpy(lines->text + lines->used, transport),
						    "\t"),
					      nexthop),
				       "\n") -
			       lines->text);
}

char *postconf_list_table(const char *directory, const char *table, char **error)
{
	const char *const argv[] = {"postmap", "-c", directory, "-s", table, NULL};

	return run_capture(argv, TIMEOUT_MS, error);
}

static void read_table(struct postconf *postconf, const struct table_reference *table,
	enum table_kind kind, struct lines *lines)
{
	char *error = NULL, *listing;

	if (table->path != NULL)
		postconf_remember(postconf, table->path);
	if (!table->is_listable)
		return;
	listing = postconf_list_table(postconf->directory, table->text, &error);
	if (listing != NULL)
		tables_each_hop(listing, kind, append, lines);
	else
		log_warnx("%s: its hops are learned from mail", error);
	free(listing);
	free(error);
}

void postconf_read_tables(struct postconf *postconf)
{
	struct instance *instance = instance_new(postconf);
	struct lines lines = {.text = xstrdup("")};

	for (const struct table_parameter *parameter = tables_parameters();
		instance != NULL && parameter->name != NULL; parameter++) {
		size_t count;
		struct table_reference *tables = tables_references(
			instance_parameter(instance, parameter->name), &count);

		lines.relayhost =
			parameter->uses_relayhost ? instance_parameter(instance, "relayhost") : "";
		for (size_t i = 0; i < count; i++)
			read_table(postconf, &tables[i], parameter->kind, &lines);
		tables_free(tables, count);
	}
	instance_free(instance);
	postconf->hops = lines.text;
}
