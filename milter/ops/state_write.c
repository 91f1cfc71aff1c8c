/*
 * state_write - a state file, written
 *
 * Line by line, since a document of ten thousand hops would take more memory than the table that it
 * is made of.
 */
#include "ops/state_format.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

void state_image_free(struct state_image *image)
{
	for (size_t i = 0; i < image->hop_count; i++) {
		hop_memory_free(&image->hop[i].hop);
		if (image->hop[i].deep != NULL)
			deep_forget(image->hop[i].deep);
		free(image->hop[i].deep);
	}
	for (size_t i = 0; i < image->override_count; i++)
		free(image->override[i].name);
	free(image->hop);
	free(image->override);
	image->hop = NULL;
	image->override = NULL;
	image->hop_count = image->hop_room = image->override_count = image->override_room = 0;
}

struct state_hop *state_add_hop(struct state_image *image)
{
	if (image->hop_count == image->hop_room) {
		size_t room = image->hop_room * 2 + 16;
		struct state_hop *more = realloc(image->hop, room * sizeof *more);

		if (more == NULL)
			return NULL;
		image->hop = more;
		image->hop_room = room;
	}
	memset(&image->hop[image->hop_count], 0, sizeof *image->hop);
	return &image->hop[image->hop_count++];
}

struct state_override *state_add_override(struct state_image *image)
{
	if (image->override_count == image->override_room) {
		size_t room = image->override_room * 2 + 16;
		struct state_override *more = realloc(image->override, room * sizeof *more);

		if (more == NULL)
			return NULL;
		image->override = more;
		image->override_room = room;
	}
	memset(&image->override[image->override_count], 0, sizeof *image->override);
	return &image->override[image->override_count++];
}

/* put - a value that is taken over; NULL stands for one that could not be made, and makes the
 * object void */
static void put(json_t **object, const char *key, json_t *value)
{
	if (*object != NULL && json_object_set_new(*object, key, value) == 0)
		return;
	json_decref(*object);
	*object = NULL;
}

/* put_text - one clean line, or nothing where it is not UTF-8 */
static void put_text(json_t **object, const char *key, const char *text)
{
	char line[HOP_DETAIL_BYTES];
	json_t *value;

	(void)snprintf(line, sizeof line, "%s", text);
	for (char *cp = line; *cp != '\0'; cp++)
		if ((unsigned char)*cp < ' ' || *cp == 0x7f)
			*cp = '?';
	value = json_string(line);
	if (value != NULL)
		put(object, key, value);
}

static void put_count(json_t **object, const char *key, int64_t count)
{
	if (count != 0)
		put(object, key, json_integer(count));
}

/* put_time - of the table's clock; 0 is never, and not said */
static void put_time(
	json_t **object, const char *key, const struct state_image *image, int64_t at_ms)
{
	if (at_ms != 0)
		put(object, key, json_integer(image->wall_ms - (image->now_ms - at_ms)));
}

/* put_wall - of the time of day; what no file can say, as a server's certificate may, is left out */
static void put_wall(json_t **object, const char *key, time_t when)
{
	if (when > 0 && when <= STATE_TIME_MAX_MS / 1000)
		put(object, key, json_integer((json_int_t)when * 1000));
}

static void put_truth(json_t **object, const char *key, bool is_true)
{
	if (is_true)
		put(object, key, json_true());
}

