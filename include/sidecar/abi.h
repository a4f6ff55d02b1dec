/* SPDX-License-Identifier: MIT */
/*
 * The memory that the sidecar kernel shares with the program that drives it.
 *
 * Three programs meet here: the sidecar kernel, the driver (or boot shim) and the VMM. Every
 * struct says who writes each part; nobody else may. All integers are little-endian.
 *
 *   control page  one per node; driver <-> kernel, never mapped to user mode
 *   command page  one per CPU; user mode while the CPU is IDLE, the kernel while RUN or STOP
 *   register page one per CPU; struct hv_register_page of hv.h, the same ownership
 *   state page    one per CPU; driver <-> kernel, never mapped to user mode (extension)
 *   boot pages    parameters and output of the kernel's entry function
 *
 * The status byte is the only ordering between them: whoever gives a page away stores the status
 * with release, whoever takes it loads the status with acquire.
 */
#ifndef SIDECAR_ABI_H
#define SIDECAR_ABI_H

#include <sidecar/hv.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SIDECAR_PAGE_SIZE 4096u

/* ---- control page ---------------------------------------------------------------------------- */

/* Values of a CPU's status byte. */
#define SIDECAR_STATUS_REMOVED 0u /* not in the sidecar: Linux owns it, or it is parked for good */
#define SIDECAR_STATUS_IDLE 1u	  /* parked; the last command is complete */
#define SIDECAR_STATUS_RUN 2u	  /* asked to run, or running, the command in its command page */
#define SIDECAR_STATUS_STOP 3u	  /* asked to stop the running command */
#define SIDECAR_STATUS_REMOVE 4u  /* asked to shut down and hand the CPU over */

#define SIDECAR_CONTROL_MAX_CPUS 4032u
#define SIDECAR_REQUEST_VECTOR 0x20u

struct sidecar_control_page {
	uint32_t index;		  /* kernel, once: position of the node in the parameters */
	uint32_t base_cpu;	  /* kernel, once: first VP of the node; always Linux's */
	uint32_t cpu_count;	  /* kernel, once: CPUs of the node, the base CPU included */
	uint32_t request_vector;  /* kernel, once: vector that wakes a CPU; 0 = send none */
	uint32_t response_cpu;	  /* driver: physical APIC ID that gets the completion IPI */
	uint32_t response_vector; /* driver: its vector; 0 = none, poll. One store with the above */
	uint32_t needs_attention; /* kernel stores 1, driver exchanges with 0 */
	uint8_t reserved[36];	  /* kernel, once: zero */
	uint8_t cpu_status[SIDECAR_CONTROL_MAX_CPUS]; /* both, by the transitions of docs/protocol.md */
};
SIDECAR_ASSERT_SIZE(struct sidecar_control_page, 4096);
SIDECAR_ASSERT_OFFSET(struct sidecar_control_page, index, 0x000);
SIDECAR_ASSERT_OFFSET(struct sidecar_control_page, base_cpu, 0x004);
SIDECAR_ASSERT_OFFSET(struct sidecar_control_page, cpu_count, 0x008);
SIDECAR_ASSERT_OFFSET(struct sidecar_control_page, request_vector, 0x00c);
SIDECAR_ASSERT_OFFSET(struct sidecar_control_page, response_cpu, 0x010);
SIDECAR_ASSERT_OFFSET(struct sidecar_control_page, response_vector, 0x014);
SIDECAR_ASSERT_OFFSET(struct sidecar_control_page, needs_attention, 0x018);
SIDECAR_ASSERT_OFFSET(struct sidecar_control_page, reserved, 0x01c);
SIDECAR_ASSERT_OFFSET(struct sidecar_control_page, cpu_status, 0x040);

/* response_cpu (low half) and response_vector (high half) as the one word that both sides move. */
#define SIDECAR_CONTROL_RESPONSE_OFFSET 0x010u

/* ---- command page ---------------------------------------------------------------------------- */

#define SIDECAR_COMMAND_NONE 0u		 /* does nothing: is this CPU alive? */
#define SIDECAR_COMMAND_RUN_VP 1u	 /* run the guest until an intercept or a STOP */
#define SIDECAR_COMMAND_GET_REGISTERS 2u /* struct sidecar_registers_request, in place */
#define SIDECAR_COMMAND_SET_REGISTERS 3u /* struct sidecar_registers_request, in place */
#define SIDECAR_COMMAND_TRANSLATE_GVA 4u /* struct sidecar_translate_request -> _response */

