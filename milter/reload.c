/*
 * reload - what keeper and engine hand each other when configuration changes
 */
#include "reload.h"

#include "base/xmem.h"
#include "hooks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONF_LIMIT_BYTES = 16 << 20 };

/* read_file - a whole text file with a NUL behind it; NULL with errno set */
static char *read_file(const char *filename, size_t *bytes)
{
	FILE *fp = fopen(filename, "re");
	char *text = NULL;
	size_t got;

	*bytes = 0;
	if (fp == NULL)
		return NULL;
	do {
		text = xrealloc(text, *bytes + BUFSIZ + 1);
		got = fread(text + *bytes, 1, BUFSIZ, fp);
		*bytes += got;
	} while (got > 0 && *bytes < CONF_LIMIT_BYTES);
	text[*bytes] = '\0';
	if (ferror(fp)) {
		free(text);
		text = NULL;
	}
	fclose(fp);
	return text;
}

/* parse_text - what was read is parsed, so that file and text cannot differ */
static struct conf *parse_text(const char *filename, char *text, size_t bytes,
	conf_report_fn *report, void *arg)
{
	FILE *fp = bytes > 0 ? fmemopen(text, bytes, "r") : fopen("/dev/null", "re");
	struct conf *conf;

	if (fp == NULL) {
		report(arg, "out of memory");
		return NULL;
	}
	conf = conf_parse(fp, filename, report, arg);
	fclose(fp);
	return conf;
}

static bool read_postconfs(struct sources *out, conf_report_fn *report, void *arg)
{
	bool is_good = true;

	out->count = out->conf->postfix_count;
	out->postconfs = xcalloc(out->count + 1, sizeof *out->postconfs);
	for (size_t i = 0; i < out->count; i++) {
		postconf_read(&out->postconfs[i], out->conf->postfix[i].config_directory);
		if (out->postconfs[i].error != NULL) {
			report(arg, out->postconfs[i].error);
			is_good = false;
		}
	}
	return is_good;
}

bool sources_read(struct sources *out, const char *filename, conf_report_fn *report, void *arg)
{
	size_t bytes;
	char *message;
	bool is_good;

	*out = (struct sources){.filename = xstrdup(filename)};
	out->text = read_file(filename, &bytes);
	if (out->text == NULL) {
		message = xasprintf("%s: %s", filename, strerror(errno));
		report(arg, message);
		free(message);
	} else {
		out->conf = parse_text(filename, out->text, bytes, report, arg);
	}
	is_good = out->conf != NULL && hooks_check(out->conf, report, arg);
	if (out->conf != NULL && read_postconfs(out, report, arg) && is_good)
		return true;
	sources_free(out);
	return false;
}

void sources_free(struct sources *sources)
{
	for (size_t i = 0; i < sources->count; i++)
		postconf_free(&sources->postconfs[i]);
	free(sources->postconfs);
	conf_unref(sources->conf);
	free(sources->filename);
	free(sources->text);
	*sources = (struct sources){0};
}

char *sources_pack(const struct sources *sources, size_t *bytes)
{
	size_t filename_bytes = strlen(sources->filename) + 1;
	size_t used = filename_bytes + strlen(sources->text) + 1;
	char *block = xcalloc(1, used);

	memcpy(block, sources->filename, filename_bytes);
	memcpy(block + filename_bytes, sources->text, used - filename_bytes);
	for (size_t i = 0; i < sources->count; i++) {
		size_t part_bytes;
		char *part = postconf_pack(&sources->postconfs[i], &part_bytes);

		block = xrealloc(block, used + part_bytes);
		memcpy(block + used, part, part_bytes);
		used += part_bytes;
		free(part);
	}
	*bytes = used;
	return block;
}

/* unpack_postconfs - as many as the configuration has sections */
static bool unpack_postconfs(struct sources *out, const char *block, size_t bytes)
{
	size_t used = 0, taken;

	out->postconfs = xcalloc(out->conf->postfix_count + 1, sizeof *out->postconfs);
	while (out->count < out->conf->postfix_count) {
		taken = postconf_unpack(&out->postconfs[out->count], block + used, bytes - used);
		if (taken == 0)
			return false;
		out->count++;
		used += taken;
	}
	return used == bytes;
}

bool sources_unpack(struct sources *out, const char *block, size_t bytes, conf_report_fn *report,
	void *arg)
{
	size_t filename_bytes = strnlen(block, bytes) + 1, text_bytes;

	*out = (struct sources){0};
	if (filename_bytes > bytes)
		return false;
	text_bytes = strnlen(block + filename_bytes, bytes - filename_bytes) + 1;
	if (filename_bytes + text_bytes > bytes)
		return false;
	out->filename = xstrdup(block);
	out->text = xstrdup(block + filename_bytes);
	out->conf = parse_text(out->filename, out->text, text_bytes - 1, report, arg);
	if (out->conf != NULL && unpack_postconfs(out, block + filename_bytes + text_bytes,
					 bytes - filename_bytes - text_bytes))
		return true;
	sources_free(out);
	return false;
}
