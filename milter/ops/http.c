/*
 * http - what can be seen with a browser, and scraped
 *
 * Making an answer for thousands of hops takes a while in the thread that also probes.  So one that
 * was made is given again for ten times as long as it took: however many ask, no more than a tenth
 * of the thread goes there.  Clients share its bytes, too.
 */
#include "ops/http.h"

#include "base/clock.h"
#include "base/log.h"
#include "ops/http_gate.h"
#include "ops/page.h"
#include "ops/status.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REUSE_TIMES = 10, FORGET_S = 1 };

/* The body of an answer, shared by those who asked at about the same time. */
struct document {
	struct http *http;
	unsigned references;
	struct text text;
};

struct route;

struct http {
	struct evhttp *server;
	struct gate *gate;
	struct http_parts parts;
	struct event *forget; /* documents that are too old to be given again */
	size_t waiting_bytes; /* of all documents */
};

/* What was made last for a route. */
struct made {
	struct document *document; /* NULL: nothing */
	int64_t at_us, took_us;
};

/* One path.  write gets the query, "" when there is none; it is not kept when it has one. */
struct route {
	const char *path, *type;
	int (*write)(struct http *http, const char *query,
		struct text *out); /* the code of the answer */
	struct made *made;         /* NULL: never given again */
};

static void document_unref(struct document *document)
{
	if (document == NULL || --document->references > 0)
		return;
	document->http->waiting_bytes -= document->text.used;
	text_free(&document->text);
	free(document);
}

static struct document *document_new(struct http *http)
{
	struct document *document = calloc(1, sizeof *document);

	if (document != NULL) {
		document->http = http;
		document->references = 1;
	}
	return document;
}

static void on_sent(const void *bytes, size_t count, void *arg)
{
	(void)bytes;
	(void)count;
	document_unref(arg);
}

/* send_reply - code and what belongs to every answer; HEAD gets the head alone */
static void send_reply(struct evhttp_request *request, int code, const char *words,
	const char *type, struct evbuffer *body)
{
	static const struct {
		const char *name, *value;
	} always[] = {
		{"Cache-Control", "no-store"},
		{"Content-Security-Policy",
			"default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
			"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors "
			"'none'"},
		{"Cross-Origin-Resource-Policy", "same-origin"},
		{"Referrer-Policy", "no-referrer"},
		{"X-Content-Type-Options", "nosniff"},
	};
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	char length[24];

	for (size_t i = 0; i < sizeof always / sizeof *always; i++)
		(void)evhttp_add_header(headers, always[i].name, always[i].value);
	(void)evhttp_add_header(headers, "Content-Type", type);
	(void)snprintf(length, sizeof length, "%zu", body != NULL ? evbuffer_get_length(body) : 0);
	(void)evhttp_add_header(headers, "Content-Length", length);
	if (body != NULL && evhttp_request_get_command(request) == EVHTTP_REQ_HEAD)
		(void)evbuffer_drain(body, evbuffer_get_length(body));
	evhttp_send_reply(request, code, words, body);
}

/* refuse - with a line of text, and hang up */
static void refuse(struct evhttp_request *request, int code, const char *words, const char *why)
{
	struct evbuffer *body = evbuffer_new();

	if (body != NULL)
		(void)evbuffer_add_printf(body, "%s\n", why);
	(void)evhttp_add_header(evhttp_request_get_output_headers(request), "Connection", "close");
	send_reply(request, code, words, "text/plain; charset=utf-8", body);
	if (body != NULL)
		evbuffer_free(body);
}

static int write_page(struct http *http, const char *query, struct text *out)
{
	const struct page_parts parts = {http->parts.table, http->parts.changes, http->parts.conf};

	page_write(&parts, query, out);
	return HTTP_OK;
}

static int write_style(struct http *http, const char *query, struct text *out)
{
	(void)http;
	(void)query;
	text_say(out, page_style);
	return HTTP_OK;
}

static int write_script(struct http *http, const char *query, struct text *out)
{
	(void)http;
	(void)query;
	text_say(out, page_script);
	return HTTP_OK;
}

