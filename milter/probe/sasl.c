/*
 * sasl - authenticate as smtp(8) does with Cyrus SASL: PLAIN, LOGIN and CRAM-MD5
 *
 * Of what the server offers and Postfix allows, the mechanism that does not show the password goes first.  A stronger
 * one that Cyrus SASL has and we have not could be what Postfix takes: then nothing is sent where a plaintext
 * mechanism would show more than Postfix does.
 */
#include "probe/sasl.h"

#include "base/secret.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

enum {
	INITIAL_LIMIT = 512, /* of a command with its initial response (RFC 5321 4.5.3.1.4) */
	CHALLENGE_BYTES = 1024,
	RESPONSE_BYTES = 1 + CREDENTIAL_USER_BYTES + CREDENTIAL_PASSWORD_BYTES,
	DIGEST_TEXT_BYTES = 33,
	ECHO_BYTES = 8, /* so much of what we sent, seen again, gives it away */
	ECHO_LEAST_BYTES = 4,
};

/* How a mechanism and the properties that Postfix can ask for go together. */
struct kind {
	const char *name;
	enum sasl_mechanism mechanism; /* SASL_NONE: not spoken here */
	bool is_plaintext, is_anonymous;
	bool has_all; /* has what noactive, mutual_auth and the like ask for, or may have it */
};

/* Those that Cyrus SASL knows; ours in the order in which we take them. */
static const struct kind kinds[] = {
	{"CRAM-MD5", SASL_CRAM_MD5, false, false, false},
	{"PLAIN", SASL_PLAIN, true, false, false},
	{"LOGIN", SASL_LOGIN, true, false, false},
	{"ANONYMOUS", SASL_NONE, false, true, false},
	{"XOAUTH2", SASL_NONE, true, false, false},
	{"OAUTHBEARER", SASL_NONE, true, false, false},
	{"DIGEST-MD5", SASL_NONE, false, false, true},
	{"NTLM", SASL_NONE, false, false, false},
	{"SCRAM-", SASL_NONE, false, false, true},
	{"GSSAPI", SASL_NONE, false, false, true},
	{"GSS-SPNEGO", SASL_NONE, false, false, true},
	{"GS2-", SASL_NONE, false, false, true},
	{"SRP", SASL_NONE, false, false, true},
	{"OTP", SASL_NONE, false, false, true},
	{"PASSDSS-3DES-1", SASL_NONE, false, false, true},
};

/* What stands between words of a list: server, options and filter alike. */
static const char separators[] = ", \t\r\n";

/* next_word - of a list; "" at its end */
static size_t next_word(const char **list, const char **word)
{
	*list += strspn(*list, separators);
	*word = *list;
	*list += strcspn(*list, separators);
	return (size_t)(*list - *word);
}

static bool is_word(const char *word, size_t length, const char *other)
{
	return strlen(other) == length && strncasecmp(word, other, length) == 0;
}

static bool has_word(const char *list, const char *wanted)
{
	const char *word;
	size_t length;

	while ((length = next_word(&list, &word)) > 0)
		if (is_word(word, length, wanted))
			return true;
	return false;
}

/* find_kind - names that end in "-" stand for families; NULL: nothing that we know of */
static const struct kind *find_kind(const char *word, size_t length)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		size_t known = strlen(kinds[i].name);

		if (kinds[i].name[known - 1] == '-' ? length > known && strncasecmp(word, kinds[i].name, known) == 0
						    : is_word(word, length, kinds[i].name))
			return &kinds[i];
	}
	return NULL;
}

/* is_permitted - by the security options; one that we do not know may have every property */
static bool is_permitted(const struct kind *kind, const char *options)
{
	static const char *const strong[] = {
		"noactive", "nodictionary", "forward_secrecy", "mutual_auth"};

	if (kind == NULL)
		return true;
	if ((kind->is_plaintext && has_word(options, "noplaintext")) ||
		(kind->is_anonymous && has_word(options, "noanonymous")))
		return false;
	for (size_t i = 0; i < sizeof strong / sizeof *strong; i++)
		if (!kind->has_all && has_word(options, strong[i]))
			return false;
	return true;
}

enum filtered { FILTER_KEEPS, FILTER_DROPS, FILTER_UNSURE };

/* filter - the first pattern that matches decides; a table or file is not looked up */
static enum filtered filter(const char *patterns, const char *name, size_t length)
{
	const char *pattern;
	size_t bytes;

