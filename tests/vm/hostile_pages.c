// SPDX-License-Identifier: MIT
/*
 * R10: a VMM rewrites the command page and the register page of its VP at full rate while commands
 * run: the command code, counts, names and values of registers, the FX image, the fields that RUN_VP
 * takes and gives. Whatever the sidecar CPU reads in between, it answers, takes no fault, and touches
 * no memory but the guest's. The environment may have SEED and ROUNDS.
 *
 * Left out because of QEMU 7.2: data breakpoints in DR7 and guests that write CR8 while an interrupt
 * is pending, of which it aborts.
 */
#include <liburing.h>
#include <pthread.h>

#include "hostile.h"

#define GUEST_PAGES 16u
#define AREA_PAGES (2 * GUEST_PAGES + 1) /* every second one is the guest's */
#define CODE 1u /* the guest's page with the code */
#define CANARY 0xa5
#define BATCH 64u
#define BATCHES_UNTIL_CANCEL 40u
#define ANSWER_MS 12000

static struct device device;
static struct io_uring ring;
static uint8_t *area;
static unsigned long writes;

/* ---- the guest's memory ---------------------------------------------------------------------- */

static uint8_t *guest_page(unsigned int number)
{
	return area + (2 * number + 1) * SIDECAR_PAGE_SIZE;
}

/* What the guest must never reach: the pages between its own. */
static bool canaries_live(void)
{
	for (unsigned int i = 0; i < AREA_PAGES; i += 2) {
		for (unsigned int at = 0; at < SIDECAR_PAGE_SIZE; at++) {
			if (area[i * SIDECAR_PAGE_SIZE + at] == CANARY)
				continue;
			tap_note("byte %#x of page %u, which is not the guest's, has changed", at, i);
			return false;
		}
	}
	return true;
}

static const uint8_t pieces[][8] = {
	{1, 0xaa}, {2, 0xf3, 0xab}, {2, 0x89, 0x00}, {2, 0x88, 0x03}, {1, 0xf4}, {2, 0xe6, 0x80},
	{2, 0x0f, 0xa2}, {2, 0x0f, 0x32}, {2, 0x0f, 0x30}, {3, 0x0f, 0x01, 0xd9}, {1, 0x90},
	{1, 0x6e}, {2, 0xcd, 0x21}, {1, 0x9d}, {1, 0xcf}, {2, 0x0f, 0x0b}, {2, 0xeb, 0xfe},
	{2, 0xeb, 0xf0}, {3, 0x0f, 0x22, 0xd8}, {3, 0x0f, 0x22, 0xc0}, {3, 0x0f, 0x01, 0xd8},
};

static void fill_code(void)
{
	uint8_t *page = guest_page(CODE);
	unsigned int at = 0;

	while (at < 64) {
		const uint8_t *piece = pieces[random_below(COUNT(pieces))];

		memcpy(page + at, piece + 1, piece[0]);
		at += piece[0];
	}
	page[at] = 0xf4;
}

static void give_area(void)
{
	int partition = -control(device.fd, SIDECAR_IOC_PARTITION_CREATE, 0);
	unsigned int refused = 0;

	area = new_memory(AREA_PAGES * SIDECAR_PAGE_SIZE);
	memset(area, CANARY, AREA_PAGES * SIDECAR_PAGE_SIZE);
	for (unsigned int i = 0; i < GUEST_PAGES; i++) {
		memset(guest_page(i), 0xf4, SIDECAR_PAGE_SIZE);
		refused += map_memory(partition, i * SIDECAR_PAGE_SIZE, guest_page(i),
				      SIDECAR_PAGE_SIZE, ALL_RIGHTS) != 0;
	}
	refused += map_memory(partition, RESET_PAGE, guest_page(CODE), SIDECAR_PAGE_SIZE,
			      ALL_RIGHTS) != 0;
	if (refused || control(device.fd, SIDECAR_IOC_PARTITION_ATTACH, partition))
		_exit(80);
	close(partition);
}

/* ---- the pages ------------------------------------------------------------------------------- */

