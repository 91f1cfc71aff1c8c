/*
 * broker - connections to private/ sockets for an engine that may not go there
 *
 * The engine asks by name, the keeper connects and passes the descriptor.  Only services of master.cf that are
 * delivery agents, or trivial-rewrite(8), are connected to: others log complaints, or worse.
 */
#ifndef FF_BROKER_H
#define FF_BROKER_H

#include "base/channel.h"
#include "postfix/opener.h"
#include "reload.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

enum { BROKER_NAME_BYTES = 128, BROKER_DIRECTORY_BYTES = 1024, BROKER_OUTSTANDING = 64 };

/*
 * The keeper's side
 */
struct broker;

/* broker_new - knows no place yet */
struct broker *broker_new(void);
void broker_free(struct broker *broker);

/* broker_learn - what these sources name may be connected to from now on.  Places are never forgotten: master(8)
 * goes on with the old services until it is reloaded. */
void broker_learn(struct broker *broker, const struct sources *sources);

/* broker_answer - answer a CHANNEL_OPEN message, which may hold anything; false when the channel is gone */
bool broker_answer(const struct broker *broker, int channel, const struct channel_message *message);

/*
 * The engine's side
 */

/* requests_new - ask through this channel; NULL: out of memory */
struct opener *requests_new(int channel);

/* requests_answered - take a CHANNEL_OPENED message and its descriptor */
void requests_answered(struct opener *opener, struct channel_message *message);

#endif
