/*
 * logs - Postfix's log for an engine that may not open it
 *
 * A request is "DIRECTORY NUL", an answer an errno (0: a descriptor comes with it), "DIRECTORY NUL" and "PATH NUL".  A
 * path never comes from the engine: only what configuration names is opened.
 */
#include "logs.h"

#include "postfix/instance.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

enum { SEND_TIMEOUT_MS = 1000, DIRECTORY_BYTES = 1024 };

/* find - NULL when that instance is none of ours, or its log is not wanted */
static const struct postconf *find(const struct sources *sources, const char *directory)
{
	for (size_t i = 0; i < sources->count; i++)
		if (sources->conf->postfix[i].evidence == EVIDENCE_LOG &&
			strcmp(sources->postconfs[i].directory, directory) == 0)
			return &sources->postconfs[i];
	return NULL;
}

static void open_log(const struct sources *sources, const char *directory,
	struct maillog_opened *opened)
{
	const struct postconf *postconf = find(sources, directory);
	struct instance *instance = postconf != NULL ? instance_new(postconf) : NULL;

	*opened = (struct maillog_opened){.fd = -1, .error = EPERM};
	if (instance == NULL)
		return;
	maillog_open(instance_parameter(instance, "maillog_file"), opened);
	instance_free(instance);
}

bool logs_answer(const struct sources *sources, int channel, const struct channel_message *message)
{
	char payload[sizeof(uint32_t) + DIRECTORY_BYTES + MAILLOG_PATH_BYTES];
	size_t directory_bytes = message->bytes, path_bytes;
	struct maillog_opened opened;
	uint32_t error;
	bool is_sent;

	if (directory_bytes == 0 || directory_bytes > DIRECTORY_BYTES ||
		strnlen(message->payload, directory_bytes) != directory_bytes - 1)
		return true;
	open_log(sources, message->payload, &opened);
	error = (uint32_t)opened.error;
	path_bytes = strlen(opened.path) + 1;
	memcpy(payload, &error, sizeof error);
	memcpy(payload + sizeof error, message->payload, directory_bytes);
	memcpy(payload + sizeof error + directory_bytes, opened.path, path_bytes);
	is_sent = channel_send(channel, CHANNEL_LOG_OPENED, payload,
		sizeof error + directory_bytes + path_bytes, opened.fd, SEND_TIMEOUT_MS);
	if (opened.fd >= 0)
		close(opened.fd);
	return is_sent;
}

/* ask - one that cannot be sent now is asked again by who wants to know */
static bool ask(void *opener_arg, const char *directory)
{
	const int *channel = opener_arg;
	size_t bytes = strlen(directory) + 1;

	return bytes <= DIRECTORY_BYTES &&
	       channel_send(*channel, CHANNEL_LOG, directory, bytes, -1, 0);
}

const struct maillog_opener *logs_opener(int channel)
{
	static int its_channel;
	static const struct maillog_opener opener = {ask, &its_channel, NULL};

	its_channel = channel;
	return &opener;
}

const char *logs_answered(struct channel_message *message, struct maillog_opened *opened)
{
	const char *directory = message->payload + sizeof(uint32_t), *path;
	uint32_t error;
	size_t left;

	if (message->bytes <= sizeof error || message->bytes > sizeof message->payload ||
		message->payload[message->bytes - 1] != '\0')
		return NULL;
	left = message->bytes - sizeof error;
	path = directory + strlen(directory) + 1;
	if (path >= directory + left || strlen(path) >= sizeof opened->path)
		return NULL;
	memcpy(&error, message->payload, sizeof error);
	*opened = (struct maillog_opened){.fd = message->fd, .error = (int)error};
	(void)strcpy(opened->path, path);
	/* One that was sent and did not arrive found no room here. */
	if (opened->fd < 0 && opened->error == 0)
		opened->error = EMFILE;
	message->fd = -1;
	return directory;
}
