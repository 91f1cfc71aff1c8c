/*
 * check_state - what is written is read again as it was, and nothing else is believed
 */
#include "ops/state_file.h"
#include "ops/state_format.h"

#include "suite.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NOW_MS = 7200000 };

#define WALL_MS INT64_C(1764300000123)

static struct state_image image, read_back;
static char *text;
static size_t bytes;
static char why[STATE_WHY_BYTES];
static int64_t age_ms;

static void setup(void)
{
	image = (struct state_image){.now_ms = NOW_MS, .wall_ms = WALL_MS};
	memset(image.salt, 0x11, sizeof image.salt);
	read_back = (struct state_image){.now_ms = NOW_MS, .wall_ms = WALL_MS};
	text = NULL;
}

static void teardown(void)
{
	state_image_free(&image);
	state_image_free(&read_back);
	free(text);
}

static void write_image(void)
{
	FILE *out = open_memstream(&text, &bytes);

	ck_assert(state_write(&image, out));
	ck_assert_int_eq(fclose(out), 0);
}

static enum state_worth read_text(const char *what, size_t length)
{
	state_image_free(&read_back);
	return state_read(&read_back, what, length, &age_ms, why);
}

/* add_hop - that is down, with everything that a hop can have */
static struct state_hop *add_hop(const char *name)
{
	struct state_hop *entry = state_add_hop(&image);

	entry->hop = (struct hop_memory){.name = strdup(name),
		.detail = strdup("connect to 192.0.2.1:25: Connection refused"),
		.roles = ROLE_RELAYHOST | ROLE_TRANSPORT,
		.is_learned = true,
		.state = STATE_DOWN,
		.since = WALL_MS / 1000 - 100,
		.last_probe = WALL_MS / 1000 - 3,
		.tls_not_after = WALL_MS / 1000 + 86400,
		.result_ms = NOW_MS - 3000,
		.used_ms = NOW_MS - 9000,
		.latency_us = 1234};
	entry->hop.has_check[CHECK_SERVER] = true;
	entry->hop.check[CHECK_SERVER] = (struct check){.state = STATE_DOWN,
		.reason = REASON_CONNECTION_REFUSED,
		.successes = 1,
		.failures = 3,
		.is_accused = true,
		.since_ms = NOW_MS - 100000,
		.result_ms = NOW_MS - 3000,
		.opinion = OPINION_FAILS,
		.turned_ms = NOW_MS - 100000,
		.fell_ms = {0, NOW_MS - 500000, NOW_MS - 100000}};
	return entry;
}

/* add_latch - credentials of the hop were rejected */
static void add_latch(struct state_hop *entry)
{
	struct depth_fault *fault = calloc(1, sizeof *fault);
	struct deep_server *server;

	entry->deep = calloc(1, sizeof *entry->deep);
	server = deep_add(entry->deep, UINT64_C(0x8123456789abcdef));
	fault->outcome = (struct outcome){REASON_AUTH_REJECTED, SEVERITY_DOWN, true};
	(void)strcpy(fault->detail, "authentication failed");
	server->state.kind[DEPTH_KIND_AUTH].fault = fault;
	server->state.kind[DEPTH_KIND_AUTH].faults = 1;
	server->state.kind[DEPTH_KIND_AUTH].is_latched = true;
	server->state.kind[DEPTH_KIND_TLS].due_ms = NOW_MS + 300000;
	server->tls_hash = UINT64_C(0xfedcba9876543210);
	memset(server->rejected, 0x5a, sizeof server->rejected);
}

static void add_override(const char *name, bool is_up, time_t since, time_t until)
{
	struct state_override *entry = state_add_override(&image);

	entry->name = strdup(name);
	entry->override = (struct override){is_up, since, until, "on purpose"};
}

START_TEST(a_hop_is_read_as_it_was)
{
	const struct hop_memory *hop, *was;

	add_hop("relay:[smtp.example.net]:587");
	write_image();
	ck_assert_int_eq(read_text(text, bytes), STATE_GOOD);
	ck_assert_uint_eq(read_back.hop_count, 1);
	hop = &read_back.hop[0].hop;
	was = &image.hop[0].hop;
	ck_assert_str_eq(hop->name, was->name);
	ck_assert_str_eq(hop->detail, was->detail);
	ck_assert_uint_eq(hop->roles, was->roles);
	ck_assert(hop->is_learned && !hop->is_local);
	ck_assert_int_eq(hop->state, STATE_DOWN);
	ck_assert_int_eq(hop->since, was->since);
	ck_assert_int_eq(hop->last_probe, was->last_probe);
	ck_assert_int_eq(hop->tls_not_after, was->tls_not_after);
	ck_assert_int_eq(hop->result_ms, was->result_ms);
	ck_assert_int_eq(hop->used_ms, was->used_ms);
	ck_assert_int_eq(hop->latency_us, 1234);
	for (int i = 0; i < CHECK_COUNT; i++)
		ck_assert_int_eq(hop->has_check[i], i == CHECK_SERVER);
	ck_assert_mem_eq(
		&hop->check[CHECK_SERVER], &was->check[CHECK_SERVER], sizeof(struct check));
	ck_assert_mem_eq(read_back.salt, image.salt, sizeof image.salt);
	ck_assert_ptr_null(read_back.hop[0].deep);
}
END_TEST

