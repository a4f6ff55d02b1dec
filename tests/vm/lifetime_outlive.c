// SPDX-License-Identifier: MIT
/*
 * R6: what outlives its owner does no harm. Descriptors that were inherited, passed through a
 * socket, duplicated or left in one; partitions without their device and devices without their
 * partition; memory that its process has given up. Guest memory is unpinned exactly once.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>

#include "hostile.h"

#define PAGE SIDECAR_PAGE_SIZE
#define PATIENCE_MS 5000
#define SEGV (1000 + SIGSEGV)
#define BUS (1000 + SIGBUS)

static struct device witness;

static bool is_free(unsigned int cpu)
{
	struct sidecar_ioctl_cpu now = describe(&witness, cpu);

	return now.owned == 0 && now.state == SIDECAR_CPU_STATE_IDLE;
}

/* Once the last reference is gone, which may be a moment after its process. */
static bool pins_become(long long wanted)
{
	long long end = now_ms() + PATIENCE_MS;

	while (pinned_pages() != wanted && now_ms() < end)
		sleep_ms(2);
	if (pinned_pages() != wanted)
		tap_note("%lld pages are pinned, wanted %lld", pinned_pages(), wanted);
	return pinned_pages() == wanted;
}

static bool references_become(long long wanted)
{
	char text[16];

	snprintf(text, sizeof(text), "%lld", wanted);
	for (long long end = now_ms() + PATIENCE_MS; now_ms() < end; sleep_ms(2)) {
		FILE *file = fopen("/sys/module/sidecar/refcnt", "r");
		long long value = -1;

		if (file && fscanf(file, "%lld", &value) != 1)
			value = -1;
		if (file)
			fclose(file);
		if (value == wanted)
			return true;
	}
	return file_says("/sys/module/sidecar/refcnt", text);
}

/* ---- descriptors through a socket ------------------------------------------------------------ */

static void send_descriptor(int socket, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char byte = 0;
	struct iovec data = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	if (sendmsg(socket, &message, 0) != 1)
		_exit(90);
}

static int receive_descriptor(int socket)
{
	char byte, space[CMSG_SPACE(sizeof(int))];
	struct iovec data = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = space,
		.msg_controllen = sizeof(space),
	};
	int fd = -1;

	if (recvmsg(socket, &message, 0) == 1 && CMSG_FIRSTHDR(&message))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

