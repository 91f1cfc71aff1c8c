/*
 * resolver - where Postfix would send a recipient, when no macro says it
 *
 * Mail that does not come by SMTP has no {rcpt_mailer}: trivial-rewrite(8) is asked.  A libmilter thread puts a
 * question and waits; the event thread asks private/rewrite of that Postfix over one connection that stays open as
 * long as there are questions.  Waiting is bounded, and in an outage nobody waits: no route is no reason to hold
 * mail up.
 */
#ifndef FF_RESOLVER_H
#define FF_RESOLVER_H

#include "postfix/opener.h"
#include "postfix/rewrite.h"

#include <event2/event.h>
#include <stdint.h>

struct resolver;

/* resolver_new - base must be safe for threads; both are kept.  NULL when out of memory.  Before the event loop
 * starts. */
struct resolver *resolver_new(struct event_base *base, const struct opener *opener);

/* resolver_free - in the end, when neither the event loop nor anybody who asks runs any more */
void resolver_free(struct resolver *resolver);

enum resolver_answer {
	RESOLVER_ROUTE,
	RESOLVER_NO_ROUTE, /* for this recipient */
	RESOLVER_SILENT,   /* nor for another: trivial-rewrite(8) cannot be asked, or did not answer in time */
};

/* Who is asked what.  Addresses as the macros {mail_addr} and {rcpt_addr} have them, quoted where RFC 5321 wants it. */
struct resolver_question {
	const char *directory; /* config_directory of the Postfix instance */
	const char *service;   /* its rewrite_service_name */
	const char *sender;    /* "" for bounces */
	const char *recipient;
};

/* resolver_ask - any thread but the event thread.  Waits for max_wait_ms at most; *route is set with RESOLVER_ROUTE
 * alone. */
enum resolver_answer resolver_ask(struct resolver *resolver,
	const struct resolver_question *question, int64_t max_wait_ms, struct rewrite_route *route);

#endif
