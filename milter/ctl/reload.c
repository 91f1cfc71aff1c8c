/*
 * reload - failfastctl reload: read both configurations again, and print what is wrong with them
 */
#include "ctl/ctl.h"

#include <stdio.h>
#include <string.h>

enum { LIMIT_MS = 120 * 1000 };

static void print_answer(const json_t *answer)
{
	const json_t *errors = json_object_get(answer, "errors");
	const json_t *restart = json_object_get(answer, "needs_restart");

	for (size_t i = 0; i < json_array_size(errors); i++)
		ctl_print_clean(json_string_value(json_array_get(errors, i)), 0);
	if (!json_is_true(json_object_get(answer, "reloaded"))) {
		(void)printf("Nothing is changed.\n");
		return;
	}
	(void)printf("Reloaded: %lld hops.\n",
		(long long)json_integer_value(json_object_get(answer, "hops")));
	for (size_t i = 0; i < json_array_size(restart); i++)
		(void)printf("A change of %s needs a restart.\n",
			json_string_value(json_array_get(restart, i)));
}

int ctl_reload(const struct ctl *ctl, int argc, char **argv)
{
	char why[CTL_WHY_BYTES];
	json_t *answer = NULL;
	FILE *stream;
	int status;

	(void)argv;
	if (argc != 1)
		return ctl_usage();
	stream = ctl_begin(ctl, json_pack("{s:s}", "command", "reload"), why);
	if (stream != NULL) {
		ctl_wait_for(stream, LIMIT_MS);
		answer = ctl_next(ctl, stream, why);
		fclose(stream);
	}
	if (answer == NULL) {
		(void)fprintf(stderr, "failfastctl: %s\n", why);
		return CTL_UNKNOWN;
	}
	if (ctl->is_json)
		ctl_print_json(answer);
	else
		print_answer(answer);
	status = json_is_true(json_object_get(answer, "reloaded")) ? CTL_UP : CTL_UNKNOWN;
	json_decref(answer);
	return status;
}
