/*
 * rules - the rule sections, made ready to be asked
 *
 * A site with a thousand rules mostly has one for each customer, which differ in a domain, a transport or a network.
 * Going through them all must not be felt, so each has a small entry that rules it out in a few instructions: words
 * are bits, and each list of patterns is a Bloom filter of one machine word.  The usual patterns are a name ("a@b"),
 * its head ("relay:*", "postmaster@*") or the domain of an address ("*@example.com"); each sets one bit of its rule's
 * filter, and a text has one bit for each of the three.  Any other pattern sets all bits.  Networks do the same
 * with what they have of an address's /24 or /48.  Only a rule that gets past its entry is compared in full.
 */
#include "conf/rules.h"

#include "base/pattern.h"
#include "base/xmem.h"

#include <endian.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD_SEED = 1, TAIL_SEED, WHOLE_SEED, NETWORK_SEED };

/* A network as two numbers, which are compared faster than bytes. */
struct network {
	uint64_t high, low;
	uint64_t high_mask, low_mask;
};

/* What most rules are ruled out by: kept apart, so that a thousand fit into the nearest cache. */
struct filters {
	uint64_t hop, sender, recipient;
	uint64_t sender_tail, recipient_tail; /* of tails alone, so that there are fewer false hits */
	uint64_t network; /* all bits when a client may match by a word */
};

struct entry {
	uint64_t reasons;	/* bits of enum reason */
	uint8_t roles, clients; /* bits */
	uint32_t networks;		 /* how many, from first_network on */
	uint32_t first_network;
};

struct rules {
	const struct conf_rule *rule;
	size_t count;
	struct network *network;
	size_t network_count;
	bool has_recipients;
	struct entry *entry;
	struct filters filters[];
};

_Static_assert(REASON_COUNT <= 64, "a reason is a bit of a word");

static const struct {
	const char *word;
	enum rules_client bit;
} clients[] = {
	{"authenticated", RULES_AUTHENTICATED},
	{"mynetworks", RULES_MYNETWORKS},
	{"local", RULES_LOCAL},
	{"reentry", RULES_REENTRY},
	{"other", RULES_OTHER},
};

/* hash_bit - one of 64 */
static uint64_t hash_bit(uint64_t hash)
{
	hash ^= hash >> 32;
	return UINT64_C(1) << ((hash * UINT64_C(0x9e3779b97f4a7c15)) >> 58);
}

/* filter_bit - of so many characters, upper and lower case alike */
static uint64_t filter_bit(unsigned seed, const char *text, size_t length)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325) + seed;

	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		hash = (hash ^ (c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c)) * UINT64_C(0x100000001b3);
	}
	return hash_bit(hash);
}

/* text_filter - the bits of patterns that could match, but for tails; a head ends with the first separator */
static uint64_t text_filter(const char *text, char separator)
{
	const char *first = strchr(text, separator);
	uint64_t filter = filter_bit(WHOLE_SEED, text, strlen(text));

	return first == NULL ? filter
			     : filter | filter_bit(HEAD_SEED, text, (size_t)(first + 1 - text));
}

/* tail_filter - the bit of tails that could match: one begins with the last "@" */
static uint64_t tail_filter(const char *text)
{
	const char *last = strrchr(text, '@');

	return last == NULL ? 0 : filter_bit(TAIL_SEED, last, strlen(last));
}

/* pattern_filter - one bit, or all where a pattern is none of the usual ones */
static uint64_t pattern_filter(const char *pattern, char separator)
{
	size_t length = strlen(pattern), plain = strcspn(pattern, "*?");

	if (plain == length)
		return filter_bit(WHOLE_SEED, pattern, length);
	if (plain + 1 == length && pattern[plain] == '*' && plain > 0 &&
		memchr(pattern, separator, plain) == pattern + plain - 1)
		return filter_bit(HEAD_SEED, pattern, plain);
	return UINT64_MAX;
}

