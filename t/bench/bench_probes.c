/*
 * bench_probes - what probes cost: processor time and memory of the probing process alone
 *
 *	bench_probes [-n HOPS] [-s SECONDS]
 *
 * The peer is another process, a server that answers at once.  First the prober by itself, ten probes in flight;
 * then the scheduler with so many learned hops at 10 s and at 5 s, for so many seconds after each was probed once.
 * Numbers depend on the machine and on what else it does: nothing here passes or fails.
 */
#include "base/clock.h"
#include "base/log.h"
#include "probe/prober.h"
#include "probe/sched.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { IN_FLIGHT = 10, PROBES = 20000, LEARN_AT_ONCE = 200 };

enum { GOAL_PROBE_US = 60, GOAL_SHARE_PERCENT = 19, GOAL_RSS_MIB = 32 };

static struct event_base *base;
static uint16_t port;
static unsigned hops = 10000, seconds = 20;

static _Noreturn void give_up(const char *what)
{
	log_err("%s", what);
	exit(EXIT_FAILURE);
}

/*
 * The peer
 */

static void on_client_event(struct bufferevent *stream, short events, void *arg)
{
	(void)events;
	(void)arg;
	bufferevent_free(stream);
}

static void on_client_line(struct bufferevent *stream, void *arg)
{
	static const char hello[] = "250-mx\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-ETRN\r\n"
				    "250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250 CHUNKING\r\n";
	static const char bye[] = "221 2.0.0 Bye\r\n";
	struct evbuffer *input = bufferevent_get_input(stream);
	char *line;

	(void)arg;
	while ((line = evbuffer_readln(input, NULL, EVBUFFER_EOL_CRLF)) != NULL) {
		bool is_quit = strcmp(line, "QUIT") == 0;

		(void)bufferevent_write(stream, is_quit ? bye : hello, (is_quit ? sizeof bye : sizeof hello) - 1);
		free(line);
	}
}

static void on_client(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from, int bytes,
	void *arg)
{
	static const char greeting[] = "220 mx.example.net ESMTP Postfix\r\n";
	struct bufferevent *stream = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);

	(void)listener;
	(void)from;
	(void)bytes;
	(void)arg;
	bufferevent_setcb(stream, on_client_line, NULL, on_client_event, NULL);
	(void)bufferevent_enable(stream, EV_READ | EV_WRITE);
	(void)bufferevent_write(stream, greeting, sizeof greeting - 1);
}

/* start_peer - at every address of 127.0.0.0/8 */
static pid_t start_peer(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t bytes = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	pid_t pid;

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, bytes) != 0 || listen(fd, 4096) != 0 ||
		getsockname(fd, (struct sockaddr *)&address, &bytes) != 0)
		give_up("socket");
	port = ntohs(address.sin_port);
	pid = fork();
	if (pid < 0)
		give_up("fork");
	if (pid > 0) {
		(void)close(fd);
		return pid;
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	base = event_base_new();
	(void)evconnlistener_new(base, on_client, NULL, LEV_OPT_CLOSE_ON_FREE, 0, fd);
	(void)event_base_dispatch(base);
	_exit(EXIT_SUCCESS);
}

/*
 * What is measured
 */

static int64_t cpu_us(void)
{
	struct rusage usage;

	(void)getrusage(RUSAGE_SELF, &usage);
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * INT64_C(1000000) + usage.ru_utime.tv_usec +
	       usage.ru_stime.tv_usec;
}

