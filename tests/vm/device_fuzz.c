// SPDX-License-Identifier: MIT
/*
 * R10 and R9: whatever registers, register page and code a VMM gives to a VP, the CPU answers, and
 * a cancel ends the run. The environment may have SEED (else always the same), ROUNDS, and VERBOSE,
 * which shows what each round begins with.
 */
#include "device.h"

#define CPU 1u
#define MEMORY_SIZE 0x10000u

static struct device device;
static uint8_t *memory;
static uint64_t seed;
static bool verbose;

static uint64_t random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static uint64_t pick(const uint64_t *values, unsigned int count)
{
	return values[random64() % count];
}

#define PICK(...)                                                                                  \
	({                                                                                         \
		static const uint64_t values[] = {__VA_ARGS__};                                    \
		pick(values, sizeof(values) / sizeof(values[0]));                                  \
	})

static const uint32_t names[] = {
	HV_REGISTER_RIP, HV_REGISTER_RSP, HV_REGISTER_RFLAGS, HV_REGISTER_CR0, HV_REGISTER_CR3,
	HV_REGISTER_CR4, HV_REGISTER_CR8, HV_REGISTER_EFER, HV_REGISTER_XFEM, HV_REGISTER_DR0,
	HV_REGISTER_DR6, HV_REGISTER_DR7, HV_REGISTER_PAT, HV_REGISTER_ES, HV_REGISTER_CS,
	HV_REGISTER_SS, HV_REGISTER_DS, HV_REGISTER_FS, HV_REGISTER_GS, HV_REGISTER_LDTR,
	HV_REGISTER_TR, HV_REGISTER_IDTR, HV_REGISTER_GDTR, HV_REGISTER_TSC_AUX,
	HV_REGISTER_KERNEL_GS_BASE, HV_REGISTER_LSTAR, HV_REGISTER_PENDING_INTERRUPTION,
	HV_REGISTER_PENDING_EVENT0, HV_REGISTER_INTERRUPT_STATE,
	HV_REGISTER_DELIVERABILITY_NOTIFICATIONS, HV_REGISTER_INTERNAL_ACTIVITY_STATE,
	HV_REGISTER_MTRR_DEF_TYPE, HV_REGISTER_APIC_BASE, HV_REGISTER_TSC, HV_REGISTER_DEBUGCTL,
	HV_REGISTER_SYSENTER_EIP,
};

/* Values that mean something somewhere, so that not everything is refused at once. */
static uint64_t value_of(uint32_t name)
{
	switch (name) {
	case HV_REGISTER_CR0:
		return PICK(0x10, 0x11, 0x80000011, 0x80010013, 0x60000010, 0xe0000011, 0x80050033);
	case HV_REGISTER_CR4:
		return PICK(0, 0x20, 0x620, 0x6b0, 0x10, 0x100020, 0x200020, 0x800, 0x20020, 0x10020);
	case HV_REGISTER_EFER:
		return PICK(0, 0x100, 0x500, 0x900, 0xd00, 0x901, 0xd01);
	case HV_REGISTER_CR3:
		return PICK(0, 0x3000, 0x4000, 0xfffffff000, 0x3018);
	case HV_REGISTER_RFLAGS:
		return PICK(2, 0x202, 0x102, 0x20002, 0x23202, 0x10002, 0x302, 0x200046);
	case HV_REGISTER_RIP:
		return PICK(0x1000, 0x1000, 0x1000, 0xfff0, 0xffffffff, 0x7fffffffffff, 0xfffe);
	case HV_REGISTER_DR7:
		return PICK(0x400, 0x2400, 0x600); /* QEMU 7.2 dies of data breakpoints */
	case HV_REGISTER_PENDING_INTERRUPTION:
		return PICK(0, 0x200001, 0x20005, 0xd0017, 0x300009, 0x3000d, 0x80017, 0x10007, 0xe0017);
	case HV_REGISTER_PENDING_EVENT0:
		return PICK(0, 0x60001, 0xe0101, 0x440b, 0x80101, 0x10001, 0x110101);
	case HV_REGISTER_INTERRUPT_STATE:
	case HV_REGISTER_DELIVERABILITY_NOTIFICATIONS:
	case HV_REGISTER_INTERNAL_ACTIVITY_STATE:
	case HV_REGISTER_XFEM:
		return random64() & 3;
	case HV_REGISTER_CR8:
		return random64() & 15;
	default:
		return PICK(0, 0x1000, 0xffffffff, 0x7fffffffffff, ~0ull, 0x0606060606060606,
			    0xffff800000000000, 0x800, 6);
	}
}

