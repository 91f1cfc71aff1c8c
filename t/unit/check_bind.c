/*
 * check_bind - bind addresses: malformed, foreign, of the other family, and our own wants
 */
#include "probe/bind.h"

#include "suite.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int socket_errno[AF_MAX]; /* what socket(2) fails with, 0: nothing */
static int bind_errno;

/* socket, bind - libc's, unless they are to fail */
int socket(int family, int type, int protocol)
{
	if (socket_errno[family] != 0) {
		errno = socket_errno[family];
		return -1;
	}
	return (int)syscall(SYS_socket, family, type, protocol);
}

int bind(int fd, const struct sockaddr *address, socklen_t bytes)
{
	if (bind_errno != 0) {
		errno = bind_errno;
		return -1;
	}
	return (int)syscall(SYS_bind, fd, address, bytes);
}

static void expect(const char *address4, const char *address6, bool is_enforced, enum reason reason,
	enum severity severity, const char *words)
{
	struct outcome outcome;
	char detail[BIND_DETAIL_BYTES];

	memset(detail, '#', sizeof detail);
	bind_check(address4, address6, is_enforced, &outcome, detail);
	ck_assert_ptr_nonnull(memchr(detail, '\0', sizeof detail));
	ck_assert_msg(outcome.reason == reason && outcome.severity == severity,
		"\"%s\" \"%s\" %d: %s %d \"%s\"", address4, address6, is_enforced,
		reason_token(outcome.reason), (int)outcome.severity, detail);
	ck_assert_int_eq(outcome.is_hard, reason == REASON_BIND_ADDRESS);
	ck_assert_msg(strstr(detail, words) != NULL && (*words == '\0') == (*detail == '\0'),
		"\"%s\" has no \"%s\"", detail, words);
	for (const char *at = detail; *at != '\0'; at++)
		ck_assert(*at >= ' ' && *at <= '~');
}

static void expect_good(const char *address4, const char *address6)
{
	expect(address4, address6, false, REASON_NONE, SEVERITY_NONE, "");
	expect(address4, address6, true, REASON_NONE, SEVERITY_NONE, "");
}

START_TEST(addresses_of_this_host)
{
	expect_good("", "");
	expect_good("127.0.0.1", "");
	expect_good("[127.0.0.1]", "");
	expect_good("127.1", ""); /* getaddrinfo(3) reads it, so smtp(8) does */
	expect_good("0.0.0.0", "");
	expect_good("127.0.0.1", "::");
}
END_TEST

START_TEST(malformed_ones_make_smtp_die)
{
	static const char *const malformed[] = {"localhost", "192.0.2.256", "x", " ", "[127.0.0.1",
		"[127.0.0.1]:25", "[127.0.0.1]x", "[]", "[", "]", "127.0.0.1]", "127.0.0.1:25",
		"127.0.0.1,127.0.0.2", "127.0.0.0/8", "::1::", "[[::1]]", "ipv6:::1"};

	for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
		expect(malformed[i], "", false, REASON_BIND_ADDRESS, SEVERITY_DOWN,
			"smtp_bind_address ");
		expect("", malformed[i], true, REASON_BIND_ADDRESS, SEVERITY_DOWN,
			"smtp_bind_address6 ");
	}
	expect("192.0.2.300", "", false, REASON_BIND_ADDRESS, SEVERITY_DOWN,
		"smtp_bind_address 192.0.2.300: not an address");
	expect("\001\303\244", "", false, REASON_BIND_ADDRESS, SEVERITY_DOWN, "???: not an");
}
END_TEST

START_TEST(addresses_of_other_hosts)
{
	expect("192.0.2.1", "", false, REASON_BIND_ADDRESS, SEVERITY_DEGRADED,
		"smtp_bind_address 192.0.2.1: not on this host");
	expect("[192.0.2.1]", "", true, REASON_BIND_ADDRESS, SEVERITY_DOWN, "[192.0.2.1]");
	expect("", "2001:db8::1", false, REASON_BIND_ADDRESS, SEVERITY_DEGRADED,
		"smtp_bind_address6 2001:db8::1: not on this host");
	/* smtp(8) goes on with IPv4 */
	expect("127.0.0.1", "2001:db8::1", true, REASON_BIND_ADDRESS, SEVERITY_DEGRADED,
		"not on this host");
}
END_TEST

