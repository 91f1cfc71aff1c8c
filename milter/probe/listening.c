/*
 * listening - who listens on private/ sockets, without connecting to them
 *
 * master(8) binds its sockets by names relative to queue_directory, so that those of several instances look alike:
 * they are counted.  Where Postfix runs in another network namespace nothing is found.
 */
#include "probe/listening.h"

#include "base/log.h"
#include "base/xmem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_AGE_MS = 1000 };

/* A socket that is listened on, of the kind SOCK_STREAM (flags, type and state of /proc/net/unix). */
static const char listens[] = " 00010000 0001 01 ";

struct listening {
	char *text;
	size_t size;
	const char **names; /* sorted, into text */
	size_t count, room;
	int64_t read_ms; /* 0: never */
};

struct listening *listening_new(void)
{
	return xcalloc(1, sizeof(struct listening));
}

void listening_free(struct listening *listening)
{
	if (listening == NULL)
		return;
	free(listening->text);
	free(listening->names);
	free(listening);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add(struct listening *listening, const char *name)
{
	if (listening->count == listening->room) {
		listening->room = listening->room * 2 + 64;
		listening->names =
			xrealloc(listening->names, listening->room * sizeof *listening->names);
	}
	listening->names[listening->count++] = name;
}

/* name_of - what follows "private/" as the last folder of the path; NULL: it is somewhere else */
static const char *name_of(const char *line)
{
	static const char folder[] = "private";
	const char *flags = strstr(line, listens), *path, *slash;

	if (flags == NULL)
		return NULL;
	path = flags + sizeof listens - 1;
	path += strspn(path, " ");
	path += strspn(path, "0123456789");
	path += strspn(path, " ");
	slash = strrchr(path, '/');
	if (slash == NULL || slash - path < (long)sizeof folder - 1)
		return NULL;
	path = slash - (sizeof folder - 1);
	return strncmp(path, folder, sizeof folder - 1) == 0 ? slash + 1 : NULL;
}

/* take - the names in a text as /proc/net/unix has it */
static void take(struct listening *listening, char *text)
{
	char *rest = NULL;

	listening->count = 0;
	for (const char *line = strtok_r(text, "\n", &rest); line != NULL;
		line = strtok_r(NULL, "\n", &rest)) {
		const char *name = name_of(line);

		if (name != NULL)
			add(listening, name);
	}
	if (listening->count > 0)
		qsort(listening->names, listening->count, sizeof *listening->names, by_name);
}

/* read_again - nothing is listened on as far as we know when the list cannot be read */
static void read_again(struct listening *listening)
{
	FILE *fp = fopen("/proc/self/net/unix", "re");
	size_t used = 0, got = 0;

	listening->count = 0;
	if (fp == NULL) {
		log_debug("/proc/self/net/unix cannot be read");
		return;
	}
	do {
		used += got;
		if (listening->size - used < BUFSIZ + 1) {
			listening->size = listening->size * 2 + BUFSIZ + 1;
			listening->text = xrealloc(listening->text, listening->size);
		}
		got = fread(listening->text + used, 1, listening->size - used - 1, fp);
	} while (got > 0);
	fclose(fp);
	listening->text[used] = '\0';
	take(listening, listening->text);
}

unsigned listening_count(struct listening *listening, const char *name, int64_t now_ms)
{
	const char *const *found;
	size_t first;
	unsigned count = 0;

	if (listening->read_ms == 0 || now_ms - listening->read_ms > MAX_AGE_MS) {
		read_again(listening);
		listening->read_ms = now_ms;
	}
	if (listening->count == 0)
		return 0;
	found = bsearch(&name, listening->names, listening->count, sizeof *listening->names, by_name);
	if (found == NULL)
		return 0;
	first = (size_t)(found - listening->names);
	while (first > 0 && strcmp(listening->names[first - 1], name) == 0)
		first--;
	while (first + count < listening->count &&
		strcmp(listening->names[first + count], name) == 0)
		count++;
	return count;
}
