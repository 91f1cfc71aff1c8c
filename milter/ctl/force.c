/*
 * force - failfastctl force: say what a hop is, whatever probes find
 */
#include "ctl/ctl.h"

#include "conf/duration.h"

#include <stdio.h>
#include <string.h>

static int complain(const char *what, const char *word)
{
	(void)fprintf(stderr, "failfastctl: force: %s%s%s%s\n", what, *word != '\0' ? " \"" : "",
		word, *word != '\0' ? "\"" : "");
	return CTL_UNKNOWN;
}

static bool is_word(const char *word)
{
	return strcmp(word, "up") == 0 || strcmp(word, "down") == 0 || strcmp(word, "auto") == 0;
}

static void print_answer(const struct ctl *ctl, const json_t *answer)
{
	const json_t *status = json_object_get(answer, "status");
	bool was_forced = json_is_true(json_object_get(answer, "was_forced"));

	if (strcmp(ctl_text(answer, "state"), "auto") == 0 && !was_forced)
		(void)printf("It was not forced.\n");
	if (json_is_object(status))
		ctl_print_hop(ctl, status);
	else
		(void)printf("The hop is not known now.\n");
}

int ctl_force(const struct ctl *ctl, int argc, char **argv)
{
	int64_t for_ms = 0;
	json_t *request, *answer;

	if (argc != 3)
		return ctl_usage();
	if (!is_word(argv[2]))
		return complain("expected up, down or auto instead of", argv[2]);
	if (strcmp(argv[2], "auto") == 0 && (ctl->duration != NULL || ctl->comment != NULL))
		return complain("--for and --comment go with up and down", "");
	if (ctl->duration != NULL && !duration_parse(ctl->duration, &for_ms))
		return complain("expected a duration like 30m or 4h instead of", ctl->duration);
	request = json_pack("{s:s, s:s, s:s, s:s*}", "command", "force", "hop", argv[1], "state",
		argv[2], "comment", ctl->comment);
	if (request != NULL && ctl->duration != NULL)
		json_object_set_new(request, "for_ms", json_integer(for_ms));
	answer = ctl_ask(ctl, request);
	if (answer == NULL)
		return CTL_UNKNOWN;
	if (ctl->is_json)
		ctl_print_json(answer);
	else
		print_answer(ctl, answer);
	json_decref(answer);
	return CTL_UP;
}
