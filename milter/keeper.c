/*
 * keeper - the half that starts, watches and ends the engine
 *
 * One thread, one poll(2): signals (libmilter owns those of its own process), the line to the engine, and
 * inotify(7) on Postfix's configuration directories.  It reads files and runs postconf(1), which the
 * engine may not be allowed to, and touches nothing that comes from mail.
 *
 * Root opens the sockets, then the keeper becomes Postfix's mail_owner (privilege.h).  It never accepts on them, but
 * keeps them for the next engine.
 */
#include "keeper.h"

#include "base/channel.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/xmem.h"
#include "broker.h"
#include "engine.h"
#include "hooks.h"
#include "logs.h"
#include "privilege.h"
#include "heartbeat.h"
#include "reload_report.h"
#include "service_manager.h"
#include "sockets.h"
#include "state_directory.h"
#include "vault.h"
#include "watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

enum {
	SETTLE_MS = 200,	 /* an editor writes more than once */
	SEND_TIMEOUT_MS = 10000, /* an engine that takes no message for so long is stuck */
	CHANNEL_TURN_MS = 100,
	STOP_MS = 8000,		 /* the engine takes 5 s at most, and 2 to keep its state */
	BACKOFF_FIRST_MS = 100,	 /* after a crash */
	BACKOFF_MAX_MS = 2000,	 /* sessions that begin meanwhile wait for us */
	HEALTHY_MS = 60000,	 /* an engine that lived so long starts over with the first */
};

struct keeper {
	struct sources sources;
	struct conf *fixed; /* of the first start */
	struct privilege privilege;
	struct sockets sockets;
	struct hooks hooks;
	pid_t engine; /* 0: not running */
	int channel;  /* -1: none */
	struct broker *broker;
	struct vault *vault;
	int signals;
	int own_fd; /* of no process that we fork */
	struct watch *watch;
	int64_t poll_ms;    /* when to look at the files of tables */
	int64_t reread_ms;  /* when to read Postfix's configuration again, 0: not */
	int64_t restart_ms; /* when to start the engine again, 0: not */
	int64_t kill_ms;    /* when to end the engine by force, 0: not */
	int64_t manager_ms; /* when to tell the service manager that we are alive, 0: not */
	int64_t manager_interval_ms;
	int64_t started_ms;
	struct heartbeat heartbeat;
	int64_t backoff_ms;
	bool is_stopping;
	bool was_ready;
	int exit_status;
	keeper_ready_fn *ready;
	void *arg;
};

/* open_signals - the engine inherits the blocked set: libmilter waits for some of them itself */
static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* start_engine - false when the system does not let us fork */
static bool start_engine(struct keeper *keeper)
{
	int fds[2];

	keeper->restart_ms = 0;
	if (!channel_pair(fds)) {
		log_err("socketpair");
		return false;
	}
	keeper->engine = fork();
	if (keeper->engine == 0) {
		sigset_t children;

		sigemptyset(&children);
		sigaddset(&children, SIGCHLD);
		sigprocmask(SIG_UNBLOCK, &children, NULL);
		close(fds[0]);
		close(keeper->signals);
		if (keeper->own_fd >= 0)
			close(keeper->own_fd);
		watch_free(keeper->watch);
		hooks_leave(&keeper->hooks);
		if (!privilege_become_engine(&keeper->privilege))
			_exit(EX_OSERR);
		engine_run(&keeper->sources, keeper->fixed, fds[1], &keeper->sockets,
			keeper->hooks.requests);
	}
	close(fds[1]);
	if (keeper->engine < 0) {
		log_err("fork");
		keeper->engine = 0;
		close(fds[0]);
		return false;
	}
	keeper->channel = fds[0];
	keeper->started_ms = clock_now_ms();
	heartbeat_start(&keeper->heartbeat, keeper->started_ms);
	return true;
}

/* report - what is wrong with a configuration; arg: who else wants to know, NULL: nobody */
static void report(void *arg, const char *message)
{
	log_errx("%s", message);
	if (arg != NULL)
		reload_report_add(arg, message);
}

static void close_channel(struct keeper *keeper)
{
	if (keeper->channel >= 0)
		close(keeper->channel);
	keeper->channel = -1;
}

