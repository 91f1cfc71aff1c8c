/*
 * prober - one probe of one server: resolve, connect, greeting, hello, QUIT
 *
 * Addresses are tried one after the other, as smtp(8) does, until one works; the next is tried only
 * when the connection to the last is closed, so a server sees one connection of ours at a time.
 */
#include "probe/prober_private.h"

#include "base/clock.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The keeper looks up two keys, for 3 s each at most, and may be busy with another one. */
enum { KEYRING_LIMIT_MS = 15000 };

struct prober *prober_new(struct event_base *base, const struct opener *opener)
{
	struct prober *prober = calloc(1, sizeof *prober);

	if (prober == NULL)
		return NULL;
	prober->base = base;
	prober->opener = opener;
	credentials_start(prober);
	prober->dns = dns_new(base, NULL);
	prober->tls = tls_store_new();
	if (prober->dns == NULL || prober->tls == NULL) {
		if (prober->dns != NULL)
			dns_free(prober->dns);
		tls_store_free(prober->tls);
		free(prober);
		return NULL;
	}
	return prober;
}

void prober_free(struct prober *prober)
{
	dns_free(prober->dns);
	tls_store_free(prober->tls);
	free(prober);
}

/* may_look_up - the first nexthop, or any behind it */
static bool may_look_up(const struct probe_request *request)
{
	return prober_needs_lookup(&request->target) || nexthops_count(request) > 1;
}

int64_t prober_limit_ms(const struct probe_request *request)
{
	int64_t addresses = 1, lookup = 0, nexthops = nexthops_count(request);
	/* One behind the first may have a stricter TLS policy. */
	bool may_tls = request->depth >= DEPTH_TLS || nexthops > 1;
	int64_t replies = SMTP_DIALOGUE_REPLIES + (may_tls ? SMTP_DIALOGUE_TLS_REPLIES : 0) +
			  (request->auth.is_wanted ? SMTP_DIALOGUE_AUTH_REPLIES * SMTP_DIALOGUE_AUTH_PATIENCE : 0) +
			  (*request->recipient != '\0' ? SMTP_DIALOGUE_RECIPIENT_REPLIES : 0);
	int64_t each = request->connect_timeout_ms + replies * request->reply_timeout_ms +
		       SMTP_DIALOGUE_QUIT_MS + (request->auth.is_wanted ? KEYRING_LIMIT_MS : 0);

	if (may_look_up(request)) {
		bool is_limited =
			request->address_limit > 0 && request->address_limit < DNS_ADDRESSES;

		addresses = is_limited ? request->address_limit : DNS_ADDRESSES;
		lookup = request->reply_timeout_ms;
	}
	return nexthops * (lookup + addresses * each);
}

static void probe_free(struct probe *probe)
{
	if (probe->begin != NULL)
		event_free(probe->begin);
	if (probe->lookup != NULL)
		dns_cancel(probe->lookup);
	if (probe->connecting != NULL)
		connect_cancel(probe->connecting);
	if (probe->dialogue != NULL)
		smtp_dialogue_cancel(probe->dialogue);
	if (probe->opening != 0)
		probe->prober->opener->cancel(probe->prober->opener->opener_arg, probe->opening);
	if (probe->asking != 0)
		probe->prober->keyring->cancel(probe->prober->keyring->keyring_arg, probe->asking);
	terms_free(probe);
	site_unref(probe->request.site);
	credentials_wipe(probe);
	free(probe);
}

void prober_release(struct probe *probe)
{
	probe_released_fn *released = probe->released;
	void *arg = probe->arg;

	probe_free(probe);
	released(arg);
}

/* report - the result is complete; false when the probe was cancelled by who heard it and is gone
 */
static bool report(struct probe *probe)
{
	probe->result.evidence_ms = clock_now_ms();
	probe->is_done = true;
	probe->is_reporting = true;
	probe->done(probe->arg, &probe->result);
	probe->is_reporting = false;
	if (!probe->is_cancelled)
		return true;
	probe_free(probe);
	return false;
}

/* prober_end - report where no connection has to be closed any more */
void prober_end(struct probe *probe)
{
	if (report(probe))
		prober_release(probe);
}

/* is_last - there is nothing behind the address that was tried */
static bool is_last(const struct probe *probe)
{
	return probe->at + 1 >= probe->count && !nexthops_has_more(probe);
}

/* prober_next_nexthop - the one that was tried does not work */
void prober_next_nexthop(struct probe *probe)
{
	if (nexthops_next(probe)) {
		prober_begin_nexthop(probe);
		return;
	}
	attempts_settle_failure(probe);
	prober_end(probe);
}

