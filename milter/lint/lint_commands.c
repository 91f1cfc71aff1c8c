/*
 * lint_commands - the programs that master.cf names: Postfix's own, and those behind pipe(8) and spawn(8)
 */
#include "lint/lint_private.h"

#include "base/xmem.h"
#include "probe/command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Services with a fault that nothing seems to use: distributions ship master.cf with some. */
struct unused {
	char *names; /* "a, b", NULL: none */
};

/* Is the socket of a service in the value of some parameter? */
struct search {
	char *socket;
	bool is_found;
};

static void find_socket(void *arg, const char *service, const char *name, const char *value)
{
	struct search *search = arg;

	(void)service;
	(void)name;
	search->is_found |= strstr(value, search->socket) != NULL;
}

/* is_used - by mail, or by smtpd(8) that asks it (check_policy_service and the like) */
static bool is_used(const struct lint *lint, const struct service *service)
{
	struct search search = {NULL, false};

	if (strcmp(service->type, "unix") != 0 || lint_knows(lint->used, service->name))
		return true;
	if (strcmp(service->command, "spawn") != 0)
		return !service_is_agent(service);
	search.socket = xasprintf("private/%s", service->name);
	instance_each_parameter(lint->instance, find_socket, &search);
	free(search.socket);
	return search.is_found;
}

static void add_unused(struct unused *unused, const char *name)
{
	char *names = unused->names != NULL ? xasprintf("%s, %s", unused->names, name) : xstrdup(name);

	free(unused->names);
	unused->names = names;
}

static void report(const struct lint *lint, const struct service *service, enum lint_check check,
	const char *message)
{
	const char *directory = instance_directory(lint->instance);
	char *name = xasprintf("%s/%s", service->name, service->type);
	const struct lint_place place = {name, NULL};
	struct lint_finding finding = lint_at(lint, check, &place);

	lint_put(finding.message, sizeof finding.message, "%s", message);
	if (check == LINT_COMMAND_MISSING)
		lint_put(finding.fix, sizeof finding.fix,
			"correct user= and argv= of %s in %s/master.cf, then: postfix -c %s reload",
			service->name, directory, directory);
	else
		lint_put(finding.fix, sizeof finding.fix,
			"install the program, or correct the last column of %s in %s/master.cf, then: "
			"postfix -c %s reload",
			service->name, directory, directory);
	lint_report(lint, &finding);
	free(name);
}

/* report_unused - all of them in one remark */
static void report_unused(const struct lint *lint, const struct unused *unused)
{
	const struct lint_place place = {"", NULL};
	struct lint_finding finding = lint_at(lint, LINT_COMMAND_MISSING, &place);

	finding.severity = LINT_INFO;
	lint_put(finding.message, sizeof finding.message,
		"programs or users of services that nothing names are missing: %s", unused->names);
	lint_put(finding.fix, sizeof finding.fix, "nothing, or: postconf -c %s -MX SERVICE/unix",
		instance_directory(lint->instance));
	lint_report(lint, &finding);
}

/* program_fault - why master(8) cannot start it; NULL: it can, or we may not look */
static const char *program_fault(const char *path)
{
	struct stat status;

	if (stat(path, &status) < 0)
		return errno == ENOENT || errno == ENOTDIR ? "does not exist" : NULL;
	if (!S_ISREG(status.st_mode))
		return "is not a file";
	return (status.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0 ? "may not be executed" : NULL;
}

/* look_at_program - master(8) starts daemon_directory/COMMAND, whatever COMMAND looks like; the caller frees what is
 * wrong, NULL: nothing */
static char *look_at_program(const struct lint *lint, const struct service *service)
{
	char *path = xasprintf("%s/%s", instance_parameter(lint->instance, "daemon_directory"),
		service->command);
	const char *fault = program_fault(path);
	char *message = fault != NULL ? xasprintf("its program %s %s", path, fault) : NULL;

	free(path);
	return message;
}

/* look_at_command - spawn(8) reads user= and argv= as pipe(8) does */
static char *look_at_command(const struct lint *lint, const struct service *service)
{
	char detail[COMMAND_DETAIL_BYTES];
	struct outcome outcome;

	if (strcmp(service->command, "pipe") != 0 && strcmp(service->command, "spawn") != 0)
		return NULL;
	command_check(service->arguments, instance_parameter(lint->instance, "mail_owner"), &outcome,
		detail);
	return outcome.reason == REASON_COMMAND_MISSING ? xstrdup(detail) : NULL;
}

static void look(const struct lint *lint, const struct service *service, struct unused *unused)
{
	enum lint_check check = LINT_PROGRAM_MISSING;
	char *message = look_at_program(lint, service);

	if (message == NULL) {
		check = LINT_COMMAND_MISSING;
		message = look_at_command(lint, service);
	}
	if (message != NULL && is_used(lint, service))
		report(lint, service, check, message);
	else if (message != NULL)
		add_unused(unused, service->name);
	free(message);
}

void lint_commands(const struct lint *lint)
{
	struct unused unused = {NULL};
	size_t count;
	const struct service *services = instance_services(lint->instance, &count);

	for (size_t i = 0; i < count; i++)
		look(lint, &services[i], &unused);
	if (unused.names != NULL)
		report_unused(lint, &unused);
	free(unused.names);
}