static void new_sockets(int sockets[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
		exit(1);
}

static void test_in_flight(void)
{
	struct device device = device_open();
	int sockets[2];

	new_sockets(sockets);
	close(GIVE_GUEST(&device, endless_guest));
	tap_equal(start(&device, 1, SIDECAR_COMMAND_RUN_VP), 0, "a guest runs");
	send_descriptor(sockets[0], device.fd);
	device_close(&device);
	tap_check(is_free(1), "close stops it, though the descriptor is in a socket");
	tap_check(references_become(2), "where it keeps the module");
	device.fd = receive_descriptor(sockets[1]);
	device.shmem = map_shmem(device.fd);
	tap_equal(start(&device, 1, SIDECAR_COMMAND_RUN_VP), 0, "whoever takes it out can use it");
	tap_equal(wait_completion(&device, 50), -ETIME, "with the memory that it was attached to");
	send_descriptor(sockets[0], device.fd);
	device_close(&device);
	tap_check(is_free(1), "close stops that too");
	close(sockets[0]);
	close(sockets[1]);
	tap_check(references_become(1), "it goes with the socket");
	tap_check(pins_become(0), "and its memory with it");
}

/* The receiver runs a guest, by a claim of its own, and waits to be killed. */
static int receiver(int socket)
{
	struct device device = { .fd = receive_descriptor(socket) };
	char byte = 0;

	device.shmem = map_shmem(device.fd);
	if (!device.shmem || start(&device, 2, SIDECAR_COMMAND_RUN_VP))
		return 1;
	if (write(socket, &byte, 1) != 1)
		return 2;
	pause();
	return 3;
}

static void test_passed(void)
{
	struct device device = device_open();
	int sockets[2];
	char byte;
	pid_t child;

	new_sockets(sockets);
	close(GIVE_GUEST(&device, endless_guest));
	fflush(stdout);
	child = fork();
	if (child == 0) {
		close(device.fd);
		_exit(receiver(sockets[1]));
	}
	send_descriptor(sockets[0], device.fd);
	tap_equal(read(sockets[0], &byte, 1), 1, "another process runs a guest by a passed descriptor");
	tap_equal(start(&device, 1, SIDECAR_COMMAND_RUN_VP), 0, "so does the sender");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	tap_check(is_free(2), "SIGKILL of the receiver frees what it claimed");
	tap_equal(describe(&device, 1).state, SIDECAR_CPU_STATE_BUSY, "and nothing else");
	device_close(&device);
	close(sockets[0]);
	close(sockets[1]);
	tap_check(references_become(1) && pins_become(0), "nothing is left");
}

/* ---- fork and clone -------------------------------------------------------------------------- */

static int touch(void *page)
{
	return *(volatile uint8_t *)page & 0;
}

static int touch_inherited(void *device)
{
	return touch(((struct device *)device)->shmem);
}

static void test_mapping(void)
{
	struct device device = device_open();

	touch(device.shmem);
	tap_equal(in_child(touch_inherited, &device), SEGV, "a child does not inherit the mapping");
	tap_equal(madvise(device.shmem, SHMEM_SIZE, MADV_DOFORK) ? errno : 0, EINVAL,
		  "nor can that be changed");
	tap_equal(run(&device, 1, SIDECAR_COMMAND_NONE), 0, "a claim");
	close(device.fd);
	tap_check(is_free(1), "is gone although the mapping is there");
	tap_equal(run(&witness, 1, SIDECAR_COMMAND_NONE), 0, "another claims");
	tap_equal(in_child(touch_inherited, &device), SEGV, "the child's is still none");
	tap_check(references_become(2), "the mapping keeps the module");
	tap_check(system("rmmod sidecar 2>/dev/null") != 0, "which rmmod finds in use");
	munmap(device.shmem, SHMEM_SIZE);
	tap_check(references_become(1), "until it is unmapped");
}

/* Holds what it inherited until the pipe closes. */
static pid_t new_heir(int hold[2])
{
	pid_t heir;
	char byte;

	fflush(stdout);
	heir = fork();
	if (heir == 0) {
		close(hold[1]);
		_exit((int)read(hold[0], &byte, 1));
	}
	return heir;
}

static void release_heir(pid_t heir, int hold[2])
{
	close(hold[0]);
	close(hold[1]);
	waitpid(heir, NULL, 0);
}

static void test_heir_of_both(void)
{
	struct device device = device_open();
	int partition = GIVE_GUEST(&device, endless_guest), hold[2];
	pid_t heir;

	if (pipe2(hold, O_CLOEXEC))
		return;
	tap_equal(start(&device, 1, SIDECAR_COMMAND_RUN_VP), 0, "a guest runs");
	heir = new_heir(hold);
	close(partition);
	device_close(&device);
	tap_check(is_free(1), "close frees the VP, though a child has the descriptors");
	tap_equal(pinned_pages(), 1, "its memory stays with the child's partition");
	release_heir(heir, hold);
	tap_check(pins_become(0), "and goes with the child");
	tap_check(references_become(1), "as the module's references do");
}

/* Two processes with one table: the death of the one that claimed is no close. */
static int claimer(void *context)
{
	struct device *device = context;

	start(device, 1, SIDECAR_COMMAND_RUN_VP);
	start(device, 2, SIDECAR_COMMAND_NONE);
	return 0;
}

static int owner_of_shared_table(void *context)
{
	static char stack[65536] __attribute__((aligned(16)));
	struct device device = device_open();
	pid_t twin;

	(void)context;
	close(GIVE_GUEST(&device, endless_guest));
	twin = clone(claimer, stack + sizeof(stack), CLONE_FILES | CLONE_VM | SIGCHLD, &device);
	waitpid(twin, NULL, 0);
	if (describe(&device, 1).state != SIDECAR_CPU_STATE_BUSY)
		return 1;
	if (wait_completion(&device, 1000) != 2)
		return 2;
	raise(SIGKILL);
	return 3;
}

static void test_shared_table(void)
{
	tap_equal(in_child(owner_of_shared_table, NULL), 1000 + SIGKILL,
		  "a process that shares the table goes on when the claimer is gone");
	tap_check(is_free(1) && is_free(2), "SIGKILL of the last of them frees the VPs");
	tap_check(pins_become(0) && references_become(1), "and all that they had");
}

static int exec_away(void *context)
{
	struct device device = device_open(); /* close-on-exec */
	int partition = GIVE_GUEST(&device, endless_guest);
	int *done = context;

	start(&device, 3, SIDECAR_COMMAND_RUN_VP);
	close(partition);
	dup2(done[1], 1);
	execl("/bin/busybox", "sh", "-c", "echo; read x", NULL);
	return 1;
}

static void test_exec(void)
{
	int done[2];
	pid_t child;
	char byte;

	if (pipe2(done, O_CLOEXEC))
		return;
	fflush(stdout);
	child = fork();
	if (child == 0)
		_exit(exec_away(done));
	tap_equal(read(done[0], &byte, 1), 1, "a process with a running guest becomes another program");
	tap_check(is_free(3) && pins_become(0), "which closes the device and frees its VP");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(done[0]);
	close(done[1]);
}

/* ---- partitions ------------------------------------------------------------------------------ */

static void test_partition_alone(void)
{
	struct device first = device_open(), second;
	int partition = GIVE_GUEST(&first, halting_guest);

	tap_equal(run(&first, 1, SIDECAR_COMMAND_RUN_VP), 0, "a guest runs");
	device_close(&first);
	tap_equal(pinned_pages(), 1, "the partition keeps its memory without a device");
	second = device_open();
	tap_equal(control(second.fd, SIDECAR_IOC_PARTITION_ATTACH, partition), 0,
		  "another device gets it");
	tap_equal(run(&second, 2, SIDECAR_COMMAND_RUN_VP), 0, "its guest runs there");
	tap_equal(command_page(&second, 2)->intercept_message.header.type, HV_MESSAGE_HALT,
		  "until its HLT");
	close(partition);
	tap_equal(run(&second, 2, SIDECAR_COMMAND_NONE), 0, "a device without its partition's descriptor");
	tap_equal(pinned_pages(), 1, "keeps the memory");
	device_close(&second);
	tap_check(pins_become(0), "close unpins it");
}

static int map_and_die(void *context)
{
	int partition = *(int *)context;
	void *memory = new_memory(8 * PAGE);

	return map_memory(partition, 0, memory, 8 * PAGE, ALL_RIGHTS) || raise(SIGKILL);
}

/* The memory's process is gone: it stays pinned until whoever has the partition unmaps it. */
static void test_foreign_memory(void)
{
	struct device device = device_open();
	int partition = GIVE_GUEST(&device, halting_guest);

	tap_equal(in_child(map_and_die, &partition), 1000 + SIGKILL,
		  "a child maps memory of its own and is killed");
	tap_equal(pinned_pages(), 9, "the memory is the guest's still");
	tap_equal(run(&device, 1, SIDECAR_COMMAND_RUN_VP), 0, "which runs");
	tap_equal(unmap_memory(partition, 0, 8 * PAGE), 0, "UNMAP");
	tap_check(pins_become(1), "unpins it");
	tap_equal(unmap_memory(partition, 0, 8 * PAGE), ENOENT, "once");
	tap_equal(pinned_pages(), 1, "and no more than that");
	close(partition);
	device_close(&device);
	tap_check(pins_become(0), "close unpins the rest");
}

/* Real mode, CS at 0xffff0000: al = 0x77; cs:[0x100] = al; al = 0; al = cs:[0x100]; out 0x80, al */
static const uint8_t storing_guest[] = { 0xb0, 0x77, 0x2e, 0xa2, 0x00, 0x01, 0xb0,
					 0x00, 0x2e, 0xa0, 0x00, 0x01, 0xe6, 0x80 };

static uint8_t output_byte(struct device *device, unsigned int cpu)
{
	const struct hv_message *message = &command_page(device, cpu)->intercept_message;

	if (message->header.type != HV_MESSAGE_IO_PORT_INTERCEPT)
		return 0;
	return (uint8_t)((const struct hv_io_message *)message->payload)->rax;
}

static void test_given_up_memory(void)
{
	struct device device = device_open();
	int partition = GIVE_GUEST(&device, storing_guest);
	uint8_t *memory = new_memory(PAGE), *again;

	tap_equal(map_memory(partition, 0xffff0000, memory, PAGE, ALL_RIGHTS), 0, "MAP");
	munmap(memory, PAGE);
	again = mmap(memory, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		     -1, 0);
	tap_equal(pinned_pages(), 2, "munmap of the VMM's does not unpin");
	tap_equal(run(&device, 1, SIDECAR_COMMAND_RUN_VP), 0, "a guest writes there");
	tap_equal(output_byte(&device, 1), 0x77, "and reads it back");
	tap_equal(again[0x100], 0, "new memory at the old address is not the guest's");
	tap_equal(unmap_memory(partition, 0xffff0000, PAGE), 0, "UNMAP");
	tap_check(pins_become(1), "unpins what was given up");
	close(partition);
	device_close(&device);
	tap_check(pins_become(0), "close unpins the rest");
}

static const uint8_t reading_guest[] = { 0x2e, 0xa0, 0x00, 0x01, 0xe6, 0x80 };

/*
 * The VMM and its child share private memory until one of them writes, and then one has a copy: it
 * must be the child. What is only read by the guest is pinned in another way.
 */
static void check_fork(uint32_t rights, const char *name)
{
	struct device device = device_open();
	int partition = GIVE_GUEST(&device, reading_guest), hold[2];
	uint8_t *memory = new_memory(PAGE);
	pid_t heir;

	if (pipe2(hold, O_CLOEXEC))
		return;
	tap_equal(map_memory(partition, 0xffff0000, memory, PAGE, rights), 0, name);
	memory[0x100] = 1;
	heir = new_heir(hold);
	memory[0x100] = 2;
	tap_equal(run(&device, 1, SIDECAR_COMMAND_RUN_VP), 0, "a guest reads it after a fork");
	tap_equal(output_byte(&device, 1), 2, "and sees what the VMM has written since");
	release_heir(heir, hold);
	close(partition);
	device_close(&device);
	munmap(memory, PAGE);
	tap_check(pins_become(0), "close unpins it");
}

static void test_fork(void)
{
	check_fork(ALL_RIGHTS, "MAP memory that is written");
	check_fork(SIDECAR_MAP_READ, "MAP memory that is only read");
}

/* Two partitions share a page; each has its own pin of it. */
static void test_shared_page(void)
{
	struct device device = device_open();
	int first = -control(device.fd, SIDECAR_IOC_PARTITION_CREATE, 0);
	int second = -control(device.fd, SIDECAR_IOC_PARTITION_CREATE, 0);
	void *memory = new_memory(PAGE);

	tap_equal(map_memory(first, 0, memory, PAGE, ALL_RIGHTS), 0, "MAP a page");
	tap_equal(map_memory(first, PAGE, memory, PAGE, ALL_RIGHTS), 0, "MAP it twice");
	tap_equal(map_memory(second, 0, memory, PAGE, ALL_RIGHTS), 0, "MAP it in another partition");
	tap_equal(pinned_pages(), 3, "it has three pins");
	close(second);
	tap_check(pins_become(2), "close of one takes one");
	tap_equal(unmap_memory(first, 0, 2 * PAGE), 0, "UNMAP both");
	tap_equal(pinned_pages(), 0, "takes two");
	close(first);
	device_close(&device);
	tap_check(pins_become(0), "and none is taken twice");
	munmap(memory, PAGE);
}

/* ---- more than there is ---------------------------------------------------------------------- */

/*
 * The list of the pages alone would take all of the machine's memory: it must be refused before.
 * If it is not, Linux ends this process.
 */
static int map_too_much(void *context)
{
	const uint64_t pages = *(uint64_t *)context;
	struct device device = device_open();
	int partition = -control(device.fd, SIDECAR_IOC_PARTITION_CREATE, 0);
	int score = open("/proc/self/oom_score_adj", O_WRONLY);

	if (write(score, "1000", 4) != 4 || !become_ordinary())
		return 1;
	return map_memory(partition, 0, (void *)0x100000, pages * PAGE, ALL_RIGHTS);
}

static void test_too_much(void)
{
	uint64_t pages = (uint64_t)number_in("/proc/meminfo", "MemTotal:") * 1024 / 100 * 99 / 8;

	tap_equal(in_child(map_too_much, &pages), ENOMEM,
		  "a user's MAP far beyond RLIMIT_MEMLOCK is refused before it takes memory");
}

/* ---- a claim against a close ----------------------------------------------------------------- */

struct race {
	pthread_barrier_t begun;
	int fd;
	unsigned int delay_us;
};

static void *claim_late(void *context)
{
	struct race *race = context;

	pthread_barrier_wait(&race->begun);
	usleep(race->delay_us);
	control(race->fd, random64() & 1 ? SIDECAR_IOC_CLAIM : SIDECAR_IOC_START, 1);
	return NULL;
}

/* The file outlives the close in a socket; a claim that comes too late must not live in it. */
static unsigned int one_race(unsigned int delay_us)
{
	struct device device = device_open();
	struct race race = { .fd = device.fd, .delay_us = delay_us };
	pthread_t thread;
	unsigned int lost;
	int sockets[2];

	new_sockets(sockets);
	send_descriptor(sockets[0], device.fd);
	pthread_barrier_init(&race.begun, NULL, 2);
	pthread_create(&thread, NULL, claim_late, &race);
	pthread_barrier_wait(&race.begun);
	usleep(random_below(300));
	close(device.fd);
	pthread_join(thread, NULL);
	lost = describe(&witness, 1).owned != 0;
	munmap(device.shmem, SHMEM_SIZE);
	close(sockets[0]);
	close(sockets[1]);
	return lost;
}

static void test_claim_race(void)
{
	unsigned long rounds = rounds_of("claim against close", 300, 20000), i;
	unsigned int lost = 0;

	for (i = 0; i < rounds; i++)
		lost += one_race(random_below(300));
	tap_equal(lost, 0, "no claim outlives the close of its descriptor");
}

int main(void)
{
	tap_equal(insert_module("cpus=1-3"), 0, "insmod");
	witness = device_open();
	tap_check(references_become(1), "the module has one user");
	test_in_flight();
	test_passed();
	test_heir_of_both();
	test_shared_table();
	test_exec();
	test_partition_alone();
	test_foreign_memory();
	test_given_up_memory();
	test_shared_page();
	test_fork();
	test_too_much();
	test_claim_race();
	test_mapping();
	device_close(&witness);
	tap_check(references_become(0), "the module has no user");
	check_cpus("at last");
	return tap_done();
}
