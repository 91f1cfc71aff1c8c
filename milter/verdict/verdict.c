/*
 * verdict - from the state of a hop to what is done with the mail
 */
#include "verdict/verdict.h"

enum conf_action verdict_action(enum state state, bool is_possible, const struct policy *policy)
{
	switch (state) {
	case STATE_DOWN:
	case STATE_FORCED_DOWN:
		return is_possible && policy->on_down > ACTION_TAG ? ACTION_TAG : policy->on_down;
	case STATE_DEGRADED:
		return ACTION_TAG;
	default:
		return ACTION_ACCEPT;
	}
}

bool verdict_wants_tag(enum state state, enum conf_tag tag)
{
	switch (tag) {
	case TAG_NEVER:
		return false;
	case TAG_ALWAYS:
		return true;
	default:
		return state != STATE_UP && state != STATE_FORCED_UP;
	}
}
