/*
 * maillog - what one line of Postfix's log says about a hop
 *
 * Three ways of writing time and program are known: that of syslog(3) and postlogd(8), the same with an ISO 8601
 * time, and RFC 5424.  Then come the lines of smtp(8) and lmtp(8), one for each recipient,
 *
 *	QUEUEID: to=<...>, orig_to=<...>, relay=NAME[ADDRESS]:PORT, conn_use=2, delay=1, delays=0/0/0/0, dsn=4.4.1,
 *	status=deferred (connect to NAME[ADDRESS]:PORT: Connection refused)
 *
 * (log_adhoc.c; the reasons are those of smtp_connect.c, smtp_proto.c, smtp_trouble.c, smtp_sasl_glue.c, smtp_addr.c),
 * and three of qmgr(8) about a transport.  The lines of error(8), "delivery temporarily suspended: ...", only repeat
 * what another line has said, and have relay=none.
 *
 * Postfix before 3.5 writes addresses without quoting, so an address can pretend to be the rest of a line.  Whoever
 * does that makes a line with two relays, or quotes, and such a line says nothing.
 */
#include "postfix/maillog.h"

#include <string.h>

/* What is left of a line. */
struct rest {
	const char *at, *end;
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* skip - over this text, if it comes next */
static bool skip(struct rest *rest, const char *text)
{
	size_t length = strlen(text);

	if ((size_t)(rest->end - rest->at) < length || memcmp(rest->at, text, length) != 0)
		return false;
	rest->at += length;
	return true;
}

/* skip_past - over everything up to and including this byte; false when it does not come */
static bool skip_past(struct rest *rest, char byte)
{
	const char *found = memchr(rest->at, byte, (size_t)(rest->end - rest->at));

	if (found == NULL)
		return false;
	rest->at = found + 1;
	return true;
}

/* take - a word of at most bytes - 1 bytes, none of them a space, up to that byte, which is skipped */
static bool take(struct rest *rest, char stop, char *out, size_t bytes)
{
	size_t length = 0;
	const char *cp = rest->at;

	while (cp < rest->end && *cp != stop && length < bytes - 1) {
		if ((unsigned char)*cp <= ' ' || *cp == 0x7f)
			return false;
		out[length++] = *cp++;
	}
	out[length] = '\0';
	if (cp == rest->end || *cp != stop || length == 0)
		return false;
	rest->at = cp + 1;
	return true;
}

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

/* skip_number - and what follows it */
static bool skip_number(struct rest *rest, const char *then)
{
	const char *start = rest->at;

	while (rest->at < rest->end && is_digit(*rest->at))
		rest->at++;
	return rest->at > start && skip(rest, then);
}

/* contains - anywhere in what is left */
static bool contains(const struct rest *rest, const char *text)
{
	return memmem(rest->at, (size_t)(rest->end - rest->at), text, strlen(text)) != NULL;
}

/* ends_with - without looking at what is before */
static bool ends_with(const struct rest *rest, const char *text)
{
	size_t length = strlen(text);

	return (size_t)(rest->end - rest->at) >= length &&
	       memcmp(rest->end - length, text, length) == 0;
}

/* skip_time - "Nov 22 01:02:03 " or "2026-11-22T01:02:03.456789+00:00 " */
static bool skip_time(struct rest *rest)
{
	const char *cp = rest->at;

	if (rest->end - cp < 20)
		return false;
	if (is_digit(*cp))
		return cp[4] == '-' && cp[7] == '-' && cp[10] == 'T' && skip_past(rest, ' ');
	if (cp[3] != ' ' || cp[6] != ' ' || cp[9] != ':' || cp[12] != ':' || cp[15] != ' ')
		return false;
	rest->at += 16;
	return true;
}

/* take_head_5424 - "1 TIME HOST TAG PID MSGID - ", what follows "<PRIORITY>" */
static bool take_head_5424(struct rest *rest, struct maillog_line *out)
{
	return skip(rest, "1 ") && skip_time(rest) && skip_past(rest, ' ') &&
	       take(rest, ' ', out->tag, sizeof out->tag) && skip_number(rest, " ") &&
	       skip_past(rest, ' ') && skip(rest, "- ");
}

/* take_head - who wrote the line */
static bool take_head(struct rest *rest, struct maillog_line *out)
{
	if (skip(rest, "<"))
		return skip_number(rest, ">") && take_head_5424(rest, out);
	return skip_time(rest) && skip_past(rest, ' ') &&
	       take(rest, '[', out->tag, sizeof out->tag) && skip_number(rest, "]: ");
}

/* take_port - a number up to the end or that byte */
static bool take_port(struct rest *rest, char stop, uint16_t *port)
{
	unsigned number = 0;

	while (rest->at < rest->end && is_digit(*rest->at) && number <= UINT16_MAX)
		number = number * 10 + (unsigned)(*rest->at++ - '0');
	if (number == 0 || number > UINT16_MAX || rest->at == rest->end || *rest->at++ != stop)
		return false;
	*port = (uint16_t)number;
	return true;
}

/* take_server - "NAME[ADDRESS]:PORT" or "NAME[PATH]", and the byte that follows it */
static bool take_server(struct rest *rest, char stop, struct maillog_line *out)
{
	char byte[2] = {stop, '\0'};

	out->port = 0;
	if (!take(rest, '[', out->name, sizeof out->name) ||
		!take(rest, ']', out->address, sizeof out->address))
		return false;
	if (strchr(out->address, '/') != NULL)
		return skip(rest, byte);
	return skip(rest, ":") && take_port(rest, stop, &out->port);
}

/* skip_address - "to=<...>, "; one that has more than plain bytes between its brackets is not looked at */
static bool skip_address(struct rest *rest)
{
	for (; rest->at < rest->end && *rest->at != '>'; rest->at++)
		if (*rest->at == '<' || *rest->at == '"' || *rest->at == '\\' || *rest->at == ' ')
			return false;
	return skip(rest, ">, ");
}

/* skip_queue_id - "4fX5kD2Xb3z: " */
static bool skip_queue_id(struct rest *rest)
{
	const char *start = rest->at;

	while (rest->at < rest->end &&
		(is_digit(*rest->at) || (*rest->at >= 'A' && *rest->at <= 'Z') ||
			(*rest->at >= 'a' && *rest->at <= 'z')))
		rest->at++;
	return rest->at - start >= 5 && skip(rest, ": ");
}

/* How reasons begin that say by themselves whose fault it is. */
static const struct {
	const char *text;
	enum statement statement;
} reasons[] = {
	{"SASL authentication failed", STATEMENT_FAILS},
	{"TLS is required, but our ", STATEMENT_NONE},
	{"TLS is required, but ", STATEMENT_FAILS},
	{"Cannot start TLS: ", STATEMENT_FAILS},
	{"Server certificate ", STATEMENT_FAILS},
};

/* What smtp(8) was about to do before it had anything to say about a message. */
static const char *const early[] = {
	"receiving the initial server greeting",
	"performing the ",
	"receiving the STARTTLS response",
};

/* classify_said - behind "host NAME[ADDRESS] ": a reply, whose text is the server's */
static enum statement classify_said(struct rest *rest)
{
	if (skip(rest, "refused to talk to me: "))
		return STATEMENT_FAILS;
	/* It hangs up with 421.  Any other reply is about this sender, recipient or message. */
	return skip(rest, "said: 421 ") || skip(rest, "said: 421-") ? STATEMENT_DOUBT : STATEMENT_NONE;
}

/* classify_break - behind "with ": "NAME[ADDRESS] while ..." or "NAME[ADDRESS] timed out while ..." */
static enum statement classify_break(struct rest *rest, const char *then)
{
	if (!skip_past(rest, ' ') || !skip(rest, then))
		return STATEMENT_NONE;
	for (size_t i = 0; i < COUNT(early); i++)
		if (skip(rest, early[i]))
			return STATEMENT_FAILS;
	return STATEMENT_DOUBT;
}

/* classify_missing - no server was found; behind "name=" or "host " */
static enum statement classify_missing(struct rest *rest, char stop, struct maillog_line *out)
{
	out->address[0] = '\0';
	out->port = 0;
	return take(rest, stop, out->name, sizeof out->name) ? STATEMENT_FAILS : STATEMENT_NONE;
}

/* classify - the reason of a deferral or bounce; where there is no relay the reason names the server */
static enum statement classify(struct rest *rest, bool has_relay, struct maillog_line *out)
{
	if (!has_relay) {
		if (skip(rest, "connect to "))
			return take_server(rest, ':', out) ? STATEMENT_FAILS : STATEMENT_NONE;
		if (skip(rest, "Host or domain name not found. Name service error for name="))
			return classify_missing(rest, ' ', out);
		if (skip(rest, "unable to look up host "))
			return classify_missing(rest, ':', out);
		return STATEMENT_NONE;
	}
	if (skip(rest, "host "))
		return skip_past(rest, ' ') ? classify_said(rest) : STATEMENT_NONE;
	if (skip(rest, "lost connection with "))
		return classify_break(rest, "while ");
	if (skip(rest, "conversation with "))
		return classify_break(rest, "timed out while ");
	for (size_t i = 0; i < COUNT(reasons); i++)
		if (skip(rest, reasons[i].text))
			return reasons[i].statement;
	return STATEMENT_NONE;
}

/* parse_relay - "relay=...": true when there is one or none, false when it is no server's */
static bool parse_relay(struct rest *rest, bool *has_relay, struct maillog_line *out)
{
	if (!skip(rest, "relay="))
		return false;
	*has_relay = !skip(rest, "none, ");
	return !*has_relay || (take_server(rest, ',', out) && skip(rest, " "));
}

/* parse_delivery - behind the queue id */
static bool parse_delivery(struct rest *rest, struct maillog_line *out)
{
	bool has_relay, is_reused;

	if (!skip(rest, "to=<") || !skip_address(rest))
		return false;
	if (skip(rest, "orig_to=<") && !skip_address(rest))
		return false;
	if (!parse_relay(rest, &has_relay, out))
		return false;
	if (contains(rest, ", relay=") || !ends_with(rest, ")"))
		return false;
	is_reused = skip(rest, "conn_use=") && skip_past(rest, ' ');
	if (!skip(rest, "delay=") || !skip_past(rest, ' ') || !skip(rest, "delays=") ||
		!skip_past(rest, ' ') || !skip(rest, "dsn=") || !skip_past(rest, ' ') ||
		!skip(rest, "status=") || contains(rest, ", status="))
		return false;
	/* A connection that was kept says nothing about new ones. */
	if (skip(rest, "sent ("))
		out->statement = has_relay && !is_reused ? STATEMENT_WORKS : STATEMENT_NONE;
	else if (skip(rest, "deferred (") || skip(rest, "bounced ("))
		out->statement = classify(rest, has_relay, out);
	return out->statement != STATEMENT_NONE;
}

/* parse_transport - qmgr(8): "warning: connect to transport private/NAME: ...", "warning: private/NAME socket: malformed
 * response", "warning: transport NAME failure" */
static bool parse_transport(struct rest *rest, struct maillog_line *out)
{
	out->statement = STATEMENT_FAILS;
	if (skip(rest, "warning: connect to transport private/"))
		return take(rest, ':', out->transport, sizeof out->transport);
	if (skip(rest, "warning: private/"))
		return take(rest, ' ', out->transport, sizeof out->transport) && skip(rest, "socket: ");
	return skip(rest, "warning: transport ") &&
	       take(rest, ' ', out->transport, sizeof out->transport) && skip(rest, "failure");
}

/* parse_words - behind the head, by the tag */
static bool parse_words(struct rest *rest, struct maillog_line *out)
{
	const char *program = strrchr(out->tag, '/');

	out->statement = STATEMENT_NONE;
	out->transport[0] = out->name[0] = out->address[0] = '\0';
	out->port = 0;
	if (program == NULL)
		return false;
	if (strcmp(program, "/smtp") == 0 || strcmp(program, "/lmtp") == 0)
		return skip_queue_id(rest) && parse_delivery(rest, out);
	return strcmp(program, "/qmgr") == 0 && parse_transport(rest, out);
}

bool maillog_parse(const char *line, size_t length, struct maillog_line *out)
{
	struct rest rest = {line, line + length};

	return length <= MAILLOG_LINE_BYTES && take_head(&rest, out) && parse_words(&rest, out);
}

bool maillog_parse_entry(const char *tag, size_t tag_length, const char *words, size_t length,
	struct maillog_line *out)
{
	struct rest rest = {words, words + length};

	if (length > MAILLOG_LINE_BYTES || tag_length >= sizeof out->tag)
		return false;
	for (size_t i = 0; i < tag_length; i++) {
		if ((unsigned char)tag[i] <= ' ' || tag[i] == 0x7f)
			return false;
		out->tag[i] = tag[i];
	}
	out->tag[tag_length] = '\0';
	return parse_words(&rest, out);
}