static void put_hex(json_t **object, const char *key, const unsigned char *bytes, size_t count)
{
	char text[2 * DEEP_PRINT_BYTES + 1];

	for (size_t i = 0; i < count; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	put(object, key, json_string(text));
}

/* put_bits - all of a number, which a JSON number may not have */
static void put_bits(json_t **object, const char *key, uint64_t number)
{
	char text[2 * sizeof number + 1];

	(void)snprintf(text, sizeof text, "%016" PRIx64, number);
	put(object, key, json_string(text));
}

static void put_reason(json_t **object, enum reason reason)
{
	if (reason != REASON_NONE)
		put(object, "reason", json_string(reason_token(reason)));
}

/* put_list - unless it is empty */
static void put_list(json_t **object, const char *key, json_t *list)
{
	if (list != NULL && json_array_size(list) == 0)
		json_decref(list);
	else
		put(object, key, list);
}

static json_t *falls(const struct state_image *image, const struct check *check)
{
	json_t *list = json_array();

	for (int i = 0; i < FLAP_FALLS; i++)
		if (check->fell_ms[i] != 0)
			json_array_append_new(list,
				json_integer(image->wall_ms - (image->now_ms - check->fell_ms[i])));
	return list;
}

static json_t *check_document(const struct state_image *image, int which, const struct check *check)
{
	json_t *object = json_object();

	put(&object, "check", json_string(hop_check_name((enum hop_check)which)));
	put(&object, "state", json_string(state_name(check->state)));
	put_reason(&object, check->reason);
	put_count(&object, "successes", check->successes);
	put_count(&object, "failures", check->failures);
	put_truth(&object, "accused", check->is_accused);
	put_time(&object, "since", image, check->since_ms);
	put_time(&object, "result", image, check->result_ms);
	put_truth(&object, "passes", check->opinion == OPINION_PASSES);
	put_truth(&object, "fails", check->opinion == OPINION_FAILS);
	put_time(&object, "turned", image, check->turned_ms);
	put_list(&object, "fell", falls(image, check));
	return object;
}

static json_t *fault_document(const struct depth_fault *fault)
{
	json_t *object = json_object();

	put_reason(&object, fault->outcome.reason);
	put_truth(&object, "degraded", fault->outcome.severity == SEVERITY_DEGRADED);
	put_truth(&object, "hard", fault->outcome.is_hard);
	put_text(&object, "detail", fault->detail);
	return object;
}

static json_t *server_document(const struct state_image *image, const struct deep_server *server)
{
	static const char *const names[DEPTH_KIND_COUNT] = {
		[DEPTH_KIND_TLS] = "tls", [DEPTH_KIND_AUTH] = "auth", [DEPTH_KIND_RECIPIENT] = "recipient"};
	json_t *object = json_object();

	put_bits(&object, "server", server->server);
	for (int kind = 0; kind < DEPTH_KIND_COUNT; kind++) {
		json_t *its = json_object();

		put_time(&its, "due", image, server->state.kind[kind].due_ms);
		put_time(&its, "since", image, server->state.kind[kind].since_ms);
		put_count(&its, "faults", server->state.kind[kind].faults < STATE_COUNT_MAX
						  ? server->state.kind[kind].faults
						  : STATE_COUNT_MAX);
		put_truth(&its, "latched", server->state.kind[kind].is_latched);
		if (server->state.kind[kind].fault != NULL)
			put(&its, "fault", fault_document(server->state.kind[kind].fault));
		put(&object, names[kind], its);
	}
	put_bits(&object, "tls_asked", server->tls_hash);
	if (server->state.kind[DEPTH_KIND_AUTH].is_latched)
		put_hex(&object, "rejected", server->rejected, DEEP_SHORT_PRINT_BYTES);
	return object;
}

/* server_documents - those that were met last */
static json_t *server_documents(const struct state_image *image, const struct deep *deep)
{
	const struct deep_server *server = deep->servers;
	json_t *list = json_array();

	for (; server != NULL && json_array_size(list) < STATE_SERVERS_MAX; server = server->next)
		json_array_append_new(list, server_document(image, server));
	return list;
}

static json_t *role_names(unsigned bits)
{
	json_t *list = json_array();

	for (unsigned role = ROLE_PROXY_FILTER; role <= ROLE_TRANSPORT; role <<= 1)
		if ((bits & role) != 0)
			json_array_append_new(
				list, json_string(hop_role_name((enum hop_role)role)));
	return list;
}

static json_t *check_documents(const struct state_image *image, const struct hop_memory *hop)
{
	json_t *list = json_array();

	for (int i = 0; i < CHECK_COUNT; i++)
		if (hop->has_check[i])
			json_array_append_new(list, check_document(image, i, &hop->check[i]));
	return list;
}

/* hop_document - NULL: out of memory */
static json_t *hop_document(
	const struct state_image *image, const struct state_hop *entry, json_t *name)
{
	const struct hop_memory *hop = &entry->hop;
	json_t *object = json_object();

	put(&object, "hop", name);
	put_list(&object, "roles", role_names(hop->roles));
	put_truth(&object, "learned", hop->is_learned);
	put_truth(&object, "local", hop->is_local);
	put(&object, "state", json_string(state_name(hop->state)));
	put_wall(&object, "since", hop->since);
	put_wall(&object, "probed", hop->last_probe);
	put_wall(&object, "tls_not_after", hop->tls_not_after);
	put_time(&object, "result", image, hop->result_ms);
	put_time(&object, "used", image, hop->used_ms);
	if (hop->latency_us >= 0)
		put(&object, "latency_us", json_integer(hop->latency_us));
	if (hop->detail != NULL)
		put_text(&object, "detail", hop->detail);
	put_list(&object, "checks", check_documents(image, hop));
	if (entry->deep != NULL)
		put_list(&object, "servers", server_documents(image, entry->deep));
	return object;
}

/* say - one line; the object is taken over */
static bool say(FILE *out, json_t *object)
{
	bool is_said = object != NULL && json_dumpf(object, out, JSON_COMPACT) == 0 &&
		       fputc('\n', out) != EOF;

	json_decref(object);
	return is_said;
}

static bool say_head(const struct state_image *image, FILE *out)
{
	json_t *head = json_object();

	put(&head, "format", json_string("failfast-milter state"));
	put_count(&head, "version", STATE_VERSION);
	put_count(&head, "saved", image->wall_ms);
	put_hex(&head, "salt", image->salt, sizeof image->salt);
	return say(out, head);
}

static json_t *override_document(const struct state_override *entry)
{
	json_t *object = json_object();

	put(&object, "force", json_string(entry->name));
	put(&object, "state", json_string(entry->override.is_up ? "up" : "down"));
	put_wall(&object, "since", entry->override.since);
	put_wall(&object, "until", entry->override.until);
	put(&object, "comment", json_string(entry->override.comment));
	return object;
}

bool state_write(const struct state_image *image, FILE *out)
{
	json_int_t lines = 0;
	bool is_good = say_head(image, out);

	for (size_t i = 0; is_good && i < image->override_count; i++, lines++)
		is_good = say(out, override_document(&image->override[i]));
	for (size_t i = 0; is_good && i < image->hop_count; i++) {
		json_t *name = state_is_name(image->hop[i].hop.name)
				       ? json_string(image->hop[i].hop.name)
				       : NULL;

		if (name == NULL)
			continue;
		is_good = say(out, hop_document(image, &image->hop[i], name));
		lines++;
	}
	return is_good && say(out, json_pack("{s:I}", "end", lines)) && fflush(out) == 0;
}
