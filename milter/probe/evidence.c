/*
 * evidence - follow the log of each Postfix instance, and tell the scheduler what it says
 *
 * A timer looks whether the file has grown, four times a second: where mail flows that is far cheaper than to be woken
 * for each line, and where it does not it costs nothing to speak of.  A turn reads a bounded piece; what is left comes
 * with the next, and probes, timers and answers are served in between.
 *
 * The file that we read may be renamed away, cut short or removed.  Each second its path is looked at; when another
 * file is there, that is opened, and read from its start as soon as the old one is read to its end.
 *
 * Where Postfix logs to syslog(3) and there is no file that a syslogd would write, the journal of systemd is followed
 * instead (evidence_journal.c), until there is a file.
 */
#include "probe/evidence_private.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/xmem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	LOOK_MS = 250,
	PATH_MS = 1000,	    /* how often to look whether the path means another file */
	RETRY_MS = 5000,    /* the same while there is none, or we may not read it */
	INDEX_MS = 2000,    /* how often to look for new hops */
	INDEX_STEP = 100,   /* how many of them a turn takes in */
	STEPS_A_TURN = 4,   /* of TAIL_STEP_BYTES */
};

static void collect(void *arg, struct hop *hop)
{
	struct evidence *evidence = arg;

	if (!hop_is_shown(hop) || attribution_has(evidence->attribution, hop_full_name(hop)))
		return;
	evidence->fresh =
		xrealloc(evidence->fresh, (evidence->fresh_count + 1) * sizeof *evidence->fresh);
	evidence->fresh[evidence->fresh_count++] = xstrdup(hop_full_name(hop));
}

/* update_index - take new hops in, a few at a time: there may be thousands, and probes wait for us */
static void update_index(struct evidence *evidence, int64_t now_ms)
{
	if (evidence->fresh_count == 0 && evidence->generation != table_generation(evidence->table) &&
		now_ms - evidence->index_ms >= INDEX_MS) {
		evidence->generation = table_generation(evidence->table);
		evidence->index_ms = now_ms;
		table_each(evidence->table, collect, evidence);
	}
	for (int i = 0; i < INDEX_STEP && evidence->fresh_count > 0; i++) {
		char *hop = evidence->fresh[--evidence->fresh_count];

		attribution_add(evidence->attribution, hop);
		free(hop);
	}
}

/* reset_index - everything may mean something else after a reload */
static void reset_index(struct evidence *evidence)
{
	while (evidence->fresh_count > 0)
		free(evidence->fresh[--evidence->fresh_count]);
	attribution_free(evidence->attribution);
	evidence->attribution = evidence->site != NULL ? attribution_new(evidence->site) : NULL;
	evidence->generation = 0;
	evidence->index_ms = 0;
}

void evidence_take_line(struct follower *follower, const struct maillog_line *line)
{
	struct evidence *evidence = follower->evidence;
	struct suspects suspects;

	attribution_find(evidence->attribution, follower->directory, line, &suspects);
	for (size_t i = 0; i < suspects.count; i++)
		sched_evidence(evidence->sched, suspects.hop[i], line->statement, suspects.is_sure);
}

static void on_line(void *arg, const char *text, size_t length)
{
	struct maillog_line line;

	if (maillog_parse(text, length, &line))
		evidence_take_line(arg, &line);
}

static void close_next(struct follower *follower)
{
	if (follower->next_fd >= 0)
		close(follower->next_fd);
	follower->next_fd = -1;
}

/* fail - say it once, and try again later */
static void fail(struct follower *follower, int error)
{
	tail_free(follower->tail);
	follower->tail = NULL;
	if (error != follower->error)
		log_warnx("%s: %s: evidence from the log of Postfix (%s) is off until it can be read",
			follower->path, error == EINVAL ? "not a file" : strerror(error),
			follower->directory);
	follower->error = error;
}