static const uint64_t numbers[] = {
	0, 1, 2, 3, 4, 5, 77, 31, 32, 33, 0xffff, 0xffffffff, ~0ull, 0x1000, 0xfff0, 0x1f80,
	0xffff1f80, 0x7fffffffffff, 0x800000000000, 0x8000000000000000, 0x80050033, 0x80000011,
	0x10, 0x620, 0x20, 0x500, 0xd01, 0x1000000001f, 0x30202, 0x202, 0x3f, 0x010101,
	HV_REGISTER_RIP, HV_REGISTER_RSP, HV_REGISTER_RFLAGS, HV_REGISTER_CR0, HV_REGISTER_CR3,
	HV_REGISTER_CR4, HV_REGISTER_EFER, HV_REGISTER_CS, HV_REGISTER_SS, HV_REGISTER_TR,
	HV_REGISTER_LDTR, HV_REGISTER_GDTR, HV_REGISTER_PENDING_INTERRUPTION,
	HV_REGISTER_PENDING_EVENT0, HV_REGISTER_INTERRUPT_STATE, HV_REGISTER_XFEM,
	HV_REGISTER_DELIVERABILITY_NOTIFICATIONS, HV_REGISTER_INTERNAL_ACTIVITY_STATE,
	HV_REGISTER_MTRR_DEF_TYPE, HV_REGISTER_DR6, HV_REGISTER_PAT, HV_REGISTER_XMM0,
	HV_REGISTER_FP_CONTROL_STATUS, HV_REGISTER_XMM_CONTROL_STATUS, HV_REGISTER_RAX,
};

static uint64_t number(void)
{
	return random_below(4) ? numbers[random_below(COUNT(numbers))] : random64();
}

static uint8_t *pages_of(unsigned int cpu)
{
	return (uint8_t *)command_page(&device, cpu);
}

static void poke(uint8_t *pages, unsigned int offset, uint64_t value)
{
	*(volatile uint64_t *)(pages + (offset & ~7u)) = value;
	writes++;
}

#define COMMAND_FIELD(field) offsetof(struct sidecar_command_page, field)
#define REGISTER_FIELD(field) (SIDECAR_PAGE_SIZE + offsetof(struct hv_register_page, field))
#define FX_MXCSR (COMMAND_FIELD(cpu_context.fx_state) + offsetof(struct hv_fx_state, mxcsr))

/* Anything anywhere; or what is read, by its name. */
static void scribble_once(uint8_t *pages)
{
	switch (random_below(10)) {
	case 0:
		return poke(pages, COMMAND_FIELD(command), random_below(7));
	case 1:
		return poke(pages, COMMAND_FIELD(request_data), number());
	case 2:
		return poke(pages, COMMAND_FIELD(request_data) + 16 + 16 * random_below(62), number());
	case 3:
		return poke(pages, FX_MXCSR, random_below(2) ? 0x1f80 : number());
	case 4:
		return poke(pages, COMMAND_FIELD(cpu_context.gps) + 8 * random_below(16), number());
	case 5: /* is_valid and dirty */
		return poke(pages, REGISTER_FIELD(version), random64() & 0x3f00010001);
	case 6:
		return poke(pages, REGISTER_FIELD(rip), number());
	case 7:
		return poke(pages, REGISTER_FIELD(segment) + 8 * random_below(12), number());
	default:
		return poke(pages, random_below(2 * SIDECAR_PAGE_SIZE), number());
	}
}

/*
 * One field that is now this and now that, as fast as it goes: whoever reads it twice meets both.
 * The first value is good.
 */
struct focus {
	uint32_t command;
	unsigned int offset;
	uint64_t values[2];
};

#define REQUEST COMMAND_FIELD(request_data)
#define FIRST_NAME (REQUEST + 16)
#define FIRST_VALUE (REQUEST + 32)
#define FIRST_SEGMENT REGISTER_FIELD(segment)
#define PAGE_FLAGS REGISTER_FIELD(version)
#define VALID_AND_DIRTY(dirty) ((uint64_t)(dirty) << 32 | 1u << 16)

