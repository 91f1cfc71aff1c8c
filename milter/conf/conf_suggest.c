/*
 * conf_suggest - what an unknown name may have been meant to be
 *
 * Most unknown names are a slip of one or two letters, or an option that belongs in a section (or
 * in another one): both can be told from the tables.
 */
#include "conf/conf_private.h"

#include "base/likeness.h"

#include <stdio.h>
#include <string.h>

enum { MAX_DISTANCE = 2 };

/* consider - take a candidate that is nearer than the best so far */
static void consider(const char *name, const char *candidate, const char **best, size_t *nearest)
{
	size_t far = likeness_distance(name, candidate);

	/* Two letters of "tls" are no likeness. */
	if (far < *nearest && far * 2 < strlen(candidate)) {
		*nearest = far;
		*best = candidate;
	}
}

/* nearest_name - NULL when nothing here is like it */
static const char *nearest_name(const struct conf_section *section, const char *name)
{
	const char *best = NULL;
	size_t nearest = MAX_DISTANCE + 1;

	for (size_t i = 0; i < section->option_count; i++)
		consider(name, section->option[i].name, &best, &nearest);
	if (section == &conf_sections[CONF_SECTION_ROOT])
		for (size_t i = CONF_SECTION_ROOT + 1; i < CONF_SECTION_COUNT; i++)
			consider(name, conf_sections[i].name, &best, &nearest);
	return best;
}

/* other_section - where an option of this very name exists, NULL: nowhere */
static const struct conf_section *other_section(const char *name)
{
	for (size_t i = 0; i < CONF_SECTION_COUNT; i++)
		if (conf_option_find(&conf_sections[i], name) != NULL)
			return &conf_sections[i];
	return NULL;
}

void conf_suggest(
	struct conf_report *report, int line, const struct conf_section *section, const char *name)
{
	const char *nearest = nearest_name(section, name);
	const struct conf_section *other = other_section(name);
	const char *dot = section->name[0] != '\0' ? "." : "";
	char hint[128] = "see failfast-milter.conf(5)";

	if (section != &conf_sections[CONF_SECTION_ROOT] && conf_section_find(name) != NULL)
		(void)snprintf(hint, sizeof hint, "is a \"}\" missing before it?");
	else if (other != NULL && other->name[0] != '\0')
		(void)snprintf(hint, sizeof hint, "expected inside a %s section", other->name);
	else if (other != NULL)
		(void)snprintf(hint, sizeof hint, "expected outside of any section");
	else if (nearest != NULL)
		(void)snprintf(hint, sizeof hint, "did you mean \"%s\"?", nearest);
	conf_report_add(report, line, "%s%s%s: unknown option or section; %s", section->name, dot,
		name, hint);
}
