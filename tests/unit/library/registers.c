// SPDX-License-Identifier: MIT
/* Registers: any count, the place of the first that fails, what is done then and what is not. */
#include "machine.h"

#include "backend.h"

#define FEW 31u
#define MANY 65535u

/* Names that only a command reaches. */
static const uint32_t command_names[] = {
	HV_REGISTER_STAR, HV_REGISTER_LSTAR, HV_REGISTER_CSTAR, HV_REGISTER_SFMASK,
	HV_REGISTER_KERNEL_GS_BASE, HV_REGISTER_PAT, HV_REGISTER_SYSENTER_CS,
	HV_REGISTER_SYSENTER_EIP, HV_REGISTER_SYSENTER_ESP, HV_REGISTER_DR0, HV_REGISTER_DR1,
	HV_REGISTER_DR2, HV_REGISTER_DR3, HV_REGISTER_DR6, HV_REGISTER_LDTR, HV_REGISTER_TR,
};

/* They, over and over; the value tells the place. */
static struct hv_register_assoc *make_registers(size_t count)
{
	struct hv_register_assoc *regs = calloc(count + 1, sizeof(*regs));

	for (size_t i = 0; i < count; i++) {
		regs[i].name = command_names[i % COUNT(command_names)];
		regs[i].value.low = i;
		regs[i].value.high = ~i;
	}
	return regs;
}

static void check_count(struct sidecar_vp *vp, size_t count)
{
	struct hv_register_assoc *regs = make_registers(count);

	assert_int_equal(sidecar_vp_set_registers(vp, HV_VTL_0, regs, count), 0);
	for (size_t i = 0; i < count; i++)
		regs[i].value = (struct hv_u128){1, 1};
	assert_int_equal(sidecar_vp_get_registers(vp, HV_VTL_0, regs, count), 0);
	for (size_t i = 0; i < count; i++) {
		/* The last one that was set to this name. */
		size_t last = i + (count - 1 - i) / 16 * 16;

		assert_int_equal(regs[i].value.low, last);
		assert_int_equal(regs[i].value.high, ~last);
	}
	free(regs);
}

static void test_counts(void **state)
{
	static const size_t counts[] = {1, 2, 30, 31, 32, 61, 62, 63, 1000};
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);

	for (unsigned int i = 0; i < COUNT(counts); i++)
		check_count(vp, counts[i]);
	destroy_vp(vp);
}

static void test_count_0(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct hv_register_assoc reg = {.name = 0xdead};

	assert_int_equal(sidecar_vp_get_registers(vp, HV_VTL_0, &reg, 0), 0);
	assert_int_equal(sidecar_vp_set_registers(vp, HV_VTL_0, &reg, 0), 0);
	assert_int_equal(sidecar_vp_get_registers(vp, HV_VTL_0, NULL, 0), 0);
	assert_int_equal(sidecar_vp_set_registers(vp, HV_VTL_0, NULL, 0), 0);
	destroy_vp(vp);
}

static void test_count_65535(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);

	check_count(vp, MANY);
	destroy_vp(vp);
}

static void test_no_array(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);

	assert_int_equal(sidecar_vp_get_registers(vp, HV_VTL_0, NULL, 1), -EINVAL);
	check_error(sidecar_vp_error(vp), -EINVAL, SIDECAR_ERROR_ERRNO);
	assert_int_equal(sidecar_vp_set_registers(vp, HV_VTL_0, NULL, 1), -EINVAL);
	assert_int_equal(sidecar_vp_test(vp), 0);
	destroy_vp(vp);
}

static void check_failure(struct sidecar_vp *vp, uint32_t status, uint32_t index)
{
	const struct sidecar_error *error = sidecar_vp_error(vp);

	check_error(error, -EREMOTEIO, SIDECAR_ERROR_HYPERVISOR);
	assert_int_equal(error->hv_status, status);
	assert_int_equal(error->index, index);
}

/* Wherever it is, in the first command or in a later one. */
static void test_unknown_register(void **state)
{
	static const uint32_t places[] = {0, 1, 15, 30, 31, 32, 61, 62, 99};
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);

	for (unsigned int i = 0; i < COUNT(places); i++) {
		struct hv_register_assoc *regs = make_registers(100);

		regs[places[i]].name = 0x12345678;
		assert_int_equal(sidecar_vp_get_registers(vp, HV_VTL_0, regs, 100), -EREMOTEIO);
		check_failure(vp, HV_STATUS_UNKNOWN_REGISTER_NAME, places[i]);
		check_text(sidecar_vp_error(vp), "12345678");
		assert_int_equal(sidecar_vp_set_registers(vp, HV_VTL_0, regs, 100), -EREMOTEIO);
		check_failure(vp, HV_STATUS_UNKNOWN_REGISTER_NAME, places[i]);
		free(regs);
	}
	destroy_vp(vp);
}

