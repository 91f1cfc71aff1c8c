/*
 * reload - what keeper and engine hand each other when configuration changes
 *
 * The keeper may read files that the engine may not, so the texts travel: our configuration and what
 * postconf(1) printed for each Postfix instance.
 */
#ifndef FF_RELOAD_H
#define FF_RELOAD_H

#include "conf/conf.h"
#include "postfix/postconf.h"

#include <stdbool.h>
#include <stddef.h>

/* Both configurations, as texts and parsed. */
struct sources {
	char *filename;
	char *text; /* of failfast-milter.conf */
	struct conf *conf;
	struct postconf *postconfs; /* one for each postfix section */
	size_t count;
};

/* sources_read - read and check everything; false after at least one call of report.  What is in *out
 * then is not to be used; on success it is the caller's to free. */
bool sources_read(struct sources *out, const char *filename, conf_report_fn *report, void *arg);

/* sources_free - free what it owns, not the struct */
void sources_free(struct sources *sources);

/* sources_pack - as one block for CHANNEL_RELOAD; the caller frees it */
char *sources_pack(const struct sources *sources, size_t *bytes);

/* sources_unpack - parse such a block; false when it is damaged, or the configuration is refused */
bool sources_unpack(struct sources *out, const char *block, size_t bytes, conf_report_fn *report,
	void *arg);

#endif
