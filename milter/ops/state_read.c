/*
 * state_read - a state file, read
 *
 * The file is ours, so what is not as we write it is damage, and of a damaged file nothing is
 * believed.
 */
#include "ops/state_fields.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { DUE_MAX_MS = 2 * DEPTH_AUTH_MS };

/* A text that is being read. */
struct reader {
	struct state_image *image;
	int64_t age_ms;
	bool wants_hops; /* else overrides alone */
	unsigned line;
	char *why;
};

static bool damaged(struct reader *reader, const char *what)
{
	(void)snprintf(reader->why, STATE_WHY_BYTES, "line %u: %s", reader->line, what);
	return false;
}

static bool read_falls(const struct reader *reader, const json_t *object, struct check *check)
{
	const json_t *list = json_object_get(object, "fell");
	size_t count = json_array_size(list);

	if (list != NULL && (!json_is_array(list) || count == 0 || count > FLAP_FALLS))
		return false;
	/* The oldest stands first, and the places before it are empty. */
	for (size_t i = 0; i < count; i++) {
		json_t *one = json_pack("{s:O}", "at", json_array_get(list, i));
		bool is_good =
			field_time(reader->image, one, "at", 0, &check->fell_ms[FLAP_FALLS - count + i]);

		json_decref(one);
		if (!is_good)
			return false;
	}
	return true;
}

/* makes_sense - what machine.c can have made */
static bool makes_sense(const struct check *check)
{
	switch (check->state) {
	case STATE_UP:
		return check->reason == REASON_NONE;
	case STATE_UNKNOWN:
		return check->reason == REASON_NONE || check->reason == REASON_LOCAL_ERROR;
	case STATE_DEGRADED:
	case STATE_DOWN:
		return reason_severity(check->reason) != SEVERITY_NONE && check->result_ms != 0;
	default:
		return false;
	}
}

static bool read_check(const struct reader *reader, const json_t *object, struct check *check)
{
	bool passes, fails;
	bool is_good = field_state(object, &check->state) && field_reason(object, &check->reason) &&
		       field_count(object, "successes", &check->successes) &&
		       field_count(object, "failures", &check->failures) &&
		       field_truth(object, "accused", &check->is_accused) &&
		       field_time(reader->image, object, "since", 0, &check->since_ms) &&
		       field_time(reader->image, object, "result", 0, &check->result_ms) &&
		       field_truth(object, "passes", &passes) && field_truth(object, "fails", &fails) &&
		       field_time(reader->image, object, "turned", 0, &check->turned_ms) &&
		       read_falls(reader, object, check);

	if (!is_good || (passes && fails))
		return false;
	check->opinion = passes ? OPINION_PASSES : fails ? OPINION_FAILS : OPINION_NONE;
	return makes_sense(check);
}

static int check_of(const json_t *object)
{
	const char *name = json_string_value(json_object_get(object, "check"));

	for (int i = 0; name != NULL && i < CHECK_COUNT; i++)
		if (strcmp(name, hop_check_name((enum hop_check)i)) == 0)
			return i;
	return -1;
}

static bool read_checks(const struct reader *reader, const json_t *object, struct hop_memory *hop)
{
	const json_t *list = json_object_get(object, "checks");

	if (list != NULL && !json_is_array(list))
		return false;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);
		int which = check_of(one);

		if (which < 0 || hop->has_check[which] ||
			!read_check(reader, one, &hop->check[which]))
			return false;
		hop->has_check[which] = true;
	}
	return true;
}

static bool read_roles(const json_t *object, unsigned *roles)
{
	const json_t *list = json_object_get(object, "roles");

	if (list != NULL && !json_is_array(list))
		return false;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *name = json_string_value(json_array_get(list, i));
		unsigned found = 0;

		for (unsigned role = ROLE_PROXY_FILTER; name != NULL && role <= ROLE_TRANSPORT;
			role <<= 1)
			if (strcmp(name, hop_role_name((enum hop_role)role)) == 0)
				found = role;
		if (found == 0)
			return false;
		*roles |= found;
	}
	return true;
}

static bool read_fault(const json_t *object, struct depth_fault *fault)
{
	const char *detail = field_text(object, "detail", sizeof fault->detail);
	bool is_degraded;

	if (!field_reason(object, &fault->outcome.reason) || fault->outcome.reason == REASON_NONE ||
		!field_truth(object, "degraded", &is_degraded) ||
		!field_truth(object, "hard", &fault->outcome.is_hard))
		return false;
	fault->outcome.severity =
		is_degraded ? SEVERITY_DEGRADED : reason_severity(fault->outcome.reason);
	if (detail != NULL)
		(void)snprintf(fault->detail, sizeof fault->detail, "%s", detail);
	return detail != NULL || json_object_get(object, "detail") == NULL;
}