/* Those before the one that failed are done, those after it untouched. */
static void test_refused_value(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct hv_register_assoc regs[] = {
		{.name = HV_REGISTER_RBX, .value.low = 11},
		{.name = HV_REGISTER_EFER, .value.low = 1ull << 40},
		{.name = HV_REGISTER_RDX, .value.low = 33},
	};
	uint64_t value;

	assert_int_equal(sidecar_vp_set_registers(vp, HV_VTL_0, regs, COUNT(regs)), -EREMOTEIO);
	check_failure(vp, HV_STATUS_INVALID_REGISTER_VALUE, 1);
	assert_int_equal(sidecar_vp_get_register64(vp, HV_VTL_0, HV_REGISTER_RBX, &value), 0);
	assert_int_equal(value, 11);
	assert_int_equal(sidecar_vp_get_register64(vp, HV_VTL_0, HV_REGISTER_RDX, &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(sidecar_vp_get_register64(vp, HV_VTL_0, HV_REGISTER_EFER, &value), 0);
	assert_int_equal(value, 0);
	destroy_vp(vp);
}

/* A get that fails leaves the values of the later ones as they were. */
static void test_get_stops_at_the_first(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct hv_register_assoc regs[] = {
		{.name = HV_REGISTER_RIP, .value.low = 1},
		{.name = 0x77, .value.low = 2},
		{.name = HV_REGISTER_RFLAGS, .value.low = 3},
	};

	assert_int_equal(sidecar_vp_get_registers(vp, HV_VTL_0, regs, COUNT(regs)), -EREMOTEIO);
	check_failure(vp, HV_STATUS_UNKNOWN_REGISTER_NAME, 1);
	assert_int_equal(regs[0].value.low, 0xfff0);
	assert_int_equal(regs[1].value.low, 2);
	assert_int_equal(regs[2].value.low, 3);
	destroy_vp(vp);
}

static void test_vtl_is_passed_on(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	uint64_t value;

	assert_int_equal(sidecar_vp_get_register64(vp, HV_VTL_2, HV_REGISTER_RIP, &value),
			 -EREMOTEIO);
	check_failure(vp, HV_STATUS_INVALID_PARAMETER, 0);
	assert_int_equal(sidecar_vp_get_register64(vp, HV_VTL_CURRENT, HV_REGISTER_RIP, &value), 0);
	destroy_vp(vp);
}

/* Values that equal whatever the library uses to recognize a missing answer come through. */
static void test_any_value_comes_through(void **state)
{
	static const uint64_t values[] = {0, UINT64_MAX, 0xffff, 0xff, 0x5345545f544f4e5f};
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct hv_u128 got;

	for (unsigned int i = 0; i < COUNT(values); i++) {
		struct hv_u128 value = {values[i], values[i]};

		assert_int_equal(sidecar_vp_set_register(vp, HV_VTL_0, HV_REGISTER_XMM0, value), 0);
		assert_int_equal(sidecar_vp_get_register(vp, HV_VTL_0, HV_REGISTER_XMM0, &got), 0);
		assert_int_equal(got.low, value.low);
		assert_int_equal(got.high, value.high);
	}
	destroy_vp(vp);
}

static void test_single_forms(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct hv_u128 wide = {1, 2}, got = {7, 7};
	uint64_t value = 7;

	assert_int_equal(sidecar_vp_set_register(vp, HV_VTL_0, HV_REGISTER_XMM15, wide), 0);
	assert_int_equal(sidecar_vp_get_register(vp, HV_VTL_0, HV_REGISTER_XMM15, &got), 0);
	assert_memory_equal(&got, &wide, sizeof(got));
	assert_int_equal(sidecar_vp_set_register64(vp, HV_VTL_0, HV_REGISTER_RIP, 0x8000), 0);
	assert_int_equal(sidecar_vp_get_register64(vp, HV_VTL_0, HV_REGISTER_RIP, &value), 0);
	assert_int_equal(value, 0x8000);
	assert_int_equal(sidecar_vp_get_register64(vp, HV_VTL_0, 1, &value), -EREMOTEIO);
	assert_int_equal(value, 0x8000); /* untouched */
	destroy_vp(vp);
}

/* The raw command page, as any VMM may write it: the kernel's own limit. */
static void raw_count(struct machine *machine, unsigned int count, bool refused)
{
	struct sidecar_command_page *page = fake_page(machine->fake, CPU_A);
	struct sidecar_registers_request *request = (void *)page->request_data;
	uint32_t cpu;
	int node = fake_driver.node_open(machine->fake, 1);

	memset(request, 0, sizeof(*request));
	request->count = (uint16_t)count;
	request->target_vtl = HV_VTL_0;
	request->status = 0x1234;
	page->command = SIDECAR_COMMAND_GET_REGISTERS;
	assert_int_equal(fake_driver.start(machine->fake, node, CPU_A), 0);
	while (fake_driver.read_completion(machine->fake, node, &cpu))
		usleep(50);
	assert_int_equal(cpu, CPU_A);
	assert_int_equal(page->command, SIDECAR_COMMAND_NONE);
	assert_int_equal(page->has_error, refused);
	if (refused)
		assert_non_null(memmem(page->error.text, page->error.length, "31", 2));
	else
		assert_int_equal(request->status, HV_STATUS_SUCCESS);
	fake_driver.node_close(machine->fake, node);
}

static void test_raw_counts(void **state)
{
	struct machine *machine = *state;

	raw_count(machine, 0, false);
	raw_count(machine, FEW + 1, true);
	raw_count(machine, MANY, true);
	destroy_vp(make_vp(machine, CPU_A));
}

/* ---- paths ---- */

/* What the kernel itself has, whatever the library believes. */
static uint64_t kernel_has(struct machine *machine, uint32_t name)
{
	return host_register(&fake_host(machine->fake, CPU_A)->cpu, name)->low;
}

/* A VP whose register page is valid. */
static struct sidecar_vp *make_run_vp(struct machine *machine)
{
	struct sidecar_vp *vp = make_vp(machine, CPU_A);

	set_guest(machine, CPU_A, guest_io);
	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, NULL), 0);
	assert_int_equal(sidecar_vp_register_page(vp)->is_valid, 1);
	return vp;
}