START_TEST(its_age_goes_on)
{
	add_hop("relay:[smtp.example.net]:587");
	write_image();
	/* Another engine, on a host that was started anew, half a minute later. */
	read_back.now_ms = 20000;
	read_back.wall_ms = WALL_MS + 30000;
	ck_assert_int_eq(read_text(text, bytes), STATE_GOOD);
	ck_assert_int_eq(age_ms, 30000);
	ck_assert_int_eq(read_back.hop[0].hop.result_ms, 20000 - 33000);
	ck_assert_int_eq(read_back.hop[0].hop.check[CHECK_SERVER].turned_ms, 20000 - 130000);
	ck_assert_int_eq(read_back.hop[0].hop.since, WALL_MS / 1000 - 100);
}
END_TEST

START_TEST(rejected_credentials_are_kept_by_two_bytes)
{
	const struct deep_server *server;

	add_latch(add_hop("relay:[smtp.example.net]:587"));
	write_image();
	ck_assert_ptr_nonnull(strstr(text, "\"rejected\":\"5a5a\""));
	ck_assert_ptr_null(strstr(text, "5a5a5a"));
	ck_assert_int_eq(read_text(text, bytes), STATE_GOOD);
	ck_assert_ptr_nonnull(read_back.hop[0].deep);
	ck_assert_uint_eq(deep_latches(read_back.hop[0].deep), 1);
	server = read_back.hop[0].deep->servers;
	ck_assert(server->server == UINT64_C(0x8123456789abcdef) && server->has_short_print);
	ck_assert_mem_eq(server->rejected, image.hop[0].deep->servers->rejected, DEEP_SHORT_PRINT_BYTES);
	ck_assert_int_eq(server->state.kind[DEPTH_KIND_AUTH].fault->outcome.reason, REASON_AUTH_REJECTED);
	ck_assert_int_eq(server->state.kind[DEPTH_KIND_AUTH].fault->outcome.severity, SEVERITY_DOWN);
	ck_assert_int_eq(server->state.kind[DEPTH_KIND_TLS].due_ms, NOW_MS + 300000);
	ck_assert(server->tls_hash == image.hop[0].deep->servers->tls_hash);
}
END_TEST

START_TEST(overrides_are_read_until_they_end)
{
	const time_t now = WALL_MS / 1000;

	add_override("smtp:", false, now - 60, now + 60);
	add_override("a:b", true, now - 60, 0);
	write_image();
	ck_assert_int_eq(read_text(text, bytes), STATE_GOOD);
	ck_assert_uint_eq(read_back.override_count, 2);
	ck_assert_str_eq(read_back.override[0].name, "smtp:");
	ck_assert(!read_back.override[0].override.is_up && read_back.override[1].override.is_up);
	ck_assert_int_eq(read_back.override[0].override.until, now + 60);
	ck_assert_str_eq(read_back.override[1].override.comment, "on purpose");
	read_back.wall_ms = WALL_MS + 60000;
	ck_assert_int_eq(read_text(text, bytes), STATE_GOOD);
	ck_assert_uint_eq(read_back.override_count, 1);
	ck_assert_str_eq(read_back.override[0].name, "a:b");
}
END_TEST

START_TEST(an_old_file_and_one_of_the_future_have_overrides_alone)
{
	const time_t now = WALL_MS / 1000;

	add_hop("relay:[smtp.example.net]:587");
	add_override("smtp:", false, now - 60, now + 14400);
	write_image();
	read_back.wall_ms = WALL_MS + STATE_AGE_MS;
	ck_assert_int_eq(read_text(text, bytes), STATE_GOOD);
	ck_assert_uint_eq(read_back.hop_count, 1);
	read_back.wall_ms = WALL_MS + STATE_AGE_MS + 1;
	ck_assert_int_eq(read_text(text, bytes), STATE_OLD);
	ck_assert_uint_eq(read_back.hop_count, 0);
	ck_assert_uint_eq(read_back.override_count, 1);
	read_back.wall_ms = WALL_MS - STATE_AHEAD_MS;
	ck_assert_int_eq(read_text(text, bytes), STATE_GOOD);
	read_back.wall_ms = WALL_MS - 86400000;
	ck_assert_int_eq(read_text(text, bytes), STATE_AHEAD);
	ck_assert_uint_eq(read_back.hop_count, 0);
	/* For no longer than it was made for. */
	ck_assert_int_eq(read_back.override[0].override.since, now - 86400);
	ck_assert_int_eq(read_back.override[0].override.until, now - 86400 + 14460);
}
END_TEST

