/*
 * check_privilege - keeper and engine become who they should be, and nobody else
 *
 * As root a child walks the way of the keeper and of the engine; as a user both stay who they are.
 */
#include "privilege.h"

#include "suite.h"

#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <sys/capability.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KEEPER = 4101, KEEPER_GROUP = 4102, ENGINE = 4103, ENGINE_GROUP = 4104 };

static const struct privilege privilege = {
	.is_root = true,
	.keeper = {KEEPER, KEEPER_GROUP},
	.engine = {ENGINE, ENGINE_GROUP},
	.user = "nobody",
};

/* has_capabilities - exactly these, 0: none */
static bool has_capabilities(cap_flag_t set, bool has_setid)
{
	cap_t capabilities = cap_get_proc();
	bool is_right = true;

	for (cap_value_t value = 0; value <= CAP_LAST_CAP; value++) {
		cap_flag_value_t is_set = CAP_CLEAR;
		bool is_wanted = has_setid && (value == CAP_SETUID || value == CAP_SETGID);

		(void)cap_get_flag(capabilities, value, set, &is_set);
		is_right = is_right && (is_set == CAP_SET) == is_wanted;
	}
	(void)cap_free(capabilities);
	return is_right;
}

/* take_capabilities - what somebody who got hold of the keeper would do first */
static void take_capabilities(void)
{
	static const cap_value_t setid[] = {CAP_SETUID, CAP_SETGID};
	cap_t capabilities = cap_get_proc();

	ck_assert_int_eq(cap_set_flag(capabilities, CAP_EFFECTIVE, 2, setid, CAP_SET), 0);
	ck_assert_int_eq(cap_set_proc(capabilities), 0);
	(void)cap_free(capabilities);
}

/* ck_refused - of a system call: the C library would have a sanitizer's thread follow, and abort when that cannot */
static void ck_refused(long status)
{
	ck_assert_int_eq(status, -1);
	ck_assert_int_eq(errno, EPERM);
}

START_TEST(the_keeper_is_mail_owner_without_any_effective_capability)
{
	uid_t real, effective, saved;

	ck_assert(privilege_become_keeper(&privilege));
	ck_assert_int_eq(getresuid(&real, &effective, &saved), 0);
	ck_assert(real == KEEPER && effective == KEEPER && saved == KEEPER);
	ck_assert_int_eq(getegid(), KEEPER_GROUP);
	ck_assert(has_capabilities(CAP_EFFECTIVE, false));
	ck_assert(has_capabilities(CAP_PERMITTED, true));
	ck_assert(has_capabilities(CAP_INHERITABLE, false));
}
END_TEST

START_TEST(with_all_its_capabilities_the_keeper_can_become_the_engine_and_nobody_else)
{
	gid_t group = 0;

	ck_assert(privilege_become_keeper(&privilege));
	take_capabilities();
	ck_refused(syscall(SYS_setuid, 0));
	ck_refused(syscall(SYS_setgid, 0));
	ck_refused(syscall(SYS_setreuid, 0, 0));
	ck_refused(syscall(SYS_setregid, 0, 0));
	ck_refused(syscall(SYS_setresuid, 0, 0, 0));
	ck_refused(syscall(SYS_setresuid, ENGINE, ENGINE, 0));
	ck_refused(syscall(SYS_setresuid, ENGINE, 0, ENGINE));
	ck_refused(syscall(SYS_setresuid, 0, ENGINE, ENGINE));
	ck_refused(syscall(SYS_setresuid, KEEPER, KEEPER, KEEPER));
	ck_refused(syscall(SYS_setresgid, 0, 0, 0));
	ck_refused(syscall(SYS_setgroups, 1, &group));
	ck_refused(unshare(CLONE_NEWUSER));
	ck_assert_int_eq(syscall(SYS_setresgid, ENGINE_GROUP, ENGINE_GROUP, ENGINE_GROUP), 0);
	ck_assert_int_eq(syscall(SYS_setresuid, ENGINE, ENGINE, ENGINE), 0);
}
END_TEST

START_TEST(an_engine_has_no_capability_and_no_way_back)
{
	uid_t real, effective, saved;

	ck_assert(privilege_become_keeper(&privilege));
	ck_assert(privilege_become_engine(&privilege));
	ck_assert_int_eq(getresuid(&real, &effective, &saved), 0);
	ck_assert(real == ENGINE && effective == ENGINE && saved == ENGINE);
	ck_assert_int_eq(getegid(), ENGINE_GROUP);
	ck_assert(has_capabilities(CAP_EFFECTIVE, false));
	ck_assert(has_capabilities(CAP_PERMITTED, false));
	ck_refused(syscall(SYS_setresuid, KEEPER, KEEPER, KEEPER));
	ck_refused(syscall(SYS_setresuid, 0, 0, 0));
}
END_TEST

START_TEST(a_second_engine_can_be_started)
{
	int status;

	ck_assert(privilege_become_keeper(&privilege));
	for (int i = 0; i < 2; i++) {
		if (fork() == 0)
			_exit(privilege_become_engine(&privilege) && getuid() == ENGINE ? 0 : 1);
		ck_assert_int_gt(wait(&status), 0);
		ck_assert_int_eq(status, 0);
	}
}
END_TEST

START_TEST(without_root_everybody_stays_who_they_are)
{
	const struct privilege none = {.keeper = {geteuid(), getegid()}, .engine = {geteuid(), getegid()}};

	if (geteuid() == 0) {
		ck_assert_int_eq(setgid(KEEPER_GROUP), 0);
		ck_assert_int_eq(setuid(KEEPER), 0);
	}
	ck_assert(privilege_become_keeper(&none));
	ck_assert(privilege_become_engine(&none));
	ck_assert_int_ne(geteuid(), ENGINE);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, without_root_everybody_stays_who_they_are);
	if (geteuid() != 0)
		return;
	tcase_add_test(tcase, the_keeper_is_mail_owner_without_any_effective_capability);
	tcase_add_test(tcase, with_all_its_capabilities_the_keeper_can_become_the_engine_and_nobody_else);
	tcase_add_test(tcase, an_engine_has_no_capability_and_no_way_back);
	tcase_add_test(tcase, a_second_engine_can_be_started);
}

int main(void)
{
	return suite_run("privilege", add);
}
