/*
 * journal - what the systemd journal has of Postfix's log
 *
 * The reader follows the journal as journalctl -f does, and hands what says something to the event
 * thread: a short queue behind a lock, and an event.  While the queue is full the reader waits, and
 * the journal keeps the rest; so a flood costs no memory, and the event thread a bounded turn each
 * time.
 *
 * The place in the journal is that of its last entry when we start, whoever wrote it; only then it
 * is narrowed to Postfix's facility.  So it is right whatever the clock does, and where there is
 * nothing of Postfix's yet.  Files that are rotated or vacuumed away come as SD_JOURNAL_INVALIDATE;
 * libsystemd then goes on behind the entry that was read last.
 *
 * The engine opens the journal itself: journald's files belong to root and the group
 * systemd-journal, and more of them come with time, so a descriptor of the directory
 * (sd_journal_open_directory_fd) would give no right to what is in it. libsystemd opens what it may
 * and says nothing of the rest; an empty journal therefore is looked at once more.
 */
#include "probe/journal.h"

#include "base/log.h"
#include "base/xmem.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>
#ifdef HAVE_LIBSYSTEMD
#include <systemd/sd-journal.h>
#endif

enum { QUEUE_LINES = 64 };

struct journal {
	char *directory;
	uint32_t facilities;
	struct journal_callbacks callbacks;
	int wake_fd; /* eventfd(2): there is room in the queue, or the reader shall end */

	pthread_mutex_t lock; /* of what follows */
	struct event *news;   /* NULL: nobody listens any more */
	bool has_reader;
	bool is_reader_waiting; /* for room */
	bool has_state;         /* that was not told yet */
	int error;
	size_t first, count;
	struct maillog_line queue[QUEUE_LINES];
};

static const struct {
	const char *name;
	int facility;
} facilities[] = {
	{"auth", LOG_AUTH},
	{"authpriv", LOG_AUTHPRIV},
	{"cron", LOG_CRON},
	{"daemon", LOG_DAEMON},
	{"ftp", LOG_FTP},
	{"kern", LOG_KERN},
	{"local0", LOG_LOCAL0},
	{"local1", LOG_LOCAL1},
	{"local2", LOG_LOCAL2},
	{"local3", LOG_LOCAL3},
	{"local4", LOG_LOCAL4},
	{"local5", LOG_LOCAL5},
	{"local6", LOG_LOCAL6},
	{"local7", LOG_LOCAL7},
	{"lpr", LOG_LPR},
	{"mail", LOG_MAIL},
	{"news", LOG_NEWS},
	{"security", LOG_AUTH},
	{"syslog", LOG_SYSLOG},
	{"user", LOG_USER},
	{"uucp", LOG_UUCP},
};

int journal_facility(const char *name)
{
	for (size_t i = 0; i < sizeof facilities / sizeof *facilities; i++)
		if (strcasecmp(facilities[i].name, name) == 0)
			return LOG_FAC(facilities[i].facility);
	return -1;
}

/* wake - an eventfd that counts already cannot be full */
static void wake(const struct journal *journal)
{
	(void)eventfd_write(journal->wake_fd, 1);
}

/* call - the event thread, in its next round: an event that is made active is served in the same one, and a flood would
 * keep it there */
static void call(const struct journal *journal)
{
	static const struct timeval soon = {0, 0};

	evtimer_add(journal->news, &soon);
}

/* release - by the last of reader and owner */
static void release(struct journal *journal)
{
	(void)pthread_mutex_destroy(&journal->lock);
	if (journal->wake_fd >= 0)
		close(journal->wake_fd);
	free(journal->directory);
	free(journal);
}

/*
 * The reader
 */

static void tell_state(struct journal *journal, int error)
{
	(void)pthread_mutex_lock(&journal->lock);
	journal->has_state = true;
	journal->error = error;
	if (journal->news != NULL)
		call(journal);
	(void)pthread_mutex_unlock(&journal->lock);
}

#ifdef HAVE_LIBSYSTEMD

enum { LONGEST_WAIT_MS = 60000, FIELD_BYTES = 4 * MAILLOG_LINE_BYTES };

static const char *const system_journals[] = {"/run/log/journal", "/var/log/journal"};

static bool is_stopping(struct journal *journal)
{
	bool is;

	(void)pthread_mutex_lock(&journal->lock);
	is = journal->news == NULL;
	(void)pthread_mutex_unlock(&journal->lock);
	return is;
}

/* wait - for news of the journal or of the event thread */
static void wait_for(struct journal *journal, sd_journal *sd, int timeout_ms)
{
	struct pollfd fds[2] = {{.fd = journal->wake_fd, .events = POLLIN}, {.fd = -1}};
	eventfd_t count;

	if (sd != NULL) {
		fds[1].fd = sd_journal_get_fd(sd);
		fds[1].events = (short)sd_journal_get_events(sd);
	}
	if (poll(fds, 2, timeout_ms) > 0 && fds[0].revents != 0)
		(void)eventfd_read(journal->wake_fd, &count);
}

