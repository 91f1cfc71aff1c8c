/*
 * verdict - from the state of the hops on a route to what is done with the mail
 *
 * Pure; any thread.
 */
#ifndef FF_VERDICT_H
#define FF_VERDICT_H

#include "health/table.h"
#include "verdict/policy.h"

#include <stddef.h>

/* verdict_action - what one hop asks for: nothing while it is up or unknown (in doubt accept), a tag
 * while it is degraded, and what the policy says while it is down.  is_possible: mail may take another way, so a tag is
 * all */
enum conf_action verdict_action(enum state state, bool is_possible, const struct policy *policy);

/* verdict_wants_tag - does a message that was accepted bear a header about this hop? */
bool verdict_wants_tag(enum state state, enum conf_tag tag);

#endif
