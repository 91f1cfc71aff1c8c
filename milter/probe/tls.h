/*
 * tls - one TLS session over bytes that somebody else carries
 *
 * OpenSSL is fed from memory and never sees a socket, so the dialogue keeps its one stream, its limits and its timer.
 * What is asked of the server is asked with the same calls as in Postfix's tls_client.c.
 *
 * Threads: the event thread.
 */
#ifndef FF_TLS_H
#define FF_TLS_H

#include "health/reason.h"
#include "postfix/plan_tls.h"

#include <event2/buffer.h>
#include <stdbool.h>
#include <time.h>

enum { TLS_ERROR_BYTES = 192, TLS_FACTS_BYTES = 512 };

/* Certificates of authorities, read once and again when their files change. */
struct tls_store;

struct tls_store *tls_store_new(void); /* NULL: out of memory */
void tls_store_free(struct tls_store *store);

struct tls; /* one session */

enum tls_status {
	TLS_STATUS_MORE,   /* more bytes are needed */
	TLS_STATUS_DONE,   /* the handshake is done */
	TLS_STATUS_ENDED,  /* the peer has ended the session */
	TLS_STATUS_FAILED, /* tls_error() says why */
};

/* What tls_start() says when there is no session. */
struct tls_refusal {
	enum reason reason; /* local-error: ours alone; tls-unavailable: Postfix has no TLS either */
	char error[TLS_ERROR_BYTES];
};

/* tls_start - plan must stay as it is; host: the name of the server after MX look-ups, "" when it is not known */
struct tls *tls_start(struct tls_store *store, const struct tls_plan *plan, const char *host,
	struct tls_refusal *refusal);

/* tls_free - NULL is fine */
void tls_free(struct tls *tls);

/* tls_feed - take what the peer has sent; false when it is more than any probe needs, or we are out of memory */
bool tls_feed(struct tls *tls, struct evbuffer *from);

/* tls_flush - append what the peer is to be sent; false when out of memory */
bool tls_flush(struct tls *tls, struct evbuffer *to);

/* tls_handshake - go on with it.  FAILED or ENDED: what is to be flushed may hold an alert */
enum tls_status tls_handshake(struct tls *tls);

/* tls_read - append what was said to us.  MORE: that is all for now */
enum tls_status tls_read(struct tls *tls, struct evbuffer *plain);

/* tls_write - say something short; false when the session is over */
bool tls_write(struct tls *tls, const char *text);

/* tls_end - say that we are done (close_notify) */
void tls_end(struct tls *tls);

/* tls_is_believed - after the handshake: is the certificate what the level asks for?  If not tls_error() says why. */
bool tls_is_believed(struct tls *tls);

/* tls_not_after - when the first of the certificates ends on which mail rests, 0: there is none */
time_t tls_not_after(const struct tls *tls);

/* tls_wants_certificate - the peer has asked for a client certificate, and we have none to show */
bool tls_wants_certificate(const struct tls *tls);

const char *tls_error(const struct tls *tls);

/* tls_facts - after the handshake, for people: protocol, cipher, and whose certificate it is */
const char *tls_facts(const struct tls *tls, char facts[TLS_FACTS_BYTES]);

#endif
