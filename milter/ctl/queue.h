/*
 * queue - what the parts of failfastctl queue share
 *
 * queue_read gives one message after the other, queue_reason makes reasons alike, queue_hops tells
 * which hop a recipient waits for, queue_groups counts, queue_print shows.
 */
#ifndef FF_CTL_QUEUE_H
#define FF_CTL_QUEUE_H

#include "ctl/ctl.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/*
 * Reading: lines of `postqueue -j` (showq(8)), one message each
 */

enum {
	QUEUE_LINE_BYTES = 4 << 20
}; /* a message with some 30,000 recipients; a longer line is left out */

/* message: an object with recipients, good until the function returns */
typedef void queue_message_fn(void *arg, const json_t *message);

/* queue_read - until the end of the stream; *unreadable is raised for each line that is no message.
 * False with errno set when reading fails. */
bool queue_read(FILE *stream, queue_message_fn *fn, void *arg, uint64_t *unreadable);

/* queue_begin - run postqueue(1) for the instance with that config_directory; NULL with errno set.
 * Its complaints go to standard error. */
FILE *queue_begin(const char *directory, pid_t *pid);

/* queue_end - close the stream and wait; false when the program failed */
bool queue_end(FILE *stream, pid_t pid);

/*
 * Reasons.  Pure.
 */

enum { QUEUE_REASON_BYTES = 200, QUEUE_HOST_BYTES = 256 };

/* The server that a reason names. */
struct queue_server {
	char name[QUEUE_HOST_BYTES];
	char address[QUEUE_HOST_BYTES]; /* or the path of its socket; "": there is none */
	unsigned port;                  /* 0: not told, or a UNIX socket */
};

/* queue_reason_normalize - what is another word in each message becomes ADDRESS, HOST, IP, SERVER,
 * URL, ID or N; one that is cut ends in "..." */
void queue_reason_normalize(char text[QUEUE_REASON_BYTES], const char *reason);

/* queue_reason_server - false when none is named */
bool queue_reason_server(const char *reason, struct queue_server *out);

/* queue_reason_is_reply - a server's words about a message or recipient, not about itself */
bool queue_reason_is_reply(const char *reason);

/*
 * Hops
 */

struct queue_hops;

/* queue_hops_new - ask the daemon for what it knows */
struct queue_hops *queue_hops_new(const struct ctl *ctl);
void queue_hops_free(struct queue_hops *hops);

/* queue_hops_error - why the daemon gave no answer; NULL: it did */
const char *queue_hops_error(const struct queue_hops *hops);

/* A recipient that waits. */
struct queue_recipient {
	const char *directory; /* config_directory of the instance */
	const char *sender, *address;
	const struct queue_server *server; /* that the reason names; NULL: none */
};

/* queue_hops_find - the hop that it waits for, as `failfastctl status` describes it; NULL: that
 * cannot be told.  Good until queue_hops_free(). */
const json_t *queue_hops_find(struct queue_hops *hops, const struct queue_recipient *recipient);

/* queue_hops_choose - of the hops on a route (NULL: not known) the one that a message waits for:
 * that which means the server, else the only one whose servers its name does not tell; without a
 * server the only one, or the only one that is down.  NULL: it cannot be told.  server may be NULL.
 */
const json_t *queue_hops_choose(const json_t *route, const struct queue_server *server);

enum queue_match {
	QUEUE_MATCH_NO,
	QUEUE_MATCH_OPEN, /* it may be: found by MX, or one of a list */
	QUEUE_MATCH_YES,
};

/* queue_hops_match - is this server the one that the hop's name means? */
enum queue_match queue_hops_match(const char *hop, const struct queue_server *server);

/*
 * Groups
 */

/* Sums. */
struct queue_sum {
	uint64_t messages, recipients, bytes;
	time_t oldest; /* 0: none */
	uint64_t last; /* number of the message that was counted last */
};

/* A server that reasons name.  So many are counted; a new one then takes the place of the rarest
 * and inherits its count as possible error, so those that are often named are there ("space
 * saving", Metwally et al. 2005). */
enum { QUEUE_SEEN = 16 };
struct queue_seen {
	char *server; /* "NAME[ADDRESS]:PORT"; NULL: none */
	uint64_t recipients, error;
};

struct queue_group {
	struct queue_sum sum;
	const char *directory;
	const json_t *hop; /* NULL: unknown */
	struct queue_seen seen[QUEUE_SEEN];
	char *reason;   /* alike for all */
	char *example;  /* as the oldest has it */
	char *queue_id; /* of the oldest */
	bool is_reply;
};

enum { QUEUE_GROUPS = 1000 }; /* kept; what comes later and is new is summed up */
enum { QUEUE_NAMES = 6 };

extern const char
	*const queue_names[QUEUE_NAMES]; /* of Postfix's queues; the last one: any other */

struct queue_groups;

struct queue_groups *queue_groups_new(struct queue_hops *hops);
void queue_groups_free(struct queue_groups *groups);

/* queue_groups_add - a message of the instance with that config_directory, which must live as long
 * as the groups; false when it is no message */
bool queue_groups_add(struct queue_groups *groups, const char *directory, const json_t *message);

/* queue_groups_sorted - those with the most messages first; the array is the groups' */
const struct queue_group *const *queue_groups_sorted(struct queue_groups *groups, size_t *count);

enum { QUEUE_SERVERS = 3 };

/* queue_group_servers - those that a tenth of the recipients or more wait for, the most named
 * first; returns how many */
size_t queue_group_servers(const struct queue_group *group, const char *servers[QUEUE_SERVERS]);

/* queue_groups_total -  all that are deferred or active */
const struct queue_sum *queue_groups_total(const struct queue_groups *groups);

/* queue_groups_others - those that had no room, and how many recipients' reasons they were */
const struct queue_sum *queue_groups_others(const struct queue_groups *groups);

/* queue_groups_in - messages in one of Postfix's queues */
uint64_t queue_groups_in(const struct queue_groups *groups, size_t queue);

/*
 * Showing
 */

/* What there is to say beside the groups. */
struct queue_report {
	struct queue_groups *groups;
	const char *error;   /* of the daemon, NULL: it answers */
	uint64_t unreadable; /* lines */
	time_t now;
};

void queue_print(const struct ctl *ctl, const struct queue_report *report);
void queue_print_document(const struct queue_report *report);

#endif
