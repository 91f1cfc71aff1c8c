/*
 * lint_milters - does Postfix ask our milter, and what does it do when we are not there?
 *
 * In doubt about a name or an address nothing is said.
 */
#include "lint/lint_milter.h"
#include "lint/lint_private.h"

#include "base/cidr.h"
#include "base/xmem.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { CLIENT_PATIENCE_S = 300 }; /* RFC 5321 4.5.3.2: how long a client waits for a reply to RCPT */

/* Who asks milters. */
struct client {
	const struct service *service;
	const char *parameter; /* that lists them */
};

/* place_of - where the value of a parameter of that client stands; the caller frees *full */
static struct lint_place place_of(
	const struct lint *lint, const struct service *service, const char *parameter, char **full)
{
	struct lint_place place = {NULL, parameter};
	bool is_override = false;

	*full = xasprintf("%s/%s", service->name, service->type);
	(void)service_parameter(lint->instance, service, parameter, &is_override);
	if (is_override)
		place.service = *full;
	return place;
}

/* How a default action other than "accept" is told of. */
static const struct {
	const char *name;
	enum lint_severity severity;
	const char *text;
} actions[] = {
	{"tempfail", LINT_WARNING, "all mail is refused with 451 while failfast-milter is not there"},
	{"shutdown", LINT_WARNING, "clients are turned away while failfast-milter is not there"},
	{"quarantine", LINT_WARNING, "all mail goes to the hold queue while failfast-milter is not there"},
	{"reject", LINT_ERROR, "all mail is rejected for good while failfast-milter is not there"},
};

/* look_at_action - own: of the milter itself, else milter_default_action holds */
static void look_at_action(
	const struct lint *lint, const struct client *client, const struct lint_milter *milter)
{
	static const char global[] = "milter_default_action";
	const char *action = service_parameter(lint->instance, client->service, global, NULL);
	const char *text = "Postfix does not know this action, and refuses all mail with 451 while "
			   "failfast-milter is not there";
	struct lint_finding finding;
	struct lint_place place;
	char *full, *name;

	if (milter->action != NULL)
		action = milter->action;
	if (strcasecmp(action, "accept") == 0)
		return;
	place = place_of(lint, client->service, milter->action != NULL ? client->parameter : global,
		&full);
	finding = lint_at(lint, LINT_MILTER_DEFAULT_ACTION, &place);
	for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
		if (strcasecmp(actions[i].name, action) == 0) {
			finding.severity = actions[i].severity;
			text = actions[i].text;
		}
	name = lint_milter_name(lint);
	lint_put(finding.message, sizeof finding.message, "\"%.100s\": %s", action, text);
	lint_put(finding.fix, sizeof finding.fix, "in %s write { %s, default_action=accept }",
		client->parameter, name);
	lint_report(lint, &finding);
	free(name);
	free(full);
}

/* seconds_of - of a time as Postfix writes it, -1: none */
static long long seconds_of(const char *text)
{
	static const struct {
		char unit;
		long seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}, {'\0', 1}};
	char *end;
	long number = strtol(text, &end, 10);

	if (end == text || number < 0 || number > 1000000000)
		return -1;
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (units[i].unit == *end)
			return (long long)number * units[i].seconds;
	return -1;
}

/* look_at_timeout - one for which a client would not wait makes us the outage when we hang */
static void look_at_timeout(const struct lint *lint, const struct client *client, const char *own,
	const char *global, const char *option)
{
	const char *value = own != NULL ? own
					: service_parameter(lint->instance, client->service, global, NULL);
	struct lint_finding finding;
	struct lint_place place;
	char *full, *name;

	if (seconds_of(value) <= CLIENT_PATIENCE_S)
		return;
	name = lint_milter_name(lint);
	place = place_of(lint, client->service, own != NULL ? client->parameter : global, &full);
	finding = lint_at(lint, LINT_MILTER_TIMEOUT, &place);
	lint_put(finding.message, sizeof finding.message,
		"%.100s is longer than clients wait for a reply (%d s)", value, CLIENT_PATIENCE_S);
	lint_put(finding.fix, sizeof finding.fix, "in %s write { %s, default_action=accept, %s=3s }",
		client->parameter, name, option);
	lint_report(lint, &finding);
	free(full);
	free(name);
}

static void look_at_options(
	const struct lint *lint, const struct client *client, const struct lint_milter *milter)
{
	look_at_action(lint, client, milter);
	look_at_timeout(lint, client, milter->connect, "milter_connect_timeout", "connect_timeout");
	look_at_timeout(lint, client, milter->command, "milter_command_timeout", "command_timeout");
}

static void report_outside(
	const struct lint *lint, const struct client *client, const struct lint_milter *milter)
{
	char *full, *name = lint_milter_name(lint);
	const struct lint_place place = place_of(lint, client->service, client->parameter, &full);
	struct lint_finding finding = lint_at(lint, LINT_MILTER_UNREACHABLE, &place);

	lint_put(finding.message, sizeof finding.message,
		"%s %s is chrooted and cannot get at %s", client->service->name,
		client->service->command, milter->name);
	if (name[strlen("unix:")] != '/')
		lint_put(finding.fix, sizeof finding.fix, "name it %s, relative to queue_directory", name);
	else
		lint_put(finding.fix, sizeof finding.fix,
			"put listen of %s below %s, and name it relative to that", lint->conf->filename,
			instance_parameter(lint->instance, "queue_directory"));
	lint_report(lint, &finding);
	free(name);
	free(full);
}

/* is_without_milters - the listener says so itself */
static bool is_without_milters(const struct lint *lint, const struct listener *listener)
{
	return strstr(service_parameter(lint->instance, listener->smtpd, "receive_override_options",
			      NULL),
		       "no_milters") != NULL;
}