static const struct focus focuses[] = {
	{SIDECAR_COMMAND_GET_REGISTERS, REQUEST, {31, 0xffff}},
	{SIDECAR_COMMAND_SET_REGISTERS, REQUEST, {1, 0x7ff}},
	{SIDECAR_COMMAND_SET_REGISTERS, FIRST_NAME, {HV_REGISTER_RIP, ~0ull}},
	{SIDECAR_COMMAND_SET_REGISTERS, FIRST_NAME, {HV_REGISTER_XMM0, HV_REGISTER_MTRR_DEF_TYPE}},
	{SIDECAR_COMMAND_SET_REGISTERS, FIRST_VALUE, {0x1000, 0x8000000000000000}},
	{SIDECAR_COMMAND_RUN_VP, COMMAND_FIELD(command), {1, 0xffffffff}},
	{SIDECAR_COMMAND_GET_REGISTERS, COMMAND_FIELD(command), {2, 77}},
	{SIDECAR_COMMAND_RUN_VP, FX_MXCSR, {HV_FX_DEFAULT_MXCSR, ~0ull}},
	{SIDECAR_COMMAND_RUN_VP, PAGE_FLAGS, {VALID_AND_DIRTY(0), VALID_AND_DIRTY(~0u)}},
	{SIDECAR_COMMAND_RUN_VP, PAGE_FLAGS, {VALID_AND_DIRTY(2), 0}},
	{SIDECAR_COMMAND_RUN_VP, REGISTER_FIELD(rip), {0x1000, 0x8000000000000000}},
	{SIDECAR_COMMAND_RUN_VP, FIRST_SEGMENT + 8, {0x009300000000ffff, ~0ull}},
	{SIDECAR_COMMAND_TRANSLATE_GVA, REQUEST, {1, 1ull << 51}},
	{SIDECAR_COMMAND_TRANSLATE_GVA, REQUEST + 8, {1, ~0ull}},
};

static const struct focus *_Atomic round_focus; /* NULL: everything */

static void alternate(uint8_t *pages, const struct focus *focus)
{
	volatile uint64_t *field = (void *)(pages + (focus->offset & ~7u));

	for (unsigned int i = 0; i < 8 * BATCH; i++) {
		*field = focus->values[0];
		*field = focus->values[1];
	}
	*field = focus->values[0];
	writes += 16 * BATCH;
}

static void scribble(uint8_t *pages)
{
	const struct focus *focus = atomic_load(&round_focus);

	if (focus)
		return alternate(pages, focus);
	for (unsigned int i = 0; i < BATCH; i++)
		scribble_once(pages);
}

/* A request that is good as it stands, so that what is changed meanwhile matters. */
static void fill_request(unsigned int cpu)
{
	struct sidecar_registers_request *request = (void *)command_page(&device, cpu)->request_data;
	struct hv_register_assoc *entry = (void *)(request + 1);

	memset(request, 0, SIDECAR_REQUEST_DATA_SIZE);
	request->count = (uint16_t)random_below(33);
	request->target_vtl = HV_VTL_0;
	for (unsigned int i = 0; i < SIDECAR_MAX_REGISTERS; i++)
		entry[i] = (struct hv_register_assoc){ .name = (uint32_t)number() };
}

/* From a state in which code runs, every so often. */
static void restart_guest(unsigned int cpu)
{
	static const struct hv_register_assoc regs[] = {
		{.name = HV_REGISTER_CR4}, {.name = HV_REGISTER_EFER},
		{.name = HV_REGISTER_CR0, .value = {0x10, 0}},
		{.name = HV_REGISTER_CS, .value = {0, 0x009b00000000ffff}},
		{.name = HV_REGISTER_SS, .value = {0, 0x009300000000ffff}},
		{.name = HV_REGISTER_RIP, .value = {0x1000, 0}},
		{.name = HV_REGISTER_RFLAGS, .value = {2, 0}},
		{.name = HV_REGISTER_INTERNAL_ACTIVITY_STATE},
		{.name = HV_REGISTER_PENDING_INTERRUPTION},
	};
	struct sidecar_registers_request *request = (void *)command_page(&device, cpu)->request_data;

	*request = (struct sidecar_registers_request){ .count = COUNT(regs), .target_vtl = HV_VTL_0 };
	memcpy(request + 1, regs, sizeof(regs));
	run(&device, cpu, SIDECAR_COMMAND_SET_REGISTERS);
	command_page(&device, cpu)->cpu_context.fx_state.mxcsr = HV_FX_DEFAULT_MXCSR;
}

/* ---- three ways to run a command ------------------------------------------------------------- */

static bool has_ended_by_read(void)
{
	uint32_t cpu;

	return read(device.fd, &cpu, sizeof(cpu)) == sizeof(cpu);
}

static bool has_ended_by_cqe(void)
{
	struct io_uring_cqe *cqe;

	if (io_uring_peek_cqe(&ring, &cqe))
		return false;
	io_uring_cqe_seen(&ring, cqe);
	return true;
}

