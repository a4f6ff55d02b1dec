// SPDX-License-Identifier: MIT
/*
 * R6: a VMM is killed at every step of every operation. Afterwards another process claims every
 * CPU at once and runs a guest there, and Linux has back what the VMM had: pinned memory, open
 * files, references to the module, interrupts. The environment may have SEED and ROUNDS.
 */
#include <liburing.h>
#include <pthread.h>

#include "lifetime.h"

#define PAGES 256u
#define AREA (PAGES * SIDECAR_PAGE_SIZE)
#define WARM_UP 8u
#define CONVERTED 3u
#define CONVERT_KILLS 3u
#define PATIENCE_MS 5000

/* ---- the VMM that dies ----------------------------------------------------------------------- */

static _Atomic unsigned int *progress; /* shared with the parent: the step that it is at */

static struct device device;
static struct io_uring ring;
static int partition;
static uint8_t *memory;

static void step_open(void)
{
	device.fd = open(DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
}

static void step_mmap(void)
{
	device.shmem = map_shmem(device.fd);
}

static void step_partition(void)
{
	partition = -control(device.fd, SIDECAR_IOC_PARTITION_CREATE, 0);
	memory = new_memory(AREA);
	memcpy(memory + RESET_OFFSET, endless_guest, sizeof(endless_guest));
}

static void step_map(void)
{
	map_memory(partition, RESET_PAGE, memory, SIDECAR_PAGE_SIZE, ALL_RIGHTS);
}

static void step_attach(void)
{
	control(device.fd, SIDECAR_IOC_PARTITION_ATTACH, partition);
}

static void step_claim(void)
{
	control(device.fd, SIDECAR_IOC_CLAIM, 1);
}

static void step_command(void)
{
	run(&device, 1, SIDECAR_COMMAND_NONE);
}

static void step_registers(void)
{
	struct sidecar_registers_request *request = (void *)command_page(&device, 1)->request_data;

	*request = (struct sidecar_registers_request){ .count = 31, .target_vtl = HV_VTL_0 };
	run(&device, 1, SIDECAR_COMMAND_GET_REGISTERS);
}

static void step_start(void)
{
	start(&device, 1, SIDECAR_COMMAND_RUN_VP);
	start(&device, 2, SIDECAR_COMMAND_RUN_VP);
}

static void step_map_running(void)
{
	map_memory(partition, 0, memory, AREA, ALL_RIGHTS);
}

static void step_unmap_running(void)
{
	unmap_memory(partition, 0, AREA);
}

static void step_many_maps(void)
{
	for (unsigned int i = 0; i < 20; i++) {
		map_memory(partition, 0, memory, AREA, ALL_RIGHTS);
		unmap_memory(partition, 0, AREA);
	}
}

static void step_stop(void)
{
	control(device.fd, SIDECAR_IOC_STOP, 1);
	control(device.fd, SIDECAR_IOC_CANCEL, 2);
}

static void step_read(void)
{
	wait_completion(&device, 1000);
	wait_completion(&device, 1000);
}

static void *cancel_later(void *unused)
{
	sleep_ms(3);
	control(device.fd, SIDECAR_IOC_CANCEL, 1);
	return unused;
}

static void step_run(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, cancel_later, NULL);
	run(&device, 1, SIDECAR_COMMAND_RUN_VP);
	pthread_join(thread, NULL);
}

static void step_ring(void)
{
	io_uring_queue_init(16, &ring, 0);
}

static void submit(unsigned int cpu)
{
	struct sidecar_uring_cmd payload = { .cpu = cpu };
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	if (!sqe)
		abort();
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = device.fd;
	sqe->cmd_op = SIDECAR_URING_START;
	memcpy(sqe->cmd, &payload, sizeof(payload));
	set_command(&device, cpu, SIDECAR_COMMAND_RUN_VP);
}

static void step_submit(void)
{
	submit(1);
	submit(3);
	io_uring_submit(&ring);
}

static void step_unmap_code(void)
{
	unmap_memory(partition, RESET_PAGE, SIDECAR_PAGE_SIZE);
}

static void step_reap(void)
{
	struct io_uring_cqe *cqe;

	for (unsigned int i = 0; i < 2; i++) {
		if (io_uring_wait_cqe(&ring, &cqe) == 0)
			io_uring_cqe_seen(&ring, cqe);
	}
	step_map();
	step_submit();
}

static void step_close_partition(void)
{
	close(partition);
}

static void step_close(void)
{
	close(device.fd);
}

static const struct {
	const char *name;
	void (*take)(void);
} steps[] = {
	{"open", step_open},
	{"mmap", step_mmap},
	{"create", step_partition},
	{"map", step_map},
	{"attach", step_attach},
	{"claim", step_claim},
	{"a command", step_command},
	{"registers", step_registers},
	{"start", step_start},
	{"map while running", step_map_running},
	{"unmap while running", step_unmap_running},
	{"many of both", step_many_maps},
	{"stop", step_stop},
	{"read", step_read},
	{"run", step_run},
	{"a ring", step_ring},
	{"submit", step_submit},
	{"unmap the code", step_unmap_code},
	{"reap and submit", step_reap},
	{"close of the partition", step_close_partition},
	{"close", step_close},
};

static int vmm(void)
{
	for (unsigned int i = 0; i < COUNT(steps); i++) {
		atomic_store(progress, i + 1);
		steps[i].take();
	}
	atomic_store(progress, COUNT(steps) + 1);
	pause();
	return 1;
}

/* ---- kills ----------------------------------------------------------------------------------- */

