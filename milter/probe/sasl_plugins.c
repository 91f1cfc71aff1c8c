/*
 * sasl_plugins - which mechanisms Cyrus SASL has on this host, and so smtp(8)
 *
 * A Postfix without libsasl2-modules says "no mechanism available" to every server, and a server that offers GSSAPI
 * alone is of no use to one that has no such plugin.
 */
#include "probe/sasl_plugins.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const directories[] = {
	"/usr/lib/*/sasl2", "/usr/lib/sasl2", "/usr/lib64/sasl2", "/usr/local/lib/sasl2"};

/* The file of a mechanism, or of a family of them; what is not here is not known. */
static const struct {
	const char *mechanism, *file;
} plugins[] = {
	{"ANONYMOUS", "libanonymous"},
	{"CRAM-MD5", "libcrammd5"},
	{"DIGEST-MD5", "libdigestmd5"},
	{"GS2", "libgs2"},
	{"GSS", "libgssapiv2"},
	{"LOGIN", "liblogin"},
	{"NTLM", "libntlm"},
	{"OTP", "libotp"},
	{"PLAIN", "libplain"},
	{"SCRAM", "libscram"},
	{"SRP", "libsrp"},
};

static bool has_file(const char *file)
{
	bool has = false;

	for (size_t i = 0; !has && i < sizeof directories / sizeof *directories; i++) {
		char pattern[64];
		glob_t found;

		(void)snprintf(pattern, sizeof pattern, "%s/%s.so*", directories[i], file);
		has = glob(pattern, GLOB_NOSORT, NULL, &found) == 0;
		if (has)
			globfree(&found);
	}
	return has;
}

bool sasl_plugins_has(const char *mechanism)
{
	for (size_t i = 0; i < sizeof plugins / sizeof *plugins; i++)
		if (strncasecmp(mechanism, plugins[i].mechanism, strlen(plugins[i].mechanism)) == 0)
			return has_file(plugins[i].file) || !has_file("lib*");
	return true;
}
