/*
 * deep - what the servers of a hop are probed for behind hello, from one probe to the next
 */
#include "probe/deep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

static struct deep_server *find(const struct deep *deep, uint64_t server)
{
	struct deep_server *found;

	DL_SEARCH_SCALAR(deep->servers, found, server, server);
	return found;
}

static void forget(struct deep *deep, struct deep_server *server)
{
	DL_DELETE(deep->servers, server);
	deep->count--;
	depth_free(&server->state);
	free(server);
}

/* meet - the server, which comes first then; NULL: out of memory */
static struct deep_server *meet(struct deep *deep, uint64_t server)
{
	struct deep_server *met = find(deep, server);

	if (met != NULL) {
		DL_DELETE(deep->servers, met);
	} else {
		met = calloc(1, sizeof *met);
		if (met == NULL)
			return NULL;
		met->server = server;
		if (deep->count == DEEP_SERVERS)
			forget(deep, deep->servers->prev);
		deep->count++;
	}
	DL_PREPEND(deep->servers, met);
	return met;
}

/* wants_tls - now and then, and at once when what is asked of the server is something else */
static bool wants_tls(struct deep_server *server, const struct deep_wish *wish, int64_t now_ms)
{
	uint64_t hash = plan_tls_hash(wish->tls) ^ (uint64_t)wish->depth;

	if (server->tls_hash != hash)
		depth_forget(&server->state, DEPTH_KIND_TLS);
	server->tls_hash = hash;
	return wish->depth >= DEPTH_TLS && depth_due(&server->state, DEPTH_KIND_TLS, now_ms);
}

static bool wants_auth(struct deep_server *server, const struct deep_wish *wish, int64_t now_ms)
{
	if (wish->uses_auth)
		return server->is_rechecking || depth_due(&server->state, DEPTH_KIND_AUTH, now_ms);
	depth_forget(&server->state, DEPTH_KIND_AUTH);
	return false;
}

/* wants_recipient - together with authentication, where there is any */
static bool wants_recipient(struct deep_server *server, const struct deep_wish *wish, bool has_auth,
	int64_t now_ms)
{
	if (*wish->recipient == '\0' || wish->depth < DEPTH_HELLO) {
		depth_forget(&server->state, DEPTH_KIND_RECIPIENT);
		return false;
	}
	if (wish->is_extra)
		return false;
	return wish->uses_auth ? has_auth : depth_due(&server->state, DEPTH_KIND_RECIPIENT, now_ms);
}

void deep_task(struct deep *deep, uint64_t server, const struct deep_wish *wish, int64_t now_ms,
	struct deep_task *task)
{
	bool is_deep = wish->depth >= DEPTH_TLS || wish->uses_auth || *wish->recipient != '\0';
	struct deep_server *met = is_deep ? meet(deep, server) : find(deep, server);

	*task = (struct deep_task){.depth = wish->shallow_depth};
	if (met == NULL)
		return;
	if (!is_deep) {
		forget(deep, met);
		return;
	}
	if (wants_tls(met, wish, now_ms))
		task->depth = DEPTH_TLS;
	task->has_auth = wants_auth(met, wish, now_ms);
	task->has_recipient = wants_recipient(met, wish, task->has_auth, now_ms);
	/* Postfix says neither before TLS, where it talks that. */
	if (task->has_auth || task->has_recipient)
		task->depth = DEPTH_TLS;
}

static bool is_latched(const struct deep_server *server)
{
	return server->state.kind[DEPTH_KIND_AUTH].is_latched;
}

bool deep_is_rejected(const struct deep *deep, const unsigned char print[DEEP_PRINT_BYTES])
{
	for (const struct deep_server *server = deep->servers; server != NULL; server = server->next) {
		if (is_latched(server) && memcmp(server->rejected, print,
						  server->has_short_print ? DEEP_SHORT_PRINT_BYTES
									  : DEEP_PRINT_BYTES) == 0)
			return true;
	}
	return false;
}

/* kind_of - what a fault belongs to: the last depth that was reached, unless its reason says better */
static int kind_of(const struct smtp_dialogue_result *result)
{
	int kind = DEPTH_KIND_COUNT - 1;

	if (result->reason == REASON_TLS_UNAVAILABLE || result->reason == REASON_TLS_HANDSHAKE ||
		result->reason == REASON_TLS_CERTIFICATE || result->reason == REASON_TLS_EXPIRING)
		return DEPTH_KIND_TLS;
	while (kind >= 0 && !result->is_deep[kind])
		kind--;
	return kind;
}