/* How many registers took each path since the last call, and how many commands there were. */
static void check_paths(struct sidecar_vp *vp, unsigned int context, unsigned int page,
			unsigned int command, unsigned int skipped, unsigned int commands)
{
	static struct sidecar_vp_counters before;
	struct sidecar_vp_counters now;

	sidecar_vp_counters(vp, &now);
	assert_int_equal(now.size, sizeof(now));
	assert_int_equal(now.cpu, CPU_A);
	if (context != UINT32_MAX) {
		assert_int_equal(now.register_context - before.register_context, context);
		assert_int_equal(now.register_page - before.register_page, page);
		assert_int_equal(now.register_command - before.register_command, command);
		assert_int_equal(now.register_skipped - before.register_skipped, skipped);
		assert_int_equal(now.commands - before.commands, commands);
	}
	before = now;
}

static void begin_paths(struct sidecar_vp *vp)
{
	check_paths(vp, UINT32_MAX, 0, 0, 0, 0);
}

static void set(struct sidecar_vp *vp, const struct hv_register_assoc *regs, size_t count)
{
	assert_int_equal(sidecar_vp_set_registers(vp, HV_VTL_0, regs, count), 0);
}

static void set_one(struct sidecar_vp *vp, uint32_t name, uint64_t value)
{
	assert_int_equal(sidecar_vp_set_register64(vp, HV_VTL_0, name, value), 0);
}

static uint64_t get_one(struct sidecar_vp *vp, uint32_t name)
{
	uint64_t value;

	assert_int_equal(sidecar_vp_get_register64(vp, HV_VTL_0, name, &value), 0);
	return value;
}

static void test_paths_of_get(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_run_vp(machine);
	struct hv_register_assoc regs[] = {
		{.name = HV_REGISTER_RAX}, {.name = HV_REGISTER_RIP}, {.name = HV_REGISTER_STAR},
		{.name = HV_REGISTER_CR0}, {.name = HV_REGISTER_XMM0 + 3},
		{.name = HV_REGISTER_LSTAR}, {.name = HV_REGISTER_GS},
	};

	begin_paths(vp);
	assert_int_equal(sidecar_vp_get_registers(vp, HV_VTL_0, regs, COUNT(regs)), 0);
	check_paths(vp, 2, 3, 2, 0, 1);
	assert_int_equal(regs[1].value.low, 0xfff0);
	assert_int_equal(regs[3].value.low, 0x60000010);
	assert_int_equal(sidecar_vp_get_registers(vp, HV_VTL_0, regs, 2), 0);
	check_paths(vp, 1, 1, 0, 0, 0);
	sidecar_vp_register_page(vp)->vtl = 1;
	assert_int_equal(sidecar_vp_get_registers(vp, HV_VTL_0, regs, 2), 0);
	check_paths(vp, 1, 0, 1, 0, 1);
	sidecar_vp_register_page(vp)->is_valid = 0;
	assert_int_equal(sidecar_vp_get_registers(vp, HV_VTL_0, regs, 2), 0);
	check_paths(vp, 1, 0, 1, 0, 1);
	destroy_vp(vp);
}

