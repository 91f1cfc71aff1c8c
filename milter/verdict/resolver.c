/*
 * resolver - where Postfix would send a recipient, when no macro says it
 *
 * A question lives on the stack of the thread that waits for it, and is touched under the lock only: a thread that
 * gives up takes it away, and an answer that comes later is dropped.  Connections, and what goes on with them, belong
 * to the event thread alone.
 *
 * The connection is kept as Postfix's own clients keep theirs (ipc_idle): a message to 1,000 recipients must not cost
 * 1,000 connections.  trivial-rewrite(8) ends when a table or the configuration changes, so a kept connection that is
 * lost is no failure: the question is put again over a fresh one.
 *
 * libmilter may have as few as five threads, and those that wait here answer nobody else.  When one has waited in vain,
 * nobody waits for that Postfix until RETRY_MS later, and then one at a time, until there is an answer again.  Before
 * that is known only PATIENT_THREADS wait for the full time; an answer takes 50 us, so that the others get theirs too.
 */
#include "verdict/resolver.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

enum {
	RETRY_MS = 1000,     /* an outage is looked at again after so long */
	IDLE_S = 5,	     /* ipc_idle of Postfix */
	PATIENT_THREADS = 3, /* as many as wait for a probe (TABLE_WAITED_HOPS) */
	HASTE = 6,	     /* all others wait for this part of the time */
	WAITING_MAX = 256,   /* where libmilter has a thread for each connection */
	ADDRESS_BYTES = 1024,
};

struct line;

/* One recipient somebody waits for. */
struct question {
	struct question *prev, *next;
	char sender[ADDRESS_BYTES], recipient[ADDRESS_BYTES]; /* as trivial-rewrite(8) wants them, not quoted */
	int64_t max_wait_ms;
	struct rewrite_route *route;
	enum resolver_answer answer;
	bool is_answered;
	bool is_trial; /* is there an answer again? */
	const struct line *news; /* where nobody answered, and that is news; else NULL */
};

/* What is known of trivial-rewrite(8) of one Postfix; never freed, there are few. */
struct line {
	struct resolver *resolver;
	struct line *next;
	char *directory, *service;

	/* Under the lock: */
	struct question *questions; /* not asked yet */
	struct question *asked;	    /* NULL: none, or nobody waits for it any more */
	bool is_stuck;		    /* somebody has waited in vain */
	bool is_down;
	bool is_tried;	  /* one of those who wait is on trial */
	int64_t retry_ms; /* not before */

	/* Of the event thread: */
	struct rewrite_connection connection;
	bool is_fresh; /* nothing was answered over it yet */
	uint32_t opening;
	struct rewrite_query *query;
	struct event *idle;
};

struct resolver {
	struct event_base *base;
	const struct opener *opener;
	struct event *wake;
	pthread_mutex_t lock;
	pthread_cond_t news;
	struct line *lines; /* new ones come in front */
	unsigned waiting;
};

/*
 * Under the lock
 */

static void settle(struct line *line, struct question *question, enum resolver_answer answer)
{
	question->answer = answer;
	question->is_answered = true;
	pthread_cond_broadcast(&line->resolver->news);
}

/* fail_all - nobody waits for what does not answer; true when that is news */
static bool fail_all(struct line *line)
{
	bool is_news = !line->is_down;
	struct question *question;

	line->is_down = true;
	line->retry_ms = clock_now_ms() + RETRY_MS;
	if (line->asked != NULL)
		settle(line, line->asked, RESOLVER_SILENT);
	line->asked = NULL;
	DL_FOREACH(line->questions, question)
	{
		/* cppcheck-suppress uninitvar ; DL_FOREACH sets it */
		settle(line, question, RESOLVER_SILENT);
	}
	line->questions = NULL;
	return is_news;
}

/* take_question - the one that is to be asked now, NULL: none */
static struct question *take_question(struct line *line)
{
	if (line->asked == NULL && line->questions != NULL) {
		line->asked = line->questions;
		DL_DELETE(line->questions, line->asked);
	}
	return line->asked;
}

static void log_outage(const struct line *line, const char *error)
{
	log_warnx("mail of sendmail(1) is accepted without a look at the hops of its recipients: "
		  "trivial-rewrite(8) of %s: %s: %s",
		line->directory, line->service, error);
}

/*
 * The event thread
 */
static void step(struct line *line);

static void hang_up(struct line *line)
{
	if (line->connection.fd >= 0)
		(void)close(line->connection.fd);
	line->connection.fd = -1;
}

static void fail(struct line *line, const char *error)
{
	struct resolver *resolver = line->resolver;
	bool is_news;

	hang_up(line);
	pthread_mutex_lock(&resolver->lock);
	is_news = fail_all(line);
	pthread_mutex_unlock(&resolver->lock);
	if (is_news)
		log_outage(line, error);
}

