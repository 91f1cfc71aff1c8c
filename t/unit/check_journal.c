/*
 * check_journal - following a real journal: what is new, what is Postfix's, rotation, a flood, no
 * permission
 *
 * systemd-journal-remote(8) writes the files; nothing of systemd has to run.  Where it is missing
 * the test is skipped.
 */
#include "probe/journal.h"

#include "base/xmem.h"
#include "suite.h"

#include <errno.h>
#include <event2/thread.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WRITER "/lib/systemd/systemd-journal-remote"
#define DEFERRED                                                                                   \
	"4fX5kD2Xb3z: to=<a@b.test>, relay=none, delay=0, delays=0/0/0/0, dsn=4.4.1, "             \
	"status=deferred (connect to relay.test[192.0.2.%u]:25: Connection refused)"

enum { FLOOD = 20000, SKIPPED = 77 };

static char directory[] = "/tmp/check_journal.XXXXXX";
static struct event_base *base;
static struct journal *journal;
static int state; /* -1: not told yet */
static unsigned states, lines, lines_at_once;
static struct maillog_line last;

static void on_line(void *arg, const struct maillog_line *line)
{
	(void)arg;
	last = *line;
	lines++;
	lines_at_once++;
}

static void on_state(void *arg, int error)
{
	(void)arg;
	state = error;
	states++;
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
	bool *is_over = arg;

	(void)fd;
	(void)what;
	*is_over = true;
}

/* run_until - the event loop, for at most so long; false when the time is over */
static bool run_until(unsigned wanted_states, unsigned wanted_lines, long limit_ms)
{
	const struct timeval limit = {limit_ms / 1000, limit_ms % 1000 * 1000};
	bool is_over = false;
	struct event *timeout = evtimer_new(base, on_timeout, &is_over);

	evtimer_add(timeout, &limit);
	while (!is_over && (states < wanted_states || lines < wanted_lines)) {
		lines_at_once = 0;
		ck_assert_int_ge(event_base_loop(base, EVLOOP_ONCE), 0);
		ck_assert_uint_le(lines_at_once, 64);
	}
	event_free(timeout);
	return !is_over;
}

/* start_writer - a pipe to one that appends to this file */
static FILE *start_writer(const char *name)
{
	char *command =
		xasprintf("exec %s -o %s/%s.journal - 2>/dev/null", WRITER, directory, name);
	FILE *pipe = popen(command, "w");

	free(command);
	ck_assert_ptr_nonnull(pipe);
	return pipe;
}

static void end_writer(FILE *pipe)
{
	ck_assert_int_eq(pclose(pipe), 0);
}

static void write_entry(FILE *pipe, int facility, const char *tag, const char *message)
{
	static unsigned long count;
	struct timespec now;
	unsigned long us;

	ck_assert_int_eq(clock_gettime(CLOCK_REALTIME, &now), 0);
	us = (unsigned long)now.tv_sec * 1000000 + (unsigned long)now.tv_nsec / 1000;
	ck_assert_int_gt(fprintf(pipe,
				 "__REALTIME_TIMESTAMP=%lu\n__MONOTONIC_TIMESTAMP=%lu\n"
				 "_BOOT_ID=3d1219c7c4c5404aaa1f6d2a48adfda4\nSYSLOG_FACILITY=%d\n"
				 "SYSLOG_IDENTIFIER=%s\nMESSAGE=%s\n\n",
				 us, ++count, facility, tag, message),
		0);
}

static void write_deferral(FILE *pipe, unsigned server)
{
	char message[512];

	(void)snprintf(message, sizeof message, DEFERRED, server);
	write_entry(pipe, 2, "postfix/smtp", message);
}

/* write_one - the whole life of a writer */
static void write_one(const char *name, unsigned server)
{
	FILE *pipe = start_writer(name);

	write_deferral(pipe, server);
	end_writer(pipe);
}

