/*
 * reload_report - what came of a reload that failfastctl(8) asked for
 *
 * The keeper, who reads the files, writes it down; the engine, who was asked, reads it.  Pure.
 */
#ifndef FF_RELOAD_REPORT_H
#define FF_RELOAD_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RELOAD_REPORT_LINES = 1000 };

/* A report that grows; all zero at first. */
struct reload_report {
	char *text;
	size_t bytes;
	unsigned lines;
};

/* reload_report_add - one line of what is wrong; those above RELOAD_REPORT_LINES are left out */
void reload_report_add(struct reload_report *report, const char *line);

/* reload_report_pack - as a block for CHANNEL_RELOADED, which the caller frees: an answer to the
 * request of that number */
char *reload_report_pack(
	const struct reload_report *report, uint32_t number, bool is_good, size_t *bytes);

/* reload_report_free - what it owns */
void reload_report_free(struct reload_report *report);

/* What such a block says; lines are in the block. */
struct reload_answer {
	uint32_t number;
	bool is_good;
	const char *line[RELOAD_REPORT_LINES];
	size_t count;
};

/* reload_report_unpack - a block with a NUL behind it; false when it is damaged */
bool reload_report_unpack(const char *block, size_t bytes, struct reload_answer *answer);

#endif
