/*
 * conf_check - what the text of a value may look like
 *
 * Each function says in a few words what is wrong, the table of options says what would be right.
 * Nothing here depends on the host: whether a user exists is asked when it matters.
 */
#include "base/cidr.h"
#include "base/pattern.h"
#include "conf/conf_private.h"
#include "health/hop.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

enum { HEADER_NAME_MAX = 64, ACCOUNT_MAX = 64, PATH_MAX_BYTES = 1024, ADDRESS_MAX = 512 };

/* has_only_visible - no spaces, quotes or control characters, as in addresses and hops */
static bool has_only_visible(const char *text)
{
	for (const unsigned char *cp = (const unsigned char *)text; *cp != '\0'; cp++)
		if (*cp <= ' ' || *cp == 0x7f || *cp == '"' || *cp == '\'')
			return false;
	return true;
}

static const char *check_path(const char *text)
{
	if (*text != '/')
		return "not an absolute path";
	if (strlen(text) >= PATH_MAX_BYTES)
		return "too long";
	return NULL;
}

const char *conf_check_socket_path(const char *text)
{
	if (*text != '/')
		return "not an absolute path";
	if (strlen(text) >= sizeof((struct sockaddr_un *)NULL)->sun_path)
		return "too long for a UNIX socket";
	if (text[strlen(text) - 1] == '/')
		return "not the path of a socket";
	return NULL;
}

const char *conf_check_optional_path(const char *text)
{
	return *text == '\0' ? NULL : check_path(text);
}

const char *conf_check_directory(const char *text)
{
	return check_path(text);
}

/* host_error - a host name (with the underscores that people do use) or an address */
static const char *host_error(const char *host, size_t length)
{
	size_t label = 0;

	if (length == 0)
		return "the host is missing";
	if (length > 253)
		return "the host name is too long";
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)host[i];
		bool is_alnum =
			(c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');

		if (c == '.' ? label == 0 : !is_alnum && c != '_' && (c != '-' || label == 0))
			return "not a valid host name";
		label = c == '.' ? 0 : label + 1;
		if (label > 63)
			return "not a valid host name";
	}
	return host[length - 1] == '-' ? "not a valid host name" : NULL;
}

static const char *address6_error(const char *text, size_t length)
{
	char copy[INET6_ADDRSTRLEN];
	struct in6_addr address;

	if (length >= sizeof copy)
		return "not a valid IPv6 address";
	memcpy(copy, text, length);
	copy[length] = '\0';
	return inet_pton(AF_INET6, copy, &address) == 1 ? NULL : "not a valid IPv6 address";
}

/* endpoint_error - HOST, ADDRESS, or [IPv6]; also a bare IPv6 address when may_be_bare6 */
static const char *endpoint_error(const char *text, size_t length, bool may_be_bare6)
{
	if (length >= 2 && text[0] == '[' && text[length - 1] == ']') {
		if (memchr(text, ':', length) == NULL)
			return host_error(text + 1, length - 2);
		return address6_error(text + 1, length - 2);
	}
	if (may_be_bare6 && memchr(text, ':', length) != NULL)
		return address6_error(text, length);
	return host_error(text, length);
}

static const char *port_error(const char *text, size_t length)
{
	unsigned long port = 0;

	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9' || i >= 5)
			return "not a valid port";
		port = port * 10 + (unsigned long)(text[i] - '0');
	}
	return port >= 1 && port <= 65535 ? NULL : "not a valid port";
}

/* inet_socket_error - PORT@HOST, as libmilter writes it */
static const char *inet_socket_error(const char *text, bool is_inet6)
{
	const char *at = strchr(text, '@');
	const char *wrong;

	if (at == NULL)
		return "the address to listen on is missing";
	wrong = port_error(text, (size_t)(at - text));
	return wrong != NULL ? wrong : endpoint_error(at + 1, strlen(at + 1), is_inet6);
}

static const char *inet4_socket_error(const char *text)
{
	return inet_socket_error(text, false);
}

static const char *inet6_socket_error(const char *text)
{
	return inet_socket_error(text, true);
}

const char *conf_check_listen(const char *text)
{
	static const struct {
		const char *prefix;
		conf_check_fn *check;
	} families[] = {
		{"unix:", conf_check_socket_path},
		{"local:", conf_check_socket_path},
		{"inet:", inet4_socket_error},
		{"inet6:", inet6_socket_error},
	};

	for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
		if (strncmp(text, families[i].prefix, strlen(families[i].prefix)) == 0)
			return families[i].check(text + strlen(families[i].prefix));
	return "not a socket address";
}

/* address_port_error - HOST:PORT; the port may be missing when it is optional */
static const char *address_port_error(const char *text, bool is_port_optional)
{
	const char *bracket = strrchr(text, ']');
	const char *colon = strrchr(bracket != NULL ? bracket : text, ':');
	const char *wrong;

	if (colon == NULL)
		return is_port_optional ? endpoint_error(text, strlen(text), false)
					: "the port is missing";
	wrong = endpoint_error(text, (size_t)(colon - text), false);
	return wrong != NULL ? wrong : port_error(colon + 1, strlen(colon + 1));
}

