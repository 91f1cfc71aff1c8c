/*
 * lint_milter - our milter in the lists of milters of main.cf
 */
#ifndef FF_LINT_MILTER_H
#define FF_LINT_MILTER_H

#include "lint/lint_private.h"

/* One milter of a list; its strings are its own. */
struct lint_milter {
	char *name;
	char *action;		/* its own default_action, NULL: none */
	char *connect, *command; /* its own connect_timeout and command_timeout, NULL: none */
};

enum lint_found {
	LINT_FOUND_NOT,
	LINT_FOUND_OUTSIDE, /* ours, but a chrooted smtpd(8) cannot get at that path */
	LINT_FOUND,
};

/* lint_find_milter - our milter in a list; lint_milter_free() it when it was found */
enum lint_found lint_find_milter(
	const struct lint *lint, const char *list, bool is_chrooted, struct lint_milter *milter);
void lint_milter_free(struct lint_milter *milter);

/* lint_milter_name - as smtpd_milters should name us; the caller frees it */
char *lint_milter_name(const struct lint *lint);

#endif
