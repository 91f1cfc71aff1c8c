/*
 * hook - on_change: have a program run when a hop changes its state
 *
 * Here is what is told, and when; the program runs in another process, one at a time, so that
 * nothing waits for it.
 */
#include "ops/hook.h"

#include "base/channel.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/xmem.h"
#include "ops/hook_queue.h"
#include "ops/hook_runner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct hook {
	struct hook_queue *queue;
	struct event *event; /* the runner answers; NULL: there is none */
	int runner;          /* -1: none */
	char *program, *host;
	uint32_t last;             /* number of the last request */
	bool is_busy;              /* it is not answered yet */
	struct hook_event running; /* what it was about */
	unsigned dropped;          /* changes, since that was told last */
};

void hook_stop(struct hook *hook)
{
	if (hook->runner >= 0)
		event_del(hook->event);
	hook->runner = -1;
	hook->is_busy = false;
	hook_queue_clear(hook->queue);
}

/* lose_runner - nobody can start it anew: what it may, the keeper may not any more */
static void lose_runner(struct hook *hook)
{
	log_errx("on_change: the process that runs programs is gone; they are not run until "
		 "failfast-milter is restarted");
	hook_stop(hook);
}

/* put_text - a value and its NUL; false when it does not fit */
static bool put_text(char *payload, size_t *used, const char *text)
{
	size_t bytes = strlen(text) + 1;

	if (*used + bytes > CHANNEL_PAYLOAD_BYTES)
		return false;
	memcpy(payload + *used, text, bytes);
	/* Shells and mails want one line of it, whatever a server says. */
	for (char *cp = payload + *used; *cp != '\0'; cp++)
		if ((unsigned char)*cp < ' ' || *cp == 0x7f)
			*cp = '?';
	*used += bytes;
	return true;
}

/* role_names - "content-filter,transport" */
static const char *role_names(unsigned roles, char names[128])
{
	size_t used = 0;

	names[0] = '\0';
	for (unsigned role = ROLE_PROXY_FILTER; role <= ROLE_TRANSPORT; role <<= 1)
		if ((roles & role) != 0 && used < 128)
			used += (size_t)snprintf(names + used, 128 - used, "%s%s",
				used > 0 ? "," : "", hop_role_name((enum hop_role)role));
	return names;
}

static bool send_request(struct hook *hook, const struct hook_event *event)
{
	char payload[CHANNEL_PAYLOAD_BYTES], since[CLOCK_UTC_BYTES], roles[128];
	size_t used = sizeof hook->last;
	const char *values[HOOK_VARIABLES] = {
		[HOOK_HOP] = event->hop,
		[HOOK_ROLE] = role_names(event->roles, roles),
		[HOOK_FROM] = state_name(event->from),
		[HOOK_TO] = state_name(event->to),
		[HOOK_REASON] = event->reason != REASON_NONE ? reason_token(event->reason) : "",
		[HOOK_DETAIL] = event->detail,
		[HOOK_SINCE] = clock_format_utc(since, event->since),
		[HOOK_HOST] = hook->host,
	};

	hook->last++;
	memcpy(payload, &hook->last, used);
	for (int i = 0; i < HOOK_VARIABLES; i++)
		if (!put_text(payload, &used, values[i]))
			return false;
	return channel_send(hook->runner, CHANNEL_HOOK_RUN, payload, used, -1, 0);
}

static void tell_dropped(struct hook *hook)
{
	if (hook->dropped > 0)
		log_warnx("on_change: %u changes were not told, because %d hops waited",
			hook->dropped, HOOK_HOPS);
	hook->dropped = 0;
}

/* run_next - if something waits and nothing runs */
static void run_next(struct hook *hook)
{
	while (!hook->is_busy && hook->runner >= 0 &&
		hook_queue_take(hook->queue, &hook->running)) {
		hook->is_busy = send_request(hook, &hook->running);
		if (hook->is_busy)
			log_debug("on_change: %s: hop %s: %s -> %s", hook->program,
				hook->running.hop, state_name(hook->running.from),
				state_name(hook->running.to));
		else
			log_warn("on_change: hop %s", hook->running.hop);
	}
	if (hook_queue_count(hook->queue) == 0)
		tell_dropped(hook);
}