static bool same(const struct counts *before, const struct counts *now)
{
	return now->pinned == before->pinned && now->references == before->references &&
	       now->lines == before->lines;
}

/* A ring's last references go a little after its process. */
static bool settled(const struct counts *before, struct counts *now)
{
	long long end = now_ms() + PATIENCE_MS;

	*now = count();
	while (!same(before, now) && now_ms() < end) {
		sleep_ms(5);
		*now = count();
	}
	if (same(before, now))
		return true;
	tap_note("pinned %lld, were %lld; references %lld, were %lld; interrupts %lld, were %lld",
		 now->pinned, before->pinned, now->references, before->references, now->lines,
		 before->lines);
	return false;
}

static pid_t begin_vmm(int (*body)(void))
{
	pid_t child;

	atomic_store(progress, 0);
	fflush(stdout);
	child = fork();
	if (child == 0)
		_exit(body());
	return child;
}

static void kill_in(pid_t child, unsigned int step)
{
	while (atomic_load(progress) < step && waitpid(child, NULL, WNOHANG) == 0)
		usleep(50);
	if (random_below(4))
		usleep(random_below(random_below(8) ? 400 : 20000));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* Claim and command by another process, at once: no second try. */
static bool usable(void)
{
	struct device mine = device_open();
	bool good = true;

	for (unsigned int cpu = CPU_FIRST; cpu < CPUS; cpu++) {
		int error = run(&mine, cpu, SIDECAR_COMMAND_NONE);

		if (!error)
			continue;
		tap_note("CPU %u: %s", cpu, strerror(error));
		good = false;
	}
	device_close(&mine);
	return good;
}

static bool killed_well(unsigned int step, const struct counts *before)
{
	struct counts now;
	long long begin;
	bool good;

	kill_in(begin_vmm(vmm), step);
	begin = now_ms();
	good = usable();
	if (now_ms() - begin > PATIENCE_MS)
		good = false;
	if (!settled(before, &now))
		good = false;
	if (!good)
		tap_note("killed in step %u, %s", step,
			 step && step <= COUNT(steps) ? steps[step - 1].name : "before or after");
	return good;
}

static void test_kills(void)
{
	unsigned long rounds = rounds_of("kills", 50, 1000), i, bad = 0;
	struct counts before = count(), warm = before, after;

	for (i = 0; i < rounds; i++) {
		bad += !killed_well(i % (COUNT(steps) + 2), &before);
		if (i + 1 == WARM_UP)
			warm = count();
	}
	tap_check(bad == 0, "R6: after each of %lu kills every CPU can be used at once, and nothing is left",
		  rounds);
	after = count();
	tap_equal(after.pinned, 0, "no page is pinned");
	tap_equal(after.references, 0, "the module has no reference");
	tap_equal(after.lines, before.lines, "the interrupts are those of before");
	tap_check(after.files - warm.files < FILES_SLACK, "open files: %lld, were %lld",
		  after.files, warm.files);
	tap_check(warm.available - after.available < MEMORY_SLACK_KIB,
		  "memory: %lld KiB available, were %lld", after.available, warm.available);
}

/* ---- conversion ------------------------------------------------------------------------------ */

static int online(unsigned int cpu)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", cpu);
	return (int)first_number(path);
}

static int converter(void)
{
	char path[64];
	int fd;

	step_open();
	step_mmap();
	step_partition();
	step_map();
	step_attach();
	start(&device, 1, SIDECAR_COMMAND_RUN_VP);
	run(&device, CONVERTED, SIDECAR_COMMAND_NONE);
	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", CONVERTED);
	fd = open(path, O_WRONLY);
	atomic_store(progress, 1);
	if (write(fd, "1", 1) != 1)
		return 1;
	atomic_store(progress, 2);
	pause();
	return 1;
}

/* Neither Linux's nor the sidecar's would be a CPU in limbo (R8). */
static bool converted_well(unsigned int step)
{
	struct device witness;
	int error, is_online;

	kill_in(begin_vmm(converter), step);
	witness = device_open();
	error = run(&witness, 1, SIDECAR_COMMAND_NONE);
	error += run(&witness, 2, SIDECAR_COMMAND_NONE);
	is_online = online(CONVERTED);
	if (!error)
		error = run(&witness, CONVERTED, SIDECAR_COMMAND_NONE) != (is_online ? ENOENT : 0);
	if (error)
		tap_note("step %u: error %d, CPU %u online: %d", step, error, CONVERTED, is_online);
	device_close(&witness);
	return !error;
}

static void take_offline(unsigned int cpu)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", cpu);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, "0", 1) != 1)
		tap_note("%s: %s", path, strerror(errno));
	close(fd);
}

/* With a module of its own each, so that the CPU is the sidecar's again. */
static void test_conversions(void)
{
	unsigned long rounds = environment("SIDECAR_TEST_LONG", 0) ? 60 : CONVERT_KILLS, bad = 0;

	for (unsigned long i = 0; i < rounds; i++) {
		bad += !converted_well(i % 3);
		bad += system("rmmod sidecar") != 0;
		if (online(CONVERTED))
			take_offline(CONVERTED);
		bad += insert_module("cpus=1-3") != 0;
	}
	tap_check(bad == 0, "R8: kills during a conversion leave each CPU to one side");
}

int main(void)
{
	progress = mmap(NULL, SIDECAR_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	tap_equal(insert_module("cpus=1-3"), 0, "insmod");
	test_kills();
	check_cpus("after the kills");
	test_conversions();
	check_cpus("after the conversions");
	return tap_done();
}
