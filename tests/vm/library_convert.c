// SPDX-License-Identifier: MIT
/*
 * R12: conversions of several CPUs at once, beside a shell loop that takes and gives back another
 * CPU and so holds Linux's hotplug lock again and again. Every guest runs until its turn. Over each
 * transport. Brings CPUs online, so it comes last in its boot.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "device.h"
#include "transports.h"

/* CPUs 1 to 6; 7 is the loop's. */
#define FIRST 1u
#define COUNT 6u
#define LOOP_CPU "7"
#define SIZE (4 * 4096u)
#define SECOND 1000000000ull

/* From 0x1000: INC dword [0x2000]; JMP back. 16 bits. */
#define CODE 0x1000u
#define COUNTER 0x2000u
static const uint8_t code[] = {0x66, 0xff, 0x06, 0x00, 0x20, 0xeb, 0xf9};

struct one {
	struct sidecar_vp *vp;
	uint8_t *memory;
	struct sidecar_partition *partition;
	struct sidecar_vp_state state;
	unsigned int runs; /* that ended with an intercept: without memory, each does at once */
	uint32_t cpu;
	int result;
	uint64_t stopped_ns, converted_ns;
	pthread_t thread;
};

static struct one ones[COUNT];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t order[COUNT];
static unsigned int converted;

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

/* Changes as long as the guest is run. */
static uint32_t count_of(const struct one *one)
{
	if (!one->partition)
		return __atomic_load_n(&one->runs, __ATOMIC_RELAXED);
	return __atomic_load_n((uint32_t *)(one->memory + COUNTER), __ATOMIC_RELAXED);
}

static int is_online(const char *cpu)
{
	char path[64], text = '0';
	int fd;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%s/online", cpu);
	fd = open(path, O_RDONLY);
	if (read(fd, &text, 1) != 1)
		text = '?';
	close(fd);
	return text == '1';
}

/* The loop ends with its CPU offline, when it is told to. */
static pid_t start_loop(void)
{
	pid_t child = fork();

	if (child)
		return child;
	execl("/bin/sh", "sh", "-c",
	      "cd /sys/devices/system/cpu/cpu" LOOP_CPU "\n"
	      "while [ ! -e /tmp/stop ]; do\n"
	      "	echo 1 >online && echo 0 >online && echo >>/tmp/toggles\n"
	      "done", NULL);
	_exit(127);
}

static unsigned long toggles(void)
{
	FILE *file = fopen("/tmp/toggles", "r");
	unsigned long lines = 0;
	int byte;

	while (file && (byte = fgetc(file)) != EOF)
		lines += byte == '\n';
	if (file)
		fclose(file);
	return lines;
}

static int start_registers(struct sidecar_vp *vp)
{
	const struct hv_segment segment = {.limit = 0xffff, .attributes = 0x93};
	const struct hv_segment code_segment = {.limit = 0xffff, .attributes = 0x9b};
	struct hv_register_assoc regs[] = {
		{.name = HV_REGISTER_CS}, {.name = HV_REGISTER_DS},
		{.name = HV_REGISTER_RIP, .value.low = CODE},
		{.name = HV_REGISTER_RBX, .value.low = 0xb0b0},
	};

	memcpy(&regs[0].value, &code_segment, sizeof(code_segment));
	memcpy(&regs[1].value, &segment, sizeof(segment));
	return sidecar_vp_set_registers(vp, HV_VTL_0, regs, 4);
}

static bool give_memory(struct sidecar *client, struct one *one)
{
	if (sidecar_memory_alloc(client, 0, SIZE, SIDECAR_MEMORY_POPULATE, (void **)&one->memory))
		return false;
	memcpy(one->memory + CODE, code, sizeof(code));
	return !sidecar_partition_create(client, &one->partition) &&
	       !sidecar_partition_map(one->partition, 0, one->memory, SIZE,
				      SIDECAR_MAP_READ | SIDECAR_MAP_WRITE | SIDECAR_MAP_EXECUTE);
}

static bool start_one(struct sidecar *client, struct one *one, uint32_t cpu)
{
	struct sidecar_node_info info;

	*one = (struct one){ .cpu = cpu };
	sidecar_node_info(client, 0, &info);
	if (info.capabilities & SIDECAR_CAP_PARTITIONS && !give_memory(client, one))
		return false;
	return !sidecar_vp_create(client, cpu, one->partition, &one->vp) &&
	       !start_registers(one->vp);
}

/* Its end. A guest with memory runs without an intercept until then. */
static enum sidecar_event_kind run_until_turn(struct one *one)
{
	struct sidecar_event event = {0};

	do {
		one->result = sidecar_vp_run(one->vp, SIDECAR_NO_DEADLINE, &event);
		__atomic_add_fetch(&one->runs, 1, __ATOMIC_RELAXED);
	} while (!one->result && !one->partition && event.kind == SIDECAR_EVENT_INTERCEPT);
	return event.kind;
}

