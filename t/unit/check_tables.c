/*
 * check_tables - values of parameters that name tables, and what their right-hand sides mean
 */
#include "postfix/tables.h"

#include "suite.h"

#include <stdio.h>
#include <string.h>

/* describe - references as "TEXT PATH +", one a line; + for listable, - for not */
static void describe(const char *value, char *out, size_t bytes)
{
	size_t count, used = 0;
	struct table_reference *references = tables_references(value, &count);

	*out = '\0';
	for (size_t i = 0; i < count && used < bytes; i++)
		used += (size_t)snprintf(out + used, bytes - used, "%s %s %c\n", references[i].text,
			references[i].path != NULL ? references[i].path : "none",
			references[i].is_listable ? '+' : '-');
	tables_free(references, count);
}

static const struct {
	const char *value, *want;
} values[] = {
	{"", ""},
	{" ,\t,\n", ""},
	{"hash:/etc/postfix/transport",
		"hash:/etc/postfix/transport /etc/postfix/transport.db +\n"},
	/* Plesk */
	{", hash:/var/spool/postfix/plesk/transport", "hash:/var/spool/postfix/plesk/transport "
						      "/var/spool/postfix/plesk/transport.db +\n"},
	{"btree:/a,lmdb:/b texthash:/c\tdbm:/d sdbm:/e",
		"btree:/a /a.db +\nlmdb:/b /b.lmdb +\ntexthash:/c /c +\ndbm:/d /d.pag +\n"
		"sdbm:/e /e.pag +\n"},
	{"cdb:/a cidr:/b pcre:/c regexp:/d",
		"cdb:/a /a.cdb -\ncidr:/b /b -\npcre:/c /c -\nregexp:/d /d -\n"},
	{"mysql:/etc/postfix/my.cf ldap:x socketmap:inet:h:1:n tcp:h:1 memcache:/x fail:x",
		"mysql:/etc/postfix/my.cf none -\nldap:x none -\nsocketmap:inet:h:1:n none -\n"
		"tcp:h:1 none -\nmemcache:/x none -\nfail:x none -\n"},
	/* trivial-rewrite(8) dies of a path without a type; a relative one is below queue_directory
	 */
	{"/etc/postfix/transport", "/etc/postfix/transport none -\n"},
	{"hash:transport hash: : nosuch:/x hash",
		"hash:transport none -\nhash: none -\n: none -\nnosuch:/x none -\nhash none -\n"},
	{"proxy:hash:/a proxy:proxy:mysql:/b proxy: proxyhash:/x",
		"hash:/a /a.db +\nmysql:/b none -\nproxy: none -\nproxyhash:/x none -\n"},
	{"inline:{a=b, {c = smtp:[a]:25, [b]:25}} hash:/x",
		"inline:{a=b, {c = smtp:[a]:25, [b]:25}} none +\nhash:/x /x.db +\n"},
	{"pcre:{{/a b/ smtp:x}}", "pcre:{{/a b/ smtp:x}} none -\n"},
	{"unionmap:{hash:/a, proxy:texthash:/b,unionmap:{btree:/c}}",
		"hash:/a /a.db +\ntexthash:/b /b +\nbtree:/c /c.db +\n"},
	{"pipemap:{hash:/a,static:x texthash:/b}",
		"hash:/a /a.db -\nstatic:x none -\ntexthash:/b /b +\n"},
	{"proxy:pipemap:{unionmap:{hash:/a,hash:/b},unionmap:{hash:/c,hash:/d}}",
		"hash:/a /a.db -\nhash:/b /b.db -\nhash:/c /c.db +\nhash:/d /d.db +\n"},
	{"unionmap:{} pipemap:x unionmap:{hash:/a}b pipemap:{hash:/a",
		"unionmap:{} none -\npipemap:x none -\nunionmap:{hash:/a}b none -\n"
		"pipemap:{hash:/a none -\n"},
	{"unionmap:{a}{b}", "unionmap:{a}{b} none -\n"},
	{"static:smtp:[192.0.2.1]:25 static:{smtp:[a], [b]}",
		"inline:{{1=smtp:[192.0.2.1]:25}} none +\ninline:{{1=smtp:[a], [b]}} none +\n"},
	{"static: static:{} static:a}b static:{a}b",
		"static: none -\nstatic:{} none -\nstatic:a}b none -\nstatic:{a}b none -\n"},
	{"randmap:{smtp-1:,smtp-2: {x y}}", "inline:{{1=smtp-1:},{2=smtp-2:},{3={x y}}} none +\n"},
	{"randmap:{} randmap:x", "randmap:{} none -\nrandmap:x none -\n"},
	{"hash:/a{b c}", "hash:/a{b c} /a{b c}.db +\n"},
	{"{hash:/a hash:/b}", "{hash:/a hash:/b} none -\n"},
};

