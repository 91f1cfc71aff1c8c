/*
 * state - what is known survives a restart
 *
 * The event thread copies what is to be kept, which takes a few milliseconds for ten thousand hops,
 * and hands the copy to the writer.  While that is at work nothing is handed over: the next copy is
 * newer anyway.
 */
#include "ops/state.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/xmem.h"
#include "ops/state_file.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* What writer and event thread share. */
struct writer {
	pthread_mutex_t lock;
	pthread_cond_t news;
	struct state_image *image; /* to be written, NULL: nothing */
	char *path;                /* where to */
	bool is_busy;
	int64_t took_ms; /* the last time */
	bool is_failing; /* so that it is said once */
};

struct state_store {
	struct table *table;
	struct sched *sched;
	struct event *timer;
	struct writer writer;
	char *path;                    /* "": nowhere */
	bool is_due;                   /* the timer runs for a change */
	int64_t saved_ms;              /* when a copy was handed over last */
	struct sched_learned *learned; /* of the file that was read */
	size_t learned_count;
};

/* tell - the first failure, and when it is over */
static void tell(struct writer *writer, bool is_saved, const char *error)
{
	if (!is_saved && !writer->is_failing)
		log_errx("state: %s: what is known will not survive a restart", error);
	else if (is_saved && writer->is_failing)
		log_info("state: written again");
	writer->is_failing = !is_saved;
}

static void *write_images(void *arg)
{
	struct writer *writer = arg;
	char error[STATE_ERROR_BYTES];

	pthread_mutex_lock(&writer->lock);
	for (;;) {
		struct state_image *image = writer->image;
		char *path = writer->path;
		int64_t start_ms = clock_now_ms();

		if (image == NULL) {
			pthread_cond_wait(&writer->news, &writer->lock);
			continue;
		}
		writer->image = NULL;
		writer->path = NULL;
		writer->is_busy = true;
		pthread_mutex_unlock(&writer->lock);
		tell(writer, state_file_save(path, image, error), error);
		state_image_free(image);
		free(image);
		free(path);
		pthread_mutex_lock(&writer->lock);
		writer->is_busy = false;
		writer->took_ms = clock_now_ms() - start_ms;
		pthread_cond_broadcast(&writer->news);
	}
	return NULL;
}

/* What collect() needs. */
struct collection {
	const struct state_store *state;
	struct state_image *image;
	bool takes_up, takes_others;
	bool is_complete;
};

/* collect - one hop */
static void collect(void *arg, struct hop *hop)
{
	struct collection *collection = arg;
	const struct deep *deep = sched_deep(hop);
	struct state_hop *entry;
	struct hop_memory memory;

	if (collection->image->hop_count >= STATE_HOPS_MAX)
		return;
	if (!table_memorize(collection->state->table, hop, &memory)) {
		collection->is_complete = false;
		return;
	}
	if (memory.state == STATE_UP ? !collection->takes_up : !collection->takes_others) {
		hop_memory_free(&memory);
		return;
	}
	entry = state_add_hop(collection->image);
	if (entry == NULL) {
		hop_memory_free(&memory);
		collection->is_complete = false;
		return;
	}
	entry->hop = memory;
	if (deep == NULL)
		return;
	entry->deep = calloc(1, sizeof *entry->deep);
	if (entry->deep == NULL || !deep_copy(entry->deep, deep)) {
		free(entry->deep);
		entry->deep = NULL;
		collection->is_complete = false;
	}
}

static void collect_override(void *arg, const char *name, const struct override *override)
{
	struct collection *collection = arg;
	struct state_override *entry = state_add_override(collection->image);
	char *copy = strdup(name);

	if (entry == NULL || copy == NULL) {
		free(copy);
		if (entry != NULL)
			collection->image->override_count--;
		collection->is_complete = false;
		return;
	}
	entry->name = copy;
	entry->override = *override;
}

static int64_t wall_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* take_image - a copy of all that is to be kept; NULL: out of memory */
static struct state_image *take_image(struct state_store *state)
{
	struct state_image *image = calloc(1, sizeof *image);
	struct collection collection = {state, image, true, true, true};

