/*
 * queue_groups - messages that wait, by hop and reason
 *
 * A message counts once in each group that one of its recipients is in, and once in all.  The
 * number of groups is bounded: what has no room any more is summed up, and counted as rightly.
 */
#include "ctl/queue.h"

#include "base/xmem.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

const char *const queue_names[QUEUE_NAMES] = {
	"deferred", "active", "incoming", "maildrop", "hold", "other"};

enum { DEFERRED, ACTIVE, OTHER = QUEUE_NAMES - 1 };

static const char not_tried[] = "not tried yet";

struct node {
	UT_hash_handle hh;
	struct queue_group group;
	char key[];
};

struct queue_groups {
	struct queue_hops *hops;
	struct node *nodes;
	const struct queue_group **sorted;
	struct queue_sum total, others;
	uint64_t in[QUEUE_NAMES];
	uint64_t number; /* of the message that is added */
};

/* What is added. */
struct item {
	const char *directory, *queue_id;
	uint64_t bytes;
	time_t arrival;
};

struct queue_groups *queue_groups_new(struct queue_hops *hops)
{
	struct queue_groups *groups = xcalloc(1, sizeof *groups);

	groups->hops = hops;
	return groups;
}

static void free_node(struct node *node)
{
	for (size_t i = 0; i < QUEUE_SEEN; i++)
		free(node->group.seen[i].server);
	free(node->group.reason);
	free(node->group.example);
	free(node->group.queue_id);
	free(node);
}

void queue_groups_free(struct queue_groups *groups)
{
	struct node *node = groups->nodes, *next;

	/* HASH_CLEAR leaves the elements and how they follow each other */
	HASH_CLEAR(hh, groups->nodes);
	for (; node != NULL; node = next) {
		next = node->hh.next;
		free_node(node);
	}
	free(groups->sorted);
	free(groups);
}

/* count - one recipient more; is it the oldest message of all? */
static bool count(struct queue_sum *sum, const struct item *item, uint64_t number)
{
	bool is_oldest = sum->oldest == 0 || item->arrival < sum->oldest;

	sum->recipients++;
	if (sum->last != number) {
		sum->last = number;
		sum->messages++;
		sum->bytes += item->bytes;
	}
	if (is_oldest)
		sum->oldest = item->arrival;
	return is_oldest;
}

/* server_text - as Postfix writes it; the caller frees it */
static char *server_text(const struct queue_server *server)
{
	if (*server->address == '\0')
		return xstrdup(server->name);
	return server->port != 0
		       ? xasprintf("%s[%s]:%u", server->name, server->address, server->port)
		       : xasprintf("%s[%s]", server->name, server->address);
}

/* find_node - NULL: there is no room for another */
static struct node *find_node(
	struct queue_groups *groups, const struct item *item, const json_t *hop, const char *reason)
{
	char *key = xasprintf("%s\n%s\n%s", item->directory, ctl_text(hop, "hop"), reason);
	struct node *node;

	HASH_FIND_STR(groups->nodes, key, node);
	if (node == NULL && HASH_COUNT(groups->nodes) < QUEUE_GROUPS) {
		node = xcalloc(1, sizeof *node + strlen(key) + 1);
		(void)strcpy(node->key, key);
		node->group.directory = item->directory;
		node->group.hop = hop;
		node->group.reason = xstrdup(reason);
		HASH_ADD_STR(groups->nodes, key, node);
	}
	free(key);
	return node;
}

static void replace(char **text, const char *with)
{
	free(*text);
	*text = xstrdup(with);
}

/* see - a server is named once more */
static void see(struct queue_group *group, const char *server)
{
	struct queue_seen *rarest = &group->seen[0];

	for (size_t i = 0; i < QUEUE_SEEN; i++) {
		struct queue_seen *seen = &group->seen[i];

		if (seen->server != NULL && strcmp(seen->server, server) == 0) {
			seen->recipients++;
			return;
		}
		if (seen->recipients < rarest->recipients)
			rarest = seen;
	}
	replace(&rarest->server, server);
	rarest->error = rarest->recipients++;
}

/* most_named - of those that are not taken; NULL: none is named often enough */
static const struct queue_seen *most_named(const struct queue_group *group, const bool *is_taken)
{
	const struct queue_seen *best = NULL;

	for (size_t i = 0; i < QUEUE_SEEN; i++) {
		const struct queue_seen *seen = &group->seen[i];

		if (!is_taken[i] && seen->server != NULL &&
			(seen->recipients - seen->error) * 10 >= group->sum.recipients &&
			(best == NULL || seen->recipients > best->recipients))
			best = seen;
	}
	return best;
}

