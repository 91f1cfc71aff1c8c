/*
 * fuzz_dns_reply - whatever a name server sends: nothing is read behind its end, and an alias is a text that fits
 */
#include "probe/dns_reply.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns_reply reply;

	if (size > 65535)
		return 0;
	(void)dns_reply_read(data, size, &reply);
	if (memchr(reply.alias, '\0', sizeof reply.alias) == NULL)
		__builtin_trap();
	return 0;
}
