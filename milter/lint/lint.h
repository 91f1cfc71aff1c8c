/*
 * lint - what Postfix's configuration refers to and cannot work
 *
 * A static look at both configurations, for an operator who has not started anything yet: nothing is probed, no
 * daemon of ours is asked.  What is found comes one by one, each with what to change.
 *
 * Runs postconf(1) and postmap(1) and reads files; blocks for as long as those take.
 */
#ifndef FF_LINT_H
#define FF_LINT_H

#include "conf/conf.h"

enum lint_severity {
	LINT_INFO,    /* good to know */
	LINT_UNKNOWN, /* could not be looked at */
	LINT_WARNING, /* works now, or only in part */
	LINT_ERROR,   /* mail that meets it does not pass */
};

enum lint_check {
	LINT_TRANSPORT_UNDEFINED,
	LINT_NEXTHOP_INVALID,
	LINT_BIND_ADDRESS,
	LINT_COMMAND_MISSING,
	LINT_PROGRAM_MISSING,
	LINT_TABLE_TYPE_UNKNOWN,
	LINT_TABLE_MISSING,
	LINT_TABLE_NOT_BUILT,
	LINT_TABLE_OUTDATED,
	LINT_TABLE_UNREADABLE,
	LINT_TABLE_UNLISTED,
	LINT_RELOAD_NEEDED,
	LINT_POSTFIX_STOPPED,
	LINT_POSTFIX_UNREADABLE,
	LINT_POSTFIX_UNNAMED,
	LINT_MILTER_NOT_ASKED,
	LINT_MILTER_UNREACHABLE,
	LINT_MILTER_DEFAULT_ACTION,
	LINT_MILTER_TIMEOUT,
	LINT_LOG_UNREADABLE,
	LINT_DAEMON_SILENT,
	LINT_CHECK_COUNT
};

enum { LINT_PLACE_BYTES = 512, LINT_WORDS_BYTES = 1024 };

/* One finding.  Every text is printable ASCII: other bytes are written \xNN, what is too long ends in "...". */
struct lint_finding {
	enum lint_check check;
	enum lint_severity severity;
	char instance[LINT_PLACE_BYTES];  /* config_directory, "": our own configuration */
	char file[LINT_PLACE_BYTES];	  /* main.cf, master.cf, or a table as TYPE:NAME; "": none */
	char service[LINT_PLACE_BYTES];	  /* "NAME/TYPE" of master.cf, "": none */
	char parameter[LINT_PLACE_BYTES]; /* "": none */
	char key[LINT_PLACE_BYTES];	  /* the first one of a table, "": none */
	unsigned long count;		  /* so many keys say the same; 0: no table */
	char message[LINT_WORDS_BYTES];	  /* what is wrong */
	char fix[LINT_WORDS_BYTES];	  /* what to change, "": nothing */
};

/* lint_report_fn - takes one finding, for the time of the call */
typedef void lint_report_fn(void *arg, const struct lint_finding *finding);

/* lint_run - look at all that conf names */
void lint_run(const struct conf *conf, lint_report_fn *report, void *arg);

/* lint_check_name - a stable token, "transport-undefined" */
const char *lint_check_name(enum lint_check check);

/* lint_severity_name - "info", "unknown", "warning", "error" */
const char *lint_severity_name(enum lint_severity severity);

/* lint_new - a finding with the usual severity of that check and no words yet */
struct lint_finding lint_new(enum lint_check check);

/* lint_put - fill in one text of a finding, made clean; what does not fit is cut */
void lint_put(char *out, size_t out_bytes, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