/*
 * Guest registers that all VTLs share. gps is in the order of the encoding (RAX, RCX, RDX, RBX,
 * -, RBP, RSI, RDI, R8..R15), with CR2 in the slot of RSP: RSP is private to a VTL.
 */
#define SIDECAR_GP_RAX 0u
#define SIDECAR_GP_RCX 1u
#define SIDECAR_GP_RDX 2u
#define SIDECAR_GP_RBX 3u
#define SIDECAR_GP_CR2 4u
#define SIDECAR_GP_RBP 5u
#define SIDECAR_GP_RSI 6u
#define SIDECAR_GP_RDI 7u
#define SIDECAR_GP_R8 8u
#define SIDECAR_GP_R15 15u

struct sidecar_cpu_context {
	uint64_t gps[16];
	struct hv_fx_state fx_state; /* FXSAVE image, 32-bit FIP and FDP */
	uint8_t reserved[384];
} __attribute__((aligned(16)));
SIDECAR_ASSERT_SIZE(struct sidecar_cpu_context, 1024);
SIDECAR_ASSERT_OFFSET(struct sidecar_cpu_context, gps, 0x000);
SIDECAR_ASSERT_OFFSET(struct sidecar_cpu_context, fx_state, 0x080);
SIDECAR_ASSERT_OFFSET(struct sidecar_cpu_context, reserved, 0x280);

/* A text: length, then UTF-8 that no NUL ends. */
struct sidecar_command_error {
	uint8_t length;
	uint8_t text[255];
};
SIDECAR_ASSERT_SIZE(struct sidecar_command_error, 256);
SIDECAR_ASSERT_OFFSET(struct sidecar_command_error, text, 1);

struct sidecar_command_page {
	uint32_t command;     /* user; the kernel resets it to NONE when it takes the command */
	uint8_t has_error;    /* kernel: 1 = error is valid and request_data is undefined */
	uint8_t reserved0[11];
	struct sidecar_cpu_context cpu_context; /* both, by turns */
	struct hv_message intercept_message;	/* kernel, when an intercept ended RUN_VP */
	struct sidecar_command_error error;	/* kernel */
	struct hv_u128 request_data[64];	/* user: the input; kernel: the output, in place */
	uint64_t reserved1[190];
} __attribute__((aligned(16)));
SIDECAR_ASSERT_SIZE(struct sidecar_command_page, 4096);
SIDECAR_ASSERT_OFFSET(struct sidecar_command_page, command, 0x000);
SIDECAR_ASSERT_OFFSET(struct sidecar_command_page, has_error, 0x004);
SIDECAR_ASSERT_OFFSET(struct sidecar_command_page, cpu_context, 0x010);
SIDECAR_ASSERT_OFFSET(struct sidecar_command_page, intercept_message, 0x410);
SIDECAR_ASSERT_OFFSET(struct sidecar_command_page, error, 0x510);
SIDECAR_ASSERT_OFFSET(struct sidecar_command_page, request_data, 0x610);
SIDECAR_ASSERT_OFFSET(struct sidecar_command_page, reserved1, 0xa10);

#define SIDECAR_REQUEST_DATA_SIZE 1024u

/* RUN_VP leaves one byte at the start of request_data. */
#define SIDECAR_RUN_STOPPED 0u
#define SIDECAR_RUN_INTERCEPT 1u

/* GET and SET_VP_REGISTERS; the entries (struct hv_register_assoc) follow at once. */
#define SIDECAR_MAX_REGISTERS 31u

struct sidecar_registers_request {
	uint16_t count;	    /* 0..31; more is an error text */
	uint8_t target_vtl; /* HV_VTL_* */
	uint8_t reserved0;
	uint16_t status; /* out: HV_STATUS_* of the first register that failed, 0 = all done */
	uint8_t reserved1[10];
} __attribute__((aligned(16)));
SIDECAR_ASSERT_SIZE(struct sidecar_registers_request, 16);
SIDECAR_ASSERT_OFFSET(struct sidecar_registers_request, count, 0);
SIDECAR_ASSERT_OFFSET(struct sidecar_registers_request, target_vtl, 2);
SIDECAR_ASSERT_OFFSET(struct sidecar_registers_request, status, 4);
SIDECAR_ASSERT_OFFSET(struct sidecar_registers_request, reserved1, 6);