/* is_tail - "*@" and a domain */
static bool is_tail(const char *pattern)
{
	return strncmp(pattern, "*@", 2) == 0 && pattern_is_plain(pattern + 1) &&
	       strchr(pattern + 2, '@') == NULL;
}

/* list_filter - tails go into *tails, unless that is NULL */
static uint64_t list_filter(const struct conf_strings *list, char separator, uint64_t *tails)
{
	uint64_t filter = list->count == 0 ? UINT64_MAX : 0;

	for (size_t i = 0; i < list->count; i++)
		if (tails != NULL && is_tail(list->item[i]))
			*tails |= tail_filter(list->item[i]);
		else
			filter |= pattern_filter(list->item[i], separator);
	return filter;
}

static uint64_t reason_bits(const struct conf_strings *list)
{
	uint64_t bits = list->count == 0 ? UINT64_MAX : 0;

	for (size_t i = 0; i < list->count; i++)
		for (int reason = 0; reason < REASON_COUNT; reason++)
			if (pattern_match(list->item[i], reason_token((enum reason)reason)))
				bits |= UINT64_C(1) << reason;
	return bits;
}

static uint8_t role_bits(const struct conf_strings *list)
{
	uint8_t bits = list->count == 0 ? UINT8_MAX : 0;

	for (size_t i = 0; i < list->count; i++)
		for (unsigned role = ROLE_PROXY_FILTER; role <= ROLE_TRANSPORT; role <<= 1)
			if (strcmp(list->item[i], hop_role_name((enum hop_role)role)) == 0)
				bits |= (uint8_t)role;
	return bits;
}

static uint64_t number_at(const uint8_t *bytes)
{
	uint64_t number;

	memcpy(&number, bytes, sizeof number);
	return be64toh(number);
}

/* mask_of - so many of 64 bits, from the highest on */
static uint64_t mask_of(unsigned bits)
{
	return bits == 0 ? 0 : bits >= 64 ? UINT64_MAX : ~(UINT64_MAX >> bits);
}

/* address_bit - of its /24 (IPv4) or /48 (IPv6) */
static uint64_t address_bit(const uint8_t *address)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	bool is_ipv4 = memcmp(address, mapped, sizeof mapped) == 0;
	uint64_t part = is_ipv4 ? number_at(address + 8) >> 8 : number_at(address) >> 16;

	return hash_bit(part * UINT64_C(0x100000001b3) + NETWORK_SEED);
}

/* network_filter - one bit, or all where it is wider than what an address is hashed by */
static uint64_t network_filter(const struct cidr *cidr)
{
	enum { IPV4_BITS = 96 + 24, IPV6_BITS = 48 };
	static const struct cidr ipv4 = {{[10] = 0xff, [11] = 0xff}, 96};
	bool is_ipv4 = cidr_contains(&ipv4, cidr);

	return cidr->bits >= (is_ipv4 ? IPV4_BITS : IPV6_BITS) ? address_bit(cidr->address) : UINT64_MAX;
}

static void add_network(struct rules *rules, const struct cidr *cidr)
{
	rules->network =
		xrealloc(rules->network, (rules->network_count + 1) * sizeof *rules->network);
	rules->network[rules->network_count++] = (struct network){number_at(cidr->address),
		number_at(cidr->address + 8), mask_of(cidr->bits),
		mask_of(cidr->bits > 64 ? cidr->bits - 64 : 0)};
}

static void add_clients(struct rules *rules, struct entry *entry, struct filters *filters,
	const struct conf_strings *list)
{
	entry->first_network = (uint32_t)rules->network_count;
	entry->clients = list->count == 0 ? UINT8_MAX : 0;
	for (size_t i = 0; i < list->count; i++) {
		struct cidr cidr;

		if (cidr_parse(list->item[i], &cidr)) {
			add_network(rules, &cidr);
			entry->networks++;
			filters->network |= network_filter(&cidr);
			continue;
		}
		for (size_t c = 0; c < sizeof clients / sizeof *clients; c++)
			if (strcmp(list->item[i], clients[c].word) == 0)
				entry->clients |= (uint8_t)clients[c].bit;
	}
	if (entry->clients != 0)
		filters->network = UINT64_MAX;
}

