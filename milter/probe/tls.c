/*
 * tls - one TLS session over bytes that somebody else carries
 *
 * All that a peer can make us keep is bounded: what it sends is counted, one record is decrypted at a time, and what is
 * answered goes out at once.
 */
#include "probe/tls_private.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	PIECE_BYTES = 4096,
	/* Of all that a peer may send in a session: far above certificates and replies. */
	FED_LIMIT_BYTES = 4 * 1024 * 1024,
	/* Of what waits to be sent: handshakes and commands are small, answers to a flood of key updates are not. */
	OUTPUT_LIMIT_BYTES = 256 * 1024,
};

struct tls *tls_start(struct tls_store *store, const struct tls_plan *plan, const char *host,
	struct tls_refusal *refusal)
{
	SSL_CTX *context = tls_store_context(store, plan, refusal);
	struct tls *tls;

	if (context == NULL)
		return NULL;
	refusal->reason = REASON_LOCAL_ERROR;
	(void)snprintf(refusal->error, sizeof refusal->error, "out of memory for TLS");
	tls = calloc(1, sizeof *tls);
	if (tls == NULL)
		return NULL;
	tls->plan = plan;
	tls->trust_depth = -1;
	tls->ssl = SSL_new(context);
	tls->in = BIO_new(BIO_s_mem());
	tls->out = BIO_new(BIO_s_mem());
	if (tls->ssl == NULL || tls->in == NULL || tls->out == NULL) {
		BIO_free(tls->in);
		BIO_free(tls->out);
		SSL_free(tls->ssl);
		free(tls);
		ERR_clear_error();
		return NULL;
	}
	(void)BIO_set_mem_eof_return(tls->in, -1); /* an empty one is no end */
	SSL_set_bio(tls->ssl, tls->in, tls->out);
	(void)SSL_set_app_data(tls->ssl, tls);
	SSL_set_connect_state(tls->ssl);
	if (!tls_trust_prepare(tls, host, refusal)) {
		tls_free(tls);
		return NULL;
	}
	return tls;
}

void tls_free(struct tls *tls)
{
	if (tls == NULL)
		return;
	SSL_free(tls->ssl);
	free(tls);
}

bool tls_feed(struct tls *tls, struct evbuffer *from)
{
	size_t count;

	while ((count = evbuffer_get_contiguous_space(from)) > 0) {
		tls->fed_bytes += count;
		if (tls->fed_bytes > FED_LIMIT_BYTES ||
			BIO_write(tls->in, evbuffer_pullup(from, (ev_ssize_t)count), (int)count) !=
				(int)count)
			return false;
		(void)evbuffer_drain(from, count);
	}
	return true;
}

bool tls_flush(struct tls *tls, struct evbuffer *to)
{
	char *bytes;
	long count = BIO_get_mem_data(tls->out, &bytes);

	if (count <= 0)
		return true;
	if (evbuffer_get_length(to) + (size_t)count > OUTPUT_LIMIT_BYTES ||
		evbuffer_add(to, bytes, (size_t)count) != 0)
		return false;
	(void)BIO_reset(tls->out);
	return true;
}

/* judge - what OpenSSL's last call has come to */
static enum tls_status judge(struct tls *tls, int returned)
{
	switch (SSL_get_error(tls->ssl, returned)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return TLS_STATUS_MORE;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_STATUS_ENDED;
	default:
		(void)snprintf(tls->error, sizeof tls->error, "%s", tls_library_error("connection lost"));
		return TLS_STATUS_FAILED;
	}
}

enum tls_status tls_handshake(struct tls *tls)
{
	int returned;

	ERR_clear_error();
	returned = SSL_do_handshake(tls->ssl);
	if (returned != 1)
		return judge(tls, returned);
	tls->is_ready = true;
	return TLS_STATUS_DONE;
}

enum tls_status tls_read(struct tls *tls, struct evbuffer *plain)
{
	char piece[PIECE_BYTES];
	int count;

	ERR_clear_error();
	while ((count = SSL_read(tls->ssl, piece, sizeof piece)) > 0)
		if (evbuffer_add(plain, piece, (size_t)count) != 0) {
			(void)snprintf(tls->error, sizeof tls->error, "out of memory");
			return TLS_STATUS_FAILED;
		}
	return judge(tls, count);
}

bool tls_write(struct tls *tls, const char *text)
{
	int length = (int)strlen(text);

	ERR_clear_error();
	return SSL_write(tls->ssl, text, length) == length;
}

void tls_end(struct tls *tls)
{
	if (tls->is_ready)
		(void)SSL_shutdown(tls->ssl);
	ERR_clear_error();
}

bool tls_wants_certificate(const struct tls *tls)
{
	return tls->wants_certificate;
}

const char *tls_error(const struct tls *tls)
{
	return tls->error;
}

const char *tls_facts(const struct tls *tls, char facts[TLS_FACTS_BYTES])
{
	X509 *certificate = SSL_get1_peer_certificate(tls->ssl);
	char subject[TLS_FACTS_BYTES / 2] = "no certificate";

	if (certificate != NULL)
		(void)X509_NAME_oneline(X509_get_subject_name(certificate), subject, sizeof subject);
	X509_free(certificate);
	(void)snprintf(facts, TLS_FACTS_BYTES, "%s with %s, certificate of %s", SSL_get_version(tls->ssl),
		SSL_get_cipher_name(tls->ssl), subject);
	return facts;
}
