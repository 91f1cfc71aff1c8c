/*
 * smtp_peer - a server in a process of its own that answers at once, for benchmarks
 */
#include "smtp_peer.h"

#include "base/log.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct event_base *base;
static _Atomic uint64_t *served; /* of the peer started last, which is this process or its child */

static void on_event(struct bufferevent *stream, short events, void *arg)
{
	(void)events;
	(void)arg;
	bufferevent_free(stream);
}

/* on_said - "221 bye" has left */
static void on_said(struct bufferevent *stream, void *arg)
{
	(void)arg;
	(*served)++;
	bufferevent_free(stream);
}

static void on_line(struct bufferevent *stream, void *arg)
{
	static const char hello[] = "250-mx\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-ETRN\r\n"
				    "250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250 CHUNKING\r\n";
	static const char bye[] = "221 2.0.0 Bye\r\n";
	struct evbuffer *input = bufferevent_get_input(stream);
	char *line;

	(void)arg;
	while ((line = evbuffer_readln(input, NULL, EVBUFFER_EOL_CRLF)) != NULL) {
		bool is_quit = strcmp(line, "QUIT") == 0;

		free(line);
		if (is_quit)
			bufferevent_setcb(stream, NULL, on_said, on_event, NULL);
		(void)bufferevent_write(
			stream, is_quit ? bye : hello, (is_quit ? sizeof bye : sizeof hello) - 1);
	}
}

static void on_client(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from,
	int bytes, void *arg)
{
	static const char greeting[] = "220 mx.example.net ESMTP Postfix\r\n";
	struct bufferevent *stream = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);

	(void)listener;
	(void)from;
	(void)bytes;
	(void)arg;
	bufferevent_setcb(stream, on_line, NULL, on_event, NULL);
	(void)bufferevent_enable(stream, EV_READ | EV_WRITE);
	(void)bufferevent_write(stream, greeting, sizeof greeting - 1);
}

static _Noreturn void serve(int fd)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	base = event_base_new();
	(void)evconnlistener_new(base, on_client, NULL, LEV_OPT_CLOSE_ON_FREE, 0, fd);
	(void)event_base_dispatch(base);
	_exit(EXIT_SUCCESS);
}

void smtp_peer_start(struct smtp_peer *peer)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t bytes = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	served = mmap(
		NULL, sizeof *served, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (served == MAP_FAILED || fd < 0 || bind(fd, (struct sockaddr *)&address, bytes) != 0 ||
		listen(fd, 4096) != 0 ||
		getsockname(fd, (struct sockaddr *)&address, &bytes) != 0 ||
		(peer->pid = fork()) < 0) {
		log_err("the peer cannot be started");
		exit(EXIT_FAILURE);
	}
	if (peer->pid == 0)
		serve(fd);
	(void)close(fd);
	peer->port = ntohs(address.sin_port);
	peer->served = served;
}

void smtp_peer_stop(struct smtp_peer *peer)
{
	(void)kill(peer->pid, SIGTERM);
	(void)waitpid(peer->pid, NULL, 0);
	(void)munmap((void *)peer->served, sizeof *peer->served);
}
