/*
 * conf_parse - hand the text to libconfuse and fill the object
 *
 * libconfuse gets every option as a pointer to a piece of text with its line, so that values can be
 * checked after the parse, all of them, and still be named with their lines.  (As a string, integer
 * or bool an option would have no line, and the first bad one would end the parse.)
 *
 * A titled section is taken into the object at its closing brace and then dropped from libconfuse's
 * tree: a second section of the same title would replace the first one there, but later hop
 * sections are laid over earlier ones.
 *
 * libconfuse's scanner is global, so only one thread at a time can be here; its callbacks have no
 * argument, so what they need is global too.
 */
#include "base/xmem.h"
#include "conf/conf_private.h"
#include "conf/rules.h"

#include <confuse.h>
#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_FILE_BYTES = 1024 * 1024 };

struct value {
	int line;
	char text[];
};

struct reader {
	struct conf *conf;
	struct conf_report report;
	struct conf_text text;
	size_t sections_taken;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct reader *reader; /* the one at work, under mutex */

/* parse_value - libconfuse found a value */
static int parse_value(cfg_t *cfg, cfg_opt_t *opt, const char *text, void *result)
{
	size_t bytes = strlen(text) + 1;
	struct value *value = xcalloc(1, sizeof *value + bytes);

	(void)opt;
	value->line = cfg->line;
	memcpy(value->text, text, bytes);
	*(void **)result = value;
	return 0;
}

/* option_label - "probe.interval", or "hop "relay:*": depth" */
static char *option_label(const struct conf_section *section, const char *title, const char *option)
{
	if (title != NULL) {
		char quoted[CONF_QUOTED_BYTES];

		return xasprintf("%s %s: %s", section->name, conf_quoted(quoted, title), option);
	}
	return xasprintf("%s%s%s", section->name, section->name[0] != '\0' ? "." : "", option);
}

/* report_value - one line about one value */
static void report_value(int line, const char *label, const char *text, const char *wrong,
	const char *hint, const char *what)
{
	char quoted[CONF_QUOTED_BYTES];

	conf_report_add(&reader->report, line, "%s = %s: %s; %s%s", label,
		conf_quoted(quoted, text), wrong, hint, what);
}

/* take_value - check it and store it; label is the option's name for messages */
static void take_value(const struct conf_option *option,
	const char *label, const struct value *value, void *object)
{
	char *field = (char *)object + option->offset;
	char *ignored = NULL;
	const char *wrong = option->check != NULL ? option->check(value->text) : NULL;

	if (wrong == NULL && option->is_list) {
		wrong = option->store(option, value->text, &ignored);
		free(ignored);
	} else if (wrong == NULL) {
		wrong = option->store(option, value->text, field);
	}
	if (wrong != NULL) {
		char buf[CONF_EXPECTED_BYTES];

		report_value(value->line, label, value->text, wrong, "expected ",
			conf_expected(option, buf));
		return;
	}
	if (option->is_list)
		conf_strings_add((struct conf_strings *)(void *)field, value->text);
}

/* take_options - line: of the section, for what is missing in it */
static void take_options(
	const struct conf_section *section, cfg_t *cfg, const char *title, int line, void *object)
{
	char buf[CONF_EXPECTED_BYTES];

	for (size_t i = 0; i < section->option_count; i++) {
		const struct conf_option *option = &section->option[i];
		cfg_opt_t *opt = cfg_getopt(cfg, option->name);
		char *label = option_label(section, title, option->name);

		for (unsigned value = 0; value < cfg_opt_size(opt); value++)
			take_value(option, label, cfg_opt_getnptr(opt, value), object);
		if (option->is_required && cfg_opt_size(opt) == 0)
			conf_report_add(&reader->report, line, "%s: is missing; expected %s", label,
				conf_expected(option, buf));
		free(label);
	}
}

/* new_element - at the end of the section's array */
static void *new_element(const struct conf_section *section)
{
	char *conf = (char *)reader->conf;
	char **array = (char **)(void *)(conf + section->array_offset);
	size_t *count = (size_t *)(void *)(conf + section->count_offset);
	char *element;

	*array = xrealloc(*array, (*count + 1) * section->object_bytes);
	element = *array + *count * section->object_bytes;
	memset(element, 0, section->object_bytes);
	++*count;
	return element;
}

/* has_namesake - an earlier section of the kind has the title of the last one */
static bool has_namesake(const struct conf_section *section, const char *title)
{
	const char *conf = (const char *)reader->conf;
	const char *array = *(char *const *)(const void *)(conf + section->array_offset);
	size_t count = *(const size_t *)(const void *)(conf + section->count_offset);

	for (size_t i = 0; i + 1 < count; i++)
		if (strcmp(*(char *const *)(const void *)(array + i * section->object_bytes +
							  section->title_offset),
			    title) == 0)
			return true;
	return false;
}

static void check_title(const struct conf_section *section, const char *title, int line)
{
	char quoted[CONF_QUOTED_BYTES];
	const char *wrong = section->check_title(title);

	if (wrong != NULL)
		conf_report_add(&reader->report, line, "%s %s: %s; expected %s", section->name,
			conf_quoted(quoted, title), wrong, section->expected_title);
	else if (section->is_unique && has_namesake(section, title))
		conf_report_add(&reader->report, line,
			"%s %s: a second section with this title; expected each title once",
			section->name, conf_quoted(quoted, title));
}

/* own_title - "/etc/postfix/" and "/etc/postfix" are one title */
static char *own_title(const char *title)
{
	size_t length = strlen(title);

	while (*title == '/' && length > 1 && title[length - 1] == '/')
		length--;
	return xstrndup(title, length);
}

static void take_section(const struct conf_section *section, cfg_t *cfg, int line)
{
	char *object = new_element(section);
	char *title = own_title(cfg_title(cfg));
	size_t errors = reader->report.count;

	conf_object_prepare(section, object);
	*(char **)(void *)(object + section->title_offset) = title;
	if (section->line_offset != SIZE_MAX)
		*(int *)(void *)(object + section->line_offset) = line;
	check_title(section, title, line);
	take_options(section, cfg, title, line, object);
	if (section->finish != NULL)
		section->finish(object);
	if (section->error != NULL && reader->report.count == errors && section->error(object) != NULL) {
		char quoted[CONF_QUOTED_BYTES];

		conf_report_add(&reader->report, line, "%s %s: %s", section->name,
			conf_quoted(quoted, title), section->error(object));
	}
}

/* section_read - libconfuse is behind the closing brace of a titled section */
static int section_read(cfg_t *cfg, cfg_opt_t *opt)
{
	int line = cfg->line;

	if (reader->sections_taken < reader->text.section_count)
		line = reader->text.section_line[reader->sections_taken++];
	take_section(conf_section_find(cfg_opt_name(opt)), cfg_opt_getnsec(opt, 0), line);
	(void)cfg_free_value(opt);
	return 0;
}

/* libconfuse_error - only what the scanner should have found; better twice than not at all */
static void libconfuse_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	char message[256];

