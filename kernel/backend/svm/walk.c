// SPDX-License-Identifier: MIT
#include "walk.h"

#include "registers.h"

#define ENTRY_PRESENT (1ULL << 0)
#define ENTRY_WRITABLE (1ULL << 1)
#define ENTRY_USER (1ULL << 2)
#define ENTRY_ACCESSED (1ULL << 5)
#define ENTRY_DIRTY (1ULL << 6)
#define ENTRY_LARGE (1ULL << 7)
#define ENTRY_NO_EXECUTE (1ULL << 63)
#define ADDRESS_MASK 0x000ffffffffff000ULL
#define LOW32 0xffffffffULL
#define PAGE_4K 0x1000ULL
#define MAX_LEVELS 5

/* Another VP that keeps changing the tables must not keep this CPU. */
#define MAX_ATTEMPTS 8

#define FAULT_PRESENT 0x01u
#define FAULT_WRITE 0x02u
#define FAULT_USER 0x04u
#define FAULT_RESERVED 0x08u
#define FAULT_EXECUTE 0x10u

#define VECTOR_GP 13
#define VECTOR_PF 14

enum mode {
	MODE_NONE,
	MODE_32BIT,
	MODE_PAE,
	MODE_LONG,
};

struct step {
	uint64_t gpa; /* of the entry */
	uint64_t entry;
};

struct walk {
	const struct svm_paging *paging;
	const struct svm_guest_memory *memory;
	uint64_t gva;
	uint64_t flags;
	enum mode mode;
	unsigned int levels;
	unsigned int level; /* of the entry that was read last; 1 is the last one */
	unsigned int depth; /* entries in steps[] */
	struct step steps[MAX_LEVELS];
	/* The conjunction of the entries so far. */
	bool writable;
	bool user;
	bool executable;
	struct svm_translation result;
};

static enum mode paging_mode(const struct svm_paging *paging)
{
	if (!(paging->cr0 & CR0_PG))
		return MODE_NONE;
	if (paging->efer & EFER_LME)
		return MODE_LONG;
	return paging->cr4 & CR4_PAE ? MODE_PAE : MODE_32BIT;
}

static unsigned int mode_levels(const struct svm_paging *paging, enum mode mode)
{
	switch (mode) {
	case MODE_32BIT:
		return 2;
	case MODE_PAE:
		return 3;
	case MODE_LONG:
		return paging->cr4 & CR4_LA57 ? 5 : 4;
	default:
		return 0;
	}
}

struct svm_paging svm_paging_of(const struct svm_vp *vp)
{
	const struct svm_save_area *save = &vp->vmcb->save;

	return (struct svm_paging){
		.cr0 = save->cr0,
		.cr3 = save->cr3,
		.cr4 = save->cr4,
		.efer = save->efer,
		.rflags = save->rflags,
		.cpl = svm_cpl(save),
		.physical_bits = vp->features->physical_bits,
		.page_1g = vp->features->page_1g,
	};
}

/* ---- What kind of access ---- */

static bool is_user_access(const struct walk *walk)
{
	if (walk->flags & HV_TRANSLATE_SUPERVISOR_ACCESS)
		return false;
	if (walk->flags & HV_TRANSLATE_USER_ACCESS)
		return true;
	return walk->paging->cpl == 3;
}

static bool nx_enabled(const struct walk *walk)
{
	return walk->mode != MODE_32BIT && (walk->paging->efer & EFER_NXE);
}

/* EFLAGS.AC lifts SMAP (APM vol. 2, 5.6.6), unless the caller decides it. */
static bool smap_applies(const struct walk *walk)
{
	if (!(walk->paging->cr4 & CR4_SMAP) || (walk->flags & HV_TRANSLATE_OVERRIDE_SMAP))
		return false;
	if (walk->flags & HV_TRANSLATE_ENFORCE_SMAP)
		return true;
	return !(walk->paging->rflags & RFLAGS_AC);
}

/* ---- How a walk fails ---- */

static uint32_t access_error_code(const struct walk *walk)
{
	uint32_t code = 0;

	if (walk->flags & HV_TRANSLATE_VALIDATE_WRITE)
		code |= FAULT_WRITE;
	if (is_user_access(walk))
		code |= FAULT_USER;
	/* The bit exists only where fetches can fault as such (8.4.2). */
	if ((walk->flags & HV_TRANSLATE_VALIDATE_EXECUTE) &&
	    (nx_enabled(walk) || (walk->paging->cr4 & CR4_SMEP)))
		code |= FAULT_EXECUTE;
	return code;
}

static bool fail(struct walk *walk, uint32_t result)
{
	walk->result.result = result;
	return false;
}

