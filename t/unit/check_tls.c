/*
 * check_tls - plans of TLS, what is made of a server's answers, how deep a probe goes, and a session between two ends in
 * memory
 */
#include "base/clock.h"
#include "base/xmem.h"
#include "postfix/site.h"
#include "postfix/tls_policy.h"
#include "probe/depth.h"
#include "probe/smtp_tls.h"
#include "probe/tls.h"
#include "suite.h"

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

static const char services[] = "smtp unix - - n - - smtp\nlmtp unix - - n - - lmtp\nwrapped unix - - n - - smtp\n"
			       "strict unix - - y - - smtp\n";
static const char overrides[] = "wrapped/unix/smtp_tls_wrappermode = yes\n"
				"strict/unix/smtp_tls_security_level = secure\n";

static const char policies[] = "=texthash:/etc/postfix/policy\n"
			       "[relay.example.net]:587\tencrypt ciphers=high\n"
			       ".example.org\tverify match=a.example:.b.example servername=hostname\n"
			       "mx.example.org\tnone\n"
			       "finger.example\tfingerprint match=aa:bb|cc\n"
			       "bad.example\tverify what=ever\n"
			       "level.example\thigh\n"
			       "anchor.example\tsecure tafile=/x\n"
			       "dane.example\tdane\n";

static void fail_report(void *arg, const char *message)
{
	(void)arg;
	ck_abort_msg("%s", message);
}

/* make_plan - of one hop in a site with this main.cf and these hop sections */
static void make_plan(const char *main_cf, const char *conf_text, const char *hop, struct plan *plan)
{
	struct postconf postconf = {.directory = xstrdup("/etc/postfix"), .main = xstrdup(main_cf),
		.services = xstrdup(services), .parameters = xstrdup(overrides), .policies = xstrdup(policies)};
	char *text = xasprintf("user = \"\"\nlisten_group = \"\"\n%s", conf_text);
	FILE *fp = fmemopen(text, strlen(text), "r");
	struct conf *conf = conf_parse(fp, "test.conf", fail_report, NULL);
	struct site *site = site_new(conf, &postconf, 1);

	site_plan(site, hop, plan);
	fclose(fp);
	free(text);
	conf_unref(conf);
	postconf_free(&postconf);
	site_unref(site);
}

