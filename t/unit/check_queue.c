/*
 * check_queue - failfastctl queue: reasons made alike, servers and hops found, messages counted,
 * odd lines survived
 */
#include "ctl/queue.h"

#include "suite.h"

#include <string.h>
#include <unistd.h>

/* What the commands share is in a file of its own, which has more than is needed here. */
const char *ctl_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static struct ctl ctl = {.socket = "/nonexistent/control.sock"};
static struct queue_hops *hops;
static struct queue_groups *groups;
static uint64_t unreadable;

static void setup(void)
{
	hops = queue_hops_new(&ctl);
	groups = queue_groups_new(hops);
	unreadable = 0;
}

static void teardown(void)
{
	queue_groups_free(groups);
	queue_hops_free(hops);
}

static const struct {
	const char *reason, *alike;
} reasons[] = {
	{"connect to 127.0.0.1[127.0.0.1]:10024: Connection refused",
		"connect to SERVER: Connection refused"},
	{"delivery temporarily suspended: connect to mx1.example.com[2001:db8::1]:25: Connection "
	 "timed out",
		"connect to SERVER: Connection timed out"},
	{"mail transport unavailable", "mail transport unavailable"},
	{"host mx.example.com[192.0.2.1] said: 450 4.7.1 <bob@example.com>: Recipient address "
	 "rejected: "
	 "Greylisted for 287 seconds (in reply to RCPT TO command)",
		"host SERVER said: 450 4.7.1 <ADDRESS>: Recipient address rejected: Greylisted for "
		"N seconds "
		"(in reply to RCPT TO command)"},
	{"host gmail-smtp-in.l.google.com[142.250.1.26] said: 421-4.7.0 [198.51.100.7      15] Our "
	 "system: "
	 "https://support.google.com/mail/?p=X a1-20020a.123 - gsmtp",
		"host SERVER said: 421-4.7.0 [IP N] Our system: URL ID - gsmtp"},
	{"Host or domain name not found. Name service error for name=dest.example type=MX: Host "
	 "not found, "
	 "try again",
		"Host or domain name not found. Name service error for name=HOST type=MX: Host not "
		"found, try "
		"again"},
	{"unable to look up host relay.example.net: Name or service not known",
		"unable to look up host HOST: Name or service not known"},
	{"temporary failure. Command output: 4fX5kD2Xb3z 12345 1234567",
		"temporary failure. Command output: ID N N"},
	{"Postfach \xc3\xbc"
	 "berf\xc3\xbcllt \xe2\x98\xba",
		"Postfach \xc3\xbc"
		"berf\xc3\xbcllt \xe2\x98\xba"},
	{"  much \t room  ", "much room"},
	{"", ""},
	{"[ ] < > : . said:", "[ ] < > : . said:"},
};

START_TEST(reasons_are_made_alike)
{
	char out[QUEUE_REASON_BYTES];

	queue_reason_normalize(out, reasons[_i].reason);
	ck_assert_str_eq(out, reasons[_i].alike);
}
END_TEST

START_TEST(long_reasons_are_cut_between_characters)
{
	char text[2000] = "", out[QUEUE_REASON_BYTES];

	for (size_t shift = 0; shift < 4; shift++) {
		memset(text, 'a', shift);
		for (size_t i = shift; i + 2 < sizeof text; i += 2)
			memcpy(text + i, "\xc3\xbc", 3);
		queue_reason_normalize(out, text);
		ck_assert_uint_ge(strlen(out), QUEUE_REASON_BYTES - 4);
		ck_assert_str_eq(out + strlen(out) - 3, "...");
		ck_assert_uint_eq((unsigned char)out[strlen(out) - 4], 0xbc);
	}
	memset(text, ' ', sizeof text - 1);
	for (size_t i = 0; i + 2 < sizeof text; i += 2)
		text[i] = 'x';
	queue_reason_normalize(out, text);
	ck_assert_uint_lt(strlen(out), QUEUE_REASON_BYTES);
}
END_TEST