static bool page_fault(struct walk *walk, uint32_t result, uint32_t code)
{
	walk->result.page_fault = true;
	walk->result.error_code = access_error_code(walk) | code;
	return fail(walk, result);
}

/* ---- One entry ---- */

static unsigned int level_shift(const struct walk *walk, unsigned int level)
{
	return 12 + (walk->mode == MODE_32BIT ? 10 : 9) * (level - 1);
}

static unsigned int entry_size(const struct walk *walk)
{
	return walk->mode == MODE_32BIT ? 4 : 8;
}

/* Four entries in the top table of PAE, 1024 in those of 32-bit paging, else 512. */
static uint64_t index_mask(const struct walk *walk)
{
	if (walk->mode == MODE_32BIT)
		return 1023;
	return walk->mode == MODE_PAE && walk->level == 3 ? 3 : 511;
}

static uint64_t root_table(const struct walk *walk)
{
	switch (walk->mode) {
	case MODE_32BIT:
		return walk->paging->cr3 & 0xfffff000ULL;
	case MODE_PAE:
		return walk->paging->cr3 & 0xffffffe0ULL;
	default:
		return walk->paging->cr3 & ADDRESS_MASK;
	}
}

static bool is_large(const struct walk *walk, uint64_t entry)
{
	if (!(entry & ENTRY_LARGE))
		return false;
	if (walk->mode == MODE_32BIT)
		return walk->level == 2 && (walk->paging->cr4 & CR4_PSE);
	if (walk->level == 2)
		return true;
	return walk->mode == MODE_LONG && walk->level == 3 && walk->paging->page_1g;
}

/* Address bits that the processor does not have; from 52 on they are not address bits. */
static uint64_t address_reserved(const struct walk *walk)
{
	return ~((1ULL << walk->paging->physical_bits) - 1) & ADDRESS_MASK;
}

/* 4 MiB page: bits 13-20 of the entry are bits 32-39 of the address (5.2.3), bit 21 is nothing. */
static uint64_t reserved_32bit(const struct walk *walk, uint64_t entry)
{
	unsigned int bits = walk->paging->physical_bits;

	if (!is_large(walk, entry))
		return 0;
	if (bits >= 40)
		return 1ULL << 21;
	return (0x1fe000ULL & ~((1ULL << (13 + bits - 32)) - 1)) | (1ULL << 21);
}

/* PAE's top entries have no rights and no accessed bit (5.2.4). */
static uint64_t reserved_pae_top(const struct walk *walk)
{
	return address_reserved(walk) | 0xfff00000000001e6ULL;
}

static uint64_t reserved_64bit(const struct walk *walk, uint64_t entry)
{
	uint64_t reserved = address_reserved(walk);

	if (walk->mode == MODE_PAE)
		reserved |= 0x7ff0000000000000ULL;
	if (!nx_enabled(walk))
		reserved |= ENTRY_NO_EXECUTE;
	if (is_large(walk, entry)) /* between the PAT bit and the address */
		reserved |= ((1ULL << level_shift(walk, walk->level)) - 1) & ~0x1fffULL;
	else if (walk->level > 2) /* what would be a page too large for this processor */
		reserved |= ENTRY_LARGE;
	return reserved;
}

static uint64_t reserved_bits(const struct walk *walk, uint64_t entry)
{
	if (walk->mode == MODE_32BIT)
		return reserved_32bit(walk, entry);
	if (walk->mode == MODE_PAE && walk->level == 3)
		return reserved_pae_top(walk);
	return reserved_64bit(walk, entry);
}

static bool has_rights(const struct walk *walk)
{
	return !(walk->mode == MODE_PAE && walk->level == 3);
}

static void take_rights(struct walk *walk, uint64_t entry)
{
	if (!has_rights(walk))
		return;
	walk->writable = walk->writable && (entry & ENTRY_WRITABLE);
	walk->user = walk->user && (entry & ENTRY_USER);
	if (nx_enabled(walk))
		walk->executable = walk->executable && !(entry & ENTRY_NO_EXECUTE);
}

static bool read_entry(struct walk *walk, uint64_t table, uint64_t *entry)
{
	uint64_t index = (walk->gva >> level_shift(walk, walk->level)) & index_mask(walk);
	uint64_t gpa = table + index * entry_size(walk);
	uint32_t result = walk->memory->read(walk->memory->context, gpa, entry_size(walk), entry);

	if (result != HV_TRANSLATE_SUCCESS)
		return fail(walk, result);
	walk->steps[walk->depth++] = (struct step){gpa, *entry};
	if (!(*entry & ENTRY_PRESENT))
		return page_fault(walk, HV_TRANSLATE_PAGE_NOT_PRESENT, 0);
	if (*entry & reserved_bits(walk, *entry))
		return page_fault(walk, HV_TRANSLATE_INVALID_PAGE_TABLE_FLAGS,
				  FAULT_PRESENT | FAULT_RESERVED);
	take_rights(walk, *entry);
	return true;
}

