/*
 * fuzz_broker - whatever an engine asks for, the keeper opens nothing but what master.cf has as a delivery agent
 *
 * The input is the body of a request.  In the queue directory are sockets that may be opened, sockets that may not,
 * and one outside of it; all of them are there, so that a slip would succeed.
 */
#include "base/sockpath.h"
#include "broker.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static const char master_cf[] = "smtp unix - - n - - smtp\n"
				"rewrite unix - - n - - trivial-rewrite\n"
				"bounce unix - - n - 0 bounce\n"
				"../private/smtp unix - - n - - smtp\n"
				"../public unix - - n - - smtp\n";

/* Requests that are to be answered with a connection. */
static const char allowed[][16] = {"/etc/pf\0smtp", "/etc/pf\0rewrite"};

static struct broker *broker;
static int fds[2];
static char queue[] = "/tmp/fuzz_broker.XXXXXX";

static void remove_all(void)
{
	char *command = NULL;

	if (asprintf(&command, "rm -rf %s", queue) > 0)
		(void)!system(command);
	free(command);
}

static void listen_at(const char *name)
{
	static const struct sockpath_access ours = {(uid_t)-1, (gid_t)-1, 0600, (uid_t)-1, 0700};
	char path[128], error[SOCKPATH_ERROR_BYTES];

	(void)snprintf(path, sizeof path, "%s/%s", queue, name);
	if (sockpath_listen(path, &ours, error) < 0)
		abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char main_cf[256], conf_text[] = "user = \"\"\nlisten_group = \"\"\n";
	struct postconf postconf = {.directory = (char *)"/etc/pf",
		.main = main_cf,
		.services = (char *)master_cf,
		.parameters = (char *)""};
	FILE *fp = fmemopen(conf_text, strlen(conf_text), "r");
	const struct sources sources = {
		.conf = conf_parse(fp, "fuzz", NULL, NULL), .postconfs = &postconf, .count = 1};

	(void)argc;
	(void)argv;
	fclose(fp);
	if (mkdtemp(queue) == NULL)
		abort();
	(void)atexit(remove_all);
	(void)snprintf(main_cf, sizeof main_cf, "queue_directory = %s\n", queue);
	listen_at("private/smtp");
	listen_at("private/rewrite");
	listen_at("private/bounce");
	listen_at("private/other");
	listen_at("public");
	broker = broker_new();
	broker_learn(broker, &sources);
	conf_unref(sources.conf);
	if (!channel_pair(fds))
		abort();
	return 0;
}

static int is_allowed(const char *request, size_t bytes)
{
	for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
		size_t wanted = strlen(allowed[i]) + 1;

		wanted += strlen(allowed[i] + wanted) + 1;
		if (bytes == wanted && memcmp(request, allowed[i], bytes) == 0)
			return 1;
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct channel_message request, answer;
	uint32_t words[3];

	if (size == 0 || size > sizeof request.payload - sizeof words[0])
		return 0;
	request = (struct channel_message){.type = CHANNEL_OPEN, .bytes = sizeof words[0] + size, .fd = -1};
	memset(request.payload, 7, sizeof words[0]);
	memcpy(request.payload + sizeof words[0], data, size);
	if (!broker_answer(broker, fds[0], &request) || channel_receive(fds[1], &answer) != CHANNEL_GOT)
		__builtin_trap();
	memcpy(words, answer.payload, sizeof words);
	if (words[0] != 0x07070707)
		__builtin_trap();
	/* EAGAIN: nobody accepts, so the queue of the socket fills up; it is refused or not by then. */
	if ((answer.fd >= 0 || words[1] == EAGAIN) != is_allowed((const char *)data, size))
		__builtin_trap();
	if (answer.fd >= 0)
		close(answer.fd);
	return 0;
}
