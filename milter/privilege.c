/*
 * privilege - who keeper and engine are
 */
#include "privilege.h"

#include "base/log.h"
#include "postfix/instance.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* find_user - by a name of a configuration */
static bool find_user(const char *what, const char *name, struct identity *identity)
{
	const struct passwd *user;

	errno = 0;
	user = getpwnam(name);
	if (user == NULL) {
		if (errno != 0)
			log_err("%s = %s", what, name);
		else
			log_errx("%s = %s: no such user", what, name);
		return false;
	}
	*identity = (struct identity){user->pw_uid, user->pw_gid};
	return true;
}

/* find_mail_owner - of the first instance; whoever may not see Postfix's configuration needs none
 */
static bool find_mail_owner(const struct sources *sources, struct identity *identity)
{
	struct instance *instance =
		sources->count > 0 ? instance_new(&sources->postconfs[0]) : NULL;
	bool is_found;

	if (instance == NULL)
		return true;
	is_found = find_user(
		"Postfix's mail_owner", instance_parameter(instance, "mail_owner"), identity);
	instance_free(instance);
	return is_found;
}

bool privilege_find(const struct sources *sources, struct privilege *privilege)
{
	const char *user = sources->conf->user;

	*privilege = (struct privilege){
		.is_root = geteuid() == 0 && *user != '\0',
		.keeper = {geteuid(), getegid()},
		.engine = {geteuid(), getegid()},
	};
	if (!privilege->is_root)
		return true;
	(void)snprintf(privilege->user, sizeof privilege->user, "%s", user);
	if (!find_user("user", user, &privilege->engine))
		return false;
	privilege->keeper = privilege->engine;
	return find_mail_owner(sources, &privilege->keeper);
}

/* set_capabilities - to exactly these, not effective but when they are to be used now */
static bool set_capabilities(bool has_setid, bool is_effective)
{
	static const cap_value_t setid[] = {CAP_SETUID, CAP_SETGID};
	cap_t capabilities = cap_init();
	bool is_set = capabilities != NULL;

	if (has_setid)
		is_set =
			is_set && cap_set_flag(capabilities, CAP_PERMITTED, 2, setid, CAP_SET) == 0;
	if (is_effective)
		is_set =
			is_set && cap_set_flag(capabilities, CAP_EFFECTIVE, 2, setid, CAP_SET) == 0;
	is_set = is_set && cap_set_proc(capabilities) == 0;
	if (capabilities != NULL)
		(void)cap_free(capabilities);
	return is_set;
}

/* allow_only - a system call that sets three ids, with all of them this one */
static int allow_only(scmp_filter_ctx filter, int call, unsigned id)
{
	int status = 0;

	for (unsigned i = 0; i < 3 && status == 0; i++) {
		const struct scmp_arg_cmp other = {.arg = i, .op = SCMP_CMP_NE, .datum_a = id};

		status = seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), call, 1, &other);
	}
	return status;
}

/* refuse_calls - those that make another user of us; a user namespace would give the engine's
 * number another meaning */
static int refuse_calls(scmp_filter_ctx filter)
{
	/* Those with a number behind them are of 32 bit machines. */
	static const int calls[] = {SCMP_SYS(setuid), SCMP_SYS(setuid32), SCMP_SYS(setgid),
		SCMP_SYS(setgid32), SCMP_SYS(setreuid), SCMP_SYS(setreuid32), SCMP_SYS(setregid),
		SCMP_SYS(setregid32), SCMP_SYS(setfsuid), SCMP_SYS(setfsuid32), SCMP_SYS(setfsgid),
		SCMP_SYS(setfsgid32), SCMP_SYS(setgroups), SCMP_SYS(setgroups32), SCMP_SYS(unshare),
		SCMP_SYS(setns)};
	static const struct scmp_arg_cmp new_user = {.arg = 0,
		.op = SCMP_CMP_MASKED_EQ,
		.datum_a = CLONE_NEWUSER,
		.datum_b = CLONE_NEWUSER};
	int status = 0;

	for (size_t i = 0; i < sizeof calls / sizeof *calls && status == 0; i++)
		status = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), calls[i], 0);
	if (status == 0)
		status = seccomp_rule_add_array(
			filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1, &new_user);
	/* Its flags are out of a filter's sight; the C library then takes clone(2). */
	if (status == 0)
		status = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return status;
}

/* filter_calls - from now on, and in every child, there is nobody to become but the engine's user
 */
static int filter_calls(const struct identity *engine)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int status = filter != NULL ? refuse_calls(filter) : -ENOMEM;

	if (status == 0)
		status = allow_only(filter, SCMP_SYS(setresuid), engine->uid);
	if (status == 0)
		status = allow_only(filter, SCMP_SYS(setresuid32), engine->uid);
	if (status == 0)
		status = allow_only(filter, SCMP_SYS(setresgid), engine->gid);
	if (status == 0)
		status = allow_only(filter, SCMP_SYS(setresgid32), engine->gid);
	if (status == 0)
		status = seccomp_load(filter);
	if (filter != NULL)
		seccomp_release(filter);
	return status;
}

/* confine - keep no more than what starts an engine, and not even that where it cannot be confined
 */
static bool confine(const struct privilege *privilege)
{
	int status = filter_calls(&privilege->engine);

	if (status == 0)
		return set_capabilities(true, false);
	log_warnx("seccomp(2): %s: an engine that crashes cannot be started again",
		strerror(-status));
	return set_capabilities(false, false);
}

bool privilege_become_keeper(const struct privilege *privilege)
{
	const struct identity *keeper = &privilege->keeper;

	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (!privilege->is_root)
		return true;
	if (initgroups(privilege->user, privilege->engine.gid) < 0 ||
		prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 ||
		setresgid(keeper->gid, keeper->gid, keeper->gid) < 0 ||
		setresuid(keeper->uid, keeper->uid, keeper->uid) < 0 || !confine(privilege)) {
		log_err("cannot become Postfix's mail_owner");
		return false;
	}
	return true;
}

bool privilege_become_user(const struct privilege *privilege)
{
	const struct identity *user = &privilege->engine;

	if (!privilege->is_root)
		return true;
	/* Without PR_SET_KEEPCAPS the capabilities of root go with its number. */
	if (initgroups(privilege->user, user->gid) < 0 || setresgid(user->gid, user->gid, user->gid) < 0 ||
		setresuid(user->uid, user->uid, user->uid) < 0 || !set_capabilities(false, false)) {
		log_err("cannot become %s", privilege->user);
		return false;
	}
	return true;
}

/* set_ids - of this thread, the only one.  The C library's functions would make a sanitizer's thread follow, which has
 * no capabilities, and abort. */
static bool set_ids(const struct identity *identity)
{
#ifdef SYS_setresuid32
	return syscall(SYS_setresgid32, identity->gid, identity->gid, identity->gid) == 0 &&
	       syscall(SYS_setresuid32, identity->uid, identity->uid, identity->uid) == 0;
#else
	return syscall(SYS_setresgid, identity->gid, identity->gid, identity->gid) == 0 &&
	       syscall(SYS_setresuid, identity->uid, identity->uid, identity->uid) == 0;
#endif
}

bool privilege_become_engine(const struct privilege *privilege)
{
	if (!privilege->is_root)
		return true;
	if (!set_capabilities(true, true) || !set_ids(&privilege->engine) ||
		!set_capabilities(false, false)) {
		log_err("cannot become %s", privilege->user);
		return false;
	}
	return true;
}
