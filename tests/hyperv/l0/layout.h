/* SPDX-License-Identifier: MIT */
/* Where L0 keeps things; for C and assembly. */
#ifndef L0_LAYOUT_H
#define L0_LAYOUT_H

/* Physical memory that no guest may see. */
#define L0_BASE 0x10000000
#define L0_SIZE 0x1000000
#define TRAMPOLINE 0x8000

/* What VTL2's first VP finds in EBX: hvm_start_info and what it points to. One page. */
#define START_INFO 0x9000

#define APIC 0xfee00000

#define CPU_SIZE 0x8000
#define CPU_STACK_END 0x8000
#define MAX_CPUS 255

#endif
