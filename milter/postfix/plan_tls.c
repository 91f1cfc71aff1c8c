/*
 * plan_tls - how a hop's server is spoken to under TLS: what smtp(8) would ask of it
 *
 * The level comes from our hop section, else from smtp_tls_policy_maps, else from smtp_tls_security_level or the two
 * parameters before it (smtp_tls_policy.c of Postfix).  DANE needs DNSSEC, and a table that cannot be listed has a
 * policy that we do not know: what becomes of mail there is not for us to say, so the level is TLS_LEVEL_UNCHECKED.
 */
#include "postfix/site_private.h"
#include "postfix/tls_policy.h"
#include "postfix/word.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SEPARATORS ", \t\r\n"

enum { PORT_SMTPS = 465, DEFAULT_CHAIN_DEPTH = 9, VALUE_BYTES = TLS_POLICY_BYTES };

/* What a policy can say beside its level; "": nothing. */
struct policy {
	char ciphers[TLS_PLAN_NAME_BYTES];
	char exclude[TLS_PLAN_LIST_BYTES];
	bool has_exclude;
};

bool plan_tls_is_required(const struct tls_plan *plan)
{
	return plan->level >= TLS_LEVEL_ENCRYPT;
}

uint64_t plan_tls_hash(const struct tls_plan *plan)
{
	const char *at = (const char *)plan, *end = at + sizeof *plan;
	uint64_t word, hash = UINT64_C(0xcbf29ce484222325);

	/* FNV-1a, but by the word: this is done for every probe. */
	_Static_assert(sizeof *plan % sizeof word == 0, "a plan is whole words");
	for (; at < end; at += sizeof word) {
		memcpy(&word, at, sizeof word);
		hash = (hash ^ word) * UINT64_C(0x100000001b3);
	}
	return hash;
}

/* give_up - the plan is not what Postfix would do, and why */
static void give_up(struct tls_plan *plan, enum tls_level level, const char *why)
{
	plan->level = level;
	plan->why = why;
}

/* copy - a value that does not fit cannot be checked */
static void copy(struct tls_plan *plan, char *to, size_t bytes, const char *from)
{
	if (strlen(from) >= bytes)
		give_up(plan, TLS_LEVEL_UNCHECKED, "a TLS setting of Postfix is too long to be checked");
	else
		(void)strcpy(to, from);
}

#define COPY(plan, to, from) copy((plan), (to), sizeof(to), (from))

static bool is_yes(const char *value)
{
	return strcasecmp(value, "yes") == 0;
}

/* take_dane - without DNSSEC it is "may", or nothing goes out; with it we cannot follow */
static void take_dane(const struct client *client, struct tls_plan *plan, bool is_only)
{
	bool has_dnssec = strcmp(client_parameter(client, "dns_support_level"), "dnssec") == 0;

	if (has_dnssec)
		give_up(plan, TLS_LEVEL_UNCHECKED, "TLS level dane: TLSA records are not looked up");
	else if (is_only)
		give_up(plan, TLS_LEVEL_INVALID, "TLS level dane-only without DNSSEC look-ups");
	else
		plan->level = TLS_LEVEL_MAY;
}

/* take_level - a word of smtp_tls_security_level */
static void take_level(const struct client *client, struct tls_plan *plan, const char *word)
{
	static const struct {
		const char *word;
		enum tls_level level;
	} levels[] = {
		{"none", TLS_LEVEL_NONE},
		{"may", TLS_LEVEL_MAY},
		{"encrypt", TLS_LEVEL_ENCRYPT},
		{"fingerprint", TLS_LEVEL_FINGERPRINT},
		{"verify", TLS_LEVEL_VERIFY},
		{"secure", TLS_LEVEL_SECURE},
	};

	for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
		if (strcasecmp(levels[i].word, word) == 0) {
			plan->level = levels[i].level;
			return;
		}
	if (strcasecmp(word, "dane") == 0 || strcasecmp(word, "dane-only") == 0)
		take_dane(client, plan, word[4] != '\0');
	else
		give_up(plan, TLS_LEVEL_INVALID, "unknown TLS security level");
}

/* take_global - what holds where no policy does */
static void take_global(const struct client *client, struct tls_plan *plan)
{
	const char *word = client_parameter(client, "tls_security_level");

	if (*word != '\0')
		take_level(client, plan, word);
	else if (is_yes(client_parameter(client, "enforce_tls")))
		plan->level = is_yes(client_parameter(client, "tls_enforce_peername")) ? TLS_LEVEL_VERIFY
										     : TLS_LEVEL_ENCRYPT;
	else if (is_yes(client_parameter(client, "use_tls")))
		plan->level = TLS_LEVEL_MAY;
}