/* what_failed - in words; NULL: nothing */
static const char *what_failed(const struct hook_result *result, char words[64])
{
	switch ((enum hook_end)result->end) {
	case HOOK_ENDED:
		if (result->number == 0)
			return NULL;
		(void)snprintf(words, 64, "exit status %d", (int)result->number);
		return words;
	case HOOK_KILLED:
		(void)snprintf(words, 64, "killed by signal %d", (int)result->number);
		return words;
	case HOOK_TIMED_OUT:
		return "did not end in time and was ended";
	case HOOK_NOT_STARTED:
		return strerror((int)result->number);
	case HOOK_NO_PROGRAM:
	default:
		return NULL;
	}
}

static void take_result(struct hook *hook, struct hook_result *result)
{
	char words[64];
	const char *failure = what_failed(result, words);

	/* An engine before this one may have asked. */
	if (!hook->is_busy || result->number_of_request != hook->last)
		return;
	hook->is_busy = false;
	result->words[HOOK_WORDS_BYTES - 1] = '\0';
	if (failure != NULL)
		log_warnx("on_change: %s: hop %s: %s -> %s: %s%s%s", hook->program,
			hook->running.hop, state_name(hook->running.from),
			state_name(hook->running.to), failure, *result->words != '\0' ? ": " : "",
			result->words);
	run_next(hook);
}

static void on_answer(evutil_socket_t fd, short what, void *arg)
{
	static struct channel_message message;
	struct hook *hook = arg;
	struct hook_result result;
	enum channel_status status;

	(void)what;
	while ((status = channel_receive(fd, &message)) == CHANNEL_GOT) {
		if (message.fd >= 0)
			close(message.fd);
		if (message.type != CHANNEL_HOOK_DONE || message.bytes != sizeof result)
			continue;
		memcpy(&result, message.payload, sizeof result);
		take_result(hook, &result);
	}
	if (status == CHANNEL_GONE)
		lose_runner(hook);
}

/* listen_to_runner - false: no memory */
static bool listen_to_runner(struct hook *hook, struct event_base *base)
{
	if (hook->runner < 0)
		return true;
	hook->event = event_new(base, hook->runner, EV_READ | EV_PERSIST, on_answer, hook);
	return hook->event != NULL && event_add(hook->event, NULL) == 0;
}

struct hook *hook_new(struct event_base *base, int runner)
{
	struct hook *hook = xcalloc(1, sizeof *hook);

	hook->runner = runner;
	hook->program = xstrdup("");
	hook->host = xstrdup("");
	/* Not the number that the engine before this one began with. */
	hook->last = (uint32_t)random();
	hook->queue = hook_queue_new(HOOK_HOPS);
	if (hook->queue != NULL && listen_to_runner(hook, base))
		return hook;
	if (hook->event != NULL)
		event_free(hook->event);
	if (hook->queue != NULL)
		hook_queue_free(hook->queue);
	free(hook->program);
	free(hook->host);
	free(hook);
	return NULL;
}

void hook_apply(struct hook *hook, const char *program, const char *host)
{
	free(hook->program);
	free(hook->host);
	hook->program = xstrdup(program);
	hook->host = xstrdup(host);
	if (*program == '\0')
		hook_queue_clear(hook->queue);
}

void hook_change(void *arg, const struct hop_view *view, const struct hop_change *change)
{
	struct hook *hook = arg;
	struct hook_event event = {
		.roles = view->roles,
		.from = change->from,
		.to = change->to,
		.reason = view->reason,
		.since = view->since,
	};

	if (*hook->program == '\0' || hook->runner < 0 || !hook_is_news(change))
		return;
	(void)snprintf(event.hop, sizeof event.hop, "%s", view->name);
	if (view->reason != REASON_NONE)
		(void)snprintf(event.detail, sizeof event.detail, "%s", view->detail);
	if (hook_queue_put(hook->queue, &event) == HOOK_FULL && hook->dropped++ == 0)
		log_warnx("on_change: %d hops wait: further changes are not told", HOOK_HOPS);
	run_next(hook);
}
