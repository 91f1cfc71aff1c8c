/*
 * bench_probes - what probes cost: processor time and memory of the probing process alone
 *
 *	bench_probes [-n HOPS] [-p PROBES] [-r ROUNDS] [-s ROUNDS]
 *
 * The peer is another process, a server that answers at once (smtp_peer.c).  First the prober by itself, ten probes in
 * flight, in turns with two programs that say the same words: a bare libevent loop (smtp_floor.c), which is as little as
 * a probe can cost, and blocking system calls; -r rounds of -p probes.  Then the scheduler with -n learned hops at 10 s
 * and at 5 s, each once before it is measured, for -s intervals; at the same time the bare loop talks to as many servers
 * at the same pace in another process.  Numbers depend on the machine and on what else it does: nothing here passes or
 * fails, the goal is printed beside what was measured.
 */
#include "base/clock.h"
#include "base/log.h"
#include "probe/prober.h"
#include "probe/sched.h"
#include "rounds.h"
#include "smtp_floor.h"
#include "smtp_peer.h"

#include <arpa/inet.h>
#include <event2/thread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { IN_FLIGHT = 10, TARGETS = SMTP_FLOOR_ADDRESSES, LEARN_AT_ONCE = 200 };

enum { GOAL_PROBE_US = 60, GOAL_INTERVAL_S = 5, GOAL_SHARE_PERCENT = 19, GOAL_RSS_MIB = 32 };

static struct event_base *base;
static struct smtp_peer peer; /* of this process */
static unsigned hops = 10000, probes = 1000, rounds = 31, intervals = 5;

static _Noreturn void give_up(const char *what)
{
	log_err("%s", what);
	exit(EXIT_FAILURE);
}

static const char *verdict(double measured, double goal)
{
	return measured <= goal ? "met" : "missed";
}

/*
 * What is measured
 */

/* cpu_us - of this process, which has one thread */
static int64_t cpu_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
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
	struct in_addr address = {smtp_floor_address(number)};
	char text[INET_ADDRSTRLEN] = "";

	(void)inet_ntop(AF_INET, &address, text, sizeof text);
	(void)snprintf(name, HOP_NAME_BYTES, "smtp:[%s]:%u", text, peer.port);
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

static void run_bare(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(peer.port)};
	char answer[512];

	for (unsigned i = 0; i < probes; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		to.sin_addr.s_addr = smtp_floor_address(i % TARGETS);
		if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
			give_up("connect");
		say(fd, NULL, answer);
		say(fd, "EHLO client.example\r\n", answer);
		say(fd, "QUIT\r\n", answer);
		(void)close(fd);
	}
}

static void run_floor(void)
{
	smtp_floor_run(base, peer.port, probes, IN_FLIGHT);
}

/*
 * The prober alone
 */

static struct {
	struct prober *prober;
	struct probe_request request;
	struct hop_target target[TARGETS];
	unsigned started, ended, bad;
} alone;

static void on_released(void *arg);

static void on_done(void *arg, const struct probe_result *result)
{
	(void)arg;
	alone.bad += result->outcome[CHECK_SERVER].reason != REASON_NONE;
}

static void start_probe(void)
{
	alone.request.target = alone.target[alone.started++ % TARGETS];
	if (prober_start(alone.prober, &alone.request, on_done, on_released, NULL) == NULL)
		give_up("probe");
}

static void on_released(void *arg)
{
	(void)arg;
	alone.ended++;
	if (alone.started < probes)
		start_probe();
	if (alone.ended == probes)
		(void)event_base_loopbreak(base);
}

static void run_prober(void)
{
	alone.started = alone.ended = 0;
	for (unsigned i = 0; i < IN_FLIGHT && i < probes; i++)
		start_probe();
	(void)event_base_dispatch(base);
}

static void prepare_prober(void)
{
	char name[HOP_NAME_BYTES];
	const char *why;

	alone.request = (struct probe_request){.depth = DEPTH_HELLO,
		.connect_timeout_ms = 5000,
		.reply_timeout_ms = 10000,
		.slow_ms = 5000,
		.helo = "client.example",
		.use_ipv4 = true};
	for (unsigned i = 0; i < TARGETS; i++) {
		hop_name_of(i, name);
		(void)hop_parse_nexthop(strchr(name, ':') + 1, PROTOCOL_SMTP, 25, &alone.target[i], &why);
	}
	alone.prober = prober_new(base, NULL);
	if (alone.prober == NULL)
		give_up("prober");
}

static double us_a_probe(void (*run)(void))
{
	int64_t before_us = cpu_us();

	run();
	return (double)(cpu_us() - before_us) / probes;
}

