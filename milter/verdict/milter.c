/*
 * milter - the callbacks of libmilter
 *
 * Postfix hands out every macro at every step once we ask for it (smfi_setsymlist), so RCPT and the end
 * of the message are all that is needed, and the headers when forged copies must go.  Over TCP the DATA
 * step stays: without it Postfix writes twice with no read between, and Nagle's algorithm meets delayed
 * acknowledgements at 40 ms a message.  So it does where a before-queue filter takes the message, because Postfix then
 * never tells the end of it.  Only there a message is refused at DATA: a client may say DATA once more, and libmilter,
 * for which the transaction has ended, leaves Postfix without an answer.
 */
#include "verdict/milter.h"

#include "base/clock.h"
#include "base/log.h"
#include "verdict/header.h"
#include "verdict/message.h"
#include "verdict/tally.h"

#include <libmilter/mfapi.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LISTEN_BACKLOG = 1024 };

/* A connection from smtpd(8) or cleanup(8). */
struct session {
	struct site *site;	 /* that it began with: a reload is for sessions that come later */
	struct message *message; /* NULL between messages */
	unsigned failures;	 /* recipients refused */
	bool is_quiet;		 /* headers are not answered (SMFIP_NR_HDR) */
};

static struct table *table;
static struct resolver *resolver; /* NULL: none */
static bool is_tcp;
static atomic_bool is_draining;
static atomic_uint open_messages;

static char rcpt_macros[] = "i j {daemon_addr} {daemon_port} {client_addr} {client_name} "
			    "{auth_authen} {mail_addr} {rcpt_addr} {rcpt_host} {rcpt_mailer}";
static char end_macros[] = "i";

static void end_message(struct session *session)
{
	if (session->message == NULL)
		return;
	message_free(session->message);
	session->message = NULL;
	atomic_fetch_sub(&open_messages, 1);
}

/* get_facts - what of it is the same for all recipients is asked for with the first: libmilter searches for each */
static void get_facts(SMFICTX *ctx, bool is_first, struct facts *facts)
{
	*facts = (struct facts){
		.sender = smfi_getsymval(ctx, "{mail_addr}"),
		.recipient = smfi_getsymval(ctx, "{rcpt_addr}"),
		.mailer = smfi_getsymval(ctx, "{rcpt_mailer}"),
		.nexthop = smfi_getsymval(ctx, "{rcpt_host}"),
	};
	if (!is_first)
		return;
	facts->host = smfi_getsymval(ctx, "j");
	facts->daemon_address = smfi_getsymval(ctx, "{daemon_addr}");
	facts->daemon_port = smfi_getsymval(ctx, "{daemon_port}");
	facts->client_address = smfi_getsymval(ctx, "{client_addr}");
	facts->client_name = smfi_getsymval(ctx, "{client_name}");
	facts->login = smfi_getsymval(ctx, "{auth_authen}");
}

/* open_message - at the first recipient; false when we cannot, or shall not any more */
static bool open_message(SMFICTX *ctx, struct session *session, const struct facts *facts)
{
	if (session->message != NULL)
		return true;
	if (atomic_load(&is_draining))
		return false;
	session->message = message_new(session->site, facts);
	if (session->message == NULL) {
		const char *queue_id = smfi_getsymval(ctx, "i");

		log_errx("%s: accept: no memory to look at it",
			queue_id != NULL ? queue_id : "NOQUEUE");
		return false;
	}
	atomic_fetch_add(&open_messages, 1);
	return true;
}

/* set_reply - libmilter wants percent signs doubled */
static bool set_reply(SMFICTX *ctx, const struct reply *reply)
{
	char code[sizeof reply->code], enhanced[sizeof reply->enhanced];
	char text[2 * REPLY_TEXT_BYTES];
	char *out = text;

	for (const char *cp = reply->text; *cp != '\0'; cp++) {
		if (*cp == '%')
			*out++ = '%';
		*out++ = *cp;
	}
	*out = '\0';
	memcpy(code, reply->code, sizeof code);
	memcpy(enhanced, reply->enhanced, sizeof enhanced);
	return smfi_setreply(ctx, code, enhanced, text) == MI_SUCCESS;
}

