/*
 * bind - are the bind addresses of an smtp(8) or lmtp(8) transport on this host?
 *
 * Done as smtp(8) does it: the text is read by getaddrinfo(3), and the kernel is asked by bind(2)
 * on a socket of the family that the parameter is for.  No port is taken.
 *
 * An IPv6 address that is missing never makes more than "degraded", even when enforced: smtp(8)
 * then skips the IPv6 addresses of a destination and goes on with its IPv4 addresses.
 */
#include "probe/bind.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* One of the two parameters; lmtp(8) has its own names for them. */
struct parameter {
	const char *name;
	int family;
	enum severity enforced; /* severity of an address that is missing, when enforced */
};

static const struct parameter ipv4 = {"smtp_bind_address", AF_INET, SEVERITY_DOWN};
static const struct parameter ipv6 = {"smtp_bind_address6", AF_INET6, SEVERITY_DEGRADED};

struct finding {
	struct outcome outcome;
	char detail[BIND_DETAIL_BYTES];
};

/* describe - one printable line */
static void describe(struct finding *finding, const struct parameter *parameter,
	const char *address, const char *what)
{
	(void)snprintf(finding->detail, sizeof finding->detail, "%s %.100s: %s", parameter->name,
		address, what);
	for (char *at = finding->detail; *at != '\0'; at++)
		if (*at < ' ' || *at > '~')
			*at = '?';
}

static void blame(struct finding *finding, enum severity severity)
{
	finding->outcome = (struct outcome){REASON_BIND_ADDRESS, severity, true};
}

static void blame_us(struct finding *finding)
{
	finding->outcome = (struct outcome){REASON_LOCAL_ERROR, SEVERITY_NONE, false};
}

/* parse - as smtp(8): brackets may stand around either kind of address */
static int parse(const char *text, struct addrinfo **out)
{
	const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
	size_t length = strlen(text);
	char host[NI_MAXHOST];

	if (*text == '[') {
		text++;
		length -= 1;
		if (strcspn(text, "]") + 1 != length)
			return EAI_NONAME;
		length--;
	}
	if (length >= sizeof host)
		return EAI_NONAME;
	memcpy(host, text, length);
	host[length] = '\0';
	return getaddrinfo(host, NULL, &hints, out);
}

/* try_bind - 0 or an errno */
static int try_bind(int fd, const struct addrinfo *address)
{
	const int on = 1;

	/* both kinds of sockets take it; older kernels go without */
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
	return bind(fd, address->ai_addr, address->ai_addrlen) == 0 ? 0 : errno;
}

/* is_address_fault - the address is not on this host, or not of this family; else it is our own
 * want */
static bool is_address_fault(int error)
{
	return error == EADDRNOTAVAIL || error == EAFNOSUPPORT || error == EINVAL ||
	       error == ENODEV || error == ENXIO;
}

/* judge - what bind(2) said */
static void judge(struct finding *finding, const struct parameter *parameter, const char *text,
	const struct addrinfo *address, int error, bool is_enforced)
{
	if (error == 0)
		return;
	if (!is_address_fault(error)) {
		blame_us(finding);
		describe(finding, parameter, text, strerror(error));
		return;
	}
	blame(finding, is_enforced ? parameter->enforced : SEVERITY_DEGRADED);
	if (address->ai_family == parameter->family)
		describe(finding, parameter, text, "not on this host");
	else
		describe(finding, parameter, text,
			parameter->family == AF_INET6 ? "not an IPv6 address"
						      : "not an IPv4 address");
}

/* check_text - the address is set and there are sockets for it */
static void check_text(struct finding *finding, const struct parameter *parameter, const char *text,
	int fd, bool is_enforced)
{
	struct addrinfo *address;
	int status = parse(text, &address);

	if (status == EAI_MEMORY || status == EAI_SYSTEM || status == EAI_AGAIN) {
		blame_us(finding);
		describe(finding, parameter, text, gai_strerror(status));
	} else if (status != 0) {
		blame(finding, SEVERITY_DOWN);
		describe(finding, parameter, text, "not an address");
	} else {
		judge(finding, parameter, text, address, try_bind(fd, address), is_enforced);
		freeaddrinfo(address);
	}
}

/* check_parameter - without sockets of that family Postfix never looks at the parameter */
static void check_parameter(struct finding *finding, const struct parameter *parameter,
	const char *text, bool is_enforced)
{
	int fd;

	memset(finding, 0, sizeof *finding);
	if (*text == '\0')
		return;
	fd = socket(parameter->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		check_text(finding, parameter, text, fd, is_enforced);
		(void)close(fd);
	} else if (errno != EAFNOSUPPORT) {
		blame_us(finding);
		describe(finding, parameter, text, strerror(errno));
	}
}

/* is_worse - a fault for sure before what could not be looked at */
static bool is_worse(const struct finding *one, const struct finding *other)
{
	if (one->outcome.severity != other->outcome.severity)
		return one->outcome.severity > other->outcome.severity;
	return other->outcome.reason == REASON_NONE;
}

void bind_check(const char *address4, const char *address6, bool is_enforced,
	struct outcome *outcome, char detail[BIND_DETAIL_BYTES])
{
	struct finding finding4, finding6;
	const struct finding *worst = &finding4;

	check_parameter(&finding4, &ipv4, address4, is_enforced);
	check_parameter(&finding6, &ipv6, address6, is_enforced);
	if (is_worse(&finding6, &finding4))
		worst = &finding6;
	*outcome = worst->outcome;
	memcpy(detail, worst->detail, sizeof worst->detail);
}
