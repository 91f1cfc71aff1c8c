/*
 * check_dialogue - what peers answer, and what must come of it
 */
#include "dialogue_peer.h"

/* One line a dialogue: what the peer does and what must come of it. */
static const struct {
	enum conf_depth depth;
	enum hop_protocol protocol;
	const char *script[SCRIPT_LINES];
	enum reason reason;
	bool is_polite; /* the peer must see the end of the stream and no RST */
	const char *detail;
} cases[] = {
	{DEPTH_HELLO, PROTOCOL_SMTP,
		{">220 mx ESMTP\r\n", "<EHLO client.example", ">250-mx\r\n250 HELP\r\n", "<QUIT",
			">221 bye\r\n", "$"},
		REASON_NONE, true, ""},
	{DEPTH_HELLO, PROTOCOL_SMTP,
		{".220-mx\r\n220 ESMTP\r\n", "<EHLO client.example", ".250-mx\n250 HELP\n", "<QUIT",
			".221 bye\r\n", "$"},
		REASON_NONE, true, ""},
	{DEPTH_HELLO, PROTOCOL_LMTP,
		{">220 mx LMTP\r\n", "<LHLO client.example", ">250 mx\r\n", "<QUIT", ">221 bye\r\n",
			"$"},
		REASON_NONE, true, ""},
	{DEPTH_GREETING, PROTOCOL_SMTP, {">220 mx\r\n", "<QUIT", ">221 bye\r\n", "$"}, REASON_NONE,
		true, ""},
	/* any 2xx greeting will do */
	{DEPTH_GREETING, PROTOCOL_SMTP, {">250 mx\r\n", "<QUIT", ">221 bye\r\n", "$"}, REASON_NONE,
		true, ""},
	{DEPTH_GREETING, PROTOCOL_SMTP, {">motd\r\n220 mx\r\n", "<QUIT", ">221 bye\r\n", "$"},
		REASON_NONE, true, ""},
	{DEPTH_CONNECT, PROTOCOL_SMTP, {">220 mx\r\n", "$"}, REASON_NONE, true, ""},
	{DEPTH_CONNECT, PROTOCOL_SMTP, {"$"}, REASON_NONE, true, ""},
	/* the HELO fallback is smtp(8)'s: any refusal but 421, not for LMTP */
	{DEPTH_HELLO, PROTOCOL_SMTP,
		{">220 mx\r\n", "<EHLO client.example", ">502 what?\r\n", "<HELO client.example",
			">250 mx\r\n", "<QUIT", ">221 bye\r\n", "$"},
		REASON_NONE, true, ""},
	{DEPTH_HELLO, PROTOCOL_SMTP,
		{">220 mx\r\n", "<EHLO client.example", ">450 what?\r\n", "<HELO client.example",
			">250 mx\r\n", "<QUIT", ">221 bye\r\n", "$"},
		REASON_NONE, true, ""},
	{DEPTH_HELLO, PROTOCOL_SMTP,
		{">220 mx\r\n", "<EHLO client.example", ">550 no\r\n", "<HELO client.example",
			">550 never\r\n", "<QUIT", ">221 bye\r\n", "$"},
		REASON_SERVICE_REJECTED, true, "peer refused to talk to me: 550 never"},
	{DEPTH_HELLO, PROTOCOL_SMTP,
		{">220 mx\r\n", "<EHLO client.example", ">421 busy\r\n", "<QUIT", ">221 bye\r\n",
			"$"},
		REASON_SERVICE_UNAVAILABLE, true, "peer refused to talk to me: 421 busy"},
	{DEPTH_HELLO, PROTOCOL_LMTP,
		{">220 mx\r\n", "<LHLO client.example", ">500 what?\r\n", "<QUIT", ">221 bye\r\n",
			"$"},
		REASON_SERVICE_REJECTED, true, "peer refused to talk to me: 500 what?"},
	{DEPTH_HELLO, PROTOCOL_SMTP, {">421 4.3.2 busy\r\n", "<QUIT", ">221 bye\r\n", "$"},
		REASON_SERVICE_UNAVAILABLE, true, "peer refused to talk to me: 421 4.3.2 busy"},
	{DEPTH_HELLO, PROTOCOL_SMTP, {">554 5.7.1 blocked\r\n", "<QUIT", ">221 bye\r\n", "$"},
		REASON_SERVICE_REJECTED, true, "peer refused to talk to me: 554 5.7.1 blocked"},
	{DEPTH_HELLO, PROTOCOL_SMTP,
		{">220-mx\r\n550 5.7.1 blocked\r\n", "<QUIT", ">221 bye\r\n", "$"},
		REASON_SERVICE_REJECTED, true, "peer refused to talk to me: 550 5.7.1 blocked"},
	{DEPTH_HELLO, PROTOCOL_SMTP, {">421 busy\r\n", "x"}, REASON_SERVICE_UNAVAILABLE, false,
		"peer refused to talk to me: 421 busy"},
	{DEPTH_HELLO, PROTOCOL_SMTP, {">300 odd\r\n", "<QUIT", ">221 bye\r\n", "$"},
		REASON_PROTOCOL_ERROR, true, "peer refused to talk to me: 300 odd"},
	/* silence */
	{DEPTH_HELLO, PROTOCOL_SMTP, {"$"}, REASON_GREETING_TIMEOUT, true,
		"conversation with peer timed out while receiving the initial server greeting"},
	{DEPTH_HELLO, PROTOCOL_SMTP, {">220-mx\r\n", "$"}, REASON_GREETING_TIMEOUT, true,
		"conversation with peer timed out while receiving the initial server greeting"},
	{DEPTH_HELLO, PROTOCOL_SMTP, {">220 mx\r\n", "<EHLO client.example", "$"},
		REASON_CONNECTION_LOST, true,
		"conversation with peer timed out while performing the EHLO handshake"},
	{DEPTH_HELLO, PROTOCOL_LMTP, {">220 mx\r\n", "<LHLO client.example", "$"},
		REASON_CONNECTION_LOST, true,
		"conversation with peer timed out while performing the LHLO handshake"},
	/* hanging up */
	{DEPTH_HELLO, PROTOCOL_SMTP, {"x"}, REASON_CONNECTION_LOST, false,
		"lost connection with peer while receiving the initial server greeting"},
	{DEPTH_HELLO, PROTOCOL_SMTP, {">220-mx\r\n", "x"}, REASON_CONNECTION_LOST, false,
		"lost connection with peer while receiving the initial server greeting"},
	{DEPTH_HELLO, PROTOCOL_SMTP, {"r"}, REASON_CONNECTION_LOST, false,
		"lost connection with peer while receiving the initial server greeting"},
	{DEPTH_HELLO, PROTOCOL_SMTP, {">220 mx\r\n", "<EHLO client.example", "x"},
		REASON_CONNECTION_LOST, false,
		"lost connection with peer while performing the EHLO handshake"},
	{DEPTH_HELLO, PROTOCOL_SMTP, {">220 mx\r\n", "<EHLO client.example", "r"},
		REASON_CONNECTION_LOST, false,
		"lost connection with peer while performing the EHLO handshake"},
	/* after QUIT nothing is a fault any more */
	{DEPTH_GREETING, PROTOCOL_SMTP, {">220 mx\r\n", "<QUIT", "x"}, REASON_NONE, false, ""},
	{DEPTH_GREETING, PROTOCOL_SMTP, {">220 mx\r\n", "<QUIT", "r"}, REASON_NONE, false, ""},
	{DEPTH_GREETING, PROTOCOL_SMTP, {">220 mx\r\n", "<QUIT", ">garbage\r\n", "$"}, REASON_NONE,
		false, ""},
	/* another protocol */
	{DEPTH_HELLO, PROTOCOL_SMTP, {">SSH-2.0-OpenSSH\r\n", "$"}, REASON_PROTOCOL_ERROR, true,
		"peer does not talk SMTP: SSH-2.0-OpenSSH"},
	{DEPTH_HELLO, PROTOCOL_LMTP, {">+OK POP3\r\n", "x"}, REASON_PROTOCOL_ERROR, false,
		"peer does not talk LMTP: +OK POP3"},
	/* what comes too early is taken for the next reply, as smtp(8) takes it */
	{DEPTH_HELLO, PROTOCOL_SMTP,
		{">220 mx\r\n421 too late\r\n", "~EHLO client.example", "<QUIT", ">221 bye\r\n",
			"$"},
		REASON_SERVICE_UNAVAILABLE, true, "peer refused to talk to me: 421 too late"},
	{DEPTH_HELLO, PROTOCOL_SMTP, {">220 mx\r\n421 too late\r\n", "x"},
		REASON_SERVICE_UNAVAILABLE, false, "peer refused to talk to me: 421 too late"},
};