struct sidecar_translate_request {
	uint64_t gva_page;	/* guest virtual address >> 12 */
	uint64_t control_flags; /* HV_TRANSLATE_*, with the VTL byte in bits 56..63 */
};
SIDECAR_ASSERT_SIZE(struct sidecar_translate_request, 16);
SIDECAR_ASSERT_OFFSET(struct sidecar_translate_request, control_flags, 8);

struct sidecar_translate_response {
	uint16_t status; /* HV_STATUS_*; not 0 = output is all zero */
	uint16_t reserved[7];
	struct hv_translate_output output;
} __attribute__((aligned(16)));
SIDECAR_ASSERT_SIZE(struct sidecar_translate_response, 80);
SIDECAR_ASSERT_OFFSET(struct sidecar_translate_response, status, 0);
SIDECAR_ASSERT_OFFSET(struct sidecar_translate_response, output, 16);

/* Per CPU in a node's shared memory: command page, then register page. */
#define SIDECAR_PER_CPU_SHMEM (2u * SIDECAR_PAGE_SIZE)

/* ---- boot: parameters and output of the entry function --------------------------------------- */

#define SIDECAR_MAX_NODES 128u
#define SIDECAR_MAX_CPU_OVERRIDES 400u

/* Pages that a node of n CPUs needs: one control page, and 2 shared and 11 private pages a CPU. */
#define SIDECAR_PRIVATE_PAGES 11u
#define SIDECAR_PAGES_PER_CPU 13u
#define SIDECAR_REQUIRED_MEMORY(n) ((1u + (uint64_t)SIDECAR_PAGES_PER_CPU * (n)) * SIDECAR_PAGE_SIZE)

struct sidecar_node_params {
	uint64_t memory_base; /* PA, page aligned */
	uint64_t memory_size; /* bytes, at least SIDECAR_REQUIRED_MEMORY(vp_count) */
	uint32_t base_vp;
	uint32_t vp_count; /* the base VP included */
};
SIDECAR_ASSERT_SIZE(struct sidecar_node_params, 24);
SIDECAR_ASSERT_OFFSET(struct sidecar_node_params, memory_size, 8);
SIDECAR_ASSERT_OFFSET(struct sidecar_node_params, base_vp, 16);
SIDECAR_ASSERT_OFFSET(struct sidecar_node_params, vp_count, 20);

struct sidecar_per_cpu_state {
	uint8_t specified; /* 0 = ignore the array */
	uint8_t sidecar_starts_cpu[SIDECAR_MAX_CPU_OVERRIDES]; /* by absolute VP index */
};
SIDECAR_ASSERT_SIZE(struct sidecar_per_cpu_state, 401);

/* The caller writes it; the kernel only reads it. One page, page aligned. */
struct sidecar_boot_params {
	uint64_t hypercall_page; /* PA, world H; 0 in world S */
	uint8_t enable_logging;	 /* not 0: log to COM3 */
	uint8_t reserved0[3];
	uint32_t node_count;
	struct sidecar_node_params nodes[SIDECAR_MAX_NODES];
	struct sidecar_per_cpu_state initial_state;
	uint8_t reserved1[7];
	/* Our extension, in bytes that the original leaves unused. */
	uint64_t extension_magic; /* SIDECAR_EXTENSION_MAGIC, or anything else: no extension */
	uint64_t extension;	  /* PA of struct sidecar_extension */
	uint8_t reserved2[584];
};
SIDECAR_ASSERT_SIZE(struct sidecar_boot_params, 4096);
SIDECAR_ASSERT_OFFSET(struct sidecar_boot_params, enable_logging, 0x008);
SIDECAR_ASSERT_OFFSET(struct sidecar_boot_params, node_count, 0x00c);
SIDECAR_ASSERT_OFFSET(struct sidecar_boot_params, nodes, 0x010);
SIDECAR_ASSERT_OFFSET(struct sidecar_boot_params, initial_state, 0xc10);
SIDECAR_ASSERT_OFFSET(struct sidecar_boot_params, extension_magic, 0xda8);
SIDECAR_ASSERT_OFFSET(struct sidecar_boot_params, extension, 0xdb0);