/* ---- The leaf ---- */

static uint64_t page_base(const struct walk *walk, uint64_t entry, uint64_t size)
{
	if (walk->mode != MODE_32BIT)
		return entry & ADDRESS_MASK & ~(size - 1);
	if (walk->level == 1)
		return entry & 0xfffff000ULL;
	return (entry & 0xffc00000ULL) | (entry & 0x1fe000ULL) << (32 - 13);
}

static void take_leaf(struct walk *walk, uint64_t entry)
{
	uint64_t size = 1ULL << level_shift(walk, walk->level);

	walk->result.size = size;
	walk->result.gpa = page_base(walk, entry, size) | (walk->gva & (size - 1));
}

static bool supervisor_allowed(const struct walk *walk)
{
	bool data = walk->flags & (HV_TRANSLATE_VALIDATE_READ | HV_TRANSLATE_VALIDATE_WRITE);
	bool execute = walk->flags & HV_TRANSLATE_VALIDATE_EXECUTE;

	if (!walk->user)
		return true;
	if (data && smap_applies(walk))
		return false;
	return !(execute && (walk->paging->cr4 & CR4_SMEP));
}

/* Who may touch the page at all; only asked when some access is to be validated. */
static bool privilege_allows(const struct walk *walk)
{
	uint64_t validate = HV_TRANSLATE_VALIDATE_READ | HV_TRANSLATE_VALIDATE_WRITE |
			    HV_TRANSLATE_VALIDATE_EXECUTE;

	if (!(walk->flags & validate) || (walk->flags & HV_TRANSLATE_PRIVILEGE_EXEMPT))
		return true;
	return is_user_access(walk) ? walk->user : supervisor_allowed(walk);
}

static bool write_allowed(const struct walk *walk)
{
	if (!(walk->flags & HV_TRANSLATE_VALIDATE_WRITE) || walk->writable)
		return true;
	/* CR0.WP decides whether the supervisor minds (5.6.1). */
	return !is_user_access(walk) && !(walk->paging->cr0 & CR0_WP);
}

static bool execute_allowed(const struct walk *walk)
{
	return !(walk->flags & HV_TRANSLATE_VALIDATE_EXECUTE) || walk->executable;
}

static bool check_rights(struct walk *walk)
{
	if (privilege_allows(walk) && write_allowed(walk) && execute_allowed(walk))
		return true;
	return page_fault(walk, HV_TRANSLATE_PRIVILEGE_VIOLATION, FAULT_PRESENT);
}

/* The page that the guest's tables lead to must be there in the nested tables, too. */
static bool check_memory(struct walk *walk)
{
	unsigned int access = 0;
	uint32_t result;

	if (walk->flags & HV_TRANSLATE_VALIDATE_READ)
		access |= SVM_MEMORY_READ;
	if (walk->flags & HV_TRANSLATE_VALIDATE_WRITE)
		access |= SVM_MEMORY_WRITE;
	if (walk->flags & HV_TRANSLATE_VALIDATE_EXECUTE)
		access |= SVM_MEMORY_EXECUTE;
	result = walk->memory->probe(walk->memory->context, walk->result.gpa, access);
	return result == HV_TRANSLATE_SUCCESS || fail(walk, result);
}

/* ---- Accessed and dirty bits ---- */

static uint64_t wanted_bits(const struct walk *walk, unsigned int i)
{
	bool leaf = i + 1 == walk->depth;
	bool pae_top = walk->mode == MODE_PAE && i == 0;

	if (pae_top)
		return 0;
	if (leaf && (walk->flags & HV_TRANSLATE_VALIDATE_WRITE))
		return ENTRY_ACCESSED | ENTRY_DIRTY;
	return ENTRY_ACCESSED;
}

static bool set_bits(struct walk *walk)
{
	for (unsigned int i = 0; i < walk->depth; i++) {
		const struct step *step = &walk->steps[i];
		uint64_t desired = step->entry | wanted_bits(walk, i);
		uint32_t result;

		if (desired == step->entry)
			continue;
		result = walk->memory->cmpxchg(walk->memory->context, step->gpa, entry_size(walk),
					       step->entry, desired);
		if (result != HV_TRANSLATE_SUCCESS)
			return fail(walk, result);
	}
	return true;
}

/* ---- The walk ---- */

static bool walk_tables(struct walk *walk)
{
	uint64_t table = root_table(walk);
	uint64_t entry = 0;

	for (walk->level = walk->levels; walk->level > 0; walk->level--) {
		if (!read_entry(walk, table, &entry))
			return false;
		if (walk->level == 1 || is_large(walk, entry))
			break;
		table = entry & (walk->mode == MODE_32BIT ? 0xfffff000ULL : ADDRESS_MASK);
	}
	take_leaf(walk, entry);
	return check_rights(walk);
}

