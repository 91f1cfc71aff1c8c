/*
 * tail - the lines that somebody else appends to a file
 *
 * Reads without blocking and in bounded steps.  Knows nothing of paths: whoever renames files about it opens a new one.
 * One thread at a time.
 */
#ifndef FF_TAIL_H
#define FF_TAIL_H

#include <stdbool.h>
#include <stddef.h>

enum { TAIL_STEP_BYTES = 65536 }; /* a line as long as that is left out */

struct tail;

/* tail_new - takes fd over, of a regular file; is_at_end: what is there already is skipped.  Ends the process when out
 * of memory. */
struct tail *tail_new(int fd, bool is_at_end);
void tail_free(struct tail *tail);
int tail_fd(const struct tail *tail);

/* tail_line_fn - one line without its newline, not terminated */
typedef void tail_line_fn(void *arg, const char *line, size_t length);

enum tail_status {
	TAIL_MORE, /* there may be more */
	TAIL_END,
	TAIL_FAILED, /* errno */
};

/* tail_step - read once.  A file that has become shorter (copytruncate) is read from its start. */
enum tail_status tail_step(struct tail *tail, tail_line_fn *fn, void *arg);

#endif
