/*
 * terms - what is asked of each server, and by which name
 *
 * The nexthops of a list, and fall-backs, are each what smtp(8) looks up in smtp_tls_policy_maps
 * and smtp_sasl_password_maps, so each has terms of its own.  What is due at a server is known to
 * request.deep, which knows a server by a number: a hash of its nexthop, its name and its address.
 */
#include "probe/prober_private.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void probe_auth_of(const struct plan *plan, struct probe_auth *auth)
{
	*auth = (struct probe_auth){
		.is_wanted = plan->depth == DEPTH_AUTH && plan->auth.is_used,
		.options = {plan->auth.options, plan->auth.tls_options,
			plan->auth.verified_options},
		.filter = plan->auth.filter,
		.level = plan->auth.level,
	};
}

void terms_free(struct probe *probe)
{
	free(probe->plan);
	free(probe->names);
	probe->plan = NULL;
	probe->names = NULL;
}

/* take_plan - of a nexthop behind the first; where no Postfix is known there are no others */
static bool take_plan(struct probe *probe)
{
	const struct probe_request *request = &probe->request;
	struct terms *terms = &probe->terms;

	probe->plan = malloc(sizeof *probe->plan);
	if (probe->plan == NULL)
		return false;
	site_plan_nexthop(request->site, request->name, probe->number, probe->plan);
	probe_auth_of(probe->plan, &terms->own_auth);
	terms->depth = probe->plan->depth;
	terms->shallow_depth = probe->plan->shallow_depth;
	terms->tls = &probe->plan->tls;
	terms->auth = &terms->own_auth;
	return true;
}

bool terms_begin(struct probe *probe)
{
	const struct probe_request *request = &probe->request;

	terms_free(probe);
	probe->terms = (struct terms){.depth = request->depth,
		.shallow_depth = request->shallow_depth,
		.tls = &request->tls,
		.auth = &request->auth};
	return probe->number == 0 || request->site == NULL || take_plan(probe);
}

void terms_name_servers(struct probe *probe, const struct dns_answer *answer)
{
	free(probe->names);
	probe->names = NULL;
	if (!probe->target.lookup_mx && !probe->request.takes_alias)
		return;
	memcpy(probe->host, answer->host, answer->count * sizeof answer->host[0]);
	probe->names = malloc(answer->names * sizeof *probe->names);
	if (probe->names != NULL)
		memcpy(probe->names, answer->name, answer->names * sizeof *probe->names);
}

const char *terms_server_name(const struct probe *probe)
{
	const struct hop_target *target = &probe->target;

	if (target->is_unix)
		return probe->request.socket_name != NULL ? probe->request.socket_name : "";
	if (probe->names != NULL)
		return probe->names[probe->host[probe->at]];
	return target->lookup_mx ? "" : target->host;
}

static uint64_t add_text(uint64_t hash, const char *text)
{
	do
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3); /* FNV-1a */
	while (*text++ != '\0');
	return hash;
}

/* server_number - nobody gains by two that are equal */
static uint64_t server_number(const struct probe *probe)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325) + probe->number;

	return add_text(add_text(hash, terms_server_name(probe)), probe->peer);
}

void terms_ask(struct probe *probe)
{
	const struct probe_request *request = &probe->request;
	const struct deep_wish wish = {
		.depth = probe->terms.depth,
		.shallow_depth = probe->terms.shallow_depth,
		.tls = probe->terms.tls,
		.uses_auth = probe->terms.auth->is_wanted,
		.recipient = request->recipient,
		.is_extra = probe->is_extra,
	};

	if (request->deep == NULL) {
		probe->task = (struct deep_task){.depth = request->depth};
		return;
	}
	probe->server = server_number(probe);
	deep_task(request->deep, probe->server, &wish, clock_now_ms(), &probe->task);
}

/* take_credentials - that there were none, or that they could not be looked up, is the last that
 * can be said of a server */
static void take_credentials(const struct probe *probe, struct smtp_dialogue_result *result)
{
	if (result->reason != REASON_NONE ||
		(!probe->is_stranger && *probe->no_credentials == '\0'))
		return;
	result->is_deep[DEPTH_KIND_AUTH] = true;
	if (*probe->no_credentials == '\0')
		return;
	result->reason = REASON_LOCAL_ERROR;
	result->severity = SEVERITY_NONE;
	(void)snprintf(result->detail, sizeof result->detail, "%s", probe->no_credentials);
}

void terms_found(struct probe *probe, struct smtp_dialogue_result *result)
{
	struct deep *deep = probe->request.deep;

	if (deep == NULL)
		return;
	take_credentials(probe, result);
	deep_take(deep, probe->server, probe->has_print ? probe->print : NULL, probe->is_spared,
		result, clock_now_ms());
}
