/*
 * smtp_floor - the least that a probe can cost with libevent: the words, and nothing else
 */
#include "smtp_floor.h"

#include "base/log.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REPLY_BYTES = 4096 };

struct conversation {
	struct event event, timer;
	unsigned number; /* of the server */
	int fd;
	bool is_busy;
	unsigned replies;
};

static struct {
	struct event_base *base;
	uint16_t port;
	unsigned begun, ended, wanted; /* of smtp_floor_run() */
	struct timeval interval;       /* of smtp_floor_pace() */
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
	conversation->is_busy = false;
	if (++all.ended == all.wanted)
		(void)event_base_loopbreak(all.base);
	if (all.begun < all.wanted) {
		conversation->number = all.begun++ % SMTP_FLOOR_ADDRESSES;
		begin(conversation);
	}
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
	(void)event_assign(&conversation->event, all.base, fd, EV_READ | EV_PERSIST, on_readable,
		conversation);
	(void)event_add(&conversation->event, NULL);
}

static void begin(struct conversation *conversation)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(all.port)};

	to.sin_addr.s_addr = smtp_floor_address(conversation->number);
	conversation->replies = 0;
	conversation->is_busy = true;
	conversation->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (conversation->fd < 0)
		give_up("socket");
	if (connect(conversation->fd, (struct sockaddr *)&to, sizeof to) != 0 &&
		errno != EINPROGRESS)
		give_up("connect");
	(void)event_assign(&conversation->event, all.base, conversation->fd, EV_WRITE, on_connected,
		conversation);
	(void)event_add(&conversation->event, NULL);
}

static struct conversation *prepare(struct event_base *base, uint16_t port, unsigned count)
{
	struct conversation *list = calloc(count, sizeof *list);

	if (list == NULL)
		give_up("memory");
	all.base = base;
	all.port = port;
	all.begun = all.ended = all.wanted = 0;
	for (unsigned i = 0; i < count; i++)
		list[i].number = i;
	return list;
}

void smtp_floor_run(
	struct event_base *base, uint16_t port, unsigned conversations, unsigned in_flight)
{
	struct conversation *list = prepare(base, port, in_flight);

	all.wanted = conversations;
	for (; all.begun < in_flight && all.begun < conversations; all.begun++)
		begin(&list[all.begun]);
	(void)event_base_dispatch(base);
	free(list);
}

static void on_timer(evutil_socket_t fd, short events, void *arg)
{
	struct conversation *conversation = arg;

	(void)fd;
	(void)events;
	(void)evtimer_add(&conversation->timer, &all.interval);
	if (!conversation->is_busy) /* where the peer gets no processor it may take this long */
		begin(conversation);
}

void smtp_floor_pace(struct event_base *base, uint16_t port, unsigned servers, int64_t interval_ms)
{
	struct conversation *list =
		prepare(base, port, servers); /* kept to the end of the process */

	all.interval = (struct timeval){interval_ms / 1000, interval_ms % 1000 * 1000};
	for (unsigned i = 0; i < servers; i++) {
		int64_t first_us = interval_ms * 1000 * i / servers;
		struct timeval first = {first_us / 1000000, first_us % 1000000};

		(void)evtimer_assign(&list[i].timer, base, on_timer, &list[i]);
		(void)evtimer_add(&list[i].timer, &first);
	}
}