/* log_action - one line about one recipient or hop; recipient, reply and rule may be NULL */
static void log_action(const struct message *message, const char *action, const char *recipient,
	const struct hop_view *hop, enum hop_role role, const struct reply *reply, const char *rule)
{
	char line[REPLY_LINE_BYTES];

	log_info("%s: %s: %s%s%sfrom=<%s>, client=%s[%s], hop=%s, role=%s, reason=%s%s%s%s%s%s%s",
		message_queue_id(message), action, recipient != NULL ? "to=" : "",
		recipient != NULL ? recipient : "", recipient != NULL ? ", " : "",
		message_sender(message), message_client_name(message),
		message_client_address(message), hop->name, hop_role_name(role),
		reason_token(hop->reason), reply != NULL ? ", reply=\"" : "",
		reply != NULL ? reply_line(reply, line) : "", reply != NULL ? "\"" : "",
		rule != NULL ? ", rule=\"" : "", rule != NULL ? rule : "", rule != NULL ? "\"" : "");
}

/* count - one recipient, or a message that is refused at its end, and what the hop did to it */
static void count(const struct decision *decision)
{
	static const enum mail_effect effects[TALLY_ACTIONS] = {[ACTION_TAG] = MAIL_TAGGED,
		[ACTION_HOLD] = MAIL_HELD,
		[ACTION_TEMPFAIL] = MAIL_REFUSED};
	enum conf_action action = decision->policy.action;

	tally_recipient(action, decision->is_faulty ? decision->hop.reason : REASON_NONE);
	if (action != ACTION_ACCEPT)
		table_count_mail(table, decision->hop.name, effects[action], clock_now_ms());
}

/* refuse - tell the client why; accept when libmilter will not take the reply, because a refusal
 * without words reads like an outage of the milter */
static sfsistat refuse(SMFICTX *ctx, struct session *session, const struct decision *decision,
	const char *recipient)
{
	struct message *message = session->message;
	struct reply reply;

	reply_tempfail(&reply, &decision->hop, decision->leg.role, decision->policy.is_brief,
		clock_wall());
	if (recipient != NULL && session->failures++ >= message_conf(message)->max_failures)
		reply_close(&reply);
	if (!set_reply(ctx, &reply)) {
		log_errx("accept: libmilter refuses the reply \"%s\"", reply.text);
		return SMFIS_CONTINUE;
	}
	log_action(message, "tempfail", recipient, &decision->hop, decision->leg.role, &reply,
		decision->policy.rule);
	message_refused(message, decision, &reply);
	return SMFIS_TEMPFAIL;
}

static sfsistat on_recipient(SMFICTX *ctx, char **argv)
{
	struct session *session = smfi_getpriv(ctx);
	int64_t start_us = clock_now_us();
	struct decision decision;
	struct facts facts;

	if (session == NULL)
		return SMFIS_CONTINUE;
	get_facts(ctx, session->message == NULL, &facts);
	if (!open_message(ctx, session, &facts)) {
		tally_recipient(ACTION_ACCEPT, REASON_LOCAL_ERROR);
		return SMFIS_ACCEPT;
	}
	message_recipient(session->message, table, resolver, &facts, &decision);
	/* Postfix has none yet at the first recipient. */
	if (decision.is_faulty)
		message_set_queue_id(session->message, smfi_getsymval(ctx, "i"));
	tally_verdict(clock_now_us() - start_us);
	count(&decision);
	if (decision.policy.action == ACTION_TEMPFAIL)
		return refuse(ctx, session, &decision, argv[0]);
	if (decision.policy.action == ACTION_ACCEPT && decision.is_faulty)
		log_action(session->message, "accept", argv[0], &decision.hop, decision.leg.role, NULL,
			decision.policy.rule);
	return SMFIS_CONTINUE;
}

/* refuse_all - one refused recipient refuses the message, so that no client drops one silently */
static bool refuse_all(SMFICTX *ctx, const struct reply *refusal)
{
	return refusal != NULL && set_reply(ctx, refusal);
}

/* refuse_at_data - a message of which we see no more.  Postfix keeps its transaction open, and libmilter does not
 * answer to a second DATA, so that Postfix would give us up and let the message pass: 421 ends the session. */
static sfsistat refuse_at_data(SMFICTX *ctx, struct session *session)
{
	struct reply reply = *message_refusal(session->message);

	reply_close(&reply);
	if (!refuse_all(ctx, &reply))
		return SMFIS_CONTINUE;
	end_message(session);
	return SMFIS_TEMPFAIL;
}

