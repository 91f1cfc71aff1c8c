/*
 * credentials - user name and password for a probe
 *
 * They come from the keyring just before the connection is made, for smtp(8) looks them up by the name of the server,
 * and go as soon as the dialogue has said what it found.  What stays is a print, a salted digest: by that rejected
 * credentials are known again, and not sent once more.
 */
#include "probe/prober_private.h"

#include "base/secret.h"
#include "probe/sasl_plugins.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

void credentials_start(struct prober *prober)
{
	(void)!getrandom(prober->salt, sizeof prober->salt, 0);
}

const unsigned char *prober_salt(const struct prober *prober)
{
	return prober->salt;
}

void prober_use_salt(struct prober *prober, const unsigned char salt[DEEP_PRINT_BYTES])
{
	memcpy(prober->salt, salt, DEEP_PRINT_BYTES);
}

void prober_use_keyring(struct prober *prober, const struct keyring *keyring)
{
	prober->keyring = keyring;
}

void credentials_wipe(struct probe *probe)
{
	secret_wipe(&probe->credentials, sizeof probe->credentials);
	probe->has_credentials = false;
}

/* make_print - false when the library refuses */
static bool make_print(
	const struct prober *prober, const struct credentials *credentials, unsigned char out[DEEP_PRINT_BYTES])
{
	unsigned char text[sizeof prober->salt + sizeof credentials->user + sizeof credentials->password] = {0};
	unsigned length = 0;
	bool is_made;

	/* What is behind the final NULs is zero: equal credentials give equal texts. */
	memcpy(text, prober->salt, sizeof prober->salt);
	(void)strcpy((char *)text + sizeof prober->salt, credentials->user);
	(void)strcpy((char *)text + sizeof prober->salt + sizeof credentials->user, credentials->password);
	is_made = EVP_Digest(text, sizeof text, out, &length, EVP_sha256(), NULL) == 1;
	secret_wipe(text, sizeof text);
	return is_made && length == DEEP_PRINT_BYTES;
}

/* take - use them, unless they were rejected before, by this engine or by one before it */
static void take(struct probe *probe, const struct credentials *credentials)
{
	if (!make_print(probe->prober, credentials, probe->print)) {
		(void)snprintf(probe->no_credentials, sizeof probe->no_credentials, "no SHA-256 in OpenSSL");
		return;
	}
	probe->has_print = true;
	probe->is_spared = deep_is_rejected(probe->request.deep, probe->print);
	if (probe->is_spared)
		return;
	probe->credentials = *credentials;
	probe->has_credentials = true;
}

static void on_told(void *arg, const struct keyring_answer *answer)
{
	struct probe *probe = arg;

	probe->asking = 0;
	probe->is_stranger = answer->status == KEYRING_NONE;
	if (answer->status == KEYRING_FOUND)
		take(probe, answer->credentials);
	else if (answer->status == KEYRING_ERROR)
		(void)snprintf(probe->no_credentials, sizeof probe->no_credentials, "%s", answer->why);
	prober_connect(probe);
}

bool credentials_ask(struct probe *probe)
{
	const struct keyring *keyring = probe->prober->keyring;

	credentials_wipe(probe);
	probe->no_credentials[0] = '\0';
	probe->is_stranger = probe->has_print = probe->is_spared = false;
	if (!probe->task.has_auth || keyring == NULL)
		return false;
	probe->asking = keyring->ask(keyring->keyring_arg, probe->request.name, probe->number,
		terms_server_name(probe), on_told, probe);
	if (probe->asking != 0)
		return true;
	(void)snprintf(probe->no_credentials, sizeof probe->no_credentials, "out of memory");
	return false;
}

const struct smtp_auth_request *credentials_for_dialogue(struct probe *probe)
{
	const struct probe_auth *auth = probe->terms.auth;

	if (!probe->has_credentials)
		return NULL;
	probe->auth = (struct smtp_auth_request){
		.credentials = &probe->credentials,
		.filter = auth->filter,
		.level = auth->level,
		.is_installed = sasl_plugins_has,
		.peer = probe->peer,
	};
	for (int i = 0; i <= SMTP_AUTH_VERIFIED; i++)
		probe->auth.options[i] = auth->options[i];
	return &probe->auth;
}
