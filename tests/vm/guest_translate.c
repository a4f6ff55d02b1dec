// SPDX-License-Identifier: MIT
/* TRANSLATE_GVA in each paging mode: results, events, rights, accessed and dirty bits. */
#include <cpuid.h>
#include <string.h>

#include "tap.h"
#include "vmm.h"

static struct vmm vmm;

#define READ HV_TRANSLATE_VALIDATE_READ
#define WRITE HV_TRANSLATE_VALIDATE_WRITE
#define EXECUTE HV_TRANSLATE_VALIDATE_EXECUTE
#define EXEMPT HV_TRANSLATE_PRIVILEGE_EXEMPT
#define SET_BITS HV_TRANSLATE_SET_PAGE_TABLE_BITS
#define USER HV_TRANSLATE_USER_ACCESS

/* The tables of these tests. */
#define TOP (VMM_SPARE + 0x0000u) /* PML4, PAE's top table, the 32-bit directory */
#define UPPER (VMM_SPARE + 0x1000u)
#define DIRECTORY (VMM_SPARE + 0x2000u)
#define TABLE (VMM_SPARE + 0x3000u)
#define PAGE 0x5000u

#define PRESENT 1u
#define WRITABLE 2u
#define FOR_USERS 4u
#define ACCESSED 0x20u
#define DIRTY 0x40u
#define LARGE 0x80u
#define ALL (PRESENT | WRITABLE | FOR_USERS)
#define NO_EXECUTE (1ull << 63)

#define CR0_WP 0x10000u
#define PF_PRESENT 1u
#define PF_WRITE 2u
#define PF_USER 4u
#define PF_RESERVED 8u
#define PF_FETCH 16u

static void put(uint32_t gpa, uint64_t value, size_t size)
{
	memcpy(vmm.memory + gpa, &value, size);
}

static uint64_t peek(uint32_t gpa, size_t size)
{
	uint64_t value = 0;

	memcpy(&value, vmm.memory + gpa, size);
	return value;
}

static void set_paging(uint64_t cr0, uint64_t cr3, uint64_t cr4, uint64_t efer)
{
	VMM_LOAD(&vmm, VMM_REAL, 0xf4);
	memset(vmm.memory + VMM_SPARE, 0, 0x8000);
	vmm_set(&vmm, HV_REGISTER_CR0, cr0);
	vmm_set(&vmm, HV_REGISTER_CR3, cr3);
	vmm_set(&vmm, HV_REGISTER_CR4, cr4);
	vmm_set(&vmm, HV_REGISTER_EFER, efer);
}

/* ---- one translation ------------------------------------------------------------------------- */

static struct hv_translate_output output;

static bool translate(uint64_t gva, uint64_t flags)
{
	int error;

	memset(&output, 0xa5, sizeof(output));
	error = sidecar_vp_translate(vmm.vp, gva, flags | (uint64_t)HV_VTL_0 << 56, &output);
	if (error)
		tap_note("translate: %s", sidecar_vp_error(vmm.vp)->text);
	return error == 0 && output.reserved == 0 && output.reserved2 == 0 &&
	       output.event[1].low == 0 && output.event[1].high == 0;
}

static void show(void)
{
	tap_note("result %#llx, page %#llx, event %#llx %#llx", (unsigned long long)output.result,
		 (unsigned long long)output.gpa_page, (unsigned long long)output.event[0].low,
		 (unsigned long long)output.event[0].high);
}

static void leads_to(const char *name, uint64_t gva, uint64_t flags, uint64_t gpa)
{
	bool good = translate(gva, flags) &&
		    output.result == (uint64_t)HV_CACHE_TYPE_WRITE_BACK << 32 &&
		    output.gpa_page == gpa >> 12 && !output.event[0].low && !output.event[0].high;

	if (!tap_check(good, "%s: leads to %#llx", name, (unsigned long long)gpa))
		show();
}

/* A result without an event. */
static void ends_with(const char *name, uint64_t gva, uint64_t flags, uint32_t result)
{
	bool good = translate(gva, flags) && output.result == result && output.gpa_page == 0 &&
		    !output.event[0].low && !output.event[0].high;

	if (!tap_check(good, "%s: result %u", name, result))
		show();
}

