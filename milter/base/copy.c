/*
 * copy - strings in buffers of a fixed size
 */
#include "base/copy.h"

#include <string.h>

void copy_text(char *out, size_t out_bytes, const char *text)
{
	if (memccpy(out, text != NULL ? text : "", '\0', out_bytes) == NULL)
		out[out_bytes - 1] = '\0';
}
