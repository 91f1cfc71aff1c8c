/*
 * tables - the transports and nexthops that Postfix's look-up tables name
 *
 * Which tables a parameter refers to, whether they can be listed by `postmap -s`, and what their values
 * mean.  Pure; any thread.
 */
#ifndef FF_TABLES_H
#define FF_TABLES_H

#include "postfix/word.h"

#include <stdbool.h>
#include <stddef.h>

/* What the right-hand side of a table is. */
enum table_kind {
	TABLE_TRANSPORT, /* transport(5): "transport:nexthop", either part may be empty */
	TABLE_DEFAULT_TRANSPORT, /* sender_dependent_default_transport_maps: the same, but a word without a
				    colon is a transport */
	TABLE_RELAYHOST, /* sender_dependent_relayhost_maps: a nexthop */
};

struct table_parameter {
	const char *name; /* of main.cf */
	enum table_kind kind;
	bool uses_relayhost; /* it is about off-host mail: a transport without a nexthop takes that to relayhost */
};

/* tables_parameters - the parameters whose tables name hops; ends with name NULL */
const struct table_parameter *tables_parameters(void);

/* One "type:name" of a parameter's value. */
struct table_reference {
	char *text;	 /* as postmap(1) takes it, proxy: taken off */
	char *path;	 /* the file whose change means that the table changed, NULL: none */
	bool is_listable; /* postmap -s can list it */
	bool is_proxied;  /* proxymap(8) opens it, as mail_owner */
};

/* tables_references - split a value: commas, white space, {braces}, inline:{...}, pcre and regexp, SQL, LDAP,
 * socketmap, unionmap:{...} and pipemap:{...} (their members count).  Returns an array of *count that
 * tables_free() frees. */
struct table_reference *tables_references(const char *value, size_t *count);
void tables_free(struct table_reference *references, size_t count);

/* The key as it stands in the listing; the transport, "" where the value leaves it to Postfix; the nexthop, "" where
 * it is not fixed.  All of them for the time of the call only. */
typedef void table_value_fn(
	void *arg, const struct word *key, const char *transport, const char *nexthop);

/* tables_each_value - go through what `postmap -s` printed (KEY TAB VALUE lines); values like "error:...", "DUNNO"
 * and what is no hop are left out */
void tables_each_value(const char *listing, enum table_kind kind, table_value_fn *fn, void *arg);

/* tables_each_hop - the same without keys, and each pair once */
void tables_each_hop(const char *listing, enum table_kind kind,
	void (*fn)(void *arg, const char *transport, const char *nexthop), void *arg);

#endif
