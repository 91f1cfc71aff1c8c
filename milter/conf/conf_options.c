/*
 * conf_options - the tables: every section, option, default, range, and what is accepted
 *
 * The manual page failfast-milter.conf(5) says the same to people.  Whatever can be said here is
 * not said in code: the parser, its messages and the life of the object follow these tables.
 */
#include "base/xmem.h"
#include "base/pattern.h"
#include "conf/conf_private.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MS INT64_C(1)
#define SECOND (1000 * MS)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define AT(member) .offset = offsetof(struct OBJECT, member)
#define TEXT(initial_text, check_fn)                                                               \
	.initial = (initial_text), .check = (check_fn), .store = conf_store_text
#define DURATION(initial_text, least, most)                                                        \
	.initial = (initial_text), .store = conf_store_duration, .min = (least), .max = (most)
#define NUMBER(initial_text, least, most)                                                          \
	.initial = (initial_text), .store = conf_store_number, .min = (least), .max = (most)
#define WORD(initial_text, list, first)                                                            \
	.initial = (initial_text), .store = conf_store_word, .words = (list), .min = (first)
#define TRUTH(initial_text)                                                                        \
	.initial = (initial_text), .store = conf_store_truth, .words = truth_words,                \
	.expected = "true or false"
#define LIST(check_fn) .check = (check_fn), .store = conf_store_text, .is_list = true

/* In the order of the enumerations that they stand for. */
static const char *const detail_words[] = {"full", "terse", NULL};
static const char *const tag_words[] = {"never", "problems", "always", NULL};
static const char *const evidence_words[] = {"none", "log", NULL};
static const char *const depth_words[] = {
	"service", "connect", "greeting", "hello", "tls", "auth", NULL};
static const char *const tls_words[] = {"none", "may", "encrypt", "verify", NULL};
static const char *const action_words[] = {"accept", "tag", "hold", "tempfail", NULL};
/* In pairs, no before yes. */
static const char *const truth_words[] = {"false", "true", "no", "yes", "off", "on", NULL};
static const char *const brief_words[] = {"full", "brief", NULL};
static const char *const all_words[] = {"false", "true", NULL};

#define PATH_OR_NOTHING "an absolute path, or \"\""
#define PATTERNS "a pattern without spaces, like \"*@example.com\""

#define OBJECT conf
static const struct conf_option root_options[] = {
	{"listen", AT(listen),
		TEXT("unix:/var/spool/postfix/failfast-milter/milter.sock", conf_check_listen),
		.expected = "unix:/PATH, local:/PATH, inet:PORT@HOST or inet6:PORT@HOST"},
	{"listen_mode", AT(listen_mode), .initial = "0660", .store = conf_store_mode,
		.expected = "permission bits in octal, like \"0660\""},
	{"listen_group", AT(listen_group), TEXT("postfix", conf_check_account),
		.expected = "the name of an existing group, or \"\""},
	{"control", AT(control), TEXT("/run/failfast-milter/control.sock", conf_check_socket_path),
		.expected = "the absolute path of a UNIX socket, at most 107 bytes long"},
	{"http", AT(http), TEXT(CONF_HTTP_DEFAULT, conf_check_address_port),
		.expected = "HOST:PORT, [IPV6-ADDRESS]:PORT, or \"\""},
	{"user", AT(user), TEXT("failfast-milter", conf_check_account),
		.expected = "the name of an existing user, or \"\""},
	{"hostname", AT(hostname), TEXT("", conf_check_optional_host),
		.expected = "a host name, or \"\""},
	{"header", AT(header), TEXT("Failfast-Status", conf_check_header_name),
		.expected = "letters, digits and hyphens, at most 64, like \"Failfast-Status\""},
	{"header_detail", AT(header_detail), WORD("full", detail_words, DETAIL_FULL)},
	{"tag", AT(tag), WORD("problems", tag_words, TAG_NEVER)},
	{"strip_forged", AT(strip_forged), TRUTH("true")},
	{"max_failures", AT(max_failures), NUMBER("8", 0, 1000)},
	{"on_change", AT(on_change), TEXT("", conf_check_optional_path),
		.expected = PATH_OR_NOTHING},
	{"state", AT(state), TEXT("/var/lib/failfast-milter/state.json", conf_check_optional_path),
		.expected = PATH_OR_NOTHING},
	{"slow", AT(slow_ms), DURATION("5s", 1 * MS, 1 * HOUR)},
	{"tls_expiry_warning", AT(tls_expiry_warning_ms), DURATION("14d", 0, 3650 * DAY)},
	{"content_filter", AT(content_filter), TEXT("", conf_check_optional_hop),
		.expected = "TRANSPORT:NEXTHOP as in main.cf, or \"\""},
	{"max_hops", AT(max_hops), NUMBER("10000", 1, 1000000)},
};
#undef OBJECT