/* on_data - the end of the way for a message that needs nothing more of us */
static sfsistat on_data(SMFICTX *ctx)
{
	struct session *session = smfi_getpriv(ctx);
	struct decision decision;

	if (session == NULL || session->message == NULL)
		return SMFIS_CONTINUE;
	if (message_refusal(session->message) != NULL)
		return message_ends_at_data(session->message) ? refuse_at_data(ctx, session)
							      : SMFIS_CONTINUE;
	if (message_conf(session->message)->strip_forged ||
		message_conf(session->message)->tag == TAG_ALWAYS)
		return SMFIS_CONTINUE;
	message_end(session->message, table, &decision);
	if (decision.policy.action != ACTION_ACCEPT)
		return SMFIS_CONTINUE;
	end_message(session);
	return SMFIS_ACCEPT;
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
	struct session *session = smfi_getpriv(ctx);

	if (session == NULL)
		return SMFIS_CONTINUE;
	if (session->message != NULL &&
		strcasecmp(name, message_conf(session->message)->header) == 0)
		message_forged(session->message, value);
	return session->is_quiet ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

/* What add_tag() needs. */
struct tagging {
	SMFICTX *ctx;
	struct message *message;
};

static void add_tag(void *arg, const struct hop_view *hop, enum hop_role role)
{
	struct tagging *tagging = arg;
	const struct conf *conf = message_conf(tagging->message);
	const struct header_facts facts = {
		.name = conf->header,
		.host = message_host(tagging->message),
		.queue_id = message_queue_id(tagging->message),
		.role = role,
		.is_terse = conf->header_detail == DETAIL_TERSE,
	};
	char value[HEADER_VALUE_BYTES];

	if (smfi_insheader(tagging->ctx, 0, conf->header, (char *)header_value(value, hop, &facts)) !=
		MI_SUCCESS)
		log_errx("%s: cannot add the header %s", facts.queue_id, conf->header);
	if (hop->state != STATE_UP)
		log_action(tagging->message, "tag", NULL, hop, role, NULL, NULL);
}

static void strip_forged(SMFICTX *ctx, struct message *message)
{
	char *name = message_conf(message)->header;

	/* The highest first: deleting one renumbers those behind it. */
	for (unsigned index = message_next_forged(message); index > 0;
		index = message_next_forged(message))
		if (smfi_chgheader(ctx, name, (int)index, NULL) != MI_SUCCESS)
			log_errx("%s: cannot remove a forged %s", message_queue_id(message), name);
}

/* hold - Postfix accepts the message and keeps it in its hold queue */
static void hold(SMFICTX *ctx, const struct message *message, const struct decision *decision)
{
	struct reply reply;

	reply_tempfail(&reply, &decision->hop, decision->leg.role, false, clock_wall());
	if (smfi_quarantine(ctx, reply.text) != MI_SUCCESS) {
		log_errx("%s: accept: Postfix cannot hold it", message_queue_id(message));
		return;
	}
	log_action(message, "hold", NULL, &decision->hop, decision->leg.role, NULL,
		decision->policy.rule);
}

static sfsistat on_end(SMFICTX *ctx)
{
	struct session *session = smfi_getpriv(ctx);
	struct decision decision;
	sfsistat status = SMFIS_CONTINUE;

	if (session == NULL || session->message == NULL)
		return SMFIS_CONTINUE;
	message_set_queue_id(session->message, smfi_getsymval(ctx, "i"));
	message_end(session->message, table, &decision);
	if (refuse_all(ctx, message_refusal(session->message))) {
		status = SMFIS_TEMPFAIL;
	} else if (decision.policy.action == ACTION_TEMPFAIL) {
		count(&decision);
		status = refuse(ctx, session, &decision, NULL);
	} else {
		struct tagging tagging = {ctx, session->message};

		strip_forged(ctx, session->message);
		message_each_tag(session->message, table, &decision, add_tag, &tagging);
		if (decision.policy.action == ACTION_HOLD)
			hold(ctx, session->message, &decision);
	}
	end_message(session);
	return status;
}

static sfsistat on_abort(SMFICTX *ctx)
{
	struct session *session = smfi_getpriv(ctx);

	if (session != NULL)
		end_message(session);
	return SMFIS_CONTINUE;
}

static sfsistat on_close(SMFICTX *ctx)
{
	struct session *session = smfi_getpriv(ctx);

	if (session == NULL)
		return SMFIS_CONTINUE;
	end_message(session);
	site_unref(session->site);
	free(session);
	tally_closed();
	(void)smfi_setpriv(ctx, NULL);
	return SMFIS_CONTINUE;
}

/* steps_not_needed - what Postfix may leave out for this connection */
static unsigned long steps_not_needed(bool strips_forged, bool needs_data)
{
	unsigned long steps = SMFIP_NOCONNECT | SMFIP_NOHELO | SMFIP_NOMAIL | SMFIP_NOEOH |
			      SMFIP_NOBODY | SMFIP_NOUNKNOWN;

	if (strips_forged)
		steps |= SMFIP_NR_HDR | (needs_data ? 0 : SMFIP_NODATA);
	else
		steps |= SMFIP_NOHDRS;
	return steps;
}

/* warn_about_macros - once: without them there is no route, and all mail is accepted */
static void warn_about_macros(void)
{
	static atomic_flag is_done = ATOMIC_FLAG_INIT;

	if (!atomic_flag_test_and_set(&is_done))
		log_warnx("Postfix takes no list of macros: set milter_protocol = 6, or name those of "
			  "failfast-milter(8) in milter_rcpt_macros");
}

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long offered_actions,
	unsigned long offered_steps, unsigned long unused2, unsigned long unused3,
	unsigned long *actions, unsigned long *steps, unsigned long *out2, unsigned long *out3)
{
	struct session *session = calloc(1, sizeof *session);
	struct site *site = site_current();
	bool strips_forged = site == NULL || site_conf(site)->strip_forged;
	bool needs_data = is_tcp || (site != NULL && site_has_proxy_filter(site));

	(void)unused2;
	(void)unused3;
	*actions = offered_actions &
		   (SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_QUARANTINE | SMFIF_SETSYMLIST);
	*steps = offered_steps & steps_not_needed(strips_forged && session != NULL, needs_data);
	*out2 = *out3 = 0;
	if (session == NULL || smfi_setpriv(ctx, session) != MI_SUCCESS) {
		log_errx("accept: no memory for a connection");
		site_unref(site);
		free(session);
		return SMFIS_CONTINUE;
	}
	tally_opened();
	session->site = site;
	session->is_quiet = (*steps & SMFIP_NR_HDR) != 0;
	if ((offered_actions & SMFIF_SETSYMLIST) == 0 ||
		smfi_setsymlist(ctx, SMFIM_ENVRCPT, rcpt_macros) != MI_SUCCESS ||
		smfi_setsymlist(ctx, SMFIM_EOM, end_macros) != MI_SUCCESS)
		warn_about_macros();
	return SMFIS_CONTINUE;
}