	if (image == NULL)
		return NULL;
	image->now_ms = clock_now_ms();
	image->wall_ms = wall_ms();
	memcpy(image->salt, sched_salt(state->sched), sizeof image->salt);
	table_each_override(state->table, collect_override, &collection);
	if (table_count(state->table) > STATE_HOPS_MAX) {
		collection.takes_up = false;
		table_each(state->table, collect, &collection);
		collection.takes_up = true;
		collection.takes_others = false;
	}
	table_each(state->table, collect, &collection);
	if (collection.is_complete)
		return image;
	state_image_free(image);
	free(image);
	return NULL;
}

/* hand_over - false when the writer is still at work */
static bool hand_over(struct state_store *state)
{
	struct writer *writer = &state->writer;
	bool is_idle;

	pthread_mutex_lock(&writer->lock);
	is_idle = !writer->is_busy && writer->image == NULL;
	pthread_mutex_unlock(&writer->lock);
	if (!is_idle)
		return false;
	state->saved_ms = clock_now_ms();
	struct state_image *image = take_image(state);
	char *path = image != NULL ? strdup(state->path) : NULL;

	if (path == NULL) {
		log_errx("state: out of memory");
		if (image != NULL)
			state_image_free(image);
		free(image);
		return true;
	}
	pthread_mutex_lock(&writer->lock);
	writer->image = image;
	writer->path = path;
	pthread_cond_broadcast(&writer->news);
	pthread_mutex_unlock(&writer->lock);
	return true;
}

static void arm(struct state_store *state, int64_t delay_ms)
{
	const struct timeval delay = {delay_ms / 1000, delay_ms % 1000 * 1000};

	evtimer_add(state->timer, &delay);
}

static int64_t gap_ms(struct state_store *state)
{
	int64_t gap_ms;

	pthread_mutex_lock(&state->writer.lock);
	gap_ms = state->writer.took_ms * STATE_GAP_TIMES;
	pthread_mutex_unlock(&state->writer.lock);
	return gap_ms > STATE_GAP_MS ? gap_ms : STATE_GAP_MS;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct state_store *state = arg;

	(void)fd;
	(void)what;
	if (*state->path == '\0')
		return;
	if (!hand_over(state)) {
		arm(state, STATE_RETRY_MS);
		return;
	}
	state->is_due = false;
	arm(state, STATE_INTERVAL_MS);
}

void state_changed(struct state_store *state)
{
	int64_t left_ms;

	if (state->is_due || *state->path == '\0')
		return;
	state->is_due = true;
	left_ms = state->saved_ms != 0 ? state->saved_ms + gap_ms(state) - clock_now_ms() : 0;
	arm(state, left_ms > 0 ? left_ms : 0);
}

void state_save(struct state_store *state)
{
	if (*state->path == '\0')
		return;
	state->is_due = true;
	arm(state, 0);
}

void state_use(struct state_store *state, const char *path)
{
	if (strcmp(state->path, path) == 0)
		return;
	free(state->path);
	state->path = xstrdup(path);
	state->is_due = false;
	evtimer_del(state->timer);
	state_changed(state);
}

/* is_idle - everything that was handed over is written; the caller holds the lock */
static bool is_idle(const struct writer *writer)
{
	return writer->image == NULL && !writer->is_busy;
}

/* wait_idle - until then, or until the time is over */
static bool wait_idle(struct writer *writer, int64_t deadline_ms)
{
	struct timespec until = {deadline_ms / 1000, deadline_ms % 1000 * 1000000};
	int error = 0;
	bool is_done;

	pthread_mutex_lock(&writer->lock);
	while (!is_idle(writer) && error != ETIMEDOUT)
		error = pthread_cond_timedwait(&writer->news, &writer->lock, &until);
	is_done = is_idle(writer);
	pthread_mutex_unlock(&writer->lock);
	return is_done;
}

void state_end(struct state_store *state)
{
	const int64_t deadline_ms = wall_ms() + STATE_END_MS;

	if (*state->path == '\0')
		return;
	if (!wait_idle(&state->writer, deadline_ms) || !hand_over(state) ||
		!wait_idle(&state->writer, deadline_ms))
		log_errx("state: %s: not written in time", state->path);
}