/* put - hand a line over; waits while there is no room */
static void put(struct journal *journal, const struct maillog_line *line)
{
	bool is_done = false;

	while (!is_done) {
		(void)pthread_mutex_lock(&journal->lock);
		if (journal->news == NULL) {
			is_done = true;
		} else if (journal->count < QUEUE_LINES) {
			journal->queue[(journal->first + journal->count++) % QUEUE_LINES] = *line;
			call(journal);
			is_done = true;
		}
		journal->is_reader_waiting = !is_done;
		(void)pthread_mutex_unlock(&journal->lock);
		if (!is_done)
			wait_for(journal, NULL, -1);
	}
}

/* get_field - the value of "NAME=value"; false when the entry has none */
static bool get_field(sd_journal *sd, const char *name, const char **value, size_t *bytes)
{
	size_t skip = strlen(name) + 1;
	const void *data;

	if (sd_journal_get_data(sd, name, &data, bytes) < 0 || *bytes < skip)
		return false;
	*value = (const char *)data + skip;
	*bytes -= skip;
	return true;
}

static void take_entry(struct journal *journal, sd_journal *sd)
{
	char tag[MAILLOG_TAG_BYTES];
	struct maillog_line line;
	const char *value;
	size_t tag_bytes, bytes;

	/* What a field points to is good until the next is asked for. */
	if (!get_field(sd, "SYSLOG_IDENTIFIER", &value, &tag_bytes) || tag_bytes >= sizeof tag)
		return;
	memcpy(tag, value, tag_bytes);
	if (get_field(sd, "MESSAGE", &value, &bytes) &&
		maillog_parse_entry(tag, tag_bytes, value, bytes, &line))
		put(journal, &line);
}

/* match_facilities - any of them */
static int match_facilities(sd_journal *sd, uint32_t wanted)
{
	int status = 0;

	for (int facility = 0; facility < 32 && status >= 0; facility++) {
		char match[32];

		(void)snprintf(match, sizeof match, "SYSLOG_FACILITY=%d", facility);
		if ((wanted & (1U << facility)) != 0)
			status = sd_journal_add_match(sd, match, 0);
	}
	return status;
}

/* look_for - why is there nothing in this directory? */
static int look_for(const char *directory, const char *id)
{
	char *path = xasprintf("%s%s%s/system.journal", directory, *id != '\0' ? "/" : "", id);
	int error = access(path, R_OK) == 0 ? 0 : errno;

	free(path);
	return error == ENOTDIR ? ENOENT : error;
}

/* explain_empty - 0: nothing was logged yet */
static int explain_empty(const struct journal *journal)
{
	char id[SD_ID128_STRING_MAX];
	sd_id128_t machine;
	int worst = ENOENT;

	if (journal->directory != NULL)
		return look_for(journal->directory, "");
	if (sd_id128_get_machine(&machine) < 0)
		return ENOENT;
	(void)sd_id128_to_string(machine, id);
	for (size_t i = 0; i < sizeof system_journals / sizeof *system_journals; i++) {
		int error = look_for(system_journals[i], id);

		if (error == 0)
			return 0;
		if (error != ENOENT)
			worst = error;
	}
	return worst;
}

/* go_to_end - behind the last entry of all, or before the first that will come.  A negative errno.
 */
static int go_to_end(const struct journal *journal, sd_journal *sd)
{
	int status = sd_journal_seek_tail(sd);

	if (status >= 0)
		status = sd_journal_previous(sd);
	if (status == 0) {
		status = -explain_empty(journal);
		if (status == 0)
			status = sd_journal_seek_head(sd);
	}
	return status < 0 ? status : match_facilities(sd, journal->facilities);
}

/* open_journal - NULL with *error set */
static sd_journal *open_journal(const struct journal *journal, int *error)
{
	sd_journal *sd = NULL;
	int status = journal->directory != NULL
			     ? sd_journal_open_directory(&sd, journal->directory, 0)
			     : sd_journal_open(&sd, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM);

	/* From now on nothing is missed, so the end is looked for afterwards. */
	if (status >= 0)
		status = sd_journal_get_fd(sd);
	if (status >= 0)
		status = sd_journal_set_data_threshold(sd, FIELD_BYTES);
	if (status >= 0)
		status = go_to_end(journal, sd);
	*error = status < 0 ? -status : 0;
	if (status >= 0)
		return sd;
	sd_journal_close(sd);
	return NULL;
}

/* timeout_of - where inotify(7) does not tell of everything libsystemd wants to look now and then
 */
