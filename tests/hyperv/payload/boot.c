// SPDX-License-Identifier: MIT
/* The boot shim's part: the image, its parameters, the entry function, and what it leaves behind.
 */
#include <elf.h>

#include "node.h"

#define IMAGE 0x4000000ull
#define PARAMS 0x3000000ull
#define OUTPUT 0x3001000ull
#define SHIM_HYPERCALL_PAGE 0x3002000ull
#define NODES 0x5000000ull
#define NODE_ROOM 0x800000ull
#define EXTENSION 0x3003000ull /* of 63 CPUs or fewer: one page */
#define CANARY 0xccu
#define PML4E_MARK 0x12345000ull
#define SPLIT_MAX 8u

static struct sidecar_boot_params *const params = (void *)PARAMS;
static struct sidecar_boot_output *const output = (void *)OUTPUT;
static uint64_t entry;

static bool load_image(void)
{
	const Elf64_Ehdr *header;
	const Elf64_Phdr *segment;
	const uint8_t *file;
	uint64_t size;

	if (!archive_find(&files, "kernel", &file, &size))
		return false;
	header = (const void *)file;
	segment = (const void *)(file + header->e_phoff);
	memset((void *)IMAGE, CANARY, SIDECAR_IMAGE_MAX_SIZE); /* nobody clears its BSS */
	for (uint32_t i = 0; i < header->e_phnum; i++)
		if (segment[i].p_type == PT_LOAD)
			memcpy((void *)(IMAGE + segment[i].p_paddr), file + segment[i].p_offset,
			       segment[i].p_filesz);
	entry = IMAGE + header->e_entry;
	return true;
}

/* Nodes of nearly equal size; with a gap, the first CPU of the machine is in none. */
static void plan(void)
{
	uint32_t count = vp_count(), first = (uint32_t)option("gap", 0);

	node_count = (uint32_t)option("nodes", 1);
	for (uint32_t n = 0; n < node_count; n++) {
		struct test_node *node = &nodes[n];

		node->base = first + n * (count - first) / node_count;
		node->count = first + (n + 1) * (count - first) / node_count - node->base;
		node->memory = NODES + n * NODE_ROOM;
		node->size = SIDECAR_REQUIRED_MEMORY(node->count);
		memset((void *)node->memory, CANARY, node->size + PAGE);
	}
}

/* With overrides, beyond the bases every third VP is the other OS's. */
static bool sidecar_starts(uint32_t vp)
{
	struct test_node *node = node_of(vp);

	if (!node || vp == node->base)
		return false;
	return !option("overrides", 0) || vp % 3 != 2;
}

/* ---- the extension, if there is one ---------------------------------------------------------- */

static struct sidecar_extension *const extension = (void *)EXTENSION;

static struct sidecar_extension_cpu *extension_cpus(void)
{
	return (struct sidecar_extension_cpu *)(extension + 1);
}

static void fill_extension(void)
{
	struct sidecar_extension_cpu *cpu = extension_cpus();

	if (!option("extension", 0))
		return;
	memset(extension, 0, PAGE);
	extension->magic = SIDECAR_EXTENSION_MAGIC;
	extension->version = SIDECAR_EXTENSION_VERSION;
	for (uint32_t n = 0; n < node_count; n++) {
		extension->cpu_count += nodes[n].count;
		for (uint32_t i = 0; i < nodes[n].count; i++, cpu++) {
			cpu->vp_index = nodes[n].base + i;
			cpu->apic_id = apic_ids[nodes[n].base + i];
		}
	}
	params->extension_magic = SIDECAR_EXTENSION_MAGIC;
	params->extension = EXTENSION;
}

static bool in_node(uint64_t pa, const struct test_node *node)
{
	return pa % PAGE == 0 && pa > node->memory && pa < node->memory + node->size;
}

/* Each CPU has said in its state page that it is there; of the others the kernel says nothing. */
static bool extension_right(void)
{
	const struct sidecar_extension_cpu *cpu = extension_cpus();

	for (uint32_t n = 0; n < node_count; n++) {
		for (uint32_t i = 0; i < nodes[n].count; i++, cpu++) {
			const struct sidecar_state_page *state = (void *)cpu->state_page;

			if (!sidecar_starts(nodes[n].base + i)) {
				if (cpu->cr3 | cpu->entry | cpu->stack | cpu->state_page)
					return false;
				continue;
			}
			if (!in_node(cpu->state_page, &nodes[n]) || !in_node(cpu->cr3, &nodes[n]) ||
			    !cpu->entry || !cpu->stack || load(&state->log.head) == 0 ||
			    load(&state->cpu_state) != SIDECAR_CPU_READY)
				return false;
		}
	}
	return extension->boot_pml4e & 1;
}

static void test_extension(void)
{
	if (option("extension", 0))
		check(extension_right(), "the extension says where each CPU's state page is");
}

static void fill_params(void)
{
	memset(params, 0, sizeof(*params));
	memset(output, CANARY, PAGE);
	params->hypercall_page = SHIM_HYPERCALL_PAGE;
	params->enable_logging = 1;
	params->node_count = node_count;
	for (uint32_t n = 0; n < node_count; n++)
		params->nodes[n] = (struct sidecar_node_params){nodes[n].memory, nodes[n].size,
								nodes[n].base, nodes[n].count};
	params->initial_state.specified = option("overrides", 0) != 0;
	for (uint32_t vp = 0; vp < SIDECAR_MAX_CPU_OVERRIDES; vp++)
		params->initial_state.sidecar_starts_cpu[vp] =
			vp >= BENCH_MAX_VPS || sidecar_starts(vp);
	fill_extension();
}

