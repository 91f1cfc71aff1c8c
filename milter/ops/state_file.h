/*
 * state_file - a state file in the file system
 *
 * Any thread; both block, on a disk that is slow for as long as it is.
 */
#ifndef FF_STATE_FILE_H
#define FF_STATE_FILE_H

#include "ops/state_format.h"

#include <stdbool.h>
#include <stddef.h>

enum { STATE_ERROR_BYTES = 256 };

/*
 * state_file_save - in place of the file of that name, or not at all: at any moment there is one
 * whole file, the old one or the new one, even when this host crashes.  Mode 0600.  false with a
 * line in error.
 */
bool state_file_save(
	const char *path, const struct state_image *image, char error[STATE_ERROR_BYTES]);

/* state_file_load - the text, which the caller frees; NULL with a line in error when it is not to
 * be used, and with "" when there is none */
char *state_file_load(const char *path, size_t *bytes, char error[STATE_ERROR_BYTES]);

#endif