static const struct {
	const char *main_cf, *conf, *hop;
	enum tls_level level;
	enum conf_depth depth, shallow;
} plans[] = {
	{"", "", "smtp:[h.example]", TLS_LEVEL_NONE, DEPTH_HELLO, DEPTH_HELLO},
	{"smtp_use_tls = yes\n", "", "smtp:[h.example]", TLS_LEVEL_MAY, DEPTH_HELLO, DEPTH_HELLO},
	{"smtp_enforce_tls = yes\n", "", "smtp:[h.example]", TLS_LEVEL_ENCRYPT, DEPTH_TLS, DEPTH_HELLO},
	{"smtp_enforce_tls = yes\nsmtp_tls_enforce_peername = yes\n", "", "smtp:[h.example]", TLS_LEVEL_VERIFY, DEPTH_TLS,
		DEPTH_HELLO},
	{"smtp_tls_security_level = may\nsmtp_enforce_tls = yes\n", "", "smtp:[h.example]", TLS_LEVEL_MAY, DEPTH_HELLO,
		DEPTH_HELLO},
	{"smtp_tls_security_level = verify\n", "", "lmtp:[h.example]", TLS_LEVEL_NONE, DEPTH_HELLO, DEPTH_HELLO},
	{"lmtp_tls_security_level = verify\n", "", "lmtp:inet:h.example:24", TLS_LEVEL_VERIFY, DEPTH_TLS, DEPTH_HELLO},
	{"lmtp_tls_security_level = may\n", "", "lmtp:unix:/run/x", TLS_LEVEL_NONE, DEPTH_HELLO, DEPTH_HELLO},
	{"", "", "strict:[h.example]", TLS_LEVEL_SECURE, DEPTH_TLS, DEPTH_HELLO},
	{"smtp_tls_security_level = dane\n", "", "smtp:[h.example]", TLS_LEVEL_MAY, DEPTH_HELLO, DEPTH_HELLO},
	{"smtp_tls_security_level = dane-only\n", "", "smtp:[h.example]", TLS_LEVEL_INVALID, DEPTH_TLS, DEPTH_HELLO},
	{"smtp_tls_security_level = dane\nsmtp_dns_support_level = dnssec\n", "", "smtp:[h.example]",
		TLS_LEVEL_UNCHECKED, DEPTH_TLS, DEPTH_HELLO},
	{"smtp_tls_security_level = fingerprint\n", "", "smtp:[h.example]", TLS_LEVEL_INVALID, DEPTH_TLS, DEPTH_HELLO},
	{"smtp_tls_security_level = encrypt\n", "hop \"*\" { depth = hello }", "smtp:[h.example]", TLS_LEVEL_ENCRYPT,
		DEPTH_HELLO, DEPTH_HELLO},
	{"smtp_tls_security_level = encrypt\n", "hop \"*\" { depth = connect }", "smtp:[h.example]", TLS_LEVEL_ENCRYPT,
		DEPTH_CONNECT, DEPTH_CONNECT},
	{"smtp_tls_security_level = encrypt\n", "hop \"*\" { tls = none }", "smtp:[h.example]", TLS_LEVEL_NONE,
		DEPTH_HELLO, DEPTH_HELLO},
	{"", "hop \"*\" { tls = verify depth = tls }", "smtp:[h.example]", TLS_LEVEL_VERIFY, DEPTH_TLS, DEPTH_HELLO},
	{"", "", "wrapped:[h.example]:465", TLS_LEVEL_INVALID, DEPTH_TLS, DEPTH_CONNECT},
	{"smtp_tls_security_level = encrypt\n", "", "wrapped:[h.example]:465", TLS_LEVEL_ENCRYPT, DEPTH_TLS,
		DEPTH_CONNECT},
	{"smtp_tls_policy_maps = texthash:/etc/postfix/policy\n", "", "smtp:[relay.example.net]:587", TLS_LEVEL_ENCRYPT,
		DEPTH_TLS, DEPTH_HELLO},
	{"smtp_tls_policy_maps = texthash:/etc/postfix/policy\nsmtp_tls_security_level = may\n", "",
		"smtp:[relay.example.net]", TLS_LEVEL_MAY, DEPTH_HELLO, DEPTH_HELLO},
	{"smtp_tls_policy_maps = proxy:texthash:/etc/postfix/policy\n", "", "smtp:a.b.Example.org", TLS_LEVEL_VERIFY,
		DEPTH_TLS, DEPTH_HELLO},
	{"smtp_tls_policy_maps = texthash:/etc/postfix/policy\n", "", "smtp:[a.example.org]", TLS_LEVEL_NONE,
		DEPTH_HELLO, DEPTH_HELLO},
	{"smtp_tls_policy_maps = texthash:/etc/postfix/policy\nsmtp_tls_security_level = verify\n", "",
		"smtp:mx.example.org", TLS_LEVEL_NONE, DEPTH_HELLO, DEPTH_HELLO},
	{"smtp_tls_policy_maps = texthash:/etc/postfix/policy\n", "", "smtp:finger.example", TLS_LEVEL_FINGERPRINT,
		DEPTH_TLS, DEPTH_HELLO},
	{"smtp_tls_policy_maps = texthash:/etc/postfix/policy\n", "", "smtp:bad.example", TLS_LEVEL_INVALID, DEPTH_TLS,
		DEPTH_HELLO},
	{"smtp_tls_policy_maps = texthash:/etc/postfix/policy\n", "", "smtp:level.example", TLS_LEVEL_INVALID,
		DEPTH_TLS, DEPTH_HELLO},
	{"smtp_tls_policy_maps = texthash:/etc/postfix/policy\n", "", "smtp:anchor.example", TLS_LEVEL_UNCHECKED,
		DEPTH_TLS, DEPTH_HELLO},
	{"smtp_tls_policy_maps = ldap:/x, texthash:/etc/postfix/policy\n", "", "smtp:mx.example.org",
		TLS_LEVEL_UNCHECKED, DEPTH_TLS, DEPTH_HELLO},
	{"smtp_tls_policy_maps = texthash:/etc/postfix/policy, ldap:/x\n", "", "smtp:mx.example.org", TLS_LEVEL_NONE,
		DEPTH_HELLO, DEPTH_HELLO},
	{"smtp_tls_policy_maps = static:{encrypt protocols=TLSv1.3}\n", "", "smtp:mx.example.org", TLS_LEVEL_ENCRYPT,
		DEPTH_TLS, DEPTH_HELLO},
	{"smtp_tls_per_site = texthash:/x\n", "", "smtp:mx.example.org", TLS_LEVEL_UNCHECKED, DEPTH_TLS, DEPTH_HELLO},
};