/* A result with the page fault that the guest would have got. */
static void faults(const char *name, uint64_t gva, uint64_t flags, uint32_t result,
		   uint32_t error_code)
{
	uint64_t event = HV_EVENT_PENDING | HV_EVENT_EXCEPTION_ERROR_CODE_VALID | 14 << 16 |
			 (uint64_t)error_code << 32;
	bool good = translate(gva, flags) && output.result == result && output.gpa_page == 0 &&
		    output.event[0].low == event && output.event[0].high == (gva & ~0xfffull);

	if (!tap_check(good, "%s: result %u and #PF with code %#x", name, result, error_code))
		show();
}

/* ---- no paging ------------------------------------------------------------------------------- */

static void test_unpaged(void)
{
	set_paging(0x10, 0, 0, 0);
	leads_to("real mode", 0x5123, READ, 0x5000);
	leads_to("real mode, write and execute", 0x5000, READ | WRITE | EXECUTE, 0x5000);
	leads_to("no validation", 0x5000, 0, 0x5000);
	ends_with("unmapped", VMM_UNMAPPED, READ, HV_TRANSLATE_GPA_UNMAPPED);
	ends_with("unmapped, no validation", VMM_UNMAPPED, 0, HV_TRANSLATE_GPA_UNMAPPED);
	leads_to("a read-only page, read", VMM_READ_ONLY, READ, VMM_READ_ONLY);
	ends_with("a read-only page, write", VMM_READ_ONLY, WRITE,
		  HV_TRANSLATE_GPA_NO_WRITE_ACCESS);
	ends_with("a no-execute page, execute", VMM_NO_EXECUTE, EXECUTE,
		  HV_TRANSLATE_GPA_NO_READ_ACCESS);
	leads_to("linear addresses have 32 bits", 0x100005000, READ, 0x5000);
	set_paging(0x11, 0, 0, 0);
	leads_to("32-bit, no paging", 0x6000, READ | USER, 0x6000);
}

/* ---- long mode ------------------------------------------------------------------------------- */

#define GVA 0x123456789000ull /* indices 0x24, 0xd1, 0xb3, 0x189 */
#define PML4E (TOP + 8 * (GVA >> 39 & 511))
#define PDPTE (UPPER + 8 * (GVA >> 30 & 511))
#define PDE (DIRECTORY + 8 * (GVA >> 21 & 511))
#define PTE (TABLE + 8 * (GVA >> 12 & 511))

static void long_tables(uint64_t rights, uint64_t leaf)
{
	put(PML4E, UPPER | rights, 8);
	put(PDPTE, DIRECTORY | rights, 8);
	put(PDE, TABLE | rights, 8);
	put(PTE, leaf, 8);
}

static void begin_long(uint64_t rights, uint64_t leaf)
{
	set_paging(0x80000011 | CR0_WP, TOP, 0x20, 0xd00);
	long_tables(rights, leaf);
}

static void test_long(void)
{
	begin_long(ALL, PAGE | ALL);
	leads_to("long mode", GVA, READ, PAGE);
	leads_to("long mode, all accesses", GVA + 0xfff, READ | WRITE | EXECUTE | USER, PAGE);
	faults("the next page", GVA + 0x1000, READ, HV_TRANSLATE_PAGE_NOT_PRESENT, 0);
	faults("the next page, write", GVA + 0x1000, WRITE, HV_TRANSLATE_PAGE_NOT_PRESENT,
	       PF_WRITE);
	faults("the next page, by a user", GVA + 0x1234, WRITE | USER,
	       HV_TRANSLATE_PAGE_NOT_PRESENT, PF_WRITE | PF_USER);
	faults("the next page, fetch", GVA + 0x1000, EXECUTE, HV_TRANSLATE_PAGE_NOT_PRESENT,
	       PF_FETCH);
	put(PDE, TABLE, 8);
	faults("no directory entry", GVA, READ, HV_TRANSLATE_PAGE_NOT_PRESENT, 0);
	put(PDPTE, 0, 8);
	faults("no upper entry", GVA, READ, HV_TRANSLATE_PAGE_NOT_PRESENT, 0);
	put(PML4E, 0, 8);
	faults("no top entry", GVA, READ, HV_TRANSLATE_PAGE_NOT_PRESENT, 0);
}

