/*
 * dns_channel - c-ares on libevent, and a fresh channel when resolv.conf(5) changes
 *
 * A channel of c-ares reads resolv.conf once.  So each lookup looks whether the file has changed,
 * and then uses a new channel; the old one is retired and goes with its last lookup, from its own
 * timer, because c-ares must not be freed from within its callbacks.
 *
 * c-ares calls it "could not contact DNS servers" when it gets no socket.  We make the sockets, so
 * that our want of descriptors is not held against the name.
 */
#include "probe/dns_channel.h"

#include "base/descriptor.h"
#include "base/log.h"
#include "probe/dns.h"
#include "probe/dns_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define RESOLV_CONF "/etc/resolv.conf"

enum {
	TRY_MS = 2000, /* of the first round; c-ares doubles it for each of the next */
	TRIES = 3,
};

/* A socket of c-ares that libevent watches. */
struct watch {
	struct watch *next;
	ares_socket_t fd;
	struct event *event;
};

struct dns_channel {
	struct dns_channel *next;
	struct dns *dns;
	ares_channel ares;
	struct event *timer;
	struct watch *watches;
	unsigned lookups;
	bool is_retired;
};

struct dns {
	struct event_base *base;
	char *servers;
	struct dns_channel *channels; /* the first is in use, the others are retired */
	struct stat conf;             /* of resolv.conf; all zero: there is none */
	unsigned own_failures;        /* sockets that we could not have */
	struct dns_cache *cache;
};

static ares_socket_t own_socket(int family, int type, int protocol, void *arg)
{
	struct dns *dns = arg;
	int fd = descriptor_for_probe(socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));

	/* A family that the kernel does not have is a matter of the server's address. */
	if (fd < 0 && errno != EAFNOSUPPORT) {
		dns->own_failures++;
		log_debug("socket for a name server: %s", strerror(errno));
	}
	return fd;
}

static int own_close(ares_socket_t fd, void *arg)
{
	(void)arg;
	return close(fd);
}

static int own_connect(ares_socket_t fd, const struct sockaddr *to, ares_socklen_t bytes, void *arg)
{
	(void)arg;
	return connect(fd, to, bytes);
}

static ares_ssize_t own_recvfrom(ares_socket_t fd, void *buffer, size_t bytes, int flags,
	struct sockaddr *from, ares_socklen_t *from_bytes, void *arg)
{
	(void)arg;
	return recvfrom(fd, buffer, bytes, flags, from, from_bytes);
}

static ares_ssize_t own_sendv(ares_socket_t fd, const struct iovec *part, int parts, void *arg)
{
	(void)arg;
	return writev(fd, part, parts);
}

static const struct ares_socket_functions own_functions = {
	own_socket, own_close, own_connect, own_recvfrom, own_sendv};

static void channel_free(struct dns_channel *channel)
{
	struct dns_channel **link = &channel->dns->channels;

	while (*link != NULL && *link != channel)
		link = &(*link)->next;
	if (*link == channel)
		*link = channel->next;
	if (channel->ares != NULL)
		ares_destroy(channel->ares);
	if (channel->timer != NULL)
		event_free(channel->timer);
	free(channel);
}

void dns_channel_settle(struct dns_channel *channel)
{
	struct timeval wait;

	if (channel->is_retired && channel->lookups == 0)
		event_active(channel->timer, EV_TIMEOUT, 0);
	else if (ares_timeout(channel->ares, NULL, &wait) != NULL)
		(void)event_add(channel->timer, &wait);
	else
		(void)event_del(channel->timer);
}

static void on_channel_timer(evutil_socket_t fd, short events, void *arg)
{
	struct dns_channel *channel = arg;

	(void)fd;
	(void)events;
	if (channel->is_retired && channel->lookups == 0) {
		channel_free(channel);
		return;
	}
	ares_process_fd(channel->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	dns_channel_settle(channel);
}

static void on_socket(evutil_socket_t fd, short events, void *arg)
{
	struct dns_channel *channel = arg;

	ares_process_fd(channel->ares, (events & EV_READ) != 0 ? fd : ARES_SOCKET_BAD,
		(events & EV_WRITE) != 0 ? fd : ARES_SOCKET_BAD);
	dns_channel_settle(channel);
}

static void unwatch(struct watch **link)
{
	struct watch *watch = *link;

	*link = watch->next;
	event_free(watch->event);
	free(watch);
}

/* on_socket_state - c-ares wants a socket watched, or no longer */
static void on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct dns_channel *channel = arg;
	struct watch **link = &channel->watches, *watch;
	int events = EV_PERSIST | (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0);

	while (*link != NULL && (*link)->fd != fd)
		link = &(*link)->next;
	if (*link != NULL)
		unwatch(link);
	if (!readable && !writable)
		return;
	watch = calloc(1, sizeof *watch);
	if (watch == NULL) {
		channel->dns->own_failures++;
		return;
	}
	watch->fd = fd;
	watch->event = event_new(channel->dns->base, fd, (short)events, on_socket, channel);
	if (watch->event == NULL || event_add(watch->event, NULL) != 0) {
		channel->dns->own_failures++;
		if (watch->event != NULL)
			event_free(watch->event);
		free(watch);
		return;
	}
	watch->next = channel->watches;
	channel->watches = watch;
}

