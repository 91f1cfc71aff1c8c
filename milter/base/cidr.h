/*
 * cidr - IP networks, "192.0.2.0/24", "[2001:db8::]/32", "127.0.0.1"
 *
 * Pure; any thread.
 */
#ifndef FF_CIDR_H
#define FF_CIDR_H

#include <stdbool.h>
#include <stdint.h>

/* An address or network; IPv4 is kept as an IPv4-mapped IPv6 address. */
struct cidr {
	uint8_t address[16];
	unsigned bits;
};

/* cidr_parse - brackets around an IPv6 address are optional, so is the prefix length.  false when it
 * is no address, or when bits are set behind the prefix (as Postfix refuses them). */
bool cidr_parse(const char *text, struct cidr *out);

/* cidr_error - the same, but NULL on success, else what is wrong (constant text) */
const char *cidr_error(const char *text, struct cidr *out);

/* cidr_contains - does the network hold the address (a cidr parsed without a prefix)? */
bool cidr_contains(const struct cidr *network, const struct cidr *address);

/* cidr_is_any - 0.0.0.0 or :: */
bool cidr_is_any(const struct cidr *address);

/* cidr_is_loopback - 127.0.0.0/8 or ::1 */
bool cidr_is_loopback(const struct cidr *address);

#endif
