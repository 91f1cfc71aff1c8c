/*
 * discover - the parameters of main.cf that name transports
 */
#ifndef FF_DISCOVER_H
#define FF_DISCOVER_H

#include "postfix/instance.h"

/* A parameter with a value of the form "transport:nexthop" (postconf(5)). */
struct transport_parameter {
	const char *name;
	const char *needs; /* must not be empty for it to be used, NULL: it always is */
	bool is_outgoing;  /* relayhost goes before its nexthop */
};

/* transport_parameters - all of them; ends with name NULL */
const struct transport_parameter *transport_parameters(void);

bool transport_parameter_is_used(
	const struct instance *instance, const struct transport_parameter *parameter);

#endif