static void setup(void)
{
	(void)strcpy(directory, "/tmp/check_journal.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	ck_assert_int_eq(evthread_use_pthreads(), 0);
	base = event_base_new();
	state = -1;
	states = lines = 0;
}

static void start(uint32_t facilities)
{
	const struct journal_source source = {directory, facilities};
	const struct journal_callbacks callbacks = {on_line, on_state, NULL};

	journal = journal_new(base, &source, &callbacks);
}

/* begin - one entry is history */
static void begin(void)
{
	write_one("system", 1);
	start(1U << journal_facility("mail"));
	ck_assert(run_until(1, 0, 10000));
	ck_assert_int_eq(state, 0);
}

/* become - a user without rights, and root again; who is none has no right where there is none */
static void become(unsigned id)
{
	if (getuid() != 0 && id != 0) {
		ck_assert_int_eq(chmod(directory, 0), 0);
	} else if (id != 0) {
		ck_assert_int_eq(setgroups(0, NULL), 0);
		ck_assert_int_eq(setresgid(id, id, 0), 0);
		ck_assert_int_eq(setresuid(id, id, 0), 0);
	} else if (setresuid(0, 0, 0) == 0) {
		ck_assert_int_eq(setresgid(0, 0, 0), 0);
	} else {
		ck_assert_int_eq(chmod(directory, 0700), 0);
	}
}

static void teardown(void)
{
	char *command = xasprintf("rm -rf %s", directory);

	journal_free(journal);
	event_base_free(base);
	ck_assert_int_eq(system(command), 0);
	free(command);
}

START_TEST(what_is_new_is_told_and_nothing_else)
{
	begin();
	write_one("system", 2);
	ck_assert(run_until(1, 1, 10000));
	ck_assert_str_eq(last.tag, "postfix/smtp");
	ck_assert_str_eq(last.address, "192.0.2.2");
	ck_assert_int_eq(last.statement, STATEMENT_FAILS);
	ck_assert(!run_until(1, 2, 200));
}
END_TEST

START_TEST(an_entry_is_read_while_its_writer_runs)
{
	FILE *pipe;

	begin();
	pipe = start_writer("system");
	write_deferral(pipe, 3);
	ck_assert_int_eq(fflush(pipe), 0);
	ck_assert(run_until(1, 1, 10000));
	end_writer(pipe);
}
END_TEST

START_TEST(only_entries_of_postfix_in_its_facility_say_something)
{
	FILE *pipe;
	char message[512];

	begin();
	(void)snprintf(message, sizeof message, DEFERRED, 4U);
	pipe = start_writer("system");
	write_entry(pipe, 3, "postfix/smtp", message);
	write_entry(pipe, 2, "postfix/error", message);
	write_entry(pipe, 2, "sshd", message);
	write_entry(pipe, 2, "post fix/smtp", message);
	write_entry(pipe, 2, "postfix/smtp", "hello");
	write_entry(pipe, 2, "postfix/smtp", "\xff\xfe");
	write_entry(pipe, 2, "postfix-out/relay/smtp", message);
	end_writer(pipe);
	ck_assert(run_until(1, 1, 10000));
	ck_assert_str_eq(last.tag, "postfix-out/relay/smtp");
	ck_assert(!run_until(1, 2, 200));
}
END_TEST

START_TEST(a_facility_of_its_own_is_read)
{
	FILE *pipe;
	char message[512];

	(void)snprintf(message, sizeof message, DEFERRED, 5U);
	write_one("system", 1);
	start(1U << journal_facility("local3") | 1U << journal_facility("mail"));
	ck_assert(run_until(1, 0, 10000));
	pipe = start_writer("system");
	write_entry(pipe, 19, "postfix/smtp", message);
	write_entry(pipe, 2, "postfix/smtp", message);
	end_writer(pipe);
	ck_assert(run_until(1, 2, 10000));
}
END_TEST

START_TEST(files_come_and_go)
{
	char *from = xasprintf("%s/system.journal", directory);
	char *to = xasprintf("%s/system@0.journal", directory);

	begin();
	ck_assert_int_eq(rename(from, to), 0);
	write_one("system", 6);
	ck_assert(run_until(1, 1, 10000));
	ck_assert_str_eq(last.address, "192.0.2.6");
	/* Vacuumed. */
	ck_assert_int_eq(unlink(to), 0);
	write_one("system", 7);
	ck_assert(run_until(1, 2, 10000));
	ck_assert_str_eq(last.address, "192.0.2.7");
	ck_assert_int_eq(unlink(from), 0);
	write_one("system", 8);
	ck_assert(run_until(1, 3, 10000));
	ck_assert_str_eq(last.address, "192.0.2.8");
	ck_assert_uint_eq(states, 1);
	free(from);
	free(to);
}
END_TEST

START_TEST(an_empty_journal_is_read_from_its_first_entry)
{
	FILE *pipe = start_writer("system");

	end_writer(pipe);
	start(1U << journal_facility("mail"));
	ck_assert(run_until(1, 0, 10000));
	ck_assert_int_eq(state, 0);
	write_one("system", 9);
	ck_assert(run_until(1, 1, 10000));
}
END_TEST

START_TEST(a_flood_is_taken_in_short_turns_and_whole)
{
	FILE *pipe;

	begin();
	pipe = start_writer("system");
	for (unsigned i = 0; i < FLOOD; i++)
		write_deferral(pipe, i % 250);
	end_writer(pipe);
	ck_assert(run_until(1, FLOOD, 50000));
	ck_assert(!run_until(1, FLOOD + 1, 200));
}
END_TEST

START_TEST(it_can_be_ended_in_the_middle_of_a_flood)
{
	FILE *pipe;

	begin();
	pipe = start_writer("system");
	for (unsigned i = 0; i < 1000; i++)
		write_deferral(pipe, i % 250);
	end_writer(pipe);
	ck_assert(run_until(1, 10, 10000));
	journal_free(journal);
	journal = NULL;
	ck_assert(!run_until(1, 1001, 100));
}
END_TEST

START_TEST(none_is_told_from_one_that_may_not_be_read)
{
	start(1U << journal_facility("mail"));
	ck_assert(run_until(1, 0, 10000));
	ck_assert_int_eq(state, ENOENT);
	journal_free(journal);
	write_one("system", 1);
	ck_assert_int_eq(chmod(directory, 0755), 0);
	become(65534);
	start(1U << journal_facility("mail"));
	ck_assert(run_until(2, 0, 10000));
	ck_assert_int_eq(state, EACCES);
	become(0);
}
END_TEST

START_TEST(facilities_have_names)
{
	ck_assert_int_eq(journal_facility("mail"), 2);
	ck_assert_int_eq(journal_facility("LOCAL7"), 23);
	ck_assert_int_eq(journal_facility(""), -1);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, what_is_new_is_told_and_nothing_else);
	tcase_add_test(tcase, an_entry_is_read_while_its_writer_runs);
	tcase_add_test(tcase, only_entries_of_postfix_in_its_facility_say_something);
	tcase_add_test(tcase, a_facility_of_its_own_is_read);
	tcase_add_test(tcase, files_come_and_go);
	tcase_add_test(tcase, an_empty_journal_is_read_from_its_first_entry);
	tcase_add_test(tcase, a_flood_is_taken_in_short_turns_and_whole);
	tcase_add_test(tcase, it_can_be_ended_in_the_middle_of_a_flood);
	tcase_add_test(tcase, none_is_told_from_one_that_may_not_be_read);
	tcase_add_test(tcase, facilities_have_names);
}

int main(void)
{
#ifndef HAVE_LIBSYSTEMD
	return SKIPPED;
#else
	if (access(WRITER, X_OK) != 0) {
		(void)fprintf(stderr, "%s: is systemd-journal-remote installed?\n", WRITER);
		return SKIPPED;
	}
	return suite_run("journal", add);
#endif
}
