/*
 * main - failfastctl: find the daemon, find the command
 */
#include "ctl/ctl.h"

#include "base/likeness.h"
#include "base/log.h"
#include "conf/conf.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { DEFAULT_COLUMNS = 80, NEAR_DISTANCE = 2 };

static const struct command {
	const char *name;
	int (*run)(const struct ctl *ctl, int argc, char **argv);
	bool needs_conf; /* also when the socket is given */
} commands[] = {
	{"check", ctl_check, true},
	{"explain", ctl_explain, false},
	{"force", ctl_force, false},
	{"help", ctl_help, false},
	{"probe", ctl_probe, false},
	{"queue", ctl_queue, true},
	{"reload", ctl_reload, false},
	{"status", ctl_status, false},
	{"watch", ctl_watch, false},
};

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

int ctl_no_such_command(const char *name)
{
	const char *nearest = NULL;
	size_t least = NEAR_DISTANCE + 1;

	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		size_t distance = likeness_distance(name, commands[i].name);

		/* Two letters of "help" are no likeness. */
		if (distance < least && distance * 2 < strlen(commands[i].name)) {
			least = distance;
			nearest = commands[i].name;
		}
	}
	(void)fprintf(stderr, "failfastctl: no such command: %s; ", name);
	if (nearest != NULL)
		(void)fprintf(stderr, "did you mean \"%s\"?\n", nearest);
	else
		(void)fprintf(stderr, "\"failfastctl help\" lists those that there are\n");
	return CTL_UNKNOWN;
}

/* report - an error of the configuration; a monitoring system reads one line on standard output, the first */
static void report(void *arg, const char *message)
{
	struct ctl *ctl = arg;

	if (!ctl->is_plugin)
		(void)fprintf(stderr, "failfastctl: %s\n", message);
	else if (!ctl->has_reported)
		(void)ctl_plugin_unknown(message);
	ctl->has_reported = true;
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

/* load - the configuration; one that we may not read names no socket, so it is the usual one.  NULL after a message. */
static struct conf *load(struct ctl *ctl, const struct command *command, const char *filename)
{
	struct conf *conf;
	FILE *empty;

	if (command->needs_conf || access(filename, R_OK) == 0 || errno != EACCES)
		return conf_load(filename, report, ctl);
	empty = fopen("/dev/null", "re");
	if (empty == NULL)
		return NULL;
	ctl->unread = filename;
	conf = conf_parse(empty, filename, report, ctl);
	fclose(empty);
	return conf;
}

static int run_command(
	struct ctl *ctl, const struct command *command, const char *filename, int argc, char **argv)
{
	int status;

	if (command->needs_conf || ctl->socket == NULL) {
		ctl->conf = load(ctl, command, filename);
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

/* run_words - a command and its arguments */
static int run_words(struct ctl *ctl, const char *filename, int argc, char **argv)
{
	const struct command *command = argc > 0 ? find_command(argv[0]) : NULL;

	if (argc == 0)
		return ctl_usage();
	if (command == NULL)
		return ctl_no_such_command(argv[0]);
	if (command->run == ctl_help)
		return ctl_help(ctl, argc, argv);
	if ((ctl->is_plugin || ctl->is_names) && command->run != ctl_status)
		return ctl_usage();
	return run_command(ctl, command, filename, argc, argv);
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"help", no_argument, NULL, 'h'},
		{"json", no_argument, NULL, 'j'},
		{"comment", required_argument, NULL, 'm'},
		{"for", required_argument, NULL, 'f'},
		{"listener", required_argument, NULL, 'l'},
		{"names", no_argument, NULL, 'n'},
		{"plugin", no_argument, NULL, 'p'},
		{0},
	};
	const char *filename = NULL;
	struct ctl ctl = {0};
	bool wants_help = false;
	int option;

	log_init("failfastctl", true, 0);
	while ((option = getopt_long(argc, argv, "c:hs:V", long_options, NULL)) != -1) {
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
		case 'f':
			ctl.duration = optarg;
			break;
		case 'h':
			wants_help = true;
			break;
		case 'm':
			ctl.comment = optarg;
			break;
		case 'j':
			ctl.is_json = true;
			break;
		case 'n':
			ctl.is_names = true;
			break;
		case 'p':
			ctl.is_plugin = true;
			break;
		case 'V':
			(void)printf("failfastctl %s\n", PACKAGE_VERSION);
			return CTL_UP;
		default:
			return ctl_usage();
		}
	}
	/* "help" and what it is about, or "COMMAND --help" */
	if (wants_help)
		return ctl_help(&ctl, optind < argc ? 2 : 1, argv + optind - 1);
	return run_words(&ctl, filename != NULL ? filename : SYSCONFDIR "/failfast-milter.conf", argc - optind,
		argv + optind);
}
