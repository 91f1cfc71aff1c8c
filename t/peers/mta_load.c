/*
 * mta_load - the MTA's side of the milter protocol, as fast as the milter answers
 *
 * Connects to a milter as Postfix does, hands it messages, and counts the answers.  Steps that the
 * milter negotiated away are left out, answers that it said it would not give are not waited for, and
 * like Postfix it writes when it waits for an answer or has 4096 bytes.
 *
 *	mta_load [-f] [-c connections] [-n messages] [-m messages_per_connection] [-r hop,hop...] [-R FILE] SOCKET
 *
 * SOCKET is unix:PATH or inet:PORT@ADDRESS; a hop is TRANSPORT=NEXTHOP as in {rcpt_mailer} and
 * {rcpt_host}, recipients take them in turn; FILE has one a line.  With -f each message bears a
 * forged Failfast-Status.  Prints one JSON object; exits 1 when the
 * milter hung up or answered nonsense.  Times are in microseconds: of setting up a connection (until the
 * milter has answered what it wants) and of a message, with -m 1 from connecting on.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { PACKET_BYTES = 65536, WRITE_BYTES = 4096, HOPS_MAX = 16384, THREADS_MAX = 512 };
enum { NS_PER_S = 1000000000, NS_PER_US = 1000 };

/* SMFIP_*: steps that a milter does not want, and steps that it does not answer (libmilter/mfdef.h)
 */
enum {
	NO_CONNECT = 0x1,
	NO_HELO = 0x2,
	NO_MAIL = 0x4,
	NO_RCPT = 0x8,
	NO_BODY = 0x10,
	NO_HEADERS = 0x20,
	NO_EOH = 0x40,
	SILENT_HEADERS = 0x80,
	NO_DATA = 0x200,
	SILENT_CONNECT = 0x1000,
	SILENT_HELO = 0x2000,
	SILENT_MAIL = 0x4000,
	SILENT_RCPT = 0x8000,
	SILENT_DATA = 0x10000,
	SILENT_EOH = 0x40000,
	SILENT_BODY = 0x80000,
	ALL_STEPS = 0x1fffff,
	ALL_ACTIONS = 0x1ff,
};

struct load {
	const char *address;
	const char *mailer[HOPS_MAX], *nexthop[HOPS_MAX];
	unsigned hops;
	unsigned per_connection;
	bool forges;
};

/* How long things took. */
struct times {
	uint32_t *ns;
	size_t count;
};

struct worker {
	const struct load *load;
	unsigned first; /* number of its first message */
	unsigned messages;
	int fd;
	uint32_t steps;
	bool is_closing; /* the last answer was 421 */
	size_t start, used; /* the packet in the making, and what is not written yet */
	unsigned char out[PACKET_BYTES];
	unsigned char in[PACKET_BYTES];
	unsigned accepted, tempfailed, rejected, headers, failed;
	struct times setup, message;
	pthread_t thread;
};

/* -- packets -------------------------------------------------------------------------------------
 */

static void put_u32(unsigned char *to, uint32_t value)
{
	value = htonl(value);
	memcpy(to, &value, sizeof value);
}

static uint32_t get_u32(const unsigned char *from)
{
	uint32_t value;

	memcpy(&value, from, sizeof value);
	return ntohl(value);
}

static void begin(struct worker *worker, char command)
{
	worker->start = worker->used;
	worker->out[worker->start + 4] = (unsigned char)command;
	worker->used += 5;
}

static void add(struct worker *worker, const void *data, size_t bytes)
{
	if (worker->used + bytes > sizeof worker->out)
		errx(70, "packet too long");
	memcpy(worker->out + worker->used, data, bytes);
	worker->used += bytes;
}

static void add_text(struct worker *worker, const char *text)
{
	add(worker, text, strlen(text) + 1);
}

static void add_macro(struct worker *worker, const char *name, const char *value)
{
	add_text(worker, name);
	add_text(worker, value);
}

static bool flush(struct worker *worker)
{
	size_t done = 0;

	while (done < worker->used) {
		ssize_t wrote =
			send(worker->fd, worker->out + done, worker->used - done, MSG_NOSIGNAL);

		if (wrote <= 0)
			return false;
		done += (size_t)wrote;
	}
	worker->used = 0;
	return true;
}

/* end - of a packet; it goes out when there is enough to write, at the latest before an answer is waited for */
static bool end(struct worker *worker)
{
	put_u32(worker->out + worker->start, (uint32_t)(worker->used - worker->start - 4));
	return worker->used < WRITE_BYTES || flush(worker);
}

