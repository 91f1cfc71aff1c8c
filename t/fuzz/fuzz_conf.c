/*
 * fuzz_conf - any bytes as a configuration file
 *
 * Either there is an object and no report, or there is no object and at least one report; every
 * report is one line.  conf_parse() puts its own scanner before libconfuse, which is not
 * instrumented: a message of libconfuse itself would mean that the scanner let something through.
 */
#include "conf/conf.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void count_report(void *arg, const char *message)
{
	unsigned *count = arg;

	if (strncmp(message, "FILE", 4) != 0 || strpbrk(message, "\r\n") != NULL)
		abort();
	message += strcspn(message + strlen("FILE:"), ":") + strlen("FILE:");
	if (strncmp(message, ": (libconfuse)", strlen(": (libconfuse)")) == 0)
		abort();
	++*count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf_hop_settings settings;
	unsigned reports = 0;
	FILE *fp =
		size > 0 ? fmemopen((void *)(uintptr_t)data, size, "r") : fopen("/dev/null", "r");
	struct conf *conf;

	if (fp == NULL)
		return 0;
	conf = conf_parse(fp, "FILE", count_report, &reports);
	(void)fclose(fp);
	if ((conf == NULL) != (reports > 0))
		abort();
	if (conf != NULL)
		conf_hop_settings(conf, "relay:[smtp.example.net]:587", &settings);
	conf_unref(conf);
	return 0;
}
