/*
 * vault - credentials for an engine that may not read smtp_sasl_password_maps
 *
 * The engine asks for a hop, the keeper looks up what smtp(8) would.  An engine that is not what it should be gets at
 * no more than it needs for its work: the hop must be one whose hop section says depth = "auth", of a transport with
 * smtp_sasl_auth_enable; the tables and keys are those of the configuration and of the hop, never the asker's.
 */
#ifndef FF_VAULT_H
#define FF_VAULT_H

#include "base/channel.h"
#include "postfix/keyring.h"
#include "reload.h"

#include <stdbool.h>
#include <stdint.h>

enum { VAULT_OUTSTANDING = 16 };

/*
 * The keeper's side
 */
struct vault;

/* vault_new - gives nothing yet */
struct vault *vault_new(void);
void vault_free(struct vault *vault);

/* vault_learn - from now on what these sources say counts */
void vault_learn(struct vault *vault, const struct sources *sources);

/* vault_answer - answer a CHANNEL_ASK message, which may hold anything; false when the channel is gone.  Runs
 * postmap(1) and blocks for as long as that takes, some milliseconds mostly. */
bool vault_answer(const struct vault *vault, int channel, const struct channel_message *message);

/* vault_each_file - call fn for each file of a table whose change may mean other credentials */
void vault_each_file(const struct sources *sources, void (*fn)(void *arg, const char *path), void *arg);

/*
 * The engine's side
 */

/* secrets_new - ask through this channel; NULL: out of memory */
struct keyring *secrets_new(int channel);

/* secrets_told - take a CHANNEL_TOLD message, and wipe it */
void secrets_told(struct keyring *keyring, struct channel_message *message);

#endif
