/*
 * deep - what the servers of a hop are probed for behind hello, from one probe to the next
 *
 * Each server has its own times at which it is asked for TLS, authentication and a recipient, and what the last deep look
 * at it found is laid over the results of the shallower ones in between: so a server that smtp(8) could not use does not
 * work for a probe either, which then goes on to the next one.
 *
 * Threads: the event thread.
 */
#ifndef FF_DEEP_H
#define FF_DEEP_H

#include "probe/depth.h"
#include "probe/smtp_dialogue.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	DEEP_PRINT_BYTES = 32, /* of credentials: tells them apart, and tells nobody what they are */
	/* What a state file keeps of a print: enough to know credentials again, since of 65,536 others one looks the
	 * same, and too little to try passwords on. */
	DEEP_SHORT_PRINT_BYTES = 2,
	DEEP_SERVERS = 64, /* then the one that was not met for the longest time is forgotten */
};

struct deep_server {
	struct deep_server *prev, *next;
	uint64_t server; /* its number, which is the same from one engine to the next */
	struct depth_state state;
	uint64_t tls_hash;    /* of what was asked of it */
	bool is_rechecking;   /* rejected credentials may be others now */
	bool has_short_print; /* only DEEP_SHORT_PRINT_BYTES of it are known: */
	unsigned char rejected[DEEP_PRINT_BYTES];
};

/* Of one hop.  All zero at first. */
struct deep {
	struct deep_server *servers; /* the one that was met last comes first */
	unsigned count;
	int64_t down_interval_ms; /* the caller's to set */
};

/* What the configuration asks of a server. */
struct deep_wish {
	enum conf_depth depth;	       /* of a probe that goes as far as is wanted */
	enum conf_depth shallow_depth; /* of those in between */
	const struct tls_plan *tls;
	bool uses_auth;
	const char *recipient; /* "": none */
	bool is_extra;	       /* mail goes to another one: no recipient is asked for now */
};

/* What a server is asked this time. */
struct deep_task {
	enum conf_depth depth;
	bool has_auth, has_recipient;
};

/* deep_task - server: a number of its own */
void deep_task(struct deep *deep, uint64_t server, const struct deep_wish *wish, int64_t now_ms,
	struct deep_task *task);

/* deep_is_rejected - did a server say 535 to these credentials, and nothing better since? */
bool deep_is_rejected(const struct deep *deep, const unsigned char print[DEEP_PRINT_BYTES]);

/* deep_take - keep what a dialogue found, and put into the result what is known from before and is worse.  print: of the
 * credentials at hand, NULL: there were none.  is_spared: they were not sent, for they are rejected. */
void deep_take(struct deep *deep, uint64_t server, const unsigned char *print, bool is_spared,
	struct smtp_dialogue_result *result, int64_t now_ms);

/* deep_doubt - mail does not get through, whatever probes say: TLS, which it may be due to, is looked at with the next
 * one */
void deep_doubt(struct deep *deep);

/* deep_recheck - configuration changed; true when a probe should look at once.  The same credentials are not sent
 * again. */
bool deep_recheck(struct deep *deep);

/* deep_forget - the operator asks: the next probe goes all the way, whatever was rejected before.  Frees what it owns. */
void deep_forget(struct deep *deep);

/* deep_latches - how many servers have rejected credentials, which are not sent to them again */
unsigned deep_latches(const struct deep *deep);

/* deep_copy - for somebody else to keep; false when out of memory, and then there is nothing to be freed */
bool deep_copy(struct deep *to, const struct deep *from);

/* deep_add - one more server, behind the others and all zero but for its number; NULL: out of memory */
struct deep_server *deep_add(struct deep *deep, uint64_t server);

/* deep_is_blank - there is nothing to be kept */
bool deep_is_blank(const struct deep *deep);

#endif