static const struct {
	const char *reason, *name, *address;
	unsigned port;
} servers[] = {
	{"connect to mx.test[192.0.2.1]:587: Connection refused", "mx.test", "192.0.2.1", 587},
	{"delivery temporarily suspended: connect to mx.test[192.0.2.1]:25: No route to host",
		"mx.test", "192.0.2.1", 25},
	{"connect to mx.example.test[private/nolmtp]: No such file or directory", "mx.example.test",
		"private/nolmtp", 0},
	{"lost connection with mx.test[2001:db8::1] while sending DATA command", "mx.test",
		"2001:db8::1", 0},
	{"host mx.test[192.0.2.1] said: 450 connect to fake.test[192.0.2.9]:25: no", "mx.test",
		"192.0.2.1", 0},
	{"Host or domain name not found. Name service error for name=dest.test type=A: Host not "
	 "found",
		"dest.test", "", 0},
	{"mail transport unavailable", NULL, NULL, 0},
	{"temporary failure said: host x[192.0.2.9]:25", NULL, NULL, 0},
	{"[] [x] a[] ", NULL, NULL, 0},
};

START_TEST(servers_are_taken_from_what_postfix_says_alone)
{
	struct queue_server server;
	bool is_named = queue_reason_server(servers[_i].reason, &server);

	ck_assert_int_eq(is_named, servers[_i].name != NULL);
	if (!is_named)
		return;
	ck_assert_str_eq(server.name, servers[_i].name);
	ck_assert_str_eq(server.address, servers[_i].address);
	ck_assert_uint_eq(server.port, servers[_i].port);
}
END_TEST

START_TEST(a_reply_about_a_message_is_told_from_a_server_that_fails)
{
	ck_assert(queue_reason_is_reply("host x[192.0.2.1] said: 450 4.2.0 greylisted"));
	ck_assert(!queue_reason_is_reply("host x[192.0.2.1] refused to talk to me: 421 busy"));
	ck_assert(!queue_reason_is_reply("connect to x[192.0.2.1]:25: Connection refused"));
}
END_TEST

static const struct {
	const char *hop;
	struct queue_server server;
	enum queue_match match;
} matches[] = {
	{"smtp-amavis:[127.0.0.1]:10024", {"127.0.0.1", "127.0.0.1", 10024}, QUEUE_MATCH_YES},
	{"smtp-amavis:[127.0.0.1]:10024", {"127.0.0.1", "127.0.0.1", 10025}, QUEUE_MATCH_NO},
	{"smtp-amavis:[127.0.0.1]:10024", {"127.0.0.1", "127.0.0.1", 0}, QUEUE_MATCH_YES},
	{"smtp:[Relay.test]", {"relay.TEST", "192.0.2.1", 25}, QUEUE_MATCH_YES},
	{"smtp:[relay.test]", {"relay.test", "192.0.2.1", 587}, QUEUE_MATCH_NO},
	{"smtp:[relay.test]:submission", {"relay.test", "192.0.2.1", 587}, QUEUE_MATCH_YES},
	{"smtp:[ipv6:2001:db8::1]:25", {"x.test", "2001:db8::1", 25}, QUEUE_MATCH_YES},
	{"smtp:relay.test", {"mx7.relay.test", "192.0.2.1", 25}, QUEUE_MATCH_OPEN},
	{"smtp:", {"mx.dest.test", "192.0.2.1", 25}, QUEUE_MATCH_OPEN},
	{"smtp:[a.test], [b.test]", {"b.test", "192.0.2.1", 25}, QUEUE_MATCH_OPEN},
	{"lmtp:unix:private/dovecot-lmtp", {"mx.test", "private/dovecot-lmtp", 0}, QUEUE_MATCH_YES},
	{"lmtp:unix:/var/run/lmtp", {"mx.test", "/var/run/lmtp", 0}, QUEUE_MATCH_YES},
	{"lmtp:unix:/var/run/lmtp", {"mx.test", "private/lmtp", 0}, QUEUE_MATCH_NO},
	{"lmtp:inet:[127.0.0.1]:24", {"127.0.0.1", "127.0.0.1", 24}, QUEUE_MATCH_YES},
	{"postfix-out/smtp:[192.0.2.1]:26", {"192.0.2.1", "192.0.2.1", 26}, QUEUE_MATCH_YES},
};

START_TEST(a_server_is_matched_with_the_name_of_a_hop)
{
	ck_assert_int_eq(queue_hops_match(matches[_i].hop, &matches[_i].server), matches[_i].match);
}
END_TEST

static const char *choose(const char *route, const struct queue_server *server)
{
	json_t *hops_of_route = json_loads(route, 0, NULL);
	static char name[64];

	ck_assert_ptr_nonnull(hops_of_route);
	(void)snprintf(
		name, sizeof name, "%s", ctl_text(queue_hops_choose(hops_of_route, server), "hop"));
	json_decref(hops_of_route);
	return name;
}

