/*
 * watch - notice that main.cf or master.cf changed
 */
#ifndef FF_WATCH_H
#define FF_WATCH_H

#include "reload.h"

#include <stdbool.h>

struct watch;

/* watch_new - NULL with errno set */
struct watch *watch_new(void);
void watch_free(struct watch *watch);

/* watch_update - watch the directories of every Postfix instance, and no others any more */
void watch_update(struct watch *watch, const struct sources *sources);

/* watch_fd - readable when something happened */
int watch_fd(const struct watch *watch);

/* watch_poll - did a file of a look-up table change since the last call?  postmap(1) writes them in place, in
 * folders that may hold anything, so they are looked at now and then: see WATCH_POLL_MS. */
bool watch_poll(struct watch *watch);

enum { WATCH_POLL_MS = 2000 };

/* watch_take - take what happened; true when it was one of the files */
bool watch_take(struct watch *watch);

#endif
