/*
 * smtp_peer - a server in a process of its own that answers at once, for benchmarks
 *
 * It greets, says what it can, and closes after QUIT as smtpd(8) does.
 */
#ifndef FF_BENCH_SMTP_PEER_H
#define FF_BENCH_SMTP_PEER_H

#include <stdint.h>
#include <sys/types.h>

/* smtp_peer_start - at every address of this host; *port in host byte order.  Ends the process when
 * it cannot. */
pid_t smtp_peer_start(uint16_t *port);

/* smtp_peer_stop - and wait for its end */
void smtp_peer_stop(pid_t pid);

#endif
