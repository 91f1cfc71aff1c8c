/*
 * fuzz_state - any bytes as a state file: nothing is believed that we would not have written
 */
#include "ops/state_format.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define WALL_MS INT64_C(1764300000123)

enum { NOW_MS = 7200000 };

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static void look_at_hop(const struct state_hop *entry)
{
	const struct hop_memory *hop = &entry->hop;

	demand(state_is_name(hop->name));
	demand(hop->result_ms <= NOW_MS && hop->used_ms <= NOW_MS && hop->state < STATE_COUNT);
	demand(hop->detail == NULL || strlen(hop->detail) < HOP_DETAIL_BYTES);
	for (int i = 0; i < CHECK_COUNT; i++) {
		demand(hop->check[i].state <= STATE_DOWN && hop->check[i].reason < REASON_COUNT);
		demand(hop->check[i].result_ms <= NOW_MS && hop->check[i].turned_ms <= NOW_MS);
		demand(hop->check[i].state != STATE_DOWN || hop->check[i].result_ms != 0);
	}
}

static void look_at_override(const struct state_override *entry)
{
	const struct override *override = &entry->override;

	demand(state_is_name(entry->name) && override_is_clean(override->comment));
	demand(override->since <= WALL_MS / 1000);
	demand(override->until == 0 || override->until > WALL_MS / 1000);
}

/* again - what was read is written and read as the same */
static void again(const struct state_image *image)
{
	struct state_image second = {.now_ms = NOW_MS, .wall_ms = WALL_MS};
	char *text = NULL, why[STATE_WHY_BYTES];
	size_t bytes;
	int64_t age_ms;
	FILE *out = open_memstream(&text, &bytes);

	demand(out != NULL && state_write(image, out));
	demand(fclose(out) == 0);
	demand(state_read(&second, text, bytes, &age_ms, why) == STATE_GOOD);
	demand(second.hop_count == image->hop_count &&
		second.override_count == image->override_count);
	for (size_t i = 0; i < image->hop_count; i++)
		demand(memcmp(second.hop[i].hop.check, image->hop[i].hop.check,
			       sizeof image->hop[i].hop.check) == 0);
	state_image_free(&second);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct state_image image = {.now_ms = NOW_MS, .wall_ms = WALL_MS};
	char why[STATE_WHY_BYTES];
	enum state_worth worth;
	int64_t age_ms;

	worth = state_read(&image, (const char *)data, size, &age_ms, why);
	demand(worth == STATE_GOOD || image.hop_count == 0);
	demand((worth != STATE_DAMAGED && worth != STATE_FOREIGN) || image.override_count == 0);
	demand(worth != STATE_DAMAGED || *why != '\0');
	for (size_t i = 0; i < image.hop_count; i++)
		look_at_hop(&image.hop[i]);
	for (size_t i = 0; i < image.override_count; i++)
		look_at_override(&image.override[i]);
	if (worth == STATE_GOOD)
		again(&image);
	state_image_free(&image);
	return 0;
}
