/*
 * engine - the half that probes and answers
 *
 * One event thread (libevent) runs probes, timers, the control socket and the line to the keeper; it is
 * the only writer of the table of hops.  libmilter's threads read it.  The main thread belongs to
 * libmilter.
 *
 * The process ends with everything still allocated: libmilter's workers may be in the middle of a
 * callback, and the kernel frees faster than we do.
 */
#include "engine.h"

#include "base/channel.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "broker.h"
#include "health/table.h"
#include "heartbeat.h"
#include "logs.h"
#include "ops/changes.h"
#include "ops/control.h"
#include "ops/force.h"
#include "ops/hook.h"
#include "ops/http.h"
#include "ops/http_gate.h"
#include "ops/metrics.h"
#include "ops/notify.h"
#include "ops/pulse.h"
#include "ops/reread.h"
#include "ops/state.h"
#include "probe/evidence.h"
#include "probe/sched.h"
#include "reload_report.h"
#include "vault.h"
#include "verdict/milter.h"
#include "verdict/resolver.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/thread.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

enum { DRAIN_MS = 5000, DRAIN_POLL_MS = 10, SEND_TIMEOUT_MS = 10000 };

static struct {
	struct event_base *base;
	struct table *table;
	struct sched *sched;
	struct notify *notify;
	struct hook *hook;
	struct evidence *evidence;
	struct control *control;
	struct resolver *resolver;
	struct state_store *state;
	struct force *force;
	struct rereads *rereads;
	char restart_names[128]; /* of the last reload: options that only a restart changes */
	struct event *beat_event;
	struct conf *conf; /* the options that cannot change are those of the start */
	struct event *channel_event;
	struct event *drain_event;
	struct opener *opener;
	struct keyring *keyring;
	int channel_fd;
	pid_t keeper;
	bool is_replaced;
	int64_t drain_until_ms;
	unsigned quiet_polls;
} engine;

/* end - not by exit(3): destructors of libraries are not made for threads that still run */
static _Noreturn void end(int status)
{
#ifdef __SANITIZE_ADDRESS__
	__lsan_do_leak_check();
#endif
	_exit(status);
}

static _Noreturn void give_up(int status, const char *what)
{
	log_errx("%s", what);
	end(status);
}

/* raise_limits - a connection of Postfix and a probe each need a descriptor */
static void raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* own_name - of this host, for those who are told of changes: as configured, or as Postfix calls itself */
static const char *own_name(const struct sources *sources, const struct site *site, char host[HOST_NAME_MAX + 1])
{
	struct origin origin;

	if (*sources->conf->hostname != '\0')
		return sources->conf->hostname;
	site_first_origin(site, NULL, &origin);
	if (origin.instance != NULL)
		return instance_parameter(origin.instance, "myhostname");
	host[HOST_NAME_MAX] = '\0';
	return gethostname(host, HOST_NAME_MAX) == 0 ? host : "";
}

static void apply(const struct sources *sources)
{
	char host[HOST_NAME_MAX + 1];
	struct site *site = site_new(sources->conf, sources->postconfs, sources->count);

	hook_apply(engine.hook, sources->conf->on_change, own_name(sources, site, host));
	sched_apply(engine.sched, site);
	evidence_apply(engine.evidence, site);
	state_use(engine.state, sources->conf->state);
	site_publish(site);
}

static void report(void *arg, const char *message)
{
	(void)arg;
	log_errx("%s", message);
}

/* reload - the keeper has checked it already, so a refusal here is a bug, and changes nothing */
static void reload(const char *block, size_t bytes)
{
	struct sources sources;

	if (!sources_unpack(&sources, block, bytes, report, NULL)) {
		log_errx("reload: nothing is changed");
		return;
	}
	if (conf_fixed_differences(engine.conf, sources.conf, engine.restart_names,
		    sizeof engine.restart_names) > 0)
		log_warnx("reload: a change of %s needs a restart", engine.restart_names);
	apply(&sources);
	sources_free(&sources);
	log_info("reloaded: %u hops", table_count(engine.table));
}

/* reread_done - what the keeper says of a reload that failfastctl(8) asked for */
static void reread_done(const char *block, size_t bytes)
{
	static struct reload_answer answer; /* large */

	if (!reload_report_unpack(block, bytes, &answer)) {
		log_errx("reload: the keeper's report is damaged");
		return;
	}
	const struct reread_outcome outcome = {answer.is_good, answer.line, answer.count,
		answer.is_good ? engine.restart_names : "", table_count(engine.table)};

	rereads_answered(engine.rereads, answer.number, &outcome);
}

