/*
 * policy - what is done about a hop that is not fine: what the first matching rule says, else the default for the kind
 * of client
 *
 * Pure; any thread.
 */
#ifndef FF_POLICY_H
#define FF_POLICY_H

#include "conf/rules.h"
#include "health/machine.h"

#include <stdbool.h>
#include <stdint.h>

/* What holds by default. */
enum client_class {
	CLIENT_LOCAL,	      /* sendmail(1) */
	CLIENT_REENTRY,	      /* a content filter */
	CLIENT_AUTHENTICATED, /* {auth_authen} is set */
	CLIENT_MYNETWORKS,
	CLIENT_OTHER,
	CLIENT_COUNT
};

/* client_class_name - the word that a rule has for it */
const char *client_class_name(enum client_class class);

struct client {
	enum client_class class;
	bool is_in_mynetworks; /* also of a client that is authenticated */
	bool has_address;
	struct cidr address;
};

/* One recipient of one message, and one hop on its way. */
struct policy_question {
	const struct client *client;
	enum hop_role role;
	bool is_possible; /* the mail may well take another way */
	const char *hop;
	enum state state;
	enum reason reason;
	int64_t since_s;	/* how long the hop is in that state */
	const char *sender;	/* "" for bounces */
	const char *recipient;
};

struct policy {
	enum conf_action action;
	bool is_brief;	     /* name no hop in the reply */
	bool all_or_nothing; /* refusing the recipient refuses the whole message */
	const char *rule;    /* the one that says so, NULL: the default; belongs to the configuration */
};

/*
 * policy_decide - in doubt accept.
 *
 * Up, unknown, forced up: accept.  Degraded: tag.  Down, forced down: what the first matching rule says; what that
 * leaves open, and everything where none matches, is as the class of the client has it.
 *
 * Two things are never done.  Mail of sendmail(1) is not refused: Postfix takes that for a configuration error.  What
 * was accepted before, by a listener in front of a content filter, is neither refused nor held unless the rule has the
 * word "reentry": whoever wrote another one did not think of it.
 */
void policy_decide(const struct rules *rules, const struct policy_question *question,
	struct policy *out);

#endif
