/*
 * hook_runner - the process that runs on_change, and how it is spoken to
 *
 * It has two lines (base/channel.h).  On one, the orders, the keeper says which program it is:
 * CHANNEL_HOOK_PROGRAM with a path, "" for none; when that line is closed, it ends.  On the other
 * the engine sends CHANNEL_HOOK_RUN, a number and the values of the variables, and gets
 * CHANNEL_HOOK_DONE with a struct hook_result.  So an engine that has been taken over by somebody
 * can have no other program run than the configured one.
 */
#ifndef FF_HOOK_RUNNER_H
#define FF_HOOK_RUNNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What its process is called in /proc/PID/comm. */
#define HOOK_RUNNER_NAME "failfast-hooks"

/* The values of a request, each with a NUL behind it, in the order of the names below. */
enum hook_variable {
	HOOK_HOP,
	HOOK_ROLE,
	HOOK_FROM,
	HOOK_TO,
	HOOK_REASON,
	HOOK_DETAIL,
	HOOK_SINCE,
	HOOK_HOST,
	HOOK_VARIABLES
};

/* hook_variable_names - "FAILFAST_HOP" and so on */
extern const char *const hook_variable_names[HOOK_VARIABLES];

enum hook_end {
	HOOK_ENDED,       /* number: its exit status */
	HOOK_KILLED,      /* number: the signal that ended it, which was not ours */
	HOOK_TIMED_OUT,   /* it was ended after its time */
	HOOK_NOT_STARTED, /* number: errno */
	HOOK_NO_PROGRAM,  /* none is configured any more */
};

enum { HOOK_WORDS_BYTES = 256 };

struct hook_result {
	uint32_t number_of_request;
	int32_t end; /* enum hook_end */
	int32_t number;
	char words[HOOK_WORDS_BYTES]; /* the first line of its standard error */
};

struct hook_limits {
	int64_t run_ms;   /* then its process group gets TERM */
	int64_t grace_ms; /* and KILL so long after that */
};

extern const struct hook_limits hook_limits_default;

/* hook_runner_run - the life of that process, which must have one thread and SIGCHLD blocked;
 * returns when orders is closed and no program of it runs any more */
void hook_runner_run(int orders, int requests, const struct hook_limits *limits);

#endif