	if (*patterns == '\0')
		return FILTER_KEEPS;
	while ((bytes = next_word(&patterns, &pattern)) > 0) {
		bool is_negated = false;

		for (; bytes > 0 && *pattern == '!'; pattern++, bytes--)
			is_negated = !is_negated;
		if ((bytes > 7 && strncmp(pattern, "static:", 7) == 0) ||
			(bytes == length && strncasecmp(pattern, name, length) == 0))
			return is_negated ? FILTER_DROPS : FILTER_KEEPS;
		if (memchr(pattern, ':', bytes) != NULL || (bytes > 0 && *pattern == '/'))
			return FILTER_UNSURE;
	}
	return FILTER_DROPS;
}

/* What is known after some of the words. */
struct offer {
	bool has[SASL_CRAM_MD5 + 1];
	bool is_secret_foreign; /* a foreign one that does not show the password */
	char *foreign;
};

static void note_foreign(struct offer *offer, const char *word, size_t length)
{
	if (*offer->foreign == '\0')
		(void)snprintf(offer->foreign, SASL_NAME_BYTES, "%.*s", (int)length, word);
}

static void take_word(struct offer *offer, const struct sasl_policy *policy, const char *word, size_t length)
{
	const struct kind *kind = find_kind(word, length);
	enum filtered filtered = filter(policy->filter, word, length);
	char name[SASL_NAME_BYTES];

	if (filtered == FILTER_DROPS || !is_permitted(kind, policy->options))
		return;
	(void)snprintf(name, sizeof name, "%.*s", (int)length, word);
	if (policy->is_installed != NULL && !policy->is_installed(name))
		return;
	if (filtered == FILTER_UNSURE || kind == NULL || kind->mechanism == SASL_NONE)
		note_foreign(offer, word, length);
	if (filtered == FILTER_UNSURE || kind == NULL)
		return;
	if (kind->mechanism != SASL_NONE)
		offer->has[kind->mechanism] = true;
	else if (!kind->is_plaintext && !kind->is_anonymous)
		offer->is_secret_foreign = true;
}

enum sasl_choice sasl_choose(const char *offered, const struct sasl_policy *policy,
	enum sasl_mechanism *mechanism, char foreign[SASL_NAME_BYTES])
{
	struct offer offer = {.foreign = foreign};
	const char *word;
	size_t length;

	*foreign = '\0';
	*mechanism = SASL_NONE;
	while ((length = next_word(&offered, &word)) > 0)
		take_word(&offer, policy, word, length);
	for (size_t i = 0; *mechanism == SASL_NONE && i < sizeof kinds / sizeof *kinds; i++)
		if (offer.has[kinds[i].mechanism] && (!kinds[i].is_plaintext || !offer.is_secret_foreign))
			*mechanism = kinds[i].mechanism;
	if (*mechanism != SASL_NONE)
		return SASL_USABLE;
	return *foreign != '\0' ? SASL_FOREIGN : SASL_NO_COMMON;
}

/* put_base64 - behind what is in the line, with CRLF */
static void put_base64(struct sasl *sasl, size_t used, const char *bytes, size_t count)
{
	int length = EVP_EncodeBlock((unsigned char *)sasl->line + used, (const unsigned char *)bytes, (int)count);

	(void)strcpy(sasl->line + used + length, "\r\n");
}

/* plain_response - no authorization identity, user, password; returns its length */
static size_t plain_response(const struct credentials *credentials, char out[RESPONSE_BYTES])
{
	char *end;

	*out = '\0';
	end = stpcpy(out + 1, credentials->user) + 1;
	end = stpcpy(end, credentials->password);
	return (size_t)(end - out);
}

static void begin_plain(struct sasl *sasl)
{
	static const char command[] = "AUTH PLAIN ";
	char response[RESPONSE_BYTES];
	size_t bytes = plain_response(&sasl->credentials, response);
	size_t encoded = (bytes + 2) / 3 * 4;

	(void)strcpy(sasl->shown, "AUTH PLAIN");
	if (strlen("PLAIN") + encoded + 8 <= INITIAL_LIMIT) {
		(void)strcpy(sasl->line, command);
		put_base64(sasl, strlen(command), response, bytes);
		(void)strcpy(sasl->shown, "AUTH PLAIN ***");
	} else {
		(void)strcpy(sasl->line, "AUTH PLAIN\r\n");
		sasl->pending = bytes;
	}
	secret_wipe(response, sizeof response);
}

void sasl_begin(struct sasl *sasl, enum sasl_mechanism mechanism, const struct credentials *credentials)
{
	memset(sasl, 0, sizeof *sasl);
	sasl->mechanism = mechanism;
	memcpy(&sasl->credentials, credentials, sizeof sasl->credentials);
	if (mechanism == SASL_PLAIN) {
		begin_plain(sasl);
		return;
	}
	(void)snprintf(sasl->shown, sizeof sasl->shown, "AUTH %s",
		mechanism == SASL_LOGIN ? "LOGIN" : "CRAM-MD5");
	(void)snprintf(sasl->line, sizeof sasl->line, "%s\r\n", sasl->shown);
}