/* add_names - to a list, which more than one attribute may do */
static void add_names(struct tls_plan *plan, char *list, size_t bytes, const char *names)
{
	size_t length = strlen(list);

	if (length > 0 && length + 1 < bytes)
		list[length++] = ' ';
	copy(plan, list + length, bytes - length, names);
}

/* take_attribute - "name=value" of a policy; false: Postfix knows no such thing, and defers all mail */
static bool take_attribute(struct tls_plan *plan, struct policy *policy, char *text)
{
	char *value = strchr(text, '=');
	bool may_be_empty;

	if (value == NULL)
		return false;
	*value++ = '\0';
	may_be_empty = strcasecmp(text, "protocols") == 0 || strcasecmp(text, "exclude") == 0;
	if (*value == '\0' && !may_be_empty)
		return false;
	if (strcasecmp(text, "match") == 0 && plan->level == TLS_LEVEL_FINGERPRINT)
		add_names(plan, plan->fingerprints, sizeof plan->fingerprints, value);
	else if (strcasecmp(text, "match") == 0 && plan->level >= TLS_LEVEL_VERIFY)
		add_names(plan, plan->match, sizeof plan->match, value);
	else if (strcasecmp(text, "protocols") == 0)
		COPY(plan, plan->protocols, *value != '\0' ? value : " ");
	else if (strcasecmp(text, "ciphers") == 0)
		COPY(plan, policy->ciphers, value);
	else if (strcasecmp(text, "servername") == 0)
		COPY(plan, plan->servername, value);
	else if (strcasecmp(text, "exclude") == 0) {
		policy->has_exclude = true;
		COPY(plan, policy->exclude, value);
	} else if (strcasecmp(text, "tafile") == 0)
		give_up(plan, TLS_LEVEL_UNCHECKED, "trust anchor files are not checked");
	else
		return strcasecmp(text, "connection_reuse") == 0;
	return true;
}

/* take_policy - the value of a table: a level and its attributes */
static void take_policy(const struct client *client, struct tls_plan *plan, struct policy *policy, char *value)
{
	char *rest, *word = strtok_r(value, SEPARATORS, &rest);

	plan->level = TLS_LEVEL_NONE;
	plan->why = NULL;
	if (word == NULL) {
		give_up(plan, TLS_LEVEL_INVALID, "empty TLS policy");
		return;
	}
	take_level(client, plan, word);
	while (plan->level >= TLS_LEVEL_MAY && plan->level < TLS_LEVEL_UNCHECKED &&
		(word = strtok_r(NULL, SEPARATORS, &rest)) != NULL)
		if (!take_attribute(plan, policy, word))
			give_up(plan, TLS_LEVEL_INVALID, "invalid attribute in a TLS policy");
}

/* take_tables - smtp_tls_policy_maps, or the one before it */
static void take_tables(const struct client *client, const char *nexthop, struct tls_plan *plan,
	struct policy *policy)
{
	const char *maps = client_parameter(client, "tls_policy_maps");
	char value[VALUE_BYTES];

	if (*maps == '\0') {
		if (*client_parameter(client, "tls_per_site") != '\0')
			give_up(plan, TLS_LEVEL_UNCHECKED, "smtp_tls_per_site is not looked at");
		return;
	}
	switch (tls_policy_find(maps, instance_policies(client->instance), nexthop, value)) {
	case TLS_POLICY_FOUND:
		take_policy(client, plan, policy, value);
		break;
	case TLS_POLICY_UNKNOWN:
		give_up(plan, TLS_LEVEL_UNCHECKED, "smtp_tls_policy_maps has a table that cannot be listed");
		break;
	case TLS_POLICY_NONE:
		break;
	}
}

/* take_own - what our hop section says */
static void take_own(const struct conf_hop_settings *settings, struct tls_plan *plan)
{
	static const enum tls_level levels[] = {
		[TLS_NONE] = TLS_LEVEL_NONE,
		[TLS_MAY] = TLS_LEVEL_MAY,
		[TLS_ENCRYPT] = TLS_LEVEL_ENCRYPT,
		[TLS_VERIFY] = TLS_LEVEL_VERIFY,
	};

	plan->level = levels[settings->tls];
	plan->why = NULL;
}

