/*
 * conf_scan - read the text before libconfuse does
 *
 * libconfuse 3.3 parses the file, but it cannot be handed what an operator wrote.  It
 *
 * - stops at the first unknown option (and with CFGF_IGNORE_UNKNOWN loses track of braces), so that
 *   further errors stay hidden;
 * - counts a line with a comment three times, so that messages name the wrong line;
 * - skips characters that it has no use for: "hop relay:* {" means "relay:", "a = *" takes the next
 *   word as the value;
 * - accepts a comment that is never closed, and with it loses the rest of the file;
 * - ends a string at \0, and puts the environment in the place of ${NAME}: but a file that
 *   failfast-milter reads at boot and failfastctl in a shell must mean the same to both.
 *
 * So this file follows the same grammar, with names taken from the table of options, reports what
 * is wrong, and blanks it together with the comments.  Lines stay where they are.  An error of
 * syntax ends the reading, since what follows may mean anything; every other error does not.
 */
#include "base/xmem.h"
#include "conf/conf_private.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Tokens are their own character; '+' is "+=". */
enum { TOKEN_END = 0, TOKEN_BAD = '!', TOKEN_WORD = 'w', TOKEN_STRING = 's' };

/* What ends an unquoted word in libconfuse's lexer.l. */
#define WORD_END " #\"'\t\n\r={}()+,*"

struct scan {
	struct conf_text *text;
	struct conf_report *report;
	size_t at;
	int line;
	size_t start;   /* of the token at hand */
	int start_line; /* of the token at hand */
	bool is_cut;    /* an error ended the reading; what follows it is blank */
};

struct statement {
	size_t start;
	int line;
	char name[64]; /* cut when longer: no name of ours is */
	const struct conf_section *section;
	const struct conf_option *option;    /* NULL: name is no option here */
	const struct conf_section *contents; /* NULL: name is no section here */
	bool has_title;
};

__attribute__((format(printf, 3, 4))) static int syntax_error(
	const struct scan *scan, int line, const char *fmt, ...)
{
	va_list ap;
	char message[256];

	va_start(ap, fmt);
	(void)vsnprintf(message, sizeof message, fmt, ap);
	va_end(ap);
	conf_report_add(scan->report, line, "%s; the rest of the file was not read", message);
	return TOKEN_BAD;
}

static void blank(const struct scan *scan, size_t from, size_t to)
{
	for (char *cp = scan->text->bytes + from; cp < scan->text->bytes + to; cp++)
		if (*cp != '\n')
			*cp = ' ';
}

static void skip_line_comment(struct scan *scan)
{
	size_t length = strcspn(scan->text->bytes + scan->at, "\n");

	blank(scan, scan->at, scan->at + length);
	scan->at += length;
}

static bool skip_block_comment(struct scan *scan)
{
	const char *from = scan->text->bytes + scan->at;
	const char *end = strstr(from + 2, "*/");

	if (end == NULL) {
		(void)syntax_error(scan, scan->line,
			"the comment that begins here is never closed; expected */");
		return false;
	}

	size_t length = (size_t)(end + 2 - from);

	for (size_t i = 0; i < length; i++)
		scan->line += from[i] == '\n';
	blank(scan, scan->at, scan->at + length);
	scan->at += length;
	return true;
}

/* skip_space - and comments; false after an error */
static bool skip_space(struct scan *scan)
{
	for (;;) {
		const char *cp = scan->text->bytes + scan->at;

		if (*cp == '\n')
			scan->line++;
		if (*cp == '#' || strncmp(cp, "//", 2) == 0) {
			skip_line_comment(scan);
		} else if (strncmp(cp, "/*", 2) == 0) {
			if (!skip_block_comment(scan))
				return false;
		} else if (*cp != '\0' && strchr(" \t\r\n", *cp) != NULL) {
			scan->at++;
		} else {
			return true;
		}
	}
}