static void test_not_canonical(void)
{
	static const uint64_t gvas[] = {0x800000000000, 0xffff7ffffffff000, 0x8000000000000000};

	begin_long(ALL, PAGE | ALL);
	for (unsigned int i = 0; i < 3; i++)
		tap_check(translate(gvas[i], READ) &&
				  output.result == HV_TRANSLATE_PAGE_NOT_PRESENT &&
				  output.event[0].low == (HV_EVENT_PENDING | 0x100 | 13 << 16) &&
				  output.event[0].high == 0,
			  "%#llx is not canonical: #GP", (unsigned long long)gvas[i]);
	put(TOP + 8 * 511, UPPER | ALL, 8);
	put(UPPER + 8 * 511, DIRECTORY | ALL, 8);
	put(DIRECTORY + 8 * 511, TABLE | ALL, 8);
	put(TABLE + 8 * 511, PAGE | ALL, 8);
	leads_to("the last page of all", 0xfffffffffffff000, READ, PAGE);
}

static void test_large_pages(void)
{
	unsigned int a, b, c, d;

	begin_long(ALL, PAGE | ALL);
	put(PDE, 0x200000 | ALL | LARGE, 8);
	/* Bits 12 to 20 come from the address: 0x189 pages, of which only the first is mapped. */
	put(DIRECTORY, 0x200000 | ALL | LARGE, 8);
	leads_to("2 MiB", GVA & ~0x3fffffffull, READ, VMM_READ_ONLY);
	leads_to("2 MiB, its second page", (GVA & ~0x3fffffffull) + 0x1000, READ, VMM_NO_EXECUTE);
	ends_with("2 MiB, unmapped", GVA, READ, HV_TRANSLATE_GPA_UNMAPPED);
	put(DIRECTORY, 0x202000 | ALL | LARGE, 8);
	faults("2 MiB, reserved address bits", GVA & ~0x3fffffffull, READ,
	       HV_TRANSLATE_INVALID_PAGE_TABLE_FLAGS, PF_PRESENT | PF_RESERVED);
	__cpuid(0x80000001, a, b, c, d);
	put(PDPTE, ALL | LARGE, 8);
	if (d & 1u << 26)
		leads_to("1 GiB", (GVA & ~0x3fffffffull) + 0x7000, READ, 0x7000);
	else
		faults("1 GiB, which this processor does not have", GVA, READ,
		       HV_TRANSLATE_INVALID_PAGE_TABLE_FLAGS, PF_PRESENT | PF_RESERVED);
	put(PML4E, UPPER | ALL | LARGE, 8);
	faults("a large top entry", GVA, READ, HV_TRANSLATE_INVALID_PAGE_TABLE_FLAGS,
	       PF_PRESENT | PF_RESERVED);
}

static void test_rights(void)
{
	begin_long(ALL, PAGE | PRESENT | WRITABLE);
	leads_to("the supervisor's page", GVA, READ | WRITE | EXECUTE, PAGE);
	faults("the supervisor's page, by a user", GVA, READ | USER,
	       HV_TRANSLATE_PRIVILEGE_VIOLATION, PF_PRESENT | PF_USER);
	leads_to("by a user, without validation", GVA, USER, PAGE);
	leads_to("by a user, privilege exempt", GVA, READ | USER | EXEMPT, PAGE);
	begin_long(PRESENT | WRITABLE, PAGE | ALL);
	faults("not all levels are for users", GVA, READ | USER, HV_TRANSLATE_PRIVILEGE_VIOLATION,
	       PF_PRESENT | PF_USER);
	begin_long(ALL, PAGE | PRESENT | FOR_USERS);
	leads_to("a page that cannot be written, read", GVA, READ | USER, PAGE);
	faults("by a user, write", GVA, WRITE | USER, HV_TRANSLATE_PRIVILEGE_VIOLATION,
	       PF_PRESENT | PF_WRITE | PF_USER);
	faults("by the supervisor with WP, write", GVA, WRITE, HV_TRANSLATE_PRIVILEGE_VIOLATION,
	       PF_PRESENT | PF_WRITE);
	vmm_set(&vmm, HV_REGISTER_CR0, 0x80000011);
	leads_to("by the supervisor without WP, write", GVA, WRITE, PAGE);
	faults("by a user without WP, write", GVA, WRITE | USER, HV_TRANSLATE_PRIVILEGE_VIOLATION,
	       PF_PRESENT | PF_WRITE | PF_USER);
}