static void *run_until_converted(void *argument)
{
	struct one *one = argument;
	enum sidecar_event_kind kind = run_until_turn(one);

	if (!one->result && kind != SIDECAR_EVENT_TURN)
		one->result = -EPROTO;
	one->stopped_ns = now();
	pthread_mutex_lock(&lock);
	order[converted++] = one->cpu;
	pthread_mutex_unlock(&lock);
	if (!one->result)
		one->result = sidecar_vp_save(one->vp, &one->state);
	if (!one->result)
		one->result = sidecar_vp_convert(one->vp, now() + 60 * SECOND);
	one->converted_ns = now();
	return NULL;
}

static void wait_until_all_run(void)
{
	for (unsigned int i = 0; i < COUNT; i++)
		while (!count_of(&ones[i]))
			usleep(1000);
}

static uint64_t saved_register(const struct sidecar_vp_state *state, uint32_t name)
{
	for (uint32_t i = 0; i < state->count; i++)
		if (state->registers[i].name == name)
			return state->registers[i].value.low;
	return UINT64_MAX;
}

static void check_one(struct one *one, unsigned int place)
{
	char cpu[12];
	cpu_set_t set;

	snprintf(cpu, sizeof(cpu), "%u", one->cpu);
	tap_equal((unsigned long long)-one->result, 0, "it was its turn, and it was converted");
	if (one->result)
		tap_note("CPU %u: %s", one->cpu, sidecar_vp_error(one->vp)->text);
	tap_equal(order[place], one->cpu, "first come, first served");
	tap_check(is_online(cpu), "CPU %u is Linux's", one->cpu);
	tap_check(saved_register(&one->state, HV_REGISTER_RIP) - CODE < sizeof(code) &&
		  one->state.context.gps[SIDECAR_GP_RBX] == 0xb0b0, "its state was saved");
	CPU_ZERO(&set);
	CPU_SET(one->cpu, &set);
	tap_check(!sched_setaffinity(0, sizeof(set), &set) && sched_getcpu() == (int)one->cpu,
		  "a program runs on it");
	tap_note("CPU %u: stood still for %llu us", one->cpu,
		 (unsigned long long)(one->converted_ns - one->stopped_ns) / 1000);
	sidecar_vp_destroy(one->vp);
	if (one->partition) {
		sidecar_partition_close(one->partition);
		sidecar_memory_free(one->memory, SIZE);
	}
}

/* Those at the end of the line have run while those before them were converted. */
static void test_line(void)
{
	uint32_t before = count_of(&ones[COUNT - 1]);

	for (unsigned int i = 0; i < COUNT; i++)
		tap_equal((unsigned long long)sidecar_vp_request_conversion(ones[i].vp), 0,
			  "asks for its conversion");
	while (__atomic_load_n(&converted, __ATOMIC_RELAXED) < COUNT - 1)
		usleep(500);
	tap_check(count_of(&ones[COUNT - 1]) != before, "the last one's guest went on meanwhile");
	for (unsigned int i = 0; i < COUNT; i++)
		pthread_join(ones[i].thread, NULL);
}

static bool start_all(struct sidecar *client)
{
	converted = 0;
	for (unsigned int i = 0; i < COUNT; i++) {
		if (!tap_check(start_one(client, &ones[i], FIRST + i * 5 % COUNT), "a guest")) {
			tap_note("%s", sidecar_error(client)->text);
			return false;
		}
	}
	for (unsigned int i = 0; i < COUNT; i++)
		pthread_create(&ones[i].thread, NULL, run_until_converted, &ones[i]);
	wait_until_all_run();
	return true;
}

static void test_beside_loop(void)
{
	pid_t loop;
	int status;

	unlink("/tmp/stop");
	unlink("/tmp/toggles");
	loop = start_loop();
	while (!toggles())
		usleep(1000);
	test_line();
	close(open("/tmp/stop", O_CREAT | O_WRONLY, 0600));
	tap_check(waitpid(loop, &status, 0) == loop && status == 0, "the loop was never refused");
	tap_note("%lu times CPU " LOOP_CPU " came and went", toggles());
}

/* All CPUs are Linux's in the end. */
static void test_all(const struct transport *transport)
{
	struct sidecar *client;

	tap_equal(insert_module("cpus=1-6"), 0, "insmod");
	client = open_transport(transport);
	if (!client)
		return;
	if (start_all(client)) {
		test_beside_loop();
		for (unsigned int i = 0; i < COUNT; i++)
			check_one(&ones[i], i);
	}
	tap_equal((unsigned long long)-sidecar_close(client), 0, "close");
}

/* As the machine was: the module gone and no CPU but the first one Linux's. */
static void reset_machine(void)
{
	const char commands[] =
		"rmmod sidecar && cd /sys/devices/system/cpu &&\n"
		"for cpu in cpu[1-6]; do echo 0 >$cpu/online || exit 1; done";

	tap_check(system(commands) == 0, "the CPUs go back offline");
}

int main(void)
{
	for (unsigned int i = 0; i < TRANSPORTS; i++) {
		if (i > 0)
			reset_machine();
		test_all(&transports[i]);
	}
	return tap_done();
}
