/*
 * reread - failfastctl reload: the keeper reads both configurations again, and says what came of it
 */
#include "ops/reread.h"

#include "base/xmem.h"
#include "ops/status.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct reread {
	struct reread *prev, *next;
	uint32_t number;
	reread_done_fn *done;
	void *arg;
};

struct rereads {
	struct reread *waiting;
	uint32_t last;
	reread_ask_fn *ask;
	void *arg;
};

struct rereads *rereads_new(reread_ask_fn *ask, void *arg)
{
	struct rereads *rereads = xcalloc(1, sizeof *rereads);

	rereads->ask = ask;
	rereads->arg = arg;
	return rereads;
}

struct reread *reread_start(struct rereads *rereads, reread_done_fn *done, void *arg)
{
	struct reread *reread = calloc(1, sizeof *reread);

	if (reread == NULL || !rereads->ask(rereads->arg, rereads->last + 1)) {
		free(reread);
		return NULL;
	}
	*reread = (struct reread){.number = ++rereads->last, .done = done, .arg = arg};
	DL_APPEND(rereads->waiting, reread);
	return reread;
}

void reread_cancel(struct rereads *rereads, struct reread *reread)
{
	DL_DELETE(rereads->waiting, reread);
	free(reread);
}

/* split - "listen, user" as a list */
static json_t *split(const char *names)
{
	json_t *list = json_array();

	while (*names != '\0') {
		size_t length = strcspn(names, ", ");

		if (length > 0)
			json_array_append_new(list, json_stringn(names, length));
		names += length;
		names += strspn(names, ", ");
	}
	return list;
}

static json_t *document(const struct reread_outcome *outcome)
{
	json_t *errors = json_array();

	for (size_t i = 0; i < outcome->count; i++)
		json_array_append_new(errors, status_text(outcome->line[i]));
	return json_pack("{s:b, s:o, s:o, s:i}", "reloaded", outcome->is_good, "errors", errors,
		"needs_restart", split(outcome->restart), "hops", (int)outcome->hops);
}

void rereads_answered(
	struct rereads *rereads, uint32_t number, const struct reread_outcome *outcome)
{
	struct reread *reread;

	DL_SEARCH_SCALAR(rereads->waiting, reread, number, number);
	if (reread == NULL)
		return;
	DL_DELETE(rereads->waiting, reread);
	reread->done(reread->arg, document(outcome));
	free(reread);
}