static bool read_kind(
	const struct reader *reader, const json_t *object, struct depth_state *state, int kind)
{
	const json_t *fault = json_object_get(object, "fault");

	if (!json_is_object(object) ||
		!field_time(reader->image, object, "due", DUE_MAX_MS, &state->kind[kind].due_ms) ||
		!field_time(reader->image, object, "since", 0, &state->kind[kind].since_ms) ||
		!field_count(object, "faults", &state->kind[kind].faults) ||
		!field_truth(object, "latched", &state->kind[kind].is_latched))
		return false;
	if (fault == NULL)
		return true;
	state->kind[kind].fault = calloc(1, sizeof *state->kind[kind].fault);
	return state->kind[kind].fault != NULL && read_fault(fault, state->kind[kind].fault);
}

static bool read_server(const struct reader *reader, const json_t *object, struct deep *deep)
{
	struct deep_server *server;
	uint64_t number;

	if (!field_bits(object, "server", &number))
		return false;
	server = deep_add(deep, number);
	if (server == NULL || !field_bits(object, "tls_asked", &server->tls_hash) ||
		!read_kind(reader, json_object_get(object, "tls"), &server->state, DEPTH_KIND_TLS) ||
		!read_kind(reader, json_object_get(object, "auth"), &server->state, DEPTH_KIND_AUTH) ||
		!read_kind(reader, json_object_get(object, "recipient"), &server->state,
			DEPTH_KIND_RECIPIENT))
		return false;
	server->has_short_print = true;
	return !server->state.kind[DEPTH_KIND_AUTH].is_latched ||
	       field_hex(object, "rejected", server->rejected, DEEP_SHORT_PRINT_BYTES);
}

/* read_servers - what is known of them from behind hello */
static bool read_servers(const struct reader *reader, const json_t *list, struct state_hop *entry)
{
	if (list == NULL)
		return true;
	if (!json_is_array(list) || json_array_size(list) > STATE_SERVERS_MAX)
		return false;
	entry->deep = calloc(1, sizeof *entry->deep);
	if (entry->deep == NULL)
		return false;
	for (size_t i = 0; i < json_array_size(list); i++)
		if (!read_server(reader, json_array_get(list, i), entry->deep))
			return false;
	return true;
}

/* read_details - the parts of a hop that need not be there */
static bool read_details(const json_t *object, struct hop_memory *hop)
{
	const json_t *latency = json_object_get(object, "latency_us");
	const char *detail = field_text(object, "detail", HOP_DETAIL_BYTES);

	hop->latency_us = latency != NULL ? json_integer_value(latency) : -1;
	if (latency != NULL &&
		(!json_is_integer(latency) || hop->latency_us < 0 || hop->latency_us > STATE_TIME_MAX_MS))
		return false;
	if (detail != NULL && *detail != '\0')
		hop->detail = strdup(detail);
	return detail != NULL || json_object_get(object, "detail") == NULL;
}

static bool read_hop(struct reader *reader, const json_t *object)
{
	const char *name = field_name(object, "hop");
	struct state_hop *entry;
	struct hop_memory *hop;

	if (name == NULL)
		return damaged(reader, "a hop without a name");
	if (!reader->wants_hops)
		return true;
	entry = reader->image->hop_count < STATE_HOPS_MAX ? state_add_hop(reader->image) : NULL;
	if (entry == NULL)
		return damaged(reader, "too many hops");
	hop = &entry->hop;
	hop->name = strdup(name);
	for (int i = 0; i < CHECK_COUNT; i++)
		hop->check[i].state = STATE_UNKNOWN;
	if (hop->name == NULL || !read_roles(object, &hop->roles) ||
		!field_truth(object, "learned", &hop->is_learned) ||
		!field_truth(object, "local", &hop->is_local) || !field_state(object, &hop->state) ||
		!field_wall(reader->image, object, "since", false, &hop->since) ||
		!field_wall(reader->image, object, "probed", false, &hop->last_probe) ||
		!field_wall(reader->image, object, "tls_not_after", true, &hop->tls_not_after) ||
		!field_time(reader->image, object, "result", 0, &hop->result_ms) ||
		!field_time(reader->image, object, "used", 0, &hop->used_ms) || !read_details(object, hop) ||
		!read_checks(reader, object, hop) ||
		!read_servers(reader, json_object_get(object, "servers"), entry))
		return damaged(reader, "a hop that makes no sense");
	return true;
}