/* ask_reread - a reread_ask_fn */
static bool ask_reread(void *arg, uint32_t number)
{
	(void)arg;
	return channel_send(engine.channel_fd, CHANNEL_REREAD, &number, sizeof number, -1, 0);
}

static void on_drain(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval poll = {0, DRAIN_POLL_MS * 1000L};

	(void)fd;
	(void)what;
	(void)arg;
	/* Twice in a row: the last answer may not be written yet when its message is counted out. */
	engine.quiet_polls = milter_open_messages() == 0 ? engine.quiet_polls + 1 : 0;
	if (engine.quiet_polls > 1 || clock_now_ms() >= engine.drain_until_ms) {
		if (!engine.is_replaced)
			sockets_remove(engine.conf);
		state_end(engine.state);
		end(EX_OK);
	}
	evtimer_add(engine.drain_event, &poll);
}

/* drain - open messages get their answer first */
static void drain(void)
{
	if (engine.drain_until_ms != 0)
		return;
	hook_stop(engine.hook);
	milter_drain();
	state_save(engine.state); /* the disk may be slow, and the time is short */
	engine.drain_until_ms = clock_now_ms() + DRAIN_MS;
	on_drain(-1, 0, NULL);
}

static void take_log(struct channel_message *message)
{
	struct maillog_opened opened;
	const char *directory = logs_answered(message, &opened);

	if (directory != NULL)
		evidence_opened(engine.evidence, directory, &opened);
}

/* take_block - a large message */
static void take_block(struct channel_message *message, void (*take)(const char *block, size_t bytes))
{
	size_t bytes;
	char *block = channel_block(message, &bytes);

	if (block != NULL)
		take(block, bytes);
	free(block);
}

static void take_message(struct channel_message *message)
{
	if (message->type == CHANNEL_RELOAD) {
		take_block(message, reload);
	} else if (message->type == CHANNEL_REREAD_DONE) {
		take_block(message, reread_done);
	} else if (message->type == CHANNEL_OPENED) {
		requests_answered(engine.opener, message);
	} else if (message->type == CHANNEL_TOLD) {
		secrets_told(engine.keyring, message);
	} else if (message->type == CHANNEL_LOG_OPENED) {
		take_log(message);
	} else if (message->type == CHANNEL_STOP) {
		drain();
	} else if (message->type == CHANNEL_DUMP) {
		notify_dump(engine.table);
	}
	if (message->fd >= 0)
		close(message->fd);
}

static void on_channel(evutil_socket_t fd, short what, void *arg)
{
	static struct channel_message message;
	enum channel_status status;

	(void)what;
	(void)arg;
	while ((status = channel_receive(fd, &message)) == CHANNEL_GOT)
		take_message(&message);
	if (status == CHANNEL_GONE) {
		/* One that lives has closed the line, and starts another engine on the same sockets. */
		engine.is_replaced = getppid() == engine.keeper;
		log_warnx("the keeper is gone: ending");
		event_del(engine.channel_event);
		drain();
	}
}

/* on_beat - tell the keeper that the event thread runs; one that is too busy to hear it will hear the next */
static void on_beat(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	(void)channel_send(engine.channel_fd, CHANNEL_ALIVE, NULL, 0, -1, 0);
}

/* on_change - a notify_fn */
static void on_change(void *arg, const struct hop_view *view, const struct hop_change *change)
{
	(void)view;
	(void)change;
	state_changed(arg);
}

/* on_forced - a force_changed_fn */
static void on_forced(void *arg)
{
	state_save(arg);
}

/* build_memory - what outlives this engine, and what the operator says */
static void build_memory(void)
{
	engine.state = state_new(engine.base, engine.table, engine.sched);
	if (engine.state == NULL)
		give_up(EX_OSERR, "cannot start to keep the state");
	notify_add(engine.notify, on_change, engine.state);
	engine.force = force_new(engine.base, engine.table, engine.sched, on_forced, engine.state);
	if (engine.force == NULL)
		give_up(EX_OSERR, "out of memory");
	engine.rereads = rereads_new(ask_reread, NULL);
}

/* new_base - what is asked by HTTP comes last: after each such answer it is looked whether mail wants something */
static struct event_base *new_base(void)
{
	static const struct timeval at_most = {0, 1000};
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config != NULL &&
		event_config_set_max_dispatch_interval(config, &at_most, -1, HTTP_PRIORITY) == 0)
		base = event_base_new_with_config(config);
	if (base != NULL && event_base_priority_init(base, HTTP_PRIORITIES) < 0) {
		event_base_free(base);
		base = NULL;
	}
	if (config != NULL)
		event_config_free(config);
	return base;
}

