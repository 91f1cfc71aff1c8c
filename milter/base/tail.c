/*
 * tail - the lines that somebody else appends to a file
 *
 * pread(2) at our own offset, because the descriptor may be shared with whoever opened it.  A line without an end is
 * kept until its end is written.
 */
#include "base/tail.h"

#include "base/xmem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct tail {
	int fd;
	off_t offset;	  /* of what is read next */
	size_t held;	  /* bytes of a line without an end */
	bool is_skipping; /* to the end of a line that is too long, or whose start we did not see */
	char buffer[TAIL_STEP_BYTES];
};

/* starts_line - is what comes next the start of a line? */
static bool starts_line(int fd, off_t offset)
{
	char before;

	return offset == 0 || pread(fd, &before, 1, offset - 1) != 1 || before == '\n';
}

struct tail *tail_new(int fd, bool is_at_end)
{
	struct tail *tail = xcalloc(1, sizeof *tail);
	struct stat status;

	tail->fd = fd;
	if (is_at_end && fstat(fd, &status) == 0) {
		tail->offset = status.st_size;
		tail->is_skipping = !starts_line(fd, tail->offset);
	}
	return tail;
}

void tail_free(struct tail *tail)
{
	if (tail == NULL)
		return;
	close(tail->fd);
	free(tail);
}

int tail_fd(const struct tail *tail)
{
	return tail->fd;
}

/* give_lines - hand out what is whole, and keep the rest */
static void give_lines(struct tail *tail, size_t bytes, tail_line_fn *fn, void *arg)
{
	const char *at = tail->buffer, *end = tail->buffer + bytes, *newline;

	while (at < end && (newline = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		if (!tail->is_skipping)
			fn(arg, at, (size_t)(newline - at));
		tail->is_skipping = false;
		at = newline + 1;
	}
	tail->held = (size_t)(end - at);
	memmove(tail->buffer, at, tail->held);
	if (tail->held == sizeof tail->buffer || tail->is_skipping) {
		tail->is_skipping = true;
		tail->held = 0;
	}
}

/* at_end - nothing more, unless the file was cut */
static enum tail_status at_end(struct tail *tail)
{
	struct stat status;

	if (fstat(tail->fd, &status) < 0)
		return TAIL_FAILED;
	if (status.st_size >= tail->offset)
		return TAIL_END;
	tail->offset = 0;
	tail->held = 0;
	tail->is_skipping = false;
	return TAIL_MORE;
}

enum tail_status tail_step(struct tail *tail, tail_line_fn *fn, void *arg)
{
	ssize_t got = pread(tail->fd, tail->buffer + tail->held, sizeof tail->buffer - tail->held,
		tail->offset);

	if (got < 0)
		return errno == EINTR ? TAIL_MORE : TAIL_FAILED;
	if (got == 0)
		return at_end(tail);
	tail->offset += got;
	give_lines(tail, tail->held + (size_t)got, fn, arg);
	return TAIL_MORE;
}