/* plan_trust - whose certificates are believed */
static void plan_trust(const struct client *client, const struct conf_hop_settings *settings,
	struct tls_plan *plan)
{
	const char *file = client_parameter(client, "tls_CAfile");
	const char *path = client_parameter(client, "tls_CApath");
	const char *depth = client_parameter(client, "tls_scert_verifydepth");

	plan->chain_depth = *depth != '\0' ? (unsigned)strtoul(depth, NULL, 10) : DEFAULT_CHAIN_DEPTH;
	if (*settings->ca_file != '\0') {
		plan->has_own_ca = true;
		COPY(plan, plan->ca_file, settings->ca_file);
		return;
	}
	COPY(plan, plan->ca_file, file);
	/* A file is read before chroot(2), a directory is looked into after it. */
	if (*path != '\0' && client->service != NULL && service_is_chrooted(client->instance, client->service) &&
		snprintf(plan->ca_path, sizeof plan->ca_path, "%s%s",
			instance_parameter(client->instance, "queue_directory"), path) >= (int)sizeof plan->ca_path)
		give_up(plan, TLS_LEVEL_UNCHECKED, "the path of smtp_tls_CApath is too long");
	else if (*plan->ca_path == '\0')
		COPY(plan, plan->ca_path, path);
	if (*file != '\0' || *path != '\0')
		plan->has_default_ca = is_yes(client_word(client, "tls_append_default_CA"));
	else
		/* Our own "verify" has to believe somebody; Postfix's then believes nobody. */
		plan->has_default_ca = settings->tls == TLS_VERIFY;
}

/* add_exclusions - to a list of ciphers, ":!WORD" for each */
static void add_exclusions(struct tls_plan *plan, const char *words)
{
	size_t used = strlen(plan->ciphers), room = sizeof plan->ciphers;

	while (*(words += strspn(words, SEPARATORS ":")) != '\0') {
		size_t length = strcspn(words, SEPARATORS ":");
		int bytes = snprintf(plan->ciphers + used, room - used, ":!%.*s", (int)length, words);

		if ((size_t)bytes >= room - used) {
			give_up(plan, TLS_LEVEL_UNCHECKED, "the list of ciphers is too long to be checked");
			return;
		}
		used += (size_t)bytes;
		words += length;
	}
}

/* plan_ciphers - the list of the grade without what is excluded */
static void plan_ciphers(const struct client *client, const struct policy *policy, struct tls_plan *plan)
{
	bool is_mandatory = plan_tls_is_required(plan);
	const char *grade = *policy->ciphers != '\0' ? policy->ciphers
						     : client_parameter(client, is_mandatory
									  ? "tls_mandatory_ciphers"
									  : "tls_ciphers");
	char name[TLS_PLAN_NAME_BYTES + sizeof "tls__cipherlist"];

	if (*grade == '\0')
		return; /* no Postfix is known: OpenSSL's own list */
	(void)snprintf(name, sizeof name, "tls_%s_cipherlist", grade);
	COPY(plan, plan->ciphers, client_word(client, name));
	if (policy->has_exclude) {
		add_exclusions(plan, policy->exclude);
	} else {
		add_exclusions(plan, client_parameter(client, "tls_exclude_ciphers"));
		if (is_mandatory)
			add_exclusions(plan, client_parameter(client, "tls_mandatory_exclude_ciphers"));
	}
	if (is_mandatory)
		add_exclusions(plan, plan->level == TLS_LEVEL_ENCRYPT ? "eNULL" : "aNULL");
}

/* plan_names - whom the certificate must be for */
static void plan_names(const struct client *client, struct tls_plan *plan)
{
	const char *names = client_parameter(client,
		plan->level == TLS_LEVEL_VERIFY ? "tls_verify_cert_match" : "tls_secure_cert_match");

	if (plan->level == TLS_LEVEL_FINGERPRINT) {
		if (*plan->fingerprints == '\0')
			COPY(plan, plan->fingerprints, client_parameter(client, "tls_fingerprint_cert_match"));
		if (*plan->fingerprints == '\0')
			give_up(plan, TLS_LEVEL_INVALID, "TLS level fingerprint without fingerprints");
		COPY(plan, plan->digest, client_parameter(client, "tls_fingerprint_digest"));
		return;
	}
	if (plan->level != TLS_LEVEL_VERIFY && plan->level != TLS_LEVEL_SECURE)
		return;
	if (*client_parameter(client, "tls_trust_anchor_file") != '\0' && !plan->has_own_ca)
		give_up(plan, TLS_LEVEL_UNCHECKED, "smtp_tls_trust_anchor_file is not checked");
	if (*plan->match == '\0')
		COPY(plan, plan->match, *names != '\0' ? names : "hostname");
}

