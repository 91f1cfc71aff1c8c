/*
 * run - run a program and take what it prints, bounded in time and size
 */
#ifndef FF_RUN_H
#define FF_RUN_H

#include <stdbool.h>
#include <stddef.h>

/* run_capture - argv[0] is looked up in the system's usual directories, the environment is minimal.
 * Returns what it wrote to standard output (the caller frees it), or NULL with *error set to a line
 * that says what failed, the program's own words included (the caller frees it).  Blocks for at most
 * timeout_ms, then the program is killed.  Call it where blocking is fine: from the keeper. */
char *run_capture(const char *const argv[], int timeout_ms, char **error);

enum run_answer {
	RUN_FOUND,   /* out is what it wrote, without the last newline */
	RUN_NOTHING, /* it ended with status 1 and no word: there is no such key */
	RUN_FAILED,  /* *error says why */
};

/* run_query - the same for a program like `postmap -q` whose answer may be a secret: it is nowhere but in out, which is
 * the caller's to wipe.  *error (the caller frees it, NULL unless it failed) is the program's own words where it has
 * some. */
enum run_answer run_query(
	const char *const argv[], int timeout_ms, char *out, size_t out_bytes, char **error);

#endif
