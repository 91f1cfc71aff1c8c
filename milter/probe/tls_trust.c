/*
 * tls_trust - who is believed: names, fingerprints, protocols and ciphers, as tls_client.c and tls_misc.c of Postfix have
 * them
 */
#include "probe/tls_private.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SEPARATORS ", \t\r\n"

enum { WORD_BYTES = TLS_PLAN_NAME_BYTES };

/* next_word - copy one word of a list; false: no more, or one that does not fit */
static bool next_word(const char **list, const char *separators, char word[WORD_BYTES])
{
	size_t length;

	*list += strspn(*list, separators);
	length = strcspn(*list, separators);
	if (length == 0 || length >= WORD_BYTES)
		return false;
	memcpy(word, *list, length);
	word[length] = '\0';
	*list += length;
	return true;
}

static const struct {
	const char *name;
	int version;
	uint64_t exclude;
} protocols[] = {
	{"SSLv2", 0, 0},
	{"SSLv3", SSL3_VERSION, SSL_OP_NO_SSLv3},
	{"TLSv1", TLS1_VERSION, SSL_OP_NO_TLSv1},
	{"TLSv1.1", TLS1_1_VERSION, SSL_OP_NO_TLSv1_1},
	{"TLSv1.2", TLS1_2_VERSION, SSL_OP_NO_TLSv1_2},
	{"TLSv1.3", TLS1_3_VERSION, SSL_OP_NO_TLSv1_3},
};

enum { PROTOCOLS = sizeof protocols / sizeof *protocols, PROTOCOL_UNKNOWN = -1 };

static int find_protocol(const char *name)
{
	for (int i = 0; i < PROTOCOLS; i++)
		if (strcasecmp(protocols[i].name, name) == 0)
			return i;
	return PROTOCOL_UNKNOWN;
}

/* find_version - of ">=TLSv1.2"; a number is one of OpenSSL, in hexadecimal digits */
static int find_version(const char *name)
{
	int found = find_protocol(name);
	char *end;
	long number;

	if (found != PROTOCOL_UNKNOWN)
		return protocols[found].version;
	if (strcasecmp(name, "None") == 0)
		return 0;
	number = strtol(name, &end, 16);
	return *end == '\0' && number >= 0 && number <= 0xffff ? (int)number : PROTOCOL_UNKNOWN;
}

/* set_protocols - false when the list makes no sense: Postfix then starts no session */
static bool set_protocols(SSL *ssl, const char *list)
{
	uint64_t exclude = 0, include = 0, known = 0;
	int least = 0, most = 0, found;
	char word[WORD_BYTES];

	for (int i = 0; i < PROTOCOLS; i++)
		known |= protocols[i].exclude;
	while (next_word(&list, SEPARATORS ":", word)) {
		if (strncmp(word, ">=", 2) == 0)
			found = least = find_version(word + 2);
		else if (strncmp(word, "<=", 2) == 0)
			found = most = find_version(word + 2);
		else if ((found = find_protocol(word + (*word == '!'))) != PROTOCOL_UNKNOWN)
			*(*word == '!' ? &exclude : &include) |= protocols[found].exclude;
		if (found == PROTOCOL_UNKNOWN)
			return false;
	}
	if (include != 0)
		exclude |= known & ~include;
	(void)SSL_set_options(ssl, exclude);
	(void)SSL_set_min_proto_version(ssl, least);
	(void)SSL_set_max_proto_version(ssl, most);
	return true;
}

/* meaning - of a word of smtp_tls_verify_cert_match and smtp_tls_servername; NULL: it is not known */
static const char *meaning(const struct tls *tls, const char *word, const char *host)
{
	if (strcasecmp(word, "hostname") == 0)
		return *host != '\0' ? host : NULL;
	if (strcasecmp(word, "nexthop") == 0 || strcasecmp(word, "dot-nexthop") == 0)
		return tls->plan->nexthop;
	return word;
}

/* add_name - a name that the certificate may be for, with a dot in front any below it */
static bool add_name(struct tls *tls, const char *word, const char *host)
{
	char dotted[1 + WORD_BYTES];
	const char *name = meaning(tls, word, host);

	if (name == NULL)
		return false;
	if (strcasecmp(word, "dot-nexthop") == 0) {
		(void)snprintf(dotted, sizeof dotted, ".%s", name);
		name = dotted;
	}
	return SSL_add1_host(tls->ssl, name) == 1;
}