static int environment_error(const struct scan *scan)
{
	return syntax_error(scan, scan->line,
		"${NAME} is not replaced by the environment here; expected the value itself, or "
		"\\$ in "
		"a quoted string for a plain $");
}

static bool is_text(int token)
{
	return token == TOKEN_WORD || token == TOKEN_STRING;
}

/* string_token - the token is a string; '...' knows fewer escapes than "..." */
static int string_token(struct scan *scan)
{
	const char *bytes = scan->text->bytes;
	const char quote = bytes[scan->at++];

	for (; bytes[scan->at] != quote; scan->at++) {
		if (bytes[scan->at] == '\\') {
			scan->at++;
			if (quote == '"' && (bytes[scan->at] == '\0' ||
						    strchr("\"\\$\n\r", bytes[scan->at]) == NULL))
				return syntax_error(scan, scan->line,
					"unknown escape in a string; expected \\\", \\\\ or \\$");
		} else if (quote == '"' && strncmp(bytes + scan->at, "${", 2) == 0) {
			return environment_error(scan);
		}
		if (bytes[scan->at] == '\0' || bytes[scan->at] == '\n')
			return syntax_error(scan, scan->line,
				"the string is not closed on its line; expected %c", quote);
	}
	scan->at++;
	return TOKEN_STRING;
}

static int word_token(struct scan *scan)
{
	const char *word = scan->text->bytes + scan->at;
	size_t length = strcspn(word, WORD_END);

	if (length == 0)
		return syntax_error(scan, scan->line,
			"unexpected \"%c\"; expected a word, or a value in quotes", *word);
	scan->at += length;
	return TOKEN_WORD;
}

/* checked_length - libconfuse takes time that grows with the square of a value's length */
static int checked_length(const struct scan *scan, int token)
{
	if (is_text(token) && scan->at - scan->start > CONF_VALUE_BYTES)
		return syntax_error(scan, scan->start_line,
			"a value of more than %d bytes; expected a shorter one", CONF_VALUE_BYTES);
	return token;
}

/* next_token - TOKEN_BAD after an error, which has been reported then */
static int next_token(struct scan *scan)
{
	bool is_good = skip_space(scan);
	const char *cp = scan->text->bytes + scan->at;

	scan->start = scan->at;
	scan->start_line = scan->line;
	if (!is_good)
		return TOKEN_BAD;
	if (*cp == '\0')
		return TOKEN_END;
	if (*cp == '"' || *cp == '\'')
		return checked_length(scan, string_token(scan));
	if (strncmp(cp, "${", 2) == 0)
		return environment_error(scan);
	if (strchr("{}()=,", *cp) != NULL) {
		scan->at++;
		return *cp;
	}
	if (strncmp(cp, "+=", 2) == 0) {
		scan->at += 2;
		return '+';
	}
	return checked_length(scan, word_token(scan));
}

/* token_text - the token at hand for a message */
static const char *token_text(const struct scan *scan, int token, char buf[CONF_QUOTED_BYTES])
{
	size_t quotes = token == TOKEN_STRING;
	char *copy;

	if (token == TOKEN_END)
		return "end of the file";
	copy = xstrndup(
		scan->text->bytes + scan->start + quotes, scan->at - scan->start - 2 * quotes);
	(void)conf_quoted(buf, copy);
	free(copy);
	return buf;
}

/* unexpected - report the token at hand, unless that has been done; returns false */
static bool unexpected(
	const struct scan *scan, int token, const struct statement *statement, const char *expected)
{
	if (token != TOKEN_BAD) {
		char buf[CONF_QUOTED_BYTES];
		/* The end of the file is far from what should have been finished. */
		int line = token == TOKEN_END ? statement->line : scan->start_line;

		(void)syntax_error(scan, line, "%s%sunexpected %s; expected %s", statement->name,
			statement->name[0] != '\0' ? ": " : "", token_text(scan, token, buf),
			expected);
	}
	return false;
}

