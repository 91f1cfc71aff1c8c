/*
 * job_request - what the plan of a hop asks of the prober
 */
#include "probe/sched_private.h"

#include <stdio.h>
#include <string.h>

/* fill_route - where the servers are to be found */
static void fill_route(
	const struct sched *sched, const struct plan *plan, struct probe_request *request)
{
	request->site = sched->site;
	request->instance = plan->instance;
	(void)snprintf(request->others, sizeof request->others, "%s", plan->others);
	request->fallbacks = plan->fallbacks;
	request->default_port = plan->default_port;
	request->uses_mx = plan->uses_mx;
	request->lookup = plan->lookup;
	request->first_family = plan->first_family;
	request->takes_alias = plan->takes_alias;
	request->is_balanced = plan->is_balanced;
	request->ignores_mx_error = plan->ignores_mx_error;
	request->own_name = plan->own_name;
	request->passes_loops = plan->passes_loops;
}

void job_request(const struct sched *sched, const char *name, const struct plan *plan,
	struct probe_request *request)
{
	memset(request, 0, sizeof *request);
	(void)snprintf(request->name, sizeof request->name, "%s", name);
	(void)snprintf(request->helo, sizeof request->helo, "%s", plan->helo);
	request->target = plan->target;
	(void)snprintf(request->private_directory, sizeof request->private_directory, "%s",
		plan->private_directory);
	request->depth = plan->depth;
	request->shallow_depth = plan->shallow_depth;
	request->tls = plan->tls;
	probe_auth_of(plan, &request->auth);
	request->socket_name = plan->socket_name;
	(void)snprintf(request->recipient, sizeof request->recipient, "%s", plan->recipient);
	request->expiry_warning_ms = site_conf(sched->site)->tls_expiry_warning_ms;
	request->connect_timeout_ms = sched_settings(sched)->connect_timeout_ms;
	request->reply_timeout_ms = sched_settings(sched)->reply_timeout_ms;
	request->slow_ms = site_conf(sched->site)->slow_ms;
	request->address_limit = plan->address_limit;
	request->use_ipv4 = plan->use_ipv4;
	request->use_ipv6 = plan->use_ipv6;
	request->has_bind4 = plan->has_bind4;
	request->has_bind6 = plan->has_bind6;
	request->bind4 = plan->bind4;
	request->bind6 = plan->bind6;
	fill_route(sched, plan, request);
}