START_TEST(a_plan_asks_what_postfix_would_ask)
{
	struct plan plan;

	make_plan(plans[_i].main_cf, plans[_i].conf, plans[_i].hop, &plan);
	ck_assert_int_eq(plan.kind, PLAN_SERVER);
	ck_assert_int_eq(plan.tls.level, plans[_i].level);
	ck_assert_int_eq(plan.depth, plans[_i].depth);
	ck_assert_int_eq(plan.shallow_depth, plans[_i].shallow);
	ck_assert_int_eq(plan.tls.why != NULL, plan.tls.level >= TLS_LEVEL_UNCHECKED);
}
END_TEST

START_TEST(a_policy_brings_its_own_settings)
{
	static const char main_cf[] = "smtp_tls_policy_maps = texthash:/etc/postfix/policy\n"
				      "tls_high_cipherlist = HIGH\ntls_medium_cipherlist = MEDIUM\n"
				      "smtp_tls_mandatory_ciphers = medium\nsmtp_tls_exclude_ciphers = RC4, MD5\n"
				      "smtp_tls_mandatory_protocols = >=TLSv1.2\n";
	struct plan plan;
	uint64_t hash;

	make_plan(main_cf, "", "smtp:[relay.example.net]:587", &plan);
	ck_assert_str_eq(plan.tls.ciphers, "HIGH:!RC4:!MD5:!eNULL");
	ck_assert_str_eq(plan.tls.protocols, ">=TLSv1.2");
	hash = plan_tls_hash(&plan.tls);
	make_plan(main_cf, "", "smtp:[relay.example.net]:587", &plan);
	ck_assert(plan_tls_hash(&plan.tls) == hash);
	make_plan(main_cf, "", "smtp:x.example.org", &plan);
	ck_assert_str_eq(plan.tls.ciphers, "MEDIUM:!RC4:!MD5:!aNULL");
	ck_assert_str_eq(plan.tls.match, "a.example:.b.example");
	ck_assert_str_eq(plan.tls.servername, "hostname");
	ck_assert_str_eq(plan.tls.nexthop, "x.example.org");
	ck_assert(plan_tls_hash(&plan.tls) != hash);
}
END_TEST

START_TEST(a_directory_of_certificates_lies_in_the_jail)
{
	static const char main_cf[] = "queue_directory = /q\nsmtp_tls_CApath = /certs\nsmtp_tls_CAfile = /ca.pem\n"
				      "smtp_tls_security_level = verify\n";
	struct plan plan;

	make_plan(main_cf, "", "strict:[h.example]", &plan);
	ck_assert_str_eq(plan.tls.ca_path, "/q/certs");
	ck_assert_str_eq(plan.tls.ca_file, "/ca.pem");
	make_plan(main_cf, "hop \"*\" { ca_file = \"/own.pem\" }", "smtp:[h.example]", &plan);
	ck_assert_str_eq(plan.tls.ca_path, "");
	ck_assert_str_eq(plan.tls.ca_file, "/own.pem");
}
END_TEST

static const struct {
	enum tls_level level;
	bool is_offered, ignores, goes_on;
	enum reason reason;
} offers[] = {
	{TLS_LEVEL_NONE, true, false, false, REASON_NONE},
	{TLS_LEVEL_MAY, true, false, true, REASON_NONE},
	{TLS_LEVEL_MAY, false, false, false, REASON_NONE},
	{TLS_LEVEL_MAY, true, true, false, REASON_NONE},
	{TLS_LEVEL_ENCRYPT, true, false, true, REASON_NONE},
	{TLS_LEVEL_ENCRYPT, false, false, false, REASON_TLS_UNAVAILABLE},
	{TLS_LEVEL_SECURE, true, true, false, REASON_TLS_UNAVAILABLE},
	{TLS_LEVEL_UNCHECKED, true, false, false, REASON_LOCAL_ERROR},
	{TLS_LEVEL_INVALID, true, false, false, REASON_TLS_UNAVAILABLE},
};

