/*
 * utf8 - characters that may be shown to people
 *
 * Pure; any thread.
 */
#ifndef FF_UTF8_H
#define FF_UTF8_H

#include <stddef.h>

/* utf8_length - bytes of the character beyond ASCII that begins here, which a NUL ends at the latest; 0: it is none
 * (RFC 3629, 4), or a control character (U+0080 to U+009F) */
size_t utf8_length(const char *text);

#endif
