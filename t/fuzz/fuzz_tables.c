/*
 * fuzz_tables - values of main.cf and listings of tables: whatever they are, what comes out is
 * clean
 *
 * The first line is a parameter's value, the rest a listing.
 */
#include "postfix/tables.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct given {
	enum table_kind kind;
	size_t count;
};

static void check_hop(void *arg, const char *transport, const char *nexthop)
{
	struct given *given = arg;

	given->count++;
	if (*transport == '\0' && *nexthop == '\0')
		__builtin_trap();
	if (given->kind == TABLE_RELAYHOST && *transport != '\0')
		__builtin_trap();
	if (given->kind == TABLE_DEFAULT_TRANSPORT && *transport == '\0')
		__builtin_trap();
	if (strchr(transport, ':') != NULL || strcmp(transport, "error") == 0)
		__builtin_trap();
	if (strpbrk(transport, "\t\r\n") != NULL || strpbrk(nexthop, "\t\r\n") != NULL)
		__builtin_trap();
}

/* check_listing - never more hops than lines; a second copy adds none */
static void check_listing(const char *listing, enum table_kind kind)
{
	struct given once = {kind, 0}, twice = {kind, 0};
	size_t length = strlen(listing), lines = 1;
	char *copy = malloc(2 * length + 2);

	if (copy == NULL)
		return;
	for (const char *at = listing; *at != '\0'; at++)
		lines += *at == '\n';
	tables_each_hop(listing, kind, check_hop, &once);
	memcpy(copy, listing, length);
	copy[length] = '\n';
	memcpy(copy + length + 1, listing, length + 1);
	tables_each_hop(copy, kind, check_hop, &twice);
	free(copy);
	if (once.count > lines || twice.count != once.count)
		__builtin_trap();
}

static void check_value(const char *value)
{
	size_t count;
	struct table_reference *references = tables_references(value, &count);

	if ((references == NULL) != (count == 0))
		__builtin_trap();
	for (size_t i = 0; i < count; i++) {
		const char *text = references[i].text, *path = references[i].path;

		if (*text == '\0' || (strncmp(text, "proxy:", 6) == 0 && text[6] != '\0'))
			__builtin_trap();
		if (path != NULL && *path != '/')
			__builtin_trap();
		if (references[i].is_listable && path == NULL && strncmp(text, "inline:{", 8) != 0)
			__builtin_trap();
	}
	tables_free(references, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *listing;

	if (text == NULL)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	listing = text + strcspn(text, "\n");
	if (*listing == '\n')
		*listing++ = '\0';
	check_value(text);
	for (enum table_kind kind = TABLE_TRANSPORT; kind <= TABLE_RELAYHOST; kind++)
		check_listing(listing, kind);
	free(text);
	return 0;
}