static bool add_names(struct tls *tls, const char *host)
{
	const char *list = tls->plan->match;
	char word[WORD_BYTES];
	unsigned count = 0;

	SSL_set_hostflags(tls->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	for (; next_word(&list, SEPARATORS ":", word); count++)
		if (!add_name(tls, word, host))
			return false;
	return count > 0;
}

static bool set_servername(struct tls *tls, const char *host)
{
	const char *name = meaning(tls, tls->plan->servername, host);

	if (name == NULL)
		return false;
	return *name == '\0' || SSL_set_tlsext_host_name(tls->ssl, name) == 1;
}

bool tls_trust_prepare(struct tls *tls, const char *host, struct tls_refusal *refusal)
{
	const struct tls_plan *plan = tls->plan;
	const char *what = NULL;

	/* Postfix starts no session with such settings. */
	refusal->reason = REASON_TLS_UNAVAILABLE;
	ERR_clear_error();
	if (!set_protocols(tls->ssl, plan->protocols))
		what = "the list of TLS protocols is not valid";
	else if (*plan->ciphers != '\0' && SSL_set_cipher_list(tls->ssl, plan->ciphers) != 1)
		what = "the list of TLS ciphers is not valid";
	if (what == NULL) {
		refusal->reason = REASON_LOCAL_ERROR;
		SSL_set_verify_depth(tls->ssl, (int)plan->chain_depth + 1);
		if (!set_servername(tls, host) || (plan->level >= TLS_LEVEL_VERIFY && !add_names(tls, host)))
			what = "the name of the server, for its certificate, is not known";
		if (plan->level >= TLS_LEVEL_FINGERPRINT)
			SSL_set_security_level(tls->ssl, 1);
	}
	ERR_clear_error();
	if (what != NULL)
		(void)snprintf(refusal->error, sizeof refusal->error, "%s", what);
	return what == NULL;
}

/* is_digest - "AB:CD:EF", with or without colons, of these bytes? */
static bool is_digest(const char *text, const unsigned char *bytes, unsigned count)
{
	char pair[3];

	for (unsigned i = 0; i < count; i++) {
		(void)snprintf(pair, sizeof pair, "%02x", bytes[i]);
		if (strncasecmp(text, pair, 2) != 0)
			return false;
		text += 2;
		text += *text == ':' && i + 1 < count;
	}
	return *text == '\0';
}

/* key_digest - of the public key; older Postfixes took the bits alone */
static bool key_digest(const struct tls_plan *plan, X509 *certificate, const EVP_MD *algorithm,
	unsigned char digest[EVP_MAX_MD_SIZE], unsigned *count)
{
	unsigned char *bytes = NULL;
	int length;
	bool is_made;

	if (plan->has_legacy_keys)
		return X509_pubkey_digest(certificate, algorithm, digest, count) == 1;
	length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &bytes);
	is_made = length > 0 && EVP_Digest(bytes, (size_t)length, digest, count, algorithm, NULL) == 1;
	OPENSSL_free(bytes);
	return is_made;
}

/* has_fingerprint - of the certificate, or of its key */
static bool has_fingerprint(const struct tls *tls, X509 *certificate)
{
	const EVP_MD *algorithm = EVP_get_digestbyname(tls->plan->digest);
	unsigned char whole[EVP_MAX_MD_SIZE], key[EVP_MAX_MD_SIZE];
	unsigned whole_bytes, key_bytes;
	const char *list = tls->plan->fingerprints;
	char word[WORD_BYTES];

	if (algorithm == NULL || X509_digest(certificate, algorithm, whole, &whole_bytes) != 1 ||
		!key_digest(tls->plan, certificate, algorithm, key, &key_bytes))
		return false;
	while (next_word(&list, SEPARATORS "|", word))
		if (is_digest(word, whole, whole_bytes) || is_digest(word, key, key_bytes))
			return true;
	return false;
}

bool tls_is_believed(struct tls *tls)
{
	X509 *certificate = SSL_get0_peer_certificate(tls->ssl);
	long result = SSL_get_verify_result(tls->ssl);
	bool is_believed = tls->plan->level <= TLS_LEVEL_ENCRYPT;

	if (certificate == NULL && !is_believed) {
		(void)snprintf(tls->error, sizeof tls->error, "there is none");
	} else if (tls->plan->level == TLS_LEVEL_FINGERPRINT) {
		is_believed = has_fingerprint(tls, certificate);
		(void)snprintf(tls->error, sizeof tls->error, "its fingerprint is another one");
	} else if (!is_believed) {
		is_believed = result == X509_V_OK;
		(void)snprintf(tls->error, sizeof tls->error, "%s",
			X509_verify_cert_error_string(tls->trust_depth >= 0 ? tls->trust_error : result));
	}
	return is_believed;
}

static time_t certificate_end(X509 *certificate)
{
	struct tm utc;

	return ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &utc) == 1 ? timegm(&utc) : 0;
}

time_t tls_not_after(const struct tls *tls)
{
	X509 *certificate = SSL_get0_peer_certificate(tls->ssl);
	STACK_OF(X509) *chain = SSL_get0_verified_chain(tls->ssl);
	time_t first = certificate != NULL ? certificate_end(certificate) : 0;

	if (tls->plan->level < TLS_LEVEL_VERIFY)
		return first;
	for (int i = 0; i < sk_X509_num(chain); i++) {
		time_t end = certificate_end(sk_X509_value(chain, i));

		if (end != 0 && (first == 0 || end < first))
			first = end;
	}
	return first;
}
