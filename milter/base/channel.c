/*
 * channel - messages between keeper and engine over a socket pair
 */
#include "base/channel.h"

#include "base/xmem.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Room for one descriptor. */
union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

bool channel_pair(int fds[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0;
}

static void attach(struct msghdr *header, union control *control, int fd)
{
	struct cmsghdr *part;

	header->msg_control = control->bytes;
	header->msg_controllen = sizeof control->bytes;
	part = CMSG_FIRSTHDR(header);
	part->cmsg_level = SOL_SOCKET;
	part->cmsg_type = SCM_RIGHTS;
	part->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(part), &fd, sizeof fd);
}

bool channel_send(int channel, enum channel_type type, const void *payload, size_t bytes, int fd,
	int timeout_ms)
{
	uint32_t word = (uint32_t)type;
	struct iovec parts[2] = {{&word, sizeof word}, {(void *)payload, bytes}};
	struct msghdr header = {.msg_iov = parts, .msg_iovlen = 2};
	union control control = {0};

	if (fd >= 0)
		attach(&header, &control, fd);
	for (;;) {
		struct pollfd room = {channel, POLLOUT, 0};

		if (sendmsg(channel, &header, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return true;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN || poll(&room, 1, timeout_ms) <= 0)
			return false;
	}
}

bool channel_send_block(int channel, enum channel_type type, const void *block, size_t bytes,
	int timeout_ms)
{
	int fd = memfd_create("failfast-milter", MFD_CLOEXEC);
	const char *rest = block;
	bool is_sent;

	while (fd >= 0 && bytes > 0) {
		ssize_t written = write(fd, rest, bytes);

		if (written < 0) {
			close(fd);
			return false;
		}
		rest += written;
		bytes -= (size_t)written;
	}
	if (fd < 0)
		return false;
	is_sent = channel_send(channel, type, NULL, 0, fd, timeout_ms);
	close(fd);
	return is_sent;
}

static int detach(struct msghdr *header)
{
	struct cmsghdr *part = CMSG_FIRSTHDR(header);
	int fd = -1;

	if (part != NULL && part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(part), sizeof fd);
	return fd;
}

enum channel_status channel_receive(int channel, struct channel_message *message)
{
	uint32_t word = 0;
	struct iovec parts[2] = {
		{&word, sizeof word},
		{message->payload, sizeof message->payload},
	};
	union control control;
	struct msghdr header = {.msg_iov = parts,
		.msg_iovlen = 2,
		.msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes};
	ssize_t got;

	do
		got = recvmsg(channel, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == EAGAIN ? CHANNEL_NOTHING : CHANNEL_GONE;
	message->fd = detach(&header);
	if ((size_t)got < sizeof word) {
		if (message->fd >= 0)
			close(message->fd);
		return CHANNEL_GONE;
	}
	message->type = (enum channel_type)word;
	message->bytes = (size_t)got - sizeof word;
	return CHANNEL_GOT;
}

char *channel_block(struct channel_message *message, size_t *bytes)
{
	struct stat status;
	char *block = NULL;
	size_t used = 0;

	*bytes = 0;
	if (message->fd < 0)
		return NULL;
	if (fstat(message->fd, &status) == 0) {
		*bytes = (size_t)status.st_size;
		block = xcalloc(1, *bytes + 1);
	}
	while (block != NULL && used < *bytes) {
		ssize_t got = pread(message->fd, block + used, *bytes - used, (off_t)used);

		if (got <= 0) {
			free(block);
			block = NULL;
		} else {
			used += (size_t)got;
		}
	}
	close(message->fd);
	message->fd = -1;
	return block;
}
