/*
 * state_format - the text of a state file
 *
 * A JSON document a line: a head with format, version and time; one for each override; one for each
 * hop; and an end that counts them, so that a part of a file is never taken for the whole.  Times
 * are milliseconds since the epoch.
 *
 * Pure: time is in the image.  Any thread.
 */
#ifndef FF_STATE_FORMAT_H
#define FF_STATE_FORMAT_H

#include "health/table.h"
#include "probe/deep.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* No time in a file lies behind the year 9999, which ends what X.509 can say (RFC 5280, 4.1.2.5). */
#define STATE_TIME_MAX_MS INT64_C(253402300799000)

enum {
	STATE_VERSION = 1,
	STATE_AGE_MS = 600 * 1000, /* what is known of hops is not used when it is older */
	STATE_AHEAD_MS =
		2 *
		1000, /* a clock may be set by so much, a file that is farther ahead is not used */
	STATE_FILE_BYTES = 64 << 20, /* a larger file is none of ours */
	STATE_LINE_BYTES = 1 << 16,
	STATE_COUNT_MAX = 1000, /* nothing is counted any further there */
	STATE_SERVERS_MAX = 16, /* of a hop; those that were met last */
	STATE_HOPS_MAX = 50000, /* more are not kept, those that are up least */
};

/* A hop, and what is known of its servers from behind hello (NULL: nothing). */
struct state_hop {
	struct hop_memory hop;
	struct deep *deep;
};

struct state_override {
	char *name;
	struct override override;
};

/* What an engine hands to the next one; all of it is the image's. */
struct state_image {
	int64_t now_ms;  /* clock_now_ms() that the times in it belong to, and */
	int64_t wall_ms; /* the time of day at that moment */
	unsigned char salt[DEEP_PRINT_BYTES];
	struct state_hop *hop;
	size_t hop_count, hop_room;
	struct state_override *override;
	size_t override_count, override_room;
};

/* state_image_free - what it owns */
void state_image_free(struct state_image *image);

/* state_add_hop, state_add_override - room for one more, all zero, which is counted; NULL: out of
 * memory */
struct state_hop *state_add_hop(struct state_image *image);
struct state_override *state_add_override(struct state_image *image);

/* state_is_name - a name that can stand in a file: without spaces, quotes and control characters,
 * with a colon */
bool state_is_name(const char *name);

/* state_write - false when the stream fails or memory is out.  A hop whose name cannot stand there,
 * or is not UTF-8, is left out. */
bool state_write(const struct state_image *image, FILE *out);

/* What a text is good for. */
enum state_worth {
	STATE_GOOD,
	STATE_OLD,     /* by its time; overrides are read, hops are not */
	STATE_AHEAD,   /* the same */
	STATE_FOREIGN, /* another format or version; nothing is read */
	STATE_DAMAGED, /* the same; why tells where */
};

enum { STATE_WHY_BYTES = 128 };

/*
 * state_read - into an image with now_ms and wall_ms set and the rest all zero, which is the
 * caller's to free whatever comes out.
 *
 * Times become those of now_ms.  What claims to be of the future is of now; an override never lasts
 * longer than it was made for, whatever was done to the clock, and one that has ended is left out.
 * *age_ms: of the text.
 */
enum state_worth state_read(struct state_image *image, const char *text, size_t bytes,
	int64_t *age_ms, char why[STATE_WHY_BYTES]);

#endif
