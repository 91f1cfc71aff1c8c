/*
 * broker - the keeper's side: connect to private/ sockets, by name
 *
 * A request is not trusted: it may hold any bytes, and what it asks for is looked up, never opened by its
 * spelling.  The path is made of the queue directory and a name that master.cf has.
 */
#include "broker.h"

#include "base/xmem.h"
#include "postfix/instance.h"
#include "postfix/site.h"
#include "probe/service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uthash.h>

enum { SEND_TIMEOUT_MS = 1000 };

/* A private/ socket that may be connected to. */
struct place {
	UT_hash_handle hh;
	char *key; /* "DIRECTORY\nNAME" */
	char *path;
	char *queue_directory;
};

struct broker {
	struct place *places;
};

struct broker *broker_new(void)
{
	return xcalloc(1, sizeof(struct broker));
}

void broker_free(struct broker *broker)
{
	struct place *place, *next;

	HASH_ITER(hh, broker->places, place, next)
	{
		HASH_DEL(broker->places, place); /* NOLINT(clang-analyzer-unix.Malloc): not the freed one */
		free(place->key);
		free(place->path);
		free(place->queue_directory);
		free(place);
	}
	free(broker);
}

static struct place *find(const struct broker *broker, const char *directory, const char *name)
{
	char *key = xasprintf("%s\n%s", directory, name);
	struct place *place;

	HASH_FIND_STR(broker->places, key, place);
	free(key);
	return place;
}

static void allow(struct broker *broker, const char *directory, const char *queue_directory,
	const char *name)
{
	struct place *place;

	if (find(broker, directory, name) != NULL)
		return;
	place = xcalloc(1, sizeof *place);
	place->key = xasprintf("%s\n%s", directory, name);
	place->queue_directory = xstrdup(queue_directory);
	place->path = xasprintf("%s/private/%s", queue_directory, name);
	HASH_ADD_KEYPTR(hh, broker->places, place->key, strlen(place->key), place);
}

/* is_name - what master.cf can have as the name of a UNIX service, and no path */
static bool is_name(const char *name)
{
	return *name != '\0' && strpbrk(name, "/\n") == NULL && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0 && strlen(name) < BROKER_NAME_BYTES;
}

/* What allow_socket() needs. */
struct learning {
	struct broker *broker;
	const struct site *site;
};

/* allow_socket - an LMTP server in private/ that configuration names: "lmtp:unix:private/dovecot-lmtp" */
static void allow_socket(void *arg, const char *hop, enum hop_role role)
{
	const struct learning *learning = arg;
	struct plan plan;
	char *queue_directory;
	const char *name;

	(void)role;
	site_plan(learning->site, hop, &plan);
	if (plan.kind != PLAN_SERVER || *plan.private_directory == '\0')
		return;
	name = strrchr(plan.target.path, '/') + 1;
	queue_directory = xstrndup(plan.target.path,
		(size_t)(name - plan.target.path) - strlen("/private/"));
	if (is_name(name))
		allow(learning->broker, plan.private_directory, queue_directory, name);
	free(queue_directory);
}

void broker_learn(struct broker *broker, const struct sources *sources)
{
	struct site *site = site_new(sources->conf, sources->postconfs, sources->count);
	struct learning learning = {broker, site};

	site_each_hop(site, allow_socket, &learning);
	site_unref(site);
	for (size_t i = 0; i < sources->count; i++) {
		struct instance *instance = instance_new(&sources->postconfs[i]);
		const struct service *services;
		size_t count;

		if (instance == NULL)
			continue;
		services = instance_services(instance, &count);
		for (size_t s = 0; s < count; s++)
			if (strcmp(services[s].type, "unix") == 0 && is_name(services[s].name) &&
				(service_is_agent(&services[s]) ||
					strcmp(services[s].command, "trivial-rewrite") == 0))
				allow(broker, instance_directory(instance),
					instance_parameter(instance, "queue_directory"),
					services[s].name);
		instance_free(instance);
	}
}

/* has_private - without that folder there is no Postfix here, and nothing is known about its services */
static bool has_private(const struct place *place)
{
	char *path = xasprintf("%s/private", place->queue_directory);
	bool is_there = access(path, F_OK) == 0;

	free(path);
	return is_there;
}

/* connect_to - -1 with errno set */
static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, error;

	if (strlen(path) >= sizeof address.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	(void)strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
		error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

/* open_place - of a request "DIRECTORY NUL NAME NUL"; -1 with errno set */
static int open_place(const struct broker *broker, const char *request, size_t bytes)
{
	size_t directory_bytes = strnlen(request, bytes) + 1, name_bytes;
	const struct place *place;

	errno = EPERM;
	if (directory_bytes >= bytes)
		return -1;
	name_bytes = strnlen(request + directory_bytes, bytes - directory_bytes) + 1;
	if (directory_bytes + name_bytes != bytes || strchr(request, '\n') != NULL ||
		!is_name(request + directory_bytes))
		return -1;
	place = find(broker, request, request + directory_bytes);
	if (place == NULL) {
		errno = EPERM;
		return -1;
	}
	if (!has_private(place)) {
		errno = ENOTDIR;
		return -1;
	}
	return connect_to(place->path);
}

bool broker_answer(const struct broker *broker, int channel, const struct channel_message *message)
{
	uint32_t answer[3] = {0, EPERM, 0}; /* the number of the request, errno, master(8) */
	bool is_sent;
	int fd = -1;

	if (message->bytes > sizeof answer[0]) {
		memcpy(&answer[0], message->payload, sizeof answer[0]);
		fd = open_place(broker, message->payload + sizeof answer[0],
			message->bytes - sizeof answer[0]);
		answer[1] = fd >= 0 ? 0 : (uint32_t)errno;
		if (fd >= 0)
			answer[2] = (uint32_t)service_master(fd);
	}
	is_sent = channel_send(channel, CHANNEL_OPENED, answer, sizeof answer, fd, SEND_TIMEOUT_MS);
	if (fd >= 0)
		close(fd);
	return is_sent;
}
