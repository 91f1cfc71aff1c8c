/*
 * evidence_private - what evidence.c and evidence_journal.c share
 */
#ifndef FF_EVIDENCE_PRIVATE_H
#define FF_EVIDENCE_PRIVATE_H

#include "probe/evidence.h"

#include "base/tail.h"
#include "postfix/attribution.h"
#include "probe/journal.h"

#include <stdbool.h>
#include <stdint.h>

enum { JOURNAL_UNKNOWN = -1 };

/* The log of one instance. */
struct follower {
	struct follower *next;
	struct evidence *evidence;
	char *directory;
	struct tail *tail; /* NULL: none is read */
	int next_fd; /* what the path means now, to be read when the other is at its end; -1: the
			same */
	char path[MAILLOG_PATH_BYTES];
	int error;      /* that was logged, 0: none */
	unsigned asked; /* for the file, and not answered yet */
	bool is_marked;
	bool is_unsure;     /* the path may be another one after a reload */
	int64_t path_ms;    /* when to look at the path again */
	bool wants_journal; /* there is no file */
	int facility;       /* of syslog(3); -1: not known */
	int journal_said;   /* that state of the journal was logged */
};

struct evidence {
	struct event_base *base;
	struct event *timer;
	struct table *table;
	struct sched *sched;
	const struct maillog_opener *opener;
	struct site *site;
	struct follower *followers;
	struct attribution *attribution;
	char **fresh; /* hops that are to be taken into it */
	size_t fresh_count;
	uint64_t generation;     /* of the hops that are in it or here */
	int64_t index_ms;        /* when that was looked at */
	struct journal *journal; /* NULL: not read */
	uint32_t facilities;     /* that are read there */
	int journal_state;  /* 0: it is followed, JOURNAL_UNKNOWN, or the errno of the last try */
	int64_t journal_ms; /* when to try again */
};

/* evidence_take_line - of the log of this instance, or of one that has the same file */
void evidence_take_line(struct follower *follower, const struct maillog_line *line);

/* evidence_want_journal - or not any more */
void evidence_want_journal(struct follower *follower, bool is_wanted);

/* evidence_read_journal - see to it that what is wanted is read, and nothing if nothing is */
void evidence_read_journal(struct evidence *evidence, int64_t now_ms);

void evidence_end_journal(struct evidence *evidence);

#endif
