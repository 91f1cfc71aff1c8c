/*
 * check_hop - names of hops, and nexthops as Postfix spells them
 */
#include "health/hop.h"

#include "suite.h"

#include <stdlib.h>
#include <string.h>

struct good {
	const char *nexthop;
	enum hop_protocol protocol;
	uint16_t default_port;
	const char *host;
	uint16_t port;
	bool lookup_mx, is_numeric;
};

static const struct good good[] = {
	{"example.com", PROTOCOL_SMTP, 25, "example.com", 25, true, false},
	{"example.com", PROTOCOL_LMTP, 24, "example.com", 24, false, false},
	{"example.com:587", PROTOCOL_SMTP, 25, "example.com", 587, true, false},
	{"example.com:", PROTOCOL_SMTP, 25, "example.com", 25, true, false},
	{"example.com:submission", PROTOCOL_SMTP, 25, "example.com", 587, true, false},
	{"example.com:smtps", PROTOCOL_SMTP, 25, "example.com", 465, true, false},
	{"[example.com]", PROTOCOL_SMTP, 25, "example.com", 25, false, false},
	{"[example.com]:", PROTOCOL_SMTP, 25, "example.com", 25, false, false},
	{"[example.com]:10024", PROTOCOL_SMTP, 25, "example.com", 10024, false, false},
	{"[under_score.example]", PROTOCOL_SMTP, 25, "under_score.example", 25, false, false},
	{"[127.0.0.1]:10024", PROTOCOL_SMTP, 25, "127.0.0.1", 10024, false, true},
	{"127.0.0.1:10024", PROTOCOL_SMTP, 25, "127.0.0.1", 10024, false, true},
	{"127.0.0.1", PROTOCOL_SMTP, 25, "127.0.0.1", 25, false, true},
	{"[010.1.2.3]", PROTOCOL_SMTP, 25, "8.1.2.3", 25, false, true},
	{"[::1]:25", PROTOCOL_SMTP, 2525, "::1", 25, false, true},
	{"[ipv6:::1]:26", PROTOCOL_SMTP, 25, "::1", 26, false, true},
	{"[IPv6:2001:db8::1]", PROTOCOL_SMTP, 25, "2001:db8::1", 25, false, true},
	{"2001:db8::1:2525", PROTOCOL_SMTP, 25, "2001:db8::1", 2525, false, true},
	{"inet:example.com:24", PROTOCOL_LMTP, 24, "example.com", 24, false, false},
	{"inet:[127.0.0.1]:24", PROTOCOL_LMTP, 24, "127.0.0.1", 24, false, true},
	{"inet:127.0.0.1", PROTOCOL_LMTP, 24, "127.0.0.1", 24, false, true},
	{"inet:127.0.0.1:10025", PROTOCOL_SMTP, 0, "127.0.0.1", 10025, false, true},
	{"inet:127.0.0.1:10025", PROTOCOL_SMTP, 25, "127.0.0.1", 10025, false, true},
	{"10025", PROTOCOL_SMTP, 0, "localhost", 10025, false, false},
	{":10025", PROTOCOL_SMTP, 0, "localhost", 10025, false, false},
	{"filter.example:10025", PROTOCOL_SMTP, 0, "filter.example", 10025, false, false},
	/* smtp(8) has no prefixes: these are hosts */
	{"inet:25", PROTOCOL_SMTP, 25, "inet", 25, true, false},
	{"unix:25", PROTOCOL_SMTP, 25, "unix", 25, true, false},
	/* lists: the first counts */
	{"b\303\274cher.example", PROTOCOL_SMTP, 25, "b\303\274cher.example", 25, true, false},
};

START_TEST(nexthops_are_read_as_postfix_reads_them)
{
	const struct good *want = &good[_i];
	struct hop_target target;
	const char *why = "";

	ck_assert_msg(hop_parse_nexthop(want->nexthop, want->protocol, want->default_port, &target,
			      &why) == REASON_NONE,
		"%s: %s", want->nexthop, why);
	ck_assert(!target.is_unix);
	ck_assert_int_eq(target.protocol, want->protocol);
	ck_assert_str_eq(target.host, want->host);
	ck_assert_uint_eq(target.port, want->port);
	ck_assert_msg(target.lookup_mx == want->lookup_mx, "%s", want->nexthop);
	ck_assert_msg(target.is_numeric == want->is_numeric, "%s", want->nexthop);
}
END_TEST