/* take_over - what was read is in force from now on */
static void take_over(struct keeper *keeper, struct sources *fresh)
{
	size_t bytes;
	char *block;

	sources_free(&keeper->sources);
	keeper->sources = *fresh;
	watch_update(keeper->watch, &keeper->sources);
	broker_learn(keeper->broker, &keeper->sources);
	vault_learn(keeper->vault, &keeper->sources);
	block = sources_pack(&keeper->sources, &bytes);
	if (keeper->channel >= 0 && !channel_send_block(keeper->channel, CHANNEL_RELOAD, block,
					    bytes, SEND_TIMEOUT_MS)) {
		/* It would go on with what is not true any more: end it and start it again. */
		log_err("reload: the engine does not listen");
		close_channel(keeper);
	}
	free(block);
}

/* reload - read all of it again; an error anywhere changes nothing, and is told in wrong, too (NULL: nobody asks) */
static bool reload(struct keeper *keeper, const char *why, struct reload_report *wrong)
{
	struct sources fresh;
	bool is_good;

	keeper->reread_ms = 0;
	log_info("reload: %s", why);
	service_manager_reloading();
	is_good = sources_read(&fresh, keeper->sources.filename, report, wrong);
	if (is_good && !hooks_learn(&keeper->hooks, fresh.conf)) {
		report(wrong, "on_change cannot be changed now");
		sources_free(&fresh);
		is_good = false;
	}
	if (is_good)
		take_over(keeper, &fresh);
	else
		log_errx("reload: the configuration in use stays as it is");
	service_manager_ready();
	return is_good;
}

/* reload_and_tell - failfastctl(8) wants to know what comes of it */
static void reload_and_tell(struct keeper *keeper, const struct channel_message *request)
{
	struct reload_report wrong = {0};
	uint32_t number;
	bool is_good;
	size_t bytes;
	char *block;

	if (request->bytes != sizeof number)
		return;
	memcpy(&number, request->payload, sizeof number);
	is_good = reload(keeper, "failfastctl", &wrong);
	block = reload_report_pack(&wrong, number, is_good, &bytes);
	if (keeper->channel >= 0 &&
		!channel_send_block(keeper->channel, CHANNEL_REREAD_DONE, block, bytes, SEND_TIMEOUT_MS))
		log_err("reload: the engine does not listen");
	free(block);
	reload_report_free(&wrong);
}

static void stop(struct keeper *keeper)
{
	if (keeper->is_stopping)
		return;
	keeper->is_stopping = true;
	service_manager_stopping();
	keeper->restart_ms = 0;
	keeper->kill_ms = clock_now_ms() + STOP_MS;
	if (keeper->channel >= 0)
		(void)channel_send(keeper->channel, CHANNEL_STOP, NULL, 0, -1, SEND_TIMEOUT_MS);
}

/* kill_engine - it is another user's process: only a child that becomes that user may */
static void kill_engine(const struct keeper *keeper)
{
	if (fork() != 0)
		return;
	if (privilege_become_engine(&keeper->privilege))
		(void)kill(keeper->engine, SIGKILL);
	_exit(EX_OK);
}

/* engine_ended - one that never was ready ends us, too: it has said why */
static void engine_ended(struct keeper *keeper, int status)
{
	int64_t now_ms = clock_now_ms();

	keeper->engine = 0;
	keeper->kill_ms = 0;
	close_channel(keeper);
	if (keeper->is_stopping)
		return;
	if (!keeper->was_ready) {
		keeper->is_stopping = true;
		keeper->exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
		return;
	}
	if (now_ms - keeper->started_ms >= HEALTHY_MS)
		keeper->backoff_ms = BACKOFF_FIRST_MS;
	if (WIFSIGNALED(status))
		log_errx("the engine was killed by signal %d: starting it again in %lld ms",
			WTERMSIG(status), (long long)keeper->backoff_ms);
	else
		log_errx("the engine ended with status %d: starting it again in %lld ms",
			WEXITSTATUS(status), (long long)keeper->backoff_ms);
	keeper->restart_ms = now_ms + keeper->backoff_ms;
	keeper->backoff_ms *= 2;
	if (keeper->backoff_ms > BACKOFF_MAX_MS)
		keeper->backoff_ms = BACKOFF_MAX_MS;
}

static void take_signals(struct keeper *keeper)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	while (read(keeper->signals, &info, sizeof info) == (ssize_t)sizeof info) {
		if (info.ssi_signo == SIGHUP)
			(void)reload(keeper, "SIGHUP", NULL);
		else if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
			stop(keeper);
		else if (info.ssi_signo == SIGUSR1 && keeper->channel >= 0)
			(void)channel_send(keeper->channel, CHANNEL_DUMP, NULL, 0, -1, 0);
	}
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == keeper->engine)
			engine_ended(keeper, status);
}

