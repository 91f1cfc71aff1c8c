/*
 * dns_reply - what c-ares does not tell about an answer: how long it holds, and where its aliases lead
 *
 * Reads RFC 1035 4.1: a header, questions, then records, of which the answers come first.  A time to live with its
 * highest bit set is none (RFC 2181 8).
 */
#include "probe/dns_reply.h"

#include <ares.h>
#include <stdio.h>

enum {
	HEADER_BYTES = 12,
	QUESTION_BYTES = 4, /* behind the name: type, class */
	RECORD_BYTES = 10,  /* behind the name: type, class, time to live, length of what follows */
	TYPE_CNAME = 5,
	POINTER = 0xc0,
};

struct reader {
	const unsigned char *bytes;
	size_t count, at;
};

static unsigned get16(const unsigned char *bytes)
{
	return (unsigned)bytes[0] << 8 | bytes[1];
}

static bool has(const struct reader *reader, size_t bytes)
{
	return reader->count - reader->at >= bytes;
}

static bool skip(struct reader *reader, size_t bytes)
{
	if (!has(reader, bytes))
		return false;
	reader->at += bytes;
	return true;
}

/* skip_name - it ends with an empty label or with a pointer */
static bool skip_name(struct reader *reader)
{
	while (has(reader, 1)) {
		unsigned label = reader->bytes[reader->at];

		if ((label & POINTER) == POINTER)
			return skip(reader, 2);
		if (!skip(reader, 1 + label))
			return false;
		if (label == 0)
			return true;
	}
	return false;
}

static void read_alias(const struct reader *reader, struct dns_reply *reply)
{
	char *name;
	long used;

	if (ares_expand_name(reader->bytes + reader->at, reader->bytes, (int)reader->count, &name,
		    &used) != ARES_SUCCESS)
		return;
	if (snprintf(reply->alias, sizeof reply->alias, "%s", name) >= (int)sizeof reply->alias)
		reply->alias[0] = '\0';
	ares_free_string(name);
}

static bool read_record(struct reader *reader, struct dns_reply *reply)
{
	const unsigned char *record;
	unsigned type;
	uint32_t ttl_s;

	if (!skip_name(reader) || !has(reader, RECORD_BYTES))
		return false;
	record = reader->bytes + reader->at;
	type = get16(record);
	ttl_s = (uint32_t)get16(record + 4) << 16 | get16(record + 6);
	if (ttl_s > INT32_MAX)
		ttl_s = 0;
	if (ttl_s < reply->ttl_s)
		reply->ttl_s = ttl_s;
	reader->at += RECORD_BYTES;
	if (type == TYPE_CNAME && has(reader, get16(record + 8)))
		read_alias(reader, reply);
	return skip(reader, get16(record + 8));
}

bool dns_reply_read(const unsigned char *bytes, size_t count, struct dns_reply *reply)
{
	struct reader reader = {bytes, count, HEADER_BYTES};
	unsigned questions, answers;

	*reply = (struct dns_reply){.ttl_s = UINT32_MAX};
	if (count < HEADER_BYTES)
		return false;
	questions = get16(bytes + 4);
	answers = get16(bytes + 6);
	for (unsigned i = 0; i < questions; i++)
		if (!skip_name(&reader) || !skip(&reader, QUESTION_BYTES))
			return false;
	for (unsigned i = 0; i < answers; i++)
		if (!read_record(&reader, reply))
			return false;
	return answers > 0;
}
