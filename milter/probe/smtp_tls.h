/*
 * smtp_tls - what smtp(8) would make of a server's TLS
 *
 * Pure but for the clock: the dialogue says what has happened, this says what it means for mail.
 */
#ifndef FF_SMTP_TLS_H
#define FF_SMTP_TLS_H

#include "health/reason.h"
#include "postfix/plan_tls.h"
#include "probe/smtp_hello.h"
#include "probe/tls.h"

#include <stdint.h>

enum { SMTP_TLS_DETAIL_BYTES = 256 };

/* What is to be reported.  REASON_NONE: nothing is wrong, go on without TLS. */
struct smtp_tls_verdict {
	enum reason reason;
	enum severity severity; /* degraded: mail gets past it */
	char detail[SMTP_TLS_DETAIL_BYTES];
};

/* smtp_tls_is_wanted - after hello: shall STARTTLS be said?  If not *verdict tells why. */
bool smtp_tls_is_wanted(const struct tls_plan *plan, const struct smtp_hello *hello, const char *peer,
	struct smtp_tls_verdict *verdict);

/* smtp_tls_is_possible - false: *verdict tells why no handshake can be begun */
bool smtp_tls_is_possible(const struct tls_plan *plan, struct smtp_tls_verdict *verdict);

/* smtp_tls_cannot - no session can be begun on our side, or on Postfix's */
void smtp_tls_cannot(const struct tls_plan *plan, const char *peer, const struct tls_refusal *refusal,
	struct smtp_tls_verdict *verdict);

/* smtp_tls_refused - text: the answer to STARTTLS */
void smtp_tls_refused(const struct tls_plan *plan, const char *peer, const char *text,
	struct smtp_tls_verdict *verdict);

/* smtp_tls_failed - the handshake; tls may be asked why */
void smtp_tls_failed(const struct tls_plan *plan, const struct tls *tls, const char *peer, const char *why,
	struct smtp_tls_verdict *verdict);

/* smtp_tls_broke - the connection was lost under TLS: fill in reason and severity */
void smtp_tls_broke(const struct tls_plan *plan, const struct tls *tls, struct smtp_tls_verdict *verdict);

/* smtp_tls_is_ending - false, or *verdict says that the certificate that mail rests on ends soon */
bool smtp_tls_is_ending(const struct tls_plan *plan, time_t not_after, int64_t warning_ms, const char *peer,
	struct smtp_tls_verdict *verdict);

#endif