/* decode - of base64; -1 when it is none, or too long */
static int decode(const char *text, unsigned char out[CHALLENGE_BYTES])
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t length = strlen(text), letters = strspn(text, alphabet);
	size_t padding = length - letters;
	int decoded;

	if (length % 4 != 0 || length / 4 * 3 > CHALLENGE_BYTES)
		return -1;
	if (padding > 2 || strspn(text + letters, "=") != padding)
		return -1;
	decoded = EVP_DecodeBlock(out, (const unsigned char *)text, (int)length);
	return decoded >= (int)padding ? decoded - (int)padding : -1;
}

static void respond_plain(struct sasl *sasl)
{
	char response[RESPONSE_BYTES];

	put_base64(sasl, 0, response, plain_response(&sasl->credentials, response));
	secret_wipe(response, sizeof response);
	sasl->pending = 0;
}

/* respond_cram - "user digest" */
static bool respond_cram(struct sasl *sasl, const unsigned char *challenge, int bytes)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	char response[CREDENTIAL_USER_BYTES + DIGEST_TEXT_BYTES];
	unsigned length = 0;
	size_t used;

	if (HMAC(EVP_md5(), sasl->credentials.password, (int)strlen(sasl->credentials.password), challenge,
		    (size_t)bytes, digest, &length) == NULL)
		return false;
	used = (size_t)snprintf(response, sizeof response, "%s ", sasl->credentials.user);
	for (unsigned i = 0; i < length && used + 2 < sizeof response; i++)
		used += (size_t)snprintf(response + used, sizeof response - used, "%02x", digest[i]);
	put_base64(sasl, 0, response, used);
	secret_wipe(response, sizeof response);
	secret_wipe(digest, sizeof digest);
	return true;
}

/* respond - to a challenge, which is base64 */
static enum sasl_status respond(struct sasl *sasl, const char *challenge)
{
	unsigned char bytes[CHALLENGE_BYTES];
	int count;

	(void)strcpy(sasl->shown, "***");
	if (sasl->mechanism == SASL_PLAIN) {
		/* Nothing but the deferred initial response is due, and the server goes second. */
		if (sasl->pending == 0 || *challenge != '\0')
			return SASL_NONSENSE;
		respond_plain(sasl);
		return SASL_SEND;
	}
	count = decode(challenge, bytes);
	if (count < 0)
		return SASL_NONSENSE;
	if (sasl->mechanism == SASL_CRAM_MD5)
		return sasl->steps == 1 && count > 0 && respond_cram(sasl, bytes, count) ? SASL_SEND
											  : SASL_NONSENSE;
	if (sasl->steps > 2)
		return SASL_NONSENSE;
	if (sasl->steps == 1)
		put_base64(sasl, 0, sasl->credentials.user, strlen(sasl->credentials.user));
	else
		put_base64(sasl, 0, sasl->credentials.password, strlen(sasl->credentials.password));
	return SASL_SEND;
}

enum sasl_status sasl_answered(struct sasl *sasl, unsigned code, const char *text)
{
	const char *challenge = text + strcspn(text, "- \t");

	switch (code / 100) {
	case 2:
		return SASL_ACCEPTED;
	case 3:
		sasl->steps++;
		return respond(sasl, challenge + strspn(challenge, "- \t"));
	case 4:
		return SASL_REFUSED;
	case 5:
		return SASL_REJECTED;
	default:
		return SASL_NONSENSE;
	}
}

/* hide - cut the text where a beginning of the secret stands in it */
static void hide(char *text, const char *secret, size_t secret_bytes)
{
	char *at;

	if (secret_bytes < ECHO_LEAST_BYTES)
		return;
	at = memmem(text, strlen(text), secret, secret_bytes < ECHO_BYTES ? secret_bytes : ECHO_BYTES);
	if (at == NULL)
		return;
	(void)strcpy(at, "***"); /* what was found is longer */
}

void sasl_hide(const struct sasl *sasl, char *text)
{
	char response[RESPONSE_BYTES];
	char encoded[SASL_LINE_BYTES];
	size_t bytes = plain_response(&sasl->credentials, response);
	size_t password_bytes = strlen(sasl->credentials.password);

	(void)EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)response, (int)bytes);
	hide(text, encoded, strlen(encoded));
	(void)EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)sasl->credentials.password,
		(int)password_bytes);
	hide(text, encoded, strlen(encoded));
	hide(text, sasl->credentials.password, password_bytes);
	secret_wipe(response, sizeof response);
	secret_wipe(encoded, sizeof encoded);
}

void sasl_end(struct sasl *sasl)
{
	secret_wipe(sasl, sizeof *sasl);
}
