/*
 * postconf_tables - the hops that look-up tables name, as postmap(1) lists them
 */
#ifndef FF_POSTCONF_TABLES_H
#define FF_POSTCONF_TABLES_H

#include "postfix/postconf.h"

/* postconf_read_tables - fill in hops and files; the texts of postconf(1) must be there.  Blocks as postconf_read(). */
void postconf_read_tables(struct postconf *postconf);

/* postconf_list_table - what `postmap -s` prints of a table ("hash:/etc/postfix/transport"); NULL with *error set to a
 * line.  The caller frees either.  Blocks as postconf_read(). */
char *postconf_list_table(const char *directory, const char *table, char **error);

#endif