static int write_icon(struct http *http, const char *query, struct text *out)
{
	(void)http;
	page_icon(query, out);
	return HTTP_OK;
}

static int write_metrics(struct http *http, const char *query, struct text *out)
{
	(void)query;
	metrics_write(http->parts.metrics, out);
	return HTTP_OK;
}

static int add_json(const char *bytes, size_t count, void *arg)
{
	text_add(arg, bytes, count);
	return 0;
}

static int write_status(struct http *http, const char *query, struct text *out)
{
	json_t *document = status_document(http->parts.table, NULL);

	(void)query;
	if (document == NULL || json_dump_callback(document, add_json, out, JSON_COMPACT) < 0)
		out->is_short = true;
	text_say(out, "\n");
	json_decref(document);
	return HTTP_OK;
}

/* What is told of the prober. */
struct freshness_of_all {
	struct table *table;
	bool has_hop, has_fresh;
};

static void look_if_stale(void *arg, struct hop *hop)
{
	struct freshness_of_all *all = arg;
	struct hop_view view;

	if (all->has_fresh)
		return;
	table_view(all->table, hop, clock_now_ms(), &view);
	all->has_hop = true;
	all->has_fresh = !view.is_stale;
}

/* write_health - that we answer at all shows that the event thread, which probes, runs */
static int write_health(struct http *http, const char *query, struct text *out)
{
	struct freshness_of_all all = {http->parts.table, false, false};
	bool is_milter_fine = pulse_is_felt(http->parts.pulse), is_prober_fine;

	(void)query;
	table_each(http->parts.table, look_if_stale, &all);
	is_prober_fine = all.has_fresh || !all.has_hop;
	text_print(out, "prober: %s\nmilter: %s\n",
		is_prober_fine ? "ok" : "no result of any hop for too long",
		is_milter_fine ? "ok" : "does not answer");
	return is_milter_fine && is_prober_fine ? HTTP_OK : HTTP_SERVUNAVAIL;
}

static struct made made_page, made_metrics, made_status;

static const struct route routes[] = {
	{"/", "text/html; charset=utf-8", write_page, &made_page},
	{"/healthz", "text/plain; charset=utf-8", write_health, NULL},
	{"/icon.svg", "image/svg+xml", write_icon, NULL},
	{"/metrics", "text/plain; version=0.0.4; charset=utf-8", write_metrics, &made_metrics},
	{"/page.css", "text/css; charset=utf-8", write_style, NULL},
	{"/page.js", "text/javascript; charset=utf-8", write_script, NULL},
	{"/status.json", "application/json", write_status, &made_status},
};

static const struct route *find_route(const char *path)
{
	for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
		if (path != NULL && strcmp(routes[i].path, path) == 0)
			return &routes[i];
	return NULL;
}

static bool is_too_old(const struct made *made, int64_t now_us)
{
	return now_us - made->at_us >= REUSE_TIMES * made->took_us;
}

static void forget(struct made *made)
{
	document_unref(made->document);
	made->document = NULL;
}

static void on_forget(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval pause = {FORGET_S, 0};
	const struct http *http = arg;
	int64_t now_us = clock_now_us();
	bool is_left = false;

	(void)fd;
	(void)what;
	for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
		struct made *made = routes[i].made;

		if (made == NULL || made->document == NULL)
			continue;
		if (is_too_old(made, now_us))
			forget(made);
		else
			is_left = true;
	}
	if (is_left)
		evtimer_add(http->forget, &pause);
}

/* keep - to be given again */
static void keep(struct http *http, struct made *made, struct document *document, int64_t start_us)
{
	static const struct timeval pause = {FORGET_S, 0};

	document->references++;
	*made = (struct made){document, clock_now_us(), clock_now_us() - start_us};
	if (!evtimer_pending(http->forget, NULL))
		evtimer_add(http->forget, &pause);
}

/* make - a document that the caller holds a reference of; NULL: no memory, or too much is on its
 * way already */