const char *conf_check_address_port(const char *text)
{
	return *text == '\0' ? NULL : address_port_error(text, false);
}

const char *conf_check_host_port(const char *text)
{
	return address_port_error(text, true);
}

const char *conf_check_account(const char *text)
{
	if (*text == '-' || !has_only_visible(text) || strpbrk(text, ":/,") != NULL)
		return "not a valid name";
	return strlen(text) > ACCOUNT_MAX ? "too long" : NULL;
}

const char *conf_check_optional_host(const char *text)
{
	return *text == '\0' ? NULL : host_error(text, strlen(text));
}

const char *conf_check_helo(const char *text)
{
	static const char ipv6[] = "[IPv6:";
	struct in_addr address;
	char copy[INET_ADDRSTRLEN];
	size_t length = strlen(text);

	if (*text != '[')
		return conf_check_optional_host(text);
	if (text[length - 1] != ']')
		return "not a valid address literal";
	if (strncasecmp(text, ipv6, sizeof ipv6 - 1) == 0)
		return address6_error(text + sizeof ipv6 - 1, length - sizeof ipv6);
	if (length - 2 >= sizeof copy)
		return "not a valid address literal";
	memcpy(copy, text + 1, length - 2);
	copy[length - 2] = '\0';
	return inet_pton(AF_INET, copy, &address) == 1 ? NULL : "not a valid address literal";
}

/* conf_check_header_name - a field name of RFC 5322, 3.6.8 */
const char *conf_check_header_name(const char *text)
{
	if (*text == '\0')
		return "the name is empty";
	for (const unsigned char *cp = (const unsigned char *)text; *cp != '\0'; cp++)
		if (*cp <= ' ' || *cp >= 0x7f || *cp == ':')
			return "not the name of a header field";
	return strlen(text) > HEADER_NAME_MAX ? "too long" : NULL;
}

/* hop_error - a hop as Postfix writes it, with or without a nexthop */
static const char *hop_error(const char *text)
{
	char transport[HOP_NAME_BYTES], name[HOP_NAME_BYTES];
	const char *nexthop;

	if (strlen(text) >= HOP_NAME_BYTES)
		return "too long for a hop";
	if (!hop_split(text, transport, sizeof transport, &nexthop))
		return "the transport is missing";
	return hop_name(name, transport, nexthop) ? NULL
						  : "has spaces, quotes or control characters";
}

const char *conf_check_optional_hop(const char *text)
{
	return *text == '\0' ? NULL : hop_error(text);
}

const char *conf_check_hop_title(const char *text)
{
	if (strpbrk(text, "*?") != NULL)
		return conf_check_pattern(text);
	if (strchr(text, ':') == NULL)
		return "not a hop: it has no colon";
	return hop_error(text);
}

const char *conf_check_pattern(const char *text)
{
	if (*text == '\0')
		return "the pattern is empty";
	if (!has_only_visible(text))
		return "has spaces, quotes or control characters";
	return strlen(text) >= HOP_NAME_BYTES ? "too long" : NULL;
}

const char *conf_check_optional_address(const char *text)
{
	const char *at = strrchr(text, '@');

	if (*text == '\0')
		return NULL;
	if (at == NULL || at == text || at[1] == '\0')
		return "not a mail address";
	if (!has_only_visible(text) || strpbrk(text, "<>()") != NULL)
		return "not a mail address";
	return strlen(text) >= ADDRESS_MAX ? "too long" : NULL;
}

const char *conf_check_client(const char *text)
{
	static const char *const words[] = {
		"authenticated", "mynetworks", "local", "reentry", "other"};
	struct cidr network;

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcmp(words[i], text) == 0)
			return NULL;
	return cidr_error(text, &network);
}

const char *conf_check_role(const char *text)
{
	for (int role = ROLE_PROXY_FILTER; role <= ROLE_TRANSPORT; role <<= 1)
		if (strcmp(hop_role_name((enum hop_role)role), text) == 0)
			return NULL;
	return "unknown role";
}

const char *conf_check_reason(const char *text)
{
	for (int reason = REASON_NONE + 1; reason < REASON_COUNT; reason++)
		if (pattern_match(text, reason_token((enum reason)reason)))
			return NULL;
	return "matches no reason";
}

const char *conf_check_transport(const char *text)
{
	if (*text == '\0')
		return "the transport is missing";
	if (strpbrk(text, ":/*?") != NULL || !has_only_visible(text) ||
		strlen(text) >= HOP_HOST_BYTES)
		return "not the name of a transport";
	return NULL;
}

const char *conf_check_rule_name(const char *text)
{
	return *text == '\0' ? "the name is empty" : NULL;
}
