/*
 * secret - memory that held a password
 */
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

void secret_wipe(void *memory, size_t bytes)
{
	explicit_bzero(memory, bytes);
}

void secret_free(void *memory, size_t bytes)
{
	if (memory == NULL)
		return;
	explicit_bzero(memory, bytes);
	free(memory);
}

void secret_guard(void)
{
	const struct rlimit none = {0, 0};

	(void)setrlimit(RLIMIT_CORE, &none);
#ifndef __SANITIZE_ADDRESS__ /* LeakSanitizer looks at its own process as a debugger does */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}