static bool read_fully(int fd, unsigned char *to, size_t bytes)
{
	while (bytes > 0) {
		ssize_t got = read(fd, to, bytes);

		if (got <= 0)
			return false;
		to += got;
		bytes -= (size_t)got;
	}
	return true;
}

/* receive - one packet; its command, or 0 when the milter hung up */
static char receive(struct worker *worker, size_t *bytes)
{
	unsigned char head[4];

	if (!flush(worker) || !read_fully(worker->fd, head, sizeof head))
		return 0;
	*bytes = get_u32(head);
	if (*bytes == 0 || *bytes > sizeof worker->in ||
		!read_fully(worker->fd, worker->in, *bytes))
		return 0;
	return (char)worker->in[0];
}

/* answer - the answer to a step: SMFIR_* ('c' continue, 'a' accept, 't' tempfail, 'r' reject, 'y'
 * reply with a code); edits of the message are counted and skipped */
static char answer(struct worker *worker)
{
	size_t bytes;
	char command;

	while ((command = receive(worker, &bytes)) != 0) {
		if (command == 'i' || command == 'h') {
			worker->headers++;
			continue;
		}
		if (command == 'p' || command == 'm')
			continue;
		worker->is_closing =
			command == 'y' && bytes > 3 && memcmp(worker->in + 1, "421", 3) == 0;
		if (command == 'y')
			return worker->in[1] == '4' ? 't' : 'r';
		return command;
	}
	return 0;
}

/* -- the conversation ----------------------------------------------------------------------------
 */

/* step - send what was prepared and take the answer, unless the milter does not want the one or
 * give the other; 'c' then */
static char step(struct worker *worker, uint32_t unwanted, uint32_t silent)
{
	if ((worker->steps & unwanted) != 0) {
		worker->used = worker->start;
		return 'c';
	}
	if (!end(worker))
		return 0;
	return (worker->steps & silent) != 0 ? 'c' : answer(worker);
}

static int64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

static void note(struct times *times, int64_t start_ns)
{
	int64_t took_ns = now_ns() - start_ns;

	times->ns[times->count++] = took_ns < UINT32_MAX ? (uint32_t)took_ns : UINT32_MAX;
}

static int connect_to(const char *address)
{
	struct sockaddr_un path = {.sun_family = AF_UNIX};
	struct sockaddr_in inet = {.sin_family = AF_INET};
	const char *at = strchr(address, '@');
	int fd;

	if (strncmp(address, "unix:", 5) == 0) {
		(void)snprintf(path.sun_path, sizeof path.sun_path, "%s", address + 5);
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		if (fd >= 0 && connect(fd, (struct sockaddr *)&path, sizeof path) != 0)
			return -1;
		return fd;
	}
	if (strncmp(address, "inet:", 5) != 0 || at == NULL ||
		inet_pton(AF_INET, at + 1, &inet.sin_addr) != 1)
		errx(64, "%s: neither unix:PATH nor inet:PORT@ADDRESS", address);
	inet.sin_port = htons((uint16_t)atoi(address + 5));
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&inet, sizeof inet) != 0)
		return -1;
	return fd;
}

static bool negotiate(struct worker *worker)
{
	unsigned char offer[12];
	size_t bytes;

	put_u32(offer, 6);
	put_u32(offer + 4, ALL_ACTIONS);
	put_u32(offer + 8, ALL_STEPS);
	begin(worker, 'O');
	add(worker, offer, sizeof offer);
	if (!end(worker) || receive(worker, &bytes) != 'O' || bytes < 13)
		return false;
	worker->steps = get_u32(worker->in + 9);
	return true;
}

static bool open_session(struct worker *worker)
{
	static const char address[] = "127.0.0.66";
	uint16_t port = htons(4711);

	int64_t start_ns = now_ns();

	worker->used = 0;
	worker->fd = connect_to(worker->load->address);
	if (worker->fd < 0 || !negotiate(worker))
		return false;
	note(&worker->setup, start_ns);
	begin(worker, 'C');
	add_text(worker, "client.test");
	add(worker, "4", 1);
	add(worker, &port, sizeof port);
	add(worker, address, sizeof address);
	if (step(worker, NO_CONNECT, SILENT_CONNECT) != 'c')
		return false;
	begin(worker, 'H');
	add_text(worker, "client.test");
	return step(worker, NO_HELO, SILENT_HELO) == 'c';
}

static void close_session(struct worker *worker)
{
	begin(worker, 'Q');
	(void)(end(worker) && flush(worker));
	close(worker->fd);
}

