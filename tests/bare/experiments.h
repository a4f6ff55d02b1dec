/* SPDX-License-Identifier: MIT */
/* What RUN_VP of the test backend does instead of running a guest: chosen by RAX. */
#ifndef EXPERIMENTS_H
#define EXPERIMENTS_H

enum experiment {
	WAIT_FOR_STOP,
	UNDEFINED_INSTRUCTION,
	OVERFLOW_STACK,
	WRITE_CODE,
	EXECUTE_DATA,
	WRITE_CONSTANT,
	TOUCH_UNMAPPED,
	BAD_XCR0,     /* RCX: 1 = the write was done */
	BAD_FX_STATE, /* unaligned; RCX: 1 = it was loaded */
	NMI,
	WRITE_WINDOW, /* RCX: PA of a byte; RDX: what is read back */
};

/* hypercall_page of the parameters: backend_boot meets a fault. */
#define FAULT_IN_BOOT 0xdead000u

#endif
