/*
 * hop - names of hops and the destinations that they stand for
 *
 * Destinations are read as smtp(8), lmtp(8) and smtpd(8) read them, oddities included, because a
 * destination that Postfix takes and we do not would turn mail away for nothing.  The three differ
 * a little, and a hop's name does not say which of them will use it: where they disagree, the
 * reading under which the destination is valid wins.
 */
#include "health/hop.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DIGITS "0123456789"

enum { LABEL_BYTES = 63, SERVICES_BYTES = 4096 };

static const char *const check_names[CHECK_COUNT] = {
	[CHECK_SERVICE] = "service",
	[CHECK_BIND] = "bind",
	[CHECK_COMMAND] = "command",
	[CHECK_RESOLVE] = "resolve",
	[CHECK_SERVER] = "server",
};

static const struct {
	enum hop_role role;
	const char *name, *text;
} roles[] = {
	{ROLE_PROXY_FILTER, "proxy-filter", "proxy filter"},
	{ROLE_CONTENT_FILTER, "content-filter", "content filter"},
	{ROLE_RELAYHOST, "relayhost", "relayhost"},
	{ROLE_TRANSPORT, "transport", "transport"},
};

enum { ROLE_LINES = sizeof roles / sizeof roles[0] };

/* Names that Postfix knows without services(5) (known_tcp_ports). */
static const struct {
	const char *name;
	uint16_t port;
} known_ports[] = {
	{"lmtp", 24},
	{"smtp", 25},
	{"smtps", 465},
	{"submissions", 465},
	{"submission", 587},
};

static size_t role_line(enum hop_role role)
{
	size_t line = 0;

	while (line < ROLE_LINES - 1 && roles[line].role != role)
		line++;
	return line;
}

const char *hop_role_name(enum hop_role role)
{
	return roles[role_line(role)].name;
}

const char *hop_role_text(enum hop_role role)
{
	return roles[role_line(role)].text;
}

const char *hop_check_name(enum hop_check check)
{
	return check_names[check];
}

/* is_clean - fit for a log line, a header's quoted string and a line protocol as it is */
static bool is_clean(const char *text)
{
	for (const char *cp = text; *cp != '\0'; cp++)
		if ((unsigned char)*cp <= ' ' || *cp == 0x7f || *cp == '"' || *cp == '\'' || *cp == '\\')
			return false;
	return true;
}

bool hop_name(char out[HOP_NAME_BYTES], const char *transport, const char *nexthop)
{
	size_t length = strlen(transport), rest = strlen(nexthop);

	/* A colon in the transport would make hop_split() find another one. */
	if (*transport == '\0' || strchr(transport, ':') != NULL)
		return false;
	if (!is_clean(transport) || !is_clean(nexthop))
		return false;
	if (length + rest + 2 > HOP_NAME_BYTES)
		return false;
	memcpy(out, transport, length + 1);
	out[length] = ':';
	memcpy(out + length + 1, nexthop, rest + 1);
	return true;
}

bool hop_list_name(char out[HOP_NAME_BYTES], const char *transport, const char *nexthop)
{
	char list[HOP_NAME_BYTES];
	size_t used = 0;

	for (;;) {
		size_t length;

		nexthop += strspn(nexthop, HOP_SEPARATORS);
		length = strcspn(nexthop, HOP_SEPARATORS);
		if (length == 0)
			break;
		if (used + length + 2 > sizeof list)
			return false;
		if (used > 0)
			list[used++] = ',';
		memcpy(list + used, nexthop, length);
		used += length;
		nexthop += length;
	}
	list[used] = '\0';
	return hop_name(out, transport, list);
}

bool hop_split(const char *name, char *transport, size_t transport_bytes, const char **nexthop)
{
	size_t length = strcspn(name, ":");

	if (length == 0 || length >= transport_bytes)
		return false;
	memcpy(transport, name, length);
	transport[length] = '\0';
	*nexthop = name + length + (name[length] == ':' ? 1 : 0);
	return true;
}

static bool is_all_digits(const char *text)
{
	return *text != '\0' && text[strspn(text, DIGITS)] == '\0';
}