static int timeout_of(sd_journal *sd)
{
	struct timespec now;
	uint64_t until_us, now_us;

	if (sd_journal_get_timeout(sd, &until_us) < 0 || until_us == UINT64_MAX ||
		clock_gettime(CLOCK_MONOTONIC, &now) < 0)
		return LONGEST_WAIT_MS;
	now_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	if (until_us <= now_us)
		return 0;
	return until_us - now_us >= LONGEST_WAIT_MS * 1000ULL
		       ? LONGEST_WAIT_MS
		       : (int)((until_us - now_us) / 1000) + 1;
}

/* follow - until it is told to stop (0), or the journal fails */
static int follow(struct journal *journal, sd_journal *sd)
{
	int status = 0;

	while (status >= 0 && !is_stopping(journal)) {
		status = sd_journal_next(sd);
		if (status > 0) {
			take_entry(journal, sd);
		} else if (status == 0) {
			wait_for(journal, sd, timeout_of(sd));
			status = sd_journal_process(sd);
		}
	}
	return status < 0 ? -status : 0;
}

static void read_journal(struct journal *journal)
{
	int error;
	sd_journal *sd = open_journal(journal, &error);

	tell_state(journal, error);
	if (sd == NULL)
		return;
	error = follow(journal, sd);
	sd_journal_close(sd);
	if (error != 0)
		tell_state(journal, error);
}

#else

static void read_journal(struct journal *journal)
{
	tell_state(journal, ENOSYS);
}

#endif

static void *reader(void *arg)
{
	struct journal *journal = arg;
	bool is_last;

	read_journal(journal);
	(void)pthread_mutex_lock(&journal->lock);
	journal->has_reader = false;
	is_last = journal->news == NULL;
	(void)pthread_mutex_unlock(&journal->lock);
	if (is_last)
		release(journal);
	return NULL;
}

/* start_reader - no signal is its business */
static bool start_reader(struct journal *journal)
{
	sigset_t all, old;
	pthread_attr_t attributes;
	pthread_t thread;
	bool is_started;

	if (pthread_attr_init(&attributes) != 0)
		return false;
	(void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	journal->has_reader = true;
	is_started = pthread_create(&thread, &attributes, reader, journal) == 0;
	journal->has_reader = is_started;
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void)pthread_attr_destroy(&attributes);
	return is_started;
}

/*
 * The event thread
 */

/* get_line - the oldest; false when there is none.  *is_more: another is behind it. */
static bool get_line(struct journal *journal, struct maillog_line *line, bool *is_more)
{
	bool has_line, has_waiting;

	(void)pthread_mutex_lock(&journal->lock);
	has_line = journal->count > 0;
	if (has_line) {
		*line = journal->queue[journal->first];
		journal->first = (journal->first + 1) % QUEUE_LINES;
		journal->count--;
	}
	*is_more = journal->count > 0;
	/* Not for each line: it comes back when all of them are taken. */
	has_waiting = journal->is_reader_waiting && !*is_more;
	(void)pthread_mutex_unlock(&journal->lock);
	if (has_waiting)
		wake(journal);
	return has_line;
}

static bool get_state(struct journal *journal, int *error)
{
	bool has_state;

	(void)pthread_mutex_lock(&journal->lock);
	has_state = journal->has_state;
	journal->has_state = false;
	*error = journal->error;
	(void)pthread_mutex_unlock(&journal->lock);
	return has_state;
}

/* on_news - one callback a turn but for lines, because any but that of a line may free us */
static void on_news(evutil_socket_t fd, short what, void *arg)
{
	struct journal *journal = arg;
	struct maillog_line line;
	bool is_more = true;
	int error;

	(void)fd;
	(void)what;
	for (int i = 0; i < QUEUE_LINES && is_more; i++)
		if (get_line(journal, &line, &is_more))
			journal->callbacks.line(journal->callbacks.arg, &line);
	if (is_more)
		call(journal);
	if (get_state(journal, &error))
		journal->callbacks.state(journal->callbacks.arg, error);
}

struct journal *journal_new(struct event_base *base, const struct journal_source *source,
	const struct journal_callbacks *callbacks)
{
	struct journal *journal = xcalloc(1, sizeof *journal);

	journal->directory = source->directory != NULL ? xstrdup(source->directory) : NULL;
	journal->facilities = source->facilities;
	journal->callbacks = *callbacks;
	(void)pthread_mutex_init(&journal->lock, NULL);
	journal->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	journal->news = evtimer_new(base, on_news, journal);
	if (journal->news == NULL) {
		log_errx("out of memory");
		abort();
	}
	if (journal->wake_fd < 0)
		tell_state(journal, errno);
	else if (!start_reader(journal))
		tell_state(journal, EAGAIN);
	return journal;
}

void journal_free(struct journal *journal)
{
	struct event *news;
	bool is_last;

	if (journal == NULL)
		return;
	(void)pthread_mutex_lock(&journal->lock);
	news = journal->news;
	journal->news = NULL;
	is_last = !journal->has_reader;
	if (!is_last)
		wake(journal);
	(void)pthread_mutex_unlock(&journal->lock);
	event_free(news);
	if (is_last)
		release(journal);
}
