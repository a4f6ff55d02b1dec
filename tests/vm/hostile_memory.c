// SPDX-License-Identifier: MIT
/*
 * R17 and isolation: two guests of two partitions write all over the first MiB while their VMM maps
 * and unmaps pieces of it, well and badly. Memory that was unmapped keeps the pattern that the VMM
 * puts there, whatever a guest may still believe; memory around the pieces keeps its own; and no
 * guest's byte is ever in the other's memory. The environment may have SEED and ROUNDS.
 */
#include "hostile.h"

#define SLOTS 16u
#define SLOT_SIZE 0x10000u
#define STRIDE (SLOT_SIZE + SIDECAR_PAGE_SIZE) /* a page behind each is never mapped */
#define CANARY 0xa5
#define LOOP_OFFSET 0xf00u
#define LOOP_IP 0xff00u
#define GUESTS 2u

/* Fills 64 KiB after 64 KiB with AL: es = dx; di = 0; rep stosw; dx += 0x1000; again. */
static const uint8_t writer[] = {
	0x8e, 0xc2, 0xb9, 0x00, 0x80, 0x31, 0xff, 0xf3, 0xab, 0x81, 0xc2, 0x00, 0x10, 0xeb, 0xf1,
};
static const uint8_t jump_to_loop[] = { 0xe9, 0x0d, 0xff }; /* from 0xfff0 */

struct guest {
	unsigned int cpu;
	uint8_t mark;
	int partition;
	uint8_t *area;
	uint8_t *code;
	bool mapped[SLOTS];
};

static struct device devices[GUESTS];
static struct guest guests[GUESTS];
static unsigned long stops, operations;

static uint8_t *slot_of(struct guest *guest, unsigned int slot)
{
	return guest->area + slot * STRIDE;
}

static bool holds(const uint8_t *memory, size_t size, uint8_t one, uint8_t other)
{
	for (size_t i = 0; i < size; i++) {
		if (memory[i] == one || memory[i] == other)
			continue;
		tap_note("byte %#zx is %#x, wanted %#x", i, memory[i], one);
		return false;
	}
	return true;
}

/* What is behind a slot is nobody's; what is in it is the guest's own, or untouched. */
static bool slot_is_good(struct guest *guest, unsigned int slot)
{
	const uint8_t *memory = slot_of(guest, slot);

	if (!holds(memory + SLOT_SIZE, SIDECAR_PAGE_SIZE, CANARY, CANARY))
		return false;
	return holds(memory, SLOT_SIZE, CANARY, guest->mapped[slot] ? guest->mark : CANARY);
}

static bool all_is_good(void)
{
	for (unsigned int i = 0; i < GUESTS; i++) {
		for (unsigned int slot = 0; slot < SLOTS; slot++) {
			if (slot_is_good(&guests[i], slot))
				continue;
			tap_note("slot %u of guest %u, %s", slot, i,
				 guests[i].mapped[slot] ? "mapped" : "unmapped");
			return false;
		}
	}
	return true;
}

/* ---- guests ---------------------------------------------------------------------------------- */

static struct hv_register_page *register_page(unsigned int which)
{
	return (void *)((uint8_t *)command_page(&devices[which], guests[which].cpu) +
			SIDECAR_PAGE_SIZE);
}

/* Begins somewhere, at the head of its loop. */
static void start_guest(unsigned int which)
{
	struct guest *guest = &guests[which];
	struct sidecar_command_page *page = command_page(&devices[which], guest->cpu);
	struct hv_register_page *registers = register_page(which);

	page->cpu_context.gps[SIDECAR_GP_RAX] = guest->mark * 0x101u;
	page->cpu_context.gps[SIDECAR_GP_RDX] = random_below(SLOTS) << 12;
	if (registers->is_valid) {
		registers->rip = LOOP_IP;
		registers->dirty = HV_REGISTER_PAGE_DIRTY_RIP;
	}
	start(&devices[which], guest->cpu, SIDECAR_COMMAND_RUN_VP);
}

/* A guest that met what is not mapped begins elsewhere; any other end is wrong. */
static bool look_after(unsigned int which)
{
	struct guest *guest = &guests[which];
	const struct hv_message *message =
		&command_page(&devices[which], guest->cpu)->intercept_message;
	uint32_t cpu;

	if (read(devices[which].fd, &cpu, sizeof(cpu)) != sizeof(cpu))
		return true;
	stops++;
	if (run_result(&devices[which], cpu) == SIDECAR_RUN_INTERCEPT &&
	    message->header.type != HV_MESSAGE_UNMAPPED_GPA) {
		tap_note("guest %u ended with message %#x", which, message->header.type);
		return false;
	}
	start_guest(which);
	return true;
}

