/*
 * check_base - the modules that know no mail
 */
#include "base/channel.h"
#include "base/cidr.h"
#include "base/clock.h"
#include "base/pattern.h"
#include "base/run.h"
#include "base/sockpath.h"
#include "base/copy.h"
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64];

static void setup(void)
{
	(void)strcpy(directory, "/tmp/check_base.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
}

static void teardown(void)
{
	char command[128];

	(void)snprintf(command, sizeof command, "rm -rf %s", directory);
	ck_assert_int_eq(system(command), 0);
}

static const struct {
	const char *network, *address;
	bool contains;
} networks[] = {
	{"192.0.2.0/24", "192.0.2.255", true},
	{"192.0.2.0/24", "192.0.3.0", false},
	{"192.0.2.8/29", "192.0.2.15", true},
	{"192.0.2.8/29", "192.0.2.16", false},
	{"0.0.0.0/0", "203.0.113.1", true},
	{"0.0.0.0/0", "2001:db8::1", false},
	{"::/0", "2001:db8::1", true},
	{"[2001:db8::]/32", "2001:db8:ffff::", true},
	{"[2001:db8::]/33", "2001:db8:8000::", false},
	{"127.0.0.1", "127.0.0.1", true},
	{"127.0.0.1", "::ffff:127.0.0.1", true},
};

START_TEST(networks_contain_what_they_should)
{
	struct cidr network, address;

	ck_assert(cidr_parse(networks[_i].network, &network));
	ck_assert(cidr_parse(networks[_i].address, &address));
	ck_assert(cidr_contains(&network, &address) == networks[_i].contains);
}
END_TEST

START_TEST(what_is_no_network_is_refused)
{
	static const char *const bad[] = {"", "/", "192.0.2.0/33", "192.0.2.1/24", "192.0.2.0/",
		"192.0.2.0/-1", "192.0.2.0/8x", "host", "[::1", "::1]", "[]", "2001:db8::/129",
		"hash:/etc/x", "1.2.3", "1:2:3:4:5:6:7:8:9:1:2:3:4:5:6:7:8:9:1:2:3:4:5:6:7:8:9"};
	struct cidr network;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(!cidr_parse(bad[i], &network), "%s", bad[i]);
}
END_TEST

START_TEST(loopback_is_known)
{
	struct cidr address;

	ck_assert(cidr_parse("127.200.0.1", &address) && cidr_is_loopback(&address));
	ck_assert(cidr_parse("::1", &address) && cidr_is_loopback(&address));
	ck_assert(cidr_parse("128.0.0.1", &address) && !cidr_is_loopback(&address));
	ck_assert(cidr_parse("::2", &address) && !cidr_is_loopback(&address));
}
END_TEST

START_TEST(patterns_know_stars_and_question_marks_only)
{
	ck_assert(pattern_match("smtp:[127.0.0.1]:*", "smtp:[127.0.0.1]:10024"));
	ck_assert(pattern_match("*[::1]*", "lmtp:[::1]:24"));
	ck_assert(pattern_match("*a*b*c", "xaxbxbxc"));
	ck_assert(pattern_match("", ""));
	ck_assert(pattern_match("**", ""));
	ck_assert(pattern_match("?*", "x"));
	ck_assert(!pattern_match("?", ""));
	ck_assert(!pattern_match("[ab]", "a"));
	ck_assert(!pattern_match("*a*b*c", "xaxbxbxcx"));
	ck_assert(!pattern_match("smtp:*", "lmtp:x"));
	ck_assert(pattern_is_plain("[a]") && !pattern_is_plain("a*") && !pattern_is_plain("?"));
}
END_TEST

START_TEST(a_pattern_of_many_stars_costs_little)
{
	char text[2001], pattern[201];

	memset(text, 'a', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	for (size_t i = 0; i < sizeof pattern - 1; i += 2)
		memcpy(pattern + i, "*a", 2);
	pattern[sizeof pattern - 2] = 'b';
	pattern[sizeof pattern - 1] = '\0';
	ck_assert(!pattern_match(pattern, text));
}
END_TEST

START_TEST(messages_come_whole_with_their_descriptors)
{
	struct channel_message message;
	int fds[2], pipe_fds[2];
	char byte = 'x';

	ck_assert(channel_pair(fds));
	ck_assert_int_eq(pipe(pipe_fds), 0);
	ck_assert_int_eq(channel_receive(fds[0], &message), CHANNEL_NOTHING);
	ck_assert(channel_send(fds[1], CHANNEL_OPENED, "ab", 2, pipe_fds[1], 0));
	ck_assert(channel_send(fds[1], CHANNEL_STOP, NULL, 0, -1, 0));
	close(pipe_fds[1]);
	ck_assert_int_eq(channel_receive(fds[0], &message), CHANNEL_GOT);
	ck_assert_int_eq(message.type, CHANNEL_OPENED);
	ck_assert_uint_eq(message.bytes, 2);
	ck_assert_int_eq(write(message.fd, &byte, 1), 1);
	close(message.fd);
	ck_assert_int_eq(read(pipe_fds[0], &byte, 1), 1);
	ck_assert_int_eq(channel_receive(fds[0], &message), CHANNEL_GOT);
	ck_assert_int_eq(message.type, CHANNEL_STOP);
	ck_assert_int_eq(message.fd, -1);
	close(fds[1]);
	ck_assert_int_eq(channel_receive(fds[0], &message), CHANNEL_GONE);
	close(fds[0]);
	close(pipe_fds[0]);
}
END_TEST

START_TEST(a_block_of_any_size_comes_whole)
{
	const size_t sizes[] = {0, 1, 3 << 20};
	struct channel_message message;
	int fds[2];

	ck_assert(channel_pair(fds));
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		char *block = calloc(1, sizes[i] + 1), *found;
		size_t bytes;

		memset(block, 'y', sizes[i]);
		ck_assert(channel_send_block(fds[1], CHANNEL_RELOAD, block, sizes[i], 0));
		ck_assert_int_eq(channel_receive(fds[0], &message), CHANNEL_GOT);
		found = channel_block(&message, &bytes);
		ck_assert_uint_eq(bytes, sizes[i]);
		ck_assert_int_eq(memcmp(found, block, sizes[i] + 1), 0);
		free(found);
		free(block);
	}
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(a_full_channel_and_a_gone_reader_are_errors_not_signals)
{
	int fds[2];

	ck_assert(channel_pair(fds));
	while (channel_send(fds[1], CHANNEL_READY, directory, sizeof directory, -1, 0))
		;
	ck_assert_int_eq(errno, EAGAIN);
	close(fds[0]);
	ck_assert(!channel_send(fds[1], CHANNEL_READY, NULL, 0, -1, 0));
	close(fds[1]);
}
END_TEST

START_TEST(output_of_a_program_is_captured)
{
	const char *const argv[] = {"sh", "-c", "echo out; echo err >&2", NULL};
	const char *const much[] = {"sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x >&2; echo y",
		NULL};
	char *error, *text = run_capture(argv, 10000, &error);

	ck_assert_str_eq(text, "out\n");
	ck_assert_ptr_null(error);
	free(text);
	text = run_capture(much, 10000, &error);
	ck_assert_str_eq(text, "y\n");
	free(text);
}
END_TEST

START_TEST(a_program_that_fails_is_quoted)
{
	const char *const fails[] = {"sh", "-c", "echo bad thing >&2; echo more >&2; exit 3", NULL};
	const char *const hangs[] = {"sleep", "60", NULL};
	const char *const missing[] = {"no-such-program", NULL};
	char *error;

	ck_assert_ptr_null(run_capture(fails, 10000, &error));
	ck_assert_ptr_nonnull(strstr(error, "exit status 3: bad thing"));
	ck_assert_ptr_null(strchr(error, '\n'));
	free(error);
	ck_assert_ptr_null(run_capture(hangs, 100, &error));
	ck_assert_str_eq(error, "sleep 60: did not end in time");
	free(error);
	ck_assert_ptr_null(run_capture(missing, 1000, &error));
	ck_assert_ptr_nonnull(strstr(error, "No such file"));
	free(error);
}
END_TEST

static const struct sockpath_access access_ours = {(uid_t)-1, (gid_t)-1, 0660, (uid_t)-1, 0750};

START_TEST(a_socket_gets_its_directory_and_mode)
{
	char path[128], error[SOCKPATH_ERROR_BYTES];
	struct stat status;
	int fd;

	(void)snprintf(path, sizeof path, "%s/a/b/s", directory);
	fd = sockpath_listen(path, &access_ours, error);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(stat(path, &status), 0);
	ck_assert_uint_eq(status.st_mode & 0777, 0660);
	(void)snprintf(path, sizeof path, "%s/a/b", directory);
	ck_assert_int_eq(stat(path, &status), 0);
	ck_assert_uint_eq(status.st_mode & 0777, 0750);
	close(fd);
}
END_TEST

START_TEST(a_stale_socket_is_replaced_and_a_live_one_is_not)
{
	char path[128], error[SOCKPATH_ERROR_BYTES];
	int fd;

	(void)snprintf(path, sizeof path, "%s/s", directory);
	fd = sockpath_listen(path, &access_ours, error);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(sockpath_listen(path, &access_ours, error), -1);
	ck_assert_ptr_nonnull(strstr(error, "another process serves this socket"));
	close(fd);
	fd = sockpath_listen(path, &access_ours, error);
	ck_assert_int_ge(fd, 0);
	close(fd);
}
END_TEST

START_TEST(what_is_no_socket_is_left_alone)
{
	char path[128], error[SOCKPATH_ERROR_BYTES];
	FILE *fp;

	(void)snprintf(path, sizeof path, "%s/file", directory);
	fp = fopen(path, "w");
	fclose(fp);
	ck_assert(!sockpath_prepare(path, &access_ours, error));
	ck_assert_ptr_nonnull(strstr(error, "not a socket"));
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

START_TEST(a_text_is_copied_as_far_as_there_is_room)
{
	char out[8];

	copy_text(out, sizeof out, "");
	ck_assert_str_eq(out, "");
	copy_text(out, sizeof out, "seven..");
	ck_assert_str_eq(out, "seven..");
	memset(out, 'x', sizeof out);
	copy_text(out, sizeof out, "more than seven");
	ck_assert_str_eq(out, "more th");
	copy_text(out, sizeof out, NULL);
	ck_assert_str_eq(out, "");
}
END_TEST

START_TEST(times_are_written_in_utc)
{
	char buf[CLOCK_UTC_BYTES];

	ck_assert_str_eq(clock_format_utc(buf, 1795285207), "2026-11-21T18:20:07Z");
	ck_assert_str_eq(clock_format_time(buf, 1795285207), "18:20:07Z");
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, networks_contain_what_they_should, 0,
		(int)(sizeof networks / sizeof *networks));
	tcase_add_test(tcase, what_is_no_network_is_refused);
	tcase_add_test(tcase, loopback_is_known);
	tcase_add_test(tcase, patterns_know_stars_and_question_marks_only);
	tcase_add_test(tcase, a_pattern_of_many_stars_costs_little);
	tcase_add_test(tcase, messages_come_whole_with_their_descriptors);
	tcase_add_test(tcase, a_block_of_any_size_comes_whole);
	tcase_add_test(tcase, a_full_channel_and_a_gone_reader_are_errors_not_signals);
	tcase_add_test(tcase, output_of_a_program_is_captured);
	tcase_add_test(tcase, a_program_that_fails_is_quoted);
	tcase_add_test(tcase, a_socket_gets_its_directory_and_mode);
	tcase_add_test(tcase, a_stale_socket_is_replaced_and_a_live_one_is_not);
	tcase_add_test(tcase, what_is_no_socket_is_left_alone);
	tcase_add_test(tcase, a_text_is_copied_as_far_as_there_is_room);
	tcase_add_test(tcase, times_are_written_in_utc);
}

int main(void)
{
	return suite_run("base", add);
}
