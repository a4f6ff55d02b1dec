// SPDX-License-Identifier: MIT
/*
 * Every command through a command page written by hand, as a VMM without the library would, and
 * what the kernel makes of pages that nobody should write (R10).
 */
#include <sidecar/hv.h>

#include "device.h"

#define CPU 1u
#define RIP_AT_RESET 0xfff0u

static struct device device;
static struct sidecar_command_page *page;
static struct hv_register_page *register_page;

static struct sidecar_registers_request *head(void)
{
	return (void *)page->request_data;
}

static struct hv_register_assoc *entry(unsigned int i)
{
	return (struct hv_register_assoc *)(head() + 1) + i;
}

/* Nothing of an earlier command is left: what stands there afterwards, the kernel wrote. */
static void clean(void)
{
	memset(page->reserved0, 0xa5, sizeof(page->reserved0));
	memset(&page->intercept_message, 0xa5, sizeof(page->intercept_message));
	memset(&page->error, 0xa5, sizeof(page->error));
	memset(page->request_data, 0xa5, sizeof(page->request_data));
	memset(page->reserved1, 0xa5, sizeof(page->reserved1));
	page->has_error = 0xa5;
}

static bool all_a5(const void *memory, size_t size)
{
	const uint8_t *bytes = memory;

	while (size--)
		if (*bytes++ != 0xa5)
			return false;
	return true;
}

/* The driver says yes, the command is taken, and the kernel kept to its own fields. */
static bool completes(uint32_t command)
{
	int error = run(&device, CPU, command);

	if (error) {
		tap_note("RUN: %s", strerror(error));
		return false;
	}
	return page->command == SIDECAR_COMMAND_NONE && all_a5(page->reserved0, 11) &&
	       all_a5(page->reserved1, sizeof(page->reserved1));
}

static bool succeeds(uint32_t command)
{
	if (!completes(command))
		return false;
	if (page->has_error)
		tap_note("error text: %.*s", page->error.length, page->error.text);
	return page->has_error == 0 && all_a5(&page->error, sizeof(page->error));
}

/* An error text that holds these words. */
static bool fails(uint32_t command, const char *first, const char *second)
{
	char text[256] = "";

	if (!completes(command) || page->has_error != 1)
		return false;
	memcpy(text, page->error.text, page->error.length);
	if (strstr(text, first) && strstr(text, second))
		return true;
	tap_note("the text is '%s', wanted '%s' and '%s'", text, first, second);
	return false;
}

/* ---- NONE and unknown codes ------------------------------------------------------------------ */

static void test_none(void)
{
	clean();
	tap_check(succeeds(SIDECAR_COMMAND_NONE), "NONE succeeds");
	tap_check(all_a5(page->request_data, sizeof(page->request_data)) &&
			  all_a5(&page->intercept_message, 256),
		  "NONE writes nothing");
}

static void test_unknown(void)
{
	static const uint32_t codes[] = {5, 6, 0x80, 0x10001, 0x80000000, 0xffffffff};
	char number[16];

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		clean();
		snprintf(number, sizeof(number), "%u", codes[i]);
		tap_check(fails(codes[i], number, "4"),
			  "unknown command %s: the text names it and the last known", number);
	}
	clean();
	tap_check(succeeds(SIDECAR_COMMAND_NONE), "the CPU is alive after unknown commands");
}

/* ---- registers ------------------------------------------------------------------------------- */

static void begin(uint16_t count, uint8_t vtl)
{
	clean();
	*head() = (struct sidecar_registers_request){
		.count = count, .target_vtl = vtl, .status = 0xa5a5};
}

static void put(unsigned int i, uint32_t name, uint64_t low, uint64_t high)
{
	*entry(i) = (struct hv_register_assoc){.name = name, .value = {low, high}};
}

