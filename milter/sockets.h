/*
 * sockets - where Postfix and failfastctl(8) reach us
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

/* sockets_open - conf->listen for libmilter, and conf->control: the descriptor; -1 with a message logged */
int sockets_open(const struct conf *conf, const struct privilege *privilege);

/* sockets_remove - from the file system, where we may */
void sockets_remove(const struct conf *conf);

#endif
