/*
 * keyring - how the engine gets the user name and password for a server
 *
 * smtp_sasl_password_maps is for Postfix's eyes, so somebody else looks it up.  An interface: the engine gives the
 * real one, tests give their own.
 *
 * Threads: event thread.
 */
#ifndef FF_KEYRING_H
#define FF_KEYRING_H

#include <stdint.h>

enum {
	CREDENTIAL_USER_BYTES = 512, /* with the final NUL; longer ones are an error */
	CREDENTIAL_PASSWORD_BYTES = 512,
	KEYRING_WHY_BYTES = 256,
};

/* Whoever holds one wipes it: base/secret.h. */
struct credentials {
	char user[CREDENTIAL_USER_BYTES];
	char password[CREDENTIAL_PASSWORD_BYTES];
};

enum keyring_status {
	KEYRING_FOUND,
	KEYRING_NONE,  /* the tables have nothing for this server: Postfix does not authenticate there */
	KEYRING_ERROR, /* they could not be looked up */
};

/* What came of it, for the time of the call. */
struct keyring_answer {
	enum keyring_status status;
	const struct credentials *credentials; /* KEYRING_FOUND */
	const char *why;		       /* KEYRING_ERROR: what is wrong, and what would help */
};

typedef void keyring_done_fn(void *arg, const struct keyring_answer *answer);

struct keyring {
	/* Ask for what smtp(8) would take at that host (its name as smtp(8) knows it) for the hop, or the nexthop of that
	 * number of all that it may be sent to; done comes later from the event loop, exactly once unless cancelled.
	 * Returns a handle, 0 when out of memory or a name is too long. */
	uint32_t (*ask)(void *keyring_arg, const char *hop, unsigned number, const char *host,
		keyring_done_fn *done, void *arg);
	/* No callback any more; what arrives is wiped. */
	void (*cancel)(void *keyring_arg, uint32_t handle);
	void *keyring_arg;
};

#endif
