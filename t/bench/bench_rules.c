/*
 * bench_rules - how long a rule file takes to decide
 *
 * Files of a thousand rules as big sites have them: one rule for each customer, told apart by a sender's domain, a
 * recipient's, a transport or a network, and a file of all kinds with patterns of every form.  Each is asked about
 * the client of a random rule, and about one that no rule is for; the median, the 99th percentile and the worst of a
 * decision are printed.  The exit status is 1 when a median is above 5 microseconds.
 *
 * usage: t/bench/bench_rules [RULES]
 */
#include "base/xmem.h"
#include "verdict/policy.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DECISIONS = 20000, NS_PER_S = 1000000000, LIMIT_NS = 5000, TEXT_BYTES = 128 };

/* A decision to make. */
struct question {
	char hop[TEXT_BYTES], sender[TEXT_BYTES], recipient[TEXT_BYTES];
	struct client client;
};

/* A kind of rule file: what rule number n says, and what is asked to meet it. */
struct kind {
	const char *name;
	void (*write)(FILE *fp, unsigned n);
	void (*ask)(struct question *question, unsigned n);
};

static void report(void *arg, const char *message)
{
	(void)arg;
	(void)fprintf(stderr, "%s\n", message);
}

static void write_sender(FILE *fp, unsigned n)
{
	(void)fprintf(fp, "rule r%u { sender = \"*@customer%u.example\" action = tag }\n", n, n);
}

static void ask_sender(struct question *question, unsigned n)
{
	(void)snprintf(question->sender, TEXT_BYTES, "someone.or.other@customer%u.example", n);
}

static void write_recipient(FILE *fp, unsigned n)
{
	(void)fprintf(fp, "rule r%u { recipient = {\"user%u@example.com\", \"*@customer%u.example\"} }\n", n, n, n);
}

static void ask_recipient(struct question *question, unsigned n)
{
	(void)snprintf(question->recipient, TEXT_BYTES, "someone.or.other@customer%u.example", n);
}

static void write_hop(FILE *fp, unsigned n)
{
	(void)fprintf(fp, "rule r%u { hop = \"smtp-customer%u:*\" action = hold }\n", n, n);
}

static void ask_hop(struct question *question, unsigned n)
{
	(void)snprintf(question->hop, TEXT_BYTES, "smtp-customer%u:[relay.example.net]:587", n);
}

static void write_network(FILE *fp, unsigned n)
{
	(void)fprintf(fp, "rule r%u { client = {\"10.%u.%u.0/24\", \"2001:db8:%x::/48\"} }\n", n, n / 256 % 256,
		n % 256, n % 65536);
}

static void ask_network(struct question *question, unsigned n)
{
	char address[TEXT_BYTES];

	(void)snprintf(address, sizeof address, "10.%u.%u.77", n / 256 % 256, n % 256);
	question->client.has_address = cidr_parse(address, &question->client.address);
}

static void write_mixed(FILE *fp, unsigned n)
{
	switch (n % 5) {
	case 0:
		write_sender(fp, n);
		break;
	case 1:
		write_recipient(fp, n);
		break;
	case 2:
		write_hop(fp, n);
		break;
	case 3:
		write_network(fp, n);
		break;
	default:
		(void)fprintf(fp,
			"rule r%u { role = relayhost reason = \"connection-*\" client = {other, mynetworks}\n"
			" sender = \"sales-*@customer%u.*\" recipient = \"*-%u@*\" after = 5m for_at_most = 4h }\n",
			n, n, n);
	}
}

static void ask_mixed(struct question *question, unsigned n)
{
	static void (*const ask[])(struct question *, unsigned) = {
		ask_sender, ask_recipient, ask_hop, ask_network, ask_sender};

	ask[n % 5](question, n);
}

static const struct kind kinds[] = {
	{"sender", write_sender, ask_sender},
	{"recipient", write_recipient, ask_recipient},
	{"hop", write_hop, ask_hop},
	{"network", write_network, ask_network},
	{"mixed", write_mixed, ask_mixed},
};

static struct conf *make_conf(const struct kind *kind, unsigned rules)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *fp = open_memstream(&text, &bytes);
	struct conf *conf;

	(void)fputs("user = \"\"\nlisten_group = \"\"\n", fp);
	for (unsigned n = 0; n < rules; n++)
		kind->write(fp, n);
	(void)fclose(fp);
	fp = fmemopen(text, bytes, "r");
	conf = conf_parse(fp, kind->name, report, NULL);
	(void)fclose(fp);
	free(text);
	if (conf == NULL)
		exit(EXIT_FAILURE);
	return conf;
}

static int64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	int64_t one = *(const int64_t *)a, other = *(const int64_t *)b;

	return (one > other) - (one < other);
}

/* measure - print a line; false when the median is too long.  rules_asked: the rules that are asked for, more than
 * there are when none shall match */
static bool measure(const struct kind *kind, const struct conf *conf, unsigned first, unsigned count,
	const char *what)
{
	static int64_t took_ns[DECISIONS];
	unsigned matched = 0;
	bool is_fast;

	for (int i = 0; i < DECISIONS; i++) {
		struct question question = {"smtp:[192.0.2.1]:25", "a@example.org", "b@example.net",
			{.class = CLIENT_OTHER, .has_address = true}};
		struct policy policy;
		int64_t start_ns;

		(void)cidr_parse("198.51.100.1", &question.client.address);
		kind->ask(&question, first + (unsigned)random() % count);
		start_ns = now_ns();
		policy_decide(conf->rules,
			&(struct policy_question){&question.client, ROLE_TRANSPORT, false, question.hop,
				STATE_DOWN, REASON_CONNECTION_REFUSED, 60, question.sender,
				question.recipient},
			&policy);
		took_ns[i] = now_ns() - start_ns;
		matched += policy.rule != NULL;
	}
	qsort(took_ns, DECISIONS, sizeof *took_ns, compare);
	is_fast = took_ns[DECISIONS / 2] <= LIMIT_NS;
	(void)printf("%-10s %-5s 99th percentile %5.2f us, worst %7.2f us, %3u %% matched, median %5.2f us, goal at most %d us: %s\n",
		kind->name, what, (double)took_ns[DECISIONS * 99 / 100] / 1000,
		(double)took_ns[DECISIONS - 1] / 1000, matched * 100 / DECISIONS,
		(double)took_ns[DECISIONS / 2] / 1000, LIMIT_NS / 1000, is_fast ? "met" : "missed");
	return is_fast;
}

int main(int argc, char **argv)
{
	unsigned rules = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000;
	bool is_fast = rules > 0;

	(void)printf("a decision of a file of %u rules, %d decisions each\n", rules, DECISIONS);
	for (size_t i = 0; rules > 0 && i < sizeof kinds / sizeof *kinds; i++) {
		struct conf *conf = make_conf(&kinds[i], rules);

		is_fast = measure(&kinds[i], conf, 0, rules, "one") && is_fast;
		is_fast = measure(&kinds[i], conf, rules, rules, "none") && is_fast;
		conf_unref(conf);
	}
	return is_fast ? EXIT_SUCCESS : EXIT_FAILURE;
}
