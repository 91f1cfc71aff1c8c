/*
 * main - command line, -n, going to the background; then the keeper takes over
 */
#include "base/log.h"
#include "base/xmem.h"
#include "keeper.h"
#include "service_manager.h"

#include <ares.h>
#include <confuse.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <jansson.h>
#include <libmilter/mfapi.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

struct options {
	const char *filename;
	const char *pidfile; /* NULL: none */
	bool is_foreground;
	bool is_check;
	int verbosity;
};

static void usage(FILE *out)
{
	(void)fprintf(out, "usage: failfast-milter [-fnvV] [-c FILE] [-p PIDFILE]\n");
}

static void print_versions(void)
{
	unsigned major, minor, patch;

	(void)smfi_version(&major, &minor, &patch);
	(void)printf("failfast-milter %s\nlibmilter %u.%u.%u\nlibevent %s\nc-ares %s\njansson %s\n",
		PACKAGE_VERSION, major, minor, patch, event_get_version(), ares_version(NULL),
		jansson_version_str());
	(void)printf("libconfuse %s\n%s\n", confuse_version, OpenSSL_version(OPENSSL_VERSION));
}

static void parse_options(int argc, char **argv, struct options *options)
{
	int option;

	*options = (struct options){.filename = SYSCONFDIR "/failfast-milter.conf"};
	while ((option = getopt(argc, argv, "c:fnp:vV")) != -1) {
		switch (option) {
		case 'c':
			options->filename = optarg;
			break;
		case 'f':
			options->is_foreground = true;
			break;
		case 'n':
			options->is_check = true;
			break;
		case 'p':
			options->pidfile = optarg;
			break;
		case 'v':
			options->verbosity++;
			break;
		case 'V':
			print_versions();
			exit(EX_OK);
		default:
			usage(stderr);
			exit(EX_USAGE);
		}
	}
	if (optind != argc) {
		(void)fprintf(stderr, "failfast-milter: unexpected argument \"%s\"\n", argv[optind]);
		usage(stderr);
		exit(EX_USAGE);
	}
}

static void report(void *arg, const char *message)
{
	(void)arg;
	(void)fprintf(stderr, "%s\n", message);
}

/* write_pidfile - written beside and renamed over, so that nobody reads half a number; the descriptor, -1: none */
static int write_pidfile(const char *pidfile)
{
	char *fresh = xasprintf("%s.new", pidfile);
	bool is_written;
	int fd;

	(void)unlink(fresh);
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	is_written = fd >= 0 && dprintf(fd, "%ld\n", (long)getpid()) > 0;
	is_written = is_written && rename(fresh, pidfile) == 0;
	if (!is_written) {
		log_err("%s", pidfile);
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	free(fresh);
	return fd;
}

/* remove_pidfile - or at least empty it, where its directory is root's: nobody shall end another process by it */
static void remove_pidfile(const char *pidfile, int fd)
{
	if (fd < 0)
		return;
	if (unlink(pidfile) < 0)
		(void)!ftruncate(fd, 0);
	close(fd);
}

/* on_ready - tell the process that waits at the terminal, too, if there is one */
static void on_ready(void *arg)
{
	int *ready_pipe = arg;
	const char status = EX_OK;

	service_manager_ready();
	if (*ready_pipe < 0)
		return;
	(void)!write(*ready_pipe, &status, sizeof status);
	close(*ready_pipe);
	*ready_pipe = -1;
}

/* keep - the keeper from its first to its last moment; an exit status */
static int keep(struct sources *sources, const char *pidfile, int *ready_pipe)
{
	int status, pidfile_fd = -1;
	struct keeper *keeper = keeper_new(sources, &status);

	if (keeper == NULL)
		return status;
	if (pidfile != NULL)
		pidfile_fd = write_pidfile(pidfile);
	status = keeper_run(keeper, pidfile_fd, on_ready, ready_pipe);
	remove_pidfile(pidfile, pidfile_fd);
	keeper_free(keeper);
	return status;
}

/* wait_for_child - the process at the terminal ends when the daemon is ready, or with its status */
static _Noreturn void wait_for_child(pid_t child, int fd)
{
	char status;
	int child_status;

	if (read(fd, &status, sizeof status) == (ssize_t)sizeof status)
		exit(status);
	while (waitpid(child, &child_status, 0) < 0 && errno == EINTR)
		;
	exit(WIFEXITED(child_status) ? WEXITSTATUS(child_status) : EX_SOFTWARE);
}

/* go_to_background - returns in the daemon, with the pipe on which to say that it is ready */
static int go_to_background(int verbosity)
{
	int fds[2], null;
	pid_t child;

	if (pipe2(fds, O_CLOEXEC) < 0 || (child = fork()) < 0) {
		log_err("cannot go to the background");
		exit(EX_OSERR);
	}
	if (child > 0) {
		close(fds[1]);
		wait_for_child(child, fds[0]);
	}
	close(fds[0]);
	(void)setsid();
	(void)!chdir("/");
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
		(void)dup2(null, fd);
	log_init("failfast-milter", false, verbosity);
	return fds[1];
}

/* absolute - a daemon that changes its directory must still find the file at the next reload */
static char *absolute(const char *filename)
{
	char *path = realpath(filename, NULL);

	return path != NULL ? path : xstrdup(filename);
}

/* absolute_new - the same for a file that need not exist; NULL stays NULL */
static char *absolute_new(const char *filename)
{
	char *directory, *path;

	if (filename == NULL || *filename == '/')
		return filename != NULL ? xstrdup(filename) : NULL;
	directory = getcwd(NULL, 0);
	path = directory != NULL ? xasprintf("%s/%s", directory, filename) : xstrdup(filename);
	free(directory);
	return path;
}

int main(int argc, char **argv)
{
	struct options options;
	struct sources sources;
	char *filename, *pidfile;
	int status, ready_pipe = -1;

	parse_options(argc, argv, &options);
	(void)signal(SIGPIPE, SIG_IGN);
	log_init("failfast-milter", true, options.verbosity);
	filename = absolute(options.filename);
	if (!sources_read(&sources, filename, report, NULL)) {
		free(filename);
		return EX_CONFIG;
	}
	free(filename);
	if (options.is_check) {
		sources_free(&sources);
		return EX_OK;
	}
	pidfile = absolute_new(options.pidfile);
	if (!options.is_foreground)
		ready_pipe = go_to_background(options.verbosity);
	status = keep(&sources, pidfile, &ready_pipe);
	free(pidfile);
	return status;
}