/* is_meant - no milters on purpose: what filters hand back, and a listener of this host with an empty list */
static bool is_meant(const struct lint *lint, const struct listener *listener)
{
	bool is_override;
	const char *list =
		service_parameter(lint->instance, listener->smtpd, "smtpd_milters", &is_override);
	bool is_local = listener->is_localhost ||
			(!listener->is_wildcard && cidr_is_loopback(&listener->address));

	return listener->is_reentry ||
	       (is_local && ((is_override && *list == '\0') || is_without_milters(lint, listener)));
}

/* report_not_asked - present: the milters that are asked */
static void report_not_asked(const struct lint *lint, const struct lint_place *place,
	enum lint_severity severity, const char *present, const char *message)
{
	struct lint_finding finding = lint_at(lint, LINT_MILTER_NOT_ASKED, place);
	char *name = lint_milter_name(lint), *value;

	value = strcmp(place->parameter, "non_smtpd_milters") == 0
			? xstrdup("$smtpd_milters")
			: xasprintf("{ %s, default_action=accept }%s%s", name,
				  *present != '\0' ? ", " : "", present);
	finding.severity = severity;
	lint_put(finding.message, sizeof finding.message, "%s", message);
	if (strcmp(place->parameter, "receive_override_options") == 0)
		lint_put(finding.fix, sizeof finding.fix, "take no_milters out");
	else
		lint_set_command(lint, &finding, place, "", value);
	lint_report(lint, &finding);
	free(value);
	free(name);
}

/* look_at_listener - true when it asks us */
static bool look_at_listener(const struct lint *lint, const struct listener *listener)
{
	const struct client client = {listener->smtpd, "smtpd_milters"};
	const char *list = service_parameter(lint->instance, listener->smtpd, "smtpd_milters", NULL);
	struct lint_milter milter;
	enum lint_found found = lint_find_milter(lint, list, service_is_chrooted(lint->instance, listener->smtpd), &milter);

	if (found == LINT_FOUND_NOT || is_without_milters(lint, listener)) {
		if (found != LINT_FOUND_NOT)
			lint_milter_free(&milter);
		return false;
	}
	if (found == LINT_FOUND)
		look_at_options(lint, &client, &milter);
	else
		report_outside(lint, &client, &milter);
	lint_milter_free(&milter);
	return true;
}

/* look_at_deaf - a listener that does not ask us although others do */
static void look_at_deaf(const struct lint *lint, const struct listener *listener, bool has_maps)
{
	const char *parameter = is_without_milters(lint, listener) ? "receive_override_options"
								   : "smtpd_milters";
	char *full, *message;
	const struct lint_place place = place_of(lint, listener->smtpd, parameter, &full);

	message = xasprintf("listener %s does not ask failfast-milter%s", listener->service->name,
		has_maps ? ", unless smtpd_milter_maps says so" : "");
	report_not_asked(lint, &place, has_maps ? LINT_INFO : LINT_WARNING,
		service_parameter(lint->instance, listener->smtpd, "smtpd_milters", NULL), message);
	free(message);
	free(full);
}

/* look_at_listeners - one finding when none asks us, else one for each that does not */
static void look_at_listeners(const struct lint *lint)
{
	const struct lint_place place = {NULL, "smtpd_milters"};
	size_t count, asking = 0, deaf = 0;
	const struct listener *listeners = instance_listeners(lint->instance, &count);
	bool *asks = xcalloc(count + 1, sizeof *asks);
	bool has_maps = *instance_parameter(lint->instance, "smtpd_milter_maps") != '\0';

	for (size_t i = 0; i < count; i++) {
		asks[i] = look_at_listener(lint, &listeners[i]);
		asking += asks[i];
		deaf += !asks[i] && !is_meant(lint, &listeners[i]);
	}
	if (asking == 0 && deaf > 0)
		report_not_asked(lint, &place, has_maps ? LINT_INFO : LINT_WARNING,
			instance_parameter(lint->instance, place.parameter),
			"Postfix does not ask failfast-milter for any mail that comes by SMTP");
	for (size_t i = 0; i < count && asking > 0; i++)
		if (!asks[i] && !is_meant(lint, &listeners[i]))
			look_at_deaf(lint, &listeners[i], has_maps);
	free(asks);
}

/* look_at_local_mail - cleanup(8) asks the milters of non_smtpd_milters */
static void look_at_local_mail(const struct lint *lint)
{
	static const char parameter[] = "non_smtpd_milters";
	static const struct service none = {"cleanup", "unix", "cleanup", "", "n", false};
	const struct service *cleanup = &none;
	const struct lint_place place = {NULL, parameter};
	struct lint_milter milter;
	enum lint_found found;
	size_t count;
	const struct service *services = instance_services(lint->instance, &count);

	for (size_t i = 0; i < count; i++)
		if (strcmp(services[i].name, "cleanup") == 0)
			cleanup = &services[i];
	found = lint_find_milter(lint, service_parameter(lint->instance, cleanup, parameter, NULL),
		service_is_chrooted(lint->instance, cleanup), &milter);
	if (found == LINT_FOUND_NOT) {
		report_not_asked(lint, &place, LINT_INFO, "",
			"mail of sendmail(1) is not looked at: it is neither tagged nor logged");
		return;
	}
	if (found == LINT_FOUND)
		look_at_options(lint, &(struct client){cleanup, parameter}, &milter);
	else
		report_outside(lint, &(struct client){cleanup, parameter}, &milter);
	lint_milter_free(&milter);
}

void lint_milters(const struct lint *lint)
{
	look_at_listeners(lint);
	look_at_local_mail(lint);
}
