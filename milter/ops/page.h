/*
 * page - one document for people: every hop, what it did to mail, and the newest changes
 *
 * It is whole without JavaScript; the script only fetches it again and puts in what is new.  All
 * that comes from outside (names of hops, what peers said, the query) is escaped.  Event thread
 * only.
 */
#ifndef FF_PAGE_H
#define FF_PAGE_H

#include "base/text.h"
#include "conf/conf.h"
#include "ops/changes.h"
#include "ops/page_files.h"

enum { PAGE_ROWS = 500, PAGE_CHANGES = 20 };

struct page_parts {
	struct table *table;
	const struct changes *changes;
	const struct conf *conf;
};

/*
 * page_write - query as it stands in the URL, "" for none:
 *
 *	q	a part of what a row shows, or a pattern over names of hops
 *	state	the name of a state, or "problems"
 *	all	more rows than PAGE_ROWS and all changes that are kept
 */
void page_write(const struct page_parts *parts, const char *query, struct text *out);

/* page_icon - for the tab of a browser, in the colour of that state */
void page_icon(const char *state, struct text *out);

#endif
