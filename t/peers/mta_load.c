/*
 * mta_load - the MTA's side of the milter protocol, as fast as the milter answers
 *
 * Connects to a milter as Postfix does, hands it messages, and counts the answers.  Steps that the
 * milter negotiated away are left out, answers that it said it would not give are not waited for.
 *
 *	mta_load [-c connections] [-n messages] [-m messages_per_connection] [-r hop,hop...] SOCKET
 *
 * SOCKET is unix:PATH or inet:PORT@ADDRESS; a hop is TRANSPORT=NEXTHOP as in {rcpt_mailer} and
 * {rcpt_host}, recipients take them in turn.  Prints one JSON object; exits 1 when the milter
 * hung up or answered nonsense.
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

enum { PACKET_BYTES = 65536, HOPS_MAX = 4096, THREADS_MAX = 512 };

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
};

struct worker {
	const struct load *load;
	unsigned number;
	unsigned messages;
	int fd;
	uint32_t steps;
	bool is_closing; /* the last answer was 421 */
	size_t used;
	unsigned char out[PACKET_BYTES];
	unsigned char in[PACKET_BYTES];
	unsigned accepted, tempfailed, rejected, headers, failed;
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
	worker->out[4] = (unsigned char)command;
	worker->used = 5;
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

	put_u32(worker->out, (uint32_t)worker->used - 4);
	while (done < worker->used) {
		ssize_t wrote =
			send(worker->fd, worker->out + done, worker->used - done, MSG_NOSIGNAL);

		if (wrote <= 0)
			return false;
		done += (size_t)wrote;
	}
	return true;
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

	if (!read_fully(worker->fd, head, sizeof head))
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
	if ((worker->steps & unwanted) != 0)
		return 'c';
	if (!flush(worker))
		return 0;
	return (worker->steps & silent) != 0 ? 'c' : answer(worker);
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
	if (!flush(worker) || receive(worker, &bytes) != 'O' || bytes < 13)
		return false;
	worker->steps = get_u32(worker->in + 9);
	return true;
}

static bool open_session(struct worker *worker)
{
	static const char address[] = "127.0.0.66";
	uint16_t port = htons(4711);

	worker->fd = connect_to(worker->load->address);
	if (worker->fd < 0 || !negotiate(worker))
		return false;
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
	(void)flush(worker);
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
	return flush(worker);
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
		{"Failfast-Status", "mx.example.test; state=up"},
		{"Message-ID", "<1@client.test>"}};
	char got;

	begin(worker, 'T');
	if ((got = step(worker, NO_DATA, SILENT_DATA)) != 'c')
		return got;
	for (size_t i = 0; i < sizeof header / sizeof header[0]; i++) {
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
		if (!flush(worker))
			return 0;
		begin(worker, 'E');
		return flush(worker) ? answer(worker) : 0;
	}
	if (got != 0) {
		begin(worker, 'A');
		if (!flush(worker))
			return 0;
	}
	return got;
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	unsigned sent = 0;

	while (sent < worker->messages) {
		if (!open_session(worker)) {
			worker->failed++;
			return NULL;
		}
		for (unsigned i = 0; i < worker->load->per_connection && sent < worker->messages;
			i++) {
			char got = one_message(worker, sent++ + worker->number);

			worker->accepted += got == 'c' || got == 'a';
			worker->tempfailed += got == 't';
			worker->rejected += got == 'r';
			if (strchr("catr", got) == NULL || got == 0) {
				worker->failed++;
				close(worker->fd);
				return NULL;
			}
			/* 421 ends the session; so would Postfix. */
			if (got == 't' && worker->is_closing)
				break;
		}
		close_session(worker);
	}
	return NULL;
}

/* -- start ---------------------------------------------------------------------------------------
 */

static void parse_hops(struct load *load, char *list)
{
	for (char *hop = strtok(list, ","); hop != NULL; hop = strtok(NULL, ",")) {
		char *separator = strchr(hop, '=');

		if (separator == NULL || load->hops == HOPS_MAX)
			errx(64, "%s: TRANSPORT=NEXTHOP wanted", hop);
		*separator = '\0';
		load->mailer[load->hops] = hop;
		load->nexthop[load->hops++] = separator + 1;
	}
}

static int report(const struct worker *workers, unsigned count, double seconds)
{
	unsigned accepted = 0, tempfailed = 0, rejected = 0, headers = 0, failed = 0;

	for (unsigned i = 0; i < count; i++) {
		accepted += workers[i].accepted;
		tempfailed += workers[i].tempfailed;
		rejected += workers[i].rejected;
		headers += workers[i].headers;
		failed += workers[i].failed;
	}
	printf("{\"accepted\": %u, \"tempfailed\": %u, \"rejected\": %u, \"header_edits\": %u, "
	       "\"failed\": %u, \"steps_left_out\": %u, \"seconds\": %.3f, \"per_second\": %.0f}\n",
		accepted, tempfailed, rejected, headers, failed, workers[0].steps, seconds,
		(accepted + tempfailed) / seconds);
	return failed != 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
	static struct load load = {.per_connection = 100};
	unsigned connections = 4, messages = 100000;
	struct worker *workers;
	struct timespec start, end;
	int option;

	while ((option = getopt(argc, argv, "c:m:n:r:")) != -1) {
		if (option == 'c')
			connections = (unsigned)strtoul(optarg, NULL, 10);
		else if (option == 'm')
			load.per_connection = (unsigned)strtoul(optarg, NULL, 10);
		else if (option == 'n')
			messages = (unsigned)strtoul(optarg, NULL, 10);
		else if (option == 'r')
			parse_hops(&load, optarg);
		else
			return 64;
	}
	if (optind + 1 != argc || connections == 0 || connections > THREADS_MAX ||
		load.per_connection == 0)
		errx(64, "usage: mta_load [-c connections] [-n messages] [-m per_connection] [-r "
			 "hops] "
			 "SOCKET");
	load.address = argv[optind];
	workers = calloc(connections, sizeof *workers);
	if (workers == NULL)
		err(71, "calloc");
	(void)clock_gettime(CLOCK_MONOTONIC, &start);
	for (unsigned i = 0; i < connections; i++) {
		workers[i].load = &load;
		workers[i].number = i;
		workers[i].messages = messages / connections + (i < messages % connections);
		if ((errno = pthread_create(&workers[i].thread, NULL, work, &workers[i])) != 0)
			err(71, "pthread_create");
	}
	for (unsigned i = 0; i < connections; i++)
		(void)pthread_join(workers[i].thread, NULL);
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	option = report(workers, connections,
		(double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9);
	free(workers);
	return option;
}
