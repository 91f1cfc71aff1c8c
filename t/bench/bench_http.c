/*
 * bench_http - how long the event thread is kept by those who look
 *
 * A table of hops, all of them probed, one in ten down; what is served by HTTP is made again and
 * again, and the median in processor time is printed.  The exit status is 1 when /metrics takes 100
 * ms or more.
 *
 * usage: t/bench/bench_http [HOPS]
 */
#include "base/clock.h"
#include "base/xmem.h"
#include "ops/metrics.h"
#include "ops/page.h"
#include "ops/status.h"

#include <event2/event.h>
#include <event2/thread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 15, LIMIT_US = 100000 };

static struct table *table;
static struct metrics *metrics;
static struct page_parts parts;

static void report(void *arg, const char *message)
{
	(void)arg;
	(void)fprintf(stderr, "%s\n", message);
}

static int64_t cpu_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* add_hop - as a configuration names it, with checks of its transport and of its server */
static void add_hop(unsigned number)
{
	static const struct machine_policy policy = {.rise = 1, .fall = 1};
	char name[HOP_NAME_BYTES];
	struct hop_settings settings = {
		.name = name, .is_probed = true, .roles = ROLE_TRANSPORT, .interval_ms = 60000};
	struct findings findings = {
		.detail = "", .latency_us = 1234, .evidence_ms = clock_now_ms()};
	struct outcome fault = {REASON_CONNECTION_REFUSED, SEVERITY_DOWN, true};
	struct hop *hop;

	(void)snprintf(
		name, sizeof name, "smtp-%u:[relay%u.customers.example.com]:587", number, number);
	hop = table_put(table, &settings, clock_now_ms());
	findings.has[CHECK_SERVICE] = findings.has[CHECK_BIND] = findings.has[CHECK_RESOLVE] =
		findings.has[CHECK_SERVER] = true;
	if (number % 10 == 0) {
		findings.outcome[CHECK_SERVER] = fault;
		findings.detail = "connect to 192.0.2.1:587: Connection refused";
	}
	table_record(table, hop, &policy, &findings);
	metrics_count_result(metrics, hop, findings.outcome[CHECK_SERVER].reason, 2345);
}

static void make_metrics(struct text *out)
{
	metrics_write(metrics, out);
}

static void make_page(struct text *out)
{
	page_write(&parts, "", out);
}

static void make_whole_page(struct text *out)
{
	page_write(&parts, "all=1", out);
}

static void make_status(struct text *out)
{
	json_t *document = status_document(table, NULL);
	char *words = json_dumps(document, JSON_INDENT(2));

	text_say(out, words);
	free(words);
	json_decref(document);
}

static int compare(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return (left > right) - (left < right);
}

/* measure - the median in microseconds */
static int64_t measure(const char *path, void (*make)(struct text *out))
{
	int64_t took_us[ROUNDS];
	size_t bytes = 0;

	for (int i = 0; i < ROUNDS; i++) {
		struct text text = {0};
		int64_t start_us = cpu_us();

		make(&text);
		took_us[i] = cpu_us() - start_us;
		bytes = text.used;
		text_free(&text);
	}
	qsort(took_us, ROUNDS, sizeof *took_us, compare);
	(void)printf("%-14s %9zu bytes, median %7.2f ms, worst %7.2f ms\n", path, bytes,
		(double)took_us[ROUNDS / 2] / 1000, (double)took_us[ROUNDS - 1] / 1000);
	return took_us[ROUNDS / 2];
}

int main(int argc, char **argv)
{
	unsigned hops = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 10000;
	FILE *fp = tmpfile();
	struct conf *conf = NULL;
	struct event_base *base = evthread_use_pthreads() == 0 ? event_base_new() : NULL;
	struct notify *notify = notify_new();
	struct sched *sched;

	if (fp != NULL && fputs("user = \"\" listen_group = \"\"\n", fp) >= 0) {
		rewind(fp);
		conf = conf_parse(fp, "bench_http", report, NULL);
	}
	table = table_new();
	sched = conf != NULL && base != NULL ? sched_new(base, table, NULL, notify_change, notify)
					     : NULL;
	if (sched == NULL)
		return EXIT_FAILURE;
	metrics = metrics_new(table, sched, notify);
	parts = (struct page_parts){table, changes_new(notify), conf};
	for (unsigned i = 0; i < hops; i++)
		add_hop(i);
	(void)printf("what is served of %u hops, %d times each\n", hops, ROUNDS);
	(void)measure("/", make_page);
	(void)measure("/?all=1", make_whole_page);
	(void)measure("/status.json", make_status);
	return measure("/metrics", make_metrics) < LIMIT_US ? EXIT_SUCCESS : EXIT_FAILURE;
}
