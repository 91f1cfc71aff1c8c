/*
 * tls_store - what has been read of the files of authorities
 *
 * Debian's list of authorities takes a while to parse, and most hops share one.  It is read again when the file, or the
 * directory, has changed.
 */
#include "probe/tls_private.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONTEXTS = 16 };

/* How a file or directory looked. */
struct stamp {
	dev_t device;
	ino_t inode;
	off_t bytes;
	struct timespec changed;
};

struct context {
	SSL_CTX *ssl;
	char ca_file[TLS_PLAN_PATH_BYTES], ca_path[TLS_PLAN_PATH_BYTES];
	bool has_default_ca, is_for_trust;
	struct stamp file, path;
};

struct tls_store {
	struct context context[CONTEXTS];
	unsigned next; /* the place that is used next */
};

struct tls_store *tls_store_new(void)
{
	return calloc(1, sizeof(struct tls_store));
}

void tls_store_free(struct tls_store *store)
{
	if (store == NULL)
		return;
	for (int i = 0; i < CONTEXTS; i++)
		SSL_CTX_free(store->context[i].ssl);
	free(store);
}

const char *tls_library_error(const char *fallback)
{
	unsigned long code = ERR_get_error();
	const char *text = code != 0 ? ERR_reason_error_string(code) : NULL;

	ERR_clear_error();
	return text != NULL ? text : fallback;
}

static void look(const char *path, struct stamp *stamp)
{
	struct stat status;

	memset(stamp, 0, sizeof *stamp);
	if (*path == '\0' || stat(path, &status) != 0)
		return;
	stamp->device = status.st_dev;
	stamp->inode = status.st_ino;
	stamp->bytes = status.st_size;
	stamp->changed = status.st_mtim;
}

/* refuse - we cannot read what Postfix can: that is ours; a file that is not there switches Postfix's TLS off */
static void refuse(const struct tls_plan *plan, const char *path, int error, struct tls_refusal *refusal)
{
	bool is_ours = plan->has_own_ca || error == EACCES;

	refusal->reason = is_ours ? REASON_LOCAL_ERROR : REASON_TLS_UNAVAILABLE;
	(void)snprintf(refusal->error, sizeof refusal->error, "cannot load certificates from %.100s: %s", path,
		error != 0 ? strerror(error) : tls_library_error("no certificate in it"));
	ERR_clear_error();
}

/* is_open - may we read the path, as far as there is one? */
static bool is_open(const struct tls_plan *plan, const char *path, int mode, struct tls_refusal *refusal)
{
	if (*path == '\0' || access(path, mode) == 0)
		return true;
	/* OpenSSL takes a directory that is not there for an empty one. */
	if ((mode & X_OK) != 0 && errno != EACCES)
		return true;
	refuse(plan, path, errno, refusal);
	return false;
}

static const char *path_or_null(const char *path)
{
	return *path != '\0' ? path : NULL;
}

static bool load(SSL_CTX *ssl, const struct tls_plan *plan, struct tls_refusal *refusal)
{
	const char *file = path_or_null(plan->ca_file), *path = path_or_null(plan->ca_path);

	/* Where nobody has to be believed the files only have to be there. */
	if (plan->level < TLS_LEVEL_VERIFY)
		return is_open(plan, plan->ca_file, F_OK, refusal);
	if (!is_open(plan, plan->ca_file, R_OK, refusal) ||
		!is_open(plan, plan->ca_path, R_OK | X_OK, refusal))
		return false;
	ERR_clear_error();
	if ((file != NULL || path != NULL) && SSL_CTX_load_verify_locations(ssl, file, path) != 1) {
		refuse(plan, file != NULL ? file : path, 0, refusal);
		return false;
	}
	return !plan->has_default_ca || SSL_CTX_set_default_verify_paths(ssl) == 1;
}

/* go_on - smtp(8) completes the handshake whatever the certificate, and looks at the result; of several errors it logs
 * this one */
static int go_on(int is_ok, X509_STORE_CTX *store)
{
	const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls *tls = SSL_get_app_data(ssl);
	int depth = X509_STORE_CTX_get_error_depth(store);

	if (is_ok || (tls->trust_depth >= 0 && tls->trust_depth <= depth))
		return 1;
	tls->trust_error = X509_STORE_CTX_get_error(store);
	tls->trust_depth = depth;
	return 1;
}

/* no_certificate - Postfix's own, if it has one, is not for us to read */
static int no_certificate(SSL *ssl, X509 **certificate, EVP_PKEY **key)
{
	struct tls *tls = SSL_get_app_data(ssl);

	(void)certificate;
	(void)key;
	tls->wants_certificate = true;
	return 0;
}

static SSL_CTX *new_context(const struct tls_plan *plan, struct tls_refusal *refusal)
{
	SSL_CTX *ssl = SSL_CTX_new(TLS_client_method());

	refusal->reason = REASON_LOCAL_ERROR;
	(void)snprintf(refusal->error, sizeof refusal->error, "out of memory for TLS");
	if (ssl == NULL)
		return NULL;
	SSL_CTX_set_security_level(ssl, 0);
	/* A probe is over before there would be a reason to begin anew. */
	SSL_CTX_set_options(ssl, SSL_OP_ALL | SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_verify(ssl, SSL_VERIFY_NONE, go_on);
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_client_cert_cb(ssl, no_certificate);
	if (!load(ssl, plan, refusal)) {
		SSL_CTX_free(ssl);
		return NULL;
	}
	return ssl;
}

static bool is_same(const struct context *context, const struct tls_plan *plan)
{
	struct stamp file, path;

	if (context->ssl == NULL || context->has_default_ca != plan->has_default_ca ||
		context->is_for_trust != (plan->level >= TLS_LEVEL_VERIFY) ||
		strcmp(context->ca_file, plan->ca_file) != 0 || strcmp(context->ca_path, plan->ca_path) != 0)
		return false;
	look(plan->ca_file, &file);
	look(plan->ca_path, &path);
	return memcmp(&file, &context->file, sizeof file) == 0 &&
	       memcmp(&path, &context->path, sizeof path) == 0;
}

SSL_CTX *tls_store_context(struct tls_store *store, const struct tls_plan *plan, struct tls_refusal *refusal)
{
	struct context fresh = {
		.has_default_ca = plan->has_default_ca, .is_for_trust = plan->level >= TLS_LEVEL_VERIFY};
	struct context *place;

	for (int i = 0; i < CONTEXTS; i++)
		if (is_same(&store->context[i], plan))
			return store->context[i].ssl;
	(void)strcpy(fresh.ca_file, plan->ca_file);
	(void)strcpy(fresh.ca_path, plan->ca_path);
	look(plan->ca_file, &fresh.file);
	look(plan->ca_path, &fresh.path);
	fresh.ssl = new_context(plan, refusal);
	if (fresh.ssl == NULL)
		return NULL;
	place = &store->context[store->next++ % CONTEXTS];
	SSL_CTX_free(place->ssl);
	*place = fresh;
	return place->ssl;
}