/* Until the CPU has answered. */
static bool scribble_until(unsigned int cpu, bool (*has_ended)(void))
{
	long long end = now_ms() + ANSWER_MS;

	for (unsigned int i = 1; !has_ended(); i++) {
		scribble(pages_of(cpu));
		if (i % BATCHES_UNTIL_CANCEL)
			continue;
		control(device.fd, SIDECAR_IOC_CANCEL, cpu);
		if (now_ms() > end)
			return false;
	}
	return true;
}

static bool by_start(unsigned int cpu)
{
	int error = control(device.fd, SIDECAR_IOC_START, cpu);

	return error == ECANCELED || (error == 0 && scribble_until(cpu, has_ended_by_read));
}

static bool by_ring(unsigned int cpu)
{
	struct sidecar_uring_cmd payload = { .cpu = cpu };
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	if (!sqe)
		abort();
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = device.fd;
	sqe->cmd_op = SIDECAR_URING_START;
	memcpy(sqe->cmd, &payload, sizeof(payload));
	io_uring_submit(&ring);
	return scribble_until(cpu, has_ended_by_cqe);
}

static pthread_mutex_t scribbling = PTHREAD_MUTEX_INITIALIZER;
static unsigned int scribbled_cpu; /* under scribbling; 0: none */
static atomic_bool is_over;

static void scribble_at_it(unsigned int turn)
{
	scribble(pages_of(scribbled_cpu));
	if (turn % BATCHES_UNTIL_CANCEL == 0)
		control(device.fd, SIDECAR_IOC_CANCEL, scribbled_cpu);
}

static void *scribbler(void *unused)
{
	for (unsigned int turn = 1; !atomic_load(&is_over); turn++) {
		bool idle;

		pthread_mutex_lock(&scribbling);
		idle = !scribbled_cpu;
		if (!idle)
			scribble_at_it(turn);
		pthread_mutex_unlock(&scribbling);
		if (idle)
			usleep(200);
	}
	return unused;
}

/* Afterwards no write is under way: nobody would cancel what it makes of the next command. */
static void set_scribbled(unsigned int cpu)
{
	pthread_mutex_lock(&scribbling);
	scribbled_cpu = cpu;
	pthread_mutex_unlock(&scribbling);
}

/* The thread has the processor while this one sleeps in RUN. */
static bool by_run(unsigned int cpu)
{
	int error;

	set_scribbled(cpu);
	error = control(device.fd, SIDECAR_IOC_RUN, cpu);
	set_scribbled(0);
	return error == 0 || error == ECANCELED;
}

static bool one_round(unsigned int cpu)
{
	static bool (*const ways[])(unsigned int cpu) = {by_start, by_ring, by_run};
	const struct focus *focus;

	if (random_below(8) == 0)
		restart_guest(cpu);
	if (random_below(8) == 0)
		fill_code();
	fill_request(cpu);
	focus = random_below(3) ? &focuses[random_below(COUNT(focuses))] : NULL;
	atomic_store(&round_focus, focus);
	if (focus)
		set_command(&device, cpu, focus->command);
	else
		set_command(&device, cpu, random_below(3) ? random_below(5) : (uint32_t)number());
	return ways[random_below(COUNT(ways))](cpu);
}

static int storm(void *context)
{
	unsigned long rounds = *(unsigned long *)context, i;
	pthread_t thread;
	bool good = true;

	if (!become_ordinary() || io_uring_queue_init(8, &ring, 0))
		return 81;
	device = device_open();
	give_area();
	pthread_create(&thread, NULL, scribbler, NULL);
	for (i = 0; i < rounds && good; i++) {
		uint64_t before = seed;
		unsigned int cpu = CPU_FIRST + i * 3 / rounds;

		good = one_round(cpu);
		if (i % 256 == 0)
			good = good && canaries_live();
		if (!good)
			tap_note("round %lu on CPU %u, SEED about %llu", i, cpu,
				 (unsigned long long)before);
	}
	atomic_store(&is_over, true);
	pthread_join(thread, NULL);
	tap_note("%lu writes in %lu commands", writes, i);
	if (!canaries_live())
		return 82;
	return good ? 0 : 83;
}

int main(void)
{
	unsigned long rounds = rounds_of("pages", 10000, 1000000);
	long long begin;

	tap_equal(insert_module("cpus=1-3"), 0, "insmod");
	begin = now_ms();
	tap_equal(in_child(storm, &rounds), 0,
		  "R10: commands whose pages are rewritten meanwhile are answered");
	tap_note("%lld ms", now_ms() - begin);
	check_cpus("after the storm");
	return tap_done();
}
