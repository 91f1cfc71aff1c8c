/*
 * parts - which of the servers of one hop did not work when they were tried last
 *
 * Mail takes the first server that works, and so does a probe; that others fail is seen by trying one more after each
 * probe, in turn.  Here is noted whose turn it is, and what came of it.  Pure; one thread at a time.
 */
#ifndef FF_PARTS_H
#define FF_PARTS_H

struct parts;

/* Where the next turn begins: the number of the nexthop in the list, and that of its address. */
struct parts_turn {
	unsigned nexthop, address;
};

/* parts_new - NULL when out of memory */
struct parts *parts_new(void);
void parts_free(struct parts *parts);

/* parts_turn - to be moved on by who takes it */
struct parts_turn *parts_turn(struct parts *parts);

/* parts_failed - part: the text of an address, or a nexthop that has none.  detail: the fault, for people. */
void parts_failed(struct parts *parts, const char *part, const char *detail);
void parts_works(struct parts *parts, const char *part);

/* parts_round - everyone had a turn: what did not fail again since the last but one is not there any more */
void parts_round(struct parts *parts);

/* parts_clear - nothing works: then nobody is the failing part of a whole */
void parts_clear(struct parts *parts);

/* parts_fault - the fault of one that fails, NULL: none does */
const char *parts_fault(const struct parts *parts);

#endif