START_TEST(of_a_route_that_hop_is_chosen_which_the_reason_can_mean_alone)
{
	static const char two[] = "[{\"hop\": \"f:[127.0.0.1]:10024\", \"state\": \"up\"},"
				  " {\"hop\": \"smtp:\", \"state\": \"up\"}]";
	static const char down[] = "[{\"hop\": \"f:[127.0.0.1]:10024\", \"state\": \"down\"},"
				   " {\"hop\": \"smtp:\", \"state\": \"up\"}]";
	static const char one[] = "[{\"hop\": \"pipe:\", \"state\": \"up\"}]";
	static const struct queue_server filter = {"127.0.0.1", "127.0.0.1", 10024};
	static const struct queue_server far = {"mx.test", "192.0.2.1", 25};

	ck_assert_str_eq(choose(two, &filter), "f:[127.0.0.1]:10024");
	ck_assert_str_eq(choose(two, &far), "smtp:");
	ck_assert_str_eq(choose(two, NULL), "");
	ck_assert_str_eq(choose(down, NULL), "f:[127.0.0.1]:10024");
	ck_assert_str_eq(choose(one, NULL), "pipe:");
	ck_assert_str_eq(
		choose("[{\"hop\": \"f:[127.0.0.1]:10024\", \"state\": \"down\"}]", &far), "");
	ck_assert_str_eq(choose("[{\"hop\": \"a:\"}, {\"hop\": \"b:\"}]", &far), "");
	ck_assert_str_eq(choose("[]", NULL), "");
	ck_assert_ptr_null(queue_hops_choose(NULL, NULL));
}
END_TEST

static void take(void *arg, const json_t *message)
{
	(void)arg;
	if (!queue_groups_add(groups, "/etc/postfix", message))
		unreadable++;
}

/* read_text - what postqueue would print */
static void read_text(const char *text, size_t bytes)
{
	FILE *file = tmpfile();

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(text, 1, bytes, file), bytes);
	rewind(file);
	ck_assert(queue_read(file, take, NULL, &unreadable));
	fclose(file);
}

#define MESSAGE(queue, id, recipients)                                                             \
	"{\"queue_name\": \"" queue "\", \"queue_id\": \"" id "\", \"arrival_time\": 1700000000, " \
	"\"message_size\": 100, \"sender\": \"s@from.test\", \"recipients\": [" recipients "]}\n"
#define TO(address, reason) "{\"address\": \"" address "\", \"delay_reason\": \"" reason "\"}"

START_TEST(a_message_counts_once_in_each_group_and_once_in_all)
{
	static const char text[] = MESSAGE("deferred", "A1",
		TO("a@x.test", "connect to m[192.0.2.1]:25: Connection refused") ", " TO("b@y.test",
			"connect to m[192.0.2.2]:25: Connection refused") ", " TO("c@z.test",
			"mail transport unavailable")) MESSAGE("deferred", "A2",
		TO("a@x.test", "connect to n[192.0.2.1]:25: Connection refused"))
		MESSAGE("active", "A3", "{\"address\": \"a@x.test\"}")
			MESSAGE("hold", "A4", TO("a@x.test", "mail transport unavailable"))
				MESSAGE("incoming", "A5", "{\"address\": \"a@x.test\"}")
					MESSAGE("odd", "A6", "");
	const struct queue_group *const *sorted;
	const char *names[QUEUE_SERVERS];
	size_t count;

	read_text(text, strlen(text));
	sorted = queue_groups_sorted(groups, &count);
	ck_assert_uint_eq(count, 3);
	ck_assert_str_eq(sorted[0]->reason, "connect to SERVER: Connection refused");
	ck_assert_uint_eq(sorted[0]->sum.messages, 2);
	ck_assert_uint_eq(sorted[0]->sum.recipients, 3);
	ck_assert_uint_eq(sorted[0]->sum.bytes, 200);
	ck_assert_uint_eq(queue_group_servers(sorted[0], names), 3);
	ck_assert_str_eq(sorted[1]->reason, "mail transport unavailable");
	ck_assert_uint_eq(queue_group_servers(sorted[1], names), 0);
	ck_assert_str_eq(sorted[2]->reason, "not tried yet");
	ck_assert_uint_eq(queue_groups_total(groups)->messages, 3);
	ck_assert_uint_eq(queue_groups_total(groups)->recipients, 5);
	ck_assert_uint_eq(queue_groups_in(groups, 0), 2);
	ck_assert_uint_eq(queue_groups_in(groups, 4), 1);
	ck_assert_uint_eq(queue_groups_in(groups, 5), 1);
	ck_assert_uint_eq(unreadable, 0);
}
END_TEST

