/*
 * queue_read - messages as postqueue(1) prints them, one a line, never all at once
 *
 * Reasons hold what servers said, and that need not be UTF-8, without which it is no JSON: a line
 * that is none is tried once more with such bytes replaced.
 */
#include "ctl/queue.h"

#include "base/utf8.h"
#include "base/xmem.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FIRST_BYTES = 4096, CHUNK_BYTES = 65536 };

/* What was read of a line. */
struct line {
	char *text;
	size_t used, size;
	bool is_too_long;
};

static void add(struct line *line, const char *text, size_t bytes)
{
	line->is_too_long = line->is_too_long || line->used + bytes > QUEUE_LINE_BYTES;
	if (line->is_too_long || bytes == 0)
		return;
	if (line->used + bytes >= line->size) {
		line->size = line->size * 2 + FIRST_BYTES;
		if (line->size <= line->used + bytes)
			line->size = line->used + bytes + 1;
		line->text = xrealloc(line->text, line->size);
	}
	memcpy(line->text + line->used, text, bytes);
	line->used += bytes;
}

/* replace_bytes - of a text with a NUL behind it */
static void replace_bytes(char *text, size_t length)
{
	size_t bytes;

	for (size_t i = 0; i < length; i += bytes) {
		bytes = (unsigned char)text[i] < 0x80 ? 1 : utf8_length(text + i);
		if (bytes == 0) {
			text[i] = '?';
			bytes = 1;
		}
	}
}

static json_t *parse(struct line *line)
{
	json_error_t error;
	json_t *message = json_loadb(line->text, line->used, JSON_ALLOW_NUL, &error);

	if (message != NULL || json_error_code(&error) != json_error_invalid_utf8)
		return message;
	line->text[line->used] = '\0';
	replace_bytes(line->text, line->used);
	return json_loadb(line->text, line->used, JSON_ALLOW_NUL, &error);
}

/* finish - a line is all here */
static void finish(struct line *line, queue_message_fn *fn, void *arg, uint64_t *unreadable)
{
	json_t *message = line->is_too_long || line->used == 0 ? NULL : parse(line);

	if (json_is_object(message) && json_is_array(json_object_get(message, "recipients")))
		fn(arg, message);
	else if (line->used > 0 || line->is_too_long)
		++*unreadable;
	json_decref(message);
	line->used = 0;
	line->is_too_long = false;
}

bool queue_read(FILE *stream, queue_message_fn *fn, void *arg, uint64_t *unreadable)
{
	char *chunk = xcalloc(1, CHUNK_BYTES);
	struct line line = {0};
	ssize_t got;

	while ((got = read(fileno(stream), chunk, CHUNK_BYTES)) > 0 ||
		(got < 0 && errno == EINTR)) {
		const char *at = chunk, *end = chunk + (got > 0 ? got : 0), *newline;

		while ((newline = memchr(at, '\n', (size_t)(end - at))) != NULL) {
			add(&line, at, (size_t)(newline - at));
			finish(&line, fn, arg, unreadable);
			at = newline + 1;
		}
		add(&line, at, (size_t)(end - at));
	}
	finish(&line, fn, arg, unreadable);
	free(line.text);
	free(chunk);
	return got == 0;
}

FILE *queue_begin(const char *directory, pid_t *pid)
{
	const char *const argv[] = {"postqueue", "-c", directory, "-j", NULL};
	static const char *const environment[] = {
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin", "LC_ALL=C",
		NULL};
	static const char *const paths[] = {"/usr/sbin/postqueue", "/usr/bin/postqueue",
		"/usr/local/sbin/postqueue", "/usr/local/bin/postqueue"};
	posix_spawn_file_actions_t actions;
	int ends[2], error = ENOENT;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return NULL;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	for (size_t i = 0; i < sizeof paths / sizeof *paths && error == ENOENT; i++)
		error = posix_spawn(pid, paths[i], &actions, NULL, (char *const *)argv,
			(char *const *)environment);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	if (error == 0)
		return fdopen(ends[0], "r");
	close(ends[0]);
	errno = error;
	return NULL;
}

bool queue_end(FILE *stream, pid_t pid)
{
	int status;

	fclose(stream);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
