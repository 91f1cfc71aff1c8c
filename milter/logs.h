/*
 * logs - Postfix's log for an engine that may not open it
 *
 * The engine asks for the log of an instance, the keeper opens it and passes the descriptor.  What is in it is read by
 * the engine alone.
 */
#ifndef FF_LOGS_H
#define FF_LOGS_H

#include "base/channel.h"
#include "postfix/maillog_file.h"
#include "reload.h"

#include <stdbool.h>

/*
 * The keeper's side
 */

/* logs_answer - answer a CHANNEL_LOG message, which may hold anything, with the log that these sources name; false when
 * the channel is gone */
bool logs_answer(const struct sources *sources, int channel, const struct channel_message *message);

/*
 * The engine's side
 */

/* logs_opener - ask through this channel; there is one */
const struct maillog_opener *logs_opener(int channel);

/* logs_answered - what a CHANNEL_LOG_OPENED message says, its descriptor included, which is *opened's then; NULL when it
 * is damaged, else the directory that was asked for, in the message */
const char *logs_answered(struct channel_message *message, struct maillog_opened *opened);

#endif
