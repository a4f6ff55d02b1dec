// SPDX-License-Identifier: MIT
/*
 * Storms of calls, by a user without privileges whose group has the device: ioctls with random
 * numbers and arguments, ring requests with random fields, opcodes and flags, and games with the
 * mapping of the shared pages and with fork. Whatever they are answered, nothing is lost: neither a
 * CPU, nor a page, nor Linux. The environment may have SEED and ROUNDS.
 */
#include <liburing.h>
#include <sys/time.h>
#include <sys/uio.h>

#include "hostile.h"

#define RING_ENTRIES 32u
#define RING_ROUND 24u
#define BUFFER_SIZE 8192u

static struct device device;
static int partitions[4];
static uint8_t *buffer; /* followed by an unmapped page */
static uint8_t *memory;
static unsigned long succeeded;

/* A storm that is only ever refused shows nothing. */
static int verdict(unsigned long rounds)
{
	tap_note("%lu of %lu calls succeeded", succeeded, rounds);
	return succeeded < rounds / 40 ? 84 : 0;
}

static void set_up(void)
{
	device = device_open();
	buffer = new_memory(BUFFER_SIZE + SIDECAR_PAGE_SIZE);
	munmap(buffer + BUFFER_SIZE, SIDECAR_PAGE_SIZE);
	memory = new_memory(16 * SIDECAR_PAGE_SIZE);
	memcpy(memory + RESET_OFFSET, random_below(4) ? halting_guest : endless_guest, 1);
	for (unsigned int i = 0; i < COUNT(partitions); i++) {
		partitions[i] = -control(device.fd, SIDECAR_IOC_PARTITION_CREATE, 0);
		map_memory(partitions[i], RESET_PAGE, memory, SIDECAR_PAGE_SIZE, ALL_RIGHTS);
	}
	control(device.fd, SIDECAR_IOC_PARTITION_ATTACH, partitions[0]);
}

static void tear_down(void)
{
	for (unsigned int i = 0; i < COUNT(partitions); i++)
		close(partitions[i]);
	device_close(&device);
	munmap(buffer, BUFFER_SIZE);
	munmap(memory, 16 * SIDECAR_PAGE_SIZE);
}

/* ---- ioctls ---------------------------------------------------------------------------------- */

static unsigned long any_request(void)
{
	switch (random_below(8)) {
	case 0:
		return random64();
	case 1:
		return _IOC(random64() & 3, SIDECAR_IOC_TYPE, random64() & 0xff, random64() & 0x3fff);
	case 2:
		return _IO(SIDECAR_IOC_TYPE, 0xe0 + random_below(32));
	default:
		return PICK(SIDECAR_IOC_START, SIDECAR_IOC_STOP, SIDECAR_IOC_RUN, SIDECAR_IOC_INFO,
			    SIDECAR_IOC_CAPS, SIDECAR_IOC_CANCEL, SIDECAR_IOC_PARTITION_CREATE,
			    SIDECAR_IOC_PARTITION_ATTACH, SIDECAR_IOC_CPU, SIDECAR_IOC_CLAIM,
			    SIDECAR_IOC_TAKE, SIDECAR_IOC_GIVE, SIDECAR_IOC_RESET,
			    SIDECAR_IOC_PARTITION_MAP, SIDECAR_IOC_PARTITION_UNMAP);
	}
}

static uint64_t any_word(void)
{
	switch (random_below(6)) {
	case 0:
		return random64();
	case 1:
		return (uintptr_t)memory + SIDECAR_PAGE_SIZE * random_below(18);
	case 2:
		return (uintptr_t)device.shmem;
	default:
		return PICK(0, 1, 2, 3, 4, 5, 8, 16, 24, 32, 4096, 8192, 65536, 0xfffff000, 1ull << 32,
			    1ull << 47, 1ull << 48, ~0ull, ~0ull << 12, 0x8000000000000000);
	}
}

