/*
 * smtp_dialogue_auth - the part of the dialogue behind hello: AUTH, and asking for a recipient
 */
#include "probe/smtp_dialogue_private.h"

/* send_secret - to the server, and no copy of it stays in memory */
static bool send_secret(struct smtp_dialogue *dialogue, const char *line)
{
	if (dialogue->tls != NULL)
		return smtp_dialogue_send_line(dialogue, line);
	return smtp_auth_put(bufferevent_get_output(dialogue->stream), line) && smtp_dialogue_flush(dialogue);
}

/* all_done - nothing is left to be seen */
static void all_done(struct smtp_dialogue *dialogue)
{
	const struct smtp_dialogue_request *request = &dialogue->request;
	struct smtp_tls_verdict verdict;

	if (dialogue->tls != NULL &&
		smtp_tls_is_ending(request->tls, dialogue->result.tls_not_after,
			request->expiry_warning_ms, request->peer, &verdict))
		smtp_dialogue_conclude_tls(dialogue, &verdict, smtp_dialogue_quit);
	else
		smtp_dialogue_conclude(dialogue, REASON_NONE, smtp_dialogue_quit, "%s", "");
}

/* ask_recipient - the last thing before the end, if it is wanted at all */
static void ask_recipient(struct smtp_dialogue *dialogue)
{
	const char *recipient = dialogue->request.recipient;

	if (recipient == NULL || *recipient == '\0') {
		all_done(dialogue);
		return;
	}
	dialogue->result.is_deep[DEPTH_KIND_RECIPIENT] = true;
	smtp_dialogue_next_step(dialogue, STEP_MAIL);
}

/* go_on_with_auth - send what it has to say, or end with what it found */
static void go_on_with_auth(
	struct smtp_dialogue *dialogue, bool has_line, const struct smtp_auth_verdict *verdict)
{
	if (has_line) {
		trace_step(dialogue->request.trace, TRACE_AUTH, TRACE_SENT, "%s",
			smtp_auth_shown(dialogue->auth));
		if (!smtp_dialogue_begin_step(dialogue, STEP_AUTH) ||
			!send_secret(dialogue, smtp_auth_line(dialogue->auth)))
			smtp_dialogue_conclude(dialogue, REASON_LOCAL_ERROR, smtp_dialogue_hang_up,
				"out of memory");
	} else if (verdict->reason == REASON_NONE) {
		ask_recipient(dialogue);
	} else {
		dialogue->is_degraded = verdict->severity == SEVERITY_DEGRADED;
		smtp_dialogue_conclude(dialogue, verdict->reason,
			verdict->is_over ? smtp_dialogue_shut_down : smtp_dialogue_quit, "%s",
			verdict->detail);
	}
}

/* smtp_dialogue_hello_done - the answer to the last EHLO or LHLO is here */
void smtp_dialogue_hello_done(struct smtp_dialogue *dialogue)
{
	const struct tls_plan *plan = dialogue->request.tls;
	enum smtp_auth_tls tls = SMTP_AUTH_PLAIN;
	struct smtp_auth_verdict verdict;
	bool has_line;

	if (dialogue->auth == NULL) {
		ask_recipient(dialogue);
		return;
	}
	if (dialogue->tls != NULL && plan != NULL)
		tls = plan->level > TLS_LEVEL_ENCRYPT ? SMTP_AUTH_VERIFIED : SMTP_AUTH_TLS;
	dialogue->result.is_deep[DEPTH_KIND_AUTH] = true;
	has_line = smtp_auth_begin(dialogue->auth, &dialogue->hello, tls, &verdict);
	go_on_with_auth(dialogue, has_line, &verdict);
}

void smtp_dialogue_auth_answered(struct smtp_dialogue *dialogue)
{
	const struct smtp_reply *reply = &dialogue->reply;
	struct smtp_auth_verdict verdict;
	bool has_line = smtp_auth_answered(dialogue->auth, reply->code,
		reply->code / 100 == 3 ? reply->line : reply->text, &verdict);

	go_on_with_auth(dialogue, has_line, &verdict);
}

/* recipient_refused - or the sender, which is nobody */
static void recipient_refused(struct smtp_dialogue *dialogue)
{
	unsigned class = dialogue->reply.code / 100;

	smtp_auth_hide(dialogue->auth, dialogue->reply.text);
	smtp_dialogue_conclude(dialogue,
		class == 4   ? REASON_SERVICE_UNAVAILABLE
		: class == 5 ? REASON_SERVICE_REJECTED
			     : REASON_PROTOCOL_ERROR,
		smtp_dialogue_quit, "%s said while %s: %.180s", dialogue->request.peer,
		smtp_dialogue_doing(dialogue), dialogue->reply.text);
}

void smtp_dialogue_mail_answered(struct smtp_dialogue *dialogue)
{
	if (smtp_dialogue_is_positive(dialogue))
		smtp_dialogue_next_step(dialogue, STEP_RCPT);
	else
		recipient_refused(dialogue);
}

void smtp_dialogue_rcpt_answered(struct smtp_dialogue *dialogue)
{
	if (smtp_dialogue_is_positive(dialogue))
		smtp_dialogue_next_step(dialogue, STEP_RSET);
	else
		recipient_refused(dialogue);
}

void smtp_dialogue_rset_answered(struct smtp_dialogue *dialogue)
{
	all_done(dialogue);
}
