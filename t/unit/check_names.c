/*
 * check_names - what is made of names: order, memory, and the bytes of answers
 */
#include "health/hop.h"
#include "probe/dns_cache.h"
#include "probe/dns_choose.h"
#include "probe/dns_reply.h"
#include "probe/parts.h"

#include "suite.h"

#include <stdio.h>
#include <string.h>

enum { RECORDS_MAX = 16 };

/* records_of - "PREFERENCE ADDRESS ..." */
static size_t records_of(const char *text, struct dns_record *records)
{
	char address[64];
	unsigned preference;
	size_t count = 0;
	int used;

	memset(records, 0, RECORDS_MAX * sizeof *records);
	for (; sscanf(text, "%u %63s%n", &preference, address, &used) == 2; text += used) {
		ck_assert(net_address_numeric(&records[count].address, address, 25));
		records[count].preference = preference;
		records[count].order = (unsigned)count;
		count++;
	}
	return count;
}

static void expect(const struct dns_record *records, size_t count, const char *expected)
{
	char got[1024] = "", text[NET_ADDRESS_TEXT_BYTES];

	for (size_t at = 0; at < count; at++) {
		(void)strcat(got, at > 0 ? " " : "");
		(void)strcat(got, net_address_text(text, &records[at].address));
	}
	ck_assert_str_eq(got, expected);
}

static const struct {
	const char *records;
	size_t limit;
	enum plan_family first;
	bool is_balanced;
	const char *chosen;
} choices[] = {
	{"20 192.0.2.2 10 192.0.2.1", 5, FAMILY_ANY, true, "192.0.2.1:25 192.0.2.2:25"},
	{"0 192.0.2.1 0 2001:db8::1", 5, FAMILY_ANY, true, "[2001:db8::1]:25 192.0.2.1:25"},
	{"0 192.0.2.1 0 2001:db8::1", 5, FAMILY_IPV6, true, "[2001:db8::1]:25 192.0.2.1:25"},
	{"0 2001:db8::1 0 192.0.2.1", 5, FAMILY_IPV4, true, "192.0.2.1:25 [2001:db8::1]:25"},
	{"20 192.0.2.1 10 2001:db8::1", 5, FAMILY_IPV4, true, "[2001:db8::1]:25 192.0.2.1:25"},
	/* neither family crowds the other out, unless it may */
	{"0 2001:db8::1 0 2001:db8::2 0 2001:db8::3 0 192.0.2.1", 2, FAMILY_IPV6, true,
		"[2001:db8::1]:25 192.0.2.1:25"},
	{"0 2001:db8::1 0 2001:db8::2 0 2001:db8::3 0 192.0.2.1", 2, FAMILY_IPV6, false,
		"[2001:db8::1]:25 [2001:db8::2]:25"},
	{"0 192.0.2.1 0 192.0.2.2 0 192.0.2.3 0 2001:db8::1 0 2001:db8::2", 3, FAMILY_IPV4, true,
		"192.0.2.1:25 192.0.2.2:25 [2001:db8::1]:25"},
	{"0 192.0.2.1 0 192.0.2.2 0 2001:db8::1 0 2001:db8::2", 3, FAMILY_IPV6, true,
		"[2001:db8::1]:25 [2001:db8::2]:25 192.0.2.1:25"},
	{"0 192.0.2.1 0 192.0.2.2", 1, FAMILY_ANY, true, "192.0.2.1:25"},
	{"0 192.0.2.1 0 192.0.2.2", 0, FAMILY_ANY, true, "192.0.2.1:25 192.0.2.2:25"},
	{"", 5, FAMILY_ANY, true, ""},
};

START_TEST(addresses_are_chosen_as_smtp_does)
{
	struct dns_record records[RECORDS_MAX];
	size_t count = records_of(choices[_i].records, records);

	count = dns_choose(records, count, choices[_i].limit, choices[_i].first,
		choices[_i].is_balanced);
	expect(records, count, choices[_i].chosen);
}
END_TEST

static bool is_last_octet_9(void *arg, const struct net_address *address)
{
	(void)arg;
	return address->sa.sa_family == AF_INET && (ntohl(address->in4.sin_addr.s_addr) & 0xff) == 9;
}

static const struct {
	const char *records;
	bool has_own;
	const char *left;
} own_cases[] = {
	{"10 192.0.2.1 20 192.0.2.2", false, "192.0.2.1:25 192.0.2.2:25"},
	{"30 192.0.2.3 10 192.0.2.1 20 192.0.2.9", true, "192.0.2.1:25"},
	{"20 192.0.2.2 20 192.0.2.9 10 192.0.2.1", true, "192.0.2.1:25"},
	{"10 192.0.2.9 20 192.0.2.1", true, ""},
	{"0 192.0.2.1 0 192.0.2.9", true, ""},
	{"", false, ""},
};

