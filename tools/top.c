// SPDX-License-Identifier: MIT
/* sidecarctl top: what the sidecar CPUs do, per second. */
#include "top.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "interrupt.h"
#include "number.h"

#define INTERVAL_MIN 0.1 /* seconds */
#define INTERVAL_MAX 3600.0

/* ---- one screen ------------------------------------------------------------------------------ */

static double per_second(uint64_t before, uint64_t after, double seconds)
{
	return (double)(after >= before ? after - before : after) / seconds;
}

static const struct cpu *find(const struct snapshot *snapshot, const struct cpu *cpu)
{
	static const struct cpu none;
	size_t i;

	for (i = 0; i < snapshot->count; i++)
		if (snapshot->cpus[i].cpu == cpu->cpu)
			break;
	return i < snapshot->count && snapshot->cpus[i].exits.kinds == cpu->exits.kinds ?
		&snapshot->cpus[i] : &none;
}

struct reason {
	const char *name;
	double rate;
};

static int by_rate(const void *a, const void *b)
{
	const struct reason *left = a, *right = b;

	return (left->rate < right->rate) - (left->rate > right->rate);
}

/* The most frequent first; those that do not happen are left out. */
static void print_reasons(FILE *out, const struct cpu *before, const struct cpu *after,
			  double seconds)
{
	struct reason reasons[CPU_COUNT_KINDS] = {0};
	size_t i;

	for (i = 0; i < after->exits.kinds; i++) {
		reasons[i].name = after->exits.by[i].name;
		reasons[i].rate = per_second(before->exits.by[i].count, after->exits.by[i].count,
					     seconds);
	}
	qsort(reasons, i, sizeof(*reasons), by_rate);
	for (i = 0; i < after->exits.kinds && reasons[i].rate > 0; i++)
		fprintf(out, "%s%s %.0f", i ? ", " : "  ", reasons[i].name, reasons[i].rate);
}

static void print_owner(FILE *out, int32_t pid)
{
	if (pid)
		fprintf(out, " %8" PRId32, pid);
	else
		fprintf(out, " %8s", "-");
}

static void print_row(FILE *out, const struct cpu *before, const struct cpu *after, double seconds)
{
	fprintf(out, "%5" PRIu32 " %-8s", after->cpu, after->state);
	print_owner(out, after->owner_pid);
	fprintf(out, " %12.0f %12.0f", per_second(before->entries, after->entries, seconds),
		per_second(before->exits.total, after->exits.total, seconds));
	if (after->has_guest_ns)
		fprintf(out, " %6.1f",
			per_second(before->guest_ns, after->guest_ns, seconds) / 1e7);
	print_reasons(out, before, after, seconds);
	putc('\n', out);
}

static unsigned int in_state(const struct snapshot *snapshot, const char *state)
{
	unsigned int count = 0;

	for (size_t i = 0; i < snapshot->count; i++)
		count += !strcmp(snapshot->cpus[i].state, state);
	return count;
}

void top_print(FILE *out, const struct snapshot *before, const struct snapshot *after,
	       double seconds)
{
	fprintf(out, "%zu sidecar CPUs: %u busy, %u idle, %u failed, %u removed; over %.1f s\n",
		after->count, in_state(after, "busy"), in_state(after, "idle"),
		in_state(after, "failed"), in_state(after, "removed"), seconds);
	fprintf(out, "  CPU STATE       OWNER    ENTRIES/S      EXITS/S%s  EXITS/S BY REASON\n",
		after->count && after->cpus[0].has_guest_ns ? " GUEST%" : "");
	for (size_t i = 0; i < after->count; i++)
		print_row(out, find(before, &after->cpus[i]), &after->cpus[i], seconds);
}

/* ECMA-48: CUP to the first column, EL to the end of each line, ED to the end of the screen. */
void top_show(FILE *out, const char *text, unsigned int lines, unsigned int columns)
{
	size_t length;

	fputs("\033[H", out);
	for (; *text && lines > 1; lines--) {
		length = strcspn(text, "\n");
		fprintf(out, "%.*s\033[K\n", (int)(length < columns ? length : columns), text);
		text += length + (text[length] == '\n');
	}
	fputs("\033[J", out);
}