#define OBJECT conf_postfix
static const struct conf_option postfix_options[] = {
	{"evidence", AT(evidence), WORD("log", evidence_words, EVIDENCE_NONE)},
};
#undef OBJECT

#define OBJECT conf_probe
static const struct conf_option probe_options[] = {
	{"interval", AT(interval_ms), DURATION("10s", 10 * MS, 1 * DAY)},
	{"fast_interval", AT(fast_interval_ms), DURATION("1s", 10 * MS, 1 * DAY)},
	{"down_interval", AT(down_interval_ms), DURATION("5s", 10 * MS, 1 * DAY)},
	{"jitter", AT(jitter_percent), .initial = "10%", .store = conf_store_percent, .max = 50,
		.expected = "a percentage from 0% to 50%"},
	{"connect_timeout", AT(connect_timeout_ms), DURATION("5s", 10 * MS, 10 * MINUTE)},
	{"reply_timeout", AT(reply_timeout_ms), DURATION("10s", 10 * MS, 10 * MINUTE)},
	{"max_age", AT(max_age_ms), DURATION("1s", 1 * MS, 1 * HOUR)},
	/* smtpd(8) and its client wait with us. */
	{"max_wait", AT(max_wait_ms), DURATION("300ms", 0, 10 * SECOND)},
	{"rise", AT(rise), NUMBER("2", 1, 100)},
	{"fall", AT(fall), NUMBER("3", 1, 100)},
	{"helo", AT(helo), TEXT("", conf_check_helo),
		.expected = "a host name, an address in brackets, or \"\""},
	{"concurrency", AT(concurrency), NUMBER("256", 1, 65535)},
	{"learned_ttl", AT(learned_ttl_ms), DURATION("1h", 100 * MS, 365 * DAY)},
};
#undef OBJECT

#define OBJECT conf_hop
static const struct conf_option hop_options[] = {
	{"interval", AT(interval_ms), DURATION(NULL, 10 * MS, 1 * DAY)},
	{"depth", AT(depth), WORD(NULL, depth_words, DEPTH_SERVICE)},
	{"tls", AT(tls), WORD(NULL, tls_words, TLS_NONE)},
	{"ca_file", AT(ca_file), TEXT(NULL, conf_check_optional_path), .expected = PATH_OR_NOTHING},
	{"recipient", AT(recipient), TEXT(NULL, conf_check_optional_address),
		.expected = "a mail address, or \"\""},
};
#undef OBJECT

#define OBJECT conf_rule
static const struct conf_option rule_options[] = {
	{"client", AT(client), LIST(conf_check_client),
		.expected = "authenticated, mynetworks, local, reentry, other, or NETWORK/LENGTH"},
	{"role", AT(role), LIST(conf_check_role),
		.expected = "content-filter, proxy-filter, relayhost or transport"},
	{"hop", AT(hop), LIST(conf_check_pattern),
		.expected = "a pattern over TRANSPORT:NEXTHOP, like \"relay:*\""},
	{"reason", AT(reason), LIST(conf_check_reason),
		.expected = "a reason or a pattern over reasons, like \"connection-*\""},
	{"sender", AT(sender), LIST(conf_check_pattern), .expected = PATTERNS},
	{"recipient", AT(recipient), LIST(conf_check_pattern), .expected = PATTERNS},
	{"action", AT(action), WORD(NULL, action_words, ACTION_ACCEPT)},
	{"detail", AT(is_brief), WORD(NULL, brief_words, 0)},
	{"all_or_nothing", AT(all_or_nothing), WORD(NULL, all_words, 0)},
	{"after", AT(after_ms), DURATION("0s", 0, 365 * DAY)},
	{"for_at_most", AT(for_at_most_ms), DURATION(NULL, 1 * MS, 365 * DAY)},
};
#undef OBJECT