/* next_address - after a failure without a connection */
static void next_address(struct probe *probe)
{
	if (probe->is_extra) {
		prober_release(probe);
	} else if (probe->at + 1 < probe->count) {
		probe->at++;
		prober_try_address(probe);
	} else {
		prober_next_nexthop(probe);
	}
}

/* go_on - the result was told; try one server more */
static void go_on(struct probe *probe)
{
	nexthops_begin_extra(probe);
	if (nexthops_extra(probe))
		prober_begin_nexthop(probe);
	else
		prober_release(probe);
}

/* failed - an address does not work */
static void failed(struct probe *probe, enum progress progress, enum reason reason,
	const char *detail, int64_t latency_us)
{
	if (!probe->is_extra)
		attempts_failed(probe, progress, reason, detail, latency_us);
	else if (reason != REASON_LOCAL_ERROR)
		attempts_extra_failed(probe, reason, detail);
}

static void on_dialogue_done(void *arg, const struct smtp_dialogue_result *result)
{
	struct probe *probe = arg;
	struct smtp_dialogue_result known = *result;

	credentials_wipe(probe);
	terms_found(probe, &known);
	if (probe->is_extra) {
		if (known.severity == SEVERITY_DOWN)
			failed(probe, PROGRESS_CONNECTED, known.reason, known.detail, -1);
		else if (known.reason != REASON_LOCAL_ERROR)
			parts_works(probe->request.parts, probe->peer);
		return;
	}
	/* From the best of its servers smtp(8) lets such mail bounce. */
	if (known.reason == REASON_LOOP && probe->is_best[probe->at]) {
		probe->is_final = true;
		probe->count = probe->at + 1;
	}
	if (attempts_dialogue(probe, &known)) {
		probe->result.goes_on = known.reason == REASON_NONE && nexthops_wants_extra(probe);
	} else {
		log_debug("%s: %s", probe->request.name, known.detail);
		if (!is_last(probe))
			return;
		attempts_settle_failure(probe);
	}
	(void)report(probe);
}

static void on_dialogue_closed(void *arg)
{
	struct probe *probe = arg;

	probe->dialogue = NULL;
	if (probe->is_done && probe->result.goes_on && !probe->is_extra)
		go_on(probe);
	else if (probe->is_done)
		prober_release(probe);
	else
		next_address(probe);
}

static void out_of_memory(struct probe *probe)
{
	failed(probe, PROGRESS_OURS, REASON_LOCAL_ERROR, "out of memory", -1);
	next_address(probe);
}

static void begin_dialogue(struct probe *probe, int fd, int64_t start_us)
{
	const struct probe_request *request = &probe->request;
	struct smtp_dialogue_request dialogue = {
		.protocol = probe->target.protocol,
		.depth = probe->task.depth,
		.reply_timeout_ms = request->reply_timeout_ms,
		.start_us = start_us,
		.helo = request->helo,
		.peer = probe->peer,
		.name = request->name,
		.auth = credentials_for_dialogue(probe),
		.tls = probe->terms.tls,
		.store = probe->prober->tls,
		.host = terms_server_name(probe),
		.expiry_warning_ms = request->expiry_warning_ms,
		.trace = request->trace,
		.own_name = prober_looks_for_itself(probe) ? request->own_name : NULL,
	};

	/* Where we are strangers although Postfix is not, the answer would mean nothing. */
	if (probe->task.has_recipient && *probe->no_credentials == '\0' && !probe->is_spared)
		dialogue.recipient = request->recipient;
	trace_step(request->trace, TRACE_CONNECT, TRACE_NOTE, "connected to %s", probe->peer);
	probe->dialogue = smtp_dialogue_start(
		probe->prober->base, fd, &dialogue, on_dialogue_done, on_dialogue_closed, probe);
	if (probe->dialogue == NULL)
		out_of_memory(probe);
}

static void on_connected(void *arg, const struct connect_result *result)
{
	struct probe *probe = arg;
	char detail[PROBE_DETAIL_BYTES];

	probe->connecting = NULL;
	if (result->reason == REASON_NONE) {
		begin_dialogue(probe, result->fd, result->start_us);
		return;
	}
	(void)snprintf(
		detail, sizeof detail, "connect to %s: %s", probe->peer, strerror(result->error));
	log_debug("%s: %s", probe->request.name, detail);
	trace_step(probe->request.trace, TRACE_CONNECT, TRACE_NOTE, "%s", detail);
	failed(probe, PROGRESS_ADDRESS, result->reason, detail, -1);
	next_address(probe);
}

