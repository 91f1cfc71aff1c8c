/*
 * suite - the main() that all unit tests share
 */
#ifndef FF_SUITE_H
#define FF_SUITE_H

#include <check.h>
#include <stdlib.h>

/* suite_run - run what add() puts into one test case; returns the exit status */
static inline int suite_run(const char *name, void (*add)(TCase *tcase))
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 60);
	add(tcase);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