static void measure_prober(void)
{
	struct rounds ours = {.count = 0}, floor = {.count = 0}, bare = {.count = 0}, ratio;
	char text[ROUNDS_TEXT_BYTES];

	prepare_prober();
	run_prober(); /* what is done once, and memory */
	for (unsigned i = 0; i < rounds; i++) {
		rounds_add(&ours, us_a_probe(run_prober));
		rounds_add(&floor, us_a_probe(run_floor));
		rounds_add(&bare, us_a_probe(run_bare));
	}
	prober_free(alone.prober);
	ratio = rounds_ratio(&ours, &floor);
	(void)printf("one probe, greeting, EHLO and QUIT, %d in flight, %u rounds of %u: median (range) of processor time\n",
		IN_FLIGHT, rounds, probes);
	(void)printf("    a probe                    %s us, goal: at most %d: %s\n", rounds_text(text, &ours, 1),
		GOAL_PROBE_US, verdict(rounds_median(&ours), GOAL_PROBE_US));
	(void)printf("    bare libevent loop         %s us\n", rounds_text(text, &floor, 1));
	(void)printf("    blocking system calls      %s us\n", rounds_text(text, &bare, 1));
	(void)printf("    probe : bare libevent loop %s\n", rounds_text(text, &ratio, 2));
	if (alone.bad > 0)
		(void)printf("    %u probes found a fault where there is none\n", alone.bad);
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

/* What the rounds of one program came to. */
struct shares {
	struct rounds percent; /* of a core */
	struct rounds each_us; /* a probe, or a conversation */
};

static void add_round(struct shares *shares, int64_t ms)
{
	int64_t start_us = clock_now_us(), used_us = cpu_us();
	uint64_t served = *peer.served;

	run_for(ms);
	used_us = cpu_us() - used_us;
	served = *peer.served - served;
	rounds_add(&shares->percent, 100.0 * (double)used_us / (double)(clock_now_us() - start_us));
	rounds_add(&shares->each_us, served > 0 ? (double)used_us / (double)served : 0);
}

/* start_floor - in another process with another peer; its rounds come to *shares, which both have */
static pid_t start_floor(int64_t interval_ms, struct shares *shares)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	smtp_peer_start(&peer);
	base = event_base_new(); /* the other one is the parent's */
	smtp_floor_pace(base, peer.port, hops, interval_ms);
	run_for(interval_ms);
	for (unsigned i = 0; i < intervals; i++)
		add_round(shares, interval_ms);
	smtp_peer_stop(&peer);
	_exit(EXIT_SUCCESS);
}

static void print_shares(unsigned interval_s, const struct shares *ours, const struct shares *floor)
{
	struct rounds ratio = rounds_ratio(&ours->each_us, &floor->each_us);
	char text[ROUNDS_TEXT_BYTES];
	double rss = rss_mib();

	(void)printf("    processor time             %s %% of a core", rounds_text(text, &ours->percent, 1));
	if (interval_s == GOAL_INTERVAL_S)
		(void)printf(", goal for 10000: at most %d: %s", GOAL_SHARE_PERCENT,
			verdict(rounds_median(&ours->percent), GOAL_SHARE_PERCENT));
	(void)printf("\n    bare libevent loop         %s %%\n", rounds_text(text, &floor->percent, 1));
	(void)printf("    a probe                    %s us\n", rounds_text(text, &ours->each_us, 1));
	(void)printf("    bare libevent loop         %s us\n", rounds_text(text, &floor->each_us, 1));
	(void)printf("    probe : bare libevent loop %s\n", rounds_text(text, &ratio, 2));
	(void)printf("    resident                   %.1f MiB, goal for 10000: at most %d: %s\n", rss, GOAL_RSS_MIB,
		verdict(rss, GOAL_RSS_MIB));
}

static void measure_sched(unsigned interval_s)
{
	const int64_t interval_ms = interval_s * INT64_C(1000);
	struct shares ours = {.percent = {.count = 0}};
	struct shares *floor = mmap(NULL, sizeof *floor, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child = floor != MAP_FAILED ? start_floor(interval_ms, floor) : -1;
	struct table *table = table_new();
	struct sched *sched = sched_new(base, table, NULL, on_change, NULL);
	struct site *site = make_site(interval_s);

	if (sched == NULL || child < 0)
		give_up("scheduler");
	sched_apply(sched, site);
	site_unref(site);
	learn_all(table);
	for (unsigned i = 0; i < intervals; i++)
		add_round(&ours, interval_ms);
	(void)waitpid(child, NULL, 0);
	(void)printf("%u hops at %u s, %u rounds of %u s, %u up: median (range)\n", hops, interval_s, intervals,
		interval_s, hops_up(table));
	print_shares(interval_s, &ours, floor);
	sched_free(sched);
	table_free(table);
	(void)munmap(floor, sizeof *floor);
}

static unsigned *option_of(int option)
{
	switch (option) {
	case 'n':
		return &hops;
	case 'p':
		return &probes;
	case 'r':
		return &rounds;
	case 's':
		return &intervals;
	default:
		exit(EXIT_FAILURE);
	}
}

int main(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "n:p:r:s:")) != -1)
		*option_of(option) = (unsigned)strtoul(optarg, NULL, 10);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	smtp_peer_start(&peer);
	/* As in the engine, whose other threads wake the loop. */
	if (evthread_use_pthreads() < 0 || (base = event_base_new()) == NULL)
		give_up("libevent");
	measure_prober();
	measure_sched(10);
	measure_sched(GOAL_INTERVAL_S);
	smtp_peer_stop(&peer);
	event_base_free(base);
	return EXIT_SUCCESS;
}