/* has_word - in a list, whatever its case */
static bool has_word(const char *list, const char *wanted)
{
	size_t length = strlen(wanted);

	while (*(list += strspn(list, SEPARATORS)) != '\0') {
		if (strcspn(list, SEPARATORS) == length && strncasecmp(list, wanted, length) == 0)
			return true;
		list += strcspn(list, SEPARATORS);
	}
	return false;
}

static bool has_certificate(const struct client *client)
{
	static const char *const parameters[] = {
		"tls_chain_files", "tls_cert_file", "tls_dcert_file", "tls_eccert_file"};

	for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++)
		if (*client_parameter(client, parameters[i]) != '\0')
			return true;
	return false;
}

/* plan_session - what holds whatever the level */
static void plan_session(const struct client *client, const struct policy *policy, struct tls_plan *plan)
{
	plan->has_certificate = has_certificate(client);
	plan->has_legacy_keys = is_yes(client_word(client, "tls_legacy_public_key_fingerprints"));
	plan->ignores_starttls = has_word(client_parameter(client, "discard_ehlo_keywords"), "starttls");
	if (*plan->servername == '\0')
		COPY(plan, plan->servername, client_parameter(client, "tls_servername"));
	if (*plan->protocols == '\0')
		COPY(plan, plan->protocols, client_parameter(client, plan_tls_is_required(plan)
								       ? "tls_mandatory_protocols"
								       : "tls_protocols"));
	plan_ciphers(client, policy, plan);
	plan_names(client, plan);
}

/* is_wrapped - TLS before the greeting; without a Postfix the port tells */
static bool is_wrapped(const struct client *client, const struct plan *plan)
{
	if (client->instance == NULL)
		return !plan->target.is_unix && plan->target.port == PORT_SMTPS;
	return !client->is_smtpd && is_yes(client_parameter(client, "tls_wrappermode"));
}

/* plan_level - and what a policy says beside it */
static void plan_level(const struct client *client, const struct conf_hop_settings *settings,
	const char *nexthop, struct policy *policy, struct plan *plan)
{
	if (client->instance != NULL && !client->is_smtpd) {
		take_global(client, &plan->tls);
		take_tables(client, nexthop, &plan->tls, policy);
	}
	/* smtp(8) sees no sense in encrypting for this host when it need not. */
	if (plan->target.is_unix && plan->tls.level == TLS_LEVEL_MAY)
		plan->tls.level = TLS_LEVEL_NONE;
	plan->auth.level = plan->tls.level;
	if (settings->tls != TLS_DEFAULT)
		take_own(settings, &plan->tls);
	if (plan->target.is_unix && plan->tls.level == TLS_LEVEL_MAY)
		plan->tls.level = TLS_LEVEL_NONE;
}

void plan_tls(const struct client *client, const struct conf_hop_settings *settings,
	struct plan *plan)
{
	const char *nexthop = plan->nexthop;
	struct tls_plan *tls = &plan->tls;
	struct policy policy = {0};

	if (plan->kind != PLAN_SERVER)
		return;
	if (plan->target.protocol == PROTOCOL_LMTP &&
		(strncasecmp(nexthop, "inet:", 5) == 0 || strncasecmp(nexthop, "unix:", 5) == 0))
		nexthop += 5;
	tls->is_wrapped = is_wrapped(client, plan);
	plan_level(client, settings, nexthop, &policy, plan);
	/* Without TLS nothing is to be seen there, whatever a hop section asks for. */
	if (tls->is_wrapped && tls->level < TLS_LEVEL_ENCRYPT &&
		(client->instance == NULL || settings->tls != TLS_DEFAULT))
		tls->level = TLS_LEVEL_ENCRYPT;
	if (tls->level != TLS_LEVEL_NONE && tls->level < TLS_LEVEL_UNCHECKED) {
		COPY(tls, tls->nexthop, plan->target.is_unix ? plan->socket_name : plan->target.host);
		plan_trust(client, settings, tls);
		plan_session(client, &policy, tls);
	}
	if (tls->is_wrapped && tls->level < TLS_LEVEL_ENCRYPT)
		give_up(tls, TLS_LEVEL_INVALID, "smtp_tls_wrappermode requires smtp_tls_security_level = encrypt");
}
