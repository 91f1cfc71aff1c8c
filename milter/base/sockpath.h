/*
 * sockpath - UNIX sockets in the file system: their directory, owner, mode, and what a crash left
 */
#ifndef FF_SOCKPATH_H
#define FF_SOCKPATH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Who may use a socket.  (uid_t)-1 and (gid_t)-1: leave as it is. */
struct sockpath_access {
	uid_t uid; /* of the socket */
	gid_t gid; /* of the socket and of the directory */
	mode_t mode;	       /* of the socket */
	uid_t directory_uid;   /* of its directory, when that has to be made: may remove the socket */
	mode_t directory_mode; /* likewise */
};

enum { SOCKPATH_ERROR_BYTES = 256 };

/* sockpath_prepare - make the directory if it is missing and remove a socket that nobody serves.
 * false with a line in error: somebody serves it, something else is there, or no permission. */
bool sockpath_prepare(const char *path, const struct sockpath_access *access,
	char error[SOCKPATH_ERROR_BYTES]);

/* sockpath_umask - the umask under which bind(2) gives the socket its mode */
mode_t sockpath_umask(const struct sockpath_access *access);

/* sockpath_grant - give a bound socket its owner; false with a line in error.  The directory may belong to somebody
 * else than root: what is put in the socket's place is left alone. */
bool sockpath_grant(const char *path, const struct sockpath_access *access,
	char error[SOCKPATH_ERROR_BYTES]);

/* sockpath_listen - all of it: a listening, non-blocking, close-on-exec descriptor, -1 with a line in
 * error */
int sockpath_listen(const char *path, const struct sockpath_access *access,
	char error[SOCKPATH_ERROR_BYTES]);

/* sockpath_connect - a blocking, close-on-exec descriptor, -1 with errno set */
int sockpath_connect(const char *path);

#endif