static void test_get(void)
{
	begin(3, HV_VTL_0);
	put(0, HV_REGISTER_RIP, ~0ull, ~0ull);
	put(1, HV_REGISTER_CS, ~0ull, ~0ull);
	put(2, HV_REGISTER_CR0, ~0ull, ~0ull);
	tap_check(succeeds(SIDECAR_COMMAND_GET_REGISTERS), "GET succeeds");
	tap_equal(head()->status, HV_STATUS_SUCCESS, "GET: its status");
	tap_equal(head()->count, 3, "GET: the count stays");
	tap_check(entry(0)->name == HV_REGISTER_RIP && entry(0)->value.low == RIP_AT_RESET &&
			  entry(0)->value.high == 0,
		  "GET: RIP");
	tap_check(entry(1)->value.low == 0xffff0000 &&
			  entry(1)->value.high == 0x009bf0000000ffffull,
		  "GET: CS as base, limit, selector, attributes");
	tap_check(entry(2)->value.low == 0x60000010 && entry(2)->value.high == 0, "GET: CR0");
	tap_check(all_a5(entry(3), 28 * sizeof(struct hv_register_assoc)),
		  "GET: nothing behind the entries is written");
	tap_check(all_a5(&page->intercept_message, 256), "GET: the message is as it was");
}

static void test_set(void)
{
	begin(2, HV_VTL_0);
	put(0, HV_REGISTER_KERNEL_GS_BASE, 0x1122334455667788 & 0x7fffffffffff, 0);
	put(1, HV_REGISTER_STAR, 0x0123456789abcdef, 0);
	tap_check(succeeds(SIDECAR_COMMAND_SET_REGISTERS), "SET succeeds");
	tap_equal(head()->status, HV_STATUS_SUCCESS, "SET: its status");
	tap_check(entry(0)->value.low == (0x1122334455667788 & 0x7fffffffffff) &&
			  entry(1)->value.low == 0x0123456789abcdef,
		  "SET leaves its input");
	begin(1, HV_VTL_CURRENT);
	put(0, HV_REGISTER_STAR, 0, 0);
	tap_check(succeeds(SIDECAR_COMMAND_GET_REGISTERS) &&
			  entry(0)->value.low == 0x0123456789abcdef,
		  "GET of what was set, by the current VTL");
}

static void test_counts(void)
{
	static const uint32_t commands[] = {SIDECAR_COMMAND_GET_REGISTERS,
					    SIDECAR_COMMAND_SET_REGISTERS};
	static const char *const names[] = {"GET", "SET"};

	for (unsigned int i = 0; i < 2; i++) {
		begin(0, HV_VTL_0);
		tap_check(succeeds(commands[i]) && head()->status == HV_STATUS_SUCCESS,
			  "%s of 0 registers succeeds", names[i]);
		tap_check(all_a5(entry(0), 1008), "%s of 0 registers has no effect", names[i]);
		begin(32, HV_VTL_0);
		tap_check(fails(commands[i], "32", "31"), "%s of 32 is an error text", names[i]);
		begin(65535, HV_VTL_0);
		tap_check(fails(commands[i], "65535", "31"), "%s of 65535 is an error text",
			  names[i]);
	}
}

static void test_thirty_one(void)
{
	bool same = true;

	begin(31, HV_VTL_0);
	for (unsigned int i = 0; i < 31; i++)
		put(i, i < 16 ? HV_REGISTER_XMM0 + i : HV_REGISTER_MTRR_PHYS_BASE0 + i - 16,
		    i < 16 ? 0x1111111111111111ull * i : (uint64_t)i << 12,
		    i < 16 ? 0x0101010101010101ull * i : 0);
	tap_check(succeeds(SIDECAR_COMMAND_SET_REGISTERS) && head()->status == 0,
		  "SET of 31 registers succeeds");
	begin(31, HV_VTL_0);
	for (unsigned int i = 0; i < 31; i++)
		put(i, i < 16 ? HV_REGISTER_XMM0 + i : HV_REGISTER_MTRR_PHYS_BASE0 + i - 16, 0, 0);
	tap_check(succeeds(SIDECAR_COMMAND_GET_REGISTERS) && head()->status == 0,
		  "GET of 31 registers succeeds");
	for (unsigned int i = 0; i < 31; i++)
		same &= entry(i)->value.low ==
				(i < 16 ? 0x1111111111111111ull * i : (uint64_t)i << 12) &&
			entry(i)->value.high == (i < 16 ? 0x0101010101010101ull * i : 0);
	tap_check(same, "and each of the 31 has its value");
}