static bool channel_init(struct dns_channel *channel)
{
	struct ares_options options = {0};
	const char *servers = channel->dns->servers;

	options.timeout = TRY_MS;
	options.tries = TRIES;
	options.flags = ARES_FLAG_NOSEARCH; /* smtp(8) completes no names either */
	options.sock_state_cb = on_socket_state;
	options.sock_state_cb_data = channel;
	if (ares_init_options(&channel->ares, &options,
		    ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
			    ARES_OPT_SOCK_STATE_CB) != ARES_SUCCESS) {
		channel->ares = NULL;
		return false;
	}
	ares_set_socket_functions(channel->ares, &own_functions, channel->dns);
	return servers == NULL ||
	       ares_set_servers_ports_csv(channel->ares, servers) == ARES_SUCCESS;
}

/* channel_new - becomes the first of dns->channels; false, and nothing changed, when it fails */
static bool channel_new(struct dns *dns)
{
	struct dns_channel *channel = calloc(1, sizeof *channel);

	if (channel == NULL)
		return false;
	channel->dns = dns;
	channel->timer = evtimer_new(dns->base, on_channel_timer, channel);
	if (channel->timer == NULL || !channel_init(channel)) {
		channel_free(channel);
		return false;
	}
	channel->next = dns->channels;
	dns->channels = channel;
	return true;
}

static void stat_conf(struct stat *conf)
{
	if (stat(RESOLV_CONF, conf) != 0)
		memset(conf, 0, sizeof *conf);
}

/* follow_conf - a new channel when resolv.conf is another one than last time */
static void follow_conf(struct dns *dns)
{
	struct dns_channel *old = dns->channels;
	struct stat now;

	stat_conf(&now);
	if (now.st_ino == dns->conf.st_ino && now.st_size == dns->conf.st_size &&
		now.st_mtim.tv_sec == dns->conf.st_mtim.tv_sec &&
		now.st_mtim.tv_nsec == dns->conf.st_mtim.tv_nsec)
		return;
	if (!channel_new(dns))
		return;
	log_debug("%s has changed", RESOLV_CONF);
	dns_cache_expire(dns->cache);
	dns->conf = now;
	old->is_retired = true;
	dns_channel_settle(old);
}

struct dns *dns_new(struct event_base *base, const char *servers)
{
	struct dns *dns = calloc(1, sizeof *dns);

	if (dns == NULL)
		return NULL;
	dns->base = base;
	stat_conf(&dns->conf);
	if (servers != NULL)
		dns->servers = strdup(servers);
	dns->cache = dns_cache_new();
	if (dns->cache == NULL || (servers != NULL && dns->servers == NULL) || !channel_new(dns)) {
		dns_cache_free(dns->cache);
		free(dns->servers);
		free(dns);
		errno = ENOMEM;
		return NULL;
	}
	return dns;
}

void dns_free(struct dns *dns)
{
	while (dns->channels != NULL)
		channel_free(dns->channels);
	dns_cache_free(dns->cache);
	free(dns->servers);
	free(dns);
}

struct dns_channel *dns_channel_acquire(struct dns *dns)
{
	follow_conf(dns);
	dns->channels->lookups++;
	return dns->channels;
}

void dns_channel_release(struct dns_channel *channel)
{
	channel->lookups--;
	if (channel->is_retired && channel->lookups == 0)
		event_active(channel->timer, EV_TIMEOUT, 0);
}

ares_channel dns_channel_ares(const struct dns_channel *channel)
{
	return channel->ares;
}

struct dns_cache *dns_channel_cache(const struct dns_channel *channel)
{
	return channel->dns->cache;
}

unsigned dns_channel_own_failures(const struct dns_channel *channel)
{
	return channel->dns->own_failures;
}

bool dns_channel_is_configured(const struct dns_channel *channel)
{
	return channel->dns->servers != NULL || channel->dns->conf.st_ino != 0;
}

struct event *dns_channel_timer(
	const struct dns_channel *channel, event_callback_fn call, void *arg)
{
	return evtimer_new(channel->dns->base, call, arg);
}
