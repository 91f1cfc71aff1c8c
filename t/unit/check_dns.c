/*
 * check_dns - look-ups against a name server of our own on a loopback port
 */
#include "probe/dns.h"

#include "suite.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

enum { A = 1, CNAME = 5, MX = 15, AAAA = 28, NOERROR = 0, SERVFAIL = 2, NXDOMAIN = 3, SILENT = 99 };
enum { TIMEOUT_MS = 1000, PORT = 2525, PACKET_BYTES = 512, HEADER_BYTES = 12 };

/* What is not in the zone does not exist; a name with another type only has no data. */
static const struct {
	const char *name;
	int type, rcode;
	unsigned preference;
	const char *data;
} zone[] = {
	{"plain.test", A, NOERROR, 0, "192.0.2.1"},
	{"both.test", A, NOERROR, 0, "192.0.2.2"},
	{"both.test", AAAA, NOERROR, 0, "2001:db8::2"},
	{"domain.test", MX, NOERROR, 20, "plain.test"},
	{"domain.test", MX, NOERROR, 10, "both.test"},
	{"domain.test", MX, NOERROR, 30, "gone.test"},
	{"null.test", MX, NOERROR, 0, ""},
	{"null.test", A, NOERROR, 0, "192.0.2.3"},
	{"lost.test", MX, NOERROR, 10, "gone.test"},
	{"halfsick.test", MX, NOERROR, 10, "sick.test"},
	{"halfsick.test", MX, NOERROR, 20, "plain.test"},
	{"allsick.test", MX, NOERROR, 10, "sick.test"},
	{"halfsilent.test", MX, NOERROR, 10, "silent.test"},
	{"halfsilent.test", MX, NOERROR, 20, "plain.test"},
	{"sick.test", A, SERVFAIL, 0, NULL},
	{"sick.test", AAAA, SERVFAIL, 0, NULL},
	{"sickmx.test", MX, SERVFAIL, 0, NULL},
	{"sickmx.test", A, NOERROR, 0, "192.0.2.4"},
	{"sickaaaa.test", AAAA, SERVFAIL, 0, NULL},
	{"sickaaaa.test", A, NOERROR, 0, "192.0.2.5"},
	{"sicka.test", A, SERVFAIL, 0, NULL},
	{"silent.test", A, SILENT, 0, NULL},
	{"silent.test", AAAA, SILENT, 0, NULL},
	{"silent.test", MX, SILENT, 0, NULL},
	{"many.test", AAAA, NOERROR, 0, "2001:db8::11"},
	{"many.test", AAAA, NOERROR, 0, "2001:db8::12"},
	{"many.test", AAAA, NOERROR, 0, "2001:db8::13"},
	{"many.test", AAAA, NOERROR, 0, "2001:db8::14"},
	{"many.test", AAAA, NOERROR, 0, "2001:db8::15"},
	{"many.test", A, NOERROR, 0, "192.0.2.11"},
	{"alias.test", CNAME, NOERROR, 0, "plain.test"},
};

static struct event_base *base;
static struct event *server;
static struct dns *dns;
static char servers[64];
static struct dns_answer answer;
static unsigned done;

static size_t put_name(unsigned char *out, const char *name)
{
	size_t used = 0;

	while (*name != '\0') {
		size_t label = strcspn(name, ".");

		out[used++] = (unsigned char)label;
		memcpy(out + used, name, label);
		used += label;
		name += label + (name[label] == '.');
	}
	out[used++] = 0;
	return used;
}

static size_t get_name(const unsigned char *in, char *name)
{
	size_t used = 0;

	*name = '\0';
	while (in[used] != 0) {
		(void)strcat(strncat(name, (const char *)in + used + 1, in[used]), ".");
		used += in[used] + 1U;
	}
	if (*name != '\0')
		name[strlen(name) - 1] = '\0';
	return used + 1;
}

