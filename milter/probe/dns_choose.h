/*
 * dns_choose - which addresses of a name smtp(8) would use, in its order
 *
 * Pure; any thread.
 */
#ifndef FF_DNS_CHOOSE_H
#define FF_DNS_CHOOSE_H

#include "postfix/site.h"
#include "probe/connect.h"

#include <stdbool.h>
#include <stddef.h>

/* One address of a host that a name stands for. */
struct dns_record {
	struct net_address address;
	unsigned preference; /* of the MX record, 0 without one */
	unsigned order;      /* of equal ones, as the name server has them */
	unsigned char host;  /* whose it is, a number */
};

/*
 * dns_choose - sort the records in place and keep those that are tried; returns how many.
 *
 * limit: smtp_mx_address_limit, 0 for none.  is_balanced: smtp_balance_inet_protocols.  With FAMILY_ANY
 * smtp(8) takes equal ones in a random order; here IPv6 comes first, because a probe that met only the working
 * half of a server could not tell that mail meets the other half.
 */
size_t dns_choose(struct dns_record *records, size_t count, size_t limit, enum plan_family first,
	bool is_balanced);

/*
 * dns_drop_own - leave out what smtp(8) leaves out when this host is one of the mail exchangers: its own addresses
 * and all that are not preferred to them.  Returns how many are left, sorted; *has_own: one was its own.
 */
size_t dns_drop_own(struct dns_record *records, size_t count,
	bool (*is_own)(void *arg, const struct net_address *address), void *arg, bool *has_own);

#endif
