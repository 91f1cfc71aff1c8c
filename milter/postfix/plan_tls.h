/*
 * plan_tls - how a hop's server is spoken to under TLS: what smtp(8) would ask of it
 *
 * A plan holds copies, so that two plans of the same settings are the same bytes (plan_tls_hash()).
 * Threads: any.
 */
#ifndef FF_PLAN_TLS_H
#define FF_PLAN_TLS_H

#include <stdbool.h>
#include <stdint.h>

/* In the order of what is asked of the server; from TLS_LEVEL_ENCRYPT on mail does not go out without it. */
enum tls_level {
	TLS_LEVEL_NONE,
	TLS_LEVEL_MAY,
	TLS_LEVEL_ENCRYPT,
	TLS_LEVEL_FINGERPRINT,
	TLS_LEVEL_VERIFY,
	TLS_LEVEL_SECURE,
	TLS_LEVEL_UNCHECKED, /* what Postfix asks is more than we can check, or not known: see why */
	TLS_LEVEL_INVALID,   /* Postfix defers all mail because of its own settings: see why */
};

enum {
	TLS_PLAN_PATH_BYTES = 256,
	TLS_PLAN_NAME_BYTES = 256,
	TLS_PLAN_LIST_BYTES = 512,
};

struct tls_plan {
	enum tls_level level;
	bool is_wrapped;	 /* smtp_tls_wrappermode: TLS before the greeting */
	bool ignores_starttls;	 /* smtp_discard_ehlo_keywords */
	bool has_certificate;	 /* Postfix has a client certificate, which we may not read */
	bool has_own_ca;	 /* ca_file is of our own configuration */
	bool has_default_ca;	 /* OpenSSL's own certificates count, too */
	bool has_legacy_keys;	 /* tls_legacy_public_key_fingerprints */
	unsigned chain_depth;	 /* smtp_tls_scert_verifydepth */
	const char *why;	 /* constant text */
	char ca_file[TLS_PLAN_PATH_BYTES], ca_path[TLS_PLAN_PATH_BYTES]; /* "": none */
	char servername[TLS_PLAN_NAME_BYTES]; /* for SNI: "" none, "hostname", "nexthop" or a name */
	char nexthop[TLS_PLAN_NAME_BYTES];    /* the domain of the nexthop */
	char match[TLS_PLAN_LIST_BYTES];      /* names as in smtp_tls_verify_cert_match */
	char fingerprints[TLS_PLAN_LIST_BYTES];
	char digest[TLS_PLAN_NAME_BYTES / 4]; /* of the fingerprints */
	char protocols[TLS_PLAN_NAME_BYTES];  /* as in smtp_tls_protocols */
	char ciphers[TLS_PLAN_LIST_BYTES];    /* for OpenSSL */
};

/* plan_tls_is_required - does mail wait when there is no TLS? */
bool plan_tls_is_required(const struct tls_plan *plan);

/* plan_tls_hash - changes when the plan does */
uint64_t plan_tls_hash(const struct tls_plan *plan);

#endif
