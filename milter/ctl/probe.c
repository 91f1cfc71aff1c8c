/*
 * probe - failfastctl probe: probe a hop now and print the dialogue as it happens
 */
#include "ctl/ctl.h"

#include <stdio.h>
#include <string.h>

/* sign - which way a line went */
static const char *sign(const char *direction)
{
	if (strcmp(direction, "sent") == 0)
		return ">";
	return strcmp(direction, "received") == 0 ? "<" : " ";
}

static void print_step(const struct ctl *ctl, const json_t *step)
{
	char line[1024];

	(void)snprintf(line, sizeof line, "%10.2f ms  %-8s %s %s",
		json_number_value(json_object_get(step, "ms")), ctl_text(step, "kind"),
		sign(ctl_text(step, "direction")), ctl_text(step, "text"));
	ctl_print_clean(line, ctl->columns);
	(void)fflush(stdout);
}

static void print_result(const struct ctl *ctl, const json_t *last)
{
	const json_t *result = json_object_get(last, "result");
	const json_t *checks = json_object_get(result, "checks");
	char line[1024];

	for (size_t i = 0; i < json_array_size(checks); i++) {
		const json_t *check = json_array_get(checks, i);

		(void)snprintf(line, sizeof line, "%-12s %s%s%s", ctl_text(check, "state"),
			ctl_text(check, "check"), *ctl_text(check, "reason") != '\0' ? ": " : "",
			ctl_text(check, "reason"));
		ctl_print_clean(line, ctl->columns);
	}
	(void)snprintf(line, sizeof line, "This probe: %s%s%s%s%s", ctl_text(result, "state"),
		*ctl_text(result, "reason") != '\0' ? ", " : "", ctl_text(result, "reason"),
		*ctl_text(result, "detail") != '\0' ? ": " : "", ctl_text(result, "detail"));
	ctl_print_clean(line, ctl->columns);
	(void)printf("The hop now:\n");
	ctl_print_hop(ctl, json_object_get(last, "status"));
}

/* take_steps - until the last document, which is the caller's; NULL: see why */
static json_t *take_steps(const struct ctl *ctl, FILE *stream, json_t *steps, char why[CTL_WHY_BYTES])
{
	json_t *document, *step;

	while ((document = ctl_next(ctl, stream, why)) != NULL &&
		(step = json_object_get(document, "step")) != NULL) {
		if (ctl->is_json)
			json_array_append(steps, step);
		else
			print_step(ctl, step);
		json_decref(document);
	}
	return document;
}

/* watch - the whole answer: a document, {"hop", "steps", "result", "status"}; NULL: see why */
static json_t *watch(const struct ctl *ctl, FILE *stream, char why[CTL_WHY_BYTES])
{
	json_t *answer = ctl_next(ctl, stream, why), *steps = json_array(), *last;

	if (answer == NULL) {
		json_decref(steps);
		return NULL;
	}
	ctl_wait_for(stream, json_integer_value(json_object_get(answer, "limit_ms")));
	json_object_del(answer, "limit_ms");
	json_object_set_new(answer, "steps", steps);
	last = take_steps(ctl, stream, steps, why);
	if (last == NULL) {
		json_decref(answer);
		return NULL;
	}
	json_object_update(answer, last);
	json_decref(last);
	return answer;
}

int ctl_probe(const struct ctl *ctl, int argc, char **argv)
{
	char why[CTL_WHY_BYTES];
	json_t *answer, *results;
	FILE *stream;
	int status;

	if (argc != 2)
		return ctl_usage();
	stream = ctl_begin(ctl, json_pack("{s:s, s:s}", "command", "probe", "hop", argv[1]), why);
	answer = stream != NULL ? watch(ctl, stream, why) : NULL;
	if (stream != NULL)
		fclose(stream);
	if (answer == NULL) {
		(void)fprintf(stderr, "failfastctl: %s\n", why);
		return CTL_UNKNOWN;
	}
	if (ctl->is_json)
		ctl_print_json(answer);
	else
		print_result(ctl, answer);
	results = json_pack("[O]", json_object_get(answer, "result"));
	status = ctl_worst_status(results);
	json_decref(results);
	json_decref(answer);
	return status;
}
