/*
 * smtp_floor - the least that a probe can cost with libevent: the words, and nothing else
 */
#include "smtp_floor.h"

#include "base/log.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REPLY_BYTES = 4096 };

struct conversation {
	struct event event;
	int fd;
	unsigned replies;
};

static struct {
	struct event_base *base;
	uint16_t port;
	unsigned begun, ended, wanted;
} all;

static void begin(struct conversation *conversation);

static _Noreturn void give_up(const char *what)
{
	log_err("floor: %s", what);
	exit(EXIT_FAILURE);
}

uint32_t smtp_floor_address(unsigned n)
{
	return htonl(INADDR_LOOPBACK + 0x10000 + n);
}

static void end(struct conversation *conversation)
{
	(void)event_del(&conversation->event);
	(void)close(conversation->fd);
	if (++all.ended == all.wanted)
		(void)event_base_loopbreak(all.base);
	else if (all.begun < all.wanted)
		begin(conversation);
	else
		conversation->fd = -1;
}

static void on_readable(evutil_socket_t fd, short events, void *arg)
{
	static const char *const commands[] = {"EHLO client.example\r\n", "QUIT\r\n"};
	struct conversation *conversation = arg;
	const char *command;
	char reply[REPLY_BYTES];
	ssize_t count = recv(fd, reply, sizeof reply, 0);

	(void)events;
	if (count <= 0)
		give_up("recv");
	if (reply[count - 1] != '\n')
		return;
	if (conversation->replies == sizeof commands / sizeof *commands) {
		end(conversation);
		return;
	}
	command = commands[conversation->replies++];
	if (send(fd, command, strlen(command), 0) != (ssize_t)strlen(command))
		give_up("send");
}

static void on_connected(evutil_socket_t fd, short events, void *arg)
{
	struct conversation *conversation = arg;
	int error = 0;
	socklen_t bytes = sizeof error;

	(void)events;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes) != 0 || error != 0)
		give_up("connect");
	(void)event_assign(
		&conversation->event, all.base, fd, EV_READ | EV_PERSIST, on_readable, conversation);
	(void)event_add(&conversation->event, NULL);
}

static void begin(struct conversation *conversation)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(all.port)};

	to.sin_addr.s_addr = smtp_floor_address(all.begun++ % SMTP_FLOOR_ADDRESSES);
	conversation->replies = 0;
	conversation->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (conversation->fd < 0)
		give_up("socket");
	if (connect(conversation->fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS)
		give_up("connect");
	(void)event_assign(
		&conversation->event, all.base, conversation->fd, EV_WRITE, on_connected, conversation);
	(void)event_add(&conversation->event, NULL);
}

void smtp_floor_run(struct event_base *base, uint16_t port, unsigned conversations, unsigned in_flight)
{
	struct conversation *list = calloc(in_flight, sizeof *list);

	if (list == NULL)
		give_up("memory");
	all.base = base;
	all.port = port;
	all.begun = all.ended = 0;
	all.wanted = conversations;
	for (unsigned i = 0; i < in_flight && i < conversations; i++)
		begin(&list[i]);
	(void)event_base_dispatch(base);
	free(list);
}
