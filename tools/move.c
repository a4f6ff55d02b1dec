// SPDX-License-Identifier: MIT
/*
 * sidecarctl take, give and reset. The driver is asked for a few CPUs at a time, so that progress
 * is what has happened, and a signal ends the operation soon without tearing it.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cpulist.h"
#include "ctl.h"
#include "device.h"
#include "interrupt.h"
#include "node.h"
#include "progress.h"

#define CHUNK 16u	/* CPUs that start at once */
#define NOT_ASKED (-1)	/* as a move's error */
#define NO_NODE (-2)
#define BASE_CPU (-3)

struct operation {
	unsigned long request;
	const char *done; /* what has happened to a CPU */
	struct {
		int error;
		const char *text;
	} reasons[4]; /* of errno values that say too little */
};

static const struct operation take = {
	SIDECAR_IOC_TAKE,
	"taken",
	{{EEXIST, "already in the sidecar"},
	 {ETIMEDOUT, "did not start in the sidecar in time, and stays Linux's"},
	 {EBUSY, "Linux does not let it go"}},
};

static const struct operation give = {
	SIDECAR_IOC_GIVE,
	"given",
	{{ENOENT, "not in the sidecar"},
	 {EBUSY, "a command is in flight: the process that owns it must end that first"}},
};

static const struct operation reset = {
	SIDECAR_IOC_RESET,
	"reset",
	{{ENOENT, "not in the sidecar"},
	 {ETIMEDOUT, "did not start in time, and is failed"}},
};

struct moves {
	const struct operation *operation;
	struct sidecar_move *list; /* in the order of CPU numbers */
	size_t count;
	size_t asked;
};

/* ---- what came of it ------------------------------------------------------------------------- */

static const char *reason(const struct operation *operation, int error)
{
	if (error == NO_NODE)
		return "no node has it";
	if (error == BASE_CPU)
		return "it is its node's base CPU, which is always Linux's";
	for (size_t i = 0; i < 4 && operation->reasons[i].text; i++)
		if (operation->reasons[i].error == error)
			return operation->reasons[i].text;
	return strerror(error);
}

/* The CPUs with this result; how many. */
static size_t with_result(const struct moves *moves, int error, struct cpulist *cpus)
{
	memset(cpus, 0, sizeof(*cpus));
	for (size_t i = 0; i < moves->count; i++)
		if (moves->list[i].error == error)
			cpulist_add(cpus, moves->list[i].cpu);
	return cpulist_count(cpus);
}

/* A line for all CPUs that were refused for the same reason. */
static void report_refused(struct ctl *ctl, const struct moves *moves, int error)
{
	struct cpulist cpus;
	size_t count = with_result(moves, error, &cpus);

	fprintf(ctl->err, "sidecarctl: %s: CPU%s ", ctl->command, count > 1 ? "s" : "");
	cpulist_print(&cpus, ctl->err);
	fprintf(ctl->err, ": %s\n", reason(moves->operation, error));
}

static bool seen_before(const struct moves *moves, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (moves->list[j].error == moves->list[i].error)
			return true;
	return false;
}

static bool is_refusal(int error)
{
	return error && error != NOT_ASKED;
}

static int report_refusals(struct ctl *ctl, const struct moves *moves)
{
	int status = CTL_OK;

	for (size_t i = 0; i < moves->count; i++) {
		if (!is_refusal(moves->list[i].error))
			continue;
		status = CTL_FAILED;
		if (!seen_before(moves, i))
			report_refused(ctl, moves, moves->list[i].error);
	}
	return status;
}

/* After a signal: what is done, and what is as it was. */
static int report_interrupt(struct ctl *ctl, const struct moves *moves)
{
	struct cpulist cpus;
	size_t done = with_result(moves, 0, &cpus), left = with_result(moves, NOT_ASKED, &cpus);

	fprintf(ctl->err, "sidecarctl: %s: interrupted: %zu of %zu CPUs %s", ctl->command, done,
		moves->count, moves->operation->done);
	if (left) {
		fprintf(ctl->err, "; as before: ");
		cpulist_print(&cpus, ctl->err);
	}
	putc('\n', ctl->err);
	return left ? CTL_INTERRUPTED : CTL_OK;
}

static void print_done(struct ctl *ctl, const struct moves *moves)
{
	struct cpulist cpus;

	if (!with_result(moves, 0, &cpus))
		return;
	cpulist_print(&cpus, ctl->out);
	putc('\n', ctl->out);
}

static int report(struct ctl *ctl, const struct moves *moves)
{
	int status;

	print_done(ctl, moves);
	status = report_refusals(ctl, moves);
	return interrupt_seen() && report_interrupt(ctl, moves) ? CTL_INTERRUPTED : status;
}

/* ---- asking the driver ----------------------------------------------------------------------- */

static int refused_as_a_whole(struct ctl *ctl, const char *path, int error)
{
	if (error == ENOTTY) {
		ctl_error(ctl, "%s: the driver does not know the operation: it is too old", path);
		return CTL_UNKNOWN;
	}
	if (error == EPERM) {
		ctl_error(ctl, "%s: %s: it takes CAP_SYS_ADMIN to move CPUs", path,
			  strerror(error));
		return CTL_DENIED;
	}
	return ctl_errno(ctl, error, path);
}

/* What the driver did not get to because of a signal was not asked for. */
static void take_back(struct sidecar_move *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].error == EINTR)
			list[i].error = NOT_ASKED;
}