START_TEST(no_part_of_a_file_is_taken_for_the_whole)
{
	add_latch(add_hop("relay:[smtp.example.net]:587"));
	add_hop("smtp:[192.0.2.1]");
	add_override("smtp:", false, WALL_MS / 1000, 0);
	write_image();
	for (size_t length = 0; length < bytes; length++) {
		ck_assert_int_eq(read_text(text, length), STATE_DAMAGED);
		ck_assert_uint_eq(read_back.hop_count, 0);
		ck_assert_uint_eq(read_back.override_count, 0);
		ck_assert_str_ne(why, "");
	}
	ck_assert_int_eq(read_text(text, bytes), STATE_GOOD);
}
END_TEST

START_TEST(a_byte_that_changed_is_never_a_crash)
{
	add_latch(add_hop("relay:[smtp.example.net]:587"));
	add_override("smtp:", false, WALL_MS / 1000, WALL_MS / 1000 + 60);
	write_image();
	for (size_t at = 0; at < bytes; at++) {
		static const char others[] = {'\0', '\n', '"', '0', '9', '}', (char)0xff};
		const char was = text[at];

		for (size_t i = 0; i < sizeof others; i++) {
			text[at] = others[i];
			(void)read_text(text, bytes);
		}
		text[at] = was;
	}
}
END_TEST

/* replaced - the text with one word changed for another of any length */
static enum state_worth replaced(const char *from, const char *to)
{
	const char *at = strstr(text, from);
	char changed[8192];