/* remember - everything in the image that is of use; what is taken is not the image's any more */
static void remember(struct state_store *state, struct state_image *image)
{
	sched_use_salt(state->sched, image->salt);
	state->learned = xcalloc(image->hop_count + 1, sizeof *state->learned);
	for (size_t i = 0; i < image->hop_count; i++) {
		struct state_hop *entry = &image->hop[i];

		if (entry->hop.is_learned && entry->hop.roles != 0)
			state->learned[state->learned_count++] =
				(struct sched_learned){xstrdup(entry->hop.name), entry->hop.roles};
		if (entry->deep != NULL)
			sched_remember(state->sched, entry->hop.name, entry->deep);
		(void)table_remember(state->table, &entry->hop);
	}
}

static void force_again(struct state_store *state, const struct state_image *image)
{
	for (size_t i = 0; i < image->override_count; i++) {
		const struct state_override *entry = &image->override[i];
		char until[CLOCK_UTC_BYTES] = "";

		if (!table_force(state->table, entry->name, &entry->override))
			continue;
		if (entry->override.until != 0)
			clock_format_utc(until, entry->override.until);
		log_info("hop %s: still forced-%s%s%s%s%s", entry->name,
			entry->override.is_up ? "up" : "down", *until != '\0' ? " until " : "",
			until, *entry->override.comment != '\0' ? ": " : "",
			entry->override.comment);
	}
}

/* tell_worth - one line about what is done with the file */
static void tell_worth(const char *path, enum state_worth worth, const struct state_image *image,
	int64_t age_ms, const char *why)
{
	const long long age_s = (long long)(age_ms < 0 ? -age_ms : age_ms) / 1000;

	switch (worth) {
	case STATE_GOOD:
		log_info("state: %zu hops and %zu overrides are as they were %lld s ago",
			image->hop_count, image->override_count, age_s);
		break;
	case STATE_OLD:
		log_info("state: %s is %lld s old: only its %zu overrides are used", path, age_s,
			image->override_count);
		break;
	case STATE_AHEAD:
		log_warnx("state: %s is of %lld s from now: only its %zu overrides are used", path,
			age_s, image->override_count);
		break;
	case STATE_FOREIGN:
		log_warnx("state: %s is of another version: not used", path);
		break;
	case STATE_DAMAGED:
		log_warnx("state: %s is damaged, %s: not used", path, why);
		break;
	}
}

void state_restore(struct state_store *state, const char *path)
{
	struct state_image image = {.now_ms = clock_now_ms(), .wall_ms = wall_ms()};
	char error[STATE_ERROR_BYTES], why[STATE_WHY_BYTES];
	enum state_worth worth;
	int64_t age_ms;
	size_t bytes;
	char *text;

	if (*path == '\0')
		return;
	text = state_file_load(path, &bytes, error);
	if (text == NULL) {
		if (*error != '\0')
			log_warnx("state: %s: not used", error);
		return;
	}
	worth = state_read(&image, text, bytes, &age_ms, why);
	free(text);
	tell_worth(path, worth, &image, age_ms, why);
	if (worth == STATE_GOOD)
		remember(state, &image);
	force_again(state, &image);
	state_image_free(&image);
}

void state_restored(struct state_store *state)
{
	sched_relearn(state->sched, state->learned, state->learned_count);
	for (size_t i = 0; i < state->learned_count; i++)
		free((char *)state->learned[i].name);
	free(state->learned);
	state->learned = NULL;
	state->learned_count = 0;
}

static void on_latch(void *arg)
{
	state_save(arg);
}

struct state_store *state_new(struct event_base *base, struct table *table, struct sched *sched)
{
	struct state_store *state = xcalloc(1, sizeof *state);
	pthread_t thread;

	state->table = table;
	state->sched = sched;
	state->path = xstrdup("");
	state->timer = evtimer_new(base, on_timer, state);
	pthread_mutex_init(&state->writer.lock, NULL);
	pthread_cond_init(&state->writer.news, NULL);
	if (state->timer == NULL ||
		pthread_create(&thread, NULL, write_images, &state->writer) != 0)
		return NULL;
	pthread_detach(thread);
	sched_on_latch(sched, on_latch, state);
	return state;
}