static size_t put_record(unsigned char *out, size_t line)
{
	static const unsigned char name_class_ttl[] = {0xc0, HEADER_BYTES, 0, 0, 0, 1, 0, 0, 0, 0};
	unsigned char *data = out + 12;
	size_t bytes = 0;

	memcpy(out, name_class_ttl, sizeof name_class_ttl);
	out[3] = (unsigned char)zone[line].type;
	if (zone[line].type == MX) {
		data[0] = 0;
		data[1] = (unsigned char)zone[line].preference;
		bytes = 2 + put_name(data + 2, zone[line].data);
	} else if (zone[line].type == CNAME) {
		bytes = put_name(data, zone[line].data);
	} else {
		bool is_ipv4 = zone[line].type == A;

		(void)inet_pton(is_ipv4 ? AF_INET : AF_INET6, zone[line].data, data);
		bytes = is_ipv4 ? 4 : 16;
	}
	out[10] = 0;
	out[11] = (unsigned char)bytes;
	return 12 + bytes;
}

static void on_query(evutil_socket_t fd, short events, void *arg)
{
	unsigned char packet[PACKET_BYTES];
	struct sockaddr_in from;
	socklen_t from_bytes = sizeof from;
	char name[PACKET_BYTES];
	ssize_t got = recvfrom(fd, packet, sizeof packet, 0, (struct sockaddr *)&from, &from_bytes);
	size_t used = HEADER_BYTES;
	int type, rcode = NXDOMAIN;

	(void)events;
	(void)arg;
	ck_assert_int_gt(got, HEADER_BYTES);
	used += get_name(packet + used, name);
	type = packet[used + 1];
	used += 4;
	packet[7] = 0;
	for (size_t line = 0; line < sizeof zone / sizeof zone[0]; line++) {
		if (strcasecmp(zone[line].name, name) != 0)
			continue;
		rcode = rcode == NXDOMAIN ? NOERROR : rcode;
		if (zone[line].type != type && zone[line].type != CNAME)
			continue;
		rcode = zone[line].rcode;
		if (rcode == NOERROR) {
			used += put_record(packet + used, line);
			packet[7]++;
		}
	}
	if (rcode == SILENT)
		return;
	packet[2] = 0x81;
	packet[3] = (unsigned char)(0x80 | rcode);
	packet[9] = packet[11] = 0;
	(void)sendto(fd, packet, used, 0, (struct sockaddr *)&from, from_bytes);
}

static void on_done(void *arg, const struct dns_answer *got)
{
	ck_assert_ptr_eq(arg, &answer);
	answer = *got;
	done++;
}

static struct dns_question ask(const char *host, bool lookup_mx)
{
	struct dns_question question = {
		.host = host,
		.port = PORT,
		.lookup_mx = lookup_mx,
		.use_ipv4 = true,
		.use_ipv6 = true,
		.is_balanced = true,
		.address_limit = 5,
		.timeout_ms = TIMEOUT_MS,
	};

	return question;
}

static void look_up(struct dns_question question)
{
	done = 0;
	ck_assert_ptr_nonnull(dns_lookup(dns, &question, on_done, &answer));
	ck_assert_uint_eq(done, 0);
	while (done == 0)
		ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
}

static void setup(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t bytes = sizeof address;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	base = event_base_new();
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, bytes), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &bytes), 0);
	server = event_new(base, fd, EV_READ | EV_PERSIST, on_query, NULL);
	ck_assert_int_eq(event_add(server, NULL), 0);
	(void)snprintf(servers, sizeof servers, "127.0.0.1:%u", ntohs(address.sin_port));
	dns = dns_new(base, servers);
	ck_assert_ptr_nonnull(dns);
}

static void teardown(void)
{
	int fd = event_get_fd(server);

	dns_free(dns);
	event_free(server);
	(void)close(fd);
	event_base_free(base);
}