static void on_opened(void *arg, const struct opened *opened)
{
	struct probe *probe = arg;
	struct connect_result result = {
		.fd = opened->fd, .error = opened->error, .start_us = probe->opening_us};

	probe->opening = 0;
	/* EPERM: the keeper does not know that name, which says nothing about the server. */
	if (opened->fd < 0)
		result.reason = opened->error == EPERM ? REASON_LOCAL_ERROR
					       : connect_reason(&probe->address[probe->at], opened->error);
	on_connected(probe, &result);
}

/* open_private - a socket where only Postfix may go */
static void open_private(struct probe *probe)
{
	const struct opener *opener = probe->prober->opener;
	const char *path = probe->target.path;

	probe->opening_us = clock_now_us();
	probe->opening = opener->open(opener->opener_arg, probe->request.private_directory,
		strrchr(path, '/') + 1, on_opened, probe);
	if (probe->opening == 0)
		out_of_memory(probe);
}

/* source_address - where to connect from (smtp_bind_address); false: anywhere */
static bool source_address(
	const struct probe_request *request, int family, struct net_address *source)
{
	memset(source, 0, sizeof *source);
	source->sa.sa_family = (sa_family_t)family;
	if (family == AF_INET && request->has_bind4) {
		source->in4.sin_addr = request->bind4;
		source->bytes = sizeof source->in4;
	} else if (family == AF_INET6 && request->has_bind6) {
		source->in6.sin6_addr = request->bind6;
		source->bytes = sizeof source->in6;
	}
	return source->bytes != 0;
}

/* source_text - an address without its port */
static const char *source_text(char text[INET6_ADDRSTRLEN], const struct net_address *source)
{
	const void *address = source->sa.sa_family == AF_INET6 ? (const void *)&source->in6.sin6_addr
							       : (const void *)&source->in4.sin_addr;

	return inet_ntop(source->sa.sa_family, address, text, INET6_ADDRSTRLEN);
}

void prober_connect(struct probe *probe)
{
	const struct net_address *to = &probe->address[probe->at];
	struct net_address source;
	bool has_source = source_address(&probe->request, to->sa.sa_family, &source);
	char text[INET6_ADDRSTRLEN];

	trace_step(probe->request.trace, TRACE_CONNECT, TRACE_SENT, "connect to %s%s%s", probe->peer,
		has_source ? " from " : "", has_source ? source_text(text, &source) : "");
	if (*probe->request.private_directory != '\0') {
		open_private(probe);
		return;
	}
	probe->connecting = connect_start(probe->prober->base, to, has_source ? &source : NULL,
		probe->request.connect_timeout_ms, on_connected, probe);
	if (probe->connecting == NULL)
		out_of_memory(probe);
}

void prober_try_address(struct probe *probe)
{
	const struct net_address *to = &probe->address[probe->at];

	if (!net_address_is_local(to))
		probe->result.is_local = false;
	else if (!probe->has_tried && !probe->is_extra)
		probe->result.is_local = true;
	probe->has_tried = true;
	(void)net_address_text(probe->peer, to);
	terms_ask(probe);
	if (!credentials_ask(probe))
		prober_connect(probe);
}

static void on_begin(evutil_socket_t fd, short events, void *arg)
{
	struct probe *probe = arg;

	(void)fd;
	(void)events;
	prober_begin_nexthop(probe);
}

struct probe *prober_start(struct prober *prober, const struct probe_request *request,
	probe_done_fn *done, probe_released_fn *released, void *arg)
{
	struct probe *probe = malloc(sizeof *probe);

	if (probe == NULL)
		return NULL;
	memset(probe, 0, offsetof(struct probe, is_best));
	probe->prober = prober;
	probe->request = *request;
	if (request->site != NULL)
		(void)site_ref(request->site);
	nexthops_first(probe);
	probe->done = done;
	probe->released = released;
	probe->arg = arg;
	probe->result.latency_us = -1;
	probe->result.is_local = hop_target_is_local(&request->target);
	probe->begin = evtimer_new(prober->base, on_begin, probe);
	if (probe->begin == NULL) {
		probe_free(probe);
		return NULL;
	}
	event_active(probe->begin, EV_TIMEOUT, 0);
	return probe;
}

void prober_cancel(struct probe *probe)
{
	/* From within done(): whoever called it is not through with the memory. */
	if (probe->is_reporting)
		probe->is_cancelled = true;
	else
		probe_free(probe);
}