static void take_message(struct keeper *keeper, struct channel_message *message)
{
	if (message->fd >= 0)
		close(message->fd); /* the engine has none to give */
	if (message->type == CHANNEL_OPEN) {
		if (!broker_answer(keeper->broker, keeper->channel, message))
			close_channel(keeper);
	} else if (message->type == CHANNEL_ASK) {
		if (!vault_answer(keeper->vault, keeper->channel, message))
			close_channel(keeper);
	} else if (message->type == CHANNEL_LOG) {
		if (!logs_answer(&keeper->sources, keeper->channel, message))
			close_channel(keeper);
	} else if (message->type == CHANNEL_ALIVE) {
		heartbeat_beat(&keeper->heartbeat);
	} else if (message->type == CHANNEL_REREAD) {
		reload_and_tell(keeper, message);
	} else if (message->type == CHANNEL_READY) {
		if (!keeper->was_ready)
			keeper->ready(keeper->arg);
		keeper->was_ready = true;
		log_info("ready: listening on %s", keeper->fixed->listen);
	}
}

/* take_channel - what is there, but signals and timers do not wait for all of it: a table may take its time to answer */
static void take_channel(struct keeper *keeper)
{
	static struct channel_message message;
	const int64_t until_ms = clock_now_ms() + CHANNEL_TURN_MS;
	enum channel_status status = CHANNEL_NOTHING;

	while (keeper->channel >= 0 && clock_now_ms() < until_ms &&
		(status = channel_receive(keeper->channel, &message)) == CHANNEL_GOT)
		take_message(keeper, &message);
	if (status == CHANNEL_GONE)
		close_channel(keeper); /* SIGCHLD tells the rest */
}

/* next_timeout - milliseconds for poll(2) until the nearest of our times, -1: none */
static int next_timeout(const struct keeper *keeper, int64_t now_ms)
{
	const int64_t times[] = {
		keeper->poll_ms, keeper->reread_ms, keeper->restart_ms, keeper->kill_ms, keeper->manager_ms,
		keeper->engine != 0 ? keeper->heartbeat.tick_ms : 0};
	int64_t nearest = 0;

	for (size_t i = 0; i < sizeof times / sizeof *times; i++)
		if (times[i] != 0 && (nearest == 0 || times[i] < nearest))
			nearest = times[i];
	if (nearest == 0)
		return -1;
	return nearest > now_ms ? (int)(nearest - now_ms) : 0;
}

static bool is_due(int64_t when_ms, int64_t now_ms)
{
	return when_ms != 0 && when_ms <= now_ms;
}

/* watch_engine - one that hangs answers nobody, and keeps the sockets from another one */
static void watch_engine(struct keeper *keeper, int64_t now_ms)
{
	if (keeper->engine != 0 && is_due(keeper->heartbeat.tick_ms, now_ms) && heartbeat_tick(&keeper->heartbeat, now_ms)) {
		log_errx("the engine does not say any more that it is alive: killing it");
		kill_engine(keeper);
	}
	if (!is_due(keeper->manager_ms, now_ms))
		return;
	/* When it has come to itself, or another one has taken its place, that is to be told in time. */
	if (keeper->engine != 0 && heartbeat_is_weak(&keeper->heartbeat)) {
		keeper->manager_ms = now_ms + HEARTBEAT_TICK_MS;
		return;
	}
	keeper->manager_ms = now_ms + keeper->manager_interval_ms;
	service_manager_alive();
}

static void run_timers(struct keeper *keeper, int64_t now_ms)
{
	if (is_due(keeper->poll_ms, now_ms)) {
		keeper->poll_ms = now_ms + WATCH_POLL_MS;
		if (watch_poll(keeper->watch))
			keeper->reread_ms = now_ms + SETTLE_MS;
	}
	if (is_due(keeper->reread_ms, now_ms))
		(void)reload(keeper, "Postfix's configuration has changed", NULL);
	if (is_due(keeper->restart_ms, now_ms) && !start_engine(keeper))
		keeper->restart_ms = now_ms + BACKOFF_MAX_MS;
	if (is_due(keeper->kill_ms, now_ms) && keeper->engine != 0) {
		log_errx("the engine does not end: killing it");
		kill_engine(keeper);
		keeper->kill_ms = 0;
	}
	watch_engine(keeper, now_ms);
}

