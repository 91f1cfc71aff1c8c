/*
 * reload_report - what came of a reload that failfastctl(8) asked for
 *
 * A block is a number, a word, and the lines, each with a NUL behind it.
 */
#include "reload_report.h"

#include "base/xmem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void reload_report_add(struct reload_report *report, const char *line)
{
	size_t bytes = strlen(line) + 1;

	if (report->lines >= RELOAD_REPORT_LINES)
		return;
	report->text = xrealloc(report->text, report->bytes + bytes);
	memcpy(report->text + report->bytes, line, bytes);
	report->bytes += bytes;
	report->lines++;
}

void reload_report_free(struct reload_report *report)
{
	free(report->text);
	*report = (struct reload_report){0};
}

char *reload_report_pack(
	const struct reload_report *report, uint32_t number, bool is_good, size_t *bytes)
{
	char head[64];
	int head_bytes = snprintf(head, sizeof head, "%u%c%s", (unsigned)number, '\0',
				 is_good ? "good" : "bad") +
			 1;
	char *block;

	*bytes = (size_t)head_bytes + report->bytes;
	block = xcalloc(1, *bytes);
	memcpy(block, head, (size_t)head_bytes);
	if (report->bytes > 0)
		memcpy(block + head_bytes, report->text, report->bytes);
	return block;
}

/* next - the next text of a block; NULL at its end */
static const char *next(const char **block, size_t *bytes)
{
	const char *text = *block;
	size_t length = strnlen(text, *bytes) + 1;

	if (length > *bytes)
		return NULL;
	*block += length;
	*bytes -= length;
	return text;
}

bool reload_report_unpack(const char *block, size_t bytes, struct reload_answer *answer)
{
	const char *number = next(&block, &bytes),
		   *word = number != NULL ? next(&block, &bytes) : NULL, *line;
	char *end;

	if (word == NULL)
		return false;
	answer->number = (uint32_t)strtoul(number, &end, 10);
	answer->is_good = strcmp(word, "good") == 0;
	answer->count = 0;
	while (answer->count < RELOAD_REPORT_LINES && (line = next(&block, &bytes)) != NULL)
		answer->line[answer->count++] = line;
	return bytes == 0 && *end == '\0' && (answer->is_good || strcmp(word, "bad") == 0);
}