struct sidecar_node_output {
	uint64_t control_page;	    /* PA */
	uint64_t shmem_pages_base;  /* PA */
	uint64_t shmem_pages_size;  /* bytes: vp_count * SIDECAR_PER_CPU_SHMEM */
};
SIDECAR_ASSERT_SIZE(struct sidecar_node_output, 24);

/* The kernel writes it. Must not cross a page. */
struct sidecar_boot_output {
	struct sidecar_command_error error; /* valid when the entry function returns false */
	struct sidecar_node_output nodes[SIDECAR_MAX_NODES];
};
SIDECAR_ASSERT_SIZE(struct sidecar_boot_output, 3328);
SIDECAR_ASSERT_OFFSET(struct sidecar_boot_output, nodes, 0x100);

/* ---- boot: the extension --------------------------------------------------------------------- */

#define SIDECAR_EXTENSION_MAGIC 0x3158454341434453ull /* "SDCACEX1" */
#define SIDECAR_EXTENSION_VERSION 1u

/*
 * The caller starts the CPUs with INIT and SIPI; the entry function returns with them in RUN. The
 * SVM image must have the flag, the Hyper-V image, which starts its CPUs itself, must not; that one
 * also does without the extension, as under a shim that knows none.
 */
#define SIDECAR_EXTENSION_CALLER_STARTS_CPUS 1u

/*
 * One CPU. The caller writes apic_id and vp_index, the kernel's entry function the rest; the
 * trampoline reads it. All zero but the first two for a CPU that the sidecar does not start.
 */
struct sidecar_extension_cpu {
	uint32_t apic_id; /* physical */
	uint32_t vp_index;
	uint64_t cr3;	     /* PA of the CPU's own page tables, below 4 GiB or not */
	uint64_t entry;	     /* VA; called with RDI = cr3, RSI = stack; mapped by both tables */
	uint64_t stack;	     /* VA of the stack's end, in the CPU's own tables */
	uint64_t state_page; /* PA of struct sidecar_state_page */
	uint64_t reserved[3];
};
SIDECAR_ASSERT_SIZE(struct sidecar_extension_cpu, 64);
SIDECAR_ASSERT_OFFSET(struct sidecar_extension_cpu, cr3, 0x08);
SIDECAR_ASSERT_OFFSET(struct sidecar_extension_cpu, entry, 0x10);
SIDECAR_ASSERT_OFFSET(struct sidecar_extension_cpu, stack, 0x18);
SIDECAR_ASSERT_OFFSET(struct sidecar_extension_cpu, state_page, 0x20);

/*
 * Physically contiguous, page aligned, below 4 GiB; as many pages as cpu_count needs. One
 * struct sidecar_extension_cpu a CPU follows at once: those of node 0 first, its base CPU
 * included, then those of node 1, and so on.
 */
struct sidecar_extension {
	uint64_t magic;	     /* caller: SIDECAR_EXTENSION_MAGIC */
	uint32_t version;    /* caller: SIDECAR_EXTENSION_VERSION */
	uint32_t flags;	     /* caller: SIDECAR_EXTENSION_* */
	uint32_t cpu_count;  /* caller: sum of the nodes' vp_count */
	uint32_t reserved0;
	uint64_t boot_pml4e; /* kernel: entry 511 that maps the image in the trampoline's tables */
	uint64_t reserved1[4];
	/* struct sidecar_extension_cpu, cpu_count times */
};
SIDECAR_ASSERT_SIZE(struct sidecar_extension, 64);
SIDECAR_ASSERT_OFFSET(struct sidecar_extension, cpu_count, 0x10);
SIDECAR_ASSERT_OFFSET(struct sidecar_extension, boot_pml4e, 0x18);

/*
 * The SIPI trampoline: position-independent code inside the image, which its note names. The
 * caller copies it to a free page below 1 MiB, fills this struct at SIDECAR_TRAMPOLINE_DATA of
 * that page, and sends INIT and SIPI. A CPU that finds its APIC ID in conductor_apic_id calls the
 * image's entry function, stores the result and goes on like the others: it looks its APIC ID up
 * in the extension and leaves for its own entry, or spins with interrupts off when it is not
 * there (counted in lost) or when park is set (counted in parked).
 */
