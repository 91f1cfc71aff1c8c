/*
 * check_prober - whole probes against servers of our own on loopback ports and UNIX sockets
 */
#include "base/clock.h"
#include "probe/prober.h"
#include "suite.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { CONNECT_MS = 300, REPLY_MS = 300, SLOW_MS = 5000 };

static struct event_base *base;
static struct prober *prober;
static struct probe *probe;
static struct probe_request request;
static struct probe_result result;
static struct deep deep;
static unsigned done, released, accepted, open_now, open_most, quits, auths, recipients;
static const char *ehlo_reply, *auth_reply, *recipient_reply; /* NULL: 250 */
static bool cancels;
static const char *greeting, *alternative; /* alternative: what the second connection gets */
static char directory[64], path[HOP_PATH_BYTES];

static void on_server_event(struct bufferevent *stream, short events, void *arg)
{
	(void)events;
	(void)arg;
	open_now--;
	bufferevent_free(stream);
}

static void on_server_read(struct bufferevent *stream, void *arg)
{
	struct evbuffer *input = bufferevent_get_input(stream);
	char *line;

	(void)arg;
	while ((line = evbuffer_readln(input, NULL, EVBUFFER_EOL_CRLF)) != NULL) {
		bool is_quit = strcmp(line, "QUIT") == 0;
		const char *reply = is_quit ? "221 bye\r\n" : "250 fine\r\n";

		quits += is_quit;
		if (strncmp(line, "EHLO ", 5) == 0 && ehlo_reply != NULL)
			reply = ehlo_reply;
		if (strcmp(line, "AUTH PLAIN AHVzZXIAcGFzc3dvcmQ=") == 0 ||
			strcmp(line, "AUTH PLAIN AHVzZXIAYW5vdGhlcg==") == 0) {
			auths++;
			reply = auth_reply;
		}
		if (strcmp(line, "RCPT TO:<a@example.test>") == 0) {
			recipients++;
			reply = recipient_reply != NULL ? recipient_reply : reply;
		}
		(void)bufferevent_write(stream, reply, strlen(reply));
		free(line);
	}
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from,
	int from_bytes, void *arg)
{
	struct bufferevent *stream = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);

	(void)listener;
	(void)from;
	(void)from_bytes;
	(void)arg;
	accepted++;
	if (++open_now > open_most)
		open_most = open_now;
	bufferevent_setcb(stream, on_server_read, NULL, on_server_event, NULL);
	(void)bufferevent_enable(stream, EV_READ | EV_WRITE);
	if (accepted == 2 && alternative != NULL)
		greeting = alternative;
	(void)bufferevent_write(stream, greeting, strlen(greeting));
}

/* bind_tcp - a socket that refuses connections until listen_at(); -1 when the port is taken */
static int bind_tcp(const char *host, uint16_t *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(*port)};
	socklen_t bytes = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	ck_assert_int_eq(inet_pton(AF_INET, host, &address.sin_addr), 1);
	if (bind(fd, (struct sockaddr *)&address, bytes) != 0) {
		(void)close(fd);
		return -1;
	}
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &bytes), 0);
	*port = ntohs(address.sin_port);
	return fd;
}

static struct evconnlistener *listen_at(int fd)
{
	struct evconnlistener *listener =
		evconnlistener_new(base, on_accept, NULL, LEV_OPT_CLOSE_ON_FREE, 8, fd);

	ck_assert_ptr_nonnull(listener);
	return listener;
}

static struct evconnlistener *listen_tcp(uint16_t *port)
{
	return listen_at(bind_tcp("127.0.0.1", port));
}