static void test_paths_of_set(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_run_vp(machine);
	const struct hv_register_assoc regs[] = {
		{.name = HV_REGISTER_RAX, .value.low = 1},
		{.name = HV_REGISTER_RIP, .value.low = 2},
		{.name = HV_REGISTER_RSP, .value.low = 3},
		{.name = HV_REGISTER_CR2, .value.low = 4},
		{.name = HV_REGISTER_ES, .value.low = 5},
		{.name = HV_REGISTER_RFLAGS, .value.low = 0x202},
	};

	begin_paths(vp);
	set(vp, regs, COUNT(regs));
	check_paths(vp, 2, 4, 0, 0, 0);
	assert_int_equal(kernel_has(machine, HV_REGISTER_RIP), 0xfff0);
	for (unsigned int i = 0; i < COUNT(regs); i++)
		assert_int_equal(get_one(vp, regs[i].name), regs[i].value.low);
	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, NULL), 0);
	assert_int_equal(kernel_has(machine, HV_REGISTER_RIP), 2);
	assert_int_equal(kernel_has(machine, HV_REGISTER_RSP), 3);
	assert_int_equal(kernel_has(machine, HV_REGISTER_ES), 5);
	assert_int_equal(kernel_has(machine, HV_REGISTER_RFLAGS), 0x202);
	destroy_vp(vp);
}

/* Alone it takes the page; beside a register that needs a command it keeps its place. */
static void test_RFLAGS_in_order(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_run_vp(machine);
	const struct hv_register_assoc regs[] = {
		{.name = HV_REGISTER_RFLAGS, .value.low = 0x246},
		{.name = HV_REGISTER_STAR, .value.low = 7},
	};

	begin_paths(vp);
	set_one(vp, HV_REGISTER_RIP, 0x1234);
	set(vp, regs, 1);
	check_paths(vp, 0, 2, 0, 0, 0);
	set(vp, regs, 2);
	check_paths(vp, 0, 0, 2, 0, 2); /* what was dirty goes first */
	assert_int_equal(kernel_has(machine, HV_REGISTER_RFLAGS), 0x246);
	assert_int_equal(kernel_has(machine, HV_REGISTER_RIP), 0x1234);
	assert_int_equal(sidecar_vp_register_page(vp)->is_valid, 0);
	destroy_vp(vp);
}

static void test_no_op_writes_are_skipped(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_run_vp(machine);
	struct hv_register_assoc regs[] = {
		{.name = HV_REGISTER_CR0, .value.low = 0x60000010}, {.name = HV_REGISTER_CR4},
		{.name = HV_REGISTER_EFER}, {.name = HV_REGISTER_DR7},
		{.name = HV_REGISTER_STAR, .value.low = 7},
	};

	begin_paths(vp);
	set(vp, regs, COUNT(regs));
	check_paths(vp, 0, 0, 1, 4, 1);
	/* CR4 is changed: what that does to CR0 and EFER is not known here. */
	regs[1].value.low = 0x20;
	set(vp, regs, COUNT(regs));
	check_paths(vp, 0, 0, 4, 1, 1);
	assert_int_equal(get_one(vp, HV_REGISTER_CR4), 0x20);
	begin_paths(vp);
	/* The page is off: nothing is known. */
	set(vp, regs, COUNT(regs));
	check_paths(vp, 0, 0, 5, 0, 1);
	destroy_vp(vp);
}

/* A value that was written into the page by hand is the register's value. */
static void test_dirty_page_and_set(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_run_vp(machine);
	struct hv_register_page *page = sidecar_vp_register_page(vp);

	page->rip = 0x5000;
	page->dirty = HV_REGISTER_PAGE_DIRTY_RIP;
	assert_int_equal(get_one(vp, HV_REGISTER_RIP), 0x5000);
	set_one(vp, HV_REGISTER_RIP, 0x6000);
	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, NULL), 0);
	assert_int_equal(kernel_has(machine, HV_REGISTER_RIP), 0x6000);
	page->rip = 0x7000;
	page->dirty = HV_REGISTER_PAGE_DIRTY_RIP;
	set_one(vp, HV_REGISTER_CR3, 0x1000);
	assert_int_equal(get_one(vp, HV_REGISTER_CR3), 0x1000);
	assert_int_equal(get_one(vp, HV_REGISTER_RIP), 0x7000);
	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, NULL), 0);
	assert_int_equal(kernel_has(machine, HV_REGISTER_RIP), 0x7000);
	assert_int_equal(kernel_has(machine, HV_REGISTER_CR3), 0x1000);
	destroy_vp(vp);
}

static void test_dirty_xmm(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_run_vp(machine);
	struct hv_register_page *page = sidecar_vp_register_page(vp);

	page->xmm[1].low = 11;
	page->xmm[2].low = 22;
	page->dirty = HV_REGISTER_PAGE_DIRTY_XMM;
	assert_int_equal(get_one(vp, HV_REGISTER_XMM0 + 1), 11);
	set_one(vp, HV_REGISTER_XMM0 + 1, 111);
	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, NULL), 0);
	assert_int_equal(get_one(vp, HV_REGISTER_XMM0 + 1), 111);
	assert_int_equal(get_one(vp, HV_REGISTER_XMM0 + 2), 22);
	destroy_vp(vp);
}

