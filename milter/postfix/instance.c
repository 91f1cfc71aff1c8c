/*
 * instance - one Postfix instance: parameters and services
 *
 * The texts of postconf(1) are copied once and cut up in place: names and values point into the copy.
 */
#include "postfix/instance_private.h"

#include "base/xmem.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct parameter {
	UT_hash_handle hh;
	const char *name; /* "relayhost", or "127.0.0.1:10025/inet/content_filter" */
	const char *value;
};

/* add_parameters - cut "name = value" lines */
static void add_parameters(struct parameter **hash, char *text)
{
	char *rest = NULL;

	for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
		char *equals = strstr(line, " =");
		struct parameter *parameter, *old;

		if (equals == NULL)
			continue;
		*equals = '\0';
		HASH_FIND_STR(*hash, line, old);
		if (old != NULL)
			continue;
		parameter = xcalloc(1, sizeof *parameter);
		parameter->name = line;
		parameter->value = equals + 2 + strspn(equals + 2, " \t");
		HASH_ADD_KEYPTR(hh, *hash, parameter->name, strlen(parameter->name), parameter);
	}
}

static void free_parameters(struct parameter **hash)
{
	struct parameter *parameter, *next;

	HASH_ITER(hh, *hash, parameter, next)
	{
		HASH_DEL(*hash, parameter); /* NOLINT(clang-analyzer-unix.Malloc): not the freed one */
		free(parameter);
	}
}

static const char *find_parameter(struct parameter *hash, const char *name)
{
	struct parameter *parameter;

	HASH_FIND_STR(hash, name, parameter);
	return parameter != NULL ? parameter->value : NULL;
}

/* add_services - cut "name type private unpriv chroot wakeup maxproc command args" lines */
static void add_services(struct instance *instance, char *text)
{
	enum { CHROOT_FIELD = 4, COMMAND_FIELD = 7, FIELDS };
	char *rest_of_text = NULL;

	for (char *line = strtok_r(text, "\n", &rest_of_text); line != NULL;
		line = strtok_r(NULL, "\n", &rest_of_text)) {
		char *field[FIELDS], *rest = NULL;
		int count = 0;

		rest = line;
		while (count < FIELDS && (field[count] = strsep(&rest, " \t")) != NULL)
			if (*field[count] != '\0')
				count++;
		if (count < FIELDS)
			continue;
		instance->services = xrealloc(instance->services,
			(instance->service_count + 1) * sizeof *instance->services);
		instance->services[instance->service_count++] =
			(struct service){field[0], field[1], field[COMMAND_FIELD], rest != NULL ? rest : "",
				field[CHROOT_FIELD], false};
	}
}

static int by_name_and_type(const void *a, const void *b)
{
	const struct service *one = *(const struct service *const *)a;
	const struct service *other = *(const struct service *const *)b;
	int order = strcmp(one->name, other->name);

	return order != 0 ? order : strcmp(one->type, other->type);
}

/* by_line - of services of the same name, the first of master.cf goes first */
static int by_line(const void *a, const void *b)
{
	const struct service *one = *(const struct service *const *)a;
	const struct service *other = *(const struct service *const *)b;
	int order = by_name_and_type(a, b);

	return order != 0 ? order : (one > other) - (one < other);
}

/* index_services - there may be thousands, and mail looks them up */
static void index_services(struct instance *instance)
{
	instance->by_name = xcalloc(instance->service_count + 1, sizeof(struct service *));
	for (size_t i = 0; i < instance->service_count; i++)
		instance->by_name[i] = &instance->services[i];
	qsort(instance->by_name, instance->service_count, sizeof(struct service *), by_line);
	for (size_t i = 0; i < instance->service_count; i++)
		if (i == 0 || by_name_and_type(&instance->by_name[i - 1], &instance->by_name[i]) != 0)
			instance->by_name[instance->by_name_count++] = instance->by_name[i];
}

/* each_override - of "NAME/TYPE/PARAMETER" */
static void each_override(const struct parameter *override,
	void (*fn)(void *arg, const char *service, const char *name, const char *value), void *arg)
{
	const char *slash = strrchr(override->name, '/');
	char *service;

	if (slash == NULL)
		return;
	service = xstrndup(override->name, (size_t)(slash - override->name));
	fn(arg, service, slash + 1, override->value);
	free(service);
}

/* mark_overridden - a service that has a parameter of its own */
static void mark_overridden(void *arg, const char *service, const char *name, const char *value)
{
	struct instance *instance = arg;
	const char *slash = strrchr(service, '/');
	char *service_name;
	const struct service *found;

	(void)name;
	(void)value;
	if (slash == NULL)
		return;
	service_name = xstrndup(service, (size_t)(slash - service));
	found = instance_service(instance, service_name, slash + 1);
	free(service_name);
	if (found != NULL)
		instance->services[found - instance->services].is_plain = false;
}

/* mark_plain - most services have no parameters of their own, and a plan asks for dozens.  A second service of the same
 * name and type is not in the index, and stays unmarked. */
