/*
 * channel - messages between keeper and engine over a socket pair
 */
#include "base/channel.h"

#include "base/xmem.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SEND_TIMEOUT_MS = 10000, READ_BYTES = 65536 };

struct frame {
	uint32_t type;
	uint32_t bytes;
};

bool channel_pair(int fds[2])
{
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0;
}

static bool send_all(int fd, const char *data, size_t bytes)
{
	while (bytes > 0) {
		struct pollfd ready = {fd, POLLOUT, 0};
		ssize_t sent = send(fd, data, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent > 0) {
			data += sent;
			bytes -= (size_t)sent;
		} else if (errno == EAGAIN) {
			if (poll(&ready, 1, SEND_TIMEOUT_MS) == 0)
				return false;
		} else if (errno != EINTR) {
			return false;
		}
	}
	return true;
}

bool channel_send(int fd, enum channel_type type, const void *payload, size_t bytes)
{
	const struct frame frame = {(uint32_t)type, (uint32_t)bytes};

	return bytes <= CHANNEL_LIMIT_BYTES && send_all(fd, (const char *)&frame, sizeof frame) &&
	       send_all(fd, payload, bytes);
}

bool channel_fill(int fd, struct channel_input *input)
{
	ssize_t got;

	if (input->size - input->used < READ_BYTES) {
		input->size = input->size * 2 + READ_BYTES;
		input->buffer = xrealloc(input->buffer, input->size);
	}
	got = read(fd, input->buffer + input->used, READ_BYTES);
	if (got < 0)
		return errno == EINTR || errno == EAGAIN;
	input->used += (size_t)got;
	return got > 0;
}

bool channel_next(struct channel_input *input, enum channel_type *type, char **payload,
	size_t *bytes)
{
	struct frame frame;
	size_t whole;

	if (input->used < sizeof frame)
		return false;
	memcpy(&frame, input->buffer, sizeof frame);
	whole = sizeof frame + frame.bytes;
	if (input->used < whole)
		return false;
	*type = (enum channel_type)frame.type;
	*bytes = frame.bytes;
	*payload = xcalloc(1, *bytes + 1);
	memcpy(*payload, input->buffer + sizeof frame, *bytes);
	input->used -= whole;
	memmove(input->buffer, input->buffer + whole, input->used);
	if (input->used == 0) {
		free(input->buffer);
		*input = (struct channel_input){0};
	}
	return true;
}
