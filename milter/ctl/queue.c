/*
 * queue - failfastctl queue: what waits in Postfix's queue, by hop and reason
 *
 * postqueue(1) is read line by line while it looks into the queue; of 100,000 messages no more is
 * kept than the groups that they make.
 */
#include "ctl/queue.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct reading {
	struct queue_groups *groups;
	const char *directory;
	uint64_t unreadable;
};

static void take(void *arg, const json_t *message)
{
	struct reading *reading = arg;

	if (!queue_groups_add(reading->groups, reading->directory, message))
		reading->unreadable++;
}

static bool complain(const char *what)
{
	(void)fprintf(stderr, "failfastctl: %s: %s\n", what, strerror(errno));
	return false;
}

static bool read_instance(struct reading *reading, const char *directory)
{
	pid_t pid;
	FILE *stream = queue_begin(directory, &pid);
	bool is_read;

	if (stream == NULL)
		return complain("postqueue");
	reading->directory = directory;
	is_read = queue_read(stream, take, reading, &reading->unreadable) || complain("postqueue");
	if (!queue_end(stream, pid)) {
		(void)fprintf(stderr, "failfastctl: postqueue -c %s -j fails\n", directory);
		is_read = false;
	}
	return is_read;
}

/* read_file - what postqueue has printed elsewhere; taken for the first instance's */
static bool read_file(const struct ctl *ctl, struct reading *reading, const char *path)
{
	bool is_stdin = strcmp(path, "-") == 0, is_read;
	FILE *stream = is_stdin ? stdin : fopen(path, "re");

	if (stream == NULL)
		return complain(path);
	reading->directory =
		ctl->conf->postfix_count > 0 ? ctl->conf->postfix[0].config_directory : "";
	is_read = queue_read(stream, take, reading, &reading->unreadable) || complain(path);
	if (!is_stdin)
		fclose(stream);
	return is_read;
}

static bool read_all(const struct ctl *ctl, struct reading *reading, const char *path)
{
	bool is_read = true;

	if (path != NULL)
		return read_file(ctl, reading, path);
	if (ctl->conf->postfix_count == 0)
		(void)fprintf(stderr,
			"failfastctl: %s has no postfix section that would say whose queue to "
			"read\n",
			ctl->conf->filename);
	for (size_t i = 0; i < ctl->conf->postfix_count; i++)
		is_read = read_instance(reading, ctl->conf->postfix[i].config_directory) && is_read;
	return is_read && ctl->conf->postfix_count > 0;
}

int ctl_queue(const struct ctl *ctl, int argc, char **argv)
{
	struct queue_hops *hops;
	struct reading reading = {0};
	struct queue_report report;
	bool is_read;

	if (argc > 2)
		return ctl_usage();
	hops = queue_hops_new(ctl);
	reading.groups = queue_groups_new(hops);
	is_read = read_all(ctl, &reading, argc > 1 ? argv[1] : NULL);
	report = (struct queue_report){
		reading.groups, queue_hops_error(hops), reading.unreadable, clock_wall()};
	/* What could be read is worth showing although something else could not. */
	if (is_read || queue_groups_total(reading.groups)->messages > 0) {
		if (ctl->is_json)
			queue_print_document(&report);
		else
			queue_print(ctl, &report);
	}
	queue_groups_free(reading.groups);
	queue_hops_free(hops);
	return is_read ? CTL_UP : CTL_UNKNOWN;
}