/* A value that the kernel refuses is refused by the page's path too, at once. */
static void test_refused_beside_the_page(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_run_vp(machine);

	assert_int_equal(sidecar_vp_set_register64(vp, HV_VTL_0, HV_REGISTER_RFLAGS, 0),
			 -EREMOTEIO);
	check_failure(vp, HV_STATUS_INVALID_REGISTER_VALUE, 0);
	assert_int_equal(get_one(vp, HV_REGISTER_RFLAGS), 2);
	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, NULL), 0);
	destroy_vp(vp);
}

static void test_flush(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_run_vp(machine);
	struct hv_register_page *page = sidecar_vp_register_page(vp);

	page->rip = 1;
	page->rflags = 0x82;
	page->gp_registers[HV_GP_RSP] = 3;
	page->segment[HV_SEGMENT_INDEX_FS].base = 4;
	page->xmm[5].high = 5;
	page->dirty = HV_REGISTER_PAGE_DIRTY_ALL;
	assert_int_equal(sidecar_vp_flush_registers(vp), 0);
	assert_int_equal(page->is_valid, 0);
	assert_int_equal(page->dirty, 0);
	assert_int_equal(kernel_has(machine, HV_REGISTER_RIP), 1);
	assert_int_equal(kernel_has(machine, HV_REGISTER_RFLAGS), 0x82);
	assert_int_equal(kernel_has(machine, HV_REGISTER_RSP), 3);
	assert_int_equal(kernel_has(machine, HV_REGISTER_FS), 4);
	assert_int_equal(sidecar_vp_context(vp)->fx_state.xmm[5][8], 5);
	assert_int_equal(sidecar_vp_flush_registers(vp), 0); /* nothing to do */
	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, NULL), 0);
	assert_int_equal(page->is_valid, 1);
	destroy_vp(vp);
}

static void check_page_kept(struct sidecar_vp *vp)
{
	struct hv_register_page *page = sidecar_vp_register_page(vp);

	assert_int_equal(page->is_valid, 1);
	assert_int_equal(page->dirty, HV_REGISTER_PAGE_DIRTY_RIP | HV_REGISTER_PAGE_DIRTY_FLAGS);
	assert_int_equal(get_one(vp, HV_REGISTER_RIP), 0x99);
}

static void test_flush_fails(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_run_vp(machine);
	struct hv_register_page *page = sidecar_vp_register_page(vp);
	struct sidecar_event event;

	page->rip = 0x99;
	page->rflags = 0; /* which the kernel refuses */
	page->dirty = HV_REGISTER_PAGE_DIRTY_RIP | HV_REGISTER_PAGE_DIRTY_FLAGS;
	assert_int_equal(sidecar_vp_flush_registers(vp), -EREMOTEIO);
	check_failure(vp, HV_STATUS_INVALID_REGISTER_VALUE, SIDECAR_NO_INDEX);
	check_page_kept(vp);
	assert_int_equal(sidecar_vp_set_register64(vp, HV_VTL_0, HV_REGISTER_CR3, 0), -EREMOTEIO);
	check_failure(vp, HV_STATUS_INVALID_REGISTER_VALUE, SIDECAR_NO_INDEX);
	check_page_kept(vp);
	fake_fail(machine->fake, FAKE_RUN, EIO, 1, 0);
	fake_fail(machine->fake, FAKE_START, EIO, 1, 0);
	assert_int_equal(sidecar_vp_flush_registers(vp), -EIO);
	fake_fail(machine->fake, FAKE_RUN, 0, 0, 0);
	fake_fail(machine->fake, FAKE_START, 0, 0, 0);
	check_page_kept(vp);
	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, &event), 0);
	assert_int_equal(sidecar_vp_message(vp)->header.type, HV_MESSAGE_INVALID_VP_REGISTER_VALUE);
	destroy_vp(vp);
}

/* In the queue too: a batch without a command, and one that is partly so. */
static void test_paths_in_a_queue(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_run_vp(machine);
	struct hv_register_assoc regs[] = {
		{.name = HV_REGISTER_RIP}, {.name = HV_REGISTER_RAX}, {.name = HV_REGISTER_STAR},
	};
	struct sidecar_queue *queue;
	struct sidecar_event event;

	assert_int_equal(sidecar_queue_create(machine->client, NULL, &queue), 0);
	assert_int_equal(sidecar_queue_attach(queue, vp), 0);
	begin_paths(vp);
	for (size_t count = 2; count <= 3; count++) {
		assert_int_equal(sidecar_queue_prepare_get_registers(queue, vp, HV_VTL_0, regs,
								     count, count), 0);
		assert_int_equal(sidecar_queue_submit(queue), 1);
		assert_int_equal(sidecar_queue_wait(queue, &event, 1, 1, in_ms(30000)), 1);
		assert_int_equal(event.kind, SIDECAR_EVENT_DONE);
		assert_int_equal(event.user, count);
		assert_int_equal(regs[0].value.low, 0xfff0);
		check_paths(vp, 1, 1, count == 3, 0, count == 3);
	}
	destroy_vp(vp);
	assert_int_equal(sidecar_queue_close(queue), 0);
}

