/*
 * text - strings in buffers of a fixed size
 *
 * For what is done for each message: formatting costs ten times as much as copying.  Pure; any thread.
 */
#ifndef FF_TEXT_H
#define FF_TEXT_H

#include <stddef.h>

/* text_copy - as much of it as there is room for, always with a final NUL; NULL is "" */
void text_copy(char *out, size_t out_bytes, const char *text);

#endif
