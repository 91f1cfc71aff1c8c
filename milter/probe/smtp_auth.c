/*
 * smtp_auth - authentication as a part of the dialogue with a server
 *
 * "AUTH not offered" is no fault of smtp(8): it goes on like a stranger (smtp_sasl_proto.c).  Whatever else goes wrong
 * makes it defer the mail.
 */
#include "probe/smtp_auth.h"

#include "base/secret.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEARD_BYTES = 180 };

struct smtp_auth {
	struct smtp_auth_request request;
	struct sasl sasl;
};

struct smtp_auth *smtp_auth_new(const struct smtp_auth_request *request)
{
	struct smtp_auth *auth = calloc(1, sizeof *auth);

	if (auth != NULL)
		auth->request = *request;
	return auth;
}

void smtp_auth_free(struct smtp_auth *auth)
{
	secret_free(auth, sizeof *auth);
}

static void __attribute__((format(printf, 4, 5)))
judge(struct smtp_auth_verdict *verdict, enum reason reason, enum severity severity, const char *fmt, ...)
{
	va_list ap;

	*verdict = (struct smtp_auth_verdict){.reason = reason, .severity = severity};
	va_start(ap, fmt);
	(void)vsnprintf(verdict->detail, sizeof verdict->detail, fmt, ap);
	va_end(ap);
}

/* needs_more - the password is not for this connection, for a hop section asks less of it than Postfix does */
static bool needs_more(const struct smtp_auth *auth, const struct smtp_hello *hello, enum smtp_auth_tls tls)
{
	switch (auth->request.level) {
	case TLS_LEVEL_NONE:
		return false;
	case TLS_LEVEL_MAY:
		return tls == SMTP_AUTH_PLAIN && hello->has_starttls;
	case TLS_LEVEL_ENCRYPT:
		return tls == SMTP_AUTH_PLAIN;
	case TLS_LEVEL_FINGERPRINT:
	case TLS_LEVEL_VERIFY:
	case TLS_LEVEL_SECURE:
		return tls != SMTP_AUTH_VERIFIED;
	default:
		return true;
	}
}

bool smtp_auth_begin(struct smtp_auth *auth, const struct smtp_hello *hello, enum smtp_auth_tls tls,
	struct smtp_auth_verdict *verdict)
{
	const struct smtp_auth_request *request = &auth->request;
	const struct sasl_policy policy = {request->options[tls], request->filter, request->is_installed};
	enum sasl_mechanism mechanism;
	char foreign[SASL_NAME_BYTES];
	enum sasl_choice choice;

	if (needs_more(auth, hello, tls)) {
		judge(verdict, REASON_LOCAL_ERROR, SEVERITY_NONE,
			"authentication at %s is not checked: Postfix asks for more TLS there", request->peer);
		return false;
	}
	if (!hello->has_auth) {
		judge(verdict, REASON_AUTH_UNAVAILABLE, SEVERITY_DEGRADED,
			"%s offers no authentication: mail is sent without", request->peer);
		return false;
	}
	choice = sasl_choose(hello->auth, &policy, &mechanism, foreign);
	if (choice == SASL_USABLE) {
		sasl_begin(&auth->sasl, mechanism, request->credentials);
		return true;
	}
	if (choice == SASL_FOREIGN)
		judge(verdict, REASON_LOCAL_ERROR, SEVERITY_NONE,
			"authentication at %s is not checked: Postfix may use %s there", request->peer, foreign);
	else
		judge(verdict, REASON_AUTH_UNAVAILABLE, SEVERITY_DOWN,
			"%s offers no authentication mechanism that Postfix may use: %.*s", request->peer,
			HEARD_BYTES / 2, hello->auth);
	return false;
}

bool smtp_auth_answered(struct smtp_auth *auth, unsigned code, const char *text, struct smtp_auth_verdict *verdict)
{
	const char *peer = auth->request.peer;
	char heard[HEARD_BYTES];

	switch (sasl_answered(&auth->sasl, code, text)) {
	case SASL_SEND:
		return true;
	case SASL_ACCEPTED:
		judge(verdict, REASON_NONE, SEVERITY_NONE, "%s", "");
		return false;
	case SASL_REJECTED:
	case SASL_REFUSED:
		(void)snprintf(heard, sizeof heard, "%s", text);
		sasl_hide(&auth->sasl, heard);
		judge(verdict, code / 100 == 5 ? REASON_AUTH_REJECTED : REASON_SERVICE_UNAVAILABLE, SEVERITY_DOWN,
			"authentication failed; server %s said: %s", peer, heard);
		return false;
	default:
		judge(verdict, REASON_PROTOCOL_ERROR, SEVERITY_DOWN,
			"authentication failed; server %s does not keep to the protocol", peer);
		verdict->is_over = code / 100 == 3;
		return false;
	}
}

/* on_sent - the last of the line has left, or the connection is gone */
static void on_sent(const void *line, size_t bytes, void *arg)
{
	(void)arg;
	secret_free((void *)line, bytes);
}

const char *smtp_auth_line(const struct smtp_auth *auth)
{
	return auth->sasl.line;
}

bool smtp_auth_put(struct evbuffer *output, const char *line)
{
	size_t bytes = strlen(line);
	char *copy = malloc(bytes);

	if (copy == NULL)
		return false;
	memcpy(copy, line, bytes);
	/* A reference: the buffer makes no copy that nobody wipes. */
	if (evbuffer_add_reference(output, copy, bytes, on_sent, NULL) == 0)
		return true;
	secret_free(copy, bytes);
	return false;
}

const char *smtp_auth_shown(const struct smtp_auth *auth)
{
	return auth->sasl.shown;
}

bool smtp_auth_has_begun(const struct smtp_auth *auth)
{
	return auth != NULL && auth->sasl.mechanism != SASL_NONE;
}

void smtp_auth_hide(const struct smtp_auth *auth, char *text)
{
	if (smtp_auth_has_begun(auth))
		sasl_hide(&auth->sasl, text);
}