struct rules *rules_new(const struct conf_rule *rule, size_t count)
{
	struct rules *rules = xcalloc(1, sizeof *rules + count * sizeof *rules->filters);

	rules->rule = rule;
	rules->count = count;
	rules->entry = xcalloc(count + 1, sizeof *rules->entry);
	for (size_t i = 0; i < count; i++) {
		struct filters *filters = &rules->filters[i];
		struct entry *entry = &rules->entry[i];

		filters->hop = list_filter(&rule[i].hop, ':', NULL);
		filters->sender = list_filter(&rule[i].sender, '@', &filters->sender_tail);
		filters->recipient = list_filter(&rule[i].recipient, '@', &filters->recipient_tail);
		entry->reasons = reason_bits(&rule[i].reason);
		entry->roles = role_bits(&rule[i].role);
		add_clients(rules, entry, filters, &rule[i].client);
		rules->has_recipients |= rule[i].recipient.count > 0;
	}
	return rules;
}

void rules_free(struct rules *rules)
{
	if (rules == NULL)
		return;
	free(rules->network);
	free(rules->entry);
	free(rules);
}

bool rules_ask_recipient(const struct rules *rules)
{
	return rules->has_recipients;
}

static bool in_networks(const struct rules *rules, const struct entry *entry,
	const struct cidr *address, uint64_t high, uint64_t low)
{
	const struct network *network = rules->network + entry->first_network;

	if (address == NULL)
		return false;
	for (unsigned i = 0; i < entry->networks; i++, network++)
		if ((((network->high ^ high) & network->high_mask) |
			    ((network->low ^ low) & network->low_mask)) == 0)
			return true;
	return false;
}

static bool in_list(const struct conf_strings *list, const char *text, bool is_folded)
{
	for (size_t i = 0; i < list->count; i++)
		if (is_folded ? pattern_match_folded(list->item[i], text)
			      : pattern_match(list->item[i], text))
			return true;
	return list->count == 0;
}

const struct conf_rule *rules_first(const struct rules *rules, const struct rules_question *question)
{
	const char *sender = *question->sender != '\0' ? question->sender : "<>";
	uint64_t reason = UINT64_C(1) << question->reason;
	uint64_t high = 0, low = 0, of_hop, of_sender, of_recipient, of_address = UINT64_MAX;
	uint64_t of_sender_tail = tail_filter(sender), of_recipient_tail = tail_filter(question->recipient);

	if (rules->count == 0)
		return NULL;
	of_hop = text_filter(question->hop, ':');
	of_sender = text_filter(sender, '@');
	of_recipient = text_filter(question->recipient, '@');
	if (question->address != NULL) {
		high = number_at(question->address->address);
		low = number_at(question->address->address + 8);
		of_address = address_bit(question->address->address);
	}
	for (size_t i = 0; i < rules->count; i++) {
		const struct filters *filters = &rules->filters[i];
		const struct entry *entry = &rules->entry[i];
		const struct conf_rule *rule = &rules->rule[i];

		if ((filters->hop & of_hop) == 0 || (filters->network & of_address) == 0 ||
			((filters->sender & of_sender) | (filters->sender_tail & of_sender_tail)) == 0 ||
			((filters->recipient & of_recipient) |
				(filters->recipient_tail & of_recipient_tail)) == 0)
			continue;
		if ((entry->reasons & reason) != 0 && (entry->roles & question->role) != 0 &&
			((entry->clients & question->client) != 0 ||
				in_networks(rules, entry, question->address, high, low)) &&
			in_list(&rule->hop, question->hop, false) && in_list(&rule->sender, sender, true) &&
			in_list(&rule->recipient, question->recipient, true))
			return rule;
	}
	return NULL;
}
