/*
 * deep - what a hop is probed for behind hello, from one probe to the next
 */
#include "probe/deep.h"

#include <stdio.h>
#include <stdlib.h>
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
	auth->is_short = deep->has_short_print;
	memcpy(auth->rejected, deep->rejected, sizeof auth->rejected);
}

/* may_use_tls - a certificate is for one nexthop; of the others of a list, and of fall-backs, no names are known */
static bool may_use_tls(const struct plan *plan)
{
	bool is_one = *plan->others == '\0' && *plan->fallbacks == '\0';

	return is_one || plan->tls.level <= TLS_LEVEL_ENCRYPT;
}

/* ask_tls - now and then, and at once when what is asked of the server is something else */
static void ask_tls(struct deep *deep, const struct plan *plan, int64_t now_ms, struct probe_request *request)
{
	uint64_t hash = plan_tls_hash(&plan->tls) ^ (uint64_t)plan->depth;

	if (deep->tls_hash != hash)
		depth_forget(&deep->state, DEPTH_KIND_TLS);
	deep->tls_hash = hash;
	if (plan->depth >= DEPTH_TLS && may_use_tls(plan) && depth_due(&deep->state, DEPTH_KIND_TLS, now_ms))
		request->depth = DEPTH_TLS;
}

void deep_ask(struct deep *deep, const struct plan *plan, int64_t now_ms, struct probe_request *request)
{
	bool uses_auth = plan->depth == DEPTH_AUTH && plan->auth.is_used;

	ask_tls(deep, plan, now_ms, request);
	if (!uses_auth)
		depth_forget(&deep->state, DEPTH_KIND_AUTH);
	else if (deep->is_rechecking || depth_due(&deep->state, DEPTH_KIND_AUTH, now_ms))
		ask_auth(deep, plan, &request->auth);
	if (*plan->recipient == '\0' || plan->depth < DEPTH_HELLO)
		depth_forget(&deep->state, DEPTH_KIND_RECIPIENT);
	else if (uses_auth ? request->auth.is_wanted : depth_due(&deep->state, DEPTH_KIND_RECIPIENT, now_ms))
		copy(request->recipient, sizeof request->recipient, plan->recipient);
	/* Postfix says neither before TLS, where it talks that. */
	if (may_use_tls(plan) && (request->auth.is_wanted || *request->recipient != '\0'))
		request->depth = DEPTH_TLS;
}

/* kind_of - what a fault belongs to: the last depth that the probe reached, unless its reason says better */
static int kind_of(const struct probe_result *result)
{
	enum reason reason = result->outcome[CHECK_SERVER].reason;
	int kind = DEPTH_KIND_COUNT - 1;

	if (reason == REASON_TLS_UNAVAILABLE || reason == REASON_TLS_HANDSHAKE ||
		reason == REASON_TLS_CERTIFICATE || reason == REASON_TLS_EXPIRING)
		return DEPTH_KIND_TLS;
	while (kind >= 0 && !result->is_deep[kind])
		kind--;
	return kind;
}

/* keep - each depth that the probe reached was fine but that one to which the outcome belongs */
static void keep(struct deep *deep, const struct probe_result *result)
{
	static const struct outcome fine = {REASON_NONE, SEVERITY_NONE, false};
	const int faulty = kind_of(result);

	for (int kind = 0; kind < DEPTH_KIND_COUNT; kind++)
		if (result->is_deep[kind])
			depth_record(&deep->state, (enum depth_kind)kind,
				kind == faulty ? &result->outcome[CHECK_SERVER] : &fine, result->detail,
				result->evidence_ms);
	if (result->is_deep[DEPTH_KIND_AUTH] && result->outcome[CHECK_SERVER].reason == REASON_AUTH_REJECTED) {
		memcpy(deep->rejected, result->print, sizeof deep->rejected);
		deep->has_short_print = false;
	}
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
	if (result->is_deep[DEPTH_KIND_TLS]) {
		findings->has_tls = true;
		findings->tls_not_after = result->tls_not_after;
	}
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

bool deep_copy(struct deep *to, const struct deep *from)
{
	*to = *from;
	for (int kind = 0; kind < DEPTH_KIND_COUNT; kind++)
		to->state.kind[kind].fault = NULL;
	for (int kind = 0; kind < DEPTH_KIND_COUNT; kind++) {
		const struct depth_fault *fault = from->state.kind[kind].fault;

		if (fault == NULL)
			continue;
		to->state.kind[kind].fault = malloc(sizeof *fault);
		if (to->state.kind[kind].fault == NULL) {
			deep_free(to);
			return false;
		}
		*to->state.kind[kind].fault = *fault;
	}
	return true;
}

bool deep_is_latched(const struct deep *deep)
{
	return deep->state.kind[DEPTH_KIND_AUTH].is_latched;
}

bool deep_is_blank(const struct deep *deep)
{
	for (int kind = 0; kind < DEPTH_KIND_COUNT; kind++)
		if (deep->state.kind[kind].due_ms != 0 || deep->state.kind[kind].fault != NULL)
			return false;
	return true;
}

void deep_free(struct deep *deep)
{
	depth_free(&deep->state);
}
