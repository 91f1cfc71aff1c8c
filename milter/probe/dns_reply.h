/*
 * dns_reply - what c-ares does not tell about an answer: how long it holds, and where its aliases lead
 *
 * Pure; any thread.  The bytes may come from anybody.
 */
#ifndef FF_DNS_REPLY_H
#define FF_DNS_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DNS_NAME_BYTES = 256 };

struct dns_reply {
	uint32_t ttl_s;		   /* the least of the answer section's */
	char alias[DNS_NAME_BYTES]; /* the last target of a CNAME record, "": none */
};

/* dns_reply_read - false when the bytes are no answer, or have none */
bool dns_reply_read(const unsigned char *bytes, size_t count, struct dns_reply *reply);

#endif