static void new_guest(unsigned int which)
{
	struct guest *guest = &guests[which];

	guest->cpu = CPU_FIRST + which;
	guest->mark = (uint8_t)(0x11 * (which + 1));
	guest->area = new_memory(SLOTS * STRIDE);
	memset(guest->area, CANARY, SLOTS * STRIDE);
	guest->code = new_memory(SIDECAR_PAGE_SIZE);
	memcpy(guest->code + LOOP_OFFSET, writer, sizeof(writer));
	memcpy(guest->code + RESET_OFFSET, jump_to_loop, sizeof(jump_to_loop));
	devices[which] = device_open();
	guest->partition = -control(devices[which].fd, SIDECAR_IOC_PARTITION_CREATE, 0);
	map_memory(guest->partition, RESET_PAGE, guest->code, SIDECAR_PAGE_SIZE, ALL_RIGHTS);
	control(devices[which].fd, SIDECAR_IOC_PARTITION_ATTACH, guest->partition);
	start_guest(which);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static bool map_slot(struct guest *guest, unsigned int slot)
{
	bool was_mapped = guest->mapped[slot];
	int error = map_memory(guest->partition, slot * SLOT_SIZE, slot_of(guest, slot), SLOT_SIZE,
			       ALL_RIGHTS);

	guest->mapped[slot] = true;
	return error == (was_mapped ? EEXIST : 0);
}

/* From here on the pattern must stay, although the guest goes on writing. */
static bool unmap_slot(struct guest *guest, unsigned int slot)
{
	bool was_mapped = guest->mapped[slot];
	int error = unmap_memory(guest->partition, slot * SLOT_SIZE, SLOT_SIZE);

	if (error != (was_mapped ? 0 : ENOENT))
		return false;
	guest->mapped[slot] = false;
	memset(slot_of(guest, slot), CANARY, SLOT_SIZE);
	return true;
}

/* New memory at the old address, as an allocator would do after an unmap. */
static bool replace_slot(struct guest *guest, unsigned int slot)
{
	void *memory = slot_of(guest, slot);

	if (guest->mapped[slot] && !unmap_slot(guest, slot))
		return false;
	if (mmap(memory, SLOT_SIZE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != memory)
		return false;
	memset(memory, CANARY, SLOT_SIZE);
	return true;
}

/* What must be refused, and change nothing. */
static bool refused(struct guest *guest, unsigned int slot)
{
	const uint64_t gpa = slot * SLOT_SIZE;
	uint64_t odd = random64();

	switch (random_below(5)) {
	case 0:
		return unmap_memory(guest->partition, gpa, SLOT_SIZE - SIDECAR_PAGE_SIZE) == ENOENT;
	case 1:
		return map_memory(guest->partition, gpa, guest->area, odd | 1, ALL_RIGHTS) == EINVAL;
	case 2:
		return map_memory(guest->partition, odd | 1ull << 48, guest->area,
				  SLOT_SIZE, ALL_RIGHTS) == EINVAL;
	case 3:
		return map_memory(guest->partition, 1ull << 32, (void *)0x7ffff0000000, SLOT_SIZE,
				  ALL_RIGHTS) == EFAULT;
	default:
		return unmap_memory(guest->partition, odd | 1, SLOT_SIZE) == EINVAL;
	}
}

static bool one_operation(void)
{
	struct guest *guest = &guests[random_below(GUESTS)];
	unsigned int slot = random_below(SLOTS);

	operations++;
	switch (random_below(8)) {
	case 0:
		return refused(guest, slot);
	case 1:
		return replace_slot(guest, slot);
	case 2:
		return slot_is_good(guest, slot);
	case 3:
	case 4:
		return unmap_slot(guest, slot);
	default:
		return map_slot(guest, slot);
	}
}

static int storm(void *context)
{
	unsigned long rounds = *(unsigned long *)context, i;
	bool good = true;

	if (!become_ordinary())
		return 81;
	for (unsigned int which = 0; which < GUESTS; which++)
		new_guest(which);
	for (i = 0; i < rounds && good; i++) {
		good = one_operation();
		if (!good)
			tap_note("operation %lu failed", i);
		good = good && look_after(0) && look_after(1);
		if (i % 64 == 0)
			good = good && all_is_good();
	}
	tap_note("%lu operations, %lu times a guest met unmapped memory", operations, stops);
	if (stops < rounds / 100)
		return 82;
	return good && all_is_good() ? 0 : 83;
}

int main(void)
{
	unsigned long rounds = rounds_of("memory", 8000, 800000);
	long long begin;

	tap_equal(insert_module("cpus=1-3"), 0, "insmod");
	begin = now_ms();
	tap_equal(in_child(storm, &rounds), 0,
		  "R17: no guest reaches what was unmapped, or another's memory");
	tap_note("%lld ms", now_ms() - begin);
	check_cpus("after the storm");
	tap_equal(pinned_pages(), 0, "no page is pinned");
	return tap_done();
}
