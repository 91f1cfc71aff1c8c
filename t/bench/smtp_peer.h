/*
 * smtp_peer - a server in a process of its own that answers at once, for benchmarks
 *
 * It greets, says what it can, and closes after QUIT as smtpd(8) does.
 */
#ifndef FF_BENCH_SMTP_PEER_H
#define FF_BENCH_SMTP_PEER_H

#include <stdint.h>
#include <sys/types.h>

struct smtp_peer {
	pid_t pid;
	uint16_t port;                  /* at every address of this host, host byte order */
	const _Atomic uint64_t *served; /* connections that came to QUIT */
};

/* smtp_peer_start - ends the process when it cannot */
void smtp_peer_start(struct smtp_peer *peer);

/* smtp_peer_stop - and wait for its end */
void smtp_peer_stop(struct smtp_peer *peer);

#endif