static bool recipient_macros(struct worker *worker, unsigned number)
{
	const struct load *load = worker->load;
	unsigned hop = load->hops != 0 ? number % load->hops : 0;

	begin(worker, 'D');
	add(worker, "R", 1);
	add_macro(worker, "j", "mx.example.test");
	add_macro(worker, "{daemon_addr}", "127.0.0.1");
	add_macro(worker, "{daemon_port}", "25");
	add_macro(worker, "{client_addr}", "127.0.0.66");
	add_macro(worker, "{client_name}", "client.test");
	add_macro(worker, "{mail_addr}", "sender@from.test");
	add_macro(worker, "{rcpt_addr}", "rcpt@to.test");
	if (load->hops != 0) {
		add_macro(worker, "{rcpt_mailer}", load->mailer[hop]);
		add_macro(worker, "{rcpt_host}", load->nexthop[hop]);
	}
	return end(worker);
}

static char envelope(struct worker *worker, unsigned number)
{
	char got;

	begin(worker, 'M');
	add_text(worker, "<sender@from.test>");
	if ((got = step(worker, NO_MAIL, SILENT_MAIL)) != 'c')
		return got;
	if ((worker->steps & NO_RCPT) == 0 && !recipient_macros(worker, number))
		return 0;
	begin(worker, 'R');
	add_text(worker, "<rcpt@to.test>");
	return step(worker, NO_RCPT, SILENT_RCPT);
}

static char content(struct worker *worker)
{
	static const char *header[][2] = {{"Received", "from client.test by mx.example.test"},
		{"From", "sender@from.test"}, {"To", "rcpt@to.test"}, {"Subject", "load"},
		{"Date", "Sat, 21 Nov 2026 12:00:00 +0000"}, {"Message-ID", "<1@client.test>"},
		{"Failfast-Status", "mx.example.test; state=up"}};
	size_t count = sizeof header / sizeof header[0] - !worker->load->forges;
	char got;

	begin(worker, 'T');
	if ((got = step(worker, NO_DATA, SILENT_DATA)) != 'c')
		return got;
	for (size_t i = 0; i < count; i++) {
		begin(worker, 'L');
		add_text(worker, header[i][0]);
		add_text(worker, header[i][1]);
		if ((got = step(worker, NO_HEADERS, SILENT_HEADERS)) != 'c')
			return got;
	}
	begin(worker, 'N');
	if ((got = step(worker, NO_EOH, SILENT_EOH)) != 'c')
		return got;
	begin(worker, 'B');
	add(worker, "Hello.\r\n", 8);
	return step(worker, NO_BODY, SILENT_BODY);
}

static char one_message(struct worker *worker, unsigned number)
{
	char got = envelope(worker, number);

	if (got == 'c')
		got = content(worker);
	if (got == 'c') {
		begin(worker, 'D');
		add(worker, "E", 1);
		add_macro(worker, "i", "4ABCDE12345");
		if (!end(worker))
			return 0;
		begin(worker, 'E');
		return end(worker) ? answer(worker) : 0;
	}
	if (got != 0) {
		begin(worker, 'A');
		if (!end(worker))
			return 0;
	}
	return got;
}

/* session - messages over one connection; false when the milter hung up or answered nonsense */
static bool session(struct worker *worker, unsigned *sent)
{
	unsigned left = worker->load->per_connection;
	int64_t start_ns = now_ns();

	if (!open_session(worker))
		return false;
	while (left-- > 0 && *sent < worker->messages) {
		char got;

		if (worker->load->per_connection > 1)
			start_ns = now_ns();
		got = one_message(worker, worker->first + (*sent)++);
		if (got == 0 || strchr("catr", got) == NULL)
			return false;
		note(&worker->message, start_ns);
		worker->accepted += got == 'c' || got == 'a';
		worker->tempfailed += got == 't';
		worker->rejected += got == 'r';
		/* 421 ends the session; so would Postfix. */
		if (got == 't' && worker->is_closing)
			break;
	}
	close_session(worker);
	return true;
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	unsigned sent = 0;

	while (sent < worker->messages)
		if (!session(worker, &sent)) {
			worker->failed++;
			close(worker->fd);
			break;
		}
	return NULL;
}

/* -- start ---------------------------------------------------------------------------------------
 */

static void parse_hops(struct load *load, char *list)
{
	for (char *hop = strtok(list, ",\n"); hop != NULL; hop = strtok(NULL, ",\n")) {
		char *separator = strchr(hop, '=');

		if (separator == NULL || load->hops == HOPS_MAX)
			errx(64, "%s: TRANSPORT=NEXTHOP wanted", hop);
		*separator = '\0';
		load->mailer[load->hops] = hop;
		load->nexthop[load->hops++] = separator + 1;
	}
}