/* skip_to - pass over what belongs to something unknown; false when it has no end */
static bool skip_to(struct scan *scan, const struct statement *statement, int open, int close)
{
	int depth = 1;

	while (depth > 0) {
		int token = next_token(scan);

		if (token == TOKEN_BAD)
			return false;
		if (token == TOKEN_END) {
			(void)syntax_error(scan, statement->line,
				"%s: the \"%c\" after it is never closed; expected \"%c\"",
				statement->name, open, close);
			return false;
		}
		depth += (token == open) - (token == close);
	}
	return true;
}

/* list_value - behind the opening brace */
static bool list_value(struct scan *scan, const struct statement *statement, size_t *count)
{
	int token = next_token(scan);

	for (*count = 0; token != '}'; ++*count) {
		if (!is_text(token))
			return unexpected(scan, token, statement, "a value or \"}\"");
		token = next_token(scan);
		if (token == ',')
			token = next_token(scan);
		else if (token != '}')
			return unexpected(scan, token, statement, "\",\" or \"}\"");
	}
	return true;
}

/* assignment_error - what is wrong with it, NULL: nothing */
static const char *assignment_error(
	const struct statement *statement, bool is_append, bool is_list, size_t count)
{
	if (statement->contents != NULL)
		return "is a section, not an option; expected \"{\" in place of the value";
	if (is_append && !statement->option->is_list)
		return "holds one value, \"+=\" is for lists; expected \"=\"";
	if (is_list && !statement->option->is_list)
		return "holds one value, not a list; expected a value without braces";
	if (is_list && count == 0)
		return "the list is empty; expected at least one value, or leave the option out";
	return NULL;
}

/* assignment - NAME = VALUE, NAME = {VALUE, VALUE} or NAME += ... */
static bool assignment(struct scan *scan, const struct statement *statement, bool is_append)
{
	int token = next_token(scan);
	bool is_list = token == '{';
	size_t count = 0;

	if (is_list) {
		if (!list_value(scan, statement, &count))
			return false;
	} else if (!is_text(token)) {
		return unexpected(scan, token, statement, "a value");
	}
	if (statement->contents == NULL && statement->option == NULL) {
		conf_suggest(scan->report, statement->line, statement->section, statement->name);
		blank(scan, statement->start, scan->at);
		return true;
	}

	const char *wrong = assignment_error(statement, is_append, is_list, count);

	if (wrong != NULL) {
		conf_report_add(scan->report, statement->line, "%s%s%s: %s",
			statement->section->name, statement->section->name[0] != '\0' ? "." : "",
			statement->name, wrong);
		blank(scan, statement->start, scan->at);
	}
	return true;
}

static bool statements(struct scan *scan, const struct conf_section *section, int opening_line);

/* known_block - a section that libconfuse is going to see */
static bool known_block(struct scan *scan, const struct statement *statement)
{
	struct conf_text *text = scan->text;

	if (statement->has_title) {
		text->section_line = xrealloc(
			text->section_line, (text->section_count + 1) * sizeof *text->section_line);
		text->section_line[text->section_count++] = statement->line;
	}
	if (statements(scan, statement->contents, statement->line))
		return true;
	/* What follows the error is blank now: close the section, so that what was good before the
	 * error is checked too. */
	text->bytes[text->length++] = '}';
	text->bytes[text->length] = '\0';
	return false;
}

/* block_error - what is wrong with a section here, NULL: nothing, or nothing is known by the name
 */
static const char *block_error(const struct statement *statement)
{
	if (statement->option != NULL)
		return "is an option, not a section; expected \"=\" and a value";
	if (statement->contents == NULL || statement->contents->has_title == statement->has_title)
		return NULL;
	return statement->has_title ? "this section has no title; expected \"{\""
				    : "the title is missing; expected a title before \"{\"";
}