START_TEST(each_peer_has_its_reason)
{
	struct smtp_dialogue_request request = {
		.protocol = cases[_i].protocol,
		.depth = cases[_i].depth,
		.reply_timeout_ms = REPLY_MS,
	};

	talk_with(request, cases[_i].script);
	ck_assert_str_eq(client.result.detail, cases[_i].detail);
	ck_assert_int_eq(client.result.reason, cases[_i].reason);
	ck_assert_uint_eq(client.closed, 1);
	if (cases[_i].is_polite) {
		ck_assert(peer.has_eof);
		ck_assert(!peer.has_error);
	}
}
END_TEST

START_TEST(a_banner_and_a_pause_are_not_slow)
{
	static const char *const script[] = {
		">220-mx\r\n", "p200", ">220 mx\r\n", "<QUIT", ">221 bye\r\n", "$", NULL};

	talk(DEPTH_GREETING, script);
	ck_assert_int_eq(client.result.reason, REASON_NONE);
	ck_assert_int_ge(client.result.latency_us, 0);
	ck_assert_int_lt(client.result.latency_us, client.done_us - client.start_us - 150 * 1000);
	ck_assert_int_ge(client.done_us - client.start_us, 180 * 1000);
}
END_TEST

START_TEST(latency_is_the_time_to_the_first_byte)
{
	static const char *const script[] = {"p150", ">220 mx\r\n", "<QUIT", "x", NULL};

	talk(DEPTH_GREETING, script);
	ck_assert_int_ge(client.result.latency_us, 130 * 1000);
}
END_TEST

