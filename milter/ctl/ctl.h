/*
 * ctl - what the commands of failfastctl(8) share
 */
#ifndef FF_CTL_H
#define FF_CTL_H

#include "conf/conf.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Exit statuses follow the monitoring plugins. */
enum { CTL_UP = 0, CTL_DEGRADED = 1, CTL_DOWN = 2, CTL_UNKNOWN = 3 };

struct ctl {
	const char *socket; /* of the daemon */
	struct conf *conf;  /* NULL when the command needs none and the socket was given */
	const char *unread; /* a configuration that we may not read, NULL: none was missed */
	bool is_json;
	bool is_plugin; /* --plugin */
	bool has_reported; /* an error of the configuration */
	bool is_names;	/* --names */
	char *listener; /* --listener ADDR:PORT, NULL: not given */
	const char *duration; /* --for, NULL: not given */
	const char *comment;  /* --comment, NULL: not given */
	bool has_colour;
	unsigned columns; /* of the terminal; what is printed fits, 0: do not cut */
};

/* Commands: argv[0] is the name of the command.  Each returns an exit status. */
int ctl_status(const struct ctl *ctl, int argc, char **argv);
int ctl_check(const struct ctl *ctl, int argc, char **argv);
int ctl_explain(const struct ctl *ctl, int argc, char **argv);
int ctl_force(const struct ctl *ctl, int argc, char **argv);
int ctl_reload(const struct ctl *ctl, int argc, char **argv);
int ctl_probe(const struct ctl *ctl, int argc, char **argv);
int ctl_queue(const struct ctl *ctl, int argc, char **argv);
int ctl_watch(const struct ctl *ctl, int argc, char **argv);
int ctl_help(const struct ctl *ctl, int argc, char **argv);

/* ctl_no_such_command - say so, and which one may have been meant; returns CTL_UNKNOWN */
int ctl_no_such_command(const char *name);

/* ctl_print_plugin - the line of a monitoring plugin; an exit status */
int ctl_print_plugin(const json_t *hops);

/* ctl_plugin_unknown - that line when nothing can be told; returns CTL_UNKNOWN */
int ctl_plugin_unknown(const char *why);

/* ctl_state_colour - how a state looks on a terminal: an escape sequence, constant */
const char *ctl_state_colour(const char *state);

/* ctl_text - a string of an object, "" when there is none; owned by the object */
const char *ctl_text(const json_t *object, const char *key);

/* ctl_print_hop - the lines about one hop, as the daemon describes it */
void ctl_print_hop(const struct ctl *ctl, const json_t *hop);

/* ctl_print_clean - one line, cut to width (0: whole).  Names and details come from outside: nothing in them may
 * steer a terminal. */
void ctl_print_clean(const char *text, unsigned width);

/* ctl_print_json - one document to standard output */
void ctl_print_json(const json_t *document);

/* ctl_worst_status - exit status for an array of hops: down counts more than unknown, that more than degraded */
int ctl_worst_status(const json_t *hops);

/* ctl_ask - send a request (taken over; NULL: it could not be made of these words) and return the answer, which the caller owns; NULL after a
 * message on standard error that says what to do */
json_t *ctl_ask(const struct ctl *ctl, json_t *request);

enum { CTL_WHY_BYTES = 512 };

/* ctl_try - the same, but NULL comes with a line in why, without a name in front and without a newline */
json_t *ctl_try(const struct ctl *ctl, json_t *request, char why[CTL_WHY_BYTES]);

/* ctl_begin - send a request to which several documents answer; to be closed by the caller.  NULL: see why. */
FILE *ctl_begin(const struct ctl *ctl, json_t *request, char why[CTL_WHY_BYTES]);

/* ctl_next - the next document, the caller's; NULL: see why */
json_t *ctl_next(const struct ctl *ctl, FILE *stream, char why[CTL_WHY_BYTES]);

/* ctl_wait_for - documents may take so long to come from now on */
void ctl_wait_for(FILE *stream, int64_t limit_ms);

/* ctl_usage - print it to standard error; returns CTL_UNKNOWN */
int ctl_usage(void);

#endif