/* ---- the same value by either path ---- */

static const uint32_t shared_names[] = {
	HV_REGISTER_RAX, HV_REGISTER_RBX, HV_REGISTER_RBP, HV_REGISTER_R15, HV_REGISTER_CR2,
	HV_REGISTER_XMM0, HV_REGISTER_XMM15, HV_REGISTER_FPMMX0, HV_REGISTER_FPMMX7,
	HV_REGISTER_FP_CONTROL_STATUS, HV_REGISTER_XMM_CONTROL_STATUS,
};

/* What a command would do; the CPU is idle. */
static uint64_t kernel_get(struct machine *machine, uint32_t name)
{
	struct hv_register_assoc reg = {.name = name};
	unsigned int done;

	assert_int_equal(backend_get_registers(&fake_host(machine->fake, CPU_A)->cpu, HV_VTL_0,
					       &reg, 1, &done), HV_STATUS_SUCCESS);
	return reg.value.low;
}

static void kernel_set(struct machine *machine, uint32_t name, struct hv_u128 value)
{
	const struct hv_register_assoc reg = {.name = name, .value = value};
	unsigned int done;

	assert_int_equal(backend_set_registers(&fake_host(machine->fake, CPU_A)->cpu, HV_VTL_0,
					       &reg, 1, &done), HV_STATUS_SUCCESS);
}

static void test_same_by_either_path(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);

	for (unsigned int i = 0; i < COUNT(shared_names); i++) {
		struct hv_u128 value = {0x1f80 + i, 0x1f80 + i}, got = {0, 0};
		uint32_t name = shared_names[i];

		assert_int_equal(sidecar_vp_set_register(vp, HV_VTL_0, name, value), 0);
		assert_int_equal(kernel_get(machine, name), value.low);
		value.low++;
		kernel_set(machine, name, value);
		assert_int_equal(sidecar_vp_get_register(vp, HV_VTL_0, name, &got), 0);
		assert_int_equal(got.low, value.low);
	}
	destroy_vp(vp);
}

static void test_bad_mxcsr(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct hv_register_assoc regs[] = {
		{.name = HV_REGISTER_RBX, .value.low = 1},
		{.name = HV_REGISTER_XMM_CONTROL_STATUS, .value.high = 0x1f1f80},
		{.name = HV_REGISTER_RDX, .value.low = 1},
	};

	assert_int_equal(sidecar_vp_set_registers(vp, HV_VTL_0, regs, COUNT(regs)), -EREMOTEIO);
	check_failure(vp, HV_STATUS_INVALID_REGISTER_VALUE, 1);
	assert_int_equal(get_one(vp, HV_REGISTER_RBX), 1);
	assert_int_equal(get_one(vp, HV_REGISTER_RDX), 0);
	assert_int_equal(sidecar_vp_context(vp)->fx_state.mxcsr, 0x1f80);
	destroy_vp(vp);
}

/* ---- any sequence, against a model ---- */

static const uint32_t model_names[] = {
	HV_REGISTER_RAX, HV_REGISTER_RCX, HV_REGISTER_R9, HV_REGISTER_CR2, HV_REGISTER_XMM0,
	HV_REGISTER_XMM0 + 4, HV_REGISTER_XMM15, HV_REGISTER_FPMMX0, HV_REGISTER_RIP,
	HV_REGISTER_RSP, HV_REGISTER_RFLAGS, HV_REGISTER_ES, HV_REGISTER_CS, HV_REGISTER_GS,
	HV_REGISTER_CR0, HV_REGISTER_CR3, HV_REGISTER_CR4, HV_REGISTER_CR8, HV_REGISTER_EFER,
	HV_REGISTER_DR7, HV_REGISTER_INTERRUPT_STATE, HV_REGISTER_PENDING_INTERRUPTION,
	HV_REGISTER_PENDING_EVENT0, HV_REGISTER_STAR, HV_REGISTER_LSTAR, HV_REGISTER_DR0,
	HV_REGISTER_LDTR, HV_REGISTER_GDTR,
};

#define MODEL COUNT(model_names)
#define MAX_BATCH 70u

struct model {
	struct machine *machine;
	struct sidecar_vp *vp;
	struct hv_u128 values[MODEL];
	uint64_t random;
	unsigned int refused;
};

