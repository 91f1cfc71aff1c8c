/*
 * postconf - Postfix's own configuration, as Postfix itself prints it
 */
#include "postfix/postconf.h"

#include "base/run.h"
#include "postfix/postconf_large.h"
#include "postfix/postconf_networks.h"
#include "postfix/postconf_tables.h"
#include "postfix/tls_policy.h"
#include "base/xmem.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_MS = 10000, FIELDS = 8 };

/* ask - one run of postconf; false and out->error set when it fails */
static bool ask(struct postconf *out, const char *option, char **text)
{
	const char *const argv[] = {"postconf", "-c", out->directory, option, NULL};

	*text = run_capture(argv, TIMEOUT_MS, &out->error);
	return *text != NULL;
}

/* ask_all - the three texts */
static bool ask_all(struct postconf *out, const char *directory)
{
	*out = (struct postconf){.directory = xstrdup(directory)};
	if (postconf_is_large(directory) && postconf_read_large(out))
		return true;
	return ask(out, "-x", &out->main) && ask(out, "-M", &out->services) &&
	       ask(out, "-Px", &out->parameters);
}

void postconf_read_texts(struct postconf *out, const char *directory)
{
	(void)ask_all(out, directory);
}

void postconf_read(struct postconf *out, const char *directory)
{
	if (!ask_all(out, directory))
		return;
	postconf_read_tables(out);
	tls_policy_read(out);
	postconf_read_networks(out);
}

void postconf_free(struct postconf *postconf)
{
	free(postconf->directory);
	free(postconf->main);
	free(postconf->services);
	free(postconf->parameters);
	free(postconf->hops);
	free(postconf->policies);
	free(postconf->networks);
	free(postconf->error);
	for (size_t i = 0; i < postconf->file_count; i++)
		free(postconf->files[i]);
	free(postconf->files);
	*postconf = (struct postconf){0};
}

char *postconf_pack(const struct postconf *postconf, size_t *out_bytes)
{
	const char *const fields[FIELDS] = {postconf->directory, postconf->main, postconf->services,
		postconf->parameters, postconf->hops, postconf->policies, postconf->networks,
		postconf->error};
	size_t bytes = 0;
	char *block, *end;

	for (int i = 0; i < FIELDS; i++)
		bytes += (fields[i] != NULL ? strlen(fields[i]) : 0) + 1;
	block = end = xcalloc(1, bytes);
	for (int i = 0; i < FIELDS; i++)
		end = stpcpy(end, fields[i] != NULL ? fields[i] : "") + 1;
	*out_bytes = bytes;
	return block;
}

size_t postconf_unpack(struct postconf *out, const char *block, size_t bytes)
{
	char **const fields[FIELDS] = {&out->directory, &out->main, &out->services, &out->parameters,
		&out->hops, &out->policies, &out->networks, &out->error};
	size_t used = 0;

	*out = (struct postconf){0};
	for (int i = 0; i < FIELDS; i++) {
		size_t length = strnlen(block + used, bytes - used);

		if (length == bytes - used) {
			postconf_free(out);
			return 0;
		}
		*fields[i] = xstrndup(block + used, length);
		used += length + 1;
	}
	if (*out->error == '\0') {
		free(out->error);
		out->error = NULL;
	}
	return used;
}