/* Without either flag it is the VP's privilege level that counts. */
static void test_current_level(void)
{
	begin_long(ALL, PAGE | PRESENT | WRITABLE);
	vmm_set128(&vmm, HV_REGISTER_SS, vmm_segment(0, ~0u, VMM_USER_DATA | 3, 0xc0f3));
	faults("the VP is in user mode", GVA, READ, HV_TRANSLATE_PRIVILEGE_VIOLATION,
	       PF_PRESENT | PF_USER);
	leads_to("but the access is the supervisor's", GVA, READ | HV_TRANSLATE_SUPERVISOR_ACCESS,
		 PAGE);
}

static void test_execute(void)
{
	begin_long(ALL, PAGE | ALL | NO_EXECUTE);
	leads_to("a no-execute page, write", GVA, READ | WRITE, PAGE);
	faults("a no-execute page, fetch", GVA, EXECUTE, HV_TRANSLATE_PRIVILEGE_VIOLATION,
	       PF_PRESENT | PF_FETCH);
	vmm_set(&vmm, HV_REGISTER_EFER, 0x500);
	faults("no-execute without EFER.NXE", GVA, READ, HV_TRANSLATE_INVALID_PAGE_TABLE_FLAGS,
	       PF_PRESENT | PF_RESERVED);
	begin_long(ALL, PAGE | ALL);
	put(PDPTE, DIRECTORY | ALL | NO_EXECUTE, 8);
	faults("no-execute at a level above", GVA, EXECUTE, HV_TRANSLATE_PRIVILEGE_VIOLATION,
	       PF_PRESENT | PF_FETCH);
	put(PDPTE, DIRECTORY | ALL, 8);
	put(PTE, PAGE | ALL | 1ull << 51, 8);
	faults("an address that the processor does not have", GVA, READ,
	       HV_TRANSLATE_INVALID_PAGE_TABLE_FLAGS, PF_PRESENT | PF_RESERVED);
}

static void test_smep_smap(void)
{
	begin_long(ALL, PAGE | ALL);
	if (vmm_set(&vmm, HV_REGISTER_CR4, 0x100020) == 0) {
		faults("SMEP", GVA, EXECUTE, HV_TRANSLATE_PRIVILEGE_VIOLATION,
		       PF_PRESENT | PF_FETCH);
		leads_to("SMEP, by a user", GVA, EXECUTE | USER, PAGE);
	} else {
		tap_note("this processor has no SMEP");
	}
	if (vmm_set(&vmm, HV_REGISTER_CR4, 0x200020) != 0) {
		tap_note("this processor has no SMAP");
		return;
	}
	faults("SMAP", GVA, READ, HV_TRANSLATE_PRIVILEGE_VIOLATION, PF_PRESENT);
	leads_to("SMAP overridden", GVA, READ | HV_TRANSLATE_OVERRIDE_SMAP, PAGE);
	leads_to("SMAP, by a user", GVA, READ | USER, PAGE);
	vmm_set(&vmm, HV_REGISTER_RFLAGS, 0x40002);
	leads_to("SMAP with RFLAGS.AC", GVA, READ, PAGE);
	faults("SMAP enforced", GVA, READ | HV_TRANSLATE_ENFORCE_SMAP,
	       HV_TRANSLATE_PRIVILEGE_VIOLATION, PF_PRESENT);
}

/* ---- what the tables lead to ----------------------------------------------------------------- */

