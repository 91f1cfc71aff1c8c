/*
 * metrics - numbers for Prometheus: the text that is scraped
 *
 * All samples of a metric stand together, so the hops are gone through once to look at them and
 * then once for each metric.  With thousands of hops this is a hundred thousand lines in the event
 * thread: they are put together from pieces that are ready, not formatted.
 */
#include "ops/metrics_private.h"

#include "base/clock.h"
#include "verdict/tally.h"

#include <stdlib.h>
#include <string.h>

/* What is known of one hop, or of all that are summed up. */
struct sample {
	struct series *series;
	bool is_shown;
	unsigned states[STATE_COUNT]; /* how many are in it */
	time_t since, tls_not_after;
	bool has_check[CHECK_COUNT], is_up[CHECK_COUNT];
};

struct scrape {
	struct metrics *metrics;
	struct text *out;
	struct sample *samples;
	size_t count, room;
	struct sample other;
	unsigned shown;
};

static void add_sample(struct scrape *scrape, const struct sample *sample)
{
	if (scrape->count == scrape->room) {
		size_t room = scrape->room > 0 ? scrape->room * 2 : 256;
		struct sample *samples = realloc(scrape->samples, room * sizeof *samples);

		if (samples == NULL) {
			scrape->out->is_short = true;
			return;
		}
		scrape->samples = samples;
		scrape->room = room;
	}
	scrape->samples[scrape->count++] = *sample;
}

static void sum_up(struct sample *sum, const struct hop_view *view)
{
	sum->is_shown = true;
	sum->states[view->state]++;
	if (view->since > sum->since)
		sum->since = view->since;
}

static void look_at(void *arg, struct hop *hop)
{
	struct scrape *scrape = arg;
	struct series *series =
		metrics_series(scrape->metrics, hop_full_name(hop), hop_is_learned(hop));
	struct sample sample = {.series = series, .is_shown = hop_is_shown(hop)};
	struct hop_view view;

	if (sample.is_shown) {
		scrape->shown++;
		table_view(scrape->metrics->table, hop, clock_now_ms(), &view);
		if (series == &scrape->metrics->other) {
			sum_up(&scrape->other, &view);
			return;
		}
		sample.states[view.state] = 1;
		sample.since = view.since;
		sample.tls_not_after = view.tls_not_after;
		for (int i = 0; i < CHECK_COUNT; i++) {
			sample.has_check[i] = view.has_check[i];
			sample.is_up[i] = view.check[i].state == STATE_UP;
		}
	}
	if (series != &scrape->metrics->other)
		add_sample(scrape, &sample);
}