/* keep - each depth that was reached was fine but that one to which the outcome belongs */
static void keep(const struct deep *deep, struct deep_server *server, const struct smtp_dialogue_result *result,
	int64_t now_ms)
{
	static const struct outcome fine = {REASON_NONE, SEVERITY_NONE, false};
	const struct outcome outcome = {result->reason, result->severity, false};
	const int faulty = kind_of(result);

	for (int kind = 0; kind < DEPTH_KIND_COUNT; kind++)
		if (result->is_deep[kind])
			depth_record(&server->state, (enum depth_kind)kind, kind == faulty ? &outcome : &fine,
				result->detail, deep->down_interval_ms, now_ms);
}

/* keep_rejected - these credentials are not sent to it, for a server said no to them: maybe this one, now or before */
static void keep_rejected(const struct deep *deep, struct deep_server *server, const unsigned char *print,
	int64_t now_ms)
{
	static const struct outcome rejected = {REASON_AUTH_REJECTED, SEVERITY_DOWN, false};

	server->is_rechecking = false;
	memcpy(server->rejected, print, DEEP_PRINT_BYTES);
	server->has_short_print = false;
	if (!is_latched(server))
		depth_record(&server->state, DEPTH_KIND_AUTH, &rejected,
			"another server rejected the same user name and password", deep->down_interval_ms,
			now_ms);
}

void deep_take(struct deep *deep, uint64_t server, const unsigned char *print, bool is_spared,
	struct smtp_dialogue_result *result, int64_t now_ms)
{
	struct deep_server *met = find(deep, server);
	const struct outcome outcome = {result->reason, result->severity, false};
	const struct depth_fault *fault;

	if (met == NULL)
		return;
	keep(deep, met, result, now_ms);
	if (result->is_deep[DEPTH_KIND_AUTH] && result->reason != REASON_LOCAL_ERROR)
		met->is_rechecking = false;
	if (print != NULL && (is_spared || result->reason == REASON_AUTH_REJECTED))
		keep_rejected(deep, met, print, now_ms);
	if (result->severity == SEVERITY_DOWN || result->reason == REASON_LOCAL_ERROR)
		return;
	fault = depth_fault(&met->state, &outcome);
	if (fault == NULL)
		return;
	result->reason = fault->outcome.reason;
	result->severity = fault->outcome.severity;
	(void)snprintf(result->detail, sizeof result->detail, "%s", fault->detail);
}

void deep_doubt(struct deep *deep)
{
	for (struct deep_server *server = deep->servers; server != NULL; server = server->next)
		server->state.kind[DEPTH_KIND_TLS].due_ms = 0;
}

bool deep_recheck(struct deep *deep)
{
	bool is_due = false;

	for (struct deep_server *server = deep->servers; server != NULL; server = server->next) {
		if (is_latched(server))
			server->is_rechecking = true;
		if (depth_recheck(&server->state))
			is_due = true;
	}
	return is_due;
}

void deep_forget(struct deep *deep)
{
	while (deep->servers != NULL)
		forget(deep, deep->servers);
}

unsigned deep_latches(const struct deep *deep)
{
	unsigned count = 0;

	for (const struct deep_server *server = deep->servers; server != NULL; server = server->next)
		count += is_latched(server);
	return count;
}

struct deep_server *deep_add(struct deep *deep, uint64_t server)
{
	struct deep_server *added = calloc(1, sizeof *added);

	if (added == NULL)
		return NULL;
	added->server = server;
	DL_APPEND(deep->servers, added);
	deep->count++;
	return added;
}

/* copy_state - false when out of memory; what was copied is there then */
static bool copy_state(struct depth_state *to, const struct depth_state *from)
{
	*to = *from;
	for (int kind = 0; kind < DEPTH_KIND_COUNT; kind++)
		to->kind[kind].fault = NULL;
	for (int kind = 0; kind < DEPTH_KIND_COUNT; kind++) {
		if (from->kind[kind].fault == NULL)
			continue;
		to->kind[kind].fault = malloc(sizeof *to->kind[kind].fault);
		if (to->kind[kind].fault == NULL)
			return false;
		*to->kind[kind].fault = *from->kind[kind].fault;
	}
	return true;
}

bool deep_copy(struct deep *to, const struct deep *from)
{
	*to = (struct deep){.down_interval_ms = from->down_interval_ms};
	for (const struct deep_server *server = from->servers; server != NULL; server = server->next) {
		struct deep_server *copy = deep_add(to, server->server);

		if (copy == NULL || !copy_state(&copy->state, &server->state)) {
			deep_forget(to);
			return false;
		}
		copy->tls_hash = server->tls_hash;
		copy->is_rechecking = server->is_rechecking;
		copy->has_short_print = server->has_short_print;
		memcpy(copy->rejected, server->rejected, sizeof copy->rejected);
	}
	return true;
}

bool deep_is_blank(const struct deep *deep)
{
	for (const struct deep_server *server = deep->servers; server != NULL; server = server->next)
		for (int kind = 0; kind < DEPTH_KIND_COUNT; kind++)
			if (server->state.kind[kind].due_ms != 0 || server->state.kind[kind].fault != NULL)
				return false;
	return true;
}