bool milter_open(const struct conf *conf, const char **error)
{
	struct smfiDesc description = {
		.xxfi_name = "failfast-milter",
		.xxfi_version = SMFI_VERSION,
		.xxfi_flags = SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_QUARANTINE | SMFIF_SETSYMLIST,
		.xxfi_envrcpt = on_recipient,
		.xxfi_header = on_header,
		.xxfi_eom = on_end,
		.xxfi_abort = on_abort,
		.xxfi_close = on_close,
		.xxfi_data = on_data,
		.xxfi_negotiate = on_negotiate,
	};

	is_tcp = strncmp(conf->listen, "inet", 4) == 0;
	*error = "libmilter does not take the address";
	if (smfi_setconn(conf->listen) != MI_SUCCESS)
		return false;
	*error = "libmilter does not start";
	if (smfi_register(description) != MI_SUCCESS || smfi_setbacklog(LISTEN_BACKLOG) != MI_SUCCESS)
		return false;
	*error = "cannot listen there";
	return smfi_opensocket(false) == MI_SUCCESS;
}

void milter_use_resolver(struct resolver *the_resolver)
{
	resolver = the_resolver;
}

void milter_run(struct table *the_table)
{
	table = the_table;
	(void)smfi_main();
}

void milter_drain(void)
{
	atomic_store(&is_draining, true);
}

unsigned milter_open_messages(void)
{
	return atomic_load(&open_messages);
}
