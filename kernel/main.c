// SPDX-License-Identifier: MIT
/*
 * How the sidecar kernel lives
 *
 * Somebody, a driver or a boot shim, puts the image at a multiple of 2 MiB, anywhere in memory, and
 * calls its entry function once, with the physical addresses of its parameters and of a place for
 * its answer. That is arch/x86/entry.S. It borrows the caller's stack and one entry of the caller's
 * page tables for a few instructions: clears the BSS, relocates the image to IMAGE_VA, builds page
 * tables of its own, and arrives in kernel_main below, where nothing of the caller is mapped. The
 * caller gets everything back as it was when kernel_main returns.
 *
 * kernel_main checks every parameter before it changes anything. Then it turns the memory of each
 * node into the pages of its CPUs (mm/node_memory.h): for each CPU a stack, its globals with struct
 * cpu in them, pages for the backend, pages that it shares with the driver and the VMM, and page
 * tables that map only these and the image (mm/layout.h). Nobody allocates anything ever after.
 *
 * The CPUs come up at their own pace, all at once. In the world where the caller starts them, a
 * CPU wakes from SIPI in arch/x86/trampoline.S, finds its APIC ID in the extension, takes its own
 * page tables and stack, and arrives in cpu_main. The first CPU of all does one thing more: as
 * conductor it calls the entry function, then goes the same way as the others. Where a hypervisor
 * starts CPUs when the kernel asks, the boot CPU asks for the first, each that is up for more
 * (smp/fan_out.c), and the entry function returns when all are ready. From there on no sidecar CPU
 * talks to another: its whole world is its own pages and its node's control page.
 *
 * A CPU says IDLE when it is ready and spends its life in dispatch.c: halt, take a command, do it,
 * say so. Guests run inside one command, RUN_VP, which is the backend's (backend.h). Interrupts
 * mean "look at your status byte" and nothing more; all are acknowledged, whoever sent them.
 *
 * It ends in one of two ways. Asked to leave (REMOVE), the CPU hands everything back and spins
 * until an INIT takes it away. Having met a fault that nobody expected, it writes down what it
 * knows in its state page, and spins as well; its status byte stays as it was, and the driver finds
 * it by its time limit. An INIT and a SIPI to the trampoline bring it back to cpu_main, from either
 * end or from the middle, and it starts as new.
 */
#include "main.h"

#include "arch/x86/arch_cpu.h"
#include "backend.h"
#include "boot.h"
#include "console/log.h"
#include "console/serial.h"
#include "dispatch.h"
#include "mm/layout.h"
#include "mm/window.h"
#include "node.h"
#include "panic.h"
#include "params.h"
#include "shm.h"
#include "smp/smp.h"

static struct boot boot;

/* The output page stays open until the end, so that every failure finds a place for its text. */
static bool open_output(uint64_t output)
{
	/* No place for a text; the caller sees only that nothing was done. */
	if (output % SIDECAR_PAGE_SIZE > SIDECAR_PAGE_SIZE - sizeof(*boot.output))
		return false;
	boot.output = window_open(NULL, WINDOW_OUTPUT, phys(output), true);
	boot.output->error.length = 0;
	return true;
}

static bool copy_params(uint64_t params)
{
	if (params % SIDECAR_PAGE_SIZE) {
		error_format(&boot.output->error, "parameters at 0x%lx are not page aligned",
			     params);
		return false;
	}
	boot.params =
		*(struct sidecar_boot_params *)window_open(NULL, WINDOW_PAGE, phys(params), false);
	window_close(NULL, WINDOW_PAGE);
	return true;
}

static bool start_logging(void)
{
	if (boot.params.enable_logging)
		serial_enable();
	log_line(NULL, "sidecar: image at %lx, %u nodes", boot.image.value, boot.params.node_count);
	return true;
}

static bool prepare_nodes(void)
{
	nodes_prepare(&boot);
	return true;
}

static bool boot_all(uint64_t params)
{
	struct sidecar_command_error *error = &boot.output->error;

	return copy_params(params) && start_logging() &&
	       params_check(&boot.params, boot.image.value, error) &&
	       smp_check(&boot.params, error) && backend_boot(&boot, error) && prepare_nodes() &&
	       smp_start(&boot, error);
}

bool kernel_main(uint64_t params, uint64_t output, uint64_t image, uint64_t image_table,
		 uint64_t high_root)
{
	bool good;

	boot.image = phys(image);
	boot.image_table = phys(image_table);
	boot.high_root = phys(high_root);
	if (!open_output(output))
		return false;
	good = boot_all(params);
	log_line(NULL, good ? "sidecar: nodes are ready" : "sidecar: refused, see the output");
	window_close(NULL, WINDOW_OUTPUT);
	return good;
}

_Noreturn void boot_fail(const char *format, va_list arguments)
{
	if (boot.output)
		error_format_list(&boot.output->error, format, arguments);
	entry_abort();
}

/* What an earlier life of this CPU left in its pages must not reach the next. */
static void forget(struct cpu *cpu)
{
	__builtin_memset(cpu->command, 0, sizeof(*cpu->command));
	__builtin_memset(cpu->register_page, 0, sizeof(*cpu->register_page));
	__builtin_memset(cpu->backend_memory, 0, BACKEND_PRIVATE_PAGES * SIDECAR_PAGE_SIZE);
	__builtin_memset(&cpu->backend, 0, sizeof(cpu->backend));
	for (unsigned int slot = 0; slot < WINDOW_COUNT; slot++)
		window_close(cpu, slot);
}

/* Neither needs_attention nor an interrupt: whoever starts CPUs watches their status bytes. */
static void first_idle(struct cpu *cpu)
{
	uint8_t *status = &cpu->control->cpu_status[cpu->node_index];
	uint8_t expected = SIDECAR_STATUS_RUN;

	shm_write(&cpu->state->cpu_state, SIDECAR_CPU_READY);
	/* Pairs with the acquire of whoever watches: the pages are all as they should be. */
	if (!__atomic_compare_exchange_n(status, &expected, SIDECAR_STATUS_IDLE, false,
					 __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		panic(cpu, "status byte %u at the start, not RUN", expected);
}

_Noreturn void cpu_main(struct cpu *cpu)
{
	arch_cpu_start(cpu);
	forget(cpu);
	backend_cpu_start(cpu);
	smp_join(cpu);
	log_line(cpu, "ready");
	first_idle(cpu);
	dispatch(cpu);
}
