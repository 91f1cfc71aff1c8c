/*
 * descriptor - descriptors of probes, which leave enough for mail
 *
 * The kernel gives out the lowest free number, so a high number says that all below are in use.
 */
#include "base/descriptor.h"

#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

enum { RESERVE_MAX = 1024 }; /* as many as libmilter's queue of connections is long */

int descriptor_for_probe(int fd)
{
	struct rlimit limit;
	rlim_t reserve;

	if (fd < 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return fd;
	reserve = limit.rlim_cur / 2 < RESERVE_MAX ? limit.rlim_cur / 2 : RESERVE_MAX;
	if ((rlim_t)fd < limit.rlim_cur - reserve)
		return fd;
	(void)close(fd);
	errno = EMFILE;
	return -1;
}
