// SPDX-License-Identifier: MIT
/*
 * Every MSR and every port, from inside a guest: each access is the VMM's, or is on the list below.
 * The guest loops by itself, so an access that is not intercepted is a hole in what the VMM sees.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"
#include "vmm.h"

#define EXITS "/sys/class/misc/" SIDECAR_DEVICE_PREFIX "0/cpu1/exits"
#define MSRS_PER_RANGE 0x2000u
#define PORTS 0x10000u

static struct vmm vmm;

/* ---- MSRs ------------------------------------------------------------------------------------ */

enum reach {
	TO_VMM,	   /* both accesses are messages */
	DIRECT,	   /* neither leaves the guest: the processor switches this one */
	KEPT,	   /* both leave the guest, and the sidecar kernel answers */
};

/* The allow-list, written a second time, by hand: this test and the kernel must agree. */
static const struct {
	uint32_t first, last;
	enum reach reach;
} allowed[] = {
	{0x10, 0x10, KEPT},		      /* TSC */
	{0x1b, 0x1b, KEPT},		      /* APIC_BASE */
	{0xfe, 0xfe, KEPT},		      /* MTRRcap; writing its own value changes nothing */
	{0x174, 0x176, DIRECT},		      /* SYSENTER_CS, _ESP, _EIP */
	{0x200, 0x21f, KEPT},		      /* variable MTRRs */
	{0x250, 0x250, KEPT},		      /* fixed MTRRs */
	{0x258, 0x259, KEPT},
	{0x268, 0x26f, KEPT},
	{0x277, 0x277, KEPT},		      /* PAT */
	{0x2ff, 0x2ff, KEPT},		      /* MTRRdefType */
	{0xc0000080, 0xc0000080, KEPT},	      /* EFER */
	{0xc0000081, 0xc0000084, DIRECT},     /* STAR, LSTAR, CSTAR, SFMASK */
	{0xc0000100, 0xc0000102, DIRECT},     /* FS, GS and KERNEL_GS base */
	{0xc0000103, 0xc0000103, KEPT},	      /* TSC_AUX */
};

static enum reach reach_of(uint32_t msr)
{
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		if (msr >= allowed[i].first && msr <= allowed[i].last)
			return allowed[i].reach;
	return TO_VMM;
}

/* How many messages there were of reading, and of writing, each MSR of a range. */
static uint8_t seen[MSRS_PER_RANGE][2];

#define RDMSR_AT VMM_CODE
#define WRMSR_AT (VMM_CODE + 2)

/* rdmsr; wrmsr of what was read; the next, until R8D; hlt */
static void load_msr_guest(uint32_t first)
{
	VMM_LOAD(&vmm, VMM_LONG, 0x0f, 0x32, 0x0f, 0x30, 0xff, 0xc1, 0x44, 0x39, 0xc1, 0x75, 0xf5,
		 0xf4);
	vmm.gps[SIDECAR_GP_RCX] = first;
	vmm.gps[8] = first + MSRS_PER_RANGE;
}

static bool take_msr_message(uint32_t first)
{
	const struct hv_msr_message *message = vmm_payload(&vmm);
	bool write = message->header.intercept_access_type == HV_INTERCEPT_ACCESS_WRITE;

	if (message->header.rip != (write ? WRMSR_AT : RDMSR_AT) ||
	    message->msr_number != (uint32_t)vmm.gps[SIDECAR_GP_RCX] ||
	    message->msr_number - first >= MSRS_PER_RANGE)
		return false;
	seen[message->msr_number - first][write]++;
	vmm_skip_instruction(&vmm);
	return true;
}

/* True when the guest came to its end. */
static bool run_msr_guest(uint32_t first)
{
	while (vmm_run(&vmm)) {
		switch (vmm_message_type(&vmm)) {
		case HV_MESSAGE_HALT:
			return true;
		case HV_MESSAGE_MSR_INTERCEPT:
			if (!take_msr_message(first))
				return false;
			break;
		default:
			return false;
		}
	}
	return false;
}

static bool as_listed(uint32_t msr, const uint8_t how[2])
{
	unsigned int wanted = reach_of(msr) == TO_VMM;

	return how[0] == wanted && how[1] == wanted;
}

static unsigned int differences(uint32_t first)
{
	unsigned int wrong = 0;

	for (uint32_t i = 0; i < MSRS_PER_RANGE; i++) {
		if (as_listed(first + i, seen[i]))
			continue;
		if (wrong++ < 10)
			tap_note("MSR %#x: RDMSR %u, WRMSR %u", first + i, seen[i][0], seen[i][1]);
	}
	return wrong;
}

/* Exits that the sidecar kernel has answered itself. */
static unsigned long long internal_exits(void)
{
	unsigned long long value = 0;
	FILE *file = fopen(EXITS, "r");
	char line[64];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "internal %llu", &value) == 1)
			break;
	if (file)
		fclose(file);
	return value;
}

static unsigned int kept_accesses(uint32_t first)
{
	unsigned int count = 0;

	for (uint32_t i = 0; i < MSRS_PER_RANGE; i++)
		count += reach_of(first + i) == KEPT ? 2 : 0;
	return count;
}