/* block - NAME { ... } or NAME "TITLE" { ... }, behind the opening brace */
static bool block(struct scan *scan, const struct statement *statement)
{
	const char *wrong = block_error(statement);

	if (wrong == NULL && statement->contents != NULL)
		return known_block(scan, statement);
	if (wrong == NULL)
		conf_suggest(scan->report, statement->line, statement->section, statement->name);
	else
		conf_report_add(scan->report, statement->line, "%s: %s", statement->name, wrong);
	if (!skip_to(scan, statement, '{', '}'))
		return false;
	blank(scan, statement->start, scan->at);
	return true;
}

/* call - NAME(...), such as include(): there are no functions */
static bool call(struct scan *scan, const struct statement *statement)
{
	if (statement->option != NULL || statement->contents != NULL)
		return unexpected(scan, '(', statement, "\"=\" or \"{\"");
	conf_suggest(scan->report, statement->line, statement->section, statement->name);
	if (!skip_to(scan, statement, '(', ')'))
		return false;
	blank(scan, statement->start, scan->at);
	return true;
}

/* rest_of_statement - behind the name; false ends the reading */
static bool rest_of_statement(struct scan *scan, struct statement *statement)
{
	int token = next_token(scan);

	if (token == '=' || token == '+')
		return assignment(scan, statement, token == '+');
	if (token == '(')
		return call(scan, statement);
	if (is_text(token) && statement->option == NULL) {
		statement->has_title = true;
		token = next_token(scan);
	}
	if (token == '{')
		return block(scan, statement);
	if (statement->option != NULL)
		return unexpected(scan, token, statement, "\"=\"");
	if (statement->contents != NULL)
		return unexpected(scan, token, statement, "\"{\"");
	return unexpected(
		scan, token, statement, "\"=\" or \"{\" (a value with spaces needs quotes)");
}

/* begin_statement - the token at hand is its name */
static void begin_statement(const struct scan *scan, const struct conf_section *section, int token,
	struct statement *statement)
{
	size_t quotes = token == TOKEN_STRING;

	*statement = (struct statement){
		.start = scan->start,
		.line = scan->start_line,
		.section = section,
	};
	(void)snprintf(statement->name, sizeof statement->name, "%.*s",
		(int)(scan->at - scan->start - 2 * quotes),
		scan->text->bytes + scan->start + quotes);
	/* For messages; no name of ours has other characters. */
	for (char *cp = statement->name; *cp != '\0'; cp++)
		if (!isascii((unsigned char)*cp) ||
			(!isalnum((unsigned char)*cp) && strchr("_-.:;|", *cp) == NULL))
			*cp = '?';
	statement->option = conf_option_find(section, statement->name);
	if (section == &conf_sections[CONF_SECTION_ROOT] && statement->name[0] != '\0')
		statement->contents = conf_section_find(statement->name);
}

/* cut - what begins at start cannot be read, and so nothing that follows */
static bool cut(struct scan *scan, size_t start)
{
	if (!scan->is_cut)
		blank(scan, start, scan->text->length);
	scan->is_cut = true;
	return false;
}

/* statements - up to the end of the section, or of the file where opening_line is 0 */
static bool statements(struct scan *scan, const struct conf_section *section, int opening_line)
{
	for (;;) {
		struct statement statement = {.line = opening_line};
		int token = next_token(scan);
		size_t start = scan->start;

		if (token == (opening_line != 0 ? '}' : TOKEN_END))
			return true;
		if (is_text(token)) {
			begin_statement(scan, section, token, &statement);
			if (rest_of_statement(scan, &statement))
				continue;
		} else if (token == TOKEN_END) {
			(void)syntax_error(scan, opening_line,
				"section %s is never closed; expected \"}\"", section->name);
		} else {
			(void)unexpected(
				scan, token, &statement, "the name of an option or section");
		}
		return cut(scan, start);
	}
}

void conf_scan(struct conf_text *text, struct conf_report *report)
{
	struct scan scan = {.text = text, .report = report, .line = 1};

	(void)statements(&scan, &conf_sections[CONF_SECTION_ROOT], 0);
}
