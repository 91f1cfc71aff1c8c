/*
 * policy - what is done about a hop that is down
 */
#include "verdict/policy.h"

/* Local mail is never refused: Postfix takes a tempfail of a non_smtpd_milter for a configuration
 * error.  Mail that comes back from a filter has been accepted long ago.  Strangers need not know how
 * our hops are called. */
static const struct policy defaults[] = {
	[CLIENT_LOCAL] = {ACTION_TAG, false, false},
	[CLIENT_REENTRY] = {ACTION_ACCEPT, false, false},
	[CLIENT_AUTHENTICATED] = {ACTION_TEMPFAIL, false, true},
	[CLIENT_MYNETWORKS] = {ACTION_TEMPFAIL, false, false},
	[CLIENT_OTHER] = {ACTION_TEMPFAIL, true, false},
};

const struct policy *policy_default(enum client_class client)
{
	return &defaults[client];
}