static void test_msrs(uint32_t first)
{
	unsigned long long before = internal_exits();
	bool ended;

	memset(seen, 0, sizeof(seen));
	load_msr_guest(first);
	ended = run_msr_guest(first);
	if (!tap_check(ended, "RDMSR and WRMSR of %u MSRs from %#x", MSRS_PER_RANGE, first))
		tap_note("message %#x at RIP %#llx, RCX %#llx", vmm_message_type(&vmm),
			 (unsigned long long)vmm.page->rip,
			 (unsigned long long)vmm.gps[SIDECAR_GP_RCX]);
	tap_equal(differences(first), 0, "each is intercepted, or on the list");
	tap_equal(internal_exits() - before, kept_accesses(first),
		  "the kernel has answered for those that it keeps, and for no other");
}

/* Outside of the three ranges the map has no bits: the processor always intercepts. */
static void test_other_msrs(void)
{
	static const uint32_t others[] = {0x2000,     0x40000000, 0x40000100, 0xbfffffff,
					  0xc0002000, 0xc000ffff, 0xc0012000, 0xffffffff};
	unsigned int intercepted = 0;

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		VMM_LOAD(&vmm, VMM_LONG, 0x0f, 0x32);
		vmm.gps[SIDECAR_GP_RCX] = others[i];
		intercepted += vmm_run(&vmm) && vmm_message_type(&vmm) == HV_MESSAGE_MSR_INTERCEPT;
	}
	tap_equal(intercepted, sizeof(others) / sizeof(others[0]), "MSRs outside of the ranges");
}

/* ---- ports ----------------------------------------------------------------------------------- */

/* in al, dx; out dx, eax; the next, until DX is 0 again; hlt */
static bool is_next_port(unsigned int n)
{
	const struct hv_io_message *io = vmm_payload(&vmm);
	bool out = n % 2;

	return vmm_message_type(&vmm) == HV_MESSAGE_IO_PORT_INTERCEPT &&
	       io->port_number == n / 2 && io->header.rip == VMM_CODE + out &&
	       io->header.intercept_access_type ==
		       (out ? HV_INTERCEPT_ACCESS_WRITE : HV_INTERCEPT_ACCESS_READ) &&
	       (io->access_info & HV_IO_ACCESS_SIZE_MASK) == (out ? 4 : 1);
}

static void test_ports(void)
{
	unsigned int n = 0;

	VMM_LOAD(&vmm, VMM_LONG, 0xec, 0xef, 0x66, 0xff, 0xc2, 0x75, 0xf9, 0xf4);
	vmm.gps[SIDECAR_GP_RDX] = 0;
	while (vmm_run(&vmm) && vmm_message_type(&vmm) != HV_MESSAGE_HALT && is_next_port(n)) {
		vmm_skip_instruction(&vmm);
		n++;
	}
	tap_equal(n, 2 * PORTS, "IN of a byte and OUT of 4 at every port, in order");
	tap_equal(vmm_message_type(&vmm), HV_MESSAGE_HALT, "and then the guest halts");
}

/* One instruction with DX at some port is a message, whatever its form. */
static bool intercepted(const uint8_t *code, size_t size, uint16_t port)
{
	vmm_load(&vmm, VMM_LONG, code, size);
	vmm.gps[SIDECAR_GP_RDX] = port;
	vmm.gps[SIDECAR_GP_RCX] = 3;
	vmm.gps[SIDECAR_GP_RSI] = VMM_DATA;
	vmm.gps[SIDECAR_GP_RDI] = VMM_DATA;
	return vmm_run(&vmm) && vmm_message_type(&vmm) == HV_MESSAGE_IO_PORT_INTERCEPT &&
	       ((const struct hv_io_message *)vmm_payload(&vmm))->header.rip == VMM_CODE;
}

/* At the end of the map, too: an access of several bytes there looks beyond it. */
static void test_forms(void)
{
	static const uint8_t forms[][3] = {
		{0xec, 0x90, 0x90}, {0x66, 0xed, 0x90}, {0xed, 0x90, 0x90}, {0xee, 0x90, 0x90},
		{0x66, 0xef, 0x90}, {0xef, 0x90, 0x90}, {0x6c, 0x90, 0x90}, {0xf3, 0x6c, 0x90},
		{0x6e, 0x90, 0x90}, {0xf3, 0x6e, 0x90}, {0xf3, 0x66, 0x6f}, {0xf3, 0x6d, 0x90},
	};
	static const uint16_t ports[] = {0, 0x80, 0xcf8, 0xcfc, 0x7fff, 0xfffd, 0xfffe, 0xffff};
	const unsigned int wanted = sizeof(forms) / 3 * (sizeof(ports) / sizeof(ports[0]));
	unsigned int count = 0;

	for (size_t i = 0; i < sizeof(forms) / 3; i++)
		for (size_t k = 0; k < sizeof(ports) / sizeof(ports[0]); k++)
			count += intercepted(forms[i], 3, ports[k]);
	tap_equal(count, wanted, "every form of IN, OUT, INS and OUTS");
}

int main(void)
{
	vmm_insert_module();
	vmm_open(&vmm, 1);
	test_msrs(0);
	test_msrs(0xc0000000);
	test_msrs(0xc0010000);
	test_other_msrs();
	test_ports();
	test_forms();
	vmm_close(&vmm);
	return tap_done();
}
