/*
 * secret - memory that held a password
 *
 * What held one is overwritten before it is given back, and a process that may hold one leaves no core file and lets
 * nobody but root look into it.  Any thread.
 */
#ifndef FF_SECRET_H
#define FF_SECRET_H

#include <stddef.h>

/* secret_wipe - overwrite; the compiler does not leave it out */
void secret_wipe(void *memory, size_t bytes);

/* secret_free - overwrite and free; NULL is fine */
void secret_free(void *memory, size_t bytes);

/* secret_guard - no core file of this process from now on, and no debugger but root's */
void secret_guard(void);

#endif