static const struct {
	const char *host;
	bool lookup_mx;
	enum reason reason;
	const char *addresses; /* in the order of trying */
} cases[] = {
	{"plain.test", false, REASON_NONE, "192.0.2.1:2525"},
	{"both.test", false, REASON_NONE, "[2001:db8::2]:2525 192.0.2.2:2525"},
	{"gone.test", false, REASON_DNS_NOT_FOUND, ""},
	{"gone.test", true, REASON_DNS_NOT_FOUND, ""},
	{"sick.test", false, REASON_DNS_FAILURE, ""},
	{"sickaaaa.test", false, REASON_NONE, "192.0.2.5:2525"},
	{"sicka.test", false, REASON_DNS_FAILURE, ""},
	{"silent.test", false, REASON_DNS_FAILURE, ""},
	{"silent.test", true, REASON_DNS_FAILURE, ""},
	{"domain.test", true, REASON_NONE, "[2001:db8::2]:2525 192.0.2.2:2525 192.0.2.1:2525"},
	/* without an MX record the domain itself is the server */
	{"plain.test", true, REASON_NONE, "192.0.2.1:2525"},
	/* with one its own address is not */
	{"null.test", true, REASON_DNS_NOT_FOUND, ""},
	{"null.test", false, REASON_NONE, "192.0.2.3:2525"},
	{"lost.test", true, REASON_DNS_NOT_FOUND, ""},
	{"sickmx.test", true, REASON_DNS_FAILURE, ""},
	{"halfsick.test", true, REASON_NONE, "192.0.2.1:2525"},
	{"allsick.test", true, REASON_DNS_FAILURE, ""},
	{"halfsilent.test", true, REASON_NONE, "192.0.2.1:2525"},
	{"many.test", false, REASON_NONE,
		"[2001:db8::11]:2525 [2001:db8::12]:2525 [2001:db8::13]:2525 "
		"[2001:db8::14]:2525 192.0.2.11:2525"},
	{"b\303\274cher.test", false, REASON_LOCAL_ERROR, ""},
};

START_TEST(each_name_has_its_answer)
{
	char addresses[1024] = "", text[NET_ADDRESS_TEXT_BYTES];

	look_up(ask(cases[_i].host, cases[_i].lookup_mx));
	for (size_t at = 0; at < answer.count; at++) {
		(void)strcat(addresses, at > 0 ? " " : "");
		(void)strcat(addresses, net_address_text(text, &answer.address[at]));
	}
	ck_assert_msg(answer.reason == cases[_i].reason, "%s: %s", cases[_i].host, answer.detail);
	ck_assert_str_eq(addresses, cases[_i].addresses);
	ck_assert_msg(
		(answer.detail[0] == '\0') == (answer.reason == REASON_NONE), "%s", answer.detail);
}
END_TEST

/* names - of the servers, one for each address */
static const char *names(void)
{
	static char list[1024];

	list[0] = '\0';
	for (size_t at = 0; at < answer.count; at++) {
		ck_assert_uint_lt(answer.host[at], answer.names);
		(void)strcat(strcat(list, at > 0 ? " " : ""), answer.name[answer.host[at]]);
	}
	return list;
}

START_TEST(each_address_bears_the_name_of_its_server)
{
	struct dns_question question = ask("domain.test", true);

	/* Then from the cache. */
	for (int i = 0; i < 2; i++) {
		look_up(question);
		ck_assert_str_eq(names(), "both.test both.test plain.test");
		look_up(ask("plain.test", true));
		ck_assert_str_eq(names(), "plain.test");
	}
	question = ask("alias.test", false);
	look_up(question);
	ck_assert_str_eq(names(), "alias.test");
	question.takes_alias = true;
	for (int i = 0; i < 2; i++) {
		look_up(question);
		ck_assert_str_eq(names(), "plain.test");
	}
}
END_TEST

START_TEST(hosts_of_etc_hosts_are_found)
{
	look_up(ask("localhost", false));
	ck_assert_int_eq(answer.reason, REASON_NONE);
	look_up(ask("localhost", true));
	ck_assert_int_eq(answer.reason, REASON_NONE);
	ck_assert(net_address_is_local(&answer.address[0]));
}
END_TEST

START_TEST(a_protocol_that_is_off_is_not_looked_up)
{
	struct dns_question question = ask("both.test", false);

	question.use_ipv6 = false;
	look_up(question);
	ck_assert_uint_eq(answer.count, 1);
	ck_assert_int_eq(answer.address[0].sa.sa_family, AF_INET);
	question = ask("plain.test", false);
	question.use_ipv4 = false;
	look_up(question);
	ck_assert_int_eq(answer.reason, REASON_DNS_NOT_FOUND);
}
END_TEST

START_TEST(a_limit_of_one_is_kept)
{
	struct dns_question question = ask("domain.test", true);

	question.address_limit = 1;
	look_up(question);
	ck_assert_uint_eq(answer.count, 1);
	question.address_limit = 0;
	look_up(question);
	ck_assert_uint_eq(answer.count, 3);
}
END_TEST