size_t queue_group_servers(const struct queue_group *group, const char *servers[QUEUE_SERVERS])
{
	bool is_taken[QUEUE_SEEN] = {false};
	const struct queue_seen *seen;
	size_t count = 0;

	while (count < QUEUE_SERVERS && (seen = most_named(group, is_taken)) != NULL) {
		is_taken[seen - group->seen] = true;
		servers[count++] = seen->server;
	}
	return count;
}

static void add_to(struct queue_groups *groups, struct queue_group *group, const struct item *item,
	const struct queue_server *server, const char *words)
{
	if (count(&group->sum, item, groups->number)) {
		replace(&group->example, words);
		replace(&group->queue_id, item->queue_id);
		group->is_reply = queue_reason_is_reply(words);
	}
	if (server != NULL) {
		char *text = server_text(server);

		see(group, text);
		free(text);
	}
}

/* sender_of - showq(8) writes MAILER-DAEMON where it is empty */
static const char *sender_of(const json_t *message)
{
	const char *sender = ctl_text(message, "sender");

	return strcmp(sender, "MAILER-DAEMON") == 0 ? "" : sender;
}

static void add_recipient(struct queue_groups *groups, const struct item *item, const char *sender,
	const json_t *recipient)
{
	const char *words = ctl_text(recipient, "delay_reason");
	char reason[QUEUE_REASON_BYTES];
	struct queue_server server;
	struct queue_recipient asked = {
		item->directory, sender, ctl_text(recipient, "address"), NULL};
	struct node *node;

	if (*words == '\0')
		words = not_tried;
	else if (queue_reason_server(words, &server))
		asked.server = &server;
	queue_reason_normalize(reason, words);
	node = find_node(groups, item, queue_hops_find(groups->hops, &asked), reason);
	if (node != NULL)
		add_to(groups, &node->group, item, asked.server, words);
	else
		(void)count(&groups->others, item, groups->number);
	(void)count(&groups->total, item, groups->number);
}

static size_t queue_number(const char *name)
{
	size_t i = 0;

	while (i < OTHER && strcmp(queue_names[i], name) != 0)
		i++;
	return i;
}

bool queue_groups_add(struct queue_groups *groups, const char *directory, const json_t *message)
{
	const json_t *recipients = json_object_get(message, "recipients");
	struct item item = {directory, ctl_text(message, "queue_id"),
		(uint64_t)json_integer_value(json_object_get(message, "message_size")),
		(time_t)json_integer_value(json_object_get(message, "arrival_time"))};
	size_t queue = queue_number(ctl_text(message, "queue_name"));

	if (*item.queue_id == '\0' || item.arrival <= 0 || !json_is_array(recipients) ||
		!json_is_string(json_object_get(message, "queue_name")))
		return false;
	groups->number++;
	groups->in[queue]++;
	for (size_t i = 0; queue <= ACTIVE && i < json_array_size(recipients); i++)
		add_recipient(groups, &item, sender_of(message), json_array_get(recipients, i));
	return true;
}

static int by_messages(const void *a, const void *b)
{
	const struct queue_group *const *left = a, *const *right = b;
	const struct queue_sum *l = &(*left)->sum, *r = &(*right)->sum;

	if (l->messages != r->messages)
		return l->messages > r->messages ? -1 : 1;
	if (l->oldest != r->oldest)
		return l->oldest < r->oldest ? -1 : 1;
	return strcmp((*left)->reason, (*right)->reason);
}

const struct queue_group *const *queue_groups_sorted(struct queue_groups *groups, size_t *count_out)
{
	free(groups->sorted);
	*count_out = 0;
	groups->sorted = xcalloc(HASH_COUNT(groups->nodes) + 1, sizeof(struct queue_group *));
	for (const struct node *node = groups->nodes; node != NULL; node = node->hh.next)
		groups->sorted[(*count_out)++] = &node->group;
	qsort(groups->sorted, *count_out, sizeof(struct queue_group *), by_messages);
	return groups->sorted;
}

const struct queue_sum *queue_groups_total(const struct queue_groups *groups)
{
	return &groups->total;
}

const struct queue_sum *queue_groups_others(const struct queue_groups *groups)
{
	return &groups->others;
}

uint64_t queue_groups_in(const struct queue_groups *groups, size_t queue)
{
	return groups->in[queue];
}
