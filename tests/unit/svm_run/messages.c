// SPDX-License-Identifier: MIT
/* Every byte of every message, at the offsets of the contract and not by its structs. */
#include "fake.h"

#include "messages.h"

static uint8_t wanted[256];
static struct hv_message got;
static struct svm_stop stop;
static uint64_t gps[16];
static struct hv_fx_state fx;

static void put(unsigned int offset, unsigned int size, uint64_t value)
{
	memcpy(wanted + offset, &value, size);
}

/* Header and common part; payload offsets begin at 0x10. */
static void put_header(uint32_t type, uint8_t length, uint8_t access)
{
	put(0x00, 4, type);
	put(0x04, 1, length);
	put(0x10, 4, 5);
	put(0x14, 1, 0x92); /* CR8 9, length 2 */
	put(0x15, 1, access);
	put(0x16, 2, 0x107f);
	put(0x18, 8, 0x11110000);
	put(0x20, 4, 0xfffff);
	put(0x24, 2, 0x33);
	put(0x26, 2, 0xa0fb);
	put(0x28, 8, 0x4010);
	put(0x30, 8, 0x40246);
}

static int setup(void **state)
{
	struct svm_vmcb *vmcb;

	fake_setup(state);
	vmcb = fake_vmcb();
	for (unsigned int i = 0; i < 16; i++)
		gps[i] = 0x1000000000000000 * (i & 7) + 0x100 + i;
	for (unsigned int i = 0; i < 16; i++)
		memset(fx.xmm[i], 0x40 + i, 16);
	vmcb->save.cs = (struct svm_segment){0x33, 0xafb, 0xfffff, 0x11110000};
	vmcb->save.ds = (struct svm_segment){0x2b, 0xcf3, 0xffffffff, 0x22220000};
	vmcb->save.es = (struct svm_segment){0x3b, 0xcf3, 0xeeeeeeee, 0x33330000};
	vmcb->save.ss = (struct svm_segment){0x43, 0xcf3, 0xdddddddd, 0x44440000};
	vmcb->save.rip = 0x4010;
	vmcb->save.rsp = 0x7fff0000;
	vmcb->save.rflags = 0x40246;
	vmcb->save.cpl = 3;
	vmcb->save.cr0 = CR0_PE | CR0_AM | CR0_PG;
	vmcb->save.efer = EFER_LMA | EFER_LME | EFER_SVME;
	vmcb->save.dr7 = 0x401;
	vmcb->control.int_ctl |= 9;
	vmcb->control.int_state = SVM_INT_STATE_SHADOW;
	fake.cpu.backend.vp.pending_interruption = 1;
	stop = (struct svm_stop){.vp = &fake.cpu.backend.vp, .gps = gps, .fx = &fx, .length = 2};
	stop.byte_count = 4;
	memcpy(stop.bytes, "\x0f\x1f\x40\x01", 4);
	memset(wanted, 0, sizeof(wanted));
	memset(&got, 0xee, sizeof(got));
	return 0;
}

static void compare(void)
{
	assert_memory_equal(&got, wanted, sizeof(wanted));
}

static void put_bytes(unsigned int count, unsigned int bytes)
{
	put(count, 1, 4);
	memcpy(wanted + bytes, stop.bytes, 4);
}

static void test_io(void **state)
{
	(void)state;
	fake_exit(SVM_EXIT_IOIO, 0xcfc0041, 0);
	svm_message_io(&got, &stop);
	put_header(0x80010000, 128, 0);
	put(0x38, 2, 0xcfc);
	put(0x3a, 1, 4);
	put(0x40, 8, gps[SIDECAR_GP_RAX]);
	put(0x78, 8, gps[SIDECAR_GP_RCX]);
	put(0x80, 8, gps[SIDECAR_GP_RSI]);
	put(0x88, 8, gps[SIDECAR_GP_RDI]);
	compare();
}

static void test_io_string(void **state)
{
	(void)state;
	fake_exit(SVM_EXIT_IOIO, 0x3f8001c, 0);
	svm_message_io(&got, &stop);
	put_header(0x80010000, 128, 1);
	put(0x38, 2, 0x3f8);
	put(0x3a, 1, 0x19);
	put_bytes(0x3b, 0x48);
	put(0x40, 8, gps[SIDECAR_GP_RAX]);
	put(0x58, 8, 0x22220000);
	put(0x60, 4, 0xffffffff);
	put(0x64, 2, 0x2b);
	put(0x66, 2, 0xc0f3);
	put(0x68, 8, 0x33330000);
	put(0x70, 4, 0xeeeeeeee);
	put(0x74, 2, 0x3b);
	put(0x76, 2, 0xc0f3);
	put(0x78, 8, gps[SIDECAR_GP_RCX]);
	put(0x80, 8, gps[SIDECAR_GP_RSI]);
	put(0x88, 8, gps[SIDECAR_GP_RDI]);
	compare();
}

static void test_msr(void **state)
{
	(void)state;
	fake_exit(SVM_EXIT_MSR, SVM_MSR_WRITE, 0);
	svm_message_msr(&got, &stop);
	put_header(0x80010001, 64, 1);
	put(0x38, 4, gps[SIDECAR_GP_RCX]);
	put(0x40, 8, gps[SIDECAR_GP_RDX]);
	put(0x48, 8, gps[SIDECAR_GP_RAX]);
	compare();
}