	(void)vsnprintf(message, sizeof message, fmt, ap);
	conf_report_add(&reader->report, cfg->line, "(libconfuse) %s", message);
}

/* section_options - libconfuse's form of a section's table; room for extra ones before the end */
static cfg_opt_t *section_options(const struct conf_section *section, size_t extra)
{
	const cfg_opt_t end = CFG_END();
	size_t count = section->option_count;
	cfg_opt_t *opts = xcalloc(count + extra + 1, sizeof *opts);

	for (size_t i = 0; i < count; i++) {
		const struct conf_option *option = &section->option[i];
		const cfg_opt_t one = CFG_PTR_CB(option->name, NULL,
			CFGF_NODEFAULT | (option->is_list ? CFGF_LIST : CFGF_NONE), parse_value,
			free);

		opts[i] = one;
	}
	opts[count + extra] = end;
	return opts;
}

static cfg_t *new_cfg(void)
{
	const struct conf_section *root = &conf_sections[CONF_SECTION_ROOT];
	const size_t sections = CONF_SECTION_COUNT - 1;
	cfg_opt_t *opts = section_options(root, sections);
	cfg_opt_t *subopts[CONF_SECTION_COUNT] = {NULL};
	cfg_t *cfg;

	for (size_t i = 0; i < sections; i++) {
		const struct conf_section *section = root + i + 1;
		subopts[i] = section_options(section, 0);
		cfg_opt_t one = CFG_SEC(section->name, subopts[i],
			section->has_title ? CFGF_MULTI | CFGF_TITLE : CFGF_NONE);

		if (section->has_title)
			one.validcb = section_read;
		opts[root->option_count + i] = one;
	}
	cfg = cfg_init(opts, CFGF_NONE);
	/* libconfuse has made copies. */
	for (size_t i = 0; i < sections; i++)
		free(subopts[i]);
	free(opts);
	return cfg;
}

/* line_of - of an option's value in the file, 0: it is not there */
static int line_of(cfg_t *cfg, const char *option)
{
	cfg_opt_t *opt = cfg_getopt(cfg, option);

	if (cfg_opt_size(opt) == 0)
		return 0;
	return ((const struct value *)cfg_opt_getnptr(opt, 0))->line;
}

static void check_intervals(cfg_t *probe_cfg)
{
	struct conf_probe *probe = &reader->conf->probe;
	const char *fast = "fast_interval";
	int line = line_of(probe_cfg, fast);

	if (probe->fast_interval_ms <= probe->interval_ms)
		return;
	/* Who shortens the interval alone means all probes. */
	if (line == 0)
		probe->fast_interval_ms = probe->interval_ms;
	else
		conf_report_add(&reader->report, line,
			"probe.%s: longer than probe.interval; expected at most as long", fast);
}

/* check_account - only root changes user and group, so only then they must exist */
static void check_account(cfg_t *cfg, const char *option, const char *name, bool exists)
{
	const struct conf_section *root = &conf_sections[CONF_SECTION_ROOT];
	int line = line_of(cfg, option);
	char label[64];

	if (*name == '\0' || exists || geteuid() != 0)
		return;
	(void)snprintf(label, sizeof label, "%s%s", option, line == 0 ? " (the default)" : "");
	report_value(line, label, name, "does not exist", "expected ",
		conf_option_find(root, option)->expected);
}

