/*
 * explain - failfastctl explain: the route of a message, each hop on it, and what we would say
 */
#include "ctl/ctl.h"

#include <stdio.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static void print(const struct ctl *ctl, json_t *answer)
{
	size_t index;
	json_t *item;

	(void)printf("from <%s> to <%s>: transport %s, nexthop %s%s\n", text_of(answer, "sender"),
		text_of(answer, "recipient"), text_of(answer, "transport"),
		*text_of(answer, "nexthop") != '\0' ? text_of(answer, "nexthop") : "(none)",
		json_is_true(json_object_get(answer, "reentry")) ? ", from a content filter" : "");
	json_array_foreach(json_object_get(answer, "hops"), index, item)
		ctl_print_hop(ctl, item);
	json_array_foreach(json_object_get(answer, "verdicts"), index, item)
		(void)printf("%-13s %s\n", text_of(item, "client"),
			*text_of(item, "reply") != '\0' ? text_of(item, "reply")
							 : text_of(item, "action"));
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