/* port_of_service - look a name up as Postfix does; 0: unknown */
static uint16_t port_of_service(const char *service)
{
	struct servent entry, *found = NULL;
	char buffer[SERVICES_BYTES];

	for (size_t line = 0; line < sizeof known_ports / sizeof known_ports[0]; line++)
		if (strcmp(known_ports[line].name, service) == 0)
			return known_ports[line].port;
	if (getservbyname_r(service, "tcp", &entry, buffer, sizeof buffer, &found) != 0)
		return 0;
	return found == NULL ? 0 : ntohs((uint16_t)found->s_port);
}

const char *hop_parse_port(const char *service, uint16_t *port)
{
	if (is_all_digits(service)) {
		unsigned long number = strtoul(service, NULL, 10);

		if (number == 0 || number > UINT16_MAX)
			return "port number out of range";
		*port = (uint16_t)number;
		return NULL;
	}
	if (strspn(service, DIGITS) > 0)
		return "garbage after the port number";
	*port = port_of_service(service);
	return *port == 0 ? "unknown port" : NULL;
}

/* parse_address - true when host is an address; an odd spelling ("010.1.2.3") is brought to the one
 * that inet_pton(3) knows, with the meaning that getaddrinfo(3) and so Postfix gives it */
static bool parse_address(char *host, size_t host_bytes)
{
	struct in6_addr in6;
	struct in_addr in4;
	unsigned dots = 0;

	if (inet_pton(AF_INET6, host, &in6) == 1)
		return true;
	if (host[strspn(host, DIGITS ".")] != '\0')
		return false;
	for (const char *cp = host; *cp != '\0'; cp++)
		dots += *cp == '.';
	/* inet_aton(3) alone would take "127.1", which Postfix does not. */
	if (dots != 3 || inet_aton(host, &in4) == 0)
		return false;
	return inet_ntop(AF_INET, &in4, host, (socklen_t)host_bytes) != NULL;
}

/* is_label_byte - bytes of UTF-8 belong to internationalized names */
static bool is_label_byte(unsigned char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       (byte >= '0' && byte <= '9') || byte == '_' || byte == '-' || byte >= 0x80;
}

/* is_hostname - Postfix's idea of one: underscores are fine, a number is not */
static bool is_hostname(const char *host)
{
	size_t label = 0;

	if (*host == '\0' || host[strspn(host, DIGITS ".")] == '\0')
		return false;
	for (const char *cp = host; *cp != '\0'; cp++) {
		if (*cp == '.' && (label == 0 || cp[1] == '\0'))
			return false;
		if (*cp != '.' && !is_label_byte((unsigned char)*cp))
			return false;
		if (*cp == '-' && (label == 0 || cp[1] == '.' || cp[1] == '\0'))
			return false;
		label = *cp == '.' ? 0 : label + 1;
		if (label > LABEL_BYTES)
			return false;
	}
	return true;
}

/* parse_bracketed - split "[host]:port", "[host]:" or "[host]"; NULL when fine */
static const char *parse_bracketed(char *text, char **host, char **service)
{
	bool is_ipv6 = strncasecmp(text + 1, "ipv6:", 5) == 0;
	struct in6_addr in6;
	char *end;

	*host = text + (is_ipv6 ? 6 : 1);
	end = strchr(*host, ']');
	if (end == NULL)
		return "missing \"]\"";
	*end++ = '\0';
	if (*end != '\0' && *end++ != ':')
		return "garbage after \"]\"";
	if (is_ipv6 && inet_pton(AF_INET6, *host, &in6) != 1)
		return "malformed IPv6 address";
	*service = end;
	return NULL;
}

/* parse_bare - split "host:port", "host:" or "host" at the last colon.  Only smtpd_proxy_filter has
 * no default port: there a single word is a port, on this host. */
static const char *parse_bare(char *text, bool has_default, char **host, char **service)
{
	static char none[] = "", localhost[] = "localhost";
	char *colon = strrchr(text, ':');

	*host = text;
	*service = none;
	if (colon != NULL) {
		*colon = '\0';
		*service = colon + 1;
	} else if (!has_default) {
		*host = none;
		*service = text;
	}
	if (**host == '\0' && !has_default)
		*host = localhost;
	return **host == '\0' ? "missing host" : NULL;
}

