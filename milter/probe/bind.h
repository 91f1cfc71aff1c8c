/*
 * bind - are the bind addresses of an smtp(8) or lmtp(8) transport on this host?
 *
 * smtp_bind_address, smtp_bind_address6 and smtp_bind_address_enforce (postconf(5)): an address that is
 * malformed makes smtp(8) die; one that is not on this host makes it send from another one, or defer when
 * enforced.
 *
 * Any thread.
 */
#ifndef FF_BIND_H
#define FF_BIND_H

#include "health/machine.h"

#include <stdbool.h>

enum { BIND_DETAIL_BYTES = 256 };

/* bind_check - addresses as in main.cf, "" when not set.  Fills outcome (REASON_NONE; bind-address, severity
 * down or degraded; local-error) and detail, one clean line, "" when all is well. */
void bind_check(const char *address4, const char *address6, bool is_enforced,
	struct outcome *outcome, char detail[BIND_DETAIL_BYTES]);

#endif