START_TEST(hosts_that_are_not_preferred_to_ourselves_are_left_out)
{
	struct dns_record records[RECORDS_MAX];
	size_t count = records_of(own_cases[_i].records, records);
	bool has_own;

	count = dns_drop_own(records, count, is_last_octet_9, NULL, &has_own);
	ck_assert_int_eq(has_own, own_cases[_i].has_own);
	expect(records, count, own_cases[_i].left);
}
END_TEST

/* known_of - an answer with one name */
static struct dns_known known_of(const struct dns_record *records, size_t count, unsigned best_preference)
{
	return (struct dns_known){.records = records,
		.count = count,
		.best_preference = best_preference,
		.names = "one.test\0two.test\0"};
}

static bool is_fresh_at(struct dns_cache *cache, int64_t now_ms)
{
	struct dns_known known;

	ck_assert(dns_cache_get(cache, "a", now_ms, &known));
	return known.is_fresh;
}

START_TEST(an_answer_is_fresh_for_its_time_to_live)
{
	static const struct {
		uint32_t ttl_s;
		int64_t fresh_ms;
	} times[] = {{0, DNS_TTL_MIN_MS}, {1, DNS_TTL_MIN_MS}, {60, 60000}, {86400, DNS_TTL_MAX_MS},
		{UINT32_MAX, DNS_TTL_MAX_MS}};
	struct dns_cache *cache = dns_cache_new();
	struct dns_record records[RECORDS_MAX];
	size_t count = records_of("10 192.0.2.1", records);

	const struct dns_known answer = known_of(records, count, 10);

	dns_cache_put(cache, "a", &answer, times[_i].ttl_s, 1000);
	ck_assert(is_fresh_at(cache, 1000 + times[_i].fresh_ms - 1));
	ck_assert(!is_fresh_at(cache, 1000 + times[_i].fresh_ms));
	dns_cache_free(cache);
}
END_TEST

START_TEST(the_last_known_answer_stays_until_the_name_is_gone)
{
	struct dns_cache *cache = dns_cache_new();
	struct dns_record records[RECORDS_MAX];
	size_t count = records_of("10 192.0.2.1 20 192.0.2.2", records);
	int64_t late_ms = INT64_C(1000) * 86400 * 365;
	const struct dns_known answer = known_of(records, count, 5);
	struct dns_known known;

	dns_cache_put(cache, "a", &answer, 60, 1000);
	ck_assert(dns_cache_get(cache, "a", late_ms, &known));
	ck_assert(!known.is_fresh);
	ck_assert_uint_eq(known.best_preference, 5);
	ck_assert_int_eq(memcmp(known.names, answer.names, sizeof "one.test\0two.test\0"), 0);
	expect(known.records, known.count, "192.0.2.1:25 192.0.2.2:25");
	dns_cache_hold(cache, "a", late_ms);
	ck_assert(is_fresh_at(cache, late_ms + DNS_HOLD_MS - 1));
	ck_assert(!is_fresh_at(cache, late_ms + DNS_HOLD_MS));
	dns_cache_hold(cache, "a", late_ms);
	dns_cache_expire(cache);
	ck_assert(!is_fresh_at(cache, late_ms));
	dns_cache_drop(cache, "a");
	dns_cache_drop(cache, "never");
	ck_assert(!dns_cache_get(cache, "a", late_ms, &known));
	dns_cache_free(cache);
}
END_TEST

START_TEST(the_least_recently_used_goes_when_there_are_too_many)
{
	struct dns_cache *cache = dns_cache_new();
	struct dns_record records[RECORDS_MAX];
	size_t count = records_of("0 192.0.2.1", records);
	const struct dns_known answer = known_of(records, count, 0);
	struct dns_known known;
	char key[32];

	for (int i = 0; i < DNS_CACHE_ENTRIES; i++) {
		(void)snprintf(key, sizeof key, "%d", i);
		dns_cache_put(cache, key, &answer, 60, 0);
	}
	ck_assert(dns_cache_get(cache, "0", 0, &known));
	dns_cache_put(cache, "one more", &answer, 60, 0);
	ck_assert(dns_cache_get(cache, "0", 0, &known));
	ck_assert(!dns_cache_get(cache, "1", 0, &known));
	ck_assert(dns_cache_get(cache, "one more", 0, &known));
	dns_cache_free(cache);
}
END_TEST

