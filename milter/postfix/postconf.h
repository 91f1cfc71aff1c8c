/*
 * postconf - Postfix's own configuration, as Postfix itself prints it
 *
 * main.cf and master.cf are never parsed here: postconf(1) knows defaults, $name expansion and
 * multi-line entries.  Reading is done by the keeper; the texts travel to the engine as they are.
 */
#ifndef FF_POSTCONF_H
#define FF_POSTCONF_H

#include <stddef.h>

/* What postconf prints for one configuration directory.  All strings are owned by the struct. */
struct postconf {
	char *directory;
	char *main;	  /* postconf -x: main.cf and all defaults, expanded */
	char *services;	  /* postconf -M: master.cf, a service a line */
	char *parameters; /* postconf -Px: the -o options of master.cf, expanded */
	char *hops;	  /* what look-up tables name, "TRANSPORT TAB NEXTHOP" lines; either may be empty */
	char *policies;	  /* what tables of TLS policies say, see tls_policy.h; may be empty */
	char *error;	  /* NULL, or why the texts are missing: one line */
	char **files;	  /* whose change means that a table changed; they do not travel */
	size_t file_count;
	char *networks; /* what files and tables in mynetworks hold: postconf_networks */
};

/* postconf_read_texts - run postconf(1) alone: no hops, no files */
void postconf_read_texts(struct postconf *out, const char *directory);

/* postconf_read - run postconf(1), and postmap(1) for each table that can be listed; blocks for some milliseconds a
 * run (10 s at the worst).  A table that cannot be read is logged, and its hops are learned from mail. */
void postconf_read(struct postconf *out, const char *directory);

/* postconf_free - free what the struct owns, not the struct */
void postconf_free(struct postconf *postconf);

/* postconf_pack - all of it as one block of NUL-terminated strings; the caller frees it */
char *postconf_pack(const struct postconf *postconf, size_t *out_bytes);

/* postconf_unpack - read one from the front of a block; returns the bytes taken, 0 when malformed */
size_t postconf_unpack(struct postconf *out, const char *block, size_t bytes);

#endif
