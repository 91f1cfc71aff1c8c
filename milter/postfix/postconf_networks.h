/*
 * postconf_networks - what files and tables in mynetworks hold
 */
#ifndef FF_POSTCONF_NETWORKS_H
#define FF_POSTCONF_NETWORKS_H

#include "postfix/postconf.h"

/* postconf_read_networks - fill in networks, add to files; the texts of postconf(1) must be there.  Blocks as
 * postconf_read(). */
void postconf_read_networks(struct postconf *postconf);

/* postconf_remember - a file whose change means that something was read that is not so any more */
void postconf_remember(struct postconf *postconf, const char *path);

#endif