static void *event_thread(void *arg)
{
	(void)arg;
	(void)event_base_dispatch(engine.base);
	give_up(EX_SOFTWARE, "the event loop ended");
}

/* build_http - before anything is counted that it shows */
static void build_http(const struct sockets *sockets)
{
	struct http_parts parts = {.conf = engine.conf, .table = engine.table};

	if (sockets->http < 0)
		return;
	parts.metrics = metrics_new(engine.table, engine.sched, engine.notify);
	parts.changes = changes_new(engine.notify);
	parts.pulse = pulse_new(engine.base, engine.conf, sockets->milter);
	if (parts.pulse == NULL || http_new(engine.base, sockets->http, &parts) == NULL)
		give_up(EX_OSERR, "out of memory");
}

/* build_events - the parts of the event thread, in the order in which they need each other */
static void build_events(const struct sources *sources, const struct sockets *sockets, int hook_fd)
{
	static const struct timeval beat = {HEARTBEAT_BEAT_MS / 1000, HEARTBEAT_BEAT_MS % 1000 * 1000L};

	engine.notify = notify_new();
	engine.hook = hook_new(engine.base, hook_fd);
	if (engine.hook == NULL)
		give_up(EX_OSERR, "out of memory");
	notify_add(engine.notify, hook_change, engine.hook);
	engine.opener = requests_new(engine.channel_fd);
	engine.sched = sched_new(engine.base, engine.table, engine.opener, notify_change, engine.notify);
	engine.keyring = secrets_new(engine.channel_fd);
	if (engine.opener == NULL || engine.sched == NULL || engine.keyring == NULL)
		give_up(EX_OSERR, "cannot start to probe");
	sched_use_keyring(engine.sched, engine.keyring);
	build_http(sockets);
	engine.evidence = evidence_new(
		engine.base, engine.table, engine.sched, logs_opener(engine.channel_fd));
	engine.resolver = resolver_new(engine.base, engine.opener);
	build_memory();
	const struct control_parts parts = {.table = engine.table, .opener = engine.opener,
		.sched = engine.sched, .notify = engine.notify, .force = engine.force,
		.rereads = engine.rereads};

	engine.control = control_new(engine.base, sockets->control, &parts);
	engine.channel_event =
		event_new(engine.base, engine.channel_fd, EV_READ | EV_PERSIST, on_channel, NULL);
	engine.drain_event = evtimer_new(engine.base, on_drain, NULL);
	engine.beat_event = event_new(engine.base, -1, EV_PERSIST, on_beat, NULL);
	if (engine.resolver == NULL || engine.control == NULL || engine.channel_event == NULL ||
		engine.drain_event == NULL || event_add(engine.channel_event, NULL) < 0 ||
		engine.beat_event == NULL || event_add(engine.beat_event, &beat) < 0)
		give_up(EX_OSERR, "out of memory");
	milter_use_resolver(engine.resolver);
	state_restore(engine.state, sources->conf->state);
	force_arm(engine.force);
	apply(sources);
	state_restored(engine.state);
}

static void seed_random(void)
{
	unsigned seed;

	if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
		seed = (unsigned)getpid();
	srandom(seed);
}

_Noreturn void engine_run(const struct sources *sources, struct conf *fixed, int channel_fd,
	const struct sockets *sockets, int hook_fd)
{
	pthread_t thread;

	/* A Ctrl-C at the terminal is for the keeper, which lets us end in order. */
	(void)setpgid(0, 0);
	(void)signal(SIGPIPE, SIG_IGN);
	seed_random();
	raise_limits();
	secret_guard();
	engine.channel_fd = channel_fd;
	engine.keeper = getppid();
	engine.conf = conf_ref(fixed);
	engine.table = table_new();
	if (evthread_use_pthreads() < 0 || (engine.base = new_base()) == NULL)
		give_up(EX_OSERR, "libevent does not start");
	build_events(sources, sockets, hook_fd);
	if (pthread_create(&thread, NULL, event_thread, NULL) != 0)
		give_up(EX_OSERR, "cannot start a thread");
	(void)channel_send(channel_fd, CHANNEL_READY, NULL, 0, -1, SEND_TIMEOUT_MS);
	milter_run(engine.table);
	give_up(EX_SOFTWARE, "libmilter ended");
}
