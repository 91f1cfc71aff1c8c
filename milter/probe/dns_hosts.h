/*
 * dns_hosts - addresses of a name in hosts(5)
 *
 * Threads: any.
 */
#ifndef FF_DNS_HOSTS_H
#define FF_DNS_HOSTS_H

#include "probe/connect.h"

#include <stddef.h>

/* dns_hosts_find - up to max addresses of host, of both families, in the order of /etc/hosts; returns how many.
 * port in host byte order. */
size_t dns_hosts_find(const char *host, uint16_t port, struct net_address *addresses, size_t max);

#endif
