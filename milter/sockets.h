/*
 * sockets - where Postfix, failfastctl(8) and browsers reach us
 *
 * The keeper opens them as root, before it becomes somebody else, and each engine inherits them: an engine that is
 * started again needs no right to the directories, and who connects meanwhile waits in the queue of the socket.
 *
 * Threads: call before there are any.
 */
#ifndef FF_SOCKETS_H
#define FF_SOCKETS_H

#include "conf/conf.h"
#include "privilege.h"

struct sockets {
	int control; /* conf->control */
	int milter;  /* the UNIX socket of libmilter, without being able to read it (O_PATH), -1: it has none */
	int http;    /* conf->http, -1: none */
};

/* sockets_open - all of them, and conf->listen for libmilter; false with a message logged.  HTTP at its default address
 * is done without when that cannot be had: a second milter, or somebody else's port, must not keep mail from being
 * looked at.  An address that the operator chose must be had. */
bool sockets_open(const struct conf *conf, const struct privilege *privilege, struct sockets *out);

void sockets_close(struct sockets *sockets);

/* sockets_remove - from the file system, where we may */
void sockets_remove(const struct conf *conf);

#endif