START_TEST(an_offer_is_taken_where_the_level_asks_for_it)
{
	struct tls_plan plan = {
		.level = offers[_i].level, .ignores_starttls = offers[_i].ignores, .why = "so"};
	struct smtp_hello hello = {.has_starttls = offers[_i].is_offered};
	struct smtp_tls_verdict verdict;

	ck_assert_int_eq(smtp_tls_is_wanted(&plan, &hello, "peer", &verdict), offers[_i].goes_on);
	ck_assert_int_eq(verdict.reason, offers[_i].reason);
}
END_TEST

START_TEST(a_certificate_that_ends_is_a_warning_where_it_is_verified)
{
	struct tls_plan plan = {.level = TLS_LEVEL_VERIFY};
	struct smtp_tls_verdict verdict;
	time_t now = clock_wall();

	ck_assert(smtp_tls_is_ending(&plan, now + 50, 100 * 1000, "peer", &verdict));
	ck_assert_int_eq(verdict.reason, REASON_TLS_EXPIRING);
	ck_assert_int_eq(verdict.severity, SEVERITY_DEGRADED);
	ck_assert(!smtp_tls_is_ending(&plan, now + 200, 100 * 1000, "peer", &verdict));
	ck_assert(!smtp_tls_is_ending(&plan, now + 50, 0, "peer", &verdict));
	plan.level = TLS_LEVEL_ENCRYPT;
	ck_assert(!smtp_tls_is_ending(&plan, now + 50, 100 * 1000, "peer", &verdict));
}
END_TEST

/* Stories of one hop: what a probe at the depth tls finds, and what shallower ones may say then. */
START_TEST(what_a_deep_probe_found_stays_until_the_next_one)
{
	static const struct outcome fine = {REASON_NONE, SEVERITY_NONE, false};
	static const struct outcome slow = {REASON_SLOW, SEVERITY_DEGRADED, false};
	static const struct outcome bad = {REASON_TLS_CERTIFICATE, SEVERITY_DOWN, false};
	static const struct outcome ends = {REASON_TLS_EXPIRING, SEVERITY_DEGRADED, false};
	struct depth_state state = {0};
	int64_t now_ms = 1000;

	ck_assert(depth_due(&state, DEPTH_KIND_TLS, now_ms));
	depth_record(&state, DEPTH_KIND_TLS, &fine, "", 5000, now_ms);
	ck_assert(!depth_due(&state, DEPTH_KIND_TLS, now_ms + DEPTH_TLS_MS - 1));
	ck_assert(depth_due(&state, DEPTH_KIND_TLS, now_ms + DEPTH_TLS_MS));
	ck_assert_ptr_null(depth_fault(&state, &fine));

	/* down: looked at with each probe, so that a repair is seen */
	depth_record(&state, DEPTH_KIND_TLS, &bad, "expired", 5000, now_ms);
	for (int i = 0; i < 10; i++, depth_record(&state, DEPTH_KIND_TLS, &bad, "expired", 5000, ++now_ms))
		ck_assert(depth_due(&state, DEPTH_KIND_TLS, now_ms));
	ck_assert_int_eq(depth_fault(&state, &fine)->outcome.reason, REASON_TLS_CERTIFICATE);
	ck_assert_str_eq(depth_fault(&state, &slow)->detail, "expired");

	/* a warning stays, and is looked at once a minute */
	depth_record(&state, DEPTH_KIND_TLS, &ends, "soon", 5000, now_ms);
	ck_assert(!depth_due(&state, DEPTH_KIND_TLS, now_ms + DEPTH_WARNING_MS - 1));
	ck_assert(depth_due(&state, DEPTH_KIND_TLS, now_ms + DEPTH_WARNING_MS));
	ck_assert_int_eq(depth_fault(&state, &fine)->outcome.reason, REASON_TLS_EXPIRING);

	/* slowness is no news of TLS */
	depth_record(&state, DEPTH_KIND_TLS, &slow, "slow", 5000, now_ms);
	ck_assert_ptr_null(depth_fault(&state, &fine));

	/* other settings */
	depth_forget(&state, DEPTH_KIND_TLS);
	ck_assert(depth_due(&state, DEPTH_KIND_TLS, now_ms));
	depth_free(&state);
}
END_TEST

/* The other end of a session. */
static struct {
	SSL_CTX *context;
	SSL *ssl;
	BIO *in, *out;
} server;