static bool attempt(struct walk *walk)
{
	walk->depth = 0;
	walk->writable = true;
	walk->user = true;
	walk->executable = true;
	walk->result = (struct svm_translation){.size = PAGE_4K};
	if (walk->mode == MODE_NONE)
		walk->result.gpa = walk->gva;
	else if (!walk_tables(walk))
		return false;
	if (!check_memory(walk))
		return false;
	if (walk->mode == MODE_NONE || !(walk->flags & HV_TRANSLATE_SET_PAGE_TABLE_BITS))
		return true;
	return set_bits(walk);
}

static bool check_canonical(struct walk *walk)
{
	if (walk->mode != MODE_LONG)
		walk->gva &= LOW32; /* linear addresses wrap */
	else if (!svm_is_canonical(walk->gva, walk->paging->cr4)) {
		walk->result.non_canonical = true;
		return fail(walk, HV_TRANSLATE_PAGE_NOT_PRESENT);
	}
	return true;
}

struct svm_translation svm_translate(const struct svm_paging *paging, uint64_t gva, uint64_t flags,
				     const struct svm_guest_memory *memory)
{
	struct walk walk = {.paging = paging, .memory = memory, .gva = gva, .flags = flags};

	walk.mode = paging_mode(paging);
	walk.levels = mode_levels(paging, walk.mode);
	if (!check_canonical(&walk))
		return walk.result;
	for (unsigned int i = 0; i < MAX_ATTEMPTS; i++) {
		if (attempt(&walk) || walk.result.result != SVM_MEMORY_CHANGED)
			return walk.result;
	}
	walk.result.result =
		HV_TRANSLATE_INTERCEPT; /* nothing is wrong: the caller may try again */
	return walk.result;
}

/* ---- The command ---- */

static bool request_valid(uint64_t flags, uint64_t gva_page)
{
	uint64_t both_accesses = HV_TRANSLATE_SUPERVISOR_ACCESS | HV_TRANSLATE_USER_ACCESS;
	uint64_t both_smaps = HV_TRANSLATE_ENFORCE_SMAP | HV_TRANSLATE_OVERRIDE_SMAP;

	if (flags & (HV_TRANSLATE_RESERVED_MASK | HV_TRANSLATE_SHADOW_STACK))
		return false;
	if ((flags & both_accesses) == both_accesses || (flags & both_smaps) == both_smaps)
		return false;
	if (gva_page >> 52)
		return false;
	return svm_vtl_valid((uint8_t)(flags >> HV_TRANSLATE_VTL_SHIFT));
}

static struct hv_u128 exception_event(unsigned int vector, uint32_t code, uint64_t parameter)
{
	return (struct hv_u128){
		.low = HV_EVENT_PENDING | (uint64_t)HV_EVENT_TYPE_EXCEPTION << HV_EVENT_TYPE_SHIFT |
		       HV_EVENT_EXCEPTION_ERROR_CODE_VALID |
		       (uint64_t)vector << HV_EVENT_EXCEPTION_VECTOR_SHIFT |
		       (uint64_t)code << HV_EVENT_EXCEPTION_ERROR_CODE_SHIFT,
		.high = parameter,
	};
}

static struct hv_u128 fault_event(const struct svm_translation *translation, uint64_t gva)
{
	if (translation->page_fault)
		return exception_event(VECTOR_PF, translation->error_code, gva);
	if (translation->non_canonical)
		return exception_event(VECTOR_GP, 0, 0);
	return (struct hv_u128){0, 0};
}

uint16_t svm_translate_gva(const struct svm_paging *paging,
			   const struct sidecar_translate_request *request,
			   const struct svm_guest_memory *memory,
			   struct hv_translate_output *output)
{
	uint64_t flags = request->control_flags;
	uint64_t gva_page = request->gva_page;
	uint64_t gva = gva_page << HV_PAGE_SHIFT;
	struct svm_translation translation;

	if (!request_valid(flags, gva_page))
		return HV_STATUS_INVALID_PARAMETER;
	translation = svm_translate(paging, gva, flags, memory);
	output->result = translation.result;
	if (translation.result == HV_TRANSLATE_SUCCESS) {
		output->result |= (uint64_t)HV_CACHE_TYPE_WRITE_BACK
				  << HV_TRANSLATE_CACHE_TYPE_SHIFT;
		output->gpa_page = translation.gpa >> HV_PAGE_SHIFT;
		return HV_STATUS_SUCCESS;
	}
	output->event[0] = fault_event(&translation, gva);
	return HV_STATUS_SUCCESS;
}