static void head(struct text *out, const char *name, const char *type, const char *help)
{
	text_print(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* begin - "NAME{hop=...,KEY="VALUE"} ", without a key when that is NULL */
static void begin(struct text *out, const char *name, const struct sample *sample, const char *key,
	const char *value)
{
	text_say(out, name);
	text_say(out, "{hop=");
	text_add(out, sample->series->label, sample->series->label_bytes);
	if (key != NULL) {
		text_say(out, ",");
		text_say(out, key);
		text_say(out, "=\"");
		text_say(out, value);
		text_say(out, "\"");
	}
	text_say(out, "} ");
}

static void end(struct text *out, uint64_t number)
{
	text_number(out, number);
	text_say(out, "\n");
}

static void say_states(struct text *out, const struct sample *sample)
{
	for (int state = 0; sample->is_shown && state < STATE_COUNT; state++) {
		begin(out, "failfast_hop_state", sample, "state", state_name((enum state)state));
		end(out, sample->states[state]);
	}
}

static void say_change(struct text *out, const struct sample *sample)
{
	if (!sample->is_shown)
		return;
	begin(out, "failfast_hop_last_change_timestamp_seconds", sample, NULL, NULL);
	end(out, (uint64_t)sample->since);
}

static void say_checks(struct text *out, const struct sample *sample)
{
	for (int check = 0; check < CHECK_COUNT; check++) {
		if (!sample->has_check[check])
			continue;
		begin(out, "failfast_check_up", sample, "check",
			hop_check_name((enum hop_check)check));
		end(out, sample->is_up[check]);
	}
}

static void say_probes(struct text *out, const struct sample *sample)
{
	for (int reason = 0; reason < REASON_COUNT; reason++) {
		if (sample->series->results[reason] == 0)
			continue;
		begin(out, "failfast_probes_total", sample, "result",
			reason == REASON_NONE ? "ok" : reason_token((enum reason)reason));
		end(out, sample->series->results[reason]);
	}
}

/* seconds - of microseconds, exactly and without what a locale makes of it */
static void seconds(struct text *out, uint64_t us)
{
	text_print(out, "%llu.%06u", (unsigned long long)(us / 1000000), (unsigned)(us % 1000000));
}

/* limit_text - of a bucket, as short as people write it */
static const char *limit_text(int64_t limit_us, char text[24])
{
	struct text number = {0};

	seconds(&number, (uint64_t)limit_us);
	while (number.used > 0 && number.bytes[number.used - 1] == '0')
		number.used--;
	if (number.used > 0 && number.bytes[number.used - 1] == '.')
		number.used--;
	if (number.used > 23)
		number.used = 23;
	if (number.used > 0)
		memcpy(text, number.bytes, number.used);
	text[number.used] = '\0';
	text_free(&number);
	return text;
}

static void say_durations(struct text *out, const struct sample *sample)
{
	static char limits[METRICS_BUCKETS][24];
	const struct series *series = sample->series;
	uint64_t count = 0;

	if (limits[0][0] == '\0') {
		for (int i = 0; i < METRICS_BUCKETS - 1; i++)
			(void)limit_text(metrics_limits_us[i], limits[i]);
		memcpy(limits[METRICS_BUCKETS - 1], "+Inf", sizeof "+Inf");
	}
	for (int i = 0; i < METRICS_BUCKETS; i++)
		count += series->durations[i];
	if (count == 0)
		return;
	count = 0;
	for (int i = 0; i < METRICS_BUCKETS; i++) {
		count += series->durations[i];
		begin(out, "failfast_probe_duration_seconds_bucket", sample, "le", limits[i]);
		end(out, count);
	}
	begin(out, "failfast_probe_duration_seconds_sum", sample, NULL, NULL);
	seconds(out, series->durations_us);
	text_say(out, "\n");
	begin(out, "failfast_probe_duration_seconds_count", sample, NULL, NULL);
	end(out, count);
}

static void say_expiry(struct text *out, const struct sample *sample)
{
	if (sample->tls_not_after == 0)
		return;
	begin(out, "failfast_tls_not_after_timestamp_seconds", sample, NULL, NULL);
	end(out, (uint64_t)sample->tls_not_after);
}

static void say_changes(struct text *out, const struct sample *sample)
{
	for (int state = 0; state < STATE_COUNT; state++) {
		if (sample->series->changes[state] == 0)
			continue;
		begin(out, "failfast_state_changes_total", sample, "to",
			state_name((enum state)state));
		end(out, sample->series->changes[state]);
	}
}

/* What is told of each hop. */
static const struct family {
	const char *name, *type, *help;
	void (*say)(struct text *out, const struct sample *sample);
} families[] = {
	{"failfast_hop_state", "gauge",
		"1 for the state that the hop is in; of hop=\"(other)\" how many are in it.",
		say_states},
	{"failfast_hop_last_change_timestamp_seconds", "gauge", "When the hop changed its state.",
		say_change},
	{"failfast_check_up", "gauge", "1 while what is checked of the hop is up.", say_checks},
	{"failfast_probes_total", "counter", "Probes by what they found: ok or a reason.",
		say_probes},
	{"failfast_probe_duration_seconds", "histogram",
		"Time from the start of a probe to its result.", say_durations},
	{"failfast_tls_not_after_timestamp_seconds", "gauge",
		"When the certificate of the server ends.", say_expiry},
	{"failfast_state_changes_total", "counter", "Changes of state by the new state.",
		say_changes},
};

static void say_recipients(struct text *out, const struct tally *tally)
{
	static const char *const actions[TALLY_ACTIONS] = {[ACTION_ACCEPT] = "accept",
		[ACTION_TAG] = "tag",
		[ACTION_HOLD] = "hold",
		[ACTION_TEMPFAIL] = "tempfail"};

	head(out, "failfast_recipients_total", "counter",
		"Recipients by what was done, and by the reason of the hop that it was done for.");
	for (int action = 0; action < TALLY_ACTIONS; action++)
		for (int reason = 0; reason < REASON_COUNT; reason++) {
			uint64_t count = tally->recipients[action][reason];

			if (count > 0 || (action == ACTION_ACCEPT && reason == REASON_NONE))
				text_print(out,
					"failfast_recipients_total{action=\"%s\",reason=\"%s\"} "
					"%llu\n",
					actions[action], reason_token((enum reason)reason),
					(unsigned long long)count);
		}
}

static void say_verdicts(struct text *out, const struct tally *tally)
{
	uint64_t count = 0;
	char limit[24];

	head(out, "failfast_verdict_seconds", "histogram", "Time that the answer to RCPT took.");
	for (int i = 0; i < TALLY_BUCKETS; i++) {
		count += tally->verdicts[i];
		text_print(out, "failfast_verdict_seconds_bucket{le=\"%s\"} %llu\n",
			i < TALLY_BUCKETS - 1 ? limit_text(tally_limits_us[i], limit) : "+Inf",
			(unsigned long long)count);
	}
	text_say(out, "failfast_verdict_seconds_sum ");
	seconds(out, tally->verdicts_us);
	text_print(out, "\nfailfast_verdict_seconds_count %llu\n", (unsigned long long)count);
}

static void gauge(struct text *out, const char *name, const char *help, unsigned value)
{
	head(out, name, "gauge", help);
	text_print(out, "%s %u\n", name, value);
}

void metrics_write(struct metrics *metrics, struct text *out)
{
	struct scrape scrape = {.metrics = metrics, .out = out};
	struct tally tally;

	metrics_sweep(metrics);
	scrape.other = (struct sample){.series = &metrics->other};
	table_each(metrics->table, look_at, &scrape);
	tally_read(&tally);
	head(out, "failfast_build_info", "gauge", "The version that runs.");
	text_say(out, "failfast_build_info{version=\"" PACKAGE_VERSION "\"} 1\n");
	for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
		head(out, families[f].name, families[f].type, families[f].help);
		for (size_t i = 0; i < scrape.count; i++)
			families[f].say(out, &scrape.samples[i]);
		families[f].say(out, &scrape.other);
	}
	say_recipients(out, &tally);
	say_verdicts(out, &tally);
	gauge(out, "failfast_milter_connections", "Connections of Postfix, open now.",
		tally.connections);
	gauge(out, "failfast_probes_in_flight", "Probes under way.",
		sched_in_flight(metrics->sched));
	gauge(out, "failfast_hops", "Hops that are watched.", scrape.shown);
	free(scrape.samples);
}
