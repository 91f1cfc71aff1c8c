/*
 * attribution - which hop a line of Postfix's log is about
 *
 * The log names a program or service (syslog_name) and a server, not TRANSPORT:NEXTHOP.  A hop fits a line when its
 * transport's agent logs under that name and its nexthop is that server, by name or address, and port.  A nexthop whose
 * servers are found by MX is known by their names and addresses, which are not looked up here: it fits no line.
 *
 * Not thread-safe; the event thread's.
 */
#ifndef FF_ATTRIBUTION_H
#define FF_ATTRIBUTION_H

#include "postfix/maillog.h"
#include "postfix/site.h"

enum { ATTRIBUTION_HOPS = 8 }; /* when more fit, none does */

struct attribution;

/* The hops that fit a line. */
struct suspects {
	size_t count;
	const char *hop[ATTRIBUTION_HOPS]; /* good until the next call */
	bool is_sure;			   /* there is one, and no other can be meant */
};

/* attribution_new - knows no hop yet; holds a reference of the site.  Ends the process when out of memory. */
struct attribution *attribution_new(struct site *site);
void attribution_free(struct attribution *attribution);

/* attribution_add - one that has a server is found from now on; once is enough.  Takes some 10 us. */
void attribution_add(struct attribution *attribution, const char *hop);

/* attribution_has - was this one added? */
bool attribution_has(const struct attribution *attribution, const char *hop);

/* attribution_find - for a line of the log of the instance with that config_directory */
void attribution_find(struct attribution *attribution, const char *directory,
	const struct maillog_line *line, struct suspects *out);

#endif
