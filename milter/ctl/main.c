/*
 * main - failfastctl: find the daemon, find the command
 */
#include "ctl/ctl.h"

#include "base/log.h"
#include "conf/conf.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { DEFAULT_COLUMNS = 80 };

static const struct command {
	const char *name;
	int (*run)(const struct ctl *ctl, int argc, char **argv);
	bool needs_conf; /* also when the socket is given */
} commands[] = {
	{"check", ctl_check, true},
	{"explain", ctl_explain, false},
	{"probe", ctl_probe, false},
	{"queue", ctl_queue, true},
	{"status", ctl_status, false},
};

int ctl_usage(void)
{
	(void)fprintf(stderr,
		"usage: failfastctl [-c FILE] [-s CONTROL_SOCKET] COMMAND\n"
		"    status [--json] [PATTERN]\n"
		"    explain [--json] SENDER RECIPIENT [--listener ADDR:PORT]\n"
		"    probe [--json] HOP\n"
		"    check [--json]\n"
		"    queue [--json] [FILE]\n");
	return CTL_UNKNOWN;
}

static void report(void *arg, const char *message)
{
	(void)arg;
	(void)fprintf(stderr, "failfastctl: %s\n", message);
}

/* look_at_terminal - colour and width are for people alone */
static void look_at_terminal(struct ctl *ctl)
{
	const char *no_colour = getenv("NO_COLOR");
	struct winsize size;

	if (!isatty(STDOUT_FILENO))
		return;
	ctl->has_colour = no_colour == NULL || *no_colour == '\0';
	ctl->columns = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40
			       ? size.ws_col
			       : DEFAULT_COLUMNS;
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	(void)fprintf(stderr, "failfastctl: no such command: %s\n", name);
	return NULL;
}

static int run_command(
	struct ctl *ctl, const struct command *command, const char *filename, int argc, char **argv)
{
	int status;

	if (command->needs_conf || ctl->socket == NULL) {
		ctl->conf = conf_load(filename, report, NULL);
		if (ctl->conf == NULL)
			return CTL_UNKNOWN;
		if (ctl->socket == NULL)
			ctl->socket = ctl->conf->control;
	}
	look_at_terminal(ctl);
	status = command->run(ctl, argc, argv);
	conf_unref(ctl->conf);
	return status;
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"json", no_argument, NULL, 'j'},
		{"listener", required_argument, NULL, 'l'},
		{0},
	};
	const char *filename = SYSCONFDIR "/failfast-milter.conf";
	const struct command *command;
	struct ctl ctl = {0};
	int option;

	log_init("failfastctl", true, 0);
	while ((option = getopt_long(argc, argv, "c:s:", long_options, NULL)) != -1) {
		switch (option) {
		case 'c':
			filename = optarg;
			break;
		case 's':
			ctl.socket = optarg;
			break;
		case 'l':
			ctl.listener = optarg;
			break;
		case 'j':
			ctl.is_json = true;
			break;
		default:
			return ctl_usage();
		}
	}
	command = optind < argc ? find_command(argv[optind]) : NULL;
	if (command == NULL)
		return ctl_usage();
	return run_command(&ctl, command, filename, argc - optind, argv + optind);
}
