// SPDX-License-Identifier: MIT
#include "fake.h"

#include <stdlib.h>

#include "console/log.h"

struct fake fake;

/* One page of "code", as in the image. */
const uint8_t hyperv_hypercall_page[SIDECAR_PAGE_SIZE]
	__attribute__((aligned(4096), section(".data.hypercall_page"))) = {0};
const uint8_t hyperv_vp_start[16] = {0};
const uint8_t hyperv_vp_entry[16] = {0};

/* ---- the kernel around it -------------------------------------------------------------------- */

void *window_open(struct cpu *cpu, unsigned int slot, phys_t pa, bool writable)
{
	(void)cpu;
	(void)slot;
	(void)writable;
	return (void *)pa.value;
}

void window_close(struct cpu *cpu, unsigned int slot)
{
	(void)cpu;
	(void)slot;
}

void arch_drain(struct cpu *cpu)
{
	(void)cpu;
	fake.drains++;
}

void log_line(struct cpu *cpu, const char *format, ...)
{
	(void)cpu;
	(void)format;
}

/* ---- hardware.h ------------------------------------------------------------------------------ */

bool hyperv_rdmsr(uint32_t msr, uint64_t *value)
{
	*value = msr == MSR_TIME_REF_COUNT ? (fake.time += fake.tick) : msr * 0x10001ull;
	return msr != fake.refused_msr;
}

bool hyperv_wrmsr(uint32_t msr, uint64_t value)
{
	if (msr == fake.refused_msr)
		return false;
	assert_true(fake.msr_count < MAX_MSRS);
	fake.msrs[fake.msr_count++] = (struct msr_write){msr, value};
	return true;
}

uint64_t hyperv_get_dr(unsigned int number)
{
	return fake.dr[number];
}

void hyperv_set_dr(unsigned int number, uint64_t value)
{
	assert_true(number < 4 || (number == 6 && value <= UINT32_MAX));
	fake.dr[number] = value;
}

bool hyperv_load(const struct hyperv_guest *guest)
{
	if (fake.refuses_fx)
		return false;
	fake.fx = guest->fx;
	fake.cr2 = guest->gps[SIDECAR_GP_CR2];
	return true;
}

void hyperv_store(struct hyperv_guest *guest)
{
	guest->fx = fake.fx;
	guest->gps[SIDECAR_GP_CR2] = fake.cr2;
}

uint32_t hyperv_mxcsr_mask(void)
{
	return 0xffff;
}

void hyperv_boot_tables(struct hv_table *gdt, struct hv_table *idt)
{
	*gdt = (struct hv_table){.limit = 31, .base = 0x1000};
	*idt = (struct hv_table){.limit = 4095, .base = 0x2000};
}

_Noreturn void hyperv_halt(void)
{
	abort();
}

phys_t hyperv_image_at(phys_t image, const void *part)
{
	assert_int_equal(image.value, fake.boot.image.value);
	return phys((uint64_t)part);
}

void hyperv_vtl_return(struct hyperv_guest *guest, uint64_t code)
{
	assert_int_equal(code, (uint64_t)hyperv_hypercall_page + FAKE_RETURN_OFFSET);
	fake.guest(guest, fake.returns++);
}

/* ---- the hypervisor -------------------------------------------------------------------------- */

struct hv_u128 fake_value(uint32_t name)
{
	if (name == HV_REGISTER_VSM_CODE_PAGE_OFFSETS)
		return (struct hv_u128){fake.code_page_offsets, 0};
	if (name == HV_REGISTER_VSM_CAPABILITIES)
		return (struct hv_u128){fake.capabilities, 0};
	return (struct hv_u128){name + 1ull, ~(uint64_t)name};
}

static uint64_t result(uint16_t status, unsigned int completed)
{
	return status | (uint64_t)completed << HV_HYPERCALL_REPS_COMPLETED_SHIFT;
}

/* How many of a list are done. */
static uint64_t repeat(unsigned int count, const uint8_t *list, size_t step)
{
	for (unsigned int i = 0; i < count; i++) {
		uint32_t name = *(const uint32_t *)(list + i * step);

		if (i == fake.max_reps)
			return result(HV_STATUS_SUCCESS, i);
		if (name == fake.refused_name)
			return result(fake.refused_status, i);
	}
	return result(HV_STATUS_SUCCESS, count);
}

