/*
 * fuzz_smtp_reply - whatever a peer sends: bounded, printable, and the same however it is cut
 */
#include "probe/smtp_reply.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text)
{
	const char *end = memchr(text, '\0', SMTP_REPLY_LINE_BYTES);

	if (end == NULL)
		__builtin_trap();
	for (; text < end; text++)
		if (*text < ' ' || *text > '~')
			__builtin_trap();
}

static void check(const struct smtp_reply *reply, enum smtp_reply_status status)
{
	if (reply->code > 999 || reply->line_bytes >= SMTP_REPLY_LINE_BYTES)
		__builtin_trap();
	check_text(reply->text);
	if (status == SMTP_REPLY_LINE || status == SMTP_REPLY_COMPLETE)
		check_text(reply->line);
	if (status == SMTP_REPLY_COMPLETE && (reply->lines == 0 || strlen(reply->line) < 3))
		__builtin_trap();
	if (reply->lines > 0 && reply->code > 0 && smtp_reply_is_foreign(reply))
		__builtin_trap();
}

/* feed - in pieces of at most step bytes; returns how many bytes the reply took */
static size_t feed(struct smtp_reply *reply, const char *bytes, size_t count, size_t step,
	enum smtp_reply_status *status)
{
	size_t at = 0;

	smtp_reply_start(reply);
	*status = SMTP_REPLY_MORE;
	while (at < count && *status != SMTP_REPLY_COMPLETE && *status != SMTP_REPLY_OVERFLOW) {
		size_t used, piece = count - at < step ? count - at : step;

		*status = smtp_reply_feed(reply, bytes + at, piece, &used);
		if (used == 0 || used > piece)
			__builtin_trap();
		if (*status == SMTP_REPLY_MORE && used != piece)
			__builtin_trap();
		check(reply, *status);
		at += used;
	}
	return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct smtp_reply whole, cut;
	enum smtp_reply_status whole_status, cut_status;
	size_t step, taken;

	if (size < 1)
		return 0;
	step = (size_t)data[0] + 1;
	data++;
	size--;
	taken = feed(&whole, (const char *)data, size, size + 1, &whole_status);
	if (feed(&cut, (const char *)data, size, step, &cut_status) != taken)
		__builtin_trap();
	if (whole_status != cut_status && whole_status == SMTP_REPLY_COMPLETE)
		__builtin_trap();
	if (whole.code != cut.code || whole.lines != cut.lines || strcmp(whole.text, cut.text) != 0)
		__builtin_trap();
	return 0;
}
