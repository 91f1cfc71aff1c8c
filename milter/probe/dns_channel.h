/*
 * dns_channel - a channel of c-ares with its sockets and timer in libevent; for dns.c alone
 *
 * dns_new() and dns_free() of probe/dns.h are here.  Threads: the event thread.
 */
#ifndef FF_DNS_CHANNEL_H
#define FF_DNS_CHANNEL_H

#include <ares.h>
#include <event2/event.h>
#include <stdbool.h>

struct dns;
struct dns_cache;
struct dns_channel;

/* dns_channel_acquire - the channel for a new lookup, which keeps it until dns_channel_release() */
struct dns_channel *dns_channel_acquire(struct dns *dns);

/* dns_channel_release - may be called from within a callback of c-ares */
void dns_channel_release(struct dns_channel *channel);

/* dns_channel_ares - to make queries with; call dns_channel_settle() after them */
ares_channel dns_channel_ares(const struct dns_channel *channel);

/* dns_channel_settle - ask c-ares when it wants to be called again, and see to it */
void dns_channel_settle(struct dns_channel *channel);

/* dns_channel_timer - a new timer on the event_base of the channel, or NULL */
struct event *dns_channel_timer(
	const struct dns_channel *channel, event_callback_fn call, void *arg);

/* dns_channel_cache - of all channels */
struct dns_cache *dns_channel_cache(const struct dns_channel *channel);

/* dns_channel_own_failures - how often we could not have a socket or memory, since ever */
unsigned dns_channel_own_failures(const struct dns_channel *channel);

/* dns_channel_is_configured - false without resolv.conf(5): c-ares then asks 127.0.0.1 */
bool dns_channel_is_configured(const struct dns_channel *channel);

#endif
