/*
 * check_maillog - lines of Postfix's log: what they say, and what they do not
 *
 * Those with a time of Nov 22 01:19 were written by Postfix 3.7.11.
 */
#include "postfix/maillog.h"

#include "suite.h"

#include <stdio.h>
#include <string.h>

#define AT "Nov 22 01:19:48 mx "
#define IP "127.0.0.1[127.0.0.1]"
#define TO "E416040: to=<a@d3.test>, "
#define DELAYS "delay=0.04, delays=0/0.04/0/0, "
#define SMTP AT "postfix/smtp[20642]: "
#define DEFERRED SMTP TO "relay=" IP ":20004, " DELAYS "dsn=4.4.2, status=deferred "

/* Each says something. */
static const struct {
	const char *line;
	enum statement statement;
	const char *tag, *name, *address;
	unsigned port;
} telling[] = {
	{DEFERRED "(lost connection with " IP " while receiving the initial server greeting)",
		STATEMENT_FAILS, "postfix/smtp", "127.0.0.1", "127.0.0.1", 20004},
	{DEFERRED "(conversation with " IP " timed out while receiving the initial server greeting)",
		STATEMENT_FAILS, "postfix/smtp", "127.0.0.1", "127.0.0.1", 20004},
	{DEFERRED "(lost connection with " IP " while performing the EHLO handshake)",
		STATEMENT_FAILS, "postfix/smtp", "127.0.0.1", "127.0.0.1", 20004},
	{DEFERRED "(host " IP " refused to talk to me: 421 4.3.2 service not available, try later)",
		STATEMENT_FAILS, "postfix/smtp", "127.0.0.1", "127.0.0.1", 20004},
	{SMTP "E743D49: to=<a@d11.test>, relay=" IP ":20012, " DELAYS
	      "dsn=5.7.1, status=bounced (host " IP " refused to talk to me: 550 5.7.1 not you)",
		STATEMENT_FAILS, "postfix/smtp", "127.0.0.1", "127.0.0.1", 20012},
	{SMTP TO "relay=none, " DELAYS "dsn=4.4.1, status=deferred (connect to " IP
		 ":1: Connection refused)",
		STATEMENT_FAILS, "postfix/smtp", "127.0.0.1", "127.0.0.1", 1},
	{SMTP TO "relay=none, " DELAYS
		 "dsn=4.4.1, status=deferred (connect to mx.example.net[2001:db8::1]:25: No route to host)",
		STATEMENT_FAILS, "postfix/smtp", "mx.example.net", "2001:db8::1", 25},
	{SMTP TO "relay=none, " DELAYS
		 "dsn=5.4.4, status=bounced (Host or domain name not found. Name service error for "
		 "name=nosuch.example.net type=A: Host not found)",
		STATEMENT_FAILS, "postfix/smtp", "nosuch.example.net", "", 0},
	{SMTP TO "relay=none, " DELAYS
		 "dsn=4.4.3, status=deferred (unable to look up host relay.example.net: Try again)",
		STATEMENT_FAILS, "postfix/smtp", "relay.example.net", "", 0},
	{AT "postfix/auth/smtp[20643]: " TO "relay=" IP ":46739, " DELAYS
	    "dsn=4.7.8, status=deferred (SASL authentication failed; server " IP
	    " said: 535 5.7.8 bad password)",
		STATEMENT_FAILS, "postfix/auth/smtp", "127.0.0.1", "127.0.0.1", 46739},
	{AT "postfix/auth/smtp[20643]: " TO "relay=" IP ":38253, " DELAYS
	    "dsn=4.7.0, status=deferred (SASL authentication failed; cannot authenticate to server " IP
	    ": no mechanism available)",
		STATEMENT_FAILS, "postfix/auth/smtp", "127.0.0.1", "127.0.0.1", 38253},
	{AT "out/enc/smtp[20644]: " TO "relay=" IP ":42193, " DELAYS
	    "dsn=4.7.0, status=deferred (TLS is required, but host " IP
	    " refused to start TLS: 454 4.7.0 no TLS now)",
		STATEMENT_FAILS, "out/enc/smtp", "127.0.0.1", "127.0.0.1", 42193},
	{AT "out/enc/smtp[20644]: " TO "relay=" IP ":42553, " DELAYS
	    "dsn=4.7.5, status=deferred (Cannot start TLS: handshake failure)",
		STATEMENT_FAILS, "out/enc/smtp", "127.0.0.1", "127.0.0.1", 42553},
	{AT "out/enc/smtp[20644]: " TO "relay=" IP ":42417, " DELAYS
	    "dsn=4.7.4, status=deferred (TLS is required, but was not offered by host " IP ")",
		STATEMENT_FAILS, "out/enc/smtp", "127.0.0.1", "127.0.0.1", 42417},
	{DEFERRED "(Server certificate not trusted)", STATEMENT_FAILS, "postfix/smtp", "127.0.0.1",
		"127.0.0.1", 20004},
	{AT "postfix/lmtp[20650]: F06A658: to=<a@d23.test>, relay=none, " DELAYS
	    "dsn=4.4.1, status=deferred (connect to mx.example.test[private/nothing]: No such file or "
	    "directory)",
		STATEMENT_FAILS, "postfix/lmtp", "mx.example.test", "private/nothing", 0},
	{AT "postfix/lmtp[20650]: 0446469: to=<a@d25.test>, relay=mx.example.test[/DIR/lmtp.sock], " DELAYS
	    "dsn=2.0.0, status=sent (250 2.0.0 taken as 1)",
		STATEMENT_WORKS, "postfix/lmtp", "mx.example.test", "/DIR/lmtp.sock", 0},
	{SMTP "E2F4C3E: to=<a@d1.test>, orig_to=<b@d2.test>, relay=" IP ":20002, " DELAYS
	      "dsn=2.0.0, status=sent (250 2.0.0 taken as 1)",
		STATEMENT_WORKS, "postfix/smtp", "127.0.0.1", "127.0.0.1", 20002},
	{DEFERRED "(lost connection with " IP " while sending DATA command)", STATEMENT_DOUBT,
		"postfix/smtp", "127.0.0.1", "127.0.0.1", 20004},
	{DEFERRED "(conversation with " IP
		  " timed out while sending end of data -- message may be sent more than once)",
		STATEMENT_DOUBT, "postfix/smtp", "127.0.0.1", "127.0.0.1", 20004},
	{DEFERRED "(host " IP " said: 421 4.3.2 bye (in reply to RCPT TO command))", STATEMENT_DOUBT,
		"postfix/smtp", "127.0.0.1", "127.0.0.1", 20004},
	/* Long queue ids, and other ways of writing the time. */
	{AT "postfix/smtp[1]: 4fX5kD2Xb3z1: to=<a@b>, relay=" IP
	    ":1, conn_use=2, " DELAYS "dsn=4.4.2, status=deferred (lost connection with " IP
	    " while receiving the initial server greeting)",
		STATEMENT_FAILS, "postfix/smtp", "127.0.0.1", "127.0.0.1", 1},
	{"Nov  2 01:19:48 mx postfix-out/smtp[1]: " TO "relay=none, " DELAYS
	 "dsn=4.4.1, status=deferred (connect to " IP ":1: Connection refused)",
		STATEMENT_FAILS, "postfix-out/smtp", "127.0.0.1", "127.0.0.1", 1},
	{"2026-11-22T01:19:48.123456+00:00 mx postfix/submission/smtp[1]: " TO "relay=none, " DELAYS
	 "dsn=4.4.1, status=deferred (connect to " IP ":1: Connection refused)",
		STATEMENT_FAILS, "postfix/submission/smtp", "127.0.0.1", "127.0.0.1", 1},
	{"<22>1 2026-11-22T01:19:48.123456+00:00 mx postfix/smtp 12345 - - " TO "relay=none, " DELAYS
	 "dsn=4.4.1, status=deferred (connect to " IP ":1: Connection refused)",
		STATEMENT_FAILS, "postfix/smtp", "127.0.0.1", "127.0.0.1", 1},
};

