/*
 * postconf_large - a master.cf with very many services
 *
 * What postconf(1) does with master.cf grows with the square of the number of services that have options: 2,000 cost it
 * 3 seconds a run, and it adds 34,000 parameters to the others ("NAME_destination_recipient_limit" and so on).  So it
 * is given a folder of its own with the same main.cf and a hundred services at a time.  The cuts are made before lines
 * that begin a service (master(5)); everything else is left to postconf.
 */
#include "postfix/postconf_large.h"

#include "base/log.h"
#include "base/run.h"
#include "base/xmem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TIMEOUT_MS = 10000, SERVICES_A_PART = 100, PARTS_AT_LEAST = 3, LIMIT_BYTES = 64 << 20 };

struct work {
	struct postconf *out;
	char *folder, *main_cf, *master_cf;
};

static char *read_master_cf(const char *directory)
{
	char *path = xasprintf("%s/master.cf", directory), *text = NULL;
	FILE *fp = fopen(path, "re");
	struct stat status;
	size_t bytes = 0;

	free(path);
	if (fp == NULL)
		return NULL;
	if (fstat(fileno(fp), &status) == 0 && status.st_size < LIMIT_BYTES) {
		text = xcalloc(1, (size_t)status.st_size + 1);
		bytes = fread(text, 1, (size_t)status.st_size, fp);
		text[bytes] = '\0';
	}
	fclose(fp);
	return text;
}

/* begins_service - comments and what is indented go with the service before them, as do empty lines */
static bool begins_service(const char *line)
{
	return *line != '\0' && strchr("# \t\r\n\f\v", *line) == NULL;
}

/* next_part - where the part ends that begins here */
static const char *next_part(const char *text)
{
	unsigned services = 0;

	while (*text != '\0') {
		if (begins_service(text) && services++ == SERVICES_A_PART)
			break;
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	return text;
}

bool postconf_is_large(const char *directory)
{
	char *text = read_master_cf(directory);
	const char *rest = text != NULL ? text : "";
	bool is_large;

	for (int parts = 0; parts < PARTS_AT_LEAST; parts++)
		rest = next_part(rest);
	is_large = *rest != '\0';
	free(text);
	return is_large;
}

/* put_back - the instance's own folder in the place of ours */
static char *put_back(const struct work *work, char *text)
{
	size_t length = strlen(work->folder);
	char *found = strstr(text, work->folder), *begin = text, *result;

	if (found == NULL)
		return text;
	result = xstrdup("");
	for (; found != NULL; begin = found + length, found = strstr(begin, work->folder)) {
		char *more = xasprintf("%s%.*s%s", result, (int)(found - begin), begin,
			work->out->directory);

		free(result);
		result = more;
	}
	found = xasprintf("%s%s", result, begin);
	free(result);
	free(text);
	return found;
}

/* ask - append what one run prints; false when it fails */
static bool ask(const struct work *work, const char *option, char **text)
{
	const char *const argv[] = {"postconf", "-c", work->folder, option, NULL};
	char *error = NULL, *printed = run_capture(argv, TIMEOUT_MS, &error), *joined;

	if (printed == NULL) {
		log_debug("%s", error);
		free(error);
		return false;
	}
	printed = put_back(work, printed);
	joined = xasprintf("%s%s", *text != NULL ? *text : "", printed);
	free(printed);
	free(*text);
	*text = joined;
	return true;
}

static bool write_master_cf(const struct work *work, const char *text, size_t bytes)
{
	FILE *fp = fopen(work->master_cf, "we");
	bool is_written;

	if (fp == NULL)
		return false;
	is_written = fwrite(text, 1, bytes, fp) == bytes;
	return fclose(fp) == 0 && is_written;
}

static bool read_parts(const struct work *work, const char *text)
{
	while (*text != '\0') {
		const char *end = next_part(text);

		if (!write_master_cf(work, text, (size_t)(end - text)) ||
			!ask(work, "-M", &work->out->services) ||
			!ask(work, "-Px", &work->out->parameters))
			return false;
		text = end;
	}
	return true;
}

/* prepare - a folder with the same main.cf and an empty master.cf */
static bool prepare(struct work *work)
{
	char *original = xasprintf("%s/main.cf", work->out->directory);
	bool is_done = mkdtemp(work->folder) != NULL;

	work->main_cf = xasprintf("%s/main.cf", work->folder);
	work->master_cf = xasprintf("%s/master.cf", work->folder);
	is_done = is_done && symlink(original, work->main_cf) == 0 && write_master_cf(work, "", 0);
	free(original);
	return is_done;
}

bool postconf_read_large(struct postconf *out)
{
	struct work work = {.out = out, .folder = xstrdup("/tmp/failfast-milter.XXXXXX")};
	char *text = read_master_cf(out->directory);
	bool is_read = text != NULL && prepare(&work) && ask(&work, "-x", &out->main) &&
		       read_parts(&work, text);

	if (work.master_cf != NULL) {
		(void)unlink(work.main_cf);
		(void)unlink(work.master_cf);
		(void)rmdir(work.folder);
	}
	if (!is_read) {
		free(out->main);
		free(out->services);
		free(out->parameters);
		out->main = out->services = out->parameters = NULL;
	}
	free(work.main_cf);
	free(work.master_cf);
	free(work.folder);
	free(text);
	return is_read;
}