static bool is_unix_socket(const char *listen)
{
	return strncmp(listen, "unix:", 5) == 0 || strncmp(listen, "local:", 6) == 0;
}

/* check_together - what no value says alone */
static void check_together(cfg_t *cfg)
{
	struct conf *conf = reader->conf;

	conf->on_change_line = line_of(cfg, "on_change");
	check_intervals(cfg_getsec(cfg, "probe"));
	check_account(cfg, "user", conf->user, getpwnam(conf->user) != NULL);
	if (!is_unix_socket(conf->listen))
		return;
	check_account(
		cfg, "listen_group", conf->listen_group, getgrnam(conf->listen_group) != NULL);
	if (strcmp(strchr(conf->listen, ':') + 1, conf->control) == 0)
		report_value(line_of(cfg, "control"), "control", conf->control,
			"the same as listen", "expected ", "a path of its own");
}

/* run_libconfuse - over text without syntax errors; what it finds nevertheless is reported */
static void run_libconfuse(void)
{
	const struct conf_section *root = &conf_sections[CONF_SECTION_ROOT];
	struct conf *conf = reader->conf;
	cfg_t *cfg = new_cfg();
	FILE *fp = fmemopen(reader->text.bytes, reader->text.length, "r");

	if (cfg == NULL || fp == NULL) {
		conf_report_add(&reader->report, 0, "out of memory");
		goto out;
	}
	(void)cfg_set_error_function(cfg, libconfuse_error);
	if (cfg_parse_fp(cfg, fp) != CFG_SUCCESS && reader->report.count == 0)
		conf_report_add(&reader->report, cfg->line, "syntax error");
	for (size_t i = 0; i < CONF_SECTION_COUNT; i++)
		if (!root[i].has_title)
			take_options(&root[i], i == 0 ? cfg : cfg_getsec(cfg, root[i].name), NULL,
				0, (char *)conf + root[i].object_offset);
	check_together(cfg);
out:
	if (fp != NULL)
		(void)fclose(fp);
	if (cfg != NULL)
		(void)cfg_free(cfg);
}

/* read_bytes - the whole file and a newline; false after reporting why not */
static bool read_bytes(FILE *fp)
{
	struct conf_text *text = &reader->text;

	/* One byte more than allowed, to see that there is more. */
	text->bytes = xcalloc(1, MAX_FILE_BYTES + 1 + CONF_TEXT_SLACK);
	text->length = fread(text->bytes, 1, MAX_FILE_BYTES + 1, fp);
	if (ferror(fp)) {
		conf_report_add(&reader->report, 0, "cannot be read: %s", strerror(errno));
		return false;
	}
	if (text->length > MAX_FILE_BYTES) {
		conf_report_add(&reader->report, 0, "is too large; expected at most %d bytes",
			MAX_FILE_BYTES);
		return false;
	}
	text->bytes[text->length++] = '\n';
	text->bytes[text->length] = '\0';
	return true;
}

/* is_plain_text - whoever names the wrong file gets one error instead of a hundred */
static bool is_plain_text(void)
{
	char *bytes = reader->text.bytes;
	int line = 1;

	/* The byte order mark that some editors write. */
	if (strncmp(bytes, "\xef\xbb\xbf", 3) == 0)
		memset(bytes, ' ', 3);
	for (size_t i = 0; i < reader->text.length; i++) {
		unsigned char c = (unsigned char)bytes[i];

		line += c == '\n';
		if ((c >= ' ' && c != 0x7f) || c == '\n' || c == '\t' || c == '\r')
			continue;
		conf_report_add(&reader->report, line,
			"control character 0x%02x; expected plain text, nothing was read", c);
		return false;
	}
	return true;
}

static struct conf *new_conf(const char *filename)
{
	struct conf *conf = xcalloc(1, sizeof *conf);

	conf->references = 1;
	conf->filename = xstrdup(filename);
	for (size_t i = 0; i < CONF_SECTION_COUNT; i++)
		if (!conf_sections[i].has_title)
			conf_object_prepare(
				&conf_sections[i], (char *)conf + conf_sections[i].object_offset);
	return conf;
}

struct conf *conf_parse(FILE *fp, const char *filename, conf_report_fn *report, void *arg)
{
	struct reader job = {.conf = new_conf(filename)};

	(void)pthread_mutex_lock(&mutex);
	reader = &job;
	if (read_bytes(fp) && is_plain_text()) {
		conf_scan(&job.text, &job.report);
		run_libconfuse();
		job.conf->rules = rules_new(job.conf->rule, job.conf->rule_count);
	}
	reader = NULL;
	(void)pthread_mutex_unlock(&mutex);
	free(job.text.bytes);
	free(job.text.section_line);
	if (conf_report_send(&job.report, filename, report, arg)) {
		conf_unref(job.conf);
		return NULL;
	}
	return job.conf;
}