static void test_cpuid(void **state)
{
	const struct cpuid_words defaults = {0xa, 0xb, 0xc, 0xd};

	(void)state;
	svm_message_cpuid(&got, &stop, &defaults);
	put_header(0x80010002, 104, 2);
	put(0x38, 8, gps[SIDECAR_GP_RAX]);
	put(0x40, 8, gps[SIDECAR_GP_RCX]);
	put(0x48, 8, gps[SIDECAR_GP_RDX]);
	put(0x50, 8, gps[SIDECAR_GP_RBX]);
	put(0x58, 8, 0xa);
	put(0x60, 8, 0xc);
	put(0x68, 8, 0xd);
	put(0x70, 8, 0xb);
	compare();
}

static void test_halt(void **state)
{
	(void)state;
	svm_message_halt(&got, &stop);
	put_header(0x80010007, 40, 2);
	compare();
}

static void test_hypercall(void **state)
{
	(void)state;
	svm_message_hypercall(&got, &stop);
	put_header(0x80000050, 208, 2);
	put(0x38, 8, gps[SIDECAR_GP_RAX]);
	put(0x40, 8, gps[SIDECAR_GP_RBX]);
	put(0x48, 8, gps[SIDECAR_GP_RCX]);
	put(0x50, 8, gps[SIDECAR_GP_RDX]);
	put(0x58, 8, gps[SIDECAR_GP_R8]);
	put(0x60, 8, gps[SIDECAR_GP_RSI]);
	put(0x68, 8, gps[SIDECAR_GP_RDI]);
	memcpy(wanted + 0x70, fx.xmm, 96);
	compare();
}

static void test_memory(void **state)
{
	const struct svm_memory_access access = {.gpa = 0xfee00020, .access = 1};

	(void)state;
	svm_message_memory(&got, &stop, &access);
	put_header(0x80000000, 80, 1);
	put(0x38, 4, 6);
	put_bytes(0x3c, 0x50);
	put(0x3e, 1, 9);
	put(0x48, 8, 0xfee00020);
	compare();
}

static void test_refused_fetch(void **state)
{
	const struct svm_memory_access access = {
		.gpa = 0x1234, .gva = 0x5234, .gva_valid = true, .present = true, .access = 2};

	(void)state;
	svm_message_memory(&got, &stop, &access);
	put_header(0x80000001, 80, 2);
	put(0x38, 4, 6);
	put_bytes(0x3c, 0x50);
	put(0x3d, 1, 3);
	put(0x3e, 1, 9);
	put(0x40, 8, 0x5234);
	put(0x48, 8, 0x1234);
	compare();
}

static void put_exception(void)
{
	static const uint8_t order[] = {
		SIDECAR_GP_RAX, SIDECAR_GP_RCX, SIDECAR_GP_RDX, SIDECAR_GP_RBX, 0,
		SIDECAR_GP_RBP, SIDECAR_GP_RSI, SIDECAR_GP_RDI};

	put_header(0x80010003, 240, 2);
	put_bytes(0x3b, 0x50);
	put(0x60, 8, 0x22220000);
	put(0x68, 4, 0xffffffff);
	put(0x6c, 2, 0x2b);
	put(0x6e, 2, 0xc0f3);
	put(0x70, 8, 0x44440000);
	put(0x78, 4, 0xdddddddd);
	put(0x7c, 2, 0x43);
	put(0x7e, 2, 0xc0f3);
	for (unsigned int i = 0; i < 8; i++)
		put(0x80 + 8 * i, 8, gps[order[i]]);
	put(0xa0, 8, 0x7fff0000);
	for (unsigned int i = 0; i < 8; i++)
		put(0xc0 + 8 * i, 8, gps[SIDECAR_GP_R8 + i]);
}

static void test_exception(void **state)
{
	(void)state;
	fake_exit(SVM_EXIT_EXCEPTION0 + 17, 0x77, 0);
	svm_message_exception(&got, &stop, 17, 0);
	put_exception();
	put(0x38, 2, 17);
	put(0x3a, 1, 1);
	put(0x3c, 4, 0x77);
	compare();
}

static void test_exception_without_code(void **state)
{
	(void)state;
	fake_exit(SVM_EXIT_EXCEPTION0 + 1, 0x77, 0);
	svm_message_exception(&got, &stop, 1, 0xffff4ff0);
	put_exception();
	put(0x38, 2, 1);
	put(0x40, 8, 0xffff4ff0);
	compare();
}

static void test_unrecoverable(void **state)
{
	(void)state;
	svm_message_unrecoverable(&got, &stop);
	put_header(0x80000021, 40, 0);
	compare();
}

static void test_deliverable(void **state)
{
	(void)state;
	svm_message_deliverable(&got, &stop, 2);
	put_header(0x80010008, 48, 0);
	put(0x38, 1, 2);
	compare();
}

static void test_invalid_register(void **state)
{
	(void)state;
	svm_message_invalid_register(&got, 5);
	put(0x00, 4, 0x80000020);
	put(0x04, 1, 8);
	put(0x10, 4, 5);
	compare();
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_io),
		TEST(test_io_string),
		TEST(test_msr),
		TEST(test_cpuid),
		TEST(test_halt),
		TEST(test_hypercall),
		TEST(test_memory),
		TEST(test_refused_fetch),
		TEST(test_exception),
		TEST(test_exception_without_code),
		TEST(test_unrecoverable),
		TEST(test_deliverable),
		TEST(test_invalid_register),
	};

	return cmocka_run_group_tests_name("svm_messages", tests, NULL, NULL);
}
