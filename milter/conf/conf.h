/*
 * conf - failfast-milter.conf(5): one file, parsed by libconfuse into one immutable object
 *
 * conf_parse() reports every error, not only the first, with file, line, option, value and what
 * would be accepted.  A bad file gives no object, so the one in use stays as it is.
 *
 * Objects are reference-counted: whoever keeps one past the call holds a reference.  Everything in
 * it is constant after conf_parse(); any thread may read.
 *
 * Strings are never NULL ("" is "not set") unless a comment says so.  Durations are milliseconds.
 */
#ifndef FF_CONF_H
#define FF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* Where HTTP is unless it is told. */
#define CONF_HTTP_DEFAULT "127.0.0.1:9895"

enum conf_detail { DETAIL_FULL, DETAIL_TERSE };
enum conf_tag { TAG_NEVER, TAG_PROBLEMS, TAG_ALWAYS };
enum conf_evidence { EVIDENCE_NONE, EVIDENCE_LOG };

/* How far a probe goes; each includes the ones before it. */
enum conf_depth { DEPTH_SERVICE, DEPTH_CONNECT, DEPTH_GREETING, DEPTH_HELLO, DEPTH_TLS, DEPTH_AUTH };

enum conf_tls { TLS_DEFAULT, TLS_NONE, TLS_MAY, TLS_ENCRYPT, TLS_VERIFY };

struct conf_strings {
	char **item;
	size_t count;
};

struct conf_postfix {
	char *config_directory;
	enum conf_evidence evidence;
};

struct conf_probe {
	int64_t interval_ms, fast_interval_ms, down_interval_ms;
	unsigned jitter_percent;
	int64_t connect_timeout_ms, reply_timeout_ms;
	int64_t max_age_ms, max_wait_ms;
	unsigned rise, fall;
	char *helo;
	unsigned concurrency;
	int64_t learned_ttl_ms;
};

/* A hop section; what it does not set is -1 or NULL. */
struct conf_hop {
	char *pattern;
	bool is_literal; /* no pattern characters: it also creates the hop */
	int line;
	int64_t interval_ms;
	int depth; /* enum conf_depth */
	int tls;   /* enum conf_tls */
	char *ca_file;
	char *recipient;
};

enum conf_action { ACTION_ACCEPT, ACTION_TAG, ACTION_HOLD, ACTION_TEMPFAIL };

/* A rule section; empty lists match everything. */
struct conf_rule {
	char *name;
	int line;
	struct conf_strings client, role, hop, reason, sender, recipient;
	int action;	    /* enum conf_action; -1: not set */
	int is_brief;	    /* -1: not set */
	int all_or_nothing; /* -1: not set */
	int64_t after_ms;
	int64_t for_at_most_ms; /* -1: no limit */
};

struct conf_canary {
	char *transport;
	struct conf_strings hosts;
};

struct conf {
	char *filename;
	char *listen;	     /* libmilter syntax */
	mode_t listen_mode;
	char *listen_group;
	char *control;
	char *http;
	char *user;
	char *hostname;
	char *header;
	enum conf_detail header_detail;
	enum conf_tag tag;
	bool strip_forged;
	unsigned max_failures;
	char *on_change;
	int on_change_line; /* 0: not in the file */
	char *state;
	int64_t slow_ms, tls_expiry_warning_ms;
	char *content_filter;
	unsigned max_hops;
	struct conf_probe probe;
	struct conf_postfix *postfix;
	size_t postfix_count;
	struct conf_hop *hop;
	size_t hop_count;
	struct conf_rule *rule;
	size_t rule_count;
	struct rules *rules; /* the same, ready to be asked: rules.h */
	struct conf_canary *canary;
	size_t canary_count;
	unsigned references; /* conf.c alone touches it */
};

/* conf_report_fn - takes one error, a whole line without a newline: "FILE:LINE: ..." */
typedef void conf_report_fn(void *arg, const char *message);

/*
 * conf_parse - parse an open file; filename is for messages only.
 *
 * Returns a new object with one reference, or NULL after at least one call of report.
 */
struct conf *conf_parse(FILE *fp, const char *filename, conf_report_fn *report, void *arg);

/* conf_load - open and parse; a file that cannot be opened is reported like any error */
struct conf *conf_load(const char *filename, conf_report_fn *report, void *arg);

/* conf_ref - take a reference; returns conf */
struct conf *conf_ref(struct conf *conf);

/* conf_unref - give a reference back; NULL is fine */
void conf_unref(struct conf *conf);

/* What holds for one hop: the global settings with every matching hop section laid over them. */
struct conf_hop_settings {
	int64_t interval_ms;
	enum conf_depth depth;
	bool is_depth_set;     /* a hop section says so */
	enum conf_tls tls;
	const char *ca_file;   /* owned by conf */
	const char *recipient; /* owned by conf */
};

/* conf_hop_settings - later sections win */
void conf_hop_settings(const struct conf *conf, const char *hop, struct conf_hop_settings *out);

/*
 * conf_fixed_differences - name the options that differ but cannot change by a reload (listen,
 * control, http, user); returns how many, in names a list like "listen, user".
 */
unsigned conf_fixed_differences(const struct conf *old, const struct conf *fresh, char *names,
	size_t names_bytes);

/* conf_listen_path - the path of a UNIX socket in conf->listen, NULL when it is none */
const char *conf_listen_path(const struct conf *conf);

#endif