static int ask_chunk(struct ctl *ctl, int fd, const char *path, struct moves *moves, size_t count)
{
	struct sidecar_move *list = &moves->list[moves->asked];
	struct sidecar_ioctl_move move = {
		.size = sizeof(move), .count = (uint32_t)count, .moves = (uintptr_t)list};
	int error = ctl->device->move(fd, moves->operation->request, &move);

	if (error == -EINTR)
		error = 0;
	if (error)
		for (size_t i = 0; i < count; i++)
			list[i].error = NOT_ASKED;
	take_back(list, count);
	moves->asked += count;
	return error ? refused_as_a_whole(ctl, path, -error) : CTL_OK;
}

/* How many of the next moves are of this node, or of none at all if node is NULL. */
static size_t run_length(const struct moves *moves, const struct nodes *nodes,
			 const struct node *node)
{
	size_t end = moves->asked;

	while (end < moves->count && moves->list[end].error == NOT_ASKED &&
	       nodes_find(nodes, moves->list[end].cpu) == node)
		end++;
	return end - moves->asked;
}

static int ask_node(struct ctl *ctl, const struct node *node, struct moves *moves, size_t count,
		    struct progress *progress)
{
	size_t end = moves->asked + count, chunk;
	char path[PATH_MAX];
	int fd, status = CTL_OK;

	snprintf(path, sizeof(path), "%s/dev/" SIDECAR_DEVICE_PREFIX "%" PRIu32, ctl->root,
		 node->index);
	fd = ctl->device->open(path);
	if (fd < 0)
		return ctl_errno(ctl, -fd, path);
	while (moves->asked < end && !status && !interrupt_seen()) {
		chunk = end - moves->asked < CHUNK ? end - moves->asked : CHUNK;
		status = ask_chunk(ctl, fd, path, moves, chunk);
		if (!status)
			progress_show(progress, moves->asked);
	}
	ctl->device->close(fd);
	return status;
}

/* Those that no driver need be asked about are refused here, with a reason of their own. */
static void refuse_strangers(struct moves *moves, const struct nodes *nodes)
{
	const struct node *node;

	for (size_t i = 0; i < moves->count; i++) {
		node = nodes_find(nodes, moves->list[i].cpu);
		if (!node)
			moves->list[i].error = NO_NODE;
		else if (moves->list[i].cpu == node->base_cpu)
			moves->list[i].error = BASE_CPU;
	}
}

static int ask_all(struct ctl *ctl, struct moves *moves, const struct nodes *nodes,
		   struct progress *progress)
{
	const struct node *node;
	size_t count;
	int status = CTL_OK;

	while (moves->asked < moves->count && !status && !interrupt_seen()) {
		node = nodes_find(nodes, moves->list[moves->asked].cpu);
		count = run_length(moves, nodes, node);
		if (count)
			status = ask_node(ctl, node, moves, count, progress);
		else
			moves->asked++;
	}
	return status;
}

/* ---- the command ----------------------------------------------------------------------------- */

static int make_moves(struct ctl *ctl, const struct cpulist *cpus, struct moves *moves)
{
	uint32_t cpu = 0;

	moves->count = cpulist_count(cpus);
	moves->list = calloc(moves->count, sizeof(*moves->list));
	if (!moves->list)
		return ctl_errno(ctl, ENOMEM, "the CPU list");
	for (size_t i = 0; i < moves->count; i++, cpu++) {
		cpu = cpulist_next(cpus, cpu);
		moves->list[i] = (struct sidecar_move){cpu, NOT_ASKED};
	}
	return CTL_OK;
}

static int read_options(struct ctl *ctl, int argc, char **argv, struct cpulist *cpus,
			bool *progress)
{
	static const struct option names[] = {{"progress", no_argument, NULL, 'p'}, {0}};
	char error[CPULIST_ERROR_SIZE];
	int option;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (option != 'p')
			return ctl_usage(ctl);
		*progress = true;
	}
	if (optind != argc - 1)
		ctl_error(ctl, "one CPU list is needed, as in 1-3,7; there are %d", argc - optind);
	else if (!cpulist_parse(argv[optind], cpus, error))
		return CTL_OK;
	else
		ctl_error(ctl, "%s", error);
	return ctl_usage(ctl);
}

static int move(struct ctl *ctl, struct moves *moves, bool show_progress)
{
	struct progress progress;
	struct nodes nodes;
	int status = nodes_read(ctl, &nodes), reported;

	if (status)
		return status;
	refuse_strangers(moves, &nodes);
	progress_begin(&progress, ctl->err, ctl->command, moves->count, show_progress);
	interrupt_catch(NULL);
	status = ask_all(ctl, moves, &nodes, &progress);
	progress_end(&progress);
	reported = report(ctl, moves);
	interrupt_forget();
	nodes_free(&nodes);
	return status ? status : reported;
}

static int move_command(struct ctl *ctl, const struct operation *operation, int argc, char **argv)
{
	struct moves moves = {.operation = operation};
	struct cpulist cpus;
	bool progress = false;
	int status = read_options(ctl, argc, argv, &cpus, &progress);

	status = status ? status : make_moves(ctl, &cpus, &moves);
	status = status ? status : move(ctl, &moves, progress);
	free(moves.list);
	return status;
}

int take_command(struct ctl *ctl, int argc, char **argv)
{
	return move_command(ctl, &take, argc, argv);
}

int give_command(struct ctl *ctl, int argc, char **argv)
{
	return move_command(ctl, &give, argc, argv);
}

int reset_command(struct ctl *ctl, int argc, char **argv)
{
	return move_command(ctl, &reset, argc, argv);
}