static void read_hops(struct load *load, const char *path)
{
	FILE *fp = fopen(path, "r");
	char *text = NULL;
	size_t room = 0;

	if (fp == NULL || getdelim(&text, &room, '\0', fp) < 0)
		err(66, "%s", path);
	(void)fclose(fp);
	parse_hops(load, text);
}

static int compare(const void *a, const void *b)
{
	uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;

	return (one > other) - (one < other);
}

static void make_room(struct times *times, unsigned count)
{
	times->ns = calloc(count + 1, sizeof *times->ns);
	if (times->ns == NULL)
		err(71, "calloc");
}

static void append(struct times *all, const struct times *times)
{
	memcpy(all->ns + all->count, times->ns, times->count * sizeof *times->ns);
	all->count += times->count;
}

static void print_times(const char *name, struct times *times)
{
	size_t last = times->count > 0 ? times->count - 1 : 0;

	qsort(times->ns, times->count, sizeof *times->ns, compare);
	printf(", \"%s_us\": {\"median\": %.1f, \"p99\": %.1f, \"worst\": %.1f}", name,
		(double)times->ns[last / 2] / NS_PER_US,
		(double)times->ns[(size_t)((double)last * 0.99)] / NS_PER_US,
		(double)times->ns[last] / NS_PER_US);
}

/* report - print what the workers did, and give their memory back */
static int report(struct worker *workers, unsigned count, unsigned messages, double seconds)
{
	unsigned accepted = 0, tempfailed = 0, rejected = 0, headers = 0, failed = 0;
	struct times setup = {0}, message = {0};

	make_room(&setup, messages);
	make_room(&message, messages);
	for (unsigned i = 0; i < count; i++) {
		accepted += workers[i].accepted;
		tempfailed += workers[i].tempfailed;
		rejected += workers[i].rejected;
		headers += workers[i].headers;
		failed += workers[i].failed;
		append(&setup, &workers[i].setup);
		append(&message, &workers[i].message);
		free(workers[i].setup.ns);
		free(workers[i].message.ns);
	}
	printf("{\"accepted\": %u, \"tempfailed\": %u, \"rejected\": %u, \"header_edits\": %u, "
	       "\"failed\": %u, \"steps_left_out\": %u, \"seconds\": %.3f, \"per_second\": %.0f",
		accepted, tempfailed, rejected, headers, failed, workers[0].steps, seconds,
		(accepted + tempfailed) / seconds);
	print_times("setup", &setup);
	print_times("message", &message);
	printf("}\n");
	free(setup.ns);
	free(message.ns);
	return failed != 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
	static struct load load = {.per_connection = 100};
	unsigned connections = 4, messages = 100000, first = 0;
	struct worker *workers;
	int64_t start_ns;
	int option;

	while ((option = getopt(argc, argv, "c:fm:n:r:R:")) != -1) {
		if (option == 'c')
			connections = (unsigned)strtoul(optarg, NULL, 10);
		else if (option == 'f')
			load.forges = true;
		else if (option == 'm')
			load.per_connection = (unsigned)strtoul(optarg, NULL, 10);
		else if (option == 'n')
			messages = (unsigned)strtoul(optarg, NULL, 10);
		else if (option == 'r')
			parse_hops(&load, optarg);
		else if (option == 'R')
			read_hops(&load, optarg);
		else
			return 64;
	}
	if (optind + 1 != argc || connections == 0 || connections > THREADS_MAX ||
		load.per_connection == 0)
		errx(64, "usage: mta_load [-f] [-c connections] [-n messages] [-m per_connection] "
			 "[-r hops] [-R file] SOCKET");
	load.address = argv[optind];
	workers = calloc(connections, sizeof *workers);
	if (workers == NULL)
		err(71, "calloc");
	for (unsigned i = 0; i < connections; i++) {
		workers[i].load = &load;
		workers[i].first = first;
		workers[i].fd = -1;
		workers[i].messages = messages / connections + (i < messages % connections);
		first += workers[i].messages;
		make_room(&workers[i].setup, workers[i].messages);
		make_room(&workers[i].message, workers[i].messages);
	}
	start_ns = now_ns();
	for (unsigned i = 0; i < connections; i++)
		if ((errno = pthread_create(&workers[i].thread, NULL, work, &workers[i])) != 0)
			err(71, "pthread_create");
	for (unsigned i = 0; i < connections; i++)
		(void)pthread_join(workers[i].thread, NULL);
	option = report(workers, connections, messages, (double)(now_ns() - start_ns) / NS_PER_S);
	free(workers);
	return option;
}
