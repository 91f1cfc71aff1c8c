/*
 * evidence_journal - instances that log to the journal of systemd
 *
 * One reader serves them all: which of them wrote a line is told by its tag, as in a file that they
 * share.
 */
#include "probe/evidence_private.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <string.h>

enum { RETRY_MS = 60000 };

static const char *why(int error)
{
	switch (error) {
	case ENOSYS:
		return "this program was built without libsystemd";
	case ENOENT:
		return "there is none";
	default:
		return strerror(error);
	}
}

/* say - once for each instance and state */
static void say(struct follower *follower)
{
	int state = follower->evidence->journal_state;

	if (!follower->wants_journal || state == JOURNAL_UNKNOWN || state == follower->journal_said)
		return;
	follower->journal_said = state;
	if (state == 0)
		log_info("the journal: following the log of Postfix (%s)", follower->directory);
	else
		log_warnx("%s: %s; the journal: %s: evidence from the log of Postfix (%s) is off "
			  "until it can be read%s",
			follower->path, strerror(follower->error), why(state), follower->directory,
			state == EACCES
				? " (add our user to the group systemd-journal, then restart us)"
				: "");
}

static void on_line(void *arg, const struct maillog_line *line)
{
	struct evidence *evidence = arg;

	for (struct follower *follower = evidence->followers; follower != NULL;
		follower = follower->next)
		if (follower->wants_journal)
			evidence_take_line(follower, line);
}

static void on_state(void *arg, int error)
{
	struct evidence *evidence = arg;

	evidence->journal_state = error;
	if (error != 0) {
		journal_free(evidence->journal);
		evidence->journal = NULL;
		evidence->journal_ms = clock_now_ms() + RETRY_MS;
	}
	for (struct follower *follower = evidence->followers; follower != NULL;
		follower = follower->next)
		say(follower);
}

void evidence_want_journal(struct follower *follower, bool is_wanted)
{
	follower->wants_journal = is_wanted;
	if (!is_wanted)
		follower->journal_said = JOURNAL_UNKNOWN;
	say(follower);
}

static uint32_t facilities_wanted(const struct evidence *evidence)
{
	uint32_t wanted = 0;

	for (const struct follower *follower = evidence->followers; follower != NULL;
		follower = follower->next)
		if (follower->wants_journal && follower->facility >= 0)
			wanted |= 1U << follower->facility;
	return wanted;
}

void evidence_read_journal(struct evidence *evidence, int64_t now_ms)
{
	const struct journal_source source = {
		evidence->opener->journal, facilities_wanted(evidence)};
	const struct journal_callbacks callbacks = {on_line, on_state, evidence};

	if (source.facilities != evidence->facilities) {
		evidence_end_journal(evidence);
		evidence->facilities = source.facilities;
	}
	if (source.facilities == 0 || evidence->journal != NULL || now_ms < evidence->journal_ms)
		return;
	evidence->journal = journal_new(evidence->base, &source, &callbacks);
}

void evidence_end_journal(struct evidence *evidence)
{
	journal_free(evidence->journal);
	evidence->journal = NULL;
	evidence->facilities = 0;
	evidence->journal_state = JOURNAL_UNKNOWN;
	evidence->journal_ms = 0;
}
