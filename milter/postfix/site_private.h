/*
 * site_private - what the files of the site module share
 */
#ifndef FF_SITE_PRIVATE_H
#define FF_SITE_PRIVATE_H

#include "postfix/site.h"

#include <stdatomic.h>

struct site {
	atomic_uint references;
	struct conf *conf;
	struct instance **instances;
	size_t instance_count;
	char host_name[HOP_HOST_BYTES]; /* of this machine, for EHLO when nothing better is known */
};

/* site_transport - the first instance that has the transport; NULL: none has */
const struct service *site_transport(const struct site *site, const char *transport,
	const struct instance **instance);

/* PROXY_TRANSPORT - stands for smtpd(8) as the client of a before-queue filter */
#define PROXY_TRANSPORT "smtpd_proxy_filter"

#endif