/* A struct of any size, at the end of the buffer as often as not. */
static void *any_struct(void)
{
	unsigned int words = 1 + random_below(8), i;
	uint64_t *place = (void *)(buffer + 8 * random_below(BUFFER_SIZE / 8));

	if (random_below(2))
		place = (uint64_t *)(void *)(buffer + BUFFER_SIZE) - words;
	for (i = 0; i < words && (uint8_t *)(place + i) < buffer + BUFFER_SIZE; i++)
		place[i] = any_word();
	if (random_below(4))
		*(uint32_t *)place = (uint32_t)PICK(16, 24, 32, 24, 32, 4096, 4097, 0);
	return place;
}

static unsigned long any_argument(void)
{
	switch (random_below(4)) {
	case 0:
		return any_word();
	case 1:
		return random_below(CPUS + 2);
	case 2:
		return (unsigned long)partitions[random_below(COUNT(partitions))];
	default:
		return (unsigned long)any_struct();
	}
}

static void on_alarm(int signal)
{
	(void)signal;
}

/* RUN of an endless guest ends with a signal. */
static void interrupt_every_ms(unsigned int ms)
{
	const struct itimerval timer = {{0, ms * 1000}, {0, ms * 1000}};
	const struct sigaction action = {.sa_handler = on_alarm};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

/* Commands of a VP that is not mine give SIGBUS, so only mine are written. */
static void any_command(void)
{
	unsigned int cpu = CPU_FIRST + random_below(CPUS - 1);

	if (describe(&device, cpu).owned == 1)
		set_command(&device, cpu, random_below(16) ? random_below(6) : (uint32_t)random64());
}

static void one_ioctl(void)
{
	unsigned long request = any_request();
	int fd = random_below(4) ? device.fd : partitions[random_below(COUNT(partitions))];
	int result;

	if (random_below(4) == 0)
		any_command();
	result = ioctl(fd, request, any_argument());
	succeeded += result >= 0;
	if (request == SIDECAR_IOC_PARTITION_CREATE && result > 2)
		close(result);
	if (random_below(16) == 0)
		(void)!read(fd, buffer + random_below(BUFFER_SIZE + 8), random_below(16));
}

static int ioctl_storm(void *context)
{
	unsigned long rounds = *(unsigned long *)context;

	if (!become_ordinary())
		return 81;
	set_up();
	interrupt_every_ms(5);
	for (unsigned long i = 0; i < rounds; i++) {
		one_ioctl();
		if (i % 1024 == 1023) {
			tear_down();
			set_up();
		}
	}
	return verdict(rounds);
}

/* ---- rings ----------------------------------------------------------------------------------- */

static struct io_uring ring;

static bool new_ring(void)
{
	const unsigned int defer = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
	unsigned int flags = (unsigned int)PICK(
		0, IORING_SETUP_SQE128, IORING_SETUP_CQE32, IORING_SETUP_SQE128 | IORING_SETUP_CQE32,
		IORING_SETUP_IOPOLL, IORING_SETUP_COOP_TASKRUN, IORING_SETUP_CQE32);

	if (random_below(4) == 0)
		flags = defer;
	if (io_uring_queue_init(RING_ENTRIES, &ring, flags))
		return false;
	io_uring_register_files(&ring, (int[]){device.fd, partitions[0], -1}, 3);
	return true;
}

#define ANY_SQE_FLAGS                                                                         \
	(IOSQE_IO_LINK | IOSQE_IO_HARDLINK | IOSQE_ASYNC | IOSQE_IO_DRAIN |                   \
	 IOSQE_CQE_SKIP_SUCCESS | IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT)

/* Every byte is random; then some of them make sense. */
static void any_sqe(struct io_uring_sqe *sqe)
{
	struct sidecar_uring_cmd payload = {
		.cpu = random_below(CPUS + 1),
		.flags = random_below(8) ? 0 : (uint32_t)random64(),
		.reserved = random_below(8) ? 0 : random64(),
	};

	for (unsigned int i = 0; i < sizeof(*sqe) / 8; i++)
		((uint64_t *)sqe)[i] = random_below(3) ? 0 : random64();
	sqe->opcode = random_below(8) ? IORING_OP_URING_CMD
				      : (uint8_t)PICK(IORING_OP_READ, IORING_OP_WRITE, IORING_OP_NOP,
						      IORING_OP_POLL_ADD, IORING_OP_ASYNC_CANCEL,
						      IORING_OP_FSYNC, IORING_OP_READV, 255);
	sqe->fd = (int)PICK(0, 0, 0, 1, 2);
	if (random_below(3))
		sqe->fd = random_below(8) ? device.fd : partitions[random_below(COUNT(partitions))];
	else
		sqe->flags = IOSQE_FIXED_FILE;
	if (random_below(4) == 0)
		sqe->flags |= random64() & ANY_SQE_FLAGS;
	sqe->ioprio = 0;
	sqe->rw_flags = 0;
	sqe->buf_index = 0;
	sqe->personality = 0;
	sqe->file_index = random_below(8) ? 0 : (uint32_t)random64();
	sqe->__pad1 = random_below(8) ? 0 : (uint32_t)random64();
	sqe->cmd_op = random_below(8) ? SIDECAR_URING_START : (uint32_t)random64();
	sqe->user_data = random64();
	if (sqe->opcode != IORING_OP_URING_CMD) {
		sqe->addr = (uintptr_t)any_struct();
		sqe->len = random_below(16);
	} else if (random_below(16)) {
		memcpy(sqe->cmd, &payload, sizeof(payload));
	}
}

static void reap(void)
{
	struct io_uring_cqe *cqe;

	while (io_uring_peek_cqe(&ring, &cqe) == 0) {
		succeeded += cqe->res >= 0;
		io_uring_cqe_seen(&ring, cqe);
	}
}

static void cancel_all(void)
{
	for (unsigned int cpu = CPU_FIRST; cpu < CPUS; cpu++)
		control(device.fd, SIDECAR_IOC_CANCEL, cpu);
}

/* Some rings are left with what is pending, and so is the device. */
static unsigned int ring_round(void)
{
	unsigned int submitted = 0;

	if (!new_ring())
		return 0;
	for (unsigned int i = 0; i < RING_ROUND; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

		if (!sqe)
			break;
		any_sqe(sqe);
		if (random_below(4) == 0)
			any_command();
		submitted++;
		if (random_below(3) == 0) {
			io_uring_submit(&ring);
			usleep(random_below(100));
			reap();
		}
		if (random_below(8) == 0)
			cancel_all();
	}
	io_uring_submit(&ring);
	if (random_below(2)) {
		cancel_all();
		usleep(200);
	}
	reap();
	if (random_below(2)) {
		tear_down();
		io_uring_queue_exit(&ring);
	} else {
		io_uring_queue_exit(&ring);
		tear_down();
	}
	set_up();
	return submitted;
}

static int ring_storm(void *context)
{
	unsigned long rounds = *(unsigned long *)context, done = 0;

	if (!become_ordinary())
		return 81;
	set_up();
	for (unsigned int empty = 0; done < rounds && empty < 100;) {
		unsigned int submitted = ring_round();

		done += submitted;
		empty = submitted ? 0 : empty + 1;
	}
	return done < rounds ? 82 : verdict(rounds);
}

/* ---- the mapping ----------------------------------------------------------------------------- */

static uint8_t *window; /* address space to play in: nothing else lives there */

#define WINDOW_SIZE (4 * SHMEM_SIZE)
#define WINDOW_TAIL (16 * SIDECAR_PAGE_SIZE) /* any_size() reaches so far behind it */

static void *any_place(void)
{
	return window + SIDECAR_PAGE_SIZE * random_below(WINDOW_SIZE / SIDECAR_PAGE_SIZE);
}

/* No mapping of the next set_up() may lie in a hole. */
static void fill_holes(void)
{
	for (size_t at = 0; at < WINDOW_SIZE + WINDOW_TAIL; at += SIDECAR_PAGE_SIZE)
		mmap(window + at, SIDECAR_PAGE_SIZE, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
}

static size_t any_size(void)
{
	return SIDECAR_PAGE_SIZE * (1 + random_below(12));
}

static void map_something(void)
{
	const int prot = (int)(random64() & (PROT_READ | PROT_WRITE | PROT_EXEC));
	size_t size = random_below(3) ? SHMEM_SIZE : any_size();
	uint8_t *place = window + SHMEM_SIZE * random_below(3);

	mmap(place, size, random_below(4) ? PROT_READ | PROT_WRITE : prot,
	     MAP_FIXED | (random_below(8) ? MAP_SHARED : MAP_PRIVATE), device.fd,
	     random_below(8) ? 0 : (off_t)(any_word() & ~0xfffull));
}

/* Through the kernel, which answers EFAULT where this process would get a signal. */
static void touch_something(void)
{
	struct iovec here = {buffer, 64}, there = {any_place(), 64};
	int null = open("/dev/zero", O_RDONLY);

	(void)!process_vm_readv(getpid(), &here, 1, &there, 1, 0);
	(void)!read(null, there.iov_base, 8);
	close(null);
}

static int touch_all(void *unused)
{
	(void)unused;
	for (unsigned int i = 0; i < 16; i++)
		touch_something();
	return 0;
}

static void one_game(void)
{
	static const int advices[] = {
		MADV_DONTNEED, MADV_DOFORK, MADV_DONTFORK, MADV_WILLNEED, MADV_FREE, MADV_REMOVE,
		MADV_MERGEABLE, MADV_HUGEPAGE, MADV_DODUMP, MADV_COLD, MADV_PAGEOUT, MADV_POPULATE_READ,
		MADV_POPULATE_WRITE, MADV_WIPEONFORK,
	};

	switch (random_below(12)) {
	case 0:
	case 1:
		return map_something();
	case 2:
		munmap(any_place(), any_size() / 4 & ~0xfffull);
		return;
	case 3:
		mprotect(any_place(), any_size(), (int)(random64() & 7));
		return;
	case 4:
		madvise(any_place(), any_size(), advices[random_below(COUNT(advices))]);
		return;
	case 5:
		(void)!mremap(any_place(), any_size(), any_size(),
			      (int)(random64() & MREMAP_MAYMOVE));
		return;
	case 6:
		(void)!mremap(any_place(), any_size(), any_size(), MREMAP_MAYMOVE | MREMAP_FIXED,
			      any_place());
		return;
	case 7:
		mlock(any_place(), any_size());
		return;
	case 8:
		map_memory(partitions[1], SIDECAR_PAGE_SIZE * random_below(64), any_place(),
			   any_size(), random64() & 7);
		return;
	case 9:
		unmap_memory(partitions[1], 0, 64 * SIDECAR_PAGE_SIZE);
		control(device.fd, SIDECAR_IOC_CLAIM, CPU_FIRST + random_below(CPUS - 1));
		return;
	case 10:
		if (random_below(8) == 0)
			in_child(touch_all, NULL);
		return;
	default:
		return touch_something();
	}
}

static int mapping_storm(void *context)
{
	unsigned long rounds = *(unsigned long *)context;

	if (!become_ordinary())
		return 81;
	window = mmap(NULL, WINDOW_SIZE + WINDOW_TAIL, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	set_up();
	for (unsigned long i = 0; i < rounds; i++) {
		one_game();
		if (i % 512 == 511) {
			fill_holes();
			tear_down(); /* what is mapped in the window stays */
			set_up();
		}
	}
	return 0;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static bool is_unused(void)
{
	for (long long end = now_ms() + 10000; now_ms() < end; sleep_ms(10)) {
		if (number_in("/proc/modules", "sidecar") >= 0 && pinned_pages() == 0 &&
		    file_says("/sys/module/sidecar/refcnt", "0"))
			return true;
	}
	return false;
}

static void test(int (*storm)(void *context), const char *name, unsigned long normal)
{
	unsigned long rounds = rounds_of(name, normal, 100 * normal);
	long long begin = now_ms();

	tap_equal(in_child(storm, &rounds), 0, name);
	tap_note("%lld ms", now_ms() - begin);
	tap_check(is_unused(), "%s: no reference and no pin is left", name);
	check_cpus(name);
}

int main(void)
{
	tap_equal(insert_module("cpus=1-3"), 0, "insmod");
	test(ioctl_storm, "a storm of ioctls", 60000);
	test(ring_storm, "a storm of ring requests", 16000);
	test(mapping_storm, "a storm of mappings", 8000);
	return tap_done();
}
