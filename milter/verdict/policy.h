/*
 * policy - what is done about a hop that is down, by the kind of client
 *
 * Pure; any thread.
 */
#ifndef FF_POLICY_H
#define FF_POLICY_H

#include "conf/conf.h"

#include <stdbool.h>

enum client_class {
	CLIENT_LOCAL,	      /* sendmail(1) */
	CLIENT_REENTRY,	      /* a content filter */
	CLIENT_AUTHENTICATED, /* {auth_authen} is set */
	CLIENT_MYNETWORKS,
	CLIENT_OTHER,
};

struct policy {
	enum conf_action on_down;
	bool is_brief;	     /* name no hop in the reply */
	bool all_or_nothing; /* one refused recipient refuses the whole message */
};

/* policy_default - when no rule says otherwise */
const struct policy *policy_default(enum client_class client);

#endif
