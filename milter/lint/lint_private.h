/*
 * lint_private - what the checks share
 *
 * A check is a function that looks at one instance (or at our own configuration) and calls lint_report() for what it
 * finds.
 */
#ifndef FF_LINT_PRIVATE_H
#define FF_LINT_PRIVATE_H

#include "lint/lint.h"

#include "health/reason.h"
#include "postfix/instance.h"

/* What a check may look at. */
struct lint {
	const struct conf *conf;
	struct instance **instances; /* all that could be read */
	size_t instance_count;
	const struct instance *instance; /* the one to look at, NULL: our own configuration */
	const char *types;		 /* what `postconf -m` prints, NULL: not known */
	char *(*list)(const char *directory, const char *table, char **error); /* as postconf_list_table() */
	struct lint_names **reported; /* findings; *reported is NULL at first, lint_forget() it */
	struct lint_names **used;     /* transports of the instance that something names; likewise */
	lint_report_fn *report;
	void *arg;
};

/* Where a value stands. */
struct lint_place {
	const char *service; /* "NAME/TYPE" of master.cf, NULL: main.cf */
	const char *parameter;
};

/* lint_instance - every check of lint->instance */
void lint_instance(const struct lint *lint);

/* lint_remember - put a name into a set; false when it was there already */
bool lint_remember(struct lint_names **names, const char *name);

/* lint_knows - is it there? */
bool lint_knows(struct lint_names *const *names, const char *name);

/* lint_forget - free what the set holds */
void lint_forget(struct lint_names **names);

/* lint_report - hand a finding on, once */
void lint_report(const struct lint *lint, const struct lint_finding *finding);

/* lint_at - a finding about a parameter of the instance: file, service and parameter are filled in */
struct lint_finding lint_at(
	const struct lint *lint, enum lint_check check, const struct lint_place *place);

/* lint_set_command - what gives a parameter another value, a command line where that is possible; before it comes
 * "before" */
void lint_set_command(const struct lint *lint, struct lint_finding *finding,
	const struct lint_place *place, const char *before, const char *value);

/*
 * lint_judge - can mail take this transport and nexthop?  From then on the transport counts as used.
 *
 * transport "": default_transport's.  Returns REASON_NONE, REASON_TRANSPORT_UNDEFINED, or REASON_NEXTHOP_INVALID with
 * *why set to a constant text.
 */
enum reason lint_judge(
	const struct lint *lint, const char *transport, const char *nexthop, const char **why);


struct table_reference;

/* lint_source - the name behind the type of a table: what postmap(1) builds it from */
const char *lint_source(const struct table_reference *table);

/* lint_has_type - does this Postfix know the type of the table? */
bool lint_has_type(const struct lint *lint, const char *table);

/* lint_use_own - the transports that our own configuration names are used */
void lint_use_own(const struct lint *lint);

/* The checks of an instance. */
void lint_hops(const struct lint *lint);
void lint_maps(const struct lint *lint);
void lint_tables(const struct lint *lint);
void lint_binds(const struct lint *lint);
void lint_commands(const struct lint *lint);
void lint_reload(const struct lint *lint);
void lint_milters(const struct lint *lint);
void lint_auth(const struct lint *lint);
void lint_log(const struct lint *lint);

/* lint_own - our own configuration */
void lint_own(const struct lint *lint);

#endif