/* keep_override - unless it has ended */
static bool keep_override(struct reader *reader, const char *name, const struct override *read)
{
	const time_t now = (time_t)(reader->image->wall_ms / 1000);
	struct override override = *read;
	struct state_override *entry;

	if (override.since > now) {
		/* The clock was set back, or was ahead: what is left of it is not known, but no
		 * more than all. */
		if (override.until != 0)
			override.until -= override.since - now;
		override.since = now;
	}
	if (override.until != 0 && override.until <= now)
		return true;
	entry = reader->image->override_count < OVERRIDES_MAX ? state_add_override(reader->image)
							      : NULL;
	if (entry == NULL || (entry->name = strdup(name)) == NULL)
		return damaged(reader, "too many overrides");
	entry->override = override;
	return true;
}

static bool read_override(struct reader *reader, const json_t *object)
{
	const char *name = field_name(object, "force");
	const char *comment = json_string_value(json_object_get(object, "comment"));
	struct override override = {0};
	enum state state;

	if (name == NULL || comment == NULL || !override_is_clean(comment) ||
		!field_state(object, &state) || (state != STATE_UP && state != STATE_DOWN) ||
		!field_wall(reader->image, object, "since", true, &override.since) || override.since == 0 ||
		!field_wall(reader->image, object, "until", true, &override.until) ||
		(override.until != 0 && override.until < override.since))
		return damaged(reader, "an override that makes no sense");
	override.is_up = state == STATE_UP;
	(void)snprintf(override.comment, sizeof override.comment, "%s", comment);
	return keep_override(reader, name, &override);
}

static enum state_worth read_head(struct reader *reader, const json_t *head)
{
	struct state_image *image = reader->image;
	const char *format = json_string_value(json_object_get(head, "format"));
	int64_t saved_ms;

	if (format == NULL || strcmp(format, "failfast-milter state") != 0 ||
		json_integer_value(json_object_get(head, "version")) != STATE_VERSION)
		return STATE_FOREIGN;
	if (!field_number(head, "saved", STATE_TIME_MAX_MS, &saved_ms) || saved_ms == 0 ||
		!field_hex(head, "salt", image->salt, sizeof image->salt)) {
		(void)damaged(reader, "no time or no salt");
		return STATE_DAMAGED;
	}
	reader->age_ms = image->wall_ms - saved_ms;
	if (reader->age_ms > STATE_AGE_MS)
		return STATE_OLD;
	return reader->age_ms < -STATE_AHEAD_MS ? STATE_AHEAD : STATE_GOOD;
}

/* next_line - parsed, NULL: see why */
static json_t *next_line(struct reader *reader, const char **text, size_t *bytes)
{
	const char *end = *bytes > 0 ? memchr(*text, '\n', *bytes) : NULL;
	size_t length = end != NULL ? (size_t)(end - *text) : 0;
	json_t *object;

	reader->line++;
	if (end == NULL || length >= STATE_LINE_BYTES) {
		(void)damaged(reader, end == NULL ? "it ends too early" : "a line is too long");
		return NULL;
	}
	object = json_loadb(*text, length, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(object)) {
		(void)damaged(reader, "it is not JSON");
		json_decref(object);
		object = NULL;
	}
	*text = end + 1;
	*bytes -= length + 1;
	return object;
}

/* read_lines - all behind the head, the end included */
static bool read_lines(struct reader *reader, const char *text, size_t bytes)
{
	bool is_good = true, is_end = false;
	json_int_t lines = 0;
	json_t *object;

	while (is_good && !is_end) {
		object = next_line(reader, &text, &bytes);
		if (object == NULL)
			return false;
		if (json_object_get(object, "hop") != NULL) {
			is_good = read_hop(reader, object);
		} else if (json_object_get(object, "force") != NULL) {
			is_good = read_override(reader, object);
		} else {
			is_end = json_is_integer(json_object_get(object, "end")) &&
				 json_integer_value(json_object_get(object, "end")) == lines &&
				 bytes == 0;
			is_good = is_end || damaged(reader, "it ends where it should not");
		}
		lines++;
		json_decref(object);
	}
	return is_good;
}

enum state_worth state_read(struct state_image *image, const char *text, size_t bytes,
	int64_t *age_ms, char why[STATE_WHY_BYTES])
{
	struct reader reader = {.image = image, .why = why};
	enum state_worth worth;
	json_t *head;

	*age_ms = 0;
	why[0] = '\0';
	head = next_line(&reader, &text, &bytes);
	if (head == NULL)
		return STATE_DAMAGED;
	worth = read_head(&reader, head);
	json_decref(head);
	*age_ms = reader.age_ms;
	reader.wants_hops = worth == STATE_GOOD;
	if (worth == STATE_FOREIGN || worth == STATE_DAMAGED || read_lines(&reader, text, bytes))
		return worth;
	state_image_free(image);
	return STATE_DAMAGED;
}