START_TEST(addresses_of_the_other_family)
{
	expect("", "127.0.0.1", false, REASON_BIND_ADDRESS, SEVERITY_DEGRADED,
		"smtp_bind_address6 127.0.0.1: not an IPv6 address");
	expect("::1", "", false, REASON_BIND_ADDRESS, SEVERITY_DEGRADED,
		"smtp_bind_address ::1: not an IPv4 address");
	expect("::1", "", true, REASON_BIND_ADDRESS, SEVERITY_DOWN, "not an IPv4 address");
}
END_TEST

START_TEST(the_worst_of_both_counts)
{
	expect("192.0.2.1", "2001:db8::1", true, REASON_BIND_ADDRESS, SEVERITY_DOWN,
		"smtp_bind_address ");
	expect("192.0.2.1", "x", false, REASON_BIND_ADDRESS, SEVERITY_DOWN, "smtp_bind_address6 ");
	socket_errno[AF_INET] = EMFILE;
	expect("127.0.0.1", "x", false, REASON_BIND_ADDRESS, SEVERITY_DOWN, "smtp_bind_address6 ");
	expect("127.0.0.1", "", false, REASON_LOCAL_ERROR, SEVERITY_NONE, "Too many open files");
}
END_TEST

START_TEST(a_host_without_ipv6_never_looks)
{
	socket_errno[AF_INET6] = EAFNOSUPPORT;
	expect_good("", "2001:db8::1");
	expect_good("127.0.0.1", "nonsense");
}
END_TEST

START_TEST(our_own_wants)
{
	static const int sockets[] = {EMFILE, ENFILE, ENOMEM, ENOBUFS, EACCES, EPERM};
	static const int binds[] = {EACCES, EPERM, ENOMEM, ENOBUFS, EADDRINUSE};

	for (size_t i = 0; i < sizeof sockets / sizeof *sockets; i++) {
		socket_errno[AF_INET] = socket_errno[AF_INET6] = sockets[i];
		expect("127.0.0.1", "", true, REASON_LOCAL_ERROR, SEVERITY_NONE,
			strerror(sockets[i]));
		expect("", "::1", false, REASON_LOCAL_ERROR, SEVERITY_NONE, "smtp_bind_address6");
	}
	socket_errno[AF_INET] = socket_errno[AF_INET6] = 0;
	for (size_t i = 0; i < sizeof binds / sizeof *binds; i++) {
		bind_errno = binds[i];
		expect("127.0.0.1", "", true, REASON_LOCAL_ERROR, SEVERITY_NONE,
			strerror(binds[i]));
	}
}
END_TEST

START_TEST(no_descriptor_is_left)
{
	int first = dup(0), last;

	(void)close(first);
	for (int round = 0; round < 100; round++) {
		expect("192.0.2.1", "::1::", true, REASON_BIND_ADDRESS, SEVERITY_DOWN, "smtp");
		expect_good("127.0.0.1", "");
	}
	last = dup(0);
	(void)close(last);
	ck_assert_int_eq(first, last);
}
END_TEST

START_TEST(long_addresses)
{
	static char text[100000];

	memset(text, '1', sizeof text - 1);
	expect(text, "", false, REASON_BIND_ADDRESS, SEVERITY_DOWN, "not an address");
	text[0] = '[';
	expect("", text, false, REASON_BIND_ADDRESS, SEVERITY_DOWN, "not an address");
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, addresses_of_this_host);
	tcase_add_test(tcase, malformed_ones_make_smtp_die);
	tcase_add_test(tcase, addresses_of_other_hosts);
	tcase_add_test(tcase, addresses_of_the_other_family);
	tcase_add_test(tcase, the_worst_of_both_counts);
	tcase_add_test(tcase, a_host_without_ipv6_never_looks);
	tcase_add_test(tcase, our_own_wants);
	tcase_add_test(tcase, no_descriptor_is_left);
	tcase_add_test(tcase, long_addresses);
}

int main(void)
{
	return suite_run("bind", add);
}