static uint64_t read_cr3(void)
{
	uint64_t value;

	asm volatile("mov %%cr3, %0" : "=r"(value));
	return value;
}

/* The shim's hypercall page lives as long as the call: then it is an ordinary page again. */
static unsigned int call(void)
{
	uint64_t cr3 = read_cr3();
	unsigned int result;

	wrmsr(MSR_HYPERCALL, SHIM_HYPERCALL_PAGE | 1);
	pml4[511] = PML4E_MARK;
	result = call_entry(entry, PARAMS, OUTPUT);
	check(result != 2, "entry keeps the registers that a callee keeps");
	check_equal(read_cr3(), cr3, "and CR3");
	check_equal(pml4[511], PML4E_MARK, "and the last entry of the PML4");
	pml4[511] = 0;
	wrmsr(MSR_HYPERCALL, (uint64_t)hypercall_page | 1);
	return result;
}

static void say_error(void)
{
	say("# error text: ");
	say_bytes(output->error.text, output->error.length);
	say("\n");
}

static void test_refusals(void)
{
	params->nodes[0].memory_size -= PAGE;
	check_equal(call(), 0, "too little memory is refused");
	check(output->error.length > 0, "with a text");
	say_error();
	fill_params();
	control(CONTROL_FAIL, HV_CALL_GET_VP_REGISTERS | 1 << 16);
	check_equal(call(), 0, "a VSM register that cannot be read is refused");
	check(output->error.length > 0, "with a text");
	say_error();
	control(CONTROL_FAIL, 0);
	fill_params();
}

/* The original reports a crash instead, and that is the end. */
static void test_refused_start(void)
{
	if (option("original", 0))
		return;
	control(CONTROL_HOSTILE, HOSTILE_REFUSE_START);
	check_equal(call(), 0, "a VP that the hypervisor does not start is a failure");
	check(output->error.length > 0, "with a text");
	say_error();
	control(CONTROL_FRIENDLY, HOSTILE_REFUSE_START);
	control(CONTROL_FORGIVE, 0); /* a crash report is as good */
	fill_params();
}

/* ---- what it leaves behind ------------------------------------------------------------------- */

static bool control_page_right(uint32_t n)
{
	const struct sidecar_control_page *page = nodes[n].control;

	for (uint32_t i = 0; i < sizeof(page->reserved); i++)
		if (page->reserved[i])
			return false;
	return page->index == n && page->base_cpu == nodes[n].base &&
	       page->cpu_count == nodes[n].count &&
	       page->request_vector == SIDECAR_REQUEST_VECTOR && page->response_cpu == 0 &&
	       page->response_vector == 0 && page->needs_attention == 0;
}

static bool statuses_right(uint32_t n)
{
	const struct sidecar_control_page *page = nodes[n].control;

	for (uint32_t i = 0; i < SIDECAR_CONTROL_MAX_CPUS; i++) {
		bool starts = i < nodes[n].count && sidecar_starts(nodes[n].base + i);

		if (load(&page->cpu_status[i]) !=
		    (starts ? SIDECAR_STATUS_IDLE : SIDECAR_STATUS_REMOVED))
			return false;
	}
	return true;
}

static bool pages_zero(uint32_t n)
{
	for (uint32_t vp = nodes[n].base; vp < nodes[n].base + nodes[n].count; vp++)
		for (uint32_t i = 0; sidecar_starts(vp) && i < 2 * PAGE; i++)
			if (((const uint8_t *)page_of(vp))[i])
				return false;
	return true;
}

static bool canary_alive(uint32_t n)
{
	const uint8_t *end = (const uint8_t *)(nodes[n].memory + nodes[n].size);

	for (uint32_t i = 0; i < PAGE; i++)
		if (end[i] != CANARY)
			return false;
	return true;
}

static void test_node(uint32_t n)
{
	const struct sidecar_node_output *out = &output->nodes[n];

	check_equal(out->control_page, nodes[n].memory, "the control page comes first");
	check(out->shmem_pages_base == nodes[n].memory + PAGE &&
		      out->shmem_pages_size == nodes[n].count * SIDECAR_PER_CPU_SHMEM,
	      "then the shared pages");
	nodes[n].control = (void *)out->control_page;
	check(control_page_right(n), "the control page says what it should");
	check(statuses_right(n), "who is the sidecar's is IDLE, everybody else is REMOVED");
	check(pages_zero(n), "command and register pages are zero");
	check(canary_alive(n), "nothing was written behind the node's memory");
}

void test_boot(void)
{
	uint64_t begin;

	bench_start();
	x2apic_enable();
	for (uint32_t vp = 0; vp < vp_count(); vp++)
		apic_ids[vp] = apic_of_vp(vp);
	plan();
	check(load_image(), "there is an image");
	fill_params();
	test_refusals();
	test_refused_start();
	begin = now();
	check_equal(call(), 1, "entry succeeds");
	say_error();
	say("# entry took, in units of 100 ns: ");
	say_hex(now() - begin);
	say("\n");
	for (uint32_t n = 0; n < node_count; n++)
		test_node(n);
	test_extension();
}