static uint64_t next_random(struct model *model)
{
	model->random ^= model->random << 13;
	model->random ^= model->random >> 7;
	model->random ^= model->random << 17;
	return model->random;
}

/* Few different ones, so that equal values are met; and, if it may, one that is refused. */
static struct hv_u128 random_value(struct model *model, uint32_t name, bool good)
{
	uint64_t random = next_random(model) % 5;

	switch (name) {
	case HV_REGISTER_RFLAGS:
		return (struct hv_u128){good || random ? 2 | random << 8 : 0, 0};
	case HV_REGISTER_EFER:
		return (struct hv_u128){good || random ? (random & 1) << 8 : 1ull << 40, 0};
	case HV_REGISTER_ES:
	case HV_REGISTER_CS:
	case HV_REGISTER_GS:
	case HV_REGISTER_XMM15:
		return (struct hv_u128){random, random << 40};
	default:
		return (struct hv_u128){random, 0};
	}
}

static bool is_refused(uint32_t name, struct hv_u128 value)
{
	return (name == HV_REGISTER_RFLAGS && !(value.low & 2)) ||
	       (name == HV_REGISTER_EFER && value.low >> 40);
}

static size_t random_batch(struct model *model, struct hv_register_assoc *regs, unsigned int *index)
{
	size_t count = next_random(model) % 4 ? next_random(model) % 6 :
						next_random(model) % MAX_BATCH;

	for (size_t i = 0; i < count; i++) {
		index[i] = (unsigned int)(next_random(model) % MODEL);
		regs[i] = (struct hv_register_assoc){.name = model_names[index[i]]};
	}
	return count;
}

static void model_set(struct model *model)
{
	struct hv_register_assoc regs[MAX_BATCH];
	unsigned int index[MAX_BATCH];
	size_t count = random_batch(model, regs, index), i;
	int expected = 0, result;

	for (i = 0; i < count; i++)
		regs[i].value = random_value(model, regs[i].name, next_random(model) % 8);
	for (i = 0; i < count && !expected; i++) {
		if (is_refused(regs[i].name, regs[i].value))
			expected = -EREMOTEIO;
		else
			model->values[index[i]] = regs[i].value;
	}
	result = sidecar_vp_set_registers(model->vp, HV_VTL_0, regs, count);
	assert_int_equal(result, expected);
	if (result)
		assert_int_equal(sidecar_vp_error(model->vp)->index, i - 1);
	model->refused += result != 0;
}

static void model_get(struct model *model)
{
	struct hv_register_assoc regs[MAX_BATCH];
	unsigned int index[MAX_BATCH];
	size_t count = random_batch(model, regs, index);

	assert_int_equal(sidecar_vp_get_registers(model->vp, HV_VTL_0, regs, count), 0);
	for (size_t i = 0; i < count; i++) {
		const struct hv_u128 *wanted = &model->values[index[i]];

		if (regs[i].value.low != wanted->low || regs[i].value.high != wanted->high)
			fail_msg("%s is 0x%llx, not 0x%llx", sidecar_register_name(regs[i].name),
				 (unsigned long long)regs[i].value.low,
				 (unsigned long long)wanted->low);
	}
}

static struct hv_u128 *model_of(struct model *model, uint32_t name)
{
	for (unsigned int i = 0; i < MODEL; i++)
		if (model_names[i] == name)
			return &model->values[i];
	return NULL;
}

/* By hand, as a VMM that knows the page does. */
static void model_dirty(struct model *model)
{
	struct hv_register_page *page = sidecar_vp_register_page(model->vp);
	uint64_t random = next_random(model);

	if (!page->is_valid)
		return;
	if (random & 1) {
		page->rip = model_of(model, HV_REGISTER_RIP)->low = random >> 40;
		page->dirty |= HV_REGISTER_PAGE_DIRTY_RIP;
	}
	if (random & 2) {
		page->segment[HV_SEGMENT_INDEX_CS].base = random >> 40;
		memcpy(model_of(model, HV_REGISTER_CS), &page->segment[HV_SEGMENT_INDEX_CS], 16);
		page->dirty |= HV_REGISTER_PAGE_DIRTY_SEGMENTS;
	}
	if ((random & 12) == 12 && !(page->dirty & HV_REGISTER_PAGE_DIRTY_XMM)) {
		memcpy(page->xmm, sidecar_vp_context(model->vp)->fx_state.xmm, sizeof(page->xmm));
		page->xmm[4].low = model_of(model, HV_REGISTER_XMM0 + 4)->low = random >> 40;
		page->dirty |= HV_REGISTER_PAGE_DIRTY_XMM;
	}
	if (random & 16) {
		page->rflags = 2 | (random >> 40 & 0x400);
		model_of(model, HV_REGISTER_RFLAGS)->low = page->rflags;
		page->dirty |= HV_REGISTER_PAGE_DIRTY_FLAGS;
	}
}

