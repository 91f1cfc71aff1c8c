/*
 * xmem - memory that is there
 *
 * For what is needed to start or to take over a new configuration: running out there ends the
 * process with a message (the keeper starts the engine anew).  What mail or peers can make us
 * allocate uses malloc() and handles failure, because a milter must not become the outage.
 */
#ifndef FF_XMEM_H
#define FF_XMEM_H

#include <stddef.h>

/* All return memory that the caller frees with free(). */
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *old, size_t size);
char *xstrdup(const char *text);
char *xstrndup(const char *text, size_t length);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