#define SIDECAR_TRAMPOLINE_DATA 0xf00u
#define SIDECAR_NO_APIC_ID 0xffffffffu

#define SIDECAR_CONDUCTOR_PENDING 0u
#define SIDECAR_CONDUCTOR_DONE 1u
#define SIDECAR_CONDUCTOR_FAILED 2u

struct sidecar_trampoline {
	uint64_t cr3;		    /* caller: identity tables of the first 4 GiB, below 4 GiB */
	uint64_t extension;	    /* caller: PA */
	uint64_t params;	    /* caller: PA, for the conductor */
	uint64_t output;	    /* caller: PA, for the conductor */
	uint64_t image_entry;	    /* caller: PA of the entry function */
	uint64_t conductor_stack;   /* caller: PA of the end of a stack of at least 4 KiB */
	uint32_t conductor_apic_id; /* caller: or SIDECAR_NO_APIC_ID */
	uint32_t conductor_result;  /* trampoline: SIDECAR_CONDUCTOR_* */
	uint32_t park;		    /* caller: not 0 = everybody spins */
	uint32_t parked;	    /* trampoline: CPUs that reached the spin by park */
	uint32_t lost;		    /* trampoline: CPUs that the extension does not name */
	uint32_t lost_apic_id;	    /* trampoline: the last of them */
	uint64_t reserved[23];
};
SIDECAR_ASSERT_SIZE(struct sidecar_trampoline, 256);
SIDECAR_ASSERT_OFFSET(struct sidecar_trampoline, conductor_stack, 0x28);
SIDECAR_ASSERT_OFFSET(struct sidecar_trampoline, conductor_apic_id, 0x30);
SIDECAR_ASSERT_OFFSET(struct sidecar_trampoline, conductor_result, 0x34);
SIDECAR_ASSERT_OFFSET(struct sidecar_trampoline, park, 0x38);
SIDECAR_ASSERT_OFFSET(struct sidecar_trampoline, parked, 0x3c);
SIDECAR_ASSERT_OFFSET(struct sidecar_trampoline, lost, 0x40);
SIDECAR_ASSERT_OFFSET(struct sidecar_trampoline, lost_apic_id, 0x44);

/* The image's PT_NOTE: name SIDECAR_NOTE_NAME, type SIDECAR_NOTE_TYPE, this descriptor. */
#define SIDECAR_NOTE_NAME "libsidecar"
#define SIDECAR_NOTE_TYPE 1u
#define SIDECAR_BACKEND_SVM 1u
#define SIDECAR_BACKEND_HYPERV 2u
#define SIDECAR_IMAGE_MAX_SIZE 0x200000u /* with its BSS; loaded at a multiple of the same */

struct sidecar_image_note {
	uint32_t abi_version; /* SIDECAR_EXTENSION_VERSION */
	uint32_t backend;     /* SIDECAR_BACKEND_* */
	uint32_t trampoline;  /* offset of the trampoline's code from the image's base */
	uint32_t trampoline_size;
};
SIDECAR_ASSERT_SIZE(struct sidecar_image_note, 16);

/* ---- state page (extension) ------------------------------------------------------------------ */

/*
 * What a CPU has counted. The first ten are intercepts that user mode sees as messages; the rest
 * the kernel handles itself.
 */
enum sidecar_exit {
	SIDECAR_EXIT_IO,
	SIDECAR_EXIT_MSR,
	SIDECAR_EXIT_CPUID,
	SIDECAR_EXIT_HALT,
	SIDECAR_EXIT_HYPERCALL,
	SIDECAR_EXIT_MEMORY,
	SIDECAR_EXIT_EXCEPTION,
	SIDECAR_EXIT_UNRECOVERABLE,
	SIDECAR_EXIT_DELIVERABLE,
	SIDECAR_EXIT_INVALID_REGISTER,
	SIDECAR_EXIT_INTERRUPT, /* physical interrupt or NMI: the guest goes on unless stopped */
	SIDECAR_EXIT_INTERNAL,	/* everything else that the kernel resolves without the VMM */
	SIDECAR_EXIT_COUNT
};
#define SIDECAR_EXIT_MESSAGES SIDECAR_EXIT_INTERRUPT /* how many kinds reach user mode */

