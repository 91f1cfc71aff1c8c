/*
 * ctl - what the commands of failfastctl(8) share
 */
#ifndef FF_CTL_H
#define FF_CTL_H

#include <jansson.h>
#include <stdbool.h>

/* Exit statuses follow the monitoring plugins. */
enum { CTL_UP = 0, CTL_DEGRADED = 1, CTL_DOWN = 2, CTL_UNKNOWN = 3 };

struct ctl {
	const char *socket; /* of the daemon */
	bool is_json;
	bool has_colour;
	unsigned columns; /* of the terminal; what is printed fits, 0: do not cut */
};

/* Commands: argv[0] is the name of the command.  Each returns an exit status. */
int ctl_status(const struct ctl *ctl, int argc, char **argv);

/* ctl_ask - send a request (taken over) and return the answer, which the caller owns; NULL after a
 * message on standard error that says what to do */
json_t *ctl_ask(const struct ctl *ctl, json_t *request);

/* ctl_usage - print it to standard error; returns CTL_UNKNOWN */
int ctl_usage(void);

#endif
