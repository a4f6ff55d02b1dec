// SPDX-License-Identifier: MIT
/*
 * The kernel starts the CPUs itself, and every CPU that is up helps: each node has a counter of the
 * CPUs that somebody has taken on, and whoever runs fan_out takes one after the other, prepares its
 * memory and starts it. The boot CPU begins, and goes back to its caller when all are IDLE.
 *
 * One refusal ends it: nobody starts anything any more, what was not started is REMOVED, and the
 * entry function returns false with the first refusal's text. What runs by then stays IDLE.
 */
#include "smp.h"

#include "arch/x86/x86.h"
#include "backend.h"
#include "console/format.h"
#include "console/log.h"
#include "extension.h"
#include "mm/node_memory.h"
#include "mm/window.h"
#include "node.h"
#include "params.h"
#include "shm.h"

/* So long without one more CPU that is up: the next will not come. In units of 100 ns. */
#define PATIENCE_SECONDS 10u
#define PATIENCE (PATIENCE_SECONDS * 10000000ull)

typedef struct sidecar_command_error error_t;

/* Written before the first CPU is started; then only next and failed change, and error once. */
static struct fan {
	const struct boot *boot;
	uint32_t next[SIDECAR_MAX_NODES]; /* index of the CPU that nobody has taken on */
	uint32_t failed;		  /* not 0: somebody writes, or has written, error */
	error_t error;
} fan;

bool smp_check(const struct sidecar_boot_params *params, error_t *error)
{
	/* A shim that knows nothing of extensions gives none; nobody misses it here. */
	return !extension_given(params) || extension_check(params, 0, error);
}

/* ---- taking on and starting ------------------------------------------------------------------ */

static bool take_next(uint32_t n, uint32_t *index)
{
	uint32_t count = fan.boot->params.nodes[n].vp_count;

	/* Ends soon after the last: each CPU comes here once too often, per node. */
	*index = __atomic_fetch_add(&fan.next[n], 1, __ATOMIC_RELAXED);
	return *index < count;
}

static void set_removed(const struct sidecar_node_params *node, uint32_t index)
{
	struct sidecar_control_page *control;

	control = window_open(NULL, WINDOW_PAGE, node_control_page(node), true);
	/* Pairs with all_idle's acquire: error is complete. */
	shm_write_release(&control->cpu_status[index], SIDECAR_STATUS_REMOVED);
	window_close(NULL, WINDOW_PAGE);
}

static void fail(struct cpu *cpu, const error_t *error)
{
	if (!__atomic_exchange_n(&fan.failed, 1, __ATOMIC_RELAXED))
		fan.error = *error;
	log_line(cpu, "a CPU was refused, no more are started");
}

static void start(struct cpu *cpu, const struct sidecar_node_params *node, uint32_t index)
{
	phys_t tables = node_private_page(node, index, PRIVATE_PML4);
	error_t error;

	if (!shm_read(&fan.failed)) {
		if (backend_start_cpu(cpu, node->base_vp + index, tables, &error))
			return;
		fail(cpu, &error);
	}
	set_removed(node, index);
}

static void fan_out(struct cpu *cpu)
{
	const struct sidecar_boot_params *params = &fan.boot->params;
	uint32_t index;

	for (uint32_t n = 0; n < params->node_count; n++) {
		const struct sidecar_node_params *node = &params->nodes[n];

		while (take_next(n, &index)) {
			node_prepare_cpu(fan.boot, node, index);
			if (params_starts(params, node, index))
				start(cpu, node, index);
		}
	}
}

void smp_join(struct cpu *cpu)
{
	fan_out(cpu);
}

/* ---- the boot CPU waits ---------------------------------------------------------------------- */

/* The VP index of the first CPU that is still RUN, and how many are. */
static uint32_t count_running(uint32_t *first)
{
	const struct sidecar_boot_params *params = &fan.boot->params;
	uint32_t running = 0;

	for (uint32_t n = params->node_count; n--;) {
		const struct sidecar_node_params *node = &params->nodes[n];
		const struct sidecar_control_page *control =
			window_open(NULL, WINDOW_PAGE, node_control_page(node), false);

		for (uint32_t i = node->vp_count; i--;) {
			/* Pairs with the release of set_removed and of the CPU itself. */
			if (shm_read_acquire(&control->cpu_status[i]) != SIDECAR_STATUS_RUN)
				continue;
			*first = node->base_vp + i;
			running++;
		}
	}
	window_close(NULL, WINDOW_PAGE);
	return running;
}

static bool wait_until_idle(error_t *error)
{
	uint32_t first, running, before = UINT32_MAX;
	uint64_t since = 0;

	while ((running = count_running(&first))) {
		uint64_t now = backend_time();

		if (running < before) {
			before = running;
			since = now;
		}
		if (now - since > PATIENCE) {
			error_format(error, "VP %u and %u more are not up after %u s", first,
				     running - 1, PATIENCE_SECONDS);
			return false;
		}
		pause();
	}
	return true;
}

bool smp_start(const struct boot *boot, error_t *error)
{
	fan = (struct fan){.boot = boot};
	if (extension_given(&boot->params))
		extension_fill(boot, backend_entry());
	fan_out(NULL);
	if (!wait_until_idle(error))
		return false;
	if (shm_read(&fan.failed))
		*error = fan.error;
	return !shm_read(&fan.failed);
}
