/*
 * empty_milter - a libmilter plugin that does nothing: what a plugin costs at least
 *
 *	empty_milter [-r [-l]] [-s STEPS] SOCKET
 *
 * Postfix hands it the same macros as failfast-milter, and with the STEPS that failfast-milter negotiates away
 * (a number, as mta_load prints it) it takes the same steps.  It accepts all mail; with -r it refuses each
 * recipient with one and the same reply, and with -l writes a line about it to standard error.  SOCKET is as libmilter
 * has it.  It serves until it is killed.
 */
#include <libmilter/mfapi.h>

#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LISTEN_BACKLOG = 1024 }; /* failfast-milter's */

static bool refuses, logs;
static unsigned long left_out = SMFIP_NOCONNECT | SMFIP_NOHELO | SMFIP_NOMAIL | SMFIP_NOEOH | SMFIP_NOBODY |
				SMFIP_NOUNKNOWN | SMFIP_NOHDRS | SMFIP_NODATA;

static sfsistat on_recipient(SMFICTX *ctx, char **argv)
{
	static char code[] = "451", enhanced[] = "4.4.1";
	static char text[] = "transport is temporarily unavailable: connection refused";

	if (!refuses || smfi_setreply(ctx, code, enhanced, text) != MI_SUCCESS)
		return SMFIS_CONTINUE;
	if (logs)
		(void)fprintf(stderr, "NOQUEUE: tempfail: to=%s, reply=\"%s %s %s\"\n", argv[0], code, enhanced, text);
	return SMFIS_TEMPFAIL;
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
	(void)ctx;
	(void)name;
	(void)value;
	return (left_out & SMFIP_NR_HDR) != 0 ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

static sfsistat go_on(SMFICTX *ctx)
{
	(void)ctx;
	return SMFIS_CONTINUE;
}

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long offered_actions, unsigned long offered_steps,
	unsigned long unused2, unsigned long unused3, unsigned long *actions, unsigned long *steps,
	unsigned long *out2, unsigned long *out3)
{
	static char rcpt_macros[] = "i j {daemon_addr} {daemon_port} {client_addr} {client_name} "
				    "{auth_authen} {mail_addr} {rcpt_addr} {rcpt_host} {rcpt_mailer}";
	static char end_macros[] = "i";

	(void)unused2;
	(void)unused3;
	*actions = offered_actions &
		   (SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_QUARANTINE | SMFIF_SETSYMLIST);
	*steps = offered_steps & left_out;
	*out2 = *out3 = 0;
	(void)smfi_setsymlist(ctx, SMFIM_ENVRCPT, rcpt_macros);
	(void)smfi_setsymlist(ctx, SMFIM_EOM, end_macros);
	return SMFIS_CONTINUE;
}

int main(int argc, char **argv)
{
	struct smfiDesc description = {
		.xxfi_name = "empty_milter",
		.xxfi_version = SMFI_VERSION,
		.xxfi_flags = SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_QUARANTINE | SMFIF_SETSYMLIST,
		.xxfi_envrcpt = on_recipient,
		.xxfi_header = on_header,
		.xxfi_eom = go_on,
		.xxfi_abort = go_on,
		.xxfi_close = go_on,
		.xxfi_data = go_on,
		.xxfi_negotiate = on_negotiate,
	};
	int option;

	while ((option = getopt(argc, argv, "lrs:")) != -1) {
		if (option == 'r')
			refuses = true;
		else if (option == 'l')
			logs = true;
		else if (option == 's')
			left_out = strtoul(optarg, NULL, 0);
		else
			return 64;
	}
	if (optind + 1 != argc)
		errx(64, "usage: empty_milter [-r [-l]] [-s STEPS] SOCKET");
	if (smfi_setconn(argv[optind]) != MI_SUCCESS || smfi_register(description) != MI_SUCCESS ||
		smfi_setbacklog(LISTEN_BACKLOG) != MI_SUCCESS || smfi_opensocket(true) != MI_SUCCESS)
		errx(69, "%s: cannot listen there", argv[optind]);
	return smfi_main() == MI_SUCCESS ? EXIT_SUCCESS : EXIT_FAILURE;
}