static void test_nested(void)
{
	begin_long(ALL, VMM_UNMAPPED | ALL);
	ends_with("a page at an unmapped GPA", GVA, READ, HV_TRANSLATE_GPA_UNMAPPED);
	put(PTE, VMM_READ_ONLY | ALL, 8);
	leads_to("a page that the VMM made read-only, read", GVA, READ, VMM_READ_ONLY);
	ends_with("write", GVA, WRITE, HV_TRANSLATE_GPA_NO_WRITE_ACCESS);
	put(PTE, VMM_NO_EXECUTE | ALL, 8);
	leads_to("a page that the VMM made no-execute, write", GVA, READ | WRITE, VMM_NO_EXECUTE);
	ends_with("fetch", GVA, EXECUTE, HV_TRANSLATE_GPA_NO_READ_ACCESS);
	put(PDE, VMM_UNMAPPED | ALL, 8);
	ends_with("a table at an unmapped GPA", GVA, READ, HV_TRANSLATE_GPA_UNMAPPED);
	put(PDE, 0xff00000000 | ALL, 8);
	ends_with("a table far beyond memory", GVA, READ, HV_TRANSLATE_GPA_UNMAPPED);
	vmm_set(&vmm, HV_REGISTER_CR3, VMM_UNMAPPED);
	ends_with("the top table at an unmapped GPA", GVA, READ, HV_TRANSLATE_GPA_UNMAPPED);
}

/* ---- accessed and dirty ---------------------------------------------------------------------- */

static void test_bits(void)
{
	begin_long(ALL, PAGE | ALL);
	leads_to("without the flag", GVA, READ | WRITE, PAGE);
	tap_check(peek(PML4E, 8) == (UPPER | ALL) && peek(PTE, 8) == (PAGE | ALL),
		  "no table is written");
	leads_to("with the flag, read", GVA, READ | SET_BITS, PAGE);
	tap_check(peek(PML4E, 8) == (UPPER | ALL | ACCESSED) &&
			  peek(PDPTE, 8) == (DIRECTORY | ALL | ACCESSED) &&
			  peek(PDE, 8) == (TABLE | ALL | ACCESSED) &&
			  peek(PTE, 8) == (PAGE | ALL | ACCESSED),
		  "every level is accessed, nothing dirty");
	leads_to("with the flag, write", GVA, WRITE | SET_BITS, PAGE);
	tap_check(peek(PDE, 8) == (TABLE | ALL | ACCESSED) &&
			  peek(PTE, 8) == (PAGE | ALL | ACCESSED | DIRTY),
		  "the page is dirty, its table is not");
	begin_long(ALL, PAGE | PRESENT);
	faults("a failing access", GVA, WRITE | SET_BITS, HV_TRANSLATE_PRIVILEGE_VIOLATION,
	       PF_PRESENT | PF_WRITE);
	tap_check(!(peek(PTE, 8) & (ACCESSED | DIRTY)), "leaves the page as it was");
	begin_long(ALL, PAGE | ALL);
	memcpy(vmm.read_only, vmm.memory + TABLE, 4096);
	put(PDE, VMM_READ_ONLY | ALL, 8);
	leads_to("a table that cannot be written, without the flag", GVA, READ, PAGE);
	ends_with("with it", GVA, READ | SET_BITS, HV_TRANSLATE_GPA_NO_WRITE_ACCESS);
}

/* ---- PAE ------------------------------------------------------------------------------------- */

#define GVA32 0xc1234000ull /* top 3, directory 0x9, table 0x34 */

static void test_pae(void)
{
	const uint32_t pde = DIRECTORY + 8 * 9, pte = TABLE + 8 * 0x34, top = TOP + 0x20;

	set_paging(0x80000011 | CR0_WP, top, 0x20, 0x800);
	put(top + 8 * 3, DIRECTORY | PRESENT, 8);
	put(pde, TABLE | ALL, 8);
	put(pte, PAGE | ALL, 8);
	leads_to("PAE", GVA32, READ | WRITE | EXECUTE | USER, PAGE);
	leads_to("PAE, 32 bits of address", GVA32 | 1ull << 32, READ, PAGE);
	leads_to("PAE with bits", GVA32, WRITE | SET_BITS, PAGE);
	tap_check(peek(top + 8 * 3, 8) == (DIRECTORY | PRESENT) &&
			  peek(pde, 8) == (TABLE | ALL | ACCESSED) &&
			  peek(pte, 8) == (PAGE | ALL | ACCESSED | DIRTY),
		  "PAE's top entries have no accessed bit");
	put(pte, PAGE | ALL | NO_EXECUTE, 8);
	faults("PAE, no-execute", GVA32, EXECUTE, HV_TRANSLATE_PRIVILEGE_VIOLATION,
	       PF_PRESENT | PF_FETCH);
	put(pte, PAGE | ALL | 1ull << 60, 8);
	faults("PAE, a reserved bit", GVA32, READ, HV_TRANSLATE_INVALID_PAGE_TABLE_FLAGS,
	       PF_PRESENT | PF_RESERVED);
	put(pde, VMM_READ_ONLY | ALL | LARGE, 8);
	leads_to("PAE, 2 MiB", 0xc1200000, READ, VMM_READ_ONLY);
	faults("PAE, nothing", 0x1000, READ, HV_TRANSLATE_PAGE_NOT_PRESENT, 0);
}

