/*
 * tls_private - what the files of the tls module share
 *
 * tls.c carries the bytes of a session, tls_trust.c says who is believed, tls_store.c keeps what has been read of files.
 */
#ifndef FF_TLS_PRIVATE_H
#define FF_TLS_PRIVATE_H

#include "probe/tls.h"

#include <openssl/ssl.h>

struct tls {
	SSL *ssl;
	BIO *in, *out; /* memory; they belong to ssl */
	const struct tls_plan *plan;
	bool is_ready; /* the handshake is done */
	bool wants_certificate;
	size_t fed_bytes;
	int trust_error; /* the first of those closest to the server's own certificate */
	int trust_depth; /* where that was, -1: there is none */
	char error[TLS_ERROR_BYTES];
};

/* tls_store_context - with the certificates of the plan's authorities; belongs to the store.  NULL with *refusal set */
SSL_CTX *tls_store_context(struct tls_store *store, const struct tls_plan *plan, struct tls_refusal *refusal);

/* tls_trust_prepare - names, fingerprints and levels, before the handshake; false with refusal->error set */
bool tls_trust_prepare(struct tls *tls, const char *host, struct tls_refusal *refusal);

/* tls_library_error - the first error in OpenSSL's queue, which is empty then; fallback when there is none */
const char *tls_library_error(const char *fallback);

#endif
