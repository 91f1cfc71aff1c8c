/*
 * message - what we know of one message between its first recipient and its end
 *
 * Filled by the callbacks of one SMTP session; never shared between threads.
 */
#ifndef FF_MESSAGE_H
#define FF_MESSAGE_H

#include "health/table.h"
#include "verdict/reply.h"
#include "verdict/resolver.h"
#include "verdict/route.h"
#include "verdict/verdict.h"

#include <stdbool.h>

struct message;

/* What Postfix's macros say when a recipient is named.  Pointers may be NULL and are not kept. */
struct facts {
	/* Of the client, for message_new() alone: */
	const char *host;	    /* j */
	const char *daemon_address; /* {daemon_addr} */
	const char *daemon_port;    /* {daemon_port} */
	const char *client_address; /* {client_addr} */
	const char *client_name;    /* {client_name} */
	const char *login;	    /* {auth_authen} */
	/* Of each recipient: */
	const char *sender;	    /* {mail_addr} */
	const char *recipient;	    /* {rcpt_addr} */
	const char *mailer;	    /* {rcpt_mailer} */
	const char *nexthop;	    /* {rcpt_host} */
};

/* message_new - takes a reference to the site that decides about it; NULL when out of memory or when there is none */
struct message *message_new(struct site *site, const struct facts *facts);
void message_free(struct message *message);

/* message_recipient - decide about one recipient.  May wait for fresh results, bounded by max_wait; and for mail of
 * sendmail(1) before that for its route, which resolver gives (NULL: nobody knows it), bounded alike. */
void message_recipient(struct message *message, struct table *table, struct resolver *resolver,
	const struct facts *facts, struct decision *decision);

/* message_refused - a recipient was refused with this reply */
void message_refused(struct message *message, const struct decision *decision,
	const struct reply *reply);

/* message_refusal - the reply for the whole message when a recipient was refused and the policy was all
 * or nothing; NULL: go on */
const struct reply *message_refusal(const struct message *message);

/* message_ends_at_data - a before-queue filter takes it, or may do so: then Postfix does not tell the end of it */
bool message_ends_at_data(const struct message *message);

/*
 * message_end - decide about the whole message, when all of it is here.
 *
 * A hop can break while the data comes in.  ACTION_TEMPFAIL when every accepted recipient would be
 * refused now, or one is and the policy is all or nothing.  ACTION_HOLD when one of them asks for it.  Does not wait.
 */
void message_end(struct message *message, struct table *table, struct decision *decision);

/* message_each_tag - call fn for each hop that the message bears a header about; what is held bears them, too */
void message_each_tag(struct message *message, struct table *table, const struct decision *decision,
	void (*fn)(void *arg, const struct hop_view *hop, enum hop_role role), void *arg);

/* message_set_queue_id - it comes late; NULL is ignored */
void message_set_queue_id(struct message *message, const char *queue_id);

/* message_forged - a header with our name came along: note it if it is a copy with our host name from outside;
 * message_next_forged - the number of the last one noted (from 1, of those with our name) and forget it, 0: none */
void message_forged(struct message *message, const char *value);
unsigned message_next_forged(struct message *message);

/* Plain accessors; strings are owned by the message. */
const struct conf *message_conf(const struct message *message);
const char *message_queue_id(const struct message *message); /* NOQUEUE when unknown yet */
const char *message_host(const struct message *message);
const char *message_sender(const struct message *message);
const char *message_client_name(const struct message *message);
const char *message_client_address(const struct message *message);

#endif