/* A guest that changes registers of every kind. */
static enum host_exit guest_changes(struct host_guest *guest, struct cpu *cpu,
				    struct hv_message *message)
{
	host_register(cpu, HV_REGISTER_RIP)->low++;
	host_register(cpu, HV_REGISTER_CR3)->low += 0x1000;
	host_register(cpu, HV_REGISTER_STAR)->low++;
	cpu->command->cpu_context.gps[0]++;
	return guest_io(guest, cpu, message);
}

static void model_run(struct model *model)
{
	assert_int_equal(sidecar_vp_run(model->vp, SIDECAR_NO_DEADLINE, NULL), 0);
	assert_int_equal(sidecar_vp_message(model->vp)->header.type, HV_MESSAGE_IO_PORT_INTERCEPT);
	model_of(model, HV_REGISTER_RIP)->low++;
	model_of(model, HV_REGISTER_CR3)->low += 0x1000;
	model_of(model, HV_REGISTER_STAR)->low++;
	model_of(model, HV_REGISTER_RAX)->low++;
}

static void model_step(struct model *model)
{
	switch (next_random(model) % 8) {
	case 0:
	case 1:
		model_run(model);
		break;
	case 2:
	case 3:
		model_set(model);
		break;
	case 4:
		model_dirty(model);
		break;
	case 5:
		if (next_random(model) % 4 == 0)
			assert_int_equal(sidecar_vp_flush_registers(model->vp), 0);
		break;
	default:
		model_get(model);
		break;
	}
}

static void test_model(void **state)
{
	struct machine *machine = *state;
	struct model model = {.machine = machine, .random = 0x9e3779b97f4a7c15};
	unsigned int steps = getenv("SIDECAR_TEST_LONG") ? 1000000 : 10000;
	struct sidecar_vp_counters counters;

	model.vp = make_vp(machine, CPU_A);
	set_guest(machine, CPU_A, guest_changes);
	for (unsigned int i = 0; i < MODEL; i++)
		assert_int_equal(sidecar_vp_get_register(model.vp, HV_VTL_0, model_names[i],
							 &model.values[i]), 0);
	for (unsigned int i = 0; i < steps; i++)
		model_step(&model);
	sidecar_vp_counters(model.vp, &counters);
	assert_true(counters.register_context && counters.register_page);
	assert_true(counters.register_command && counters.register_skipped);
	assert_true(counters.page_flushes && model.refused);
	destroy_vp(model.vp);
}

/* Whatever is in the page: no crash, and a VP that works when the page is made invalid. */
static void test_hostile_page(void **state)
{
	struct machine *machine = *state;
	struct model model = {.machine = machine, .random = 42};
	struct sidecar_vp *vp = make_run_vp(machine);
	uint64_t *page = (uint64_t *)sidecar_vp_register_page(vp);
	struct hv_register_assoc regs[MODEL];

	for (unsigned int i = 0; i < 1000; i++) {
		for (unsigned int n = 0; n < sizeof(struct hv_register_page) / 8; n++)
			page[n] = next_random(&model);
		for (unsigned int n = 0; n < MODEL; n++)
			regs[n] = (struct hv_register_assoc){.name = model_names[n]};
		sidecar_vp_get_registers(vp, (uint8_t)next_random(&model), regs, MODEL);
		sidecar_vp_set_registers(vp, (uint8_t)next_random(&model), regs, MODEL);
		sidecar_vp_flush_registers(vp);
	}
	memset(page, 0, sizeof(struct hv_register_page));
	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, NULL), 0);
	destroy_vp(vp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EVERY(test_counts),
		EVERY(test_count_0),
		EVERY(test_count_65535),
		EVERY(test_no_array),
		EVERY(test_unknown_register),
		EVERY(test_refused_value),
		EVERY(test_get_stops_at_the_first),
		EVERY(test_vtl_is_passed_on),
		EVERY(test_any_value_comes_through),
		EVERY(test_single_forms),
		EVERY(test_raw_counts),
		EVERY(test_paths_of_get),
		EVERY(test_paths_of_set),
		EVERY(test_RFLAGS_in_order),
		EVERY(test_no_op_writes_are_skipped),
		EVERY(test_dirty_page_and_set),
		EVERY(test_dirty_xmm),
		EVERY(test_refused_beside_the_page),
		EVERY(test_flush),
		EVERY(test_flush_fails),
		EVERY(test_paths_in_a_queue),
		EVERY(test_same_by_either_path),
		EVERY(test_bad_mxcsr),
		EVERY(test_model),
		EVERY(test_hostile_page),
	};

	return cmocka_run_group_tests_name("registers", tests, NULL, NULL);
}
