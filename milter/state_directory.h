/*
 * state_directory - where the state file lies
 */
#ifndef FF_STATE_DIRECTORY_H
#define FF_STATE_DIRECTORY_H

#include "conf/conf.h"
#include "privilege.h"

/* state_directory_make - the directory of conf->state, for the engine alone, when it is missing; as
 * root, before it becomes somebody else.  What is there already stays as it is.  A failure is no
 * reason not to start. */
void state_directory_make(const struct conf *conf, const struct privilege *privilege);

#endif