static struct document *make(
	struct http *http, const struct route *route, const char *query, int *code)
{
	struct made *made = *query == '\0' ? route->made : NULL;
	int64_t start_us = clock_now_us();
	struct document *document;

	*code = HTTP_OK;
	if (made != NULL && made->document != NULL && !is_too_old(made, start_us)) {
		made->document->references++;
		return made->document;
	}
	if (made != NULL)
		forget(made);
	if (http->waiting_bytes > HTTP_ANSWER_BYTES || (document = document_new(http)) == NULL)
		return NULL;
	*code = route->write(http, query, &document->text);
	http->waiting_bytes += document->text.used;
	if (document->text.is_short) {
		document_unref(document);
		return NULL;
	}
	if (made != NULL)
		keep(http, made, document, start_us);
	return document;
}

static void answer(struct http *http, struct evhttp_request *request, const struct route *route,
	const char *query)
{
	struct evbuffer *body = evbuffer_new();
	struct document *document;
	int code;

	document = body != NULL ? make(http, route, query, &code) : NULL;
	if (document == NULL) {
		log_warnx("http: no memory for an answer, or too many are waiting to be sent");
		(void)evhttp_add_header(
			evhttp_request_get_output_headers(request), "Retry-After", "10");
		refuse(request, HTTP_SERVUNAVAIL, "Service Unavailable",
			"too many answers are waiting to be sent");
	} else if (evbuffer_add_reference(body, document->text.bytes, document->text.used, on_sent,
			   document) < 0) {
		document_unref(document);
		refuse(request, HTTP_SERVUNAVAIL, "Service Unavailable", "out of memory");
	} else {
		send_reply(request, code, code == HTTP_OK ? "OK" : "Service Unavailable",
			route->type, body);
	}
	if (body != NULL)
		evbuffer_free(body);
}

static void on_request(struct evhttp_request *request, void *arg)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
	const char *host = evhttp_request_get_host(request), *query;
	enum evhttp_cmd_type command = evhttp_request_get_command(request);
	struct http *http = arg;
	const struct route *route;

	gate_asked(http->gate, request);
	if (command != EVHTTP_REQ_GET && command != EVHTTP_REQ_HEAD) {
		(void)evhttp_add_header(
			evhttp_request_get_output_headers(request), "Allow", "GET, HEAD");
		refuse(request, HTTP_BADMETHOD, "Method Not Allowed",
			"nothing can be changed here");
		return;
	}
	if (host != NULL && !http_is_own_name(http->parts.conf, host)) {
		refuse(request, 421, "Misdirected Request",
			"not a name of this host: use its address, localhost, or the name that the "
			"configuration or Postfix has for it");
		return;
	}
	route = uri != NULL ? find_route(evhttp_uri_get_path(uri)) : NULL;
	if (route == NULL) {
		refuse(request, HTTP_NOTFOUND, "Not Found",
			"there are /, /metrics, /status.json and /healthz");
		return;
	}
	query = evhttp_uri_get_query(uri);
	answer(http, request, route, query != NULL ? query : "");
}

struct http *http_new(struct event_base *base, int listen_fd, const struct http_parts *parts)
{
	/* What is not allowed is answered by us, in words. */
	static const ev_uint16_t all = EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD |
				       EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS |
				       EVHTTP_REQ_TRACE | EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH;
	struct evhttp *server = evhttp_new(base);
	struct gate *gate = server != NULL ? gate_new(base, server, listen_fd) : NULL;
	struct http *http = gate != NULL ? calloc(1, sizeof *http) : NULL;

	if (http == NULL || (http->forget = evtimer_new(base, on_forget, http)) == NULL) {
		free(http);
		return NULL;
	}
	http->server = server;
	http->gate = gate;
	http->parts = *parts;
	evhttp_set_max_headers_size(http->server, HTTP_HEADER_BYTES);
	evhttp_set_max_body_size(http->server, HTTP_BODY_BYTES);
	evhttp_set_timeout(http->server, GATE_ANSWER_MS / 1000);
	evhttp_set_allowed_methods(http->server, all);
	evhttp_set_gencb(http->server, on_request, http);
	return http;
}