/* Limit, selector and attributes of a segment; limit of a table. */
static uint64_t high_of(uint32_t name)
{
	const uint64_t attributes = PICK(0x9b, 0x93, 0xa09b, 0xc09b, 0xc093, 0xf3, 0xfb, 0x8b, 0x82,
					 0xa0fb, 0, 0xffff);

	if (name >= HV_REGISTER_ES && name <= HV_REGISTER_TR)
		return PICK(0xffff, 0xffffffff, 0, 0x67) | PICK(0, 8, 3, 0xffff) << 32 |
		       attributes << 48;
	return random64();
}

static void fill_registers(void)
{
	struct sidecar_registers_request *head = (void *)command_page(&device, CPU)->request_data;
	struct hv_register_assoc *entry = (void *)(head + 1);
	unsigned int count = 1 + random64() % 8;

	memset(head, 0, SIDECAR_REQUEST_DATA_SIZE);
	head->count = count;
	head->target_vtl = HV_VTL_0;
	for (unsigned int i = 0; i < count; i++) {
		entry[i].name = names[random64() % (sizeof(names) / sizeof(names[0]))];
		entry[i].value.low = value_of(entry[i].name);
		entry[i].value.high = high_of(entry[i].name);
		if (entry[i].name == HV_REGISTER_IDTR || entry[i].name == HV_REGISTER_GDTR) {
			entry[i].value.high = entry[i].value.low;
			entry[i].value.low = PICK(0, 0x3ff, 0xffff) << 48;
		}
	}
}

/* Instructions that a guest could bring itself or its CPU into trouble with. */
static const uint8_t instructions[][8] = {
	{2, 0x0f, 0xa2}, {2, 0x0f, 0x30}, {2, 0x0f, 0x32}, {1, 0xf4}, {3, 0x0f, 0x01, 0xd9},
	{3, 0x0f, 0x22, 0xc0}, {3, 0x0f, 0x22, 0xe0}, {3, 0x0f, 0x22, 0xd8}, {1, 0xfa}, {1, 0xfb},
	{3, 0x0f, 0x20, 0xe0}, {1, 0xcf}, {2, 0xcd, 0x21}, {1, 0xcc},
	{1, 0x9d}, {1, 0x9c}, {3, 0x0f, 0x01, 0xd8}, {2, 0xeb, 0xfe}, {2, 0x0f, 0x05},
	{2, 0x0f, 0x34}, {2, 0x0f, 0x35}, {3, 0x0f, 0x00, 0xd8}, {3, 0x0f, 0x01, 0xf8},
	{2, 0x0f, 0x09}, {1, 0x6e}, {1, 0x6c}, {2, 0xe6, 0x80}, {2, 0x0f, 0x33}, {1, 0xf1},
	{2, 0x8e, 0xd0}, {1, 0xcb}, {3, 0x0f, 0xc7, 0x0f}, {3, 0x0f, 0xae, 0x07}, {2, 0x0f, 0x77},
	{3, 0x0f, 0x01, 0xd0}, {2, 0x0f, 0x0b}, {3, 0xea, 0x00, 0x10}, {4, 0xf0, 0x0f, 0x22, 0xc0},
};

static void fill_code(void)
{
	unsigned int place = 0x1000;

	while (place < 0x1040) {
		const uint8_t *in =
			instructions[random64() % (sizeof(instructions) / sizeof(instructions[0]))];

		memcpy(memory + place, in + 1, in[0]);
		place += in[0];
		if (random64() % 4 == 0)
			memory[place++] = (uint8_t)random64();
	}
}