/* None of these says anything about a hop. */
static const char *const silent[] = {
	/* The recipient's fault, or the message's. */
	DEFERRED "(host " IP " said: 450 4.2.0 Greylisted (in reply to RCPT TO command))",
	DEFERRED "(host " IP " said: 452 4.2.2 full (in reply to end of DATA command))",
	DEFERRED "(host " IP " said: 451 4.3.0 later (in reply to MAIL FROM command))",
	SMTP TO "relay=" IP ":39163, " DELAYS "dsn=5.1.1, status=bounced (host " IP
		" said: 550 5.1.1 no such user (in reply to RCPT TO command))",
	/* What a server says about itself is its own words. */
	DEFERRED "(host " IP " said: 450 4.2.0 Greylisted, relay=x[192.0.2.1]:25, status=sent (x) "
		 "(in reply to RCPT TO command))",
	DEFERRED "(host " IP " said: 450 refused to talk to me: connect to " IP
		 ":25: lost connection with (in reply to RCPT TO command))",
	/* Ours. */
	DEFERRED "(TLS is required, but our TLS engine is unavailable)",
	DEFERRED "(SASL [CACHED] authentication failed; server " IP " said: 535 no)",
	/* A connection that was kept. */
	SMTP TO "relay=" IP ":20002, conn_use=2, " DELAYS "dsn=2.0.0, status=sent (250 ok)",
	/* Consequences, and what has no server. */
	AT "postfix/error[20658]: " TO "relay=none, " DELAYS
	   "dsn=4.3.0, status=deferred (mail transport unavailable)",
	AT "postfix/error[20658]: " TO "relay=none, " DELAYS
	   "dsn=4.4.1, status=deferred (delivery temporarily suspended: connect to " IP
	   ":1: Connection refused)",
	SMTP TO "relay=none, " DELAYS
		"dsn=4.4.1, status=deferred (delivery temporarily suspended: connect to " IP
		":1: Connection refused)",
	AT "postfix/pipe[20661]: " TO "relay=pipe2, " DELAYS
	   "dsn=2.0.0, status=sent (delivered via pipe2 service)",
	AT "postfix/pipe[20665]: " TO "relay=pipe4, " DELAYS
	   "dsn=4.3.0, status=deferred (temporary failure. Command output: pipe: fatal: x )",
	AT "postfix/local[20668]: " TO "relay=local, " DELAYS
	   "dsn=5.1.1, status=bounced (unknown user: \"a\")",
	AT "postfix/virtual[20668]: " TO "relay=virtual, " DELAYS
	   "dsn=2.0.0, status=sent (delivered to maildir)",
	/* Other lines of the same programs. */
	SMTP "connect to " IP ":20002: Connection refused",
	SMTP "warning: smtp_connect_addr: bind 1.2.3: Cannot assign requested address",
	AT "postfix/qmgr[20635]: E416040: from=<a@b>, size=413, nrcpt=1 (queue active)",
	AT "postfix/qmgr[20635]: E416040: removed",
	AT "postfix/qmgr[20635]: warning: mail for x is using up 4000 of 4000 active queue entries",
	/* Addresses that pretend to be the rest of a line, as Postfix writes them now and before 3.5. */
	SMTP "0EEB58A: to=<\"a>, relay=" IP
	     ":1, delay=0\"@d24.test>, relay=none, " DELAYS
	     "dsn=4.4.1, status=deferred (connect to " IP ":1: Connection refused)",
	SMTP "0EEB58A: to=<a>, relay=" IP ":1, " DELAYS "dsn=4.4.1, status=deferred (lost connection with " IP
	     " while receiving the initial server greeting)@d24.test>, relay=none, " DELAYS
	     "dsn=4.4.1, status=deferred (connect to " IP ":2: Connection refused)",
	SMTP "0EEB58A: to=<a@b>, orig_to=<a>, relay=" IP ":1, " DELAYS "dsn=2.0.0, status=sent (x)@d>, relay=none, " DELAYS
	     "dsn=4.4.1, status=deferred (connect to " IP ":2: Connection refused)",
	/* Clients' words in the lines of other programs. */
	AT "postfix/smtpd[1]: " TO "relay=none, " DELAYS
	   "dsn=4.4.1, status=deferred (connect to " IP ":1: Connection refused)",
	AT "postfix/smtpd[1]: NOQUEUE: reject: RCPT from unknown[127.0.0.1]: 550 5.2.0 <a@d36.test>: "
	   "postfix/smtp[1]: " TO "relay=none, " DELAYS
	   "dsn=4.4.1, status=deferred (connect to " IP ":1: Connection refused)",
	/* Cut, damaged, empty. */
	DEFERRED "(lost connection with " IP " while receiving the initial ser",
	DEFERRED "(",
	DEFERRED ")",
	SMTP TO "relay=none, " DELAYS "dsn=4.4.1, status=deferred (connect to " IP ")",
	SMTP TO "relay=none, " DELAYS "dsn=4.4.1, status=deferred (connect to " IP ":99999: x)",
	SMTP TO "relay=none, " DELAYS "dsn=4.4.1, status=deferred (connect to :25: x)",
	SMTP "E41: to=<a@b>, relay=none, " DELAYS "dsn=4.4.1, status=deferred (connect to " IP ":1: x)",
	AT "smtp[1]: " TO "relay=none, " DELAYS "dsn=4.4.1, status=deferred (connect to " IP ":1: x)",
	"",
	"Nov 22 01:19:48 ",
	AT,
	"-- MARK --",
	"<22>1 ",
	"<22",
};