static const struct {
	const char *nexthop;
	enum hop_protocol protocol;
	uint16_t default_port;
} bad[] = {
	{"", PROTOCOL_SMTP, 25},
	{" ,", PROTOCOL_SMTP, 25},
	{":25", PROTOCOL_SMTP, 25},
	{"[]:25", PROTOCOL_SMTP, 25},
	{"[127.0.0.1", PROTOCOL_SMTP, 25},
	{"[127.0.0.1]25", PROTOCOL_SMTP, 25},
	{"[ipv6:127.0.0.1]", PROTOCOL_SMTP, 25},
	{"::1", PROTOCOL_SMTP, 25},
	{"10025", PROTOCOL_SMTP, 25},
	{"1.2.3", PROTOCOL_SMTP, 25},
	{"1.2.3.256", PROTOCOL_SMTP, 25},
	{"example.com:0", PROTOCOL_SMTP, 25},
	{"example.com:65536", PROTOCOL_SMTP, 25},
	{"example.com:99999999999999999999", PROTOCOL_SMTP, 25},
	{"example.com:25x", PROTOCOL_SMTP, 25},
	{"example.com:no-such-port", PROTOCOL_SMTP, 25},
	{"exa mple.com:", PROTOCOL_LMTP, 0},
	{"example..com", PROTOCOL_SMTP, 25},
	{".example.com", PROTOCOL_SMTP, 25},
	{"example.com.", PROTOCOL_SMTP, 25},
	{"-example.com", PROTOCOL_SMTP, 25},
	{"example-.com", PROTOCOL_SMTP, 25},
	{"exam/ple", PROTOCOL_SMTP, 25},
	{"/var/run/lmtp", PROTOCOL_LMTP, 24},
	{"unix:", PROTOCOL_LMTP, 24},
	{"[fe80::1%lo]", PROTOCOL_SMTP, 25},
};

START_TEST(invalid_nexthops_say_why)
{
	struct hop_target target;
	const char *why = NULL;

	ck_assert_msg(hop_parse_nexthop(bad[_i].nexthop, bad[_i].protocol, bad[_i].default_port,
			      &target, &why) == REASON_NEXTHOP_INVALID,
		"%s", bad[_i].nexthop);
	ck_assert_ptr_nonnull(why);
}
END_TEST

START_TEST(unix_paths_are_kept_as_they_are)
{
	struct hop_target target;
	const char *why;

	ck_assert_int_eq(
		hop_parse_nexthop("unix:private/dovecot-lmtp", PROTOCOL_LMTP, 24, &target, &why),
		REASON_NONE);
	ck_assert(target.is_unix);
	ck_assert_str_eq(target.path, "private/dovecot-lmtp");
	ck_assert_int_eq(hop_parse_nexthop("unix:/run/filter", PROTOCOL_SMTP, 0, &target, &why),
		REASON_NONE);
	ck_assert_str_eq(target.path, "/run/filter");
	ck_assert_int_eq(hop_parse_nexthop("unix:/run/filter", PROTOCOL_SMTP, 25, &target, &why),
		REASON_NONE);
	ck_assert(target.is_unix);
}
END_TEST

START_TEST(lengths_are_limited)
{
	char text[HOP_NAME_BYTES + 10] = "unix:";
	struct hop_target target;
	const char *why;

	memset(text + 5, 'p', HOP_PATH_BYTES);
	text[5 + HOP_PATH_BYTES - 1] = '\0';
	ck_assert_int_eq(hop_parse_nexthop(text, PROTOCOL_LMTP, 24, &target, &why), REASON_NONE);
	text[5 + HOP_PATH_BYTES - 1] = 'p';
	ck_assert_int_eq(
		hop_parse_nexthop(text, PROTOCOL_LMTP, 24, &target, &why), REASON_NEXTHOP_INVALID);
	for (size_t at = 0; at < sizeof text; at++)
		text[at] = at % 32 == 31 ? '.' : 'h';
	text[sizeof text - 1] = '\0';
	ck_assert_int_eq(
		hop_parse_nexthop(text, PROTOCOL_SMTP, 25, &target, &why), REASON_NEXTHOP_INVALID);
	text[HOP_HOST_BYTES - 1] = '\0';
	ck_assert_int_eq(hop_parse_nexthop(text, PROTOCOL_SMTP, 25, &target, &why), REASON_NONE);
	memset(text, 'h', 64);
	text[64] = '\0';
	ck_assert_int_eq(
		hop_parse_nexthop(text, PROTOCOL_SMTP, 25, &target, &why), REASON_NEXTHOP_INVALID);
}
END_TEST