START_TEST(a_cancelled_lookup_never_reports)
{
	struct dns_question question = ask(_i == 0 ? "silent.test" : "domain.test", true);
	struct dns_lookup *lookup = dns_lookup(dns, &question, on_done, &answer);

	ck_assert_ptr_nonnull(lookup);
	dns_cancel(lookup);
	look_up(ask("plain.test", false));
	ck_assert_uint_eq(done, 1);
	ck_assert_uint_eq(answer.count, 1);
	/* and with queries still open at the end nothing leaks (teardown, sanitizers) */
}
END_TEST

START_TEST(many_lookups_at_once_are_kept_apart)
{
	enum { MANY = 50 };
	struct dns_question question = ask("both.test", false);

	done = 0;
	for (unsigned at = 0; at < MANY; at++)
		ck_assert_ptr_nonnull(dns_lookup(dns, &question, on_done, &answer));
	while (done < MANY)
		ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
	ck_assert_uint_eq(answer.count, 2);
}
END_TEST

START_TEST(no_server_at_all_is_a_failure)
{
	dns_free(dns);
	dns = dns_new(base, "127.0.0.1:1");
	look_up(ask("plain.test", _i == 1));
	ck_assert_int_eq(answer.reason, REASON_DNS_FAILURE);
}
END_TEST

/* own_resolv_conf - put a file of ours over /etc/resolv.conf, for this process; false: we may not
 */
static bool own_resolv_conf(const char *text)
{
	char path[] = "/tmp/check_dns.XXXXXX";
	int fd = mkstemp(path);
	bool works;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fd);
	works = unshare(CLONE_NEWNS) == 0 &&
		mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL) == 0;
	(void)unlink(path);
	return works;
}

START_TEST(another_resolv_conf_is_read_while_lookups_go_on)
{
	struct dns_question question = ask("silent.test", true);
	struct dns_lookup *lookup;

	question.timeout_ms = 5000;
	lookup = dns_lookup(dns, &question, on_done, &answer);
	for (int turn = 0; turn < 3; turn++) {
		if (!own_resolv_conf("nameserver 192.0.2.53\n"))
			break;
		look_up(ask("plain.test", true));
		ck_assert_int_eq(answer.reason, REASON_NONE);
		(void)event_base_loop(base, EVLOOP_NONBLOCK);
	}
	/* the first is still asked in the old channel, which goes with it */
	if (_i == 0)
		dns_cancel(lookup);
	else
		for (done = 0; done == 0;)
			(void)event_base_loop(base, EVLOOP_ONCE);
	look_up(ask("plain.test", true));
	ck_assert_int_eq(answer.reason, REASON_NONE);
}
END_TEST

START_TEST(servers_of_resolv_conf_are_asked)
{
	if (!own_resolv_conf("nameserver 127.0.0.1\noptions attempts:1\n"))
		return;
	dns_free(dns);
	dns = dns_new(base, NULL);
	/* Nothing listens at port 53 here; with a name server on this host it does not know it. */
	look_up(ask("plain.test", false));
	ck_assert(answer.reason == REASON_DNS_FAILURE || answer.reason == REASON_DNS_NOT_FOUND);
}
END_TEST

START_TEST(our_want_of_descriptors_is_a_local_error)
{
	struct rlimit limit, none;
	int next = dup(0);

	(void)close(next);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = (rlim_t)next;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	look_up(ask("plain.test", _i == 1));
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_int_eq(answer.reason, REASON_LOCAL_ERROR);
	look_up(ask("plain.test", _i == 1));
	ck_assert_int_eq(answer.reason, REASON_NONE);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, each_name_has_its_answer, 0, sizeof cases / sizeof cases[0]);
	tcase_add_test(tcase, each_address_bears_the_name_of_its_server);
	tcase_add_test(tcase, hosts_of_etc_hosts_are_found);
	tcase_add_test(tcase, a_protocol_that_is_off_is_not_looked_up);
	tcase_add_test(tcase, a_limit_of_one_is_kept);
	tcase_add_loop_test(tcase, a_cancelled_lookup_never_reports, 0, 2);
	tcase_add_test(tcase, many_lookups_at_once_are_kept_apart);
	tcase_add_loop_test(tcase, no_server_at_all_is_a_failure, 0, 2);
	tcase_add_loop_test(tcase, another_resolv_conf_is_read_while_lookups_go_on, 0, 2);
	tcase_add_test(tcase, servers_of_resolv_conf_are_asked);
	tcase_add_loop_test(tcase, our_want_of_descriptors_is_a_local_error, 0, 2);
}

int main(void)
{
	return suite_run("dns", add);
}