/* Where a CPU is, for whoever looks at a dead one. */
#define SIDECAR_CPU_UNSTARTED 0u
#define SIDECAR_CPU_READY 1u   /* serves commands */
#define SIDECAR_CPU_PARKED 2u  /* REMOVE done, spinning until INIT */
#define SIDECAR_CPU_FAULTED 3u /* fault is valid; spinning until INIT */

#define SIDECAR_FAULT_STACK_WORDS 32u

struct sidecar_fault {
	uint64_t vector;
	uint64_t error_code;
	uint64_t rip;
	uint64_t cs;
	uint64_t rflags;
	uint64_t rsp;
	uint64_t cr2;
	uint64_t gps[16]; /* in the order of the encoding, RSP included */
	uint64_t stack[SIDECAR_FAULT_STACK_WORDS]; /* from RSP upwards; zero beyond its end */
};
SIDECAR_ASSERT_SIZE(struct sidecar_fault, 440);
SIDECAR_ASSERT_OFFSET(struct sidecar_fault, gps, 56);
SIDECAR_ASSERT_OFFSET(struct sidecar_fault, stack, 184);

#define SIDECAR_LOG_SIZE 2032u

/* Text; head counts every byte ever written, the next goes to text[head % SIDECAR_LOG_SIZE]. */
struct sidecar_log {
	uint64_t head;
	uint64_t reserved;
	char text[SIDECAR_LOG_SIZE];
};
SIDECAR_ASSERT_SIZE(struct sidecar_log, 2048);

struct sidecar_state_page {
	/* The driver writes this line, the first and third word only while the CPU is IDLE. */
	uint64_t nested_root; /* PA of the partition's nested PML4; 0 = a guest without memory */
	uint64_t generation;  /* counts removals from the partition; kick the CPU after a change */
	uint64_t owner;	      /* changes with every claim; the kernel then forgets the old VP */
	uint32_t quiet;	      /* not 0: somebody watches the status byte, so the completion needs
				 neither attention nor interrupt. Set before RUN; cleared with a
				 full barrier, after which the driver looks at the byte once more */
	uint32_t reserved_driver;
	uint64_t reserved0[4];
	/* The kernel writes the rest. */
	uint64_t generation_seen; /* stored before each entry and each command: no older
				     translation is in use from here on */
	uint64_t owner_seen;
	uint32_t cpu_state; /* SIDECAR_CPU_* */
	uint32_t reserved1;
	uint64_t commands;  /* taken, all kinds */
	uint64_t entries;   /* into the guest */
	uint64_t guest_ticks; /* TSC ticks between entry and exit */
	uint64_t reserved2[2];
	uint64_t exits[32]; /* by enum sidecar_exit */
	uint64_t foreign_interrupts; /* taken with a vector other than the request vector */
	uint64_t reserved3[15];
	struct sidecar_fault fault;
	uint64_t reserved4[9];
	uint32_t foreign_vectors[256]; /* the foreign interrupts by vector; each wraps around */
	struct sidecar_log log;
};
SIDECAR_ASSERT_SIZE(struct sidecar_state_page, 4096);
SIDECAR_ASSERT_OFFSET(struct sidecar_state_page, generation, 0x008);
SIDECAR_ASSERT_OFFSET(struct sidecar_state_page, owner, 0x010);
SIDECAR_ASSERT_OFFSET(struct sidecar_state_page, quiet, 0x018);
SIDECAR_ASSERT_OFFSET(struct sidecar_state_page, generation_seen, 0x040);
SIDECAR_ASSERT_OFFSET(struct sidecar_state_page, cpu_state, 0x050);
SIDECAR_ASSERT_OFFSET(struct sidecar_state_page, commands, 0x058);
SIDECAR_ASSERT_OFFSET(struct sidecar_state_page, guest_ticks, 0x068);
SIDECAR_ASSERT_OFFSET(struct sidecar_state_page, exits, 0x080);
SIDECAR_ASSERT_OFFSET(struct sidecar_state_page, fault, 0x200);
SIDECAR_ASSERT_OFFSET(struct sidecar_state_page, foreign_vectors, 0x400);
SIDECAR_ASSERT_OFFSET(struct sidecar_state_page, log, 0x800);

#ifdef __cplusplus
}
#endif

#endif
