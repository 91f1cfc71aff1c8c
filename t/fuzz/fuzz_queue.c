/*
 * fuzz_queue - a line of postqueue(1) holds what servers said: whatever that is, it is counted or told, and reasons stay
 * within bounds, one line, and UTF-8 where they were
 */
#include "ctl/queue.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the commands share is in a file of its own, which has more than is needed here. */
const char *ctl_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static void require(bool holds)
{
	if (!holds)
		__builtin_trap();
}

/* is_text - does jansson take it for UTF-8? */
static bool is_text(const char *text)
{
	json_t *string = json_string(text);
	bool is = string != NULL;

	json_decref(string);
	return is;
}

static void check_reason(const char *reason)
{
	char text[QUEUE_REASON_BYTES];
	struct queue_server server;

	queue_reason_normalize(text, reason);
	require(strnlen(text, sizeof text) < sizeof text);
	require(strpbrk(text, "\t\r\n") == NULL);
	require(!is_text(reason) || is_text(text));
	if (queue_reason_server(reason, &server)) {
		require(*server.name != '\0' && strstr(reason, server.name) != NULL);
		require(strstr(reason, server.address) != NULL);
		(void)queue_hops_match(reason, &server);
	}
	(void)queue_reason_is_reply(reason);
}

static void take(void *arg, const json_t *message)
{
	(void)queue_groups_add(arg, "/etc/postfix", message);
}

/* check_lines - as a stream */
static void check_lines(const uint8_t *data, size_t size)
{
	static const struct ctl ctl = {.socket = "/nonexistent/control.sock"};
	struct queue_hops *hops = queue_hops_new(&ctl);
	struct queue_groups *groups = queue_groups_new(hops);
	uint64_t unreadable = 0;
	FILE *stream;
	int ends[2];
	size_t count;

	/* What fits into a pipe needs no second process. */
	require(pipe(ends) == 0 && write(ends[1], data, size) == (ssize_t)size && close(ends[1]) == 0);
	stream = fdopen(ends[0], "r");
	require(stream != NULL && queue_read(stream, take, groups, &unreadable));
	fclose(stream);
	require(unreadable <= size);
	(void)queue_groups_sorted(groups, &count);
	require(queue_groups_total(groups)->messages <= size && count <= size);
	queue_groups_free(groups);
	queue_hops_free(hops);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum { PIPE_BYTES = 65536 };
	char *reason = malloc(size + 1);

	require(reason != NULL);
	memcpy(reason, data, size);
	reason[size] = '\0';
	check_reason(reason);
	free(reason);
	if (size <= PIPE_BYTES)
		check_lines(data, size);
	return 0;
}