static void fill_context(void)
{
	struct sidecar_command_page *page = command_page(&device, CPU);
	static const uint64_t values[] = {0, 0xc0000080, 0x277, 0x10, 0x80000011, 0x620, 0x100,
					  0xd01, 0x1b, 0x2ff, ~0ull, 0x1000};

	for (unsigned int i = 0; i < 16; i++)
		page->cpu_context.gps[i] = pick(values, 12);
	page->cpu_context.fx_state.mxcsr = random64() % 8 ? 0x1f80 : (uint32_t)random64();
	page->cpu_context.fx_state.fsw = (uint16_t)random64();
}

static void touch_register_page(void)
{
	struct hv_register_page *page =
		(void *)(device.shmem + CPU * SIDECAR_PER_CPU_SHMEM + SIDECAR_PAGE_SIZE);

	if (random64() % 4)
		return;
	page->dirty = random64() & 0x3f;
	page->rip = value_of(HV_REGISTER_RIP);
	page->rflags = value_of(HV_REGISTER_RFLAGS);
	page->segment[random64() % 6].attributes = (uint16_t)high_of(HV_REGISTER_CS);
}

/* True when the CPU has answered, on its own or after a cancel. */
static bool run_and_cancel(void)
{
	int error = start(&device, CPU, SIDECAR_COMMAND_RUN_VP);

	/* The last cancel came after the end of its run. */
	if (error == ECANCELED)
		error = start(&device, CPU, SIDECAR_COMMAND_RUN_VP);
	if (error)
		return false;
	if (wait_completion(&device, 2) == (int)CPU)
		return true;
	control(device.fd, SIDECAR_IOC_CANCEL, CPU);
	return wait_completion(&device, 4000) == (int)CPU;
}

static void open_guest(void)
{
	const uint32_t all = SIDECAR_MAP_READ | SIDECAR_MAP_WRITE | SIDECAR_MAP_EXECUTE;
	int partition;

	device = device_open();
	partition = -control(device.fd, SIDECAR_IOC_PARTITION_CREATE, 0);
	memory = new_memory(MEMORY_SIZE);
	if (map_memory(partition, 0, memory, MEMORY_SIZE, all) ||
	    control(device.fd, SIDECAR_IOC_PARTITION_ATTACH, partition))
		exit(1);
}

/* Identity tables for long mode at 0x3000, and for 32-bit paging at 0x6000. */
static void fill_tables(void)
{
	memset(memory + 0x3000, 0, 0x4000);
	*(uint64_t *)(memory + 0x3000) = 0x4007;
	*(uint64_t *)(memory + 0x4000) = 0x5007;
	*(uint64_t *)(memory + 0x5000) = 0x87;
}

/* Every so often from a state in which 64-bit code runs. */
static void start_long_mode(void)
{
	static const struct hv_register_assoc regs[] = {
		{.name = HV_REGISTER_CR3, .value = {0x3000, 0}},
		{.name = HV_REGISTER_CR4, .value = {0x620, 0}},
		{.name = HV_REGISTER_EFER, .value = {0xd01, 0}},
		{.name = HV_REGISTER_CR0, .value = {0x80050033, 0}},
		{.name = HV_REGISTER_CS, .value = {0, 0xa09b0008ffffffff}},
		{.name = HV_REGISTER_RIP, .value = {0x1000, 0}},
		{.name = HV_REGISTER_RSP, .value = {0x8000, 0}},
		{.name = HV_REGISTER_RFLAGS, .value = {2, 0}},
		{.name = HV_REGISTER_INTERNAL_ACTIVITY_STATE, .value = {0, 0}},
	};
	struct sidecar_registers_request *head = (void *)command_page(&device, CPU)->request_data;

	*head = (struct sidecar_registers_request){.count = 9, .target_vtl = HV_VTL_0};
	memcpy(head + 1, regs, sizeof(regs));
	run(&device, CPU, SIDECAR_COMMAND_SET_REGISTERS);
}

