/*
 * conf - the life of a configuration, and the questions that are asked of it
 *
 * How an object is built and taken apart follows the tables of conf_options.c, so that an option
 * added there is freed here.
 */
#include "conf/conf.h"

#include "base/pattern.h"
#include "base/xmem.h"
#include "conf/conf_private.h"
#include "conf/rules.h"
#include "health/hop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void conf_strings_add(struct conf_strings *strings, const char *text)
{
	strings->item = xrealloc(strings->item, (strings->count + 1) * sizeof *strings->item);
	strings->item[strings->count++] = xstrdup(text);
}

static void strings_clear(struct conf_strings *strings)
{
	for (size_t i = 0; i < strings->count; i++)
		free(strings->item[i]);
	free(strings->item);
	*strings = (struct conf_strings){0};
}

void conf_object_prepare(const struct conf_section *section, void *object)
{
	if (section->prepare != NULL)
		section->prepare(object);
	for (size_t i = 0; i < section->option_count; i++) {
		const struct conf_option *option = &section->option[i];

		if (option->initial != NULL)
			(void)option->store(
				option, option->initial, (char *)object + option->offset);
	}
}

void conf_object_clear(const struct conf_section *section, void *object)
{
	for (size_t i = 0; i < section->option_count; i++) {
		const struct conf_option *option = &section->option[i];
		void *field = (char *)object + option->offset;

		if (option->is_list)
			strings_clear(field);
		else if (option->store == conf_store_text)
			free(*(char **)field);
	}
}

/* clear_section - the section's object, or all elements of its array */
static void clear_section(const struct conf_section *section, struct conf *conf)
{
	char *base = (char *)conf;

	if (!section->has_title) {
		conf_object_clear(section, base + section->object_offset);
		return;
	}

	char *array = *(char **)(void *)(base + section->array_offset);
	size_t count = *(size_t *)(void *)(base + section->count_offset);

	for (size_t i = 0; i < count; i++) {
		char *object = array + i * section->object_bytes;

		conf_object_clear(section, object);
		free(*(char **)(void *)(object + section->title_offset));
	}
	free(array);
}

struct conf *conf_load(const char *filename, conf_report_fn *report, void *arg)
{
	FILE *fp = fopen(filename, "re");
	struct conf *conf;

	if (fp == NULL) {
		struct conf_report failure = {0};

		conf_report_add(&failure, 0, "cannot be opened: %s", strerror(errno));
		(void)conf_report_send(&failure, filename, report, arg);
		return NULL;
	}
	conf = conf_parse(fp, filename, report, arg);
	(void)fclose(fp);
	return conf;
}

struct conf *conf_ref(struct conf *conf)
{
	(void)__atomic_add_fetch(&conf->references, 1, __ATOMIC_RELAXED);
	return conf;
}

void conf_unref(struct conf *conf)
{
	if (conf == NULL || __atomic_sub_fetch(&conf->references, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	rules_free(conf->rules);
	for (size_t i = 0; i < CONF_SECTION_COUNT; i++)
		clear_section(&conf_sections[i], conf);
	free(conf->filename);
	free(conf);
}

void conf_hop_settings(const struct conf *conf, const char *hop, struct conf_hop_settings *out)
{
	*out = (struct conf_hop_settings){
		.interval_ms = conf->probe.interval_ms,
		.depth = DEPTH_HELLO,
		.tls = TLS_DEFAULT,
		.ca_file = "",
		.recipient = "",
	};
	for (size_t i = 0; i < conf->hop_count; i++) {
		const struct conf_hop *section = &conf->hop[i];

		if (!pattern_match(section->pattern, hop))
			continue;
		if (section->interval_ms >= 0)
			out->interval_ms = section->interval_ms;
		if (section->depth >= 0) {
			out->depth = (enum conf_depth)section->depth;
			out->is_depth_set = true;
		}
		if (section->tls >= 0)
			out->tls = (enum conf_tls)section->tls;
		if (section->ca_file != NULL)
			out->ca_file = section->ca_file;
		if (section->recipient != NULL)
			out->recipient = section->recipient;
	}
}

unsigned conf_fixed_differences(
	const struct conf *old, const struct conf *fresh, char *names, size_t names_bytes)
{
	const struct {
		const char *name, *old, *fresh;
	} fixed[] = {
		{"listen", old->listen, fresh->listen},
		{"control", old->control, fresh->control},
		{"http", old->http, fresh->http},
		{"user", old->user, fresh->user},
	};
	unsigned count = 0;
	size_t used = 0;

	if (names_bytes > 0)
		names[0] = '\0';
	for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
		if (strcmp(fixed[i].old, fixed[i].fresh) == 0)
			continue;
		if (used < names_bytes)
			used += (size_t)snprintf(names + used, names_bytes - used, "%s%s",
				count > 0 ? ", " : "", fixed[i].name);
		count++;
	}
	return count;
}

const char *conf_listen_path(const struct conf *conf)
{
	static const char *const prefixes[] = {"unix:", "local:"};

	for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
		if (strncmp(conf->listen, prefixes[i], strlen(prefixes[i])) == 0)
			return conf->listen + strlen(prefixes[i]);
	return NULL;
}
