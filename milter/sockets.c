/*
 * sockets - where Postfix and failfastctl(8) reach us
 */
#include "sockets.h"

#include "base/log.h"
#include "base/sockpath.h"
#include "verdict/milter.h"

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

/* open_milter - Postfix's end; only root may give it to Postfix's group */
static bool open_milter(const struct conf *conf, const struct sockpath_access *access)
{
	const char *path = conf_listen_path(conf);
	char complaint[SOCKPATH_ERROR_BYTES];
	const char *error;
	mode_t mask;
	bool is_open;

	if (path != NULL && !sockpath_prepare(path, access, complaint)) {
		log_errx("listen: %s", complaint);
		return false;
	}
	mask = umask(sockpath_umask(access));
	is_open = milter_open(conf, &error);
	(void)umask(mask);
	if (!is_open) {
		log_errx("listen = \"%s\": %s", conf->listen, error);
		return false;
	}
	if (path != NULL && !sockpath_grant(path, access, complaint)) {
		log_errx("listen: %s", complaint);
		return false;
	}
	return true;
}

int sockets_open(const struct conf *conf, const struct privilege *privilege)
{
	const struct group *group =
		*conf->listen_group != '\0' ? getgrnam(conf->listen_group) : NULL;
	struct sockpath_access access = {
		.uid = privilege->is_root ? privilege->engine.uid : (uid_t)-1,
		.gid = group != NULL ? group->gr_gid : privilege->engine.gid,
		.mode = conf->listen_mode,
		.directory_uid = privilege->is_root ? privilege->keeper.uid : (uid_t)-1,
		.directory_mode = 0750,
	};
	char complaint[SOCKPATH_ERROR_BYTES];
	int fd;

	if (!open_milter(conf, &access))
		return -1;
	access.gid = privilege->is_root ? privilege->engine.gid : (gid_t)-1;
	access.mode = 0660;
	access.directory_mode = 0755;
	fd = sockpath_listen(conf->control, &access, complaint);
	if (fd < 0)
		log_errx("control: %s", complaint);
	return fd;
}

void sockets_remove(const struct conf *conf)
{
	const char *path = conf_listen_path(conf);

	if (path != NULL)
		(void)unlink(path);
	(void)unlink(conf->control);
}