static struct evconnlistener *listen_unix(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	memcpy(address.sun_path, path, sizeof path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	return listen_at(fd);
}

static void on_done(void *arg, const struct probe_result *got)
{
	ck_assert_ptr_eq(arg, &result);
	result = *got;
	done++;
	if (cancels)
		prober_cancel(probe);
}

static void on_released(void *arg)
{
	ck_assert_ptr_eq(arg, &result);
	ck_assert_uint_eq(done, 1);
	released++;
}

static void target(const char *nexthop, uint16_t port)
{
	char text[HOP_NAME_BYTES];
	const char *why;

	(void)snprintf(text, sizeof text, nexthop, port);
	ck_assert_int_eq(
		hop_parse_nexthop(text, PROTOCOL_SMTP, 25, &request.target, &why), REASON_NONE);
	ck_assert(hop_name(request.name, "smtp", text));
}

static void start(void)
{
	probe = prober_start(prober, &request, on_done, on_released, &result);
	ck_assert_ptr_nonnull(probe);
	ck_assert_uint_eq(done + released, 0);
}

static void run(void)
{
	int64_t start_ms = clock_now_ms();

	start();
	while (released == 0)
		ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
	ck_assert_uint_eq(done, 1);
	ck_assert_int_ge(result.evidence_ms, start_ms);
	ck_assert_int_le(result.evidence_ms, clock_now_ms());
	while (open_now > 0)
		ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
}

/* run_against - a probe of a server that is there */
static void run_against(const char *nexthop)
{
	uint16_t port = 0;
	struct evconnlistener *listener = listen_tcp(&port);

	target(nexthop, port);
	run();
	evconnlistener_free(listener);
}

static void setup(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	base = event_base_new();
	prober = prober_new(base, NULL);
	ck_assert_ptr_nonnull(prober);
	greeting = "220 mx ESMTP\r\n";
	alternative = NULL;
	done = released = accepted = open_now = open_most = quits = auths = recipients = 0;
	ehlo_reply = auth_reply = recipient_reply = NULL;
	cancels = false;
	request = (struct probe_request){
		.depth = DEPTH_HELLO,
		.connect_timeout_ms = CONNECT_MS,
		.reply_timeout_ms = REPLY_MS,
		.slow_ms = SLOW_MS,
		.helo = "client.example",
		.address_limit = 5,
		.use_ipv4 = true,
		.use_ipv6 = true,
	};
	(void)snprintf(directory, sizeof directory, "/tmp/check_prober.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	(void)snprintf(path, sizeof path, "%s/socket", directory);
}

static void teardown(void)
{
	prober_free(prober);
	event_base_free(base);
	(void)unlink(path);
	(void)rmdir(directory);
}

static void expect(enum hop_check check, enum reason reason, bool is_hard)
{
	ck_assert(result.has[check]);
	ck_assert_msg(result.outcome[check].reason == reason, "%s: %s",
		reason_token(result.outcome[check].reason), result.detail);
	ck_assert_int_eq(result.outcome[check].severity, reason_severity(reason));
	ck_assert_int_eq(result.outcome[check].is_hard, is_hard);
}

START_TEST(a_good_server_is_up)
{
	static const char *const nexthops[] = {"[127.0.0.1]:%u", "127.0.0.1:%u", "[localhost]:%u"};

	run_against(nexthops[_i]);
	expect(CHECK_SERVER, REASON_NONE, false);
	ck_assert_int_eq(result.has[CHECK_RESOLVE], _i == 2);
	ck_assert(result.is_local);
	ck_assert_int_ge(result.latency_us, 0);
	ck_assert_str_eq(result.detail, "");
	ck_assert_uint_eq(accepted, 1);
	ck_assert_uint_eq(quits, 1);
}
END_TEST

START_TEST(a_refused_port_is_hard_and_names_the_address)
{
	uint16_t port = 0;
	int fd = bind_tcp("127.0.0.1", &port);
	char detail[PROBE_DETAIL_BYTES];

	target(_i == 0 ? "[127.0.0.1]:%u" : "[localhost]:%u", port);
	run();
	expect(CHECK_SERVER, REASON_CONNECTION_REFUSED, true);
	ck_assert(result.is_local);
	ck_assert_int_eq(result.latency_us, -1);
	(void)snprintf(detail, sizeof detail, "connect to 127.0.0.1:%u: Connection refused", port);
	if (_i == 0)
		ck_assert_str_eq(result.detail, detail);
	(void)close(fd);
}
END_TEST

/* own_hosts - put a file of ours over /etc/hosts, for this process alone; false: we may not */
static bool own_hosts(const char *text)
{
	FILE *file;
	bool works;

	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return false;
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
	works = mount(path, "/etc/hosts", NULL, MS_BIND, NULL) == 0;
	(void)unlink(path);
	return works;
}

/* bind_pair - the same free port of both addresses */
static void bind_pair(int fds[2], uint16_t *port)
{
	for (;;) {
		*port = 0;
		fds[0] = bind_tcp("127.0.0.2", port);
		fds[1] = bind_tcp("127.0.0.1", port);
		if (fds[1] >= 0)
			return;
		(void)close(fds[0]);
	}
}

/* A keyring that answers from the event loop. */
static struct {
	struct credentials credentials;
	enum keyring_status status;
	keyring_done_fn *done;
	void *arg;
	struct event *event;
	char host[HOP_HOST_BYTES];
	unsigned asked, cancelled;
} ring;

static void on_ring(evutil_socket_t fd, short events, void *arg)
{
	const struct keyring_answer answer = {ring.status,
		ring.status == KEYRING_FOUND ? &ring.credentials : NULL, "it is not readable"};

	(void)fd;
	(void)events;
	(void)arg;
	ring.done(ring.arg, &answer);
}

static uint32_t ring_ask(
	void *keyring_arg, const char *hop, unsigned number, const char *host, keyring_done_fn *fn, void *arg)
{
	ck_assert_uint_eq(number, 0);
	(void)keyring_arg;
	(void)hop;
	ring.asked++;
	ring.done = fn;
	ring.arg = arg;
	(void)snprintf(ring.host, sizeof ring.host, "%s", host);
	event_active(ring.event, EV_TIMEOUT, 0);
	return 1;
}

static void ring_cancel(void *keyring_arg, uint32_t handle)
{
	(void)keyring_arg;
	(void)handle;
	ring.cancelled++;
}

static const struct keyring keyring = {ring_ask, ring_cancel, NULL};

static const char offers_login[] = "250-mx\r\n250 AUTH LOGIN PLAIN\r\n";

/* use_auth - with an answer to EHLO and one to AUTH PLAIN */
static void use_auth(enum keyring_status status, const char *ehlo, const char *auth)
{
	memset(&ring, 0, sizeof ring);
	ring.status = status;
	(void)strcpy(ring.credentials.user, "user");
	(void)strcpy(ring.credentials.password, "password");
	ring.event = evtimer_new(base, on_ring, NULL);
	prober_use_keyring(prober, &keyring);
	ehlo_reply = ehlo;
	auth_reply = auth;
	memset(&deep, 0, sizeof deep);
	request.deep = &deep;
	request.depth = DEPTH_AUTH;
	request.shallow_depth = DEPTH_HELLO;
	request.auth.is_wanted = true;
	request.auth.filter = "";
	for (int i = 0; i <= SMTP_AUTH_VERIFIED; i++)
		request.auth.options[i] = "noanonymous";
}

static void end_auth(void)
{
	event_free(ring.event);
	deep_forget(&deep);
}

START_TEST(credentials_are_asked_for_and_sent)
{
	use_auth(KEYRING_FOUND, offers_login, "235 welcome\r\n");
	run_against("[127.0.0.1]:%u");
	expect(CHECK_SERVER, REASON_NONE, false);
	ck_assert(result.is_deep[DEPTH_KIND_AUTH] && !result.is_deep[DEPTH_KIND_RECIPIENT]);
	ck_assert_uint_eq(ring.asked, 1);
	ck_assert_str_eq(ring.host, "127.0.0.1");
	ck_assert_uint_eq(auths, 1);
	ck_assert_uint_eq(quits, 1);
	end_auth();
}
END_TEST

START_TEST(a_rejection_is_hard_and_the_same_words_are_not_for_the_next_address)
{
	use_auth(KEYRING_FOUND, offers_login, "535 5.7.8 no\r\n");
	if (own_hosts("127.0.0.2 dual.test\n127.0.0.1 dual.test\n")) {
		uint16_t port;
		int fds[2];
		struct evconnlistener *listeners[2];

		bind_pair(fds, &port);
		listeners[0] = listen_at(fds[0]);
		listeners[1] = listen_at(fds[1]);
		target("[dual.test]:%u", port);
		run();
		evconnlistener_free(listeners[0]);
		evconnlistener_free(listeners[1]);
		ck_assert_uint_eq(accepted, 2);
		ck_assert_str_eq(ring.host, "dual.test");
	} else {
		run_against("[127.0.0.1]:%u");
	}
	expect(CHECK_SERVER, REASON_AUTH_REJECTED, true);
	ck_assert_uint_eq(auths, 1);
	ck_assert(result.is_deep[DEPTH_KIND_AUTH]);
	ck_assert_ptr_nonnull(strstr(result.detail, "said: 535 5.7.8 no"));
	end_auth();
}
END_TEST

START_TEST(rejected_credentials_are_known_again)
{
	use_auth(KEYRING_FOUND, offers_login, "535 5.7.8 no\r\n");
	run_against("[127.0.0.1]:%u");
	done = released = auths = 0;
	/* The next is at another port: to who asks a server of its own. */
	run_against("[127.0.0.1]:%u");
	expect(CHECK_SERVER, REASON_AUTH_REJECTED, true);
	ck_assert(!result.is_deep[DEPTH_KIND_AUTH]);
	ck_assert_ptr_nonnull(strstr(result.detail, "another server"));
	ck_assert_uint_eq(ring.asked, 2);
	ck_assert_uint_eq(auths, 0);
	/* An engine before this one has left a part of the print. */
	for (struct deep_server *server = deep.servers; server != NULL; server = server->next) {
		server->has_short_print = true;
		memset(server->rejected + DEEP_SHORT_PRINT_BYTES, 0, DEEP_PRINT_BYTES - DEEP_SHORT_PRINT_BYTES);
	}
	done = released = 0;
	run_against("[127.0.0.1]:%u");
	ck_assert_uint_eq(auths, 0);
	expect(CHECK_SERVER, REASON_AUTH_REJECTED, true);
	(void)strcpy(ring.credentials.password, "another");
	done = released = auths = 0;
	run_against("[127.0.0.1]:%u");
	ck_assert_uint_eq(auths, 1);
	ck_assert_uint_eq(ring.asked, 4);
	end_auth();
}
END_TEST

START_TEST(where_postfix_has_no_credentials_nothing_is_sent)
{
	use_auth(KEYRING_NONE, offers_login, "535 no\r\n");
	run_against("[127.0.0.1]:%u");
	expect(CHECK_SERVER, REASON_NONE, false);
	ck_assert(result.is_deep[DEPTH_KIND_AUTH]);
	ck_assert_uint_eq(auths, 0);
	end_auth();
}
END_TEST

START_TEST(what_cannot_be_looked_up_is_our_fault_but_a_server_that_fails_is_down)
{
	use_auth(KEYRING_ERROR, offers_login, "235 ok\r\n");
	run_against("[127.0.0.1]:%u");
	expect(CHECK_SERVER, REASON_LOCAL_ERROR, false);
	ck_assert_str_eq(result.detail, "it is not readable");
	ck_assert(result.is_deep[DEPTH_KIND_AUTH]);
	done = released = 0;
	greeting = "554 no\r\n";
	run_against("[127.0.0.1]:%u");
	expect(CHECK_SERVER, REASON_SERVICE_REJECTED, false);
	ck_assert(!result.is_deep[DEPTH_KIND_AUTH]);
	end_auth();
}
END_TEST

START_TEST(a_server_without_auth_is_degraded)
{
	use_auth(KEYRING_FOUND, "250 mx\r\n", "235 ok\r\n");
	run_against("[127.0.0.1]:%u");
	ck_assert_int_eq(result.outcome[CHECK_SERVER].reason, REASON_AUTH_UNAVAILABLE);
	ck_assert_int_eq(result.outcome[CHECK_SERVER].severity, SEVERITY_DEGRADED);
	end_auth();
}
END_TEST

/* What Postfix asks for, while a hop section says tls = "none". */
static const struct {
	enum tls_level level;
	bool has_starttls, is_sent;
} protections[] = {
	{TLS_LEVEL_NONE, true, true},
	{TLS_LEVEL_MAY, false, true},
	{TLS_LEVEL_MAY, true, false},
	{TLS_LEVEL_ENCRYPT, false, false},
	{TLS_LEVEL_ENCRYPT, true, false},
	{TLS_LEVEL_SECURE, true, false},
	{TLS_LEVEL_UNCHECKED, true, false},
};

START_TEST(a_password_is_not_sent_where_postfix_would_use_tls)
{
	use_auth(KEYRING_FOUND,
		protections[_i].has_starttls ? "250-mx\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n"
					     : "250-mx\r\n250 AUTH PLAIN\r\n",
		"235 ok\r\n");
	request.auth.level = protections[_i].level;
	run_against("[127.0.0.1]:%u");
	ck_assert_uint_eq(auths, protections[_i].is_sent);
	expect(CHECK_SERVER, protections[_i].is_sent ? REASON_NONE : REASON_LOCAL_ERROR, false);
	end_auth();
}
END_TEST

START_TEST(a_recipient_is_asked_for_at_the_end)
{
	request.deep = &deep;
	request.shallow_depth = DEPTH_HELLO;
	(void)strcpy(request.recipient, "a@example.test");
	run_against("[127.0.0.1]:%u");
	expect(CHECK_SERVER, REASON_NONE, false);
	ck_assert(result.is_deep[DEPTH_KIND_RECIPIENT]);
	ck_assert_uint_eq(recipients, 1);
	ck_assert_uint_eq(quits, 1);
	recipient_reply = "550 5.1.1 unknown\r\n";
	done = released = 0;
	run_against("[127.0.0.1]:%u");
	expect(CHECK_SERVER, REASON_SERVICE_REJECTED, false);
	ck_assert_ptr_nonnull(strstr(result.detail, "said while sending RCPT TO: 550 5.1.1 unknown"));
	deep_forget(&deep);
}
END_TEST

START_TEST(depth_decides_what_is_said)
{
	static const enum conf_depth depths[] = {DEPTH_CONNECT, DEPTH_GREETING, DEPTH_HELLO};

	request.depth = depths[_i];
	run_against("[127.0.0.1]:%u");
	expect(CHECK_SERVER, REASON_NONE, false);
	ck_assert_uint_eq(quits, _i == 0 ? 0 : 1);
}
END_TEST

static const struct {
	const char *greeting;
	enum reason reason;
} greetings[] = {
	{"", REASON_GREETING_TIMEOUT},
	{"421 busy\r\n", REASON_SERVICE_UNAVAILABLE},
	{"554 no\r\n", REASON_SERVICE_REJECTED},
	{"SSH-2.0\r\n", REASON_PROTOCOL_ERROR},
};

START_TEST(a_bad_greeting_is_the_fault_of_the_server)
{
	greeting = greetings[_i].greeting;
	run_against("[127.0.0.1]:%u");
	expect(CHECK_SERVER, greetings[_i].reason, false);
	ck_assert_str_ne(result.detail, "");
}
END_TEST

START_TEST(a_slow_greeting_is_degraded)
{
	request.slow_ms = -1;
	run_against("[127.0.0.1]:%u");
	expect(CHECK_SERVER, REASON_SLOW, false);
	ck_assert_int_eq(result.outcome[CHECK_SERVER].severity, SEVERITY_DEGRADED);
}
END_TEST

START_TEST(unix_sockets_work)
{
	struct evconnlistener *listener = listen_unix();
	char nexthop[HOP_NAME_BYTES];

	(void)snprintf(nexthop, sizeof nexthop, "unix:%s", path);
	target(nexthop, 0);
	ck_assert(request.target.is_unix);
	run();
	expect(CHECK_SERVER, REASON_NONE, false);
	ck_assert(!result.has[CHECK_RESOLVE]);
	ck_assert(result.is_local);
	evconnlistener_free(listener);
	/* the file stays, nobody listens */
	done = released = 0;
	run();
	expect(CHECK_SERVER, REASON_CONNECTION_REFUSED, true);
}
END_TEST

START_TEST(a_missing_socket_is_hard)
{
	char nexthop[HOP_NAME_BYTES], detail[PROBE_DETAIL_BYTES];

	(void)snprintf(nexthop, sizeof nexthop, "unix:%s", path);
	(void)snprintf(detail, sizeof detail, "connect to %s: No such file or directory", path);
	target(nexthop, 0);
	run();
	expect(CHECK_SERVER, REASON_SOCKET_MISSING, true);
	ck_assert_str_eq(result.detail, detail);
}
END_TEST

START_TEST(a_socket_that_we_may_not_enter_is_a_local_error)
{
	struct evconnlistener *listener;
	char nexthop[HOP_NAME_BYTES];

	if (geteuid() == 0)
		return;
	listener = listen_unix();
	ck_assert_int_eq(chmod(path, 0), 0);
	(void)snprintf(nexthop, sizeof nexthop, "unix:%s", path);
	target(nexthop, 0);
	run();
	expect(CHECK_SERVER, REASON_LOCAL_ERROR, false);
	evconnlistener_free(listener);
}
END_TEST

START_TEST(our_want_of_descriptors_is_a_local_error)
{
	struct rlimit limit, none;
	uint16_t port = 0;
	struct evconnlistener *listener = listen_tcp(&port);
	int next = dup(0);

	(void)close(next);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = (rlim_t)next;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	target("[127.0.0.1]:%u", port);
	run();
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	expect(CHECK_SERVER, REASON_LOCAL_ERROR, false);
	evconnlistener_free(listener);
}
END_TEST

START_TEST(a_full_backlog_is_a_timeout)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int server = socket(AF_UNIX, SOCK_STREAM, 0), fill[2];
	char nexthop[HOP_NAME_BYTES];

	memcpy(address.sun_path, path, sizeof path);
	ck_assert_int_eq(bind(server, (struct sockaddr *)&address, sizeof address), 0);
	ck_assert_int_eq(listen(server, 0), 0);
	for (int at = 0; at < 2; at++) {
		fill[at] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(fill[at], (struct sockaddr *)&address, sizeof address);
	}
	(void)snprintf(nexthop, sizeof nexthop, "unix:%s", path);
	target(nexthop, 0);
	run();
	expect(CHECK_SERVER, REASON_CONNECTION_TIMEOUT, false);
	(void)close(fill[0]);
	(void)close(fill[1]);
	(void)close(server);
}
END_TEST

START_TEST(a_source_address_that_is_not_ours_is_not_needed)
{
	request.has_bind4 = true;
	ck_assert_int_eq(
		inet_pton(AF_INET, _i == 0 ? "192.0.2.77" : "127.0.0.2", &request.bind4), 1);
	run_against("[127.0.0.1]:%u");
	expect(CHECK_SERVER, REASON_NONE, false);
}
END_TEST

START_TEST(an_address_family_that_is_off_is_not_usable)
{
	request.use_ipv6 = false;
	target("[::1]:%u", 25);
	run();
	expect(CHECK_SERVER, REASON_DNS_NOT_FOUND, false);
}
END_TEST

START_TEST(a_name_that_is_not_found_says_nothing_of_the_server)
{
	/* No resolver answers for this name: a label is too long to be asked for. */
	target("[x.invalid]:%u", 25);
	memset(request.target.host, 'x', 70);
	request.target.host[70] = '\0';
	run();
	expect(CHECK_RESOLVE, REASON_DNS_NOT_FOUND, false);
	ck_assert(!result.has[CHECK_SERVER]);
	ck_assert(!result.is_local);
}
END_TEST

/* Two addresses of one server: who listens at 127.0.0.2 (tried first), at 127.0.0.1, with which
 * greetings, and what must come of it. */
static const struct {
	const char *name;
	bool first, second;
	const char *greeting, *alternative;
	enum reason reason;
	bool is_hard;
	unsigned accepted;
	const char *detail; /* its beginning */
} pairs[] = {
	{"dual.test", true, true, "220 mx\r\n", NULL, REASON_NONE, false, 1, ""},
	{"dual.test", false, true, "220 mx\r\n", NULL, REASON_PARTIAL, false, 1,
		"connect to 127.0.0.2:"},
	{"localhost", false, true, "220 mx\r\n", NULL, REASON_NONE, false, 1, ""},
	{"dual.test", false, false, "", NULL, REASON_CONNECTION_REFUSED, true, 0,
		"connect to 127.0.0.2:"},
	{"dual.test", false, true, "554 no\r\n", NULL, REASON_SERVICE_REJECTED, false, 1,
		"127.0.0.1:"},
	{"dual.test", true, true, "554 no\r\n", "220 mx\r\n", REASON_PARTIAL, false, 2,
		"127.0.0.2:"},
	{"dual.test", true, true, "554 no\r\n", "421 busy\r\n", REASON_SERVICE_REJECTED, false, 2,
		"127.0.0.2:"},
	{"dual.test", true, false, "", NULL, REASON_GREETING_TIMEOUT, false, 1, "conversation"},
};

START_TEST(addresses_are_tried_one_after_the_other)
{
	struct evconnlistener *first = NULL, *second = NULL;
	int fds[2];
	uint16_t port;
	char nexthop[64];

	if (!own_hosts("127.0.0.2 dual.test localhost\n127.0.0.1 dual.test localhost\n"))
		return;
	greeting = pairs[_i].greeting;
	alternative = pairs[_i].alternative;
	bind_pair(fds, &port);
	if (pairs[_i].first)
		first = listen_at(fds[0]);
	if (pairs[_i].second)
		second = listen_at(fds[1]);
	(void)snprintf(nexthop, sizeof nexthop, "[%s]:%%u", pairs[_i].name);
	target(nexthop, port);
	run();
	expect(CHECK_RESOLVE, REASON_NONE, false);
	expect(CHECK_SERVER, pairs[_i].reason, pairs[_i].is_hard);
	ck_assert(result.is_local);
	ck_assert_uint_eq(accepted, pairs[_i].accepted);
	ck_assert_uint_le(open_most, 1);
	ck_assert_msg(strncmp(result.detail, pairs[_i].detail, strlen(pairs[_i].detail)) == 0, "%s",
		result.detail);
	ck_assert((result.detail[0] == '\0') == (pairs[_i].reason == REASON_NONE));
	if (first != NULL)
		evconnlistener_free(first);
	else
		(void)close(fds[0]);
	if (second != NULL)
		evconnlistener_free(second);
	else
		(void)close(fds[1]);
}
END_TEST

START_TEST(a_cancelled_probe_calls_nobody)
{
	static const char *const nexthops[] = {"[127.0.0.1]:%u", "[localhost]:%u", "localhost:%u"};
	uint16_t port = 0;
	struct evconnlistener *listener = listen_tcp(&port);

	greeting = "";
	for (unsigned turns = 0; turns < 6; turns++) {
		target(nexthops[_i], port);
		start();
		for (unsigned turn = 0; turn < turns; turn++)
			(void)event_base_loop(base, EVLOOP_NONBLOCK);
		prober_cancel(probe);
		(void)event_base_loop(base, EVLOOP_NONBLOCK);
		ck_assert_uint_eq(done + released, 0);
	}
	evconnlistener_free(listener);
	while (open_now > 0)
		(void)event_base_loop(base, EVLOOP_ONCE);
}
END_TEST

START_TEST(a_probe_can_be_cancelled_while_it_reports)
{
	uint16_t port = 0;
	int fd = bind_tcp("127.0.0.1", &port);
	struct evconnlistener *listener = _i == 0 ? listen_at(fd) : NULL;

	cancels = true;
	target("[127.0.0.1]:%u", port);
	start();
	while (done == 0 || open_now > 0)
		(void)event_base_loop(base, EVLOOP_ONCE);
	ck_assert_uint_eq(released, 0);
	if (listener != NULL)
		evconnlistener_free(listener);
	else
		(void)close(fd);
}
END_TEST

START_TEST(the_limit_covers_every_address)
{
	target("[127.0.0.1]:%u", 25);
	ck_assert_int_ge(prober_limit_ms(&request), CONNECT_MS + 2 * REPLY_MS);
	target("mail.example:%u", 25);
	ck_assert_int_ge(prober_limit_ms(&request), 5 * (CONNECT_MS + 2 * REPLY_MS));
	request.address_limit = 0;
	ck_assert_int_ge(prober_limit_ms(&request), 50 * (CONNECT_MS + 2 * REPLY_MS));
}
END_TEST

static void add_auth(TCase *tcase)
{
	tcase_add_test(tcase, credentials_are_asked_for_and_sent);
	tcase_add_test(tcase, a_rejection_is_hard_and_the_same_words_are_not_for_the_next_address);
	tcase_add_test(tcase, rejected_credentials_are_known_again);
	tcase_add_test(tcase, where_postfix_has_no_credentials_nothing_is_sent);
	tcase_add_test(tcase, what_cannot_be_looked_up_is_our_fault_but_a_server_that_fails_is_down);
	tcase_add_test(tcase, a_server_without_auth_is_degraded);
	tcase_add_loop_test(tcase, a_password_is_not_sent_where_postfix_would_use_tls, 0,
		(int)(sizeof protections / sizeof *protections));
	tcase_add_test(tcase, a_recipient_is_asked_for_at_the_end);
}

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, teardown);
	add_auth(tcase);
	tcase_add_loop_test(tcase, a_good_server_is_up, 0, 3);
	tcase_add_loop_test(tcase, a_refused_port_is_hard_and_names_the_address, 0, 2);
	tcase_add_loop_test(tcase, depth_decides_what_is_said, 0, 3);
	tcase_add_loop_test(tcase, a_bad_greeting_is_the_fault_of_the_server, 0,
		sizeof greetings / sizeof greetings[0]);
	tcase_add_test(tcase, a_slow_greeting_is_degraded);
	tcase_add_test(tcase, unix_sockets_work);
	tcase_add_test(tcase, a_missing_socket_is_hard);
	tcase_add_test(tcase, a_socket_that_we_may_not_enter_is_a_local_error);
	tcase_add_test(tcase, our_want_of_descriptors_is_a_local_error);
	tcase_add_test(tcase, a_full_backlog_is_a_timeout);
	tcase_add_loop_test(tcase, a_source_address_that_is_not_ours_is_not_needed, 0, 2);
	tcase_add_test(tcase, an_address_family_that_is_off_is_not_usable);
	tcase_add_test(tcase, a_name_that_is_not_found_says_nothing_of_the_server);
	tcase_add_loop_test(
		tcase, addresses_are_tried_one_after_the_other, 0, sizeof pairs / sizeof pairs[0]);
	tcase_add_loop_test(tcase, a_cancelled_probe_calls_nobody, 0, 3);
	tcase_add_loop_test(tcase, a_probe_can_be_cancelled_while_it_reports, 0, 2);
	tcase_add_test(tcase, the_limit_covers_every_address);
}

int main(void)
{
	return suite_run("prober", add);
}