/* An answer about a.b: an alias to c.b that holds for 300 s, and its address for 60 s. */
static const unsigned char alias_reply[] =
	"\0\1\x81\x80\0\1\0\2\0\0\0\0"
	"\1a\1b\0\0\1\0\1"
	"\xc0\x0c\0\5\0\1\0\0\1\x2c\0\4\1c\xc0\x0e"
	"\xc0\x21\0\1\0\1\0\0\0\x3c\0\4\300\0\2\1";

START_TEST(a_reply_tells_how_long_it_holds_and_where_it_leads)
{
	unsigned char bytes[sizeof alias_reply];
	struct dns_reply reply;

	ck_assert(dns_reply_read(alias_reply, sizeof alias_reply - 1, &reply));
	ck_assert_uint_eq(reply.ttl_s, 60);
	ck_assert_str_eq(reply.alias, "c.b");
	/* RFC 2181 8 */
	memcpy(bytes, alias_reply, sizeof bytes);
	bytes[27] = 0x80;
	ck_assert(dns_reply_read(bytes, sizeof bytes - 1, &reply));
	ck_assert_uint_eq(reply.ttl_s, 0);
}
END_TEST

START_TEST(a_reply_that_is_cut_short_is_none)
{
	struct dns_reply reply;

	for (size_t count = 0; count < sizeof alias_reply - 1; count++)
		ck_assert(!dns_reply_read(alias_reply, count, &reply));
}
END_TEST

START_TEST(parts_that_fail_are_remembered_until_they_work_or_are_gone)
{
	struct parts *parts = parts_new();

	ck_assert_ptr_null(parts_fault(parts));
	parts_failed(parts, "192.0.2.1:25", "first");
	parts_failed(parts, "192.0.2.2:25", "second");
	parts_works(parts, "192.0.2.1:25");
	ck_assert_str_eq(parts_fault(parts), "second");
	for (int round = 0; round < 5; round++) {
		parts_round(parts);
		parts_failed(parts, "192.0.2.2:25", "again");
		ck_assert_str_eq(parts_fault(parts), "again");
	}
	for (int round = 0; round < 3; round++)
		parts_round(parts);
	ck_assert_ptr_null(parts_fault(parts));
	parts_failed(parts, "192.0.2.1:25", "first");
	parts_clear(parts);
	ck_assert_ptr_null(parts_fault(parts));
	for (int i = 0; i < 100; i++) {
		char part[16];

		(void)snprintf(part, sizeof part, "%d", i);
		parts_failed(parts, part, "many");
	}
	parts_free(parts);
}
END_TEST

static const struct {
	const char *nexthop, *name;
} lists[] = {
	{"[192.0.2.1]:25", "smtp:[192.0.2.1]:25"},
	{"[192.0.2.1]:25, [192.0.2.2]", "smtp:[192.0.2.1]:25,[192.0.2.2]"},
	{" a.example\tb.example ,, c.example,", "smtp:a.example,b.example,c.example"},
	{"", "smtp:"},
	{"a\"b", NULL},
};

START_TEST(a_list_of_nexthops_has_one_name)
{
	char name[HOP_NAME_BYTES], longer[2 * HOP_NAME_BYTES];

	ck_assert_int_eq(hop_list_name(name, "smtp", lists[_i].nexthop), lists[_i].name != NULL);
	if (lists[_i].name != NULL)
		ck_assert_str_eq(name, lists[_i].name);
	memset(longer, 'x', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	ck_assert(!hop_list_name(name, "smtp", longer));
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, addresses_are_chosen_as_smtp_does, 0, COUNT(choices));
	tcase_add_loop_test(
		tcase, hosts_that_are_not_preferred_to_ourselves_are_left_out, 0, COUNT(own_cases));
	tcase_add_loop_test(tcase, an_answer_is_fresh_for_its_time_to_live, 0, 5);
	tcase_add_test(tcase, the_last_known_answer_stays_until_the_name_is_gone);
	tcase_add_test(tcase, the_least_recently_used_goes_when_there_are_too_many);
	tcase_add_test(tcase, a_reply_tells_how_long_it_holds_and_where_it_leads);
	tcase_add_test(tcase, a_reply_that_is_cut_short_is_none);
	tcase_add_test(tcase, parts_that_fail_are_remembered_until_they_work_or_are_gone);
	tcase_add_loop_test(tcase, a_list_of_nexthops_has_one_name, 0, COUNT(lists));
}

int main(void)
{
	return suite_run("names", add);
}
