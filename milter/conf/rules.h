/*
 * rules - the rule sections, made ready to be asked, and the first of them that matches
 *
 * Made once with the configuration that it belongs to, then constant: any thread may ask.
 */
#ifndef FF_RULES_H
#define FF_RULES_H

#include "base/cidr.h"
#include "conf/conf.h"
#include "health/hop.h"

/* What a client is, as bits: one that is authenticated can be in mynetworks, too. */
enum rules_client {
	RULES_AUTHENTICATED = 1 << 0,
	RULES_MYNETWORKS = 1 << 1,
	RULES_LOCAL = 1 << 2,
	RULES_REENTRY = 1 << 3,
	RULES_OTHER = 1 << 4,
};

/* One recipient of one message, and a faulty hop on its way. */
struct rules_question {
	unsigned client;	    /* bits of enum rules_client, at least one */
	const struct cidr *address; /* of the client, NULL: it has none */
	enum hop_role role;
	enum reason reason;
	const char *hop;
	const char *sender; /* "" for bounces; in rules these are "<>" */
	const char *recipient;
};

/* rules_new - what is given must live as long as the result */
struct rules *rules_new(const struct conf_rule *rule, size_t count);
void rules_free(struct rules *rules);

/* rules_first - NULL: none matches */
const struct conf_rule *rules_first(const struct rules *rules, const struct rules_question *question);

/* rules_ask_recipient - may the answer be another one for another recipient? */
bool rules_ask_recipient(const struct rules *rules);

#endif
