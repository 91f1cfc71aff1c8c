/*
 * help - failfastctl help: what each command is called with, and what it is for
 *
 * The manual page says more; this is for who is at a terminal in a hurry.
 */
#include "ctl/ctl.h"

#include <stdio.h>
#include <string.h>

static const struct help {
	const char *name;
	const char *arguments;
	const char *purpose; /* a line */
	const char *text;    /* lines with a newline each */
} helps[] = {
	{"status", "[--json | --plugin | --names] [PATTERN]", "every hop and its state",
		"A PATTERN is part of a name, or has * and ? and stands for a whole one.\n"
		"--plugin prints one line and performance data for Nagios, Icinga and the like;\n"
		"--names the names of the hops alone, a line each.\n"},
	{"explain", "[--json] SENDER RECIPIENT [--listener ADDR:PORT]",
		"the route of a message, each hop on it, and the verdict",
		"ADDR:PORT is where the message would come in, as in master.cf.\n"},
	{"probe", "[--json] HOP", "probe a hop now, and show the dialogue",
		"HOP is a name as \"failfastctl status\" prints it.\n"},
	{"force", "[--json] HOP up|down|auto [--for DURATION] [--comment TEXT]",
		"override the state of a hop, for maintenance",
		"A DURATION is written 90s, 10m, 4h or 2d; \"auto\" ends the override.\n"},
	{"check", "[--json]", "what Postfix's configuration refers to and cannot work",
		"Needs no daemon; to be run as root, who can look at everything.\n"},
	{"queue", "[--json] [FILE]", "what waits in the queue, by hop and reason",
		"A FILE holds what \"postqueue -j\" has printed; - is standard input.\n"
		"To be run as root or as a user whom Postfix shows its queue.\n"},
	{"watch", "[--json] [PATTERN]", "a line for each change of state, until interrupted",
		"First come the hops that are not up now.  It outlives a restart of the daemon.\n"},
	{"reload", "[--json]", "read both configurations again",
		"Hops that stay the same keep their state.\n"},
	{"help", "[COMMAND]", "this text, or that of a command", ""},
};

static void print_usage(FILE *out)
{
	(void)fprintf(out, "usage: failfastctl [-c FILE] [-s CONTROL_SOCKET] COMMAND\n");
	for (size_t i = 0; i < sizeof helps / sizeof *helps; i++)
		(void)fprintf(out, "    %s%s%s\n", helps[i].name,
				*helps[i].arguments != '\0' ? " " : "", helps[i].arguments);
}

int ctl_usage(void)
{
	print_usage(stderr);
	return CTL_UNKNOWN;
}

static void print_all(void)
{
	print_usage(stdout);
	(void)printf("\n");
	for (size_t i = 0; i < sizeof helps / sizeof *helps; i++)
		(void)printf("    %-8s %s\n", helps[i].name, helps[i].purpose);
	(void)printf(
		"\n-c FILE            the configuration, which names the socket of the daemon\n"
		"-s CONTROL_SOCKET  that socket\n"
		"-V                 the version\n\nSee failfastctl(8).\n");
}

int ctl_help(const struct ctl *ctl, int argc, char **argv)
{
	(void)ctl;
	if (argc > 2)
		return ctl_usage();
	if (argc < 2) {
		print_all();
		return CTL_UP;
	}
	for (size_t i = 0; i < sizeof helps / sizeof *helps; i++) {
		const struct help *help = &helps[i];

		if (strcmp(help->name, argv[1]) != 0)
			continue;
		(void)printf(
			"usage: failfastctl [-c FILE] [-s CONTROL_SOCKET] %s%s%s\n\n%s: %s.\n%s",
			help->name, *help->arguments != '\0' ? " " : "", help->arguments,
			help->name, help->purpose, help->text);
		return CTL_UP;
	}
	return ctl_no_such_command(argv[1]);
}