START_TEST(without_a_greeting_there_is_no_latency)
{
	static const char *const script[] = {"x", NULL};

	talk(DEPTH_GREETING, script);
	ck_assert_int_eq(client.result.latency_us, -1);
}
END_TEST

START_TEST(no_answer_to_quit_is_waited_for_2_s)
{
	static const char *const script[] = {">220 mx\r\n", "<QUIT", "p60000", "x", NULL};

	talk(DEPTH_GREETING, script);
	ck_assert_int_eq(client.result.reason, REASON_NONE);
	ck_assert_int_lt(client.done_us - client.start_us, 1000 * 1000);
	ck_assert_int_ge(client.closed_us - client.done_us, 1980 * 1000);
	ck_assert_int_lt(client.closed_us - client.done_us, 3500 * 1000);
	ck_assert(peer.has_eof);
}
END_TEST

START_TEST(it_can_be_cancelled_while_it_reports)
{
	static const char *const good[] = {">220 mx\r\n250 early\r\n", "$", NULL};
	static const char *const lost[] = {"x", NULL};
	static const char *const silent[] = {"$", NULL};
	const char *const *const scripts[] = {good, lost, silent};

	client.cancels = true;
	talk(_i == 3 ? DEPTH_CONNECT : DEPTH_GREETING, scripts[_i % 3]);
	(void)event_base_loop(base, EVLOOP_NONBLOCK);
	ck_assert_uint_eq(client.closed, 0);
}
END_TEST

START_TEST(it_can_be_cancelled_before_it_reports)
{
	struct smtp_dialogue_request request = {
		.protocol = PROTOCOL_SMTP,
		.depth = _i == 0 ? DEPTH_CONNECT : DEPTH_HELLO,
		.reply_timeout_ms = REPLY_MS,
		.helo = "client.example",
		.peer = "peer",
		.name = "smtp:[peer]",
	};
	int pair[2];
	char byte;

	tcp_pair(pair);
	client.dialogue = smtp_dialogue_start(base, pair[0], &request, on_done, on_closed, &client);
	smtp_dialogue_cancel(client.dialogue);
	ck_assert_int_eq(recv(pair[1], &byte, 1, 0), 0);
	(void)event_base_loop(base, EVLOOP_NONBLOCK);
	ck_assert_uint_eq(client.done + client.closed, 0);
	(void)close(pair[1]);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, each_peer_has_its_reason, 0, sizeof cases / sizeof cases[0]);
	tcase_add_test(tcase, a_banner_and_a_pause_are_not_slow);
	tcase_add_test(tcase, latency_is_the_time_to_the_first_byte);
	tcase_add_test(tcase, without_a_greeting_there_is_no_latency);
	tcase_add_test(tcase, no_answer_to_quit_is_waited_for_2_s);
	tcase_add_loop_test(tcase, it_can_be_cancelled_while_it_reports, 0, 4);
	tcase_add_loop_test(tcase, it_can_be_cancelled_before_it_reports, 0, 2);
}

int main(void)
{
	return suite_run("dialogue", add);
}
