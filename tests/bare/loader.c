// SPDX-License-Identifier: MIT
/*
 * Boots the sidecar kernel with nothing else around: loads the image that came as a multiboot
 * module, starts CPUs through the trampoline as a driver does, and tries every command, every way
 * to fault and every way to end. Two nodes: CPUs 0 to 2 in low memory, CPUs 3 to 5 above 4 GiB.
 * TAP on COM1; the kernel's own log is on COM3.
 */
#include <elf.h>
#include <stdbool.h>
#include <stdint.h>

#include <sidecar/abi.h>

#include "experiments.h"

#define IMAGE 0x4000000ull
#define PARAMS 0x3000000ull
#define OUTPUT 0x3001000ull
#define EXTENSION 0x3002000ull
#define TABLES 0x3010000ull
#define CONDUCTOR_STACK 0x3020000ull
#define NODE0 0x3100000ull
#define NODE1 0x100000000ull
#define SCRATCH 0x3030000ull
#define TRAMPOLINE 0x8000ull

#define CPUS 6u
#define NODE_CPUS 3u
#define MSR_EFER 0xc0000080u
#define COM1 0x3f8
#define EXIT_PORT 0xf4
#define TIMEOUT 5000000000ull
#define RESPONSE_VECTOR 0x90u

#define load(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define store(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)

struct multiboot {
	uint32_t flags, lower, upper, device, command_line, module_count, modules;
};

struct module {
	uint32_t start, end, text, reserved;
};

extern uint64_t pml4[512];
unsigned int call_entry(uint64_t entry, uint64_t params, uint64_t output);
void loader_main(const struct multiboot *boot);
void *memcpy(void *to, const void *from, uint64_t size);
void *memset(void *to, int value, uint64_t size);
int memcmp(const void *a, const void *b, uint64_t size);

static struct sidecar_boot_params *const params = (void *)PARAMS;
static struct sidecar_boot_output *const output = (void *)OUTPUT;
static struct sidecar_extension *const extension = (void *)EXTENSION;
static struct sidecar_extension_cpu *const ext_cpus = (void *)(EXTENSION + 64);
static struct sidecar_trampoline *const tramp = (void *)(TRAMPOLINE + SIDECAR_TRAMPOLINE_DATA);
static uint64_t entry;
static unsigned int cases, failures;

/* ---- what a C library would have ------------------------------------------------------------- */

void *memcpy(void *to, const void *from, uint64_t size)
{
	void *result = to;

	asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
	return result;
}

void *memset(void *to, int value, uint64_t size)
{
	void *result = to;

	asm volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(value) : "memory");
	return result;
}

int memcmp(const void *a, const void *b, uint64_t size)
{
	for (uint64_t i = 0; i < size; i++)
		if (((const uint8_t *)a)[i] != ((const uint8_t *)b)[i])
			return 1;
	return 0;
}