START_TEST(names_are_joined_and_split)
{
	char name[HOP_NAME_BYTES], transport[16];
	char huge[HOP_NAME_BYTES];
	const char *nexthop;

	ck_assert(hop_name(name, "smtp-amavis", "[127.0.0.1]:10024"));
	ck_assert_str_eq(name, "smtp-amavis:[127.0.0.1]:10024");
	ck_assert(hop_split(name, transport, sizeof transport, &nexthop));
	ck_assert_str_eq(transport, "smtp-amavis");
	ck_assert_str_eq(nexthop, "[127.0.0.1]:10024");
	ck_assert(hop_name(name, "local", ""));
	ck_assert_str_eq(name, "local:");
	ck_assert(hop_split(name, transport, sizeof transport, &nexthop));
	ck_assert_str_eq(nexthop, "");
	ck_assert(hop_split("smtp-17", transport, sizeof transport, &nexthop));
	ck_assert_str_eq(nexthop, "");
	ck_assert(!hop_split(":x", transport, sizeof transport, &nexthop));
	ck_assert(!hop_split("sixteen-letters-:", transport, sizeof transport, &nexthop));
	memset(huge, 'x', sizeof huge);
	huge[sizeof huge - 1] = '\0';
	ck_assert(!hop_name(name, "smtp", huge));
}
END_TEST

START_TEST(names_hold_nothing_that_could_break_a_line)
{
	char name[HOP_NAME_BYTES];

	ck_assert(!hop_name(name, "smtp", "a b"));
	ck_assert(!hop_name(name, "smtp", "a\"b"));
	ck_assert(!hop_name(name, "smtp", "a\nb"));
	ck_assert(!hop_name(name, "sm\177tp", "a"));
	ck_assert(!hop_name(name, "", "a"));
	ck_assert(!hop_name(name, "a:b", "c"));
}
END_TEST

static const struct {
	const char *nexthop;
	bool is_local;
} local[] = {
	{"[127.0.0.1]:25", true},
	{"[127.8.8.8]:25", true},
	{"[::1]:25", true},
	{"[::ffff:127.0.0.1]", true},
	{"localhost:25", true},
	{"[LocalHost]", true},
	{"[filter.localhost]", true},
	{"unix:/run/x", true},
	{"[192.0.2.1]", false},
	{"[2001:db8::1]", false},
	{"[::ffff:192.0.2.1]", false},
	{"notlocalhost", false},
	{"localhost.example", false},
};

START_TEST(local_targets_are_known_by_name_and_address)
{
	struct hop_target target;
	const char *why;

	ck_assert_int_eq(hop_parse_nexthop(local[_i].nexthop, PROTOCOL_LMTP, 24, &target, &why),
		REASON_NONE);
	ck_assert_msg(hop_target_is_local(&target) == local[_i].is_local, "%s", local[_i].nexthop);
}
END_TEST

START_TEST(roles_and_checks_have_names)
{
	ck_assert_str_eq(hop_role_name(ROLE_PROXY_FILTER), "proxy-filter");
	ck_assert_str_eq(hop_role_text(ROLE_CONTENT_FILTER), "content filter");
	ck_assert_str_eq(hop_role_name(ROLE_RELAYHOST), "relayhost");
	ck_assert_str_eq(hop_role_text(ROLE_TRANSPORT), "transport");
	ck_assert_str_eq(hop_check_name(CHECK_SERVICE), "service");
	ck_assert_str_eq(hop_check_name(CHECK_SERVER), "server");
}
END_TEST

#define LINES(table) ((int)(sizeof(table) / sizeof(table)[0]))

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, nexthops_are_read_as_postfix_reads_them, 0, LINES(good));
	tcase_add_loop_test(tcase, invalid_nexthops_say_why, 0, LINES(bad));
	tcase_add_loop_test(tcase, local_targets_are_known_by_name_and_address, 0, LINES(local));
	tcase_add_test(tcase, unix_paths_are_kept_as_they_are);
	tcase_add_test(tcase, lengths_are_limited);
	tcase_add_test(tcase, names_are_joined_and_split);
	tcase_add_test(tcase, names_hold_nothing_that_could_break_a_line);
	tcase_add_test(tcase, roles_and_checks_have_names);
}

int main(void)
{
	return suite_run("hop", add);
}