/* follow - from its end, unless we know that it is new */
static void follow(struct follower *follower, int fd)
{
	bool is_next = follower->tail != NULL;

	tail_free(follower->tail);
	follower->tail = tail_new(fd, !is_next && (follower->error != ENOENT || follower->journal_said == 0));
	if (is_next)
		log_debug("%s: another file, following that", follower->path);
	else
		log_info("%s: following the log of Postfix (%s)", follower->path,
			follower->directory);
	follower->error = 0;
	evidence_want_journal(follower, false);
	follower->path_ms = clock_now_ms() + PATH_MS;
}

/* is_same_file - false when one of them cannot be looked at */
static bool is_same_file(int fd, const struct stat *other)
{
	struct stat status;

	return fstat(fd, &status) == 0 && status.st_dev == other->st_dev &&
	       status.st_ino == other->st_ino;
}

static void take_file(struct follower *follower, int fd)
{
	struct stat status;

	close_next(follower);
	if (follower->tail == NULL)
		follow(follower, fd);
	else if (fstat(fd, &status) == 0 && !is_same_file(tail_fd(follower->tail), &status))
		follower->next_fd = fd;
	else
		close(fd);
}

static const char *parameter_of(const struct evidence *evidence, const char *directory, const char *name)
{
	const struct instance *instance = site_instance(evidence->site, directory);

	return instance != NULL ? instance_parameter(instance, name) : "";
}

static struct follower *find(struct evidence *evidence, const char *directory)
{
	struct follower *follower = evidence->followers;

	while (follower != NULL && strcmp(follower->directory, directory) != 0)
		follower = follower->next;
	return follower;
}

/* has_failed - no file; where nobody wrote one, the journal may have what syslog(3) got */
static void has_failed(struct follower *follower, const struct maillog_opened *opened, bool is_syslog)
{
	if (is_syslog && (opened->error == ENOENT || opened->error == EACCES)) {
		follower->error = opened->error;
		evidence_want_journal(follower, true);
	} else {
		evidence_want_journal(follower, false);
		fail(follower, opened->error);
	}
}

void evidence_opened(struct evidence *evidence, const char *directory,
	const struct maillog_opened *opened)
{
	struct follower *follower = find(evidence, directory);
	const char *maillog_file = parameter_of(evidence, directory, "maillog_file");
	struct maillog_opened own = *opened;

	if (follower == NULL || follower->asked == 0) {
		if (opened->fd >= 0)
			close(opened->fd);
		return;
	}
	follower->asked--;
	/* Who may not read it has asked somebody who may not, either; but maybe we may. */
	if (own.fd < 0 && own.error == EACCES)
		maillog_open(maillog_file, &own);
	if (strcmp(follower->path, own.path) != 0) {
		close_next(follower);
		tail_free(follower->tail);
		follower->tail = NULL;
		follower->error = 0;
		(void)strcpy(follower->path, own.path);
	}
	if (own.fd >= 0)
		take_file(follower, own.fd);
	else if (follower->tail == NULL)
		has_failed(follower, &own, *maillog_file == '\0');
}

/* look_at_path - while there is a file that we read, does its path mean another one? */
static void look_at_path(struct follower *follower, int64_t now_ms)
{
	const struct evidence *evidence = follower->evidence;
	struct stat status;

	if (now_ms < follower->path_ms || follower->next_fd >= 0)
		return;
	follower->path_ms = now_ms + (follower->tail != NULL ? PATH_MS : RETRY_MS);
	if (follower->tail != NULL && !follower->is_unsure && stat(follower->path, &status) == 0 &&
		is_same_file(tail_fd(follower->tail), &status))
		return;
	follower->is_unsure = false;
	follower->asked += evidence->opener->ask(evidence->opener->opener_arg, follower->directory);
}