START_TEST(odd_lines_are_counted_and_the_rest_is_read)
{
	static const char text[] =
		"not JSON\n{}\n[]\n\n{\"recipients\": []}\n{\"queue_name\": 7}\n" MESSAGE(
			"deferred", "A1",
			TO("a@x.test", "Postfach \xfc"
				       "berf\xfcllt")) MESSAGE("deferred", "A2",
			"7, null, " TO(
				"b@x.test", "nul \\u0000 here")) "{\"queue_name\": \"deferred\", "
								 "\"queue_id\": \"cut of";
	const struct queue_group *const *sorted;
	size_t count;

	read_text(text, sizeof text - 1);
	ck_assert_uint_eq(unreadable, 6);
	sorted = queue_groups_sorted(groups, &count);
	ck_assert_uint_eq(queue_groups_total(groups)->messages, 2);
	ck_assert_str_eq(sorted[0]->example, "Postfach ?berf?llt");
}
END_TEST

START_TEST(a_line_without_bound_costs_no_memory_without_bound)
{
	static const char good[] =
		"\n" MESSAGE("deferred", "A1", TO("a@x.test", "mail transport unavailable"));
	size_t bytes = 2 * QUEUE_LINE_BYTES + sizeof good - 1;
	char *text = malloc(bytes);

	ck_assert_ptr_nonnull(text);
	memset(text, '{', 2 * QUEUE_LINE_BYTES);
	memcpy(text + 2 * QUEUE_LINE_BYTES, good, sizeof good - 1);
	read_text(text, bytes);
	free(text);
	ck_assert_uint_eq(unreadable, 1);
	ck_assert_uint_eq(queue_groups_total(groups)->messages, 1);
}
END_TEST

START_TEST(more_groups_than_there_is_room_for_are_summed_up)
{
	char line[512];

	for (unsigned i = 0; i < QUEUE_GROUPS + 500; i++) {
		(void)snprintf(line, sizeof line,
			MESSAGE("deferred", "A%u", TO("a@x.test", "%c%c%c%c")), i, 'a' + i % 26,
			'a' + i / 26 % 26, 'a' + i / 676 % 26, 'a' + i / 17576);
		read_text(line, strlen(line));
	}
	size_t count;

	(void)queue_groups_sorted(groups, &count);
	ck_assert_uint_eq(count, QUEUE_GROUPS);
	ck_assert_uint_eq(queue_groups_others(groups)->messages, 500);
	ck_assert_uint_eq(queue_groups_total(groups)->messages, QUEUE_GROUPS + 500);
}
END_TEST

START_TEST(the_server_that_is_named_most_is_found_among_many)
{
	const struct queue_group *const *sorted;
	const char *names[QUEUE_SERVERS];
	char line[512];
	size_t count;

	for (unsigned i = 0; i < 2000; i++) {
		(void)snprintf(line, sizeof line,
			MESSAGE("deferred", "A%u",
				TO("a@x.test",
					"connect to m%u.test[192.0.2.1]:25: Connection refused")),
			i, i % 3 == 0 ? 0 : i);
		read_text(line, strlen(line));
	}
	sorted = queue_groups_sorted(groups, &count);
	ck_assert_uint_eq(count, 1);
	ck_assert_uint_eq(queue_group_servers(sorted[0], names), 1);
	ck_assert_str_eq(names[0], "m0.test[192.0.2.1]:25");
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, reasons_are_made_alike, 0, sizeof reasons / sizeof *reasons);
	tcase_add_test(tcase, long_reasons_are_cut_between_characters);
	tcase_add_loop_test(tcase, servers_are_taken_from_what_postfix_says_alone, 0,
		sizeof servers / sizeof *servers);
	tcase_add_test(tcase, a_reply_about_a_message_is_told_from_a_server_that_fails);
	tcase_add_loop_test(tcase, a_server_is_matched_with_the_name_of_a_hop, 0,
		sizeof matches / sizeof *matches);
	tcase_add_test(tcase, of_a_route_that_hop_is_chosen_which_the_reason_can_mean_alone);
	tcase_add_test(tcase, a_message_counts_once_in_each_group_and_once_in_all);
	tcase_add_test(tcase, odd_lines_are_counted_and_the_rest_is_read);
	tcase_add_test(tcase, a_line_without_bound_costs_no_memory_without_bound);
	tcase_add_test(tcase, more_groups_than_there_is_room_for_are_summed_up);
	tcase_add_test(tcase, the_server_that_is_named_most_is_found_among_many);
}

int main(void)
{
	return suite_run("queue", add);
}