START_TEST(values_are_split_as_postfix_splits_them)
{
	char got[2048];

	describe(values[_i].value, got, sizeof got);
	ck_assert_str_eq(got, values[_i].want);
}
END_TEST

START_TEST(nesting_has_an_end)
{
	static char value[400000];
	size_t used = 0, count;
	struct table_reference *references;

	for (int i = 0; i < 20000; i++)
		used += (size_t)snprintf(value + used, sizeof value - used, "unionmap:{");
	(void)snprintf(value + used, sizeof value - used, "hash:/a");
	used += strlen("hash:/a");
	memset(value + used, '}', 20000);
	references = tables_references(value, &count);
	ck_assert_uint_eq(count, 1);
	ck_assert(!references[0].is_listable);
	tables_free(references, count);
	tables_free(NULL, 0);
}
END_TEST

START_TEST(parameters)
{
	static const struct table_parameter want[] = {
		{"transport_maps", TABLE_TRANSPORT, false},
		{"sender_dependent_default_transport_maps", TABLE_DEFAULT_TRANSPORT, true},
		{"sender_dependent_relayhost_maps", TABLE_RELAYHOST, false},
		{"mailbox_transport_maps", TABLE_DEFAULT_TRANSPORT, false},
		{"fallback_transport_maps", TABLE_DEFAULT_TRANSPORT, false},
	};
	const struct table_parameter *got = tables_parameters();

	for (size_t i = 0; i < sizeof want / sizeof *want; i++, got++) {
		ck_assert_str_eq(got->name, want[i].name);
		ck_assert_int_eq(got->kind, want[i].kind);
		ck_assert(got->uses_relayhost == want[i].uses_relayhost);
	}
	ck_assert_ptr_null(got->name);
}
END_TEST

struct hops {
	unsigned count;
	char text[4096];
};

static void note(void *arg, const char *transport, const char *nexthop)
{
	struct hops *hops = arg;
	size_t used = strlen(hops->text);

	hops->count++;
	(void)snprintf(
		hops->text + used, sizeof hops->text - used, "(%s)(%s) ", transport, nexthop);
}

