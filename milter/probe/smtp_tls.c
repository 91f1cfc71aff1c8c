/*
 * smtp_tls - what smtp(8) would make of a server's TLS
 *
 * The order of questions and the words are those of smtp_proto.c of Postfix.  At "may" it tries again in plaintext when a
 * session fails, as soon as the message is older than minimal_backoff_time: mail is late, but it goes.
 */
#include "probe/smtp_tls.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>

static void __attribute__((format(printf, 3, 4)))
say(struct smtp_tls_verdict *verdict, enum reason reason, const char *fmt, ...)
{
	va_list ap;

	verdict->reason = reason;
	verdict->severity = reason_severity(reason);
	va_start(ap, fmt);
	(void)vsnprintf(verdict->detail, sizeof verdict->detail, fmt, ap);
	va_end(ap);
}

bool smtp_tls_is_possible(const struct tls_plan *plan, struct smtp_tls_verdict *verdict)
{
	if (plan->level == TLS_LEVEL_UNCHECKED)
		say(verdict, REASON_LOCAL_ERROR, "TLS is not checked: %s", plan->why);
	else if (plan->level == TLS_LEVEL_INVALID)
		say(verdict, REASON_TLS_UNAVAILABLE, "client TLS configuration problem: %s", plan->why);
	return plan->level < TLS_LEVEL_UNCHECKED;
}

bool smtp_tls_is_wanted(const struct tls_plan *plan, const struct smtp_hello *hello, const char *peer,
	struct smtp_tls_verdict *verdict)
{
	say(verdict, REASON_NONE, "%s", "");
	if (!smtp_tls_is_possible(plan, verdict) || plan->level == TLS_LEVEL_NONE)
		return false;
	if (hello->has_starttls && !plan->ignores_starttls)
		return true;
	if (plan_tls_is_required(plan))
		say(verdict, REASON_TLS_UNAVAILABLE, "TLS is required, but was not offered by %s", peer);
	return false;
}

void smtp_tls_cannot(const struct tls_plan *plan, const char *peer, const struct tls_refusal *refusal,
	struct smtp_tls_verdict *verdict)
{
	if (refusal->reason == REASON_LOCAL_ERROR || plan_tls_is_required(plan))
		say(verdict, refusal->reason, "no TLS with %s: %s", peer, refusal->error);
	else
		say(verdict, REASON_NONE, "%s", "");
}

void smtp_tls_refused(const struct tls_plan *plan, const char *peer, const char *text,
	struct smtp_tls_verdict *verdict)
{
	say(verdict, REASON_NONE, "%s", "");
	if (plan_tls_is_required(plan))
		say(verdict, REASON_TLS_UNAVAILABLE, "TLS is required, but %s refused to start TLS: %.150s", peer,
			text);
}

void smtp_tls_broke(const struct tls_plan *plan, const struct tls *tls, struct smtp_tls_verdict *verdict)
{
	if (plan->level == TLS_LEVEL_MAY) {
		verdict->reason = REASON_TLS_HANDSHAKE;
		verdict->severity = SEVERITY_DEGRADED;
	} else if (plan->has_certificate && tls_wants_certificate(tls)) {
		/* It may well have hung up on us for the lack of Postfix's certificate. */
		verdict->reason = REASON_LOCAL_ERROR;
		verdict->severity = SEVERITY_NONE;
	}
}

void smtp_tls_failed(const struct tls_plan *plan, const struct tls *tls, const char *peer, const char *why,
	struct smtp_tls_verdict *verdict)
{
	say(verdict, REASON_TLS_HANDSHAKE, "TLS handshake with %s failed: %s", peer, why);
	smtp_tls_broke(plan, tls, verdict);
}

bool smtp_tls_is_ending(const struct tls_plan *plan, time_t not_after, int64_t warning_ms, const char *peer,
	struct smtp_tls_verdict *verdict)
{
	char utc[CLOCK_UTC_BYTES];

	if (not_after == 0 || plan->level < TLS_LEVEL_VERIFY ||
		not_after - clock_wall() >= warning_ms / 1000)
		return false;
	say(verdict, REASON_TLS_EXPIRING, "the certificate of %s ends at %s", peer,
		clock_format_utc(utc, not_after));
	return true;
}
