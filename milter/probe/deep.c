/*
 * deep - what a hop is probed for behind hello, from one probe to the next
 */
#include "probe/deep.h"

#include <stdio.h>
#include <string.h>

static void copy(char *out, size_t out_bytes, const char *text)
{
	(void)snprintf(out, out_bytes, "%s", text);
}

/* ask_auth - authenticate with this probe */
static void ask_auth(const struct deep *deep, const struct plan *plan, struct probe_auth *auth)
{
	const char *const options[] = {
		plan->auth.options, plan->auth.tls_options, plan->auth.verified_options};

	auth->is_wanted = true;
	copy(auth->host, sizeof auth->host, plan->target.lookup_mx ? "" : plan->auth.host);
	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		copy(auth->options[i], sizeof auth->options[i], options[i]);
	copy(auth->filter, sizeof auth->filter, plan->auth.filter);
	auth->may_be_plain = plan->auth.may_be_plain;
	auth->prefers_tls = plan->auth.prefers_tls;
	auth->has_rejected = deep->state.kind[DEPTH_KIND_AUTH].is_latched;
	memcpy(auth->rejected, deep->rejected, sizeof auth->rejected);
}

void deep_ask(struct deep *deep, const struct plan *plan, int64_t now_ms, struct probe_request *request)
{
	bool uses_auth = plan->depth == DEPTH_AUTH && plan->auth.is_used;

	if (!uses_auth)
		depth_forget(&deep->state, DEPTH_KIND_AUTH);
	else if (deep->is_rechecking || depth_due(&deep->state, DEPTH_KIND_AUTH, now_ms))
		ask_auth(deep, plan, &request->auth);
	if (*plan->recipient == '\0' || plan->depth < DEPTH_HELLO)
		depth_forget(&deep->state, DEPTH_KIND_RECIPIENT);
	else if (uses_auth ? request->auth.is_wanted : depth_due(&deep->state, DEPTH_KIND_RECIPIENT, now_ms))
		copy(request->recipient, sizeof request->recipient, plan->recipient);
}

/* keep - each depth that the probe reached was fine but the last, to which the outcome belongs */
static void keep(struct deep *deep, const struct probe_result *result)
{
	static const struct outcome fine = {REASON_NONE, SEVERITY_NONE, false};
	const struct outcome *outcome = &result->outcome[CHECK_SERVER];

	for (int kind = DEPTH_KIND_COUNT - 1; kind >= 0; kind--) {
		if (!result->is_deep[kind])
			continue;
		depth_record(&deep->state, (enum depth_kind)kind, outcome, result->detail, result->evidence_ms);
		outcome = &fine;
	}
	if (result->is_deep[DEPTH_KIND_AUTH] && result->outcome[CHECK_SERVER].reason == REASON_AUTH_REJECTED)
		memcpy(deep->rejected, result->print, sizeof deep->rejected);
	if (result->is_spared || result->is_deep[DEPTH_KIND_AUTH])
		deep->is_rechecking = false;
}

void deep_take(struct deep *deep, const struct probe_result *result, struct findings *findings)
{
	const struct depth_fault *fault;
	struct outcome *outcome = &findings->outcome[CHECK_SERVER];

	if (!result->has[CHECK_SERVER])
		return;
	keep(deep, result);
	if (outcome->severity == SEVERITY_DOWN || outcome->reason == REASON_LOCAL_ERROR)
		return;
	fault = depth_fault(&deep->state, outcome);
	if (fault == NULL)
		return;
	*outcome = fault->outcome;
	findings->detail = fault->detail;
}

bool deep_recheck(struct deep *deep)
{
	bool is_due = depth_recheck(&deep->state, DEPTH_KIND_AUTH);

	deep->is_rechecking = deep->is_rechecking || is_due;
	return is_due;
}

void deep_forget(struct deep *deep)
{
	for (int kind = 0; kind < DEPTH_KIND_COUNT; kind++)
		depth_forget(&deep->state, (enum depth_kind)kind);
	deep->is_rechecking = false;
}

void deep_free(struct deep *deep)
{
	depth_free(&deep->state);
}