/* read_log - a bounded piece; true when there is more */
static bool read_log(struct follower *follower)
{
	for (int i = 0; i < STEPS_A_TURN; i++) {
		switch (tail_step(follower->tail, on_line, follower)) {
		case TAIL_FAILED:
			fail(follower, errno);
			return false;
		case TAIL_END:
			if (follower->next_fd >= 0) {
				follow(follower, follower->next_fd);
				follower->next_fd = -1;
			}
			return false;
		case TAIL_MORE:
			break;
		}
	}
	return true;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct evidence *evidence = arg;
	struct timeval soon = {0, 0}, later = {0, LOOK_MS * 1000L};
	int64_t now_ms = clock_now_ms();
	bool is_more = false;

	(void)fd;
	(void)what;
	update_index(evidence, now_ms);
	evidence_read_journal(evidence, now_ms);
	for (struct follower *follower = evidence->followers; follower != NULL;
		follower = follower->next) {
		look_at_path(follower, now_ms);
		if (follower->tail != NULL && read_log(follower))
			is_more = true;
	}
	if (evidence->followers != NULL)
		evtimer_add(evidence->timer, is_more ? &soon : &later);
}

struct evidence *evidence_new(struct event_base *base, struct table *table, struct sched *sched,
	const struct maillog_opener *opener)
{
	struct evidence *evidence = xcalloc(1, sizeof *evidence);

	evidence->base = base;
	evidence->table = table;
	evidence->sched = sched;
	evidence->opener = opener;
	evidence->journal_state = JOURNAL_UNKNOWN;
	evidence->timer = evtimer_new(base, on_timer, evidence);
	if (evidence->timer == NULL) {
		log_errx("out of memory");
		abort();
	}
	return evidence;
}

static void follower_free(struct follower *follower)
{
	close_next(follower);
	tail_free(follower->tail);
	free(follower->directory);
	free(follower);
}

void evidence_free(struct evidence *evidence)
{
	while (evidence->followers != NULL) {
		struct follower *follower = evidence->followers;

		evidence->followers = follower->next;
		follower_free(follower);
	}
	event_free(evidence->timer);
	evidence_end_journal(evidence);
	site_unref(evidence->site);
	evidence->site = NULL;
	reset_index(evidence);
	free(evidence->fresh);
	free(evidence);
}

/* want - follow the log of this instance; its path may be another one now */
static void want(struct evidence *evidence, const char *directory)
{
	struct follower *follower = find(evidence, directory);

	if (follower == NULL) {
		follower = xcalloc(1, sizeof *follower);
		follower->evidence = evidence;
		follower->directory = xstrdup(directory);
		follower->next_fd = -1;
		follower->journal_said = JOURNAL_UNKNOWN;
		follower->next = evidence->followers;
		evidence->followers = follower;
	}
	follower->is_marked = false;
	follower->is_unsure = true;
	follower->facility =
		journal_facility(parameter_of(evidence, directory, "syslog_facility"));
	follower->path_ms = 0;
}

/* sweep - those that nobody wants any more */
static void sweep(struct evidence *evidence)
{
	struct follower **at = &evidence->followers, *gone;

	while (*at != NULL) {
		if (!(*at)->is_marked) {
			at = &(*at)->next;
			continue;
		}
		gone = *at;
		*at = gone->next;
		log_info("not following the log of Postfix (%s) any more", gone->directory);
		follower_free(gone);
	}
}

void evidence_apply(struct evidence *evidence, struct site *site)
{
	const struct conf *conf = site_conf(site);

	site_unref(evidence->site);
	evidence->site = site_ref(site);
	reset_index(evidence);
	for (struct follower *follower = evidence->followers; follower != NULL;
		follower = follower->next)
		follower->is_marked = true;
	for (size_t i = 0; i < conf->postfix_count; i++)
		if (conf->postfix[i].evidence == EVIDENCE_LOG)
			want(evidence, conf->postfix[i].config_directory);
	sweep(evidence);
	evidence->journal_ms = 0;
	event_active(evidence->timer, 0, 0);
}