static uint64_t registers(uint16_t code, unsigned int count, uint64_t input, uint64_t output)
{
	const struct hv_vp_registers_input *header = (const void *)input;
	bool get = code == HV_CALL_GET_VP_REGISTERS;
	const uint8_t *list = (const uint8_t *)(header + 1);
	size_t step = get ? sizeof(uint32_t) : sizeof(struct hv_register_assoc);
	struct hv_u128 *values = (void *)output;
	uint64_t answer = repeat(count, list, step);

	assert_int_equal(header->partition_id, HV_PARTITION_ID_SELF);
	assert_int_equal(header->vp_index, HV_VP_INDEX_SELF);
	assert_int_equal(header->reserved[0] | header->reserved[1] | header->reserved[2], 0);
	assert_true(input % SIDECAR_PAGE_SIZE + sizeof(*header) + count * step <=
		    SIDECAR_PAGE_SIZE);
	for (uint64_t i = 0; i < (answer >> HV_HYPERCALL_REPS_COMPLETED_SHIFT); i++) {
		const struct hv_register_assoc *reg = (const void *)(list + i * step);

		if (get) {
			values[i] = fake_value(*(const uint32_t *)(list + i * step));
			continue;
		}
		assert_int_equal(reg->reserved[0] | reg->reserved[1] | reg->reserved[2], 0);
		fake.set[fake.set_count++] = *reg;
	}
	return answer;
}

static uint64_t translate(uint64_t input, uint64_t output)
{
	struct hv_translate_output *out = (void *)output;

	fake.translate = *(const struct hv_translate_input *)input;
	memset(out, 0x77, sizeof(*out));
	return fake.translate_status;
}

static void remember(uint64_t control, unsigned int count, uint64_t input)
{
	assert_true(fake.call_count < MAX_CALLS);
	fake.calls[fake.call_count++] = (struct call){
		.code = (uint16_t)control,
		.count = count,
		.vtl = ((const struct hv_vp_registers_input *)input)->target_vtl,
	};
}

uint64_t hyperv_hypercall(uint64_t control, uint64_t input, uint64_t output)
{
	uint16_t code = (uint16_t)control;
	unsigned int count =
		(control & HV_HYPERCALL_REP_COUNT_MASK) >> HV_HYPERCALL_REP_COUNT_SHIFT;

	assert_int_equal(control & ~(HV_HYPERCALL_CODE_MASK | HV_HYPERCALL_REP_COUNT_MASK), 0);
	assert_int_equal(input % 8 | output % 8, 0);
	if (code == HV_CALL_ENABLE_VP_VTL || code == HV_CALL_START_VIRTUAL_PROCESSOR) {
		assert_int_equal(count, 0);
		return fake.start_vp(code, (const void *)input);
	}
	remember(control, count, input);
	if (code == HV_CALL_TRANSLATE_VIRTUAL_ADDRESS_EX) {
		assert_int_equal(count, 0);
		return translate(input, output);
	}
	assert_true(code == HV_CALL_GET_VP_REGISTERS || code == HV_CALL_SET_VP_REGISTERS);
	assert_in_range(count, 1, SIDECAR_MAX_REGISTERS);
	return registers(code, count, input, output);
}

/* ---- the CPU --------------------------------------------------------------------------------- */

int fake_setup(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	fake.refused_name = NO_NAME;
	fake.refused_msr = NO_NAME;
	fake.max_reps = SIDECAR_MAX_REGISTERS;
	fake.code_page_offsets = FAKE_RETURN_OFFSET << HV_VSM_CODE_PAGE_RETURN_OFFSET_SHIFT | 0x20;
	fake.boot.image = phys(0x40000000);
	fake.boot.params.hypercall_page = (uint64_t)fake.shim_page;
	memset(fake.shim_page, 0x5a, sizeof(fake.shim_page));
	fake.cpu = (struct cpu){
		.vp_index = 5,
		.node_index = 3,
		.control = &fake.control,
		.command = &fake.command,
		.register_page = &fake.register_page,
		.register_page_at = phys((uint64_t)&fake.register_page),
		.state = &fake.state,
		.backend_pages = phys((uint64_t)&fake.pages),
		.backend_memory = &fake.pages,
	};
	fake.control.cpu_status[3] = SIDECAR_STATUS_RUN;
	assert_true(backend_boot(&fake.boot, &fake.error));
	backend_cpu_start(&fake.cpu);
	fake.call_count = 0;
	return 0;
}

struct hv_vp_assist_page *fake_assist(void)
{
	return &fake.pages.assist;
}
