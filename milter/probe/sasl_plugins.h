/*
 * sasl_plugins - which mechanisms Cyrus SASL has on this host, and so smtp(8)
 */
#ifndef FF_SASL_PLUGINS_H
#define FF_SASL_PLUGINS_H

#include <stdbool.h>

/* sasl_plugins_has - is there a plugin for that mechanism?  true where no plugin at all is found: they are elsewhere
 * then.  Looks into a few directories; any thread. */
bool sasl_plugins_has(const char *mechanism);

#endif
