/*
 * check_manual - what the program knows, the manual says
 */
#include "suite.h"

#include "conf/conf_private.h"
#include "health/reason.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { PAGE_BYTES = 1 << 18 };

/* read_page - a page of the source's config/, the caller's to free */
static char *read_page(const char *name)
{
	const char *srcdir = getenv("srcdir");
	char *text = calloc(1, PAGE_BYTES);
	char path[1024];
	FILE *fp;

	(void)snprintf(path, sizeof path, "%s/config/%s", srcdir != NULL ? srcdir : ".", name);
	fp = fopen(path, "re");
	ck_assert_msg(fp != NULL, "%s cannot be opened", path);
	ck_assert_uint_gt(fread(text, 1, PAGE_BYTES - 1, fp), 0);
	ck_assert_msg(feof(fp), "%s is larger than this test reads", path);
	fclose(fp);
	return text;
}

/* find_entry - the text of ".It Cm NAME ...", behind its first line; NULL when there is none */
static const char *find_entry(const char *page, const char *name)
{
	const char *start = page;
	char tag[80];

	(void)snprintf(tag, sizeof tag, "\n.It Cm %s ", name);
	start = strstr(start, tag);
	return start != NULL ? strchr(start + 1, '\n') : NULL;
}

/* says - is the text between this place and the next entry or section? */
static bool says(const char *entry, const char *text)
{
	const char *end = strstr(entry, "\n.It Cm"), *found = strstr(entry, text);

	return found != NULL && (end == NULL || found < end);
}

/* in_mdoc - a default as the page writes it */
static const char *in_mdoc(const char *initial)
{
	if (*initial == '\0')
		return "\\(dq\\(dq";
	return initial;
}

/* section_of - where the page begins to speak of a section */
static const char *section_of(const char *page, const struct conf_section *section)
{
	char heading[80];
	const char *start;

	if (*section->name == '\0')
		return page;
	(void)snprintf(heading, sizeof heading, "\n.Cm %s", section->name);
	start = strstr(page, heading);
	if (start == NULL) {
		(void)snprintf(heading, sizeof heading, "\n.It Cm %s ", section->name);
		start = strstr(page, heading);
	}
	ck_assert_msg(start != NULL, "section %s is not in the manual", section->name);
	return start;
}

START_TEST(every_option_and_its_default_is_documented)
{
	char *page = read_page("failfast-milter.conf.5");

	for (size_t s = 0; s < CONF_SECTION_COUNT; s++) {
		const struct conf_section *section = &conf_sections[s];
		const char *start = section_of(page, section);

		for (size_t i = 0; i < section->option_count; i++) {
			const struct conf_option *option = &section->option[i];
			const char *entry = find_entry(start, option->name);

			ck_assert_msg(entry != NULL, "%s%s%s is not in the manual", section->name,
				*section->name != '\0' ? "." : "", option->name);
			if (option->initial != NULL)
				ck_assert_msg(says(entry, in_mdoc(option->initial)),
					"the default of %s, \"%s\", is not in the manual",
					option->name, option->initial);
		}
	}
	free(page);
}
END_TEST

START_TEST(every_reason_is_documented_with_its_code)
{
	char *page = read_page("failfast-milter.8");
	char row[80];

	for (int reason = REASON_NONE + 1; reason < REASON_COUNT; reason++) {
		const char *token = reason_token((enum reason)reason);

		if (reason == REASON_LOCAL_ERROR)
			(void)snprintf(row, sizeof row, "\n.It Em %s\n", token);
		else
			(void)snprintf(row, sizeof row, "\n.It Em %s Pq %s\n", token,
				reason_code((enum reason)reason));
		ck_assert_msg(strstr(page, row) != NULL, "%s is not in the manual", row + 1);
	}
	free(page);
}
END_TEST

START_TEST(every_reason_has_its_place_in_the_guide)
{
	char *page = read_page("failfast-faults.7");

	for (int reason = REASON_NONE + 1; reason < REASON_COUNT; reason++)
		ck_assert_msg(strstr(page, reason_token((enum reason)reason)) != NULL,
			"%s is not in failfast-faults(7)", reason_token((enum reason)reason));
	free(page);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, every_option_and_its_default_is_documented);
	tcase_add_test(tcase, every_reason_is_documented_with_its_code);
	tcase_add_test(tcase, every_reason_has_its_place_in_the_guide);
}

int main(void)
{
	return suite_run("manual", add_tests);
}
