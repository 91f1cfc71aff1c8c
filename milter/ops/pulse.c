/*
 * pulse - does the milter answer?
 *
 * The directory of the socket is Postfix's, and we may not enter it; the socket is ours.  So it is
 * reached through a descriptor that the keeper opened.  A socket whose name is gone still answers,
 * but not to Postfix: that is no pulse.
 */
#include "ops/pulse.h"

#include "base/descriptor.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* The first answer is looked for often: until it is there we are not healthy. */
enum { FIRST_INTERVAL_MS = 100 };

/* SMFIC_OPTNEG and SMFIC_QUIT as Postfix 3.7 sends them (milter8.c): length, command, version 6,
 * actions, steps */
static const unsigned char hello[] = {
	0, 0, 0, 13, 'O', 0, 0, 0, 6, 0, 0, 1, 0xff, 0, 0x1f, 0xff, 0xff};
static const unsigned char goodbye[] = {0, 0, 0, 1, 'Q'};

struct pulse {
	struct event_base *base;
	struct event *timer;
	struct bufferevent *connection; /* NULL: none */
	struct sockaddr_storage address;
	socklen_t address_bytes; /* 0: not known */
	int socket;
	bool is_felt, has_answered;
};

bool pulse_is_felt(const struct pulse *pulse)
{
	return pulse->is_felt;
}

static void hang_up(struct pulse *pulse)
{
	if (pulse->connection != NULL)
		bufferevent_free(pulse->connection);
	pulse->connection = NULL;
}

static void lose(struct pulse *pulse, const char *why)
{
	if (pulse->is_felt)
		log_errx("the milter does not answer on its socket: %s", why);
	pulse->is_felt = false;
	hang_up(pulse);
}

static void on_read(struct bufferevent *connection, void *arg)
{
	struct pulse *pulse = arg;
	struct evbuffer *in = bufferevent_get_input(connection);
	unsigned char packet[5];

	if (evbuffer_copyout(in, packet, sizeof packet) < (ev_ssize_t)sizeof packet)
		return;
	if (packet[4] != 'O') {
		lose(pulse, "it says something else");
		return;
	}
	pulse->is_felt = pulse->has_answered = true;
	(void)evbuffer_drain(in, evbuffer_get_length(in));
	(void)bufferevent_write(connection, goodbye, sizeof goodbye);
}

static void on_event(struct bufferevent *connection, short what, void *arg)
{
	struct pulse *pulse = arg;

	(void)connection;
	if ((what & BEV_EVENT_CONNECTED) != 0)
		return;
	if (pulse->has_answered)
		hang_up(pulse); /* after our goodbye */
	else
		lose(pulse, (what & BEV_EVENT_TIMEOUT) != 0 ? "it is silent" : "it hangs up");
}

/* has_name - can Postfix find the socket? */
static bool has_name(const struct pulse *pulse)
{
	struct stat status;

	return pulse->socket < 0 || (fstat(pulse->socket, &status) == 0 && status.st_nlink > 0);
}

static void ask(struct pulse *pulse)
{
	static const struct timeval timeout = {PULSE_TIMEOUT_S, 0};
	const struct sockaddr *address = (const struct sockaddr *)&pulse->address;
	int fd;

	if (!has_name(pulse)) {
		lose(pulse, "it is removed from the file system");
		return;
	}
	fd = descriptor_for_probe(
		socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	if (fd < 0) {
		lose(pulse, strerror(errno));
		return;
	}
	/* A UNIX socket is connected at once, or has no room in its queue. */
	if (connect(fd, address, pulse->address_bytes) < 0 && errno != EINPROGRESS) {
		lose(pulse, strerror(errno));
		close(fd);
		return;
	}
	pulse->connection = bufferevent_socket_new(pulse->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (pulse->connection == NULL) {
		close(fd);
		return;
	}
	pulse->has_answered = false;
	bufferevent_setcb(pulse->connection, on_read, NULL, on_event, pulse);
	bufferevent_set_timeouts(pulse->connection, &timeout, &timeout);
	(void)bufferevent_write(pulse->connection, hello, sizeof hello);
	bufferevent_enable(pulse->connection, EV_READ | EV_WRITE);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval often = {0, FIRST_INTERVAL_MS * 1000L};
	static const struct timeval seldom = {PULSE_INTERVAL_S, 0};
	struct pulse *pulse = arg;

	(void)fd;
	(void)what;
	if (pulse->connection == NULL)
		ask(pulse);
	evtimer_add(pulse->timer, pulse->is_felt ? &seldom : &often);
}

/* find_socket - the UNIX socket behind the descriptor */
static void find_socket(struct pulse *pulse)
{
	struct sockaddr_un *address = (struct sockaddr_un *)&pulse->address;

	address->sun_family = AF_UNIX;
	(void)snprintf(
		address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d", pulse->socket);
	pulse->address_bytes = sizeof *address;
}

/* find_port - "inet:PORT@HOST"; a name is looked up, which libmilter did a moment ago, too */
static void find_port(struct pulse *pulse, const char *listen)
{
	const char *port = strchr(listen, ':') + 1, *host = strchr(listen, '@') + 1;
	const struct addrinfo hints = {
		.ai_family = strncmp(listen, "inet6:", 6) == 0 ? AF_INET6 : AF_INET,
		.ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	char number[8], name[256];
	size_t length = strlen(host);

	if (*host == '[' && length > 2) {
		host++;
		length -= 2;
	}
	(void)snprintf(number, sizeof number, "%.*s", (int)strcspn(port, "@"), port);
	(void)snprintf(name, sizeof name, "%.*s", (int)length, host);
	if (getaddrinfo(name, number, &hints, &found) == 0) {
		memcpy(&pulse->address, found->ai_addr, found->ai_addrlen);
		pulse->address_bytes = found->ai_addrlen;
		freeaddrinfo(found);
	} else {
		log_warnx("listen = \"%s\": the host is not found, so whether the milter answers "
			  "is not known",
			listen);
	}
}

struct pulse *pulse_new(struct event_base *base, const struct conf *conf, int socket)
{
	static const struct timeval at_once = {0, 0};
	struct pulse *pulse = calloc(1, sizeof *pulse);

	if (pulse == NULL)
		return NULL;
	pulse->base = base;
	pulse->socket = socket;
	pulse->timer = evtimer_new(base, on_timer, pulse);
	if (pulse->timer == NULL) {
		free(pulse);
		return NULL;
	}
	if (socket >= 0)
		find_socket(pulse);
	else if (conf_listen_path(conf) == NULL)
		find_port(pulse, conf->listen);
	if (pulse->address_bytes > 0)
		evtimer_add(pulse->timer, &at_once);
	return pulse;
}