	ck_assert_msg(at != NULL, "%s is not in %s", from, text);
	(void)snprintf(
		changed, sizeof changed, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
	return read_text(changed, strlen(changed));
}

START_TEST(what_makes_no_sense_is_damage)
{
	static const char *const changes[][2] = {
		{"\"saved\":", "\"saved\":-"},
		{"\"salt\":\"11", "\"salt\":\"g1"},
		{"\"hop\":\"relay:", "\"hop\":\"relay "},
		{"\"hop\":\"relay:[smtp.example.net]:587\"", "\"hop\":\"relay\""},
		{"\"check\":\"server\"", "\"check\":\"servant\""},
		{"\"state\":\"down\",\"reason\":\"connection-refused\"", "\"state\":\"down\""},
		{"\"state\":\"down\",\"reason\"", "\"state\":\"up\",\"reason\""},
		{"\"state\":\"down\",\"reason\"", "\"state\":\"forced-up\",\"reason\""},
		{"\"reason\":\"connection-refused\"", "\"reason\":\"bad-luck\""},
		{"\"failures\":3", "\"failures\":1001"},
		{"\"failures\":3", "\"failures\":\"3\""},
		{"\"fails\":true", "\"fails\":true,\"passes\":true"},
		{"\"fails\":true", "\"fails\":1"},
		{"\"fell\":[", "\"fell\":[1,2,"},
		{"\"relayhost\"", "\"relaxation\""},
		{"\"latched\":true", "\"latched\":true,\"latched\":true"},
		{"\"rejected\":\"5a5a\"", "\"rejected\":\"5a5\""},
		{"\"rejected\":\"5a5a\"", "\"refused\":\"5a5a\""},
		{"\"latency_us\":1234", "\"latency_us\":-1"},
		{"\"comment\":\"on purpose\"", "\"comment\":\"on\\npurpose\""},
		{"\"force\":\"smtp:\"", "\"force\":\"\""},
		{"\"end\":2", "\"end\":3"},
		{"\"end\":2", "\"ende\":2"},
	};

	add_latch(add_hop("relay:[smtp.example.net]:587"));
	add_override("smtp:", false, WALL_MS / 1000, 0);
	write_image();
	ck_assert_int_eq(read_text(text, bytes), STATE_GOOD);
	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
		ck_assert_msg(replaced(changes[i][0], changes[i][1]) == STATE_DAMAGED,
			"%s is believed", changes[i][1]);
	ck_assert_int_eq(replaced("\"version\":1", "\"version\":2"), STATE_FOREIGN);
	ck_assert_int_eq(replaced("failfast-milter state", "something"), STATE_FOREIGN);
}
END_TEST

START_TEST(a_name_that_cannot_stand_there_is_left_out)
{
	add_hop("relay:\xff[192.0.2.1]");
	add_hop("relay: x");
	add_hop("relay:[192.0.2.1]");
	image.hop[2].hop.detail[0] = '\n';
	write_image();
	ck_assert_int_eq(read_text(text, bytes), STATE_GOOD);
	ck_assert_uint_eq(read_back.hop_count, 1);
	ck_assert_int_eq(read_back.hop[0].hop.detail[0], '?');
}
END_TEST

START_TEST(dates_of_certificates_that_no_file_can_say_are_left_out)
{
	static const time_t ends[] = {253402300799, 253402300800, 0, -1};

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
		add_hop("relay:[192.0.2.1]")->hop.tls_not_after = ends[i];
	write_image();
	ck_assert_int_eq(read_text(text, bytes), STATE_GOOD);
	ck_assert_uint_eq(read_back.hop_count, 4);
	ck_assert_int_eq(read_back.hop[0].hop.tls_not_after, ends[0]);
	for (size_t i = 1; i < 4; i++)
		ck_assert_int_eq(read_back.hop[i].hop.tls_not_after, 0);
}
END_TEST

START_TEST(counts_do_not_outgrow_the_file)
{
	add_latch(add_hop("relay:[192.0.2.1]"));
	image.hop[0].deep->servers->state.kind[DEPTH_KIND_AUTH].faults = 123456;
	write_image();
	ck_assert_int_eq(read_text(text, bytes), STATE_GOOD);
	ck_assert_uint_eq(read_back.hop[0].deep->servers->state.kind[DEPTH_KIND_AUTH].faults, STATE_COUNT_MAX);
}
END_TEST

START_TEST(a_file_replaces_another_and_a_failure_replaces_nothing)
{
	char directory[] = "/tmp/check_state.XXXXXX", path[64], error[STATE_ERROR_BYTES];
	struct stat status;
	size_t got;
	char *loaded;

	ck_assert_ptr_nonnull(mkdtemp(directory));
	(void)snprintf(path, sizeof path, "%s/state.json", directory);
	ck_assert_ptr_null(state_file_load(path, &got, error));
	ck_assert_str_eq(error, "");
	ck_assert(state_file_save(path, &image, error));
	add_hop("relay:[192.0.2.1]");
	ck_assert(state_file_save(path, &image, error));
	ck_assert_int_eq(stat(path, &status), 0);
	ck_assert_uint_eq(status.st_mode & 07777, 0600);
	loaded = state_file_load(path, &got, error);
	ck_assert_ptr_nonnull(loaded);
	ck_assert_int_eq(read_text(loaded, got), STATE_GOOD);
	ck_assert_uint_eq(read_back.hop_count, 1);
	free(loaded);
	ck_assert_int_eq(chmod(path, 0622), 0);
	ck_assert_ptr_null(state_file_load(path, &got, error));
	ck_assert_ptr_nonnull(strstr(error, "others may write to it"));
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_ptr_null(state_file_load(path, &got, error));
	ck_assert_ptr_nonnull(strstr(error, "not a regular file"));
	ck_assert(!state_file_save(path, &image, error));
	ck_assert_ptr_nonnull(strstr(error, "state.json: "));
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert_int_eq(rmdir(directory), 0); /* nothing else is left */
	ck_assert(!state_file_save(path, &image, error));
	ck_assert_ptr_nonnull(strstr(error, "its directory does not exist"));
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_hop_is_read_as_it_was);
	tcase_add_test(tcase, its_age_goes_on);
	tcase_add_test(tcase, rejected_credentials_are_kept_by_two_bytes);
	tcase_add_test(tcase, overrides_are_read_until_they_end);
	tcase_add_test(tcase, an_old_file_and_one_of_the_future_have_overrides_alone);
	tcase_add_test(tcase, no_part_of_a_file_is_taken_for_the_whole);
	tcase_add_test(tcase, a_byte_that_changed_is_never_a_crash);
	tcase_add_test(tcase, what_makes_no_sense_is_damage);
	tcase_add_test(tcase, a_name_that_cannot_stand_there_is_left_out);
	tcase_add_test(tcase, dates_of_certificates_that_no_file_can_say_are_left_out);
	tcase_add_test(tcase, counts_do_not_outgrow_the_file);
	tcase_add_test(tcase, a_file_replaces_another_and_a_failure_replaces_nothing);
}

int main(void)
{
	return suite_run("state", add);
}