/* succeed - it answered; route is NULL when it knows none */
static void succeed(struct line *line, const struct rewrite_route *route)
{
	struct resolver *resolver = line->resolver;
	bool was_down;

	line->is_fresh = false;
	pthread_mutex_lock(&resolver->lock);
	was_down = line->is_down;
	line->is_down = false;
	if (line->asked != NULL) {
		if (route != NULL)
			*line->asked->route = *route;
		settle(line, line->asked, route != NULL ? RESOLVER_ROUTE : RESOLVER_NO_ROUTE);
	}
	line->asked = NULL;
	pthread_mutex_unlock(&resolver->lock);
	if (was_down)
		log_info("trivial-rewrite(8) of %s answers again", line->directory);
}

static void on_route(void *arg, const struct rewrite_route *route, const char *error)
{
	struct line *line = arg;

	line->query = NULL;
	if (line->connection.fd >= 0) {
		if (error != NULL)
			log_debug("trivial-rewrite(8) of %s: %s", line->directory, error);
		succeed(line, route);
	} else if (line->is_fresh) {
		fail(line, error);
	}
	step(line);
}

static void on_opened(void *arg, const struct opened *opened)
{
	struct line *line = arg;

	line->opening = 0;
	if (opened->fd < 0) {
		fail(line, opened->error == EPERM ? "no service of master.cf"
						  : strerror(opened->error));
		return;
	}
	line->connection = (struct rewrite_connection){opened->fd, false};
	line->is_fresh = true;
	step(line);
}

static void on_idle(evutil_socket_t fd, short what, void *arg)
{
	struct line *line = arg;

	(void)fd;
	(void)what;
	if (line->query == NULL)
		hang_up(line);
}

/* ask - over the connection that there is.  Under the lock: the question may go as soon as that is let go.  The
 * thread that waits gives up first; the query's own limit is for when none waits for all of its time. */
static void ask(struct line *line, const struct question *question)
{
	static const struct timeval idle = {IDLE_S, 0};

	line->query = rewrite_resolve_over(line->resolver->base, &line->connection,
		question->sender, question->recipient, 2 * question->max_wait_ms, on_route, line);
	(void)event_add(line->idle, &idle);
}

/* step - go on with the next question, when nothing is under way */
static void step(struct line *line)
{
	struct resolver *resolver = line->resolver;
	const struct question *question;
	bool is_usable;

	if (line->opening != 0 || line->query != NULL)
		return;
	/* The greeting may be there already. */
	is_usable = line->is_fresh ? line->connection.fd >= 0
				   : rewrite_is_usable(&line->connection);
	pthread_mutex_lock(&resolver->lock);
	question = take_question(line);
	if (question != NULL && is_usable)
		ask(line, question);
	pthread_mutex_unlock(&resolver->lock);
	if (question == NULL || line->query != NULL)
		return;
	hang_up(line);
	if (!is_usable)
		line->opening = resolver->opener->open(resolver->opener->opener_arg,
			line->directory, line->service, on_opened, line);
	if (line->opening == 0)
		fail(line, "out of memory");
}

/* unstick - drop what somebody has waited for in vain */
static void unstick(struct line *line)
{
	const struct opener *opener = line->resolver->opener;
	bool is_stuck;

	pthread_mutex_lock(&line->resolver->lock);
	is_stuck = line->is_stuck;
	line->is_stuck = false;
	pthread_mutex_unlock(&line->resolver->lock);
	if (!is_stuck)
		return;
	if (line->opening != 0)
		opener->cancel(opener->opener_arg, line->opening);
	line->opening = 0;
	if (line->query != NULL)
		rewrite_cancel(line->query);
	line->query = NULL;
	hang_up(line);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct resolver *resolver = arg;
	struct line *line;

	(void)fd;
	(void)what;
	pthread_mutex_lock(&resolver->lock);
	line = resolver->lines;
	pthread_mutex_unlock(&resolver->lock);
	for (; line != NULL; line = line->next) {
		unstick(line);
		step(line);
	}
}

/*
 * Any thread
 */

static void free_line(struct line *line)
{
	if (line->idle != NULL)
		event_free(line->idle);
	free(line->directory);
	free(line->service);
	free(line);
}

/* find_line - under the lock; NULL when out of memory */
static struct line *find_line(
	struct resolver *resolver, const char *directory, const char *service)
{
	struct line *line;

	for (line = resolver->lines; line != NULL; line = line->next)
		if (strcmp(line->directory, directory) == 0 && strcmp(line->service, service) == 0)
			return line;
	line = calloc(1, sizeof *line);
	if (line == NULL)
		return NULL;
	line->resolver = resolver;
	line->connection.fd = -1;
	line->directory = strdup(directory);
	line->service = strdup(service);
	line->idle = evtimer_new(resolver->base, on_idle, line);
	if (line->directory == NULL || line->service == NULL || line->idle == NULL) {
		free_line(line);
		return NULL;
	}
	line->next = resolver->lines;
	resolver->lines = line;
	return line;
}

