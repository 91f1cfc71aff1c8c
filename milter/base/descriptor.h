/*
 * descriptor - descriptors of probes, which leave enough for mail
 *
 * When descriptors run out, libmilter cannot accept connections any more and Postfix waits in vain.  So probes do
 * without theirs first: a part of what the process may have open is never given to them.
 *
 * Threads: any.
 */
#ifndef FF_DESCRIPTOR_H
#define FF_DESCRIPTOR_H

/* descriptor_for_probe - takes fd over: returns it, or closes it and returns -1 with errno EMFILE when it is one of
 * those that are kept for mail.  A negative fd is returned as it is, errno untouched. */
int descriptor_for_probe(int fd);

#endif