static void loop(struct keeper *keeper)
{
	while (!keeper->is_stopping || keeper->engine != 0) {
		struct pollfd fds[3] = {{keeper->signals, POLLIN, 0},
			{watch_fd(keeper->watch), POLLIN, 0}, {keeper->channel, POLLIN, 0}};

		if (poll(fds, 3, next_timeout(keeper, clock_now_ms())) < 0 && errno != EINTR) {
			log_err("poll");
			return;
		}
		if (fds[2].revents != 0)
			take_channel(keeper);
		if (fds[0].revents != 0)
			take_signals(keeper);
		if (fds[1].revents != 0 && watch_take(keeper->watch))
			keeper->reread_ms = clock_now_ms() + SETTLE_MS;
		run_timers(keeper, clock_now_ms());
	}
}

/* check_access - what root could read, its successor may not: then a reload would not, either */
static void check_access(const char *path)
{
	if (access(path, R_OK) < 0 && errno == EACCES)
		log_warn("%s: not readable for Postfix's mail_owner, a reload will miss it", path);
}

static void check_sources(const struct sources *sources)
{
	check_access(sources->filename);
	for (size_t i = 0; i < sources->count; i++) {
		const struct postconf *postconf = &sources->postconfs[i];

		check_access(postconf->directory);
		for (size_t f = 0; f < postconf->file_count; f++)
			check_access(postconf->files[f]);
	}
}

struct keeper *keeper_new(struct sources *sources, int *status)
{
	struct keeper *keeper = xcalloc(1, sizeof *keeper);

	*keeper = (struct keeper){.sources = *sources,
		.fixed = conf_ref(sources->conf),
		.sockets = {-1, -1, -1},
		.hooks = {-1, -1},
		.channel = -1,
		.backoff_ms = BACKOFF_FIRST_MS,
		.poll_ms = clock_now_ms() + WATCH_POLL_MS};
	keeper->manager_interval_ms = service_manager_interval_ms();
	keeper->manager_ms = keeper->manager_interval_ms > 0 ? clock_now_ms() : 0;
	keeper->signals = open_signals();
	keeper->watch = watch_new();
	keeper->broker = broker_new();
	keeper->vault = vault_new();
	*status = EX_OK;
	if (keeper->signals < 0 || keeper->watch == NULL) {
		log_err("cannot watch signals and files");
		*status = EX_OSERR;
	} else if (!privilege_find(sources, &keeper->privilege)) {
		*status = EX_CONFIG;
	} else if (!sockets_open(keeper->fixed, &keeper->privilege, &keeper->sockets)) {
		*status = EX_UNAVAILABLE;
	}
	if (*status == EX_OK)
		return keeper;
	keeper_free(keeper);
	return NULL;
}

void keeper_free(struct keeper *keeper)
{
	conf_unref(keeper->fixed);
	if (keeper->watch != NULL)
		watch_free(keeper->watch);
	broker_free(keeper->broker);
	vault_free(keeper->vault);
	if (keeper->signals >= 0)
		close(keeper->signals);
	sockets_close(&keeper->sockets);
	sources_free(&keeper->sources);
	free(keeper);
}

int keeper_run(struct keeper *keeper, int own_fd, keeper_ready_fn *ready, void *arg)
{
	keeper->own_fd = own_fd;
	keeper->ready = ready;
	keeper->arg = arg;
	keeper->exit_status = EX_OSERR;
	state_directory_make(keeper->fixed, &keeper->privilege);
	if (hooks_start(&keeper->hooks, &keeper->privilege) &&
		privilege_become_keeper(&keeper->privilege)) {
		(void)hooks_learn(&keeper->hooks, keeper->sources.conf);
		if (keeper->privilege.is_root)
			check_sources(&keeper->sources);
		watch_update(keeper->watch, &keeper->sources);
		broker_learn(keeper->broker, &keeper->sources);
		vault_learn(keeper->vault, &keeper->sources);
		secret_guard();
		if (start_engine(keeper)) {
			keeper->exit_status = EX_OK;
			loop(keeper);
			hooks_leave(&keeper->hooks);
		}
	}
	sockets_remove(keeper->fixed);
	return keeper->exit_status;
}
