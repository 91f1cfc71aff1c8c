/*
 * smtp_dialogue_tls - the part of the dialogue that begins, carries and judges TLS
 */
#include "probe/smtp_dialogue_private.h"

/* smtp_dialogue_end_tls - tell the peer that we end, or why; the socket is as good as empty by now
 */
void smtp_dialogue_end_tls(struct smtp_dialogue *dialogue)
{
	struct evbuffer *output = bufferevent_get_output(dialogue->stream), *last;

	if (dialogue->tls == NULL || evbuffer_get_length(output) > 0)
		return;
	last = evbuffer_new();
	if (last == NULL)
		return;
	tls_end(dialogue->tls);
	if (tls_flush(dialogue->tls, last))
		(void)evbuffer_write(last, dialogue->fd);
	evbuffer_free(last);
}

/* smtp_dialogue_conclude_tls - what smtp_tls.c makes of it */
void smtp_dialogue_conclude_tls(
	struct smtp_dialogue *dialogue, const struct smtp_tls_verdict *verdict, ending *next)
{
	dialogue->is_degraded = verdict->severity == SEVERITY_DEGRADED;
	smtp_dialogue_conclude(dialogue, verdict->reason, next, "%s", verdict->detail);
}

/* smtp_dialogue_handshake_failed - or was lost, or took too long */
void smtp_dialogue_handshake_failed(struct smtp_dialogue *dialogue, const char *why, ending *next)
{
	struct smtp_tls_verdict verdict;

	smtp_tls_failed(
		dialogue->request.tls, dialogue->tls, dialogue->request.peer, why, &verdict);
	smtp_dialogue_conclude_tls(dialogue, &verdict, next);
}

/* trace_tls - what was agreed on */
static void trace_tls(const struct smtp_dialogue *dialogue)
{
	char facts[TLS_FACTS_BYTES];

	trace_step(dialogue->request.trace, TRACE_TLS, TRACE_NOTE, "%s",
		tls_facts(dialogue->tls, facts));
}

/* handshake_done - smtp(8) looks at the certificate only now, and says QUIT under TLS when it is
 * not the right one */
static void handshake_done(struct smtp_dialogue *dialogue)
{
	const struct smtp_dialogue_request *request = &dialogue->request;

	dialogue->result.tls_not_after = tls_not_after(dialogue->tls);
	trace_tls(dialogue);
	/* What follows may have come with the last of it. */
	bufferevent_trigger(
		dialogue->stream, EV_READ, BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
	if (!tls_is_believed(dialogue->tls))
		smtp_dialogue_conclude(dialogue, REASON_TLS_CERTIFICATE, smtp_dialogue_quit,
			"the certificate of %s is not verified: %s", request->peer,
			tls_error(dialogue->tls));
	else if (request->tls->is_wrapped)
		smtp_dialogue_next_step(dialogue, STEP_GREETING);
	else
		smtp_dialogue_next_step(
			dialogue, request->protocol == PROTOCOL_LMTP ? STEP_LHLO : STEP_EHLO);
}

/* smtp_dialogue_handshake - go on with it */
void smtp_dialogue_handshake(struct smtp_dialogue *dialogue)
{
	enum tls_status status = tls_handshake(dialogue->tls);

	if (status == TLS_STATUS_FAILED || status == TLS_STATUS_ENDED)
		smtp_dialogue_handshake_failed(
			dialogue, tls_error(dialogue->tls), smtp_dialogue_shut_down);
	else if (!smtp_dialogue_flush(dialogue))
		smtp_dialogue_conclude(
			dialogue, REASON_LOCAL_ERROR, smtp_dialogue_hang_up, "out of memory");
	else if (status == TLS_STATUS_DONE)
		handshake_done(dialogue);
}

/* prepare_tls - before anything is said; false: there can be none, and *verdict says what that
 * means */
static bool prepare_tls(struct smtp_dialogue *dialogue, struct smtp_tls_verdict *verdict)
{
	const struct smtp_dialogue_request *request = &dialogue->request;
	struct tls_refusal refusal;

	dialogue->prepared = tls_start(request->store, request->tls, request->host, &refusal);
	if (dialogue->prepared == NULL)
		smtp_tls_cannot(request->tls, request->peer, &refusal, verdict);
	return dialogue->prepared != NULL;
}

/* encrypt - begin the handshake.  What came in plaintext behind the answer to STARTTLS is thrown
 * away, as smtp(8) does: anybody may have put it there (CVE-2011-0411). */
static void encrypt(struct smtp_dialogue *dialogue)
{
	struct evbuffer *input = bufferevent_get_input(dialogue->stream);

	(void)evbuffer_drain(input, evbuffer_get_length(input));
	dialogue->tls = dialogue->prepared;
	dialogue->prepared = NULL;
	if (!smtp_dialogue_begin_step(dialogue, STEP_HANDSHAKE))
		smtp_dialogue_conclude(
			dialogue, REASON_LOCAL_ERROR, smtp_dialogue_hang_up, "out of memory");
	else
		smtp_dialogue_handshake(dialogue);
}

void smtp_dialogue_starttls_answered(struct smtp_dialogue *dialogue)
{
	struct smtp_tls_verdict verdict;

	if (smtp_dialogue_is_positive(dialogue)) {
		encrypt(dialogue);
		return;
	}
	smtp_tls_refused(
		dialogue->request.tls, dialogue->request.peer, dialogue->reply.text, &verdict);
	smtp_dialogue_conclude_tls(dialogue, &verdict, smtp_dialogue_quit);
}

/* smtp_dialogue_want_tls - the probe is to see more than the answer to EHLO in plaintext */
void smtp_dialogue_want_tls(struct smtp_dialogue *dialogue)
{
	const struct smtp_dialogue_request *request = &dialogue->request;
	struct smtp_tls_verdict verdict;

	dialogue->result.is_deep[DEPTH_KIND_TLS] = true;
	if (smtp_tls_is_wanted(request->tls, &dialogue->hello, request->peer, &verdict) &&
		prepare_tls(dialogue, &verdict))
		smtp_dialogue_next_step(dialogue, STEP_STARTTLS);
	else if (verdict.reason == REASON_NONE)
		smtp_dialogue_hello_done(dialogue);
	else
		smtp_dialogue_conclude_tls(dialogue, &verdict, smtp_dialogue_quit);
}

/* smtp_dialogue_wrap - TLS goes before the greeting */
void smtp_dialogue_wrap(struct smtp_dialogue *dialogue)
{
	struct smtp_tls_verdict verdict;

	dialogue->result.is_deep[DEPTH_KIND_TLS] = true;
	if (!smtp_tls_is_possible(dialogue->request.tls, &verdict) ||
		!prepare_tls(dialogue, &verdict))
		smtp_dialogue_conclude_tls(dialogue, &verdict, smtp_dialogue_shut_down);
	else if (bufferevent_enable(dialogue->stream, EV_READ) != 0)
		smtp_dialogue_conclude(
			dialogue, REASON_LOCAL_ERROR, smtp_dialogue_hang_up, "out of memory");
	else
		encrypt(dialogue);
}

/* smtp_dialogue_is_wrapped - TLS goes before the greeting, and is wanted */
bool smtp_dialogue_is_wrapped(const struct smtp_dialogue *dialogue)
{
	const struct smtp_dialogue_request *request = &dialogue->request;

	return request->depth > DEPTH_CONNECT && request->tls != NULL && request->tls->is_wrapped;
}
