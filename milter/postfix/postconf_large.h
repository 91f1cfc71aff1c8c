/*
 * postconf_large - a master.cf with very many services
 */
#ifndef FF_POSTCONF_LARGE_H
#define FF_POSTCONF_LARGE_H

#include "postfix/postconf.h"

#include <stdbool.h>

/* postconf_is_large - has master.cf more services than postconf(1) deals with in a moment? */
bool postconf_is_large(const char *directory);

/* postconf_read_large - fill in main, services and parameters; false when that fails: then postconf(1) can say what is
 * wrong with the whole.  Blocks, see postconf_read(). */
bool postconf_read_large(struct postconf *out);

#endif
