/* SPDX-License-Identifier: MIT */
/*
 * A driver for the library's tests: its operations work on nodes whose CPUs are threads that run
 * the kernel's own dispatch loop (kernel/backend/host). It keeps the protocol of the real driver,
 * or of the original one when it has no capabilities, and fails where a test wants it to.
 */
#ifndef FAKE_H
#define FAKE_H

#include <stdbool.h>
#include <stdint.h>

#include <sidecar/sidecar.h>

#include "driver.h"
#include "host.h"

#define FAKE_OURS (SIDECAR_CAP_PARTITIONS | SIDECAR_CAP_CANCEL | SIDECAR_CAP_OWNERSHIP)
#define FAKE_URING (FAKE_OURS | SIDECAR_CAP_URING_CMD)
#define FAKE_ORIGINAL 0u

struct fake_layout {
	uint32_t base_cpu;
	uint32_t cpu_count;
};

struct fake;
extern const struct sidecar_driver fake_driver;

/* layout[index]: node index. Aborts the test where it cannot. */
struct fake *fake_create(const struct fake_layout *layout, uint32_t count, uint64_t capabilities);
void fake_destroy(struct fake *fake);

/* A CPU's host part; its guest may be changed while nothing runs on it. */
struct host_cpu *fake_host(struct fake *fake, uint32_t cpu);
struct sidecar_command_page *fake_page(struct fake *fake, uint32_t cpu);

/* The CPU becomes Linux's behind everybody's back. */
void fake_remove(struct fake *fake, uint32_t cpu);

/* read() will name this CPU once, whatever it does: the original's fabricated completion. */
void fake_fabricate(struct fake *fake, uint32_t cpu);

/* How many open files, partitions and mapped ranges there are. */
unsigned int fake_open_files(struct fake *fake);
unsigned int fake_open_partitions(struct fake *fake);
unsigned int fake_mapped_ranges(struct fake *fake);

enum fake_operation {
	FAKE_NODE_OPEN,
	FAKE_NODE_INFO,
	FAKE_NODE_CAPS,
	FAKE_NODE_MAP,
	FAKE_POLL_FD,
	FAKE_CPU_INFO,
	FAKE_CLAIM,
	FAKE_START,
	FAKE_STOP,
	FAKE_RUN,
	FAKE_CANCEL,
	FAKE_READ,
	FAKE_PARTITION_CREATE,
	FAKE_PARTITION_ATTACH,
	FAKE_PARTITION_MAP,
	FAKE_PARTITION_UNMAP,
	FAKE_ONLINE_OPEN,
	FAKE_ONLINE_WRITE,
	FAKE_OPERATIONS
};

/* The operation answers -error the next times times, after letting skip calls through. */
void fake_fail(struct fake *fake, enum fake_operation operation, int error, unsigned int times,
	       unsigned int skip);
/* Calls so far. */
unsigned int fake_calls(struct fake *fake, enum fake_operation operation);

/* Called once, at the beginning of the next START or RUN, before the CPU is asked to run. */
void fake_before_start(struct fake *fake, void (*hook)(void *context), void *context);

/* How long a STOP may go unanswered before this driver says that the CPU has failed. */
void fake_set_timeout(struct fake *fake, unsigned int ms);

/* What node_info says instead of the truth; 0 = the truth. */
void fake_lie_about_shmem(struct fake *fake, uint32_t per_cpu_shmem);

#endif