static const struct {
	enum table_kind kind;
	const char *listing, *want;
} listings[] = {
	{TABLE_TRANSPORT, "", ""},
	{TABLE_TRANSPORT, "\n\n\t\n\t", ""},
	{TABLE_TRANSPORT, "a\tsmtp:\n", "(smtp)() "},
	{TABLE_TRANSPORT, "a\tsmtp", "(smtp)() "},
	{TABLE_TRANSPORT, "a\t:\nb\t\nno tab\n", ""},
	{TABLE_TRANSPORT, "a\t:[192.0.2.1]\n", "()([192.0.2.1]) "},
	{TABLE_TRANSPORT, "*\tsmtp:[h]:25\nb\tlmtp:unix:/x\n", "(smtp)([h]:25) (lmtp)(unix:/x) "},
	{TABLE_TRANSPORT, "a\trelay:[a]:25, [b]:25\n", "(relay)([a]:25, [b]:25) "},
	{TABLE_TRANSPORT, "a\terror:5.1.1 x\nb\tdiscard:\nc\tretry:\nd\terror\ne\tdiscard:x\n", ""},
	{TABLE_TRANSPORT, "a\tlocal:$myhostname\n", "(local)($myhostname) "},
	{TABLE_TRANSPORT, "a\tsmtp:x\nb\tsmtp:y\nc\tsmtp:x\nd\tsmtp\ne\tsmtp:\n",
		"(smtp)(x) (smtp)(y) (smtp)() "},
	{TABLE_TRANSPORT, "a\tDUNNO\n", "(DUNNO)() "}, /* transport(5) knows no such word */
	{TABLE_TRANSPORT, "a\tx:y\001z\nb\tx\177\nc\tx\ty\nd\tsmtp:z\r\n", ""},
	{TABLE_TRANSPORT, "a\tsmtp [h]:25\n", "(smtp [h])(25) "}, /* what Postfix makes of it */
	{TABLE_TRANSPORT, "\xff\xfe\tsm\xfftp:\xc3\xa4\n", "(sm\xfftp)(\xc3\xa4) "},
	/* Virtualmin */
	{TABLE_DEFAULT_TRANSPORT, "@a.example\tsmtp-17\n@b.example\tsmtp-18:\n",
		"(smtp-17)() (smtp-18)() "},
	{TABLE_DEFAULT_TRANSPORT, "a\tDUNNO\nb\tdunno\nc\t:[h]\nd\t:\ne\tretry:4.0.0 later\n", ""},
	{TABLE_DEFAULT_TRANSPORT, "a\trelay:[h]:587\n", "(relay)([h]:587) "},
	{TABLE_RELAYHOST, "a\t[h]:587\nb\th.example\nc\tDunno\nd\t\ne\t[h]:587\n",
		"()([h]:587) ()(h.example) "},
	{TABLE_RELAYHOST, "a\terror\nb\th:25\n", "()(error) ()(h:25) "},
};

START_TEST(right_hand_sides)
{
	struct hops hops = {0, ""};

	tables_each_hop(listings[_i].listing, listings[_i].kind, note, &hops);
	ck_assert_str_eq(hops.text, listings[_i].want);
}
END_TEST

static void count(void *arg, const char *transport, const char *nexthop)
{
	unsigned *hops = arg;

	ck_assert_str_eq(transport, "relay");
	ck_assert_int_eq(*nexthop, '[');
	++*hops;
}

START_TEST(many_lines)
{
	enum { LINES = 2000, ROUNDS = 50 };
	size_t bytes = (size_t)LINES * ROUNDS * 64, used = 0;
	char *listing = malloc(bytes);
	unsigned hops = 0;

	ck_assert_ptr_nonnull(listing);
	for (int i = 0; i < LINES * ROUNDS; i++)
		used += (size_t)snprintf(listing + used, bytes - used,
			"user%d@example.com\trelay:[mx%d.example.net]:587\n", i, i % LINES);
	tables_each_hop(listing, TABLE_TRANSPORT, count, &hops);
	ck_assert_uint_eq(hops, LINES);
	free(listing);
}
END_TEST

static void measure(void *arg, const char *transport, const char *nexthop)
{
	*(size_t *)arg += strlen(transport) + strlen(nexthop);
}

START_TEST(long_lines)
{
	enum { BYTES = 1 << 20 };
	char *listing = malloc(BYTES + 1);
	size_t bytes = 0;

	ck_assert_ptr_nonnull(listing);
	memset(listing, 'x', BYTES);
	listing[BYTES] = '\0';
	tables_each_hop(listing, TABLE_TRANSPORT, measure, &bytes);
	ck_assert_uint_eq(bytes, 0);
	listing[1] = '\t';
	listing[100] = ':';
	tables_each_hop(listing, TABLE_TRANSPORT, measure, &bytes);
	ck_assert_uint_eq(bytes, BYTES - 3);
	free(listing);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, values_are_split_as_postfix_splits_them, 0,
		(int)(sizeof values / sizeof *values));
	tcase_add_test(tcase, nesting_has_an_end);
	tcase_add_test(tcase, parameters);
	tcase_add_loop_test(tcase, right_hand_sides, 0, (int)(sizeof listings / sizeof *listings));
	tcase_add_test(tcase, many_lines);
	tcase_add_test(tcase, long_lines);
}

int main(void)
{
	return suite_run("tables", add);
}
