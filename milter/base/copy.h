/*
 * copy - strings in buffers of a fixed size
 *
 * For what is done for each message: formatting costs ten times as much as copying.  Pure; any thread.
 */
#ifndef FF_COPY_H
#define FF_COPY_H

#include <stddef.h>

/* copy_text - as much of it as there is room for, always with a final NUL; NULL is "" */
void copy_text(char *out, size_t out_bytes, const char *text);

#endif