/* ---- 32-bit ---------------------------------------------------------------------------------- */

static void test_32bit(void)
{
	const uint32_t pde = TOP + 4 * (GVA32 >> 22), pte = TABLE + 4 * (GVA32 >> 12 & 1023);

	set_paging(0x80000011 | CR0_WP, TOP, 0x10, 0);
	put(pde, TABLE | ALL, 4);
	put(pte, PAGE | ALL, 4);
	leads_to("32-bit", GVA32, READ | WRITE | EXECUTE | USER, PAGE);
	leads_to("32-bit with bits", GVA32, WRITE | SET_BITS, PAGE);
	tap_check(peek(pde, 8) == (TABLE | ALL | ACCESSED) &&
			  peek(pte, 8) == (PAGE | ALL | ACCESSED | DIRTY),
		  "32-bit entries have them, and their neighbours not");
	faults("32-bit, the next page", GVA32 + 0x1000, EXECUTE, HV_TRANSLATE_PAGE_NOT_PRESENT, 0);
	put(pte, PAGE | PRESENT, 4);
	faults("32-bit, user write", GVA32, WRITE | USER, HV_TRANSLATE_PRIVILEGE_VIOLATION,
	       PF_PRESENT | PF_WRITE | PF_USER);
	put(pde, ALL | LARGE, 4);
	leads_to("32-bit, 4 MiB", 0xc1005000, READ, 0x5000);
	ends_with("32-bit, 4 MiB, unmapped", 0xc1300000, READ, HV_TRANSLATE_GPA_UNMAPPED);
	put(pde, ALL | LARGE | 1u << 21, 4);
	faults("32-bit, 4 MiB, a reserved bit", 0xc1005000, READ,
	       HV_TRANSLATE_INVALID_PAGE_TABLE_FLAGS, PF_PRESENT | PF_RESERVED);
	vmm_set(&vmm, HV_REGISTER_CR4, 0);
	put(pde, TABLE | ALL | LARGE, 4);
	put(pte, PAGE | ALL, 4);
	leads_to("32-bit, the bit of 4 MiB without PSE", GVA32, READ, PAGE);
}

/* ---- the guest agrees ------------------------------------------------------------------------ */

/* mov rax, [rbx]; hlt, with tables that map its code and a page elsewhere. */
static void test_guest_agrees(void)
{
	VMM_LOAD(&vmm, VMM_LONG, 0x48, 0x8b, 0x03, 0xf4);
	memset(vmm.memory + VMM_SPARE, 0, 0x8000);
	put(VMM_PML4 + 8 * (GVA >> 39 & 511), UPPER | ALL, 8);
	put(PDPTE, DIRECTORY | ALL, 8);
	put(PDE, TABLE | ALL, 8);
	put(PTE, PAGE | ALL, 8);
	put(PAGE + 0x18, 0xfeedfacecafebeef, 8);
	leads_to("before the guest looks", GVA + 0x18, READ, PAGE);
	vmm.gps[SIDECAR_GP_RBX] = GVA + 0x18;
	tap_check(vmm_run(&vmm) && vmm.gps[SIDECAR_GP_RAX] == 0xfeedfacecafebeef,
		  "the guest reads the page that TRANSLATE found");
	tap_check(peek(PTE, 8) & ACCESSED, "and its processor has set the accessed bit");
}

int main(void)
{
	vmm_insert_module();
	vmm_open(&vmm, 1);
	test_unpaged();
	test_long();
	test_not_canonical();
	test_large_pages();
	test_rights();
	test_current_level();
	test_execute();
	test_smep_smap();
	test_nested();
	test_bits();
	test_pae();
	test_32bit();
	test_guest_agrees();
	vmm_close(&vmm);
	return tap_done();
}