static void test_failing_registers(void)
{
	begin(3, HV_VTL_0);
	put(0, HV_REGISTER_RIP, 1, 1);
	put(1, 0x00123456, 2, 2);
	put(2, HV_REGISTER_RIP, 3, 3);
	tap_check(succeeds(SIDECAR_COMMAND_GET_REGISTERS) &&
			  head()->status == HV_STATUS_UNKNOWN_REGISTER_NAME,
		  "GET of an unknown register has status 0x87");
	tap_check(entry(0)->value.low == RIP_AT_RESET && entry(1)->value.low == 2 &&
			  entry(2)->value.low == 3,
		  "GET stops there: the one before is read, those after it stay");
	begin(3, HV_VTL_0);
	put(0, HV_REGISTER_LSTAR, 0x1000, 0);
	put(1, HV_REGISTER_CSTAR, 0x8000000000000000, 0);
	put(2, HV_REGISTER_SYSENTER_EIP, 0x3000, 0);
	tap_check(succeeds(SIDECAR_COMMAND_SET_REGISTERS) &&
			  head()->status == HV_STATUS_INVALID_REGISTER_VALUE,
		  "SET of a refused value has status 0x50");
	begin(3, HV_VTL_0);
	put(0, HV_REGISTER_LSTAR, 0, 0);
	put(1, HV_REGISTER_CSTAR, 0, 0);
	put(2, HV_REGISTER_SYSENTER_EIP, 0, 0);
	succeeds(SIDECAR_COMMAND_GET_REGISTERS);
	tap_check(entry(0)->value.low == 0x1000 && entry(1)->value.low == 0 &&
			  entry(2)->value.low == 0,
		  "SET stops there: the one before is set, the others are as before");
	begin(1, HV_VTL_0);
	put(0, 0x00123456, 0, 0);
	tap_check(succeeds(SIDECAR_COMMAND_SET_REGISTERS) &&
			  head()->status == HV_STATUS_UNKNOWN_REGISTER_NAME,
		  "SET of an unknown register has status 0x87");
}

static void test_vtls(void)
{
	static const uint8_t bad[] = {0x11, 0x12, 0x1f, 0x20, 0x30, 0x80, 0xf0, 0xff};

	for (size_t i = 0; i < sizeof(bad); i++) {
		begin(1, bad[i]);
		put(0, HV_REGISTER_RIP, 7, 7);
		tap_check(succeeds(SIDECAR_COMMAND_GET_REGISTERS) && head()->status != 0 &&
				  entry(0)->value.low == 7,
			  "GET with the VTL byte 0x%02x is refused", bad[i]);
		begin(1, bad[i]);
		put(0, HV_REGISTER_RIP, 7, 0);
		tap_check(succeeds(SIDECAR_COMMAND_SET_REGISTERS) && head()->status != 0,
			  "SET with the VTL byte 0x%02x is refused", bad[i]);
	}
	begin(1, HV_VTL_0);
	put(0, HV_REGISTER_RIP, 0, 0);
	tap_check(succeeds(SIDECAR_COMMAND_GET_REGISTERS) && entry(0)->value.low == RIP_AT_RESET,
		  "RIP is none of what those wanted to set");
}

/* ---- TRANSLATE_GVA --------------------------------------------------------------------------- */

static struct sidecar_translate_response *translate(uint64_t gva_page, uint64_t flags)
{
	struct sidecar_translate_request *request = (void *)page->request_data;

	clean();
	*request = (struct sidecar_translate_request){gva_page, flags};
	tap_check(succeeds(SIDECAR_COMMAND_TRANSLATE_GVA) &&
			  all_a5((uint8_t *)page->request_data + 80, 1024 - 80),
		  "TRANSLATE of page 0x%llx, flags 0x%llx ends and writes 80 bytes",
		  (unsigned long long)gva_page, (unsigned long long)flags);
	return (void *)page->request_data;
}

static bool all_zero(const void *memory, size_t size)
{
	const uint8_t *bytes = memory;

	while (size--)
		if (*bytes++)
			return false;
	return true;
}