/* parse_inet - NULL when fine; text is overwritten */
static const char *parse_inet(char *text, uint16_t default_port, struct hop_target *target)
{
	bool is_bracketed = *text == '[';
	char *host, *service;
	const char *why;
	size_t length;

	why = is_bracketed ? parse_bracketed(text, &host, &service)
			   : parse_bare(text, default_port != 0, &host, &service);
	if (why != NULL)
		return why;
	length = strlen(host);
	if (length >= sizeof target->host)
		return "host name too long";
	memcpy(target->host, host, length + 1);
	target->is_numeric = parse_address(target->host, sizeof target->host);
	if (!target->is_numeric && !is_hostname(host))
		return "valid host name or address required";
	/* For a bare address smtp(8) finds no MX record and goes on with the address itself.  Only
	 * smtpd_proxy_filter has no default port, and smtpd(8) looks up no MX records. */
	target->lookup_mx = target->protocol == PROTOCOL_SMTP && default_port != 0 &&
			    !is_bracketed && !target->is_numeric;
	target->port = default_port;
	if (*service != '\0')
		return hop_parse_port(service, &target->port);
	return default_port == 0 ? "missing port" : NULL;
}

/* has_prefix - "unix:" or "inet:".  smtp(8) has no prefixes, so "unix:25" is port 25 of the host
 * "unix" there; whatever has no port behind the colon can only be meant for the other two. */
static bool has_prefix(
	const char *nexthop, const char *prefix, enum hop_protocol protocol, uint16_t default_port)
{
	uint16_t port;

	if (strncasecmp(nexthop, prefix, strlen(prefix)) != 0)
		return false;
	return protocol == PROTOCOL_LMTP || default_port == 0 ||
	       hop_parse_port(nexthop + strlen(prefix), &port) != NULL;
}

static const char *parse_unix(const char *path, struct hop_target *target)
{
	size_t length = strlen(path);

	target->is_unix = true;
	if (length == 0)
		return "missing path";
	if (length >= sizeof target->path)
		return "path too long";
	memcpy(target->path, path, length + 1);
	return NULL;
}

static const char *parse(const char *nexthop, uint16_t default_port, struct hop_target *target)
{
	char text[HOP_NAME_BYTES];

	if (has_prefix(nexthop, "unix:", target->protocol, default_port))
		return parse_unix(nexthop + strlen("unix:"), target);
	if (has_prefix(nexthop, "inet:", target->protocol, default_port))
		nexthop += strlen("inet:");
	if (*nexthop == '\0')
		return "empty destination";
	if (strlen(nexthop) >= sizeof text)
		return "destination too long";
	(void)strcpy(text, nexthop);
	return parse_inet(text, default_port, target);
}

enum reason hop_parse_nexthop(const char *nexthop, enum hop_protocol protocol,
	uint16_t default_port, struct hop_target *target, const char **why)
{
	memset(target, 0, sizeof *target);
	target->protocol = protocol;
	*why = parse(nexthop, default_port, target);
	return *why == NULL ? REASON_NONE : REASON_NEXTHOP_INVALID;
}

/* is_localhost - RFC 6761 6.3 */
static bool is_localhost(const char *host)
{
	static const char localhost[] = "localhost";
	size_t length = strlen(host), tail = sizeof localhost - 1;

	if (length < tail || strcasecmp(host + length - tail, localhost) != 0)
		return false;
	return length == tail || host[length - tail - 1] == '.';
}

bool hop_target_is_local(const struct hop_target *target)
{
	struct in6_addr in6;
	struct in_addr in4;

	if (target->is_unix)
		return true;
	if (inet_pton(AF_INET, target->host, &in4) == 1)
		return ntohl(in4.s_addr) >> 24 == IN_LOOPBACKNET;
	if (inet_pton(AF_INET6, target->host, &in6) == 1)
		return IN6_IS_ADDR_LOOPBACK(&in6) ||
		       (IN6_IS_ADDR_V4MAPPED(&in6) && in6.s6_addr[12] == IN_LOOPBACKNET);
	return is_localhost(target->host);
}
