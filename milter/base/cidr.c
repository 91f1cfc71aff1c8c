/*
 * cidr - IP networks
 */
#include "base/cidr.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

enum { MAPPED_BITS = 96 };

static const char not_a_network[] = "neither an address nor a network";
static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

/* parse_bits - "24" up to limit; false when it is no such number */
static bool parse_bits(const char *text, unsigned limit, unsigned *bits)
{
	char *end;
	unsigned long value;

	if (*text < '0' || *text > '9')
		return false;
	value = strtoul(text, &end, 10);
	*bits = (unsigned)value;
	return *end == '\0' && value <= limit;
}

static bool has_host_bits(const struct cidr *network)
{
	for (unsigned bit = network->bits; bit < 128; bit++)
		if ((network->address[bit / 8] & (0x80U >> (bit % 8))) != 0)
			return true;
	return false;
}

const char *cidr_error(const char *text, struct cidr *out)
{
	char host[INET6_ADDRSTRLEN + 2];
	const char *slash = strchr(text, '/');
	size_t length = slash != NULL ? (size_t)(slash - text) : strlen(text);
	bool is_ipv4;

	if (length >= 2 && text[0] == '[' && text[length - 1] == ']') {
		text++;
		length -= 2;
	}
	if (length == 0 || length >= sizeof host)
		return not_a_network;
	memcpy(host, text, length);
	host[length] = '\0';
	memcpy(out->address, mapped_prefix, sizeof mapped_prefix);
	is_ipv4 = inet_pton(AF_INET, host, out->address + sizeof mapped_prefix) == 1;
	if (!is_ipv4 && inet_pton(AF_INET6, host, out->address) != 1)
		return not_a_network;
	out->bits = 128;
	if (slash != NULL && !parse_bits(slash + 1, is_ipv4 ? 32 : 128, &out->bits))
		return "not a valid prefix length";
	if (slash != NULL && is_ipv4)
		out->bits += MAPPED_BITS;
	return has_host_bits(out) ? "has host bits behind its prefix length" : NULL;
}

bool cidr_parse(const char *text, struct cidr *out)
{
	return cidr_error(text, out) == NULL;
}

bool cidr_contains(const struct cidr *network, const struct cidr *address)
{
	unsigned whole = network->bits / 8, rest = network->bits % 8;
	uint8_t mask = (uint8_t)(0xff00U >> rest);

	return memcmp(network->address, address->address, whole) == 0 &&
	       (rest == 0 || ((network->address[whole] ^ address->address[whole]) & mask) == 0);
}

bool cidr_is_loopback(const struct cidr *address)
{
	static const struct cidr ipv4 = {
		{[10] = 0xff, [11] = 0xff, [12] = 127},
		104
	};
	static const struct cidr ipv6 = {{[15] = 1}, 128};

	return cidr_contains(&ipv4, address) || cidr_contains(&ipv6, address);
}

bool cidr_is_any(const struct cidr *address)
{
	static const struct cidr ipv4 = {{[10] = 0xff, [11] = 0xff}, 128};
	static const struct cidr ipv6 = {.bits = 128};

	return cidr_contains(&ipv4, address) || cidr_contains(&ipv6, address);
}