/* put - under the lock; false when it is no use to ask */
static bool put(struct line *line, struct question *question)
{
	if (line->resolver->waiting >= WAITING_MAX)
		return false;
	if (line->is_down && (line->is_tried || clock_now_ms() < line->retry_ms))
		return false;
	question->is_trial = line->is_tried = line->is_down;
	DL_APPEND(line->questions, question);
	event_active(line->resolver->wake, 0, 0);
	return true;
}

/* wait_for_answer - under the lock, which is let go meanwhile; false when the time is over */
static bool wait_for_answer(struct resolver *resolver, const struct question *question, int64_t wait_ms)
{
	int64_t until_ms = clock_now_ms() + wait_ms;
	const struct timespec until = {until_ms / 1000, until_ms % 1000 * 1000000};

	while (!question->is_answered &&
		pthread_cond_timedwait(&resolver->news, &resolver->lock, &until) == 0)
		;
	return question->is_answered;
}

/* take_back - under the lock: nobody waits for it any more */
static void take_back(struct line *line, struct question *question)
{
	if (line->asked == question)
		line->asked = NULL;
	else
		DL_DELETE(line->questions, question);
	question->answer = RESOLVER_NO_ROUTE;
}

/* give_up - under the lock: the full time is over */
static void give_up(struct line *line, struct question *question)
{
	take_back(line, question);
	question->answer = RESOLVER_SILENT;
	if (fail_all(line))
		question->news = line;
	line->is_stuck = true;
	event_active(line->resolver->wake, 0, 0);
}

/* wait_in_line - under the lock */
static void wait_in_line(struct line *line, struct question *question)
{
	struct resolver *resolver = line->resolver;
	bool is_patient = question->is_trial || resolver->waiting < PATIENT_THREADS;
	int64_t wait_ms = is_patient ? question->max_wait_ms : question->max_wait_ms / HASTE;

	resolver->waiting++;
	if (!wait_for_answer(resolver, question, wait_ms)) {
		if (is_patient)
			give_up(line, question);
		else
			take_back(line, question);
	}
	resolver->waiting--;
	if (question->is_trial)
		line->is_tried = false;
}

/* copy_address - without the quotes around its local part; false when it is too long or no address */
static bool copy_address(char out[ADDRESS_BYTES], const char *address)
{
	bool is_quoted = *address == '"';
	size_t used = 0;

	for (const char *cp = address + is_quoted; *cp != '\0'; cp++) {
		if (is_quoted && *cp == '"') {
			is_quoted = false;
			continue;
		}
		if (is_quoted && *cp == '\\' && cp[1] != '\0')
			cp++;
		if (used == ADDRESS_BYTES - 1)
			return false;
		out[used++] = *cp;
	}
	out[used] = '\0';
	return !is_quoted;
}

enum resolver_answer resolver_ask(struct resolver *resolver,
	const struct resolver_question *question, int64_t max_wait_ms, struct rewrite_route *route)
{
	struct question own = {.max_wait_ms = max_wait_ms, .route = route, .answer = RESOLVER_SILENT};
	struct line *line;

	if (!copy_address(own.sender, question->sender) ||
		!copy_address(own.recipient, question->recipient))
		return RESOLVER_NO_ROUTE;
	pthread_mutex_lock(&resolver->lock);
	line = find_line(resolver, question->directory, question->service);
	if (line != NULL && put(line, &own))
		wait_in_line(line, &own);
	pthread_mutex_unlock(&resolver->lock);
	if (own.news != NULL)
		log_outage(own.news, "no answer in time");
	return own.answer;
}

struct resolver *resolver_new(struct event_base *base, const struct opener *opener)
{
	struct resolver *resolver = calloc(1, sizeof *resolver);
	pthread_condattr_t attr;

	if (resolver == NULL)
		return NULL;
	resolver->base = base;
	resolver->opener = opener;
	resolver->wake = event_new(base, -1, EV_PERSIST, on_wake, resolver);
	if (resolver->wake == NULL) {
		free(resolver);
		return NULL;
	}
	pthread_mutex_init(&resolver->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&resolver->news, &attr);
	pthread_condattr_destroy(&attr);
	return resolver;
}

void resolver_free(struct resolver *resolver)
{
	struct line *line, *next;

	for (line = resolver->lines; line != NULL; line = next) {
		next = line->next;
		line->is_stuck = true;
		unstick(line);
		free_line(line);
	}
	event_free(resolver->wake);
	pthread_cond_destroy(&resolver->news);
	pthread_mutex_destroy(&resolver->lock);
	free(resolver);
}
