/*
 * conf_private - what the parts of conf share, and nobody else
 *
 *	conf_scan.c	reads the text before libconfuse does: syntax, unknown names
 *	conf_parse.c	hands the text to libconfuse and fills the object
 *	conf_options.c	the tables: every section, option, default and range
 *	conf_store.c	how a value's text gets into its field
 *	conf_check.c	what a text may look like
 *	conf_suggest.c	what an unknown name may have been meant to be
 *	conf_report.c	collects the errors
 *	rules.c		the rule sections, ready to be asked
 *	conf.c		the life of the object, and questions to it
 */
#ifndef FF_CONF_PRIVATE_H
#define FF_CONF_PRIVATE_H

#include "conf/conf.h"

/* conf_check_fn - NULL when text is fine, else a constant text: what is wrong with it */
typedef const char *conf_check_fn(const char *text);

struct conf_option;

/* conf_store_fn - put a value that its check let pass into the field; returns what a check does,
 * and leaves the field alone when something is wrong */
typedef const char *conf_store_fn(const struct conf_option *option, const char *text, void *field);

struct conf_option {
	const char *name;
	size_t offset;            /* of the field in the section's object */
	const char *initial;      /* NULL: what the section's prepare() made of it */
	conf_check_fn *check;     /* NULL: anything that store takes */
	conf_store_fn *store;     /* of each item when it is a list */
	const char *const *words; /* conf_store_word() */
	int64_t min, max;         /* of numbers and durations */
	const char *expected;     /* what is accepted; NULL: conf_expected() tells from the rest */
	bool is_list;             /* the field is a struct conf_strings */
	bool is_required;
};

/* A kind of section.  A titled one becomes an element of an array in struct conf. */
struct conf_section {
	const char *name; /* "" is the file itself */
	const struct conf_option *option;
	size_t option_count;
	size_t object_offset; /* untitled: of its object in struct conf */
	bool has_title;
	bool is_unique; /* no two of the same title */
	size_t object_bytes, array_offset, count_offset;
	size_t title_offset; /* of a char * in the element */
	size_t line_offset;  /* of an int in the element, SIZE_MAX: none */
	conf_check_fn *check_title;
	const char *expected_title;
	void (*prepare)(void *object); /* NULL: zeros and the initial values */
	void (*finish)(void *object);  /* NULL: nothing to do when all values are in */
	const char *(*error)(const void *object); /* what its values say together; NULL: nothing can be wrong */
};

enum { CONF_SECTION_ROOT, CONF_SECTION_COUNT = 6 };

/* conf_sections - the file itself first */
extern const struct conf_section conf_sections[CONF_SECTION_COUNT];

const struct conf_section *conf_section_find(const char *name);
const struct conf_option *conf_option_find(const struct conf_section *section, const char *name);

/* conf_object_prepare - an object of zeros gets the section's initial values */
void conf_object_prepare(const struct conf_section *section, void *object);

/* conf_object_clear - free what the object holds */
void conf_object_clear(const struct conf_section *section, void *object);

void conf_strings_add(struct conf_strings *strings, const char *text);

struct conf_error {
	int line;        /* 0: of the file as a whole */
	size_t sequence; /* in which it was found */
	char *text;
};

/* Errors of one file, in the order of its lines once they are sent. */
struct conf_report {
	struct conf_error *error;
	size_t count;
};

void conf_report_add(struct conf_report *report, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* conf_report_send - hand every error to fn and forget them; false when there was none */
bool conf_report_send(
	struct conf_report *report, const char *filename, conf_report_fn *fn, void *arg);

enum { CONF_QUOTED_BYTES = 80 };

/* The longest word or quoted string of a file, quotes included. */
enum { CONF_VALUE_BYTES = 65536 };

/* conf_quoted - a value for a message: in quotes, shortened, without control characters */
const char *conf_quoted(char buf[CONF_QUOTED_BYTES], const char *text);

/* The text of a file, and what the scanner learns from it. */
struct conf_text {
	char *bytes;   /* ends with a NUL; room for CONF_TEXT_SLACK bytes more */
	size_t length; /* without the NUL */
	int *section_line;
	size_t section_count; /* titled sections that libconfuse will see, in order */
};

enum { CONF_TEXT_SLACK = 4 };

/* conf_scan - report every error of syntax and every unknown name, and take them and all comments
 * out of the text; what remains is something that libconfuse parses without an error. */
void conf_scan(struct conf_text *text, struct conf_report *report);

/* conf_suggest - report an unknown name, with what may have been meant */
void conf_suggest(
	struct conf_report *report, int line, const struct conf_section *section, const char *name);

enum { CONF_EXPECTED_BYTES = 160 };

/* conf_expected - what an option accepts; in buf, or constant */
const char *conf_expected(const struct conf_option *option, char buf[CONF_EXPECTED_BYTES]);

conf_store_fn conf_store_text, conf_store_duration, conf_store_number, conf_store_percent,
	conf_store_mode, conf_store_word, conf_store_truth;

conf_check_fn conf_check_listen, conf_check_socket_path, conf_check_optional_path,
	conf_check_address_port, conf_check_account, conf_check_optional_host, conf_check_helo,
	conf_check_header_name, conf_check_optional_hop, conf_check_hop_title, conf_check_directory,
	conf_check_optional_address, conf_check_client, conf_check_role, conf_check_reason,
	conf_check_pattern, conf_check_host_port, conf_check_transport, conf_check_rule_name;

#endif
