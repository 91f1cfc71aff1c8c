/*
 * reread - failfastctl reload: the keeper reads both configurations again, and says what came of it
 *
 * Threads: the event thread.
 */
#ifndef FF_REREAD_H
#define FF_REREAD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rereads;
struct reread;

/* reread_ask_fn - ask the keeper, who answers with that number some time; false: it cannot be asked
 */
typedef bool reread_ask_fn(void *arg, uint32_t number);

/* reread_done_fn - takes the document over; the reread is gone then */
typedef void reread_done_fn(void *arg, json_t *document);

/* rereads_new - lives as long as the process; never NULL */
struct rereads *rereads_new(reread_ask_fn *ask, void *arg);

/* reread_start - done comes later, unless cancelled; NULL: the keeper cannot be asked */
struct reread *reread_start(struct rereads *rereads, reread_done_fn *done, void *arg);

/* reread_cancel - nobody waits any more; the reload goes on */
void reread_cancel(struct rereads *rereads, struct reread *reread);

/* What the keeper and the engine say of a reload. */
struct reread_outcome {
	bool is_good;
	const char *const *line; /* what is wrong, each as -n prints it */
	size_t count;
	const char *restart; /* names of changed options that only a restart brings into force, "":
				none */
	unsigned hops;
};

/* rereads_answered - the keeper's answer to a request; one that nobody waits for any more is
 * ignored */
void rereads_answered(
	struct rereads *rereads, uint32_t number, const struct reread_outcome *outcome);

#endif