/* ---- again and again ------------------------------------------------------------------------- */

struct top_options {
	uint64_t interval; /* ns */
	uint64_t count;	   /* 0: until a signal */
	bool batch;
};

static int bad_value(struct ctl *ctl, const char *name, const char *rule)
{
	ctl_error(ctl, "--%s '%s': it must be %s", name, optarg, rule);
	return ctl_usage(ctl);
}

static int set_option(struct ctl *ctl, struct top_options *options, int option)
{
	switch (option) {
	case 'i':
		return number_parse_seconds(optarg, INTERVAL_MIN, INTERVAL_MAX,
					    &options->interval) ?
			bad_value(ctl, "interval", "0.1 to 3600 seconds") : CTL_OK;
	case 'c':
		return number_parse(optarg, UINT32_MAX, &options->count) || !options->count ?
			bad_value(ctl, "count", "1 to 4294967295") : CTL_OK;
	case 'b':
		options->batch = true;
		return CTL_OK;
	default:
		return ctl_usage(ctl);
	}
}

static int read_options(struct ctl *ctl, int argc, char **argv, struct top_options *options)
{
	static const struct option names[] = {
		{"interval", required_argument, NULL, 'i'},
		{"count", required_argument, NULL, 'c'},
		{"batch", no_argument, NULL, 'b'},
		{0},
	};
	int option, status;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		status = set_option(ctl, options, option);
		if (status)
			return status;
	}
	if (optind == argc)
		return CTL_OK;
	ctl_error(ctl, "'%s': no argument is expected", argv[optind]);
	return ctl_usage(ctl);
}

static int show(struct ctl *ctl, const struct snapshot *before, const struct snapshot *after,
		double seconds)
{
	struct winsize size = {.ws_row = 24, .ws_col = 80};
	char *text = NULL;
	size_t length;
	FILE *memory = open_memstream(&text, &length);

	if (!memory)
		return ctl_errno(ctl, ENOMEM, "the screen");
	top_print(memory, before, after, seconds);
	fclose(memory);
	ioctl(fileno(ctl->out), TIOCGWINSZ, &size);
	top_show(ctl->out, text, size.ws_row, size.ws_col);
	free(text);
	return CTL_OK;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void wait_for(uint64_t nanoseconds)
{
	const struct timespec time = {
		.tv_sec = (time_t)(nanoseconds / 1000000000),
		.tv_nsec = (long)(nanoseconds % 1000000000),
	};

	nanosleep(&time, NULL); /* a signal ends it, as it should */
}

static int look_again(struct ctl *ctl, const struct top_options *options,
		      struct snapshot *before, double *time)
{
	struct snapshot after;
	double later;
	int status = snapshot_read(ctl, &after);

	if (status)
		return status;
	later = now();
	if (options->batch)
		top_print(ctl->out, before, &after, later - *time);
	else
		status = show(ctl, before, &after, later - *time);
	fflush(ctl->out);
	snapshot_free(before);
	*before = after;
	*time = later;
	return status || ferror(ctl->out) ? CTL_FAILED : CTL_OK;
}

static int watch(struct ctl *ctl, const struct top_options *options, struct snapshot *before)
{
	double time = now();
	int status = CTL_OK;

	for (uint64_t i = 0; !status && (!options->count || i < options->count); i++) {
		wait_for(options->interval);
		if (interrupt_seen())
			return CTL_OK;
		status = look_again(ctl, options, before, &time);
	}
	return status;
}

int top_command(struct ctl *ctl, int argc, char **argv)
{
	struct top_options options = {.interval = 1000000000};
	struct snapshot before;
	int status;

	options.batch = !isatty(fileno(ctl->out));
	status = read_options(ctl, argc, argv, &options);
	status = status ? status : snapshot_read(ctl, &before);
	if (status)
		return status;
	if (!options.batch)
		fputs("\033[2J", ctl->out);
	interrupt_catch(NULL);
	status = watch(ctl, &options, &before);
	interrupt_forget();
	snapshot_free(&before);
	return status;
}