static void start_real_mode(void)
{
	static const struct hv_register_assoc regs[] = {
		{.name = HV_REGISTER_CR4, .value = {0, 0}},
		{.name = HV_REGISTER_EFER, .value = {0, 0}},
		{.name = HV_REGISTER_CR0, .value = {0x10, 0}},
		{.name = HV_REGISTER_CS, .value = {0, 0x009b00000000ffff}},
		{.name = HV_REGISTER_SS, .value = {0, 0x009300000000ffff}},
		{.name = HV_REGISTER_RIP, .value = {0x1000, 0}},
		{.name = HV_REGISTER_RFLAGS, .value = {2, 0}},
		{.name = HV_REGISTER_INTERNAL_ACTIVITY_STATE, .value = {0, 0}},
	};
	struct sidecar_registers_request *head = (void *)command_page(&device, CPU)->request_data;

	*head = (struct sidecar_registers_request){.count = 8, .target_vtl = HV_VTL_0};
	memcpy(head + 1, regs, sizeof(regs));
	run(&device, CPU, SIDECAR_COMMAND_SET_REGISTERS);
}

/* What the VP is about to do, for whoever looks for the round that kills the machine. */
static void show(void)
{
	static const struct {
		const char *name;
		uint32_t number;
	} shown[] = {
		{"rip", HV_REGISTER_RIP},	{"rflags", HV_REGISTER_RFLAGS},
		{"cr0", HV_REGISTER_CR0},	{"cr3", HV_REGISTER_CR3},
		{"cr4", HV_REGISTER_CR4},	{"efer", HV_REGISTER_EFER},
		{"dr7", HV_REGISTER_DR7},	{"cs", HV_REGISTER_CS},
		{"ss", HV_REGISTER_SS},		{"pending", HV_REGISTER_PENDING_INTERRUPTION},
		{"event", HV_REGISTER_PENDING_EVENT0},
		{"activity", HV_REGISTER_INTERNAL_ACTIVITY_STATE},
		{"notify", HV_REGISTER_DELIVERABILITY_NOTIFICATIONS},
	};
	struct sidecar_registers_request *head = (void *)command_page(&device, CPU)->request_data;
	struct hv_register_assoc *entry = (void *)(head + 1);
	unsigned int count = sizeof(shown) / sizeof(shown[0]);

	*head = (struct sidecar_registers_request){.count = count, .target_vtl = HV_VTL_0};
	for (unsigned int i = 0; i < count; i++)
		entry[i] = (struct hv_register_assoc){.name = shown[i].number};
	run(&device, CPU, SIDECAR_COMMAND_GET_REGISTERS);
	printf("#");
	for (unsigned int i = 0; i < count; i++)
		printf(" %s %llx:%llx", shown[i].name, (unsigned long long)entry[i].value.high,
		       (unsigned long long)entry[i].value.low);
	printf(" code");
	for (unsigned int i = 0; i < 32; i++)
		printf(" %02x", memory[0x1000 + i]);
	printf("\n");
	fflush(stdout);
}

static bool round_is_good(void)
{
	unsigned int kind = random64() % 4;

	fill_tables();
	fill_code();
	if (kind == 0)
		start_long_mode();
	else if (kind == 1)
		start_real_mode();
	fill_context();
	for (unsigned int i = random64() % 3; i; i--) {
		fill_registers();
		if (run(&device, CPU, SIDECAR_COMMAND_SET_REGISTERS))
			return false;
	}
	touch_register_page();
	if (verbose)
		show();
	return run_and_cancel();
}

static unsigned long environment(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 0) : otherwise;
}

int main(void)
{
	unsigned long rounds = environment("ROUNDS", 2000), i;
	unsigned long messages = 0;

	verbose = environment("VERBOSE", 0);
	if (insert_module("cpus=1-3"))
		return 1;
	seed = environment("SEED", 88172645463325252);
	tap_note("SEED=%lu ROUNDS=%lu", (unsigned long)seed, rounds);
	open_guest();
	for (i = 0; i < rounds; i++) {
		uint64_t before = seed;

		if (!round_is_good()) {
			tap_note("round %lu, which begins with SEED=%llu", i,
				 (unsigned long long)before);
			break;
		}
		messages += run_result(&device, CPU) == 1;
	}
	tap_check(i == rounds, "the CPU answered all %lu times", rounds);
	tap_note("%lu runs ended with a message", messages);
	tap_check(messages > rounds / 10, "and many of the guests did something");
	tap_equal(run(&device, CPU, SIDECAR_COMMAND_NONE), 0, "the CPU is alive");
	return tap_done();
}