#define OBJECT conf_canary
static const struct conf_option canary_options[] = {
	{"hosts", AT(hosts), LIST(conf_check_host_port), .is_required = true,
		.expected = "{\"HOST\", \"HOST:PORT\", \"[IPV6-ADDRESS]:PORT\"}"},
};
#undef OBJECT

static void hop_prepare(void *object)
{
	struct conf_hop *hop = object;

	hop->interval_ms = hop->depth = hop->tls = -1;
}

static void hop_finish(void *object)
{
	struct conf_hop *hop = object;

	hop->is_literal = pattern_is_plain(hop->pattern);
}

static void rule_prepare(void *object)
{
	struct conf_rule *rule = object;

	rule->action = rule->is_brief = rule->all_or_nothing = -1;
	rule->for_at_most_ms = -1;
}

/* rule_error - what no option of it says alone */
static const char *rule_error(const void *object)
{
	const struct conf_rule *rule = object;

	if (rule->for_at_most_ms >= 0 && rule->for_at_most_ms <= rule->after_ms)
		return "never acts: for_at_most is not longer than after";
	if (rule->action == ACTION_TEMPFAIL && rule->client.count == 1 &&
		strcmp(rule->client.item[0], "local") == 0)
		return "mail of sendmail(1) cannot be refused; expected action = tag, hold or accept";
	return NULL;
}

#define OPTIONS(table) .option = (table), .option_count = COUNT(table)
#define ELEMENT(type, array, count, title)                                                         \
	.has_title = true, .object_bytes = sizeof(struct type),                                    \
	.array_offset = offsetof(struct conf, array),                                              \
	.count_offset = offsetof(struct conf, count), .title_offset = offsetof(struct type, title)

const struct conf_section conf_sections[CONF_SECTION_COUNT] = {
	[CONF_SECTION_ROOT] = {"", OPTIONS(root_options)},
	{"probe", OPTIONS(probe_options), .object_offset = offsetof(struct conf, probe)},
	{"postfix", OPTIONS(postfix_options),
		ELEMENT(conf_postfix, postfix, postfix_count, config_directory), .is_unique = true,
		.line_offset = SIZE_MAX, .check_title = conf_check_directory,
		.expected_title = "the absolute path of a directory with a main.cf"},
	{"hop", OPTIONS(hop_options), ELEMENT(conf_hop, hop, hop_count, pattern),
		.line_offset = offsetof(struct conf_hop, line), .check_title = conf_check_hop_title,
		.expected_title = "TRANSPORT:NEXTHOP, or a pattern with * or ?",
		.prepare = hop_prepare, .finish = hop_finish},
	{"rule", OPTIONS(rule_options), ELEMENT(conf_rule, rule, rule_count, name),
		.is_unique = true, .line_offset = offsetof(struct conf_rule, line),
		.check_title = conf_check_rule_name, .expected_title = "a name",
		.prepare = rule_prepare, .error = rule_error},
	{"canary", OPTIONS(canary_options), ELEMENT(conf_canary, canary, canary_count, transport),
		.is_unique = true, .line_offset = SIZE_MAX, .check_title = conf_check_transport,
		.expected_title = "the name of a transport, like \"smtp\""},
};

const struct conf_section *conf_section_find(const char *name)
{
	for (size_t i = 0; i < CONF_SECTION_COUNT; i++)
		if (strcmp(conf_sections[i].name, name) == 0)
			return &conf_sections[i];
	return NULL;
}

const struct conf_option *conf_option_find(const struct conf_section *section, const char *name)
{
	for (size_t i = 0; i < section->option_count; i++)
		if (strcmp(section->option[i].name, name) == 0)
			return &section->option[i];
	return NULL;
}
