/*
 * check_listening - who listens, by the kernel's list of sockets
 */
#include "probe/listening.h"

#include "suite.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { LATER_MS = 2000 };

static char directory[] = "/tmp/check_listening.XXXXXX";
static char here[4096], name[64];
static struct listening *listening;
static int64_t now_ms;

static void setup(void)
{
	ck_assert_ptr_nonnull(getcwd(here, sizeof here));
	(void)strcpy(directory + strlen(directory) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	ck_assert_int_eq(chdir(directory), 0);
	ck_assert_int_eq(mkdir("private", 0700), 0);
	/* Nobody else's. */
	(void)snprintf(name, sizeof name, "check-%ld", (long)getpid());
	listening = listening_new();
	now_ms = 1000;
}

static void teardown(void)
{
	char command[64];

	listening_free(listening);
	ck_assert_int_eq(chdir(here), 0);
	(void)snprintf(command, sizeof command, "rm -rf %s", directory);
	ck_assert_int_eq(system(command), 0);
}

/* open_socket - bound in a folder, listening or not */
static int open_socket(const char *folder, bool is_listening)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", folder, name);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	if (is_listening)
		ck_assert_int_eq(listen(fd, 1), 0);
	return fd;
}

/* count - with a list that is read again */
static unsigned count(const char *which)
{
	now_ms += LATER_MS;
	return listening_count(listening, which, now_ms);
}

START_TEST(a_socket_counts_as_long_as_somebody_listens)
{
	int fd = open_socket("private", true);

	ck_assert_uint_eq(count(name), 1);
	close(fd);
	/* The file is still there. */
	ck_assert_uint_eq(count(name), 0);
}
END_TEST

START_TEST(a_socket_that_nobody_listens_on_does_not_count)
{
	int fd = open_socket("private", false);

	ck_assert_uint_eq(count(name), 0);
	close(fd);
}
END_TEST

START_TEST(those_of_several_instances_are_counted_and_other_folders_are_not)
{
	char folder[128];
	int one = open_socket("private", true), two, other;

	ck_assert_int_eq(mkdir("out", 0700), 0);
	ck_assert_int_eq(mkdir("out/private", 0700), 0);
	ck_assert_int_eq(mkdir("public", 0700), 0);
	(void)snprintf(folder, sizeof folder, "%s/out/private", directory);
	two = open_socket(folder, true);
	other = open_socket("public", true);
	ck_assert_uint_eq(count(name), 2);
	ck_assert_uint_eq(count("check-"), 0);
	close(one);
	close(two);
	close(other);
}
END_TEST

START_TEST(the_list_is_not_read_for_every_question)
{
	int fd = open_socket("private", true);

	ck_assert_uint_eq(count(name), 1);
	close(fd);
	ck_assert_uint_eq(listening_count(listening, name, now_ms + 1), 1);
	ck_assert_uint_eq(count(name), 0);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_socket_counts_as_long_as_somebody_listens);
	tcase_add_test(tcase, a_socket_that_nobody_listens_on_does_not_count);
	tcase_add_test(tcase, those_of_several_instances_are_counted_and_other_folders_are_not);
	tcase_add_test(tcase, the_list_is_not_read_for_every_question);
}

int main(void)
{
	return suite_run("listening", add);
}