static X509 *make_certificate(EVP_PKEY *key)
{
	X509 *certificate = X509_new();

	ck_assert(X509_set_version(certificate, 2) && X509_set_pubkey(certificate, key));
	X509_gmtime_adj(X509_getm_notBefore(certificate), -1000);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 5000);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
		(const unsigned char *)"peer.example", -1, -1, 0);
	X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
	ck_assert(X509_sign(certificate, key, EVP_sha256()) > 0);
	return certificate;
}

static void setup_server(void)
{
	EVP_PKEY *key = EVP_RSA_gen(2048);
	X509 *certificate = make_certificate(key);

	server.context = SSL_CTX_new(TLS_server_method());
	ck_assert_int_eq(SSL_CTX_use_certificate(server.context, certificate), 1);
	ck_assert_int_eq(SSL_CTX_use_PrivateKey(server.context, key), 1);
	server.ssl = SSL_new(server.context);
	server.in = BIO_new(BIO_s_mem());
	server.out = BIO_new(BIO_s_mem());
	(void)BIO_set_mem_eof_return(server.in, -1);
	SSL_set_bio(server.ssl, server.in, server.out);
	SSL_set_accept_state(server.ssl);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

static void teardown_server(void)
{
	SSL_free(server.ssl);
	SSL_CTX_free(server.context);
}

/* to_server, from_server - carry what waits; from_server in pieces of so many bytes at most */
static void to_server(struct tls *tls)
{
	struct evbuffer *wire = evbuffer_new();
	int count;

	ck_assert(tls_flush(tls, wire));
	count = (int)evbuffer_get_length(wire);
	if (count > 0)
		ck_assert_int_eq(BIO_write(server.in, evbuffer_pullup(wire, -1), count), count);
	evbuffer_free(wire);
}

static bool from_server(struct tls *tls, int piece)
{
	struct evbuffer *wire = evbuffer_new();
	char bytes[16384];
	int count = BIO_read(server.out, bytes, piece < (int)sizeof bytes ? piece : (int)sizeof bytes);

	if (count > 0)
		ck_assert_int_eq(evbuffer_add(wire, bytes, (size_t)count), 0);
	ck_assert(tls_feed(tls, wire));
	evbuffer_free(wire);
	return count > 0;
}

static enum tls_status shake_hands(struct tls *tls, int piece)
{
	enum tls_status status = TLS_STATUS_MORE;

	for (int i = 0; i < 100000 && status == TLS_STATUS_MORE; i++) {
		status = tls_handshake(tls);
		to_server(tls);
		(void)SSL_do_handshake(server.ssl);
		(void)from_server(tls, piece);
	}
	return status;
}

START_TEST(a_session_carries_lines_whatever_the_pieces)
{
	static const int pieces[] = {1, 7, 16384};
	struct tls_plan plan = {.level = TLS_LEVEL_ENCRYPT, .chain_depth = 9, .protocols = ">=TLSv1.2"};
	struct tls_store *store = tls_store_new();
	struct evbuffer *plain = evbuffer_new();
	struct tls_refusal refusal;
	struct tls *tls = tls_start(store, &plan, "peer.example", &refusal);
	char line[64] = "";
	enum tls_status status = TLS_STATUS_MORE;

	ck_assert_ptr_nonnull(tls);
	ck_assert_int_eq(shake_hands(tls, pieces[_i]), TLS_STATUS_DONE);
	ck_assert(tls_is_believed(tls));
	ck_assert_int_ge(tls_not_after(tls), clock_wall() + 4000);
	ck_assert(tls_write(tls, "EHLO x\r\n"));
	to_server(tls);
	ck_assert_int_eq(SSL_read(server.ssl, line, sizeof line), 8);
	ck_assert_str_eq(line, "EHLO x\r\n");
	ck_assert_int_eq(SSL_write(server.ssl, "250 y\r\n", 7), 7);
	(void)SSL_shutdown(server.ssl);
	while (from_server(tls, pieces[_i]))
		status = tls_read(tls, plain);
	ck_assert_int_eq(evbuffer_get_length(plain), 7);
	ck_assert_int_eq(status, TLS_STATUS_ENDED);
	tls_end(tls);
	to_server(tls);
	ck_assert_int_eq(SSL_shutdown(server.ssl), 1);
	tls_free(tls);
	evbuffer_free(plain);
	tls_store_free(store);
}
END_TEST

static const struct {
	struct tls_plan plan;
	const char *host;
	bool starts, is_believed;
	const char *error;
} trusts[] = {
	{{.level = TLS_LEVEL_VERIFY, .chain_depth = 9, .match = "hostname"}, "peer.example", true, false, "self-signed"},
	{{.level = TLS_LEVEL_SECURE, .chain_depth = 9, .match = "nexthop, dot-nexthop", .nexthop = "peer.example"}, "",
		true, false, "self-signed"},
	{{.level = TLS_LEVEL_VERIFY, .chain_depth = 9, .match = "hostname"}, "", false, false, "not known"},
	{{.level = TLS_LEVEL_FINGERPRINT, .chain_depth = 9, .digest = "sha256", .fingerprints = "AA:BB"}, "", true, false,
		"fingerprint"},
	{{.level = TLS_LEVEL_ENCRYPT, .chain_depth = 9, .protocols = "TLSv9"}, "", false, false, "protocols"},
	{{.level = TLS_LEVEL_ENCRYPT, .chain_depth = 9, .ciphers = "none-such"}, "", false, false, "ciphers"},
	{{.level = TLS_LEVEL_VERIFY, .chain_depth = 9, .match = "x", .ca_file = "/nowhere/ca.pem"}, "", false, false,
		"No such file"},
	{{.level = TLS_LEVEL_ENCRYPT, .chain_depth = 9, .protocols = "!TLSv1.2, TLSv1.3", .servername = "nexthop",
		 .nexthop = "peer.example"}, "", true, true, ""},
};

START_TEST(who_is_believed)
{
	struct tls_store *store = tls_store_new();
	struct tls_refusal refusal;
	struct tls *tls = tls_start(store, &trusts[_i].plan, trusts[_i].host, &refusal);

	ck_assert_int_eq(tls != NULL, trusts[_i].starts);
	if (tls != NULL) {
		ck_assert_int_eq(shake_hands(tls, 16384), TLS_STATUS_DONE);
		ck_assert_int_eq(tls_is_believed(tls), trusts[_i].is_believed);
	}
	ck_assert_ptr_nonnull(strstr(tls != NULL ? tls_error(tls) : refusal.error, trusts[_i].error));
	tls_free(tls);
	tls_store_free(store);
}
END_TEST

START_TEST(garbage_and_floods_end_a_session)
{
	struct tls_plan plan = {.level = TLS_LEVEL_ENCRYPT, .chain_depth = 9};
	struct tls_store *store = tls_store_new();
	struct tls_refusal refusal;
	struct tls *tls = tls_start(store, &plan, "", &refusal);
	struct evbuffer *wire = evbuffer_new();
	bool is_taken = true;

	ck_assert_int_eq(tls_handshake(tls), TLS_STATUS_MORE);
	ck_assert_int_eq(evbuffer_add(wire, "220 this is no TLS\r\n", 20), 0);
	ck_assert(tls_feed(tls, wire));
	ck_assert_int_eq(tls_handshake(tls), TLS_STATUS_FAILED);
	ck_assert(*tls_error(tls) != '\0');
	for (int i = 0; i < 2000 && is_taken; i++) {
		static const char bytes[4096];

		ck_assert_int_eq(evbuffer_add(wire, bytes, sizeof bytes), 0);
		is_taken = tls_feed(tls, wire);
	}
	ck_assert(!is_taken);
	tls_free(tls);
	evbuffer_free(wire);
	tls_store_free(store);
}
END_TEST

#define LINES(table) ((int)(sizeof(table) / sizeof(table)[0]))

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup_server, teardown_server);
	tcase_add_loop_test(tcase, a_plan_asks_what_postfix_would_ask, 0, LINES(plans));
	tcase_add_test(tcase, a_policy_brings_its_own_settings);
	tcase_add_test(tcase, a_directory_of_certificates_lies_in_the_jail);
	tcase_add_loop_test(tcase, an_offer_is_taken_where_the_level_asks_for_it, 0, LINES(offers));
	tcase_add_test(tcase, a_certificate_that_ends_is_a_warning_where_it_is_verified);
	tcase_add_test(tcase, what_a_deep_probe_found_stays_until_the_next_one);
	tcase_add_loop_test(tcase, a_session_carries_lines_whatever_the_pieces, 0, 3);
	tcase_add_loop_test(tcase, who_is_believed, 0, LINES(trusts));
	tcase_add_test(tcase, garbage_and_floods_end_a_session);
}

int main(void)
{
	return suite_run("tls", add_tests);
}
