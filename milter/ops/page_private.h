/*
 * page_private - what the files of the page share
 *
 * page.c writes the document, page_rows.c looks the hops up and puts them in order.
 */
#ifndef FF_PAGE_PRIVATE_H
#define FF_PAGE_PRIVATE_H

#include "ops/page.h"

enum { PAGE_QUERY_BYTES = 200 };

/* What the visitor asks for. */
struct page_question {
	char text[PAGE_QUERY_BYTES]; /* "": everything */
	char state[16];              /* "": every state */
	bool wants_all;
};

/* The hops of a moment. */
struct page_hops {
	struct hop **row; /* those that are asked for, the worst first; PAGE_ROWS unless all are
			     wanted */
	size_t count;
	size_t matching; /* more than count where not all are wanted */
	unsigned total;
	unsigned states[STATE_COUNT];
};

/* page_read_query - what of it makes no sense is left out */
void page_read_query(const char *query, struct page_question *question);

/* page_find_hops - false when there is no memory */
bool page_find_hops(
	struct table *table, const struct page_question *question, struct page_hops *out);
void page_free_hops(struct page_hops *hops);

/* page_is_problem - anything but up */
bool page_is_problem(enum state state);

/* page_escape - what stands for a character in HTML, also within an attribute in quotes; NULL:
 * itself */
const char *page_escape(char byte);

/* page_say_duration - "12 s", "5 min", "3 h 20 min", "4 d 2 h" */
void page_say_duration(struct text *out, int64_t seconds);

#endif
