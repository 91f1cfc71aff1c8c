/*
 * dns_choose - which addresses of a name smtp(8) would use, in its order
 *
 * smtp_addr.c of Postfix says what this has to do.
 */
#include "probe/dns_choose.h"

#include <stdlib.h>

static bool is_ipv6(const struct dns_record *record)
{
	return record->address.sa.sa_family == AF_INET6;
}

static int by_preference(const struct dns_record *one, const struct dns_record *other)
{
	if (one->preference != other->preference)
		return one->preference < other->preference ? -1 : 1;
	return 0;
}

static int by_order(const struct dns_record *one, const struct dns_record *other)
{
	return one->order < other->order ? -1 : one->order > other->order;
}

static int ipv6_first(const void *left, const void *right)
{
	const struct dns_record *one = left, *other = right;
	int order = by_preference(one, other);

	if (order == 0 && is_ipv6(one) != is_ipv6(other))
		order = is_ipv6(one) ? -1 : 1;
	return order != 0 ? order : by_order(one, other);
}

static int ipv4_first(const void *left, const void *right)
{
	const struct dns_record *one = left, *other = right;
	int order = by_preference(one, other);

	if (order == 0 && is_ipv6(one) != is_ipv6(other))
		order = is_ipv6(one) ? 1 : -1;
	return order != 0 ? order : by_order(one, other);
}

/* ipv6_share - how many of limit addresses are IPv6, so that neither family crowds the other out */
static size_t ipv6_share(size_t ipv6, size_t ipv4, size_t limit, bool is_ipv4_first)
{
	if (ipv6 <= limit / 2)
		return ipv6;
	if (ipv4 <= limit / 2)
		return limit - ipv4;
	return limit - (limit + is_ipv4_first) / 2;
}

/* balance - the order stays; returns how many are left */
static size_t balance(struct dns_record *records, size_t count, size_t limit)
{
	size_t room[2], ipv6 = 0, kept = 0;

	for (size_t at = 0; at < count; at++)
		ipv6 += is_ipv6(&records[at]);
	room[1] = ipv6_share(ipv6, count - ipv6, limit, !is_ipv6(&records[0]));
	room[0] = limit - room[1];
	for (size_t at = 0; at < count; at++) {
		if (room[is_ipv6(&records[at])] == 0)
			continue;
		room[is_ipv6(&records[at])]--;
		records[kept++] = records[at];
	}
	return kept;
}

size_t dns_choose(struct dns_record *records, size_t count, size_t limit, enum plan_family first,
	bool is_balanced)
{
	if (count == 0)
		return 0;
	qsort(records, count, sizeof *records, first == FAMILY_IPV4 ? ipv4_first : ipv6_first);
	if (limit == 0 || count <= limit)
		return count;
	return is_balanced ? balance(records, count, limit) : limit;
}

size_t dns_drop_own(struct dns_record *records, size_t count,
	bool (*is_own)(void *arg, const struct net_address *address), void *arg, bool *has_own)
{
	size_t left = 0;

	*has_own = false;
	if (count == 0)
		return 0;
	qsort(records, count, sizeof *records, ipv6_first);
	for (size_t at = 0; at < count && !*has_own; at++) {
		if (at > 0 && records[at].preference != records[at - 1].preference)
			left = at;
		*has_own = is_own(arg, &records[at].address);
	}
	return *has_own ? left : count;
}