static void test_translate(void)
{
	const uint64_t vtl0 = (uint64_t)HV_VTL_0 << 56;
	static const uint64_t bad[] = {
		1ull << 11, /* reserved */
		1ull << 55,
		HV_TRANSLATE_SHADOW_STACK,
		HV_TRANSLATE_SUPERVISOR_ACCESS | HV_TRANSLATE_USER_ACCESS,
		HV_TRANSLATE_ENFORCE_SMAP | HV_TRANSLATE_OVERRIDE_SMAP,
		(uint64_t)(HV_VTL_1 ^ HV_VTL_0) << 56 | HV_TRANSLATE_VALIDATE_READ,
	};
	struct sidecar_translate_response *out;

	out = translate(RESET_PAGE >> 12, vtl0 | HV_TRANSLATE_VALIDATE_READ);
	tap_equal(out->status, HV_STATUS_SUCCESS, "its status");
	tap_equal(out->output.result, (uint64_t)HV_CACHE_TYPE_WRITE_BACK << 32,
		  "its result: success, write-back");
	tap_equal(out->output.gpa_page, RESET_PAGE >> 12, "its page: itself, without paging");
	tap_check(all_zero(out->reserved, 14) && !out->output.reserved && !out->output.reserved2 &&
			  all_zero(out->output.event, 32),
		  "and the rest is zero");
	out = translate(0x55555, vtl0 | HV_TRANSLATE_VALIDATE_READ);
	tap_equal(out->output.result, HV_TRANSLATE_GPA_UNMAPPED, "an unmapped page");
	tap_check(out->output.gpa_page == 0 && out->status == 0 && all_zero(out->output.event, 32),
		  "has no page and no event");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		out = translate(RESET_PAGE >> 12, vtl0 ^ bad[i]);
		tap_check(out->status == HV_STATUS_INVALID_PARAMETER &&
				  all_zero(&out->output, sizeof(out->output)),
			  "those flags are refused, the output is zero");
	}
	out = translate(1ull << 52, vtl0);
	tap_check(out->status == HV_STATUS_INVALID_PARAMETER && all_zero(&out->output, 64),
		  "a page number of 53 bits is refused");
}

/* ---- RUN_VP ---------------------------------------------------------------------------------- */

static void test_run(void)
{
	const struct hv_io_message *io = (void *)page->intercept_message.payload;

	clean();
	page->cpu_context.gps[SIDECAR_GP_RAX] = 0x77;
	tap_check(succeeds(SIDECAR_COMMAND_RUN_VP), "RUN_VP succeeds");
	tap_equal(run_result(&device, CPU), SIDECAR_RUN_INTERCEPT, "with an intercept");
	tap_check(all_a5((uint8_t *)page->request_data + 1, 1023), "and writes one byte of result");
	tap_check(page->intercept_message.header.type == HV_MESSAGE_IO_PORT_INTERCEPT &&
			  page->intercept_message.header.length == 128 && io->port_number == 0x80 &&
			  io->header.rip == RIP_AT_RESET && io->rax == 0x77,
		  "the message is in the page");
	tap_check(register_page->is_valid == 1 && register_page->rip == RIP_AT_RESET &&
			  register_page->gp_registers[HV_GP_RAX] == 0x77,
		  "and the registers in the other one");
}

/* The message of an earlier intercept is no news. */
static void test_stopped_run(void)
{
	int result;

	begin(1, HV_VTL_0);
	put(0, HV_REGISTER_INTERNAL_ACTIVITY_STATE, HV_ACTIVITY_STARTUP_SUSPEND, 0);
	succeeds(SIDECAR_COMMAND_SET_REGISTERS);
	clean();
	tap_equal(start(&device, CPU, SIDECAR_COMMAND_RUN_VP), 0, "a suspended VP is started");
	tap_check(wait_completion(&device, 100) == -ETIME, "and does not come back");
	tap_equal(control(device.fd, SIDECAR_IOC_STOP, CPU), 0, "until it is stopped");
	result = wait_completion(&device, 5000);
	tap_check(result == (int)CPU && run_result(&device, CPU) == SIDECAR_RUN_STOPPED &&
			  page->has_error == 0,
		  "its result says so");
	tap_check(all_a5(&page->intercept_message, 256), "and no message is written");
	begin(1, HV_VTL_0);
	put(0, HV_REGISTER_INTERNAL_ACTIVITY_STATE, 0, 0);
	succeeds(SIDECAR_COMMAND_SET_REGISTERS);
}