START_TEST(a_line_says_what_it_says)
{
	struct maillog_line line;

	ck_assert_msg(maillog_parse(telling[_i].line, strlen(telling[_i].line), &line), "%s",
		telling[_i].line);
	ck_assert_int_eq(line.statement, telling[_i].statement);
	ck_assert_str_eq(line.tag, telling[_i].tag);
	ck_assert_str_eq(line.transport, "");
	ck_assert_str_eq(line.name, telling[_i].name);
	ck_assert_str_eq(line.address, telling[_i].address);
	ck_assert_uint_eq(line.port, telling[_i].port);
}
END_TEST

START_TEST(a_line_that_was_cut_says_nothing)
{
	struct maillog_line line;

	for (size_t length = 0; length < strlen(telling[_i].line); length++) {
		char *cut = strndup(telling[_i].line, length);

		/* One that ends behind a bracket of its own can be whole. */
		if (length == 0 || cut[length - 1] != ')')
			ck_assert_msg(!maillog_parse(cut, length, &line), "%s", cut);
		free(cut);
	}
}
END_TEST

START_TEST(a_line_about_something_else_says_nothing)
{
	struct maillog_line line;

	ck_assert_msg(!maillog_parse(silent[_i], strlen(silent[_i]), &line), "%s", silent[_i]);
}
END_TEST

