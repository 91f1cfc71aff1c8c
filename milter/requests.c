/*
 * requests - the engine's side of the broker: what was asked and not answered yet
 *
 * Not more than BROKER_OUTSTANDING are with the keeper at a time, so that the channel never fills up; the others
 * wait here in the order in which they came.
 */
#include "base/descriptor.h"
#include "broker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

struct request {
	struct request *prev, *next;
	uint32_t number;
	bool is_sent;
	opener_done_fn *done; /* NULL: cancelled */
	void *arg;
	size_t bytes;
	char text[BROKER_DIRECTORY_BYTES + BROKER_NAME_BYTES]; /* "DIRECTORY NUL NAME NUL" */
};

struct requests {
	struct opener opener;
	struct request *list;
	unsigned outstanding;
	uint32_t last;
	int channel;
};

static bool send_request(struct requests *requests, struct request *request)
{
	char payload[sizeof request->number + sizeof request->text];

	memcpy(payload, &request->number, sizeof request->number);
	memcpy(payload + sizeof request->number, request->text, request->bytes);
	return channel_send(requests->channel, CHANNEL_OPEN, payload,
		sizeof request->number + request->bytes, -1, 0);
}

/* send_waiting - one that cannot be sent now goes with the next answer */
static void send_waiting(struct requests *requests)
{
	struct request *request;

	DL_FOREACH(requests->list, request)
	{
		if (requests->outstanding >= BROKER_OUTSTANDING)
			return;
		/* cppcheck-suppress uninitvar ; DL_FOREACH sets it */
		if (request->is_sent)
			continue;
		if (!send_request(requests, request))
			return;
		request->is_sent = true;
		requests->outstanding++;
	}
}

static uint32_t open_private(void *opener_arg, const char *directory, const char *name,
	opener_done_fn *done, void *arg)
{
	struct requests *requests = opener_arg;
	struct request *request = calloc(1, sizeof *request);

	if (request == NULL || strlen(directory) >= BROKER_DIRECTORY_BYTES ||
		strlen(name) >= BROKER_NAME_BYTES) {
		free(request);
		return 0;
	}
	if (++requests->last == 0)
		requests->last = 1;
	request->number = requests->last;
	request->done = done;
	request->arg = arg;
	request->bytes = (size_t)snprintf(request->text, sizeof request->text, "%s%c%s", directory,
				 '\0', name) +
			 1;
	DL_APPEND(requests->list, request);
	send_waiting(requests);
	return request->number;
}

static struct request *find(struct requests *requests, uint32_t number)
{
	struct request *request;

	DL_SEARCH_SCALAR(requests->list, request, number, number);
	return request;
}

static void cancel(void *opener_arg, uint32_t handle)
{
	struct requests *requests = opener_arg;
	struct request *request = find(requests, handle);

	if (request == NULL)
		return;
	if (request->is_sent) {
		request->done = NULL;
		return;
	}
	DL_DELETE(requests->list, request);
	free(request);
}

struct opener *requests_new(int channel)
{
	struct requests *requests = calloc(1, sizeof *requests);

	if (requests == NULL)
		return NULL;
	requests->channel = channel;
	requests->opener = (struct opener){open_private, cancel, requests};
	return &requests->opener;
}

void requests_answered(struct opener *opener, struct channel_message *message)
{
	struct requests *requests = opener->opener_arg;
	struct request *request = NULL;
	uint32_t answer[3];
	struct opened opened;

	if (message->bytes == sizeof answer) {
		memcpy(answer, message->payload, sizeof answer);
		request = find(requests, answer[0]);
	}
	if (request == NULL || request->done == NULL) {
		if (message->fd >= 0)
			close(message->fd);
	} else {
		opened = (struct opened){.fd = descriptor_for_probe(message->fd), .master = answer[2]};
		/* One that was sent and did not arrive found no room here. */
		if (opened.fd < 0)
			opened.error = answer[1] != 0 ? (int)answer[1] : EMFILE;
		request->done(request->arg, &opened);
	}
	message->fd = -1;
	if (request == NULL)
		return;
	DL_DELETE(requests->list, request);
	free(request);
	requests->outstanding--;
	send_waiting(requests);
}