static void outb(uint16_t port, uint8_t value)
{
	asm volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static void say_bytes(const void *text, uint64_t size)
{
	for (uint64_t i = 0; i < size; i++)
		outb(COM1, ((const uint8_t *)text)[i]);
}

static void say(const char *text)
{
	while (*text)
		outb(COM1, (uint8_t)*text++);
}

static void say_number(uint64_t value)
{
	if (value >= 10)
		say_number(value / 10);
	outb(COM1, (uint8_t)('0' + value % 10));
}

static void check(bool good, const char *name)
{
	failures += !good;
	say(good ? "ok " : "not ok ");
	say_number(++cases);
	say(" - ");
	say(name);
	say("\n");
}

static void say_error(void)
{
	say("# error text: ");
	say_bytes(output->error.text, output->error.length);
	say("\n");
}

static bool text_is(const uint8_t *text, unsigned int length, const char *expected)
{
	unsigned int i;

	for (i = 0; expected[i]; i++)
		if (i >= length || text[i] != expected[i])
			return false;
	return i == length;
}

static uint64_t now(void)
{
	uint32_t low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

#define wait_until(condition)                       \
	({                                          \
		uint64_t end = now() + TIMEOUT;     \
		while (!(condition) && now() < end) \
			asm volatile("pause");      \
		(condition);                        \
	})

/* ---- interrupts ------------------------------------------------------------------------------ */

static uint32_t *apic(uint32_t offset)
{
	return (uint32_t *)(0xfee00000ull + offset);
}

static void send(uint32_t apic_id, uint32_t command)
{
	store(apic(0x310), apic_id << 24);
	store(apic(0x300), command);
	while (load(apic(0x300)) & 0x1000)
		asm volatile("pause");
}

static void kick(uint32_t cpu)
{
	send(cpu, 0x4000 | SIDECAR_REQUEST_VECTOR);
}

static void start_cpu(uint32_t cpu)
{
	uint64_t end;

	send(cpu, 0xc500);
	end = now() + 10000000;
	while (now() < end)
		asm volatile("pause");
	send(cpu, 0x8500);
	send(cpu, 0x4600 | TRAMPOLINE >> 12);
}

/* The response vector waits in IRR: interrupts are off here. */
static bool response_pending(void)
{
	return load(apic(0x200 + RESPONSE_VECTOR / 32 * 0x10)) & 1u << RESPONSE_VECTOR % 32;
}

static void set_efer(uint32_t bits)
{
	asm volatile("rdmsr; orl %0, %%eax; wrmsr" : : "r"(bits), "c"(MSR_EFER) : "eax", "edx");
}

static uint32_t get_efer(void)
{
	uint32_t low;

	asm volatile("rdmsr" : "=a"(low) : "c"(MSR_EFER) : "edx");
	return low;
}

/* ---- the image and its parameters ------------------------------------------------------------ */

static void load_image(const uint8_t *file)
{
	const Elf64_Ehdr *header = (const void *)file;
	const Elf64_Phdr *segment = (const void *)(file + header->e_phoff);
	const struct sidecar_image_note *note;

	memset((void *)IMAGE, 0xcc, SIDECAR_IMAGE_MAX_SIZE); /* BSS has to be cleared by entry */
	for (unsigned int i = 0; i < header->e_phnum; i++)
		if (segment[i].p_type == PT_LOAD)
			memcpy((void *)(IMAGE + segment[i].p_paddr), file + segment[i].p_offset,
			       segment[i].p_filesz);
	for (unsigned int i = 0; i < header->e_phnum; i++) {
		if (segment[i].p_type != PT_NOTE)
			continue;
		note = (const void *)(file + segment[i].p_offset + 12 + 12);
		memcpy((void *)TRAMPOLINE, (void *)(IMAGE + note->trampoline),
		       note->trampoline_size);
	}
	entry = IMAGE + header->e_entry;
}

static void fill_params(void)
{
	memset(params, 0, sizeof(*params));
	params->enable_logging = 1;
	params->node_count = 2;
	params->nodes[0] = (struct sidecar_node_params){NODE0, SIDECAR_REQUIRED_MEMORY(NODE_CPUS),
							0, NODE_CPUS};
	params->nodes[1] = (struct sidecar_node_params){NODE1, SIDECAR_REQUIRED_MEMORY(NODE_CPUS),
							NODE_CPUS, NODE_CPUS};
	params->extension_magic = SIDECAR_EXTENSION_MAGIC;
	params->extension = EXTENSION;
	memset((void *)NODE0, 0xcc, SIDECAR_REQUIRED_MEMORY(NODE_CPUS));
	memset((void *)NODE1, 0xcc, SIDECAR_REQUIRED_MEMORY(NODE_CPUS));

	memset(extension, 0, SIDECAR_PAGE_SIZE);
	extension->magic = SIDECAR_EXTENSION_MAGIC;
	extension->version = SIDECAR_EXTENSION_VERSION;
	extension->flags = SIDECAR_EXTENSION_CALLER_STARTS_CPUS;
	extension->cpu_count = CPUS;
	for (uint32_t i = 0; i < CPUS; i++) {
		ext_cpus[i].apic_id = i;
		ext_cpus[i].vp_index = i;
	}
}

static void fill_trampoline(void)
{
	uint64_t *tables = (void *)TABLES;

	memset(tables, 0, 6 * 4096);
	tables[0] = (TABLES + 4096) | 3;
	for (uint64_t i = 0; i < 4; i++)
		tables[512 + i] = (TABLES + (2 + i) * 4096) | 3;
	for (uint64_t i = 0; i < 2048; i++)
		tables[1024 + i] = i << 21 | (i >= 1536 ? 0x9b : 0x83);
	memset(tramp, 0, sizeof(*tramp));
	tramp->cr3 = TABLES;
	tramp->extension = EXTENSION;
	tramp->params = PARAMS;
	tramp->output = OUTPUT;
	tramp->image_entry = entry;
	tramp->conductor_stack = CONDUCTOR_STACK;
}

/* ---- one CPU --------------------------------------------------------------------------------- */

static struct sidecar_control_page *control(uint32_t cpu)
{
	return (void *)output->nodes[cpu / NODE_CPUS].control_page;
}

static uint8_t *status(uint32_t cpu)
{
	return &control(cpu)->cpu_status[cpu % NODE_CPUS];
}

static struct sidecar_command_page *command_page(uint32_t cpu)
{
	return (void *)(output->nodes[cpu / NODE_CPUS].shmem_pages_base +
			cpu % NODE_CPUS * SIDECAR_PER_CPU_SHMEM);
}

static struct sidecar_state_page *state(uint32_t cpu)
{
	return (void *)ext_cpus[cpu].state_page;
}

static void start_command(uint32_t cpu, uint32_t command)
{
	command_page(cpu)->command = command;
	store(status(cpu), SIDECAR_STATUS_RUN);
	kick(cpu);
}

static bool idle(uint32_t cpu)
{
	return wait_until(load(status(cpu)) == SIDECAR_STATUS_IDLE);
}

static bool do_command(uint32_t cpu, uint32_t command)
{
	start_command(cpu, command);
	return idle(cpu);
}

static bool do_experiment(uint32_t cpu, enum experiment what)
{
	command_page(cpu)->cpu_context.gps[SIDECAR_GP_RAX] = what;
	return do_command(cpu, SIDECAR_COMMAND_RUN_VP);
}

static uint64_t result(uint32_t cpu, unsigned int gp)
{
	return command_page(cpu)->cpu_context.gps[gp];
}

static void restart(uint32_t cpu)
{
	store(status(cpu), SIDECAR_STATUS_RUN);
	start_cpu(cpu);
}

/* ---- the tests ------------------------------------------------------------------------------- */

static void test_refusals(void)
{
	uint32_t efer = get_efer();

	pml4[511] = 0x12345000;
	params->node_count = 129;
	check(call_entry(entry, PARAMS, OUTPUT) == 0, "129 nodes are refused, registers are kept");
	say_error();
	check(text_is(output->error.text, output->error.length,
		      "129 nodes, the limits are 1 and 128"),
	      "the text says so");
	params->node_count = 2;
	params->hypercall_page = FAULT_IN_BOOT;
	check(call_entry(entry, PARAMS, OUTPUT) == 0, "a fault while booting is a refusal");
	say_error();
	check(output->error.length > 0 && !memcmp(output->error.text, "exception 6 #UD at", 18),
	      "the text names the fault");
	params->hypercall_page = 0;
	check(call_entry(entry, PARAMS + 8, OUTPUT) == 0, "unaligned parameters are refused");
	say_error();
	check(call_entry(entry, PARAMS, OUTPUT + 1024) == 0, "an output across pages is refused");
	check(*(uint8_t *)NODE0 == 0xcc, "nothing was written to the node before");
	check(pml4[511] == 0x12345000, "entry 511 of the caller is as it was");
	check(get_efer() == efer, "so is EFER");
	pml4[511] = 0;
}

static void test_start(void)
{
	store(&tramp->conductor_result, SIDECAR_CONDUCTOR_PENDING);
	store(&tramp->conductor_apic_id, 1);
	start_cpu(1);
	check(wait_until(load(&tramp->conductor_result) != SIDECAR_CONDUCTOR_PENDING) &&
		      tramp->conductor_result == SIDECAR_CONDUCTOR_DONE,
	      "the conductor is done");
	/* It is one only once: a restart must not prepare the nodes again. */
	store(&tramp->conductor_apic_id, SIDECAR_NO_APIC_ID);
	say_error();
	check(idle(1), "CPU 1 is idle");
	start_cpu(2);
	start_cpu(4);
	start_cpu(5);
	check(idle(2) && idle(4) && idle(5), "CPUs 2, 4 and 5 are idle");
	check(load(status(0)) == SIDECAR_STATUS_REMOVED &&
		      load(status(3)) == SIDECAR_STATUS_REMOVED,
	      "the base CPUs are not the sidecar's");
	check(control(4)->index == 1 && control(4)->base_cpu == 3 && control(4)->cpu_count == 3 &&
		      control(4)->request_vector == SIDECAR_REQUEST_VECTOR,
	      "node 1 has its control page");
	check(output->nodes[1].control_page == NODE1 &&
		      output->nodes[1].shmem_pages_base == NODE1 + 4096 &&
		      output->nodes[1].shmem_pages_size == NODE_CPUS * SIDECAR_PER_CPU_SHMEM,
	      "node 1 is where the memory is");
	check(ext_cpus[3].entry == 0 && ext_cpus[3].cr3 == 0 && ext_cpus[4].cr3 > NODE1,
	      "the extension names the CPUs to start, and no other");
	check(state(5)->cpu_state == SIDECAR_CPU_READY, "CPU 5 says READY");
}

static void test_lost_and_parked(void)
{
	start_cpu(3);
	check(wait_until(load(&tramp->lost) == 1) && load(&tramp->lost_apic_id) == 3,
	      "a CPU that is not the sidecar's is lost");
	store(&tramp->park, 1);
	start_cpu(3);
	check(wait_until(load(&tramp->parked) == 1), "with park set it is parked");
	store(&tramp->park, 0);
	send(3, 0xc500);
}

static void test_commands(uint32_t cpu)
{
	struct sidecar_command_page *page = command_page(cpu);
	struct sidecar_registers_request *request = (void *)page->request_data;
	struct hv_register_assoc *regs = (void *)(request + 1);
	uint64_t before = state(cpu)->commands;

	control(cpu)->needs_attention = 0;
	store((uint64_t *)((uint64_t)control(cpu) + SIDECAR_CONTROL_RESPONSE_OFFSET),
	      (uint64_t)RESPONSE_VECTOR << 32);
	check(do_command(cpu, SIDECAR_COMMAND_NONE) && page->has_error == 0, "NONE");
	check(wait_until(response_pending()) && load(&control(cpu)->needs_attention) == 1,
	      "it is announced");
	store(&control(cpu)->response_vector, 0);
	page->has_error = 1;
	request->count = 2;
	regs[0].name = 41;
	regs[1].name = 98;
	check(do_command(cpu, SIDECAR_COMMAND_GET_REGISTERS) && page->has_error == 0 &&
		      regs[0].value.low == 42 && regs[1].value.low == 99,
	      "GET_REGISTERS");
	request->count = 32;
	check(do_command(cpu, SIDECAR_COMMAND_SET_REGISTERS) && page->has_error == 1 &&
		      text_is(page->error.text, page->error.length,
			      "register count 32, the limit is 31"),
	      "SET_REGISTERS of 32 is an error");
	check(do_command(cpu, 77) && page->has_error == 1, "so is command 77");
	check(page->command == SIDECAR_COMMAND_NONE, "the command is taken");
	check(state(cpu)->commands == before + 4, "four commands are counted");
}

static bool only_foreign_vector(uint32_t cpu, unsigned int vector, uint32_t count)
{
	for (unsigned int i = 0; i < 256; i++)
		if (load(&state(cpu)->foreign_vectors[i]) != (i == vector ? count : 0))
			return false;
	return true;
}

static void test_run(uint32_t cpu)
{
	uint8_t *byte = (uint8_t *)(SCRATCH + 0x123);

	command_page(cpu)->cpu_context.gps[SIDECAR_GP_RAX] = WAIT_FOR_STOP;
	start_command(cpu, SIDECAR_COMMAND_RUN_VP);
	send(cpu, 0x4000 | 0xfd);
	check(wait_until(load(&state(cpu)->foreign_interrupts) == 1),
	      "a stranger's interrupt is taken, and counted");
	check(only_foreign_vector(cpu, 0xfd, 1), "by its vector, and by no other");
	send(cpu, 0x4000 | 0x31);
	check(wait_until(load(&state(cpu)->foreign_interrupts) == 2) &&
		      load(&state(cpu)->foreign_vectors[0x31]) == 1 &&
		      load(&state(cpu)->foreign_vectors[0xfd]) == 1,
	      "another one's by another vector");
	check(load(status(cpu)) == SIDECAR_STATUS_RUN, "it still runs");
	store(status(cpu), SIDECAR_STATUS_STOP);
	kick(cpu);
	check(idle(cpu) && *(uint8_t *)command_page(cpu)->request_data == SIDECAR_RUN_STOPPED,
	      "STOP stops it");
	check(do_experiment(cpu, BAD_XCR0) && result(cpu, SIDECAR_GP_RCX) == 0,
	      "a bad XCR0 value is noticed and survived");
	check(do_experiment(cpu, BAD_FX_STATE) && result(cpu, SIDECAR_GP_RCX) == 0,
	      "so is a misaligned FXRSTOR");
	check(do_experiment(cpu, NMI), "an NMI is ignored");
	*byte = 0;
	command_page(cpu)->cpu_context.gps[SIDECAR_GP_RCX] = (uint64_t)byte;
	check(do_experiment(cpu, WRITE_WINDOW) && *byte == 0x5a &&
		      result(cpu, SIDECAR_GP_RDX) == 0x5a,
	      "a window shows any page");
}

static bool log_contains(uint32_t cpu, const char *text, unsigned int length)
{
	const struct sidecar_log *log = &state(cpu)->log;

	for (uint64_t i = 0; i + length <= log->head && i + length <= SIDECAR_LOG_SIZE; i++)
		if (!memcmp(log->text + i, text, length))
			return true;
	return false;
}

static void test_fault(uint32_t cpu, enum experiment what, uint64_t vector, const char *name)
{
	struct sidecar_state_page *s = state(cpu);

	command_page(cpu)->cpu_context.gps[SIDECAR_GP_RAX] = what;
	start_command(cpu, SIDECAR_COMMAND_RUN_VP);
	check(wait_until(load(&s->cpu_state) == SIDECAR_CPU_FAULTED) && s->fault.vector == vector &&
		      s->fault.rip > 0xffffff8000000000ull && s->fault.rsp == s->fault.gps[4] &&
		      load(status(cpu)) == SIDECAR_STATUS_RUN,
	      name);
	restart(cpu);
	check(idle(cpu) && s->cpu_state == SIDECAR_CPU_READY && do_command(cpu, 0),
	      "the CPU can be started again");
}

static void test_faults(uint32_t cpu)
{
	test_fault(cpu, UNDEFINED_INSTRUCTION, 6, "an undefined instruction is reported");
	check(log_contains(cpu, "exception 6 #UD at", 18), "in the log, too");
	check(state(cpu)->fault.stack[0] != 0, "with an extract of the stack");
	test_fault(cpu, OVERFLOW_STACK, 8, "a stack overflow meets the guard page");
	test_fault(cpu, WRITE_CODE, 14, "code cannot be written");
	check(state(cpu)->fault.error_code == 3, "because of its page's rights");
	test_fault(cpu, WRITE_CONSTANT, 14, "constants cannot be written");
	test_fault(cpu, EXECUTE_DATA, 14, "data cannot be executed");
	check(state(cpu)->fault.error_code == 0x11, "because of its page's rights");
	test_fault(cpu, TOUCH_UNMAPPED, 14, "low memory is not mapped");
	check(state(cpu)->fault.cr2 == 0x1000, "CR2 is in the report");
}

static void test_remove(uint32_t cpu)
{
	control(cpu)->needs_attention = 0;
	store(status(cpu), SIDECAR_STATUS_REMOVE);
	kick(cpu);
	check(wait_until(load(status(cpu)) == SIDECAR_STATUS_REMOVED), "REMOVE removes");
	check(state(cpu)->cpu_state == SIDECAR_CPU_PARKED &&
		      wait_until(load(&control(cpu)->needs_attention) == 1),
	      "the CPU is parked, and says so");
	command_page(cpu)->reserved1[0] = 0x1234;
	restart(cpu);
	check(idle(cpu) && do_command(cpu, 0), "it can come back");
	check(command_page(cpu)->reserved1[0] == 0, "and has forgotten what was");
	store(status(cpu), 99);
	kick(cpu);
	check(wait_until(load(&state(cpu)->cpu_state) == SIDECAR_CPU_FAULTED) &&
		      log_contains(cpu, "status byte 99 is none of", 25),
	      "a status byte of 99 is reported");
	check(state(cpu)->fault.vector == ~0ull && state(cpu)->fault.rip > 0xffffff8000000000ull,
	      "without a vector");
}

/* The same image once more, as after rmmod and insmod without a new copy. */
static void test_again(void)
{
	for (uint32_t i = 1; i < CPUS; i++)
		send(i, 0xc500);
	test_start();
	test_commands(5);
}

void loader_main(const struct multiboot *boot)
{
	const struct module *modules = (const void *)(uint64_t)boot->modules;

	store(apic(0x0f0), 0x1ff);
	load_image((const uint8_t *)(uint64_t)modules[0].start);
	fill_params();
	fill_trampoline();
	test_refusals();
	set_efer(0x800);
	test_start();
	test_lost_and_parked();
	for (uint32_t cpu = 1; cpu < CPUS; cpu += 3)
		test_commands(cpu);
	test_run(2);
	test_run(5);
	test_faults(1);
	test_faults(4);
	test_remove(5);
	test_again();
	say("1..");
	say_number(cases);
	say("\n");
	outb(EXIT_PORT, failures ? 1 : 0);
}