static void test_bad_context(void)
{
	static const uint32_t bad[] = {0x00010000, 0x80001f80, 0xffffffff, 0x00040000};
	char number[16];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		clean();
		snprintf(number, sizeof(number), "0x%x", bad[i]);
		page->cpu_context.fx_state.mxcsr = bad[i];
		tap_check(fails(SIDECAR_COMMAND_RUN_VP, "MXCSR", number),
			  "MXCSR %s: the text names it", number);
		tap_check(page->request_data[0].low == 0xa5a5a5a5a5a5a5a5 &&
				  all_a5(&page->intercept_message, 256),
			  "MXCSR %s: no result, no message", number);
	}
	page->cpu_context.fx_state.mxcsr = HV_FX_DEFAULT_MXCSR;
	clean();
	tap_check(succeeds(SIDECAR_COMMAND_RUN_VP) && run_result(&device, CPU) == 1,
		  "the VP runs afterwards");
}

/* Whatever the other bytes of the FXSAVE image are, FXRSTOR takes them (R10). */
static void test_any_fx_image(void)
{
	memset(&page->cpu_context.fx_state, 0xff, sizeof(page->cpu_context.fx_state));
	page->cpu_context.fx_state.mxcsr = HV_FX_DEFAULT_MXCSR;
	clean();
	tap_check(succeeds(SIDECAR_COMMAND_RUN_VP) && run_result(&device, CPU) == 1,
		  "an FXSAVE image of ones runs");
	for (unsigned int i = 0; i < 1024; i++)
		((uint8_t *)&page->cpu_context)[i] = (uint8_t)(i * 37 + 11);
	page->cpu_context.fx_state.mxcsr = 0;
	clean();
	tap_check(succeeds(SIDECAR_COMMAND_RUN_VP) && run_result(&device, CPU) == 1,
		  "a context of noise runs");
}

/* Pages of noise: the commands end, with whatever result, and the CPU is alive. */
static void test_noise(void)
{
	unsigned int alive = 0, seed = 12345;

	for (uint32_t round = 0; round < 300; round++) {
		for (unsigned int i = 0; i < 2 * SIDECAR_PAGE_SIZE; i++) {
			seed = seed * 1103515245 + 12345;
			((uint8_t *)page)[i] = (uint8_t)(seed >> 16);
		}
		head()->count = (uint16_t)(round % 40);
		if (round & 64) { /* noise that is not refused at the first look */
			page->cpu_context.fx_state.mxcsr &= 0xffff;
			register_page->dirty &= HV_REGISTER_PAGE_DIRTY_ALL;
		}
		if (start(&device, CPU, round % 6) != 0)
			break;
		if (wait_completion(&device, 20) < 0) { /* a guest that has nothing to say */
			control(device.fd, SIDECAR_IOC_CANCEL, CPU);
			if (wait_completion(&device, 5000) < 0)
				break;
		}
		alive += run(&device, CPU, SIDECAR_COMMAND_NONE) == 0 && !page->has_error;
	}
	tap_equal(alive, 300, "after each of 300 pages of noise the CPU answers (R10)");
}

int main(void)
{
	if (insert_module("cpus=1-3"))
		return 1;
	device = device_open();
	GIVE_GUEST(&device, port_guest);
	page = command_page(&device, CPU);
	register_page = (void *)((uint8_t *)page + SIDECAR_PAGE_SIZE);
	/* The claim; before it the pages are not ours. */
	tap_equal(run(&device, CPU, SIDECAR_COMMAND_NONE), 0, "the CPU is claimed");
	test_none();
	test_unknown();
	test_get();
	test_set();
	test_counts();
	test_thirty_one();
	test_failing_registers();
	test_vtls();
	test_translate();
	test_run();
	test_stopped_run();
	test_bad_context();
	test_any_fx_image();
	test_noise();
	device_close(&device);
	return tap_done();
}
