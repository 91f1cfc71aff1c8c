/*
 * explain - failfastctl explain: the route of a message, each hop on it, and what we would say
 */
#include "ctl/ctl.h"

#include <stdio.h>
#include <string.h>

static void print(const struct ctl *ctl, json_t *answer)
{
	const json_t *hops = json_object_get(answer, "hops");
	const json_t *verdicts = json_object_get(answer, "verdicts");

	(void)printf("from <%s> to <%s>: transport %s, nexthop %s%s\n", ctl_text(answer, "sender"),
		ctl_text(answer, "recipient"), ctl_text(answer, "transport"),
		*ctl_text(answer, "nexthop") != '\0' ? ctl_text(answer, "nexthop") : "(none)",
		json_is_true(json_object_get(answer, "reentry")) ? ", from a content filter" : "");
	for (size_t i = 0; i < json_array_size(hops); i++)
		ctl_print_hop(ctl, json_array_get(hops, i));
	for (size_t i = 0; i < json_array_size(verdicts); i++) {
		const json_t *item = json_array_get(verdicts, i);

		(void)printf("%-13s %s", ctl_text(item, "client"),
			*ctl_text(item, "reply") != '\0' ? ctl_text(item, "reply")
							 : ctl_text(item, "action"));
		if (*ctl_text(item, "rule") != '\0')
			(void)printf(" (rule \"%s\")", ctl_text(item, "rule"));
		(void)printf("\n");
	}
}

/* split_listener - "ADDR:PORT" at its last colon; false when it has none */
static bool split_listener(char *listener, const char **address, const char **port)
{
	char *colon = listener != NULL ? strrchr(listener, ':') : NULL;

	if (colon == NULL)
		return listener == NULL;
	*colon = '\0';
	*address = listener;
	*port = colon + 1;
	return true;
}

int ctl_explain(const struct ctl *ctl, int argc, char **argv)
{
	const char *address = NULL, *port = NULL;
	json_t *request, *answer;
	int status;

	if (argc != 3 || !split_listener(ctl->listener, &address, &port))
		return ctl_usage();
	request = json_pack("{s:s, s:s, s:s, s:s*, s:s*}", "command", "explain", "sender", argv[1],
		"recipient", argv[2], "address", address, "port", port);
	answer = ctl_ask(ctl, request);
	if (answer == NULL)
		return CTL_UNKNOWN;
	if (ctl->is_json)
		ctl_print_json(answer);
	else
		print(ctl, answer);
	status = ctl_worst_status(json_object_get(answer, "hops"));
	json_decref(answer);
	return status;
}