static double rss_mib(void)
{
	long pages = 0;
	FILE *fp = fopen("/proc/self/statm", "re");

	if (fp == NULL || fscanf(fp, "%*s %ld", &pages) != 1)
		pages = 0;
	if (fp != NULL)
		(void)fclose(fp);
	return (double)pages * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

static void hop_name_of(unsigned number, char name[HOP_NAME_BYTES])
{
	(void)snprintf(name, HOP_NAME_BYTES, "smtp:[127.%u.%u.%u]:%u", 1 + (number >> 16), number >> 8 & 0xff,
		number & 0xff, port);
}

/*
 * The same words by bare, blocking system calls: what this machine takes for a connection, whoever makes it
 */

/* say - send a line, if any, and wait for an answer */
static void say(int fd, const char *line, char answer[512])
{
	if (line != NULL && send(fd, line, strlen(line), 0) < 0)
		give_up("send");
	if (recv(fd, answer, 512, 0) < 0)
		give_up("recv");
}

static double measure_bare(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	int64_t before_us = cpu_us();
	char answer[512];

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (int i = 0; i < PROBES; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
			give_up("connect");
		say(fd, NULL, answer);
		say(fd, "EHLO client.example\r\n", answer);
		say(fd, "QUIT\r\n", answer);
		(void)shutdown(fd, SHUT_WR);
		say(fd, NULL, answer);
		(void)close(fd);
	}
	return (double)(cpu_us() - before_us) / PROBES;
}

/*
 * The prober alone
 */

static struct {
	struct prober *prober;
	struct probe_request request;
	unsigned started, ended, bad;
} alone;

static void on_done(void *arg, const struct probe_result *result)
{
	(void)arg;
	alone.bad += result->outcome[CHECK_SERVER].reason != REASON_NONE;
}

static void on_released(void *arg)
{
	(void)arg;
	alone.ended++;
	if (alone.started < PROBES &&
		prober_start(alone.prober, &alone.request, on_done, on_released, NULL) != NULL)
		alone.started++;
	if (alone.ended == PROBES)
		(void)event_base_loopbreak(base);
}

static void measure_prober(void)
{
	int64_t before_us, start_us = clock_now_us(), used_us;
	char name[HOP_NAME_BYTES];
	const char *why;

	hop_name_of(1, name);
	alone.request = (struct probe_request){.depth = DEPTH_HELLO,
		.connect_timeout_ms = 5000,
		.reply_timeout_ms = 10000,
		.slow_ms = 5000,
		.helo = "client.example",
		.use_ipv4 = true};
	(void)hop_parse_nexthop(strchr(name, ':') + 1, PROTOCOL_SMTP, 25, &alone.request.target, &why);
	alone.prober = prober_new(base, NULL);
	if (alone.prober == NULL)
		give_up("prober");
	before_us = cpu_us();
	for (int i = 0; i < IN_FLIGHT; i++) {
		(void)prober_start(alone.prober, &alone.request, on_done, on_released, NULL);
		alone.started++;
	}
	(void)event_base_dispatch(base);
	used_us = cpu_us() - before_us;
	(void)printf("one probe, greeting, EHLO and QUIT, %d in flight: %.1f us of processor time (goal: at most %d)\n",
		IN_FLIGHT, (double)used_us / PROBES, GOAL_PROBE_US);
	(void)printf("    the same words by bare system calls: %.1f us\n", measure_bare());
	(void)printf("    %d probes in %.1f s, %u bad\n", PROBES, (double)(clock_now_us() - start_us) / 1e6,
		alone.bad);
	prober_free(alone.prober);
}

/*
 * The scheduler
 */

static void on_change(void *arg, const struct hop_view *view, const struct hop_change *change)
{
	(void)arg;
	(void)view;
	(void)change;
}

static void report(void *arg, const char *message)
{
	(void)arg;
	log_errx("%s", message);
}

static void run_for(int64_t ms)
{
	struct timeval limit = {ms / 1000, ms % 1000 * 1000};

	(void)event_base_loopexit(base, &limit);
	(void)event_base_dispatch(base);
}

static struct site *make_site(unsigned interval_s)
{
	char text[256];
	struct conf *conf;
	struct site *site;
	FILE *fp;

	(void)snprintf(text, sizeof text,
		"user = \"\"\nlisten_group = \"\"\nmax_hops = 1000000\nprobe { interval = %us }\n", interval_s);
	fp = fmemopen(text, strlen(text), "r");
	conf = fp != NULL ? conf_parse(fp, "bench", report, NULL) : NULL;
	if (conf == NULL)
		give_up("configuration");
	(void)fclose(fp);
	site = site_new(conf, NULL, 0);
	conf_unref(conf);
	return site;
}

struct count {
	struct table *table;
	unsigned up;
};

static void count_up(void *arg, struct hop *hop)
{
	struct count *count = arg;
	struct hop_view view;

	table_view(count->table, hop, clock_now_ms(), &view);
	count->up += view.state == STATE_UP;
}

static unsigned hops_up(struct table *table)
{
	struct count count = {table, 0};

	table_each(table, count_up, &count);
	return count.up;
}

static void learn_all(struct table *table)
{
	char name[HOP_NAME_BYTES];

	for (unsigned i = 1; i <= hops; i++) {
		hop_name_of(i, name);
		table_learn(table, name, ROLE_TRANSPORT);
		if (i % LEARN_AT_ONCE == 0 || i == hops)
			run_for(1);
	}
	while (hops_up(table) < hops)
		run_for(100);
}

static void measure_sched(unsigned interval_s)
{
	struct table *table = table_new();
	struct sched *sched = sched_new(base, table, NULL, on_change, NULL);
	struct site *site = make_site(interval_s);
	int64_t before_us, start_us;
	double share;

	if (sched == NULL)
		give_up("scheduler");
	sched_apply(sched, site);
	site_unref(site);
	learn_all(table);
	before_us = cpu_us();
	start_us = clock_now_us();
	run_for(seconds * INT64_C(1000));
	share = 100.0 * (double)(cpu_us() - before_us) / (double)(clock_now_us() - start_us);
	(void)printf("%u hops at %u s: %.1f %% of a core", hops, interval_s, share);
	if (interval_s == 5)
		(void)printf(" (goal for 10000: at most %d %%)", GOAL_SHARE_PERCENT);
	(void)printf(", %.1f us a probe, %.1f MiB resident (goal: at most %d), %u up\n",
		share * 10000.0 * interval_s / hops, rss_mib(), GOAL_RSS_MIB, hops_up(table));
	sched_free(sched);
	table_free(table);
}

int main(int argc, char **argv)
{
	pid_t peer;
	int option;

	while ((option = getopt(argc, argv, "n:s:")) != -1) {
		if (option == 'n')
			hops = (unsigned)strtoul(optarg, NULL, 10);
		else if (option == 's')
			seconds = (unsigned)strtoul(optarg, NULL, 10);
		else
			return EXIT_FAILURE;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	peer = start_peer();
	base = event_base_new();
	measure_prober();
	measure_sched(10);
	measure_sched(5);
	(void)kill(peer, SIGTERM);
	(void)waitpid(peer, NULL, 0);
	event_base_free(base);
	return EXIT_SUCCESS;
}