START_TEST(qmgr_names_a_transport)
{
	static const char *const lines[] = {
		AT "postfix/qmgr[1]: warning: connect to transport private/customer: No such file or directory",
		AT "postfix/qmgr[1]: warning: private/customer socket: malformed response",
		AT "postfix/qmgr[1]: warning: transport customer failure -- see a previous warning/fatal/panic "
		   "logfile record for the problem description",
	};
	struct maillog_line line;

	ck_assert(maillog_parse(lines[_i], strlen(lines[_i]), &line));
	ck_assert_int_eq(line.statement, STATEMENT_FAILS);
	ck_assert_str_eq(line.tag, "postfix/qmgr");
	ck_assert_str_eq(line.transport, "customer");
}
END_TEST

START_TEST(a_long_line_says_nothing)
{
	char text[2 * MAILLOG_LINE_BYTES];
	struct maillog_line line;
	int start = snprintf(text, sizeof text, "%s", DEFERRED "(host " IP " refused to talk to me: ");

	memset(text + start, 'x', sizeof text - (size_t)start);
	text[MAILLOG_LINE_BYTES - 1] = ')';
	ck_assert(maillog_parse(text, MAILLOG_LINE_BYTES, &line));
	text[MAILLOG_LINE_BYTES] = ')';
	ck_assert(!maillog_parse(text, MAILLOG_LINE_BYTES + 1, &line));
}
END_TEST

START_TEST(names_that_are_too_long_are_not_cut)
{
	char text[MAILLOG_LINE_BYTES];
	struct maillog_line line;

	for (int bytes = HOP_HOST_BYTES - 2; bytes < HOP_HOST_BYTES + 2; bytes++) {
		int length = snprintf(text, sizeof text, "%s%0*d[127.0.0.1]:1: x)",
			SMTP TO "relay=none, " DELAYS "dsn=4.4.1, status=deferred (connect to ", bytes, 1);

		ck_assert_int_eq(maillog_parse(text, (size_t)length, &line), bytes < HOP_HOST_BYTES);
	}
}
END_TEST

static void add(TCase *tcase)
{
	const int telling_count = sizeof telling / sizeof *telling;

	tcase_add_loop_test(tcase, a_line_says_what_it_says, 0, telling_count);
	tcase_add_loop_test(tcase, a_line_that_was_cut_says_nothing, 0, telling_count);
	tcase_add_loop_test(
		tcase, a_line_about_something_else_says_nothing, 0, sizeof silent / sizeof *silent);
	tcase_add_loop_test(tcase, qmgr_names_a_transport, 0, 3);
	tcase_add_test(tcase, a_long_line_says_nothing);
	tcase_add_test(tcase, names_that_are_too_long_are_not_cut);
}

int main(void)
{
	return suite_run("maillog", add);
}