static void mark_plain(struct instance *instance)
{
	for (size_t i = 0; i < instance->by_name_count; i++)
		instance->services[instance->by_name[i] - instance->services].is_plain = true;
	for (const struct parameter *override = instance->overrides; override != NULL; override = override->hh.next)
		each_override(override, mark_overridden, instance);
}

struct instance *instance_new(const struct postconf *postconf)
{
	struct instance *instance;

	if (postconf->error != NULL)
		return NULL;
	instance = xcalloc(1, sizeof *instance);
	instance->text[0] = xstrdup(postconf->main);
	instance->text[1] = xstrdup(postconf->services);
	instance->text[2] = xstrdup(postconf->parameters);
	instance->directory = xstrdup(postconf->directory);
	instance->hops = xstrdup(postconf->hops != NULL ? postconf->hops : "");
	instance->policies = xstrdup(postconf->policies != NULL ? postconf->policies : "");
	add_parameters(&instance->main, instance->text[0]);
	add_services(instance, instance->text[1]);
	index_services(instance);
	add_parameters(&instance->overrides, instance->text[2]);
	mark_plain(instance);
	instance->network_blocks = xstrdup(postconf->networks != NULL ? postconf->networks : "");
	instance->networks =
		networks_new(instance_parameter(instance, "mynetworks"), instance->network_blocks);
	listeners_build(instance);
	return instance;
}

void instance_free(struct instance *instance)
{
	if (instance == NULL)
		return;
	free_parameters(&instance->main);
	free_parameters(&instance->overrides);
	for (size_t i = 0; i < sizeof instance->text / sizeof instance->text[0]; i++)
		free(instance->text[i]);
	free(instance->hops);
	free(instance->policies);
	free(instance->services);
	free(instance->by_name);
	for (size_t i = 0; i < instance->listener_count; i++)
		networks_free(instance->listeners[i].networks);
	free(instance->listeners);
	networks_free(instance->networks);
	networks_free(instance->interfaces);
	free(instance->network_blocks);
	free(instance->directory);
	free(instance);
}

const char *instance_directory(const struct instance *instance)
{
	return instance->directory;
}

const char *instance_parameter(const struct instance *instance, const char *name)
{
	const char *value = find_parameter(instance->main, name);

	return value != NULL ? value : "";
}

void instance_each_parameter(const struct instance *instance,
	void (*fn)(void *arg, const char *service, const char *name, const char *value), void *arg)
{
	for (const struct parameter *parameter = instance->main; parameter != NULL;
		parameter = parameter->hh.next)
		fn(arg, NULL, parameter->name, parameter->value);
	for (const struct parameter *parameter = instance->overrides; parameter != NULL;
		parameter = parameter->hh.next)
		each_override(parameter, fn, arg);
}

const struct service *instance_service(const struct instance *instance, const char *name,
	const char *type)
{
	const struct service wanted = {.name = name, .type = type}, *key = &wanted;
	const struct service *const *found = bsearch(&key, instance->by_name,
		instance->by_name_count, sizeof(struct service *), by_name_and_type);

	return found != NULL ? *found : NULL;
}

const char *instance_hops(const struct instance *instance)
{
	return instance->hops;
}

const char *instance_policies(const struct instance *instance)
{
	return instance->policies;
}

const struct service *instance_services(const struct instance *instance, size_t *count)
{
	*count = instance->service_count;
	return instance->services;
}

bool service_is_agent(const struct service *service)
{
	/* The other daemons of Postfix.  What is none of them is somebody's own agent, or a program that does not
	 * exist: then master(8) cannot start it, which is a fault to be seen. */
	static const char *const others[] = {"anvil", "bounce", "cleanup", "dnsblog", "flush", "master",
		"oqmgr", "pickup", "postlogd", "postscreen", "proxymap", "qmgr", "qmqpd", "scache",
		"showq", "smtpd", "spawn", "tlsmgr", "tlsproxy", "trivial-rewrite", "verify"};

	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (strcmp(service->command, others[i]) == 0)
			return false;
	return true;
}

const char *instance_rewrite_service(const struct instance *instance)
{
	const char *name = instance_parameter(instance, "rewrite_service_name");

	return *name != '\0' ? name : "rewrite";
}

const struct service *instance_transport(const struct instance *instance, const char *name)
{
	return instance_service(instance, name, "unix");
}

bool service_is_chrooted(const struct instance *instance, const struct service *service)
{
	/* The default changed with compatibility_level 1 (master(5)). */
	if (*service->chroot == '-')
		return strcmp(instance_parameter(instance, "compatibility_level"), "0") == 0;
	return *service->chroot == 'y';
}

const char *service_parameter(const struct instance *instance, const struct service *service,
	const char *name, bool *is_override)
{
	const char *value = NULL;

	if (!service->is_plain) {
		char *key = xasprintf("%s/%s/%s", service->name, service->type, name);

		value = find_parameter(instance->overrides, key);
		free(key);
	}
	if (is_override != NULL)
		*is_override = value != NULL;
	return value != NULL ? value : instance_parameter(instance, name);
}
