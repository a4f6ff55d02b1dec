// SPDX-License-Identifier: MIT
/*
 * Whatever a sidecar CPU may write where the library reads: the command page, the register page,
 * and completions. The library must neither crash nor hang nor read outside (the pages are a heap
 * block, for the address sanitizer), and what it tells its user must make sense.
 *
 * An input is a program: which driver it is, then steps of one operation each, with what is
 * scribbled over the pages before it, and after the answer that a CPU would have given.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <sidecar/sidecar.h>

#include "driver.h"

#define INPUTS 20000u
#define MAX_INPUT 512u
#define POOL 64u
#define CPUS 4u
#define CPU 2u
#define PENDING 8u
#define MAX_STEPS 24u
#define TIMEOUT_NS 300000u
#define RUN_NS 100000u
#define MAX_COUNT 40u /* of registers: more than one command takes */
#define HANDLE 7
#define ONE_HANG_S 20u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *data;
	size_t size;
};

/* The driver, and the CPU too. */
static struct {
	struct input input; /* what is left of it */
	uint64_t capabilities;
	uint8_t *memory;
	int completions;
	uint32_t pending[PENDING];
	unsigned int pending_count;
} machine;

static void check(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "the library said what makes no sense: %s\n", what);
	abort();
}

/* ---- the input ---- */

static uint8_t next8(void)
{
	if (!machine.input.size)
		return 0;
	machine.input.size--;
	return *machine.input.data++;
}

static uint32_t next32(void)
{
	uint32_t value = 0;

	for (unsigned int i = 0; i < 4; i++)
		value = value << 8 | next8();
	return value;
}

static struct sidecar_command_page *page(void)
{
	return (void *)(machine.memory + CPU * SIDECAR_PER_CPU_SHMEM);
}

/* Where the library looks, and sometimes anywhere else. */
static size_t next_place(void)
{
	static const size_t places[] = {
		0, offsetof(struct sidecar_command_page, has_error),
		offsetof(struct sidecar_command_page, intercept_message),
		offsetof(struct sidecar_command_page, error),
		offsetof(struct sidecar_command_page, request_data),
		offsetof(struct sidecar_command_page, request_data) + 4,
		offsetof(struct sidecar_command_page, request_data) + 16,
		SIDECAR_PAGE_SIZE, /* the register page */
	};
	unsigned int kind = next8() % 16;

	if (kind < sizeof(places) / sizeof(places[0]))
		return places[kind] + next8() % 64;
	return (next8() << 8 | next8()) % SIDECAR_PER_CPU_SHMEM;
}

static void scribble(void)
{
	unsigned int patches = next8() % 4;

	while (patches--) {
		size_t place = next_place(), length = 1 + next8() % 32;
		uint8_t fill = next8();

		for (; length-- && place < SIDECAR_PER_CPU_SHMEM; place++)
			((uint8_t *)page())[place] = fill & 1 ? next8() : fill;
	}
}

/* ---- the CPU ---- */

static void answer(void)
{
	struct sidecar_registers_request *registers = (void *)page()->request_data;
	uint8_t *result = (void *)page()->request_data;

	page()->has_error = 0;
	switch (page()->command) {
	case SIDECAR_COMMAND_RUN_VP:
		*result = SIDECAR_RUN_INTERCEPT;
		page()->intercept_message.header.type = HV_MESSAGE_IO_PORT_INTERCEPT;
		break;
	case SIDECAR_COMMAND_GET_REGISTERS:
	case SIDECAR_COMMAND_SET_REGISTERS:
		registers->status = 0;
		break;
	case SIDECAR_COMMAND_TRANSLATE_GVA:
		memset(result, 0, sizeof(struct sidecar_translate_response));
		break;
	}
	page()->command = SIDECAR_COMMAND_NONE;
}

static void complete(uint32_t cpu)
{
	if (machine.pending_count == PENDING)
		return;
	machine.pending[machine.pending_count++] = cpu;
	eventfd_write(machine.completions, 1);
}

/* One of four does not answer, and one of sixteen not even by a completion. */
static void execute(void)
{
	uint8_t how = next8();

	if (how & 3 || !how)
		answer();
	scribble();
	if ((how & 15) != 12)
		complete(CPU);
	if ((how & 48) == 48)
		complete(next32());
	if ((how & 192) == 192)
		complete(next8() % (CPUS + 1));
}

/* ---- the driver ---- */

static int node_open(void *context, uint32_t index)
{
	(void)context;
	return index ? -ENOENT : HANDLE;
}

static void close_handle(void *context, int handle)
{
	(void)context;
	(void)handle;
}

static int node_info(void *context, int node, struct sidecar_node_ioctl_info *info)
{
	(void)context;
	(void)node;
	info->base_cpu = 0;
	info->cpu_count = CPUS;
	info->per_cpu_shmem = SIDECAR_PER_CPU_SHMEM;
	return 0;
}

static int node_caps(void *context, int node, struct sidecar_ioctl_caps *caps)
{
	(void)context;
	(void)node;
	caps->capabilities = machine.capabilities;
	caps->backend = SIDECAR_BACKEND_SVM;
	caps->node_count = 1;
	caps->timeout_ms = 1;
	return machine.capabilities ? 0 : -ENOTTY;
}

static int cpu_info(void *context, int node, struct sidecar_ioctl_cpu *info)
{
	(void)context;
	(void)node;
	info->state = SIDECAR_CPU_STATE_IDLE;
	info->owned = 1;
	return 0;
}

static int node_map(void *context, int node, size_t length, void **memory)
{
	(void)context;
	(void)node;
	check(length == CPUS * SIDECAR_PER_CPU_SHMEM, "the length of the mapping");
	*memory = machine.memory;
	return 0;
}

static void node_unmap(void *context, void *memory, size_t length)
{
	(void)context;
	(void)memory;
	(void)length;
}

static int start(void *context, int node, uint32_t cpu)
{
	(void)context;
	(void)node;
	check(cpu == CPU, "another CPU");
	execute();
	return 0;
}

/* RUN returns when the CPU is idle. */
static int run(void *context, int node, uint32_t cpu)
{
	unsigned int pending = machine.pending_count;
	uint8_t how = next8();

	start(context, node, cpu);
	machine.pending_count = pending;
	if ((how & 31) == 31)
		return -EINTR;
	return (how & 31) == 30 ? -ECANCELED : 0;
}

static int claim(void *context, int node, uint32_t cpu)
{
	(void)context;
	(void)node;
	(void)cpu;
	return 0;
}

static int stop(void *context, int node, uint32_t cpu)
{
	(void)context;
	(void)node;
	(void)cpu;
	return 0;
}

static int read_completion(void *context, int node, uint32_t *cpu)
{
	eventfd_t count;

	(void)context;
	(void)node;
	if (!machine.pending_count) {
		eventfd_read(machine.completions, &count);
		return -EAGAIN;
	}
	*cpu = machine.pending[--machine.pending_count];
	return 0;
}

static int poll_fd(void *context, int node)
{
	(void)context;
	(void)node;
	return machine.completions;
}

static int online_open(void *context, uint32_t cpu)
{
	(void)context;
	(void)cpu;
	return -EACCES;
}

static const struct sidecar_driver driver = {
	.node_open = node_open,
	.node_close = close_handle,
	.node_info = node_info,
	.node_caps = node_caps,
	.cpu_info = cpu_info,
	.node_map = node_map,
	.node_unmap = node_unmap,
	.start = start,
	.run = run,
	.claim = claim,
	.stop = stop,
	.cancel = stop,
	.read_completion = read_completion,
	.poll_fd = poll_fd,
	.online_open = online_open,
};

/* ---- the user ---- */

static uint64_t soon(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec + RUN_NS;
}

static void check_error(const struct sidecar_error *error, int code, size_t count)
{
	size_t length = strnlen(error->text, sizeof(error->text));

	check(length > 0 && length < sizeof(error->text), "a text without an end");
	for (size_t i = 0; i < length; i++)
		check((unsigned char)error->text[i] >= ' ', "a text of several lines");
	check(error->code == code, "the code of the error");
	if (error->kind == SIDECAR_ERROR_HYPERVISOR)
		check(error->index < count || error->index == SIDECAR_NO_INDEX, "its index");
	else
		check(error->kind > SIDECAR_ERROR_NONE && error->kind <= SIDECAR_ERROR_CANCELLED,
		      "its kind");
}

static void check_message(const struct hv_message *message)
{
	const struct hv_io_message *io = (const void *)message->payload;

	check(message->header.length <= HV_MESSAGE_PAYLOAD_SIZE, "a message too long");
	if (message->header.type == HV_MESSAGE_IO_PORT_INTERCEPT)
		check(io->instruction_byte_count <= 16, "an instruction too long");
}

static void check_event(struct sidecar_vp *vp, const struct sidecar_event *event, size_t count)
{
	switch (event->kind) {
	case SIDECAR_EVENT_INTERCEPT:
		check_message(sidecar_vp_message(vp));
		/* fall through */
	case SIDECAR_EVENT_DONE:
		check(event->error == 0, "a success with an error");
		break;
	case SIDECAR_EVENT_CANCELLED:
		break;
	case SIDECAR_EVENT_ERROR:
	case SIDECAR_EVENT_FAILED:
		check(event->error < 0, "an error without a code");
		check_error(sidecar_vp_error(vp), event->error, count);
		break;
	default:
		check(false, "the kind of an event");
	}
}

/* Of the heap, and no larger than said. */
static struct hv_register_assoc *make_registers(size_t count)
{
	static const uint32_t names[] = {
		HV_REGISTER_RIP, HV_REGISTER_RAX, HV_REGISTER_RSP, HV_REGISTER_LSTAR,
		HV_REGISTER_CR0, HV_REGISTER_XMM0, HV_REGISTER_GS, HV_REGISTER_RFLAGS,
		HV_REGISTER_STAR, HV_REGISTER_XMM_CONTROL_STATUS, HV_REGISTER_EFER,
		HV_REGISTER_CR8, HV_REGISTER_PENDING_INTERRUPTION, HV_REGISTER_DR7,
	};
	struct hv_register_assoc *regs = calloc(count ? count : 1, sizeof(*regs));

	check(regs != NULL, "no memory");
	for (size_t i = 0; i < count; i++) {
		regs[i].name = names[next8() % (sizeof(names) / sizeof(names[0]))];
		regs[i].value.low = next8();
	}
	return regs;
}

static void use_registers(struct sidecar_vp *vp, bool set)
{
	size_t count = next8() % MAX_COUNT;
	struct hv_register_assoc *regs = make_registers(count);
	uint8_t vtl = next8() & 1 ? HV_VTL_CURRENT : HV_VTL_0;
	int error;

	error = set ? sidecar_vp_set_registers(vp, vtl, regs, count) :
		      sidecar_vp_get_registers(vp, vtl, regs, count);
	if (error)
		check_error(sidecar_vp_error(vp), error, count);
	free(regs);
}

static void use_state(struct sidecar_vp *vp)
{
	struct sidecar_vp_state *state = malloc(sizeof(*state));

	check(state != NULL, "no memory");
	if (!sidecar_vp_save(vp, state)) {
		check(state->count <= SIDECAR_VP_STATE_REGISTERS, "the size of a state");
		sidecar_vp_restore(vp, state);
	}
	free(state);
}

static void use_translation(struct sidecar_vp *vp)
{
	const uint64_t flags = (uint64_t)HV_VTL_0 << HV_TRANSLATE_VTL_SHIFT;
	struct hv_translate_output output;
	int error = sidecar_vp_translate(vp, next32(), flags, &output);

	if (error)
		check_error(sidecar_vp_error(vp), error, 0);
}

static void use_run(struct sidecar_vp *vp)
{
	struct sidecar_event event = { .kind = SIDECAR_EVENT_NONE };

	if (next8() & 1)
		sidecar_vp_cancel(vp);
	sidecar_vp_run(vp, soon(), &event);
	check_event(vp, &event, 0);
}

static int prepare(struct sidecar_queue *queue, struct sidecar_vp *vp,
		   struct hv_register_assoc *regs, size_t count)
{
	switch (next8() % 4) {
	case 0:
		return sidecar_queue_prepare_get_registers(queue, vp, HV_VTL_0, regs, count, 1);
	case 1:
		return sidecar_queue_prepare_set_registers(queue, vp, HV_VTL_0, regs, count, 1);
	case 2:
		return sidecar_queue_prepare_test(queue, vp, 1);
	default:
		return sidecar_queue_prepare_run_until(queue, vp, soon(), 1);
	}
}

/* Exactly one event, and no more. */
static void use_queue(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	size_t count = next8() % MAX_COUNT;
	struct hv_register_assoc *regs = make_registers(count);
	struct sidecar_event events[2];
	int error = sidecar_queue_attach(queue, vp);

	if (!error && !prepare(queue, vp, regs, count)) {
		check(sidecar_queue_wait(queue, events, 2, 1, SIDECAR_NO_DEADLINE) == 1,
		      "the number of events");
		check(events[0].vp == vp && events[0].user == 1, "an event of another");
		check_event(vp, &events[0], count);
		check(sidecar_queue_wait(queue, events, 2, 1, SIDECAR_NO_DEADLINE) == 0,
		      "a second event");
	}
	if (!error)
		check(sidecar_queue_detach(queue, vp) == 0, "no way out of the queue");
	free(regs);
}

static void take_step(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	scribble();
	switch (next8() % 9) {
	case 0:
	case 1:
		use_run(vp);
		break;
	case 2:
		use_registers(vp, false);
		break;
	case 3:
		use_registers(vp, true);
		break;
	case 4:
		use_translation(vp);
		break;
	case 5:
		use_state(vp);
		break;
	case 6:
		sidecar_vp_flush_registers(vp);
		break;
	case 7:
		sidecar_vp_test(vp);
		break;
	case 8:
		use_queue(queue, vp);
		break;
	}
}

static void use_vp(struct sidecar *client, struct sidecar_queue *queue)
{
	struct sidecar_vp *vp;
	int error = sidecar_vp_create(client, CPU, NULL, &vp);

	if (error) {
		check_error(sidecar_error(client), error, 0);
		return;
	}
	for (unsigned int i = 0; i < MAX_STEPS && machine.input.size; i++)
		take_step(queue, vp);
	machine.input.size = 0;
	check(sidecar_vp_destroy(vp) == 0, "the VP cannot be destroyed");
}

/* Of either driver, as the library finds it at open. */
static struct {
	struct sidecar *client;
	struct sidecar_queue *queue;
} users[2];

static void open_user(unsigned int i)
{
	struct sidecar_options options = { .size = sizeof(options), .timeout_ns = TIMEOUT_NS };

	check(sidecar_open_with(&options, &driver, NULL, &users[i].client) == 0, "no client");
	check(sidecar_queue_create(users[i].client, NULL, &users[i].queue) == 0, "no queue");
}

static void open_machine(void)
{
	if (machine.memory)
		return;
	machine.memory = aligned_alloc(SIDECAR_PAGE_SIZE, CPUS * SIDECAR_PER_CPU_SHMEM);
	machine.completions = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	check(machine.memory && machine.completions >= 0, "no machine");
	open_user(0);
	machine.capabilities = SIDECAR_CAP_CANCEL | SIDECAR_CAP_OWNERSHIP;
	open_user(1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned int which;

	open_machine();
	memset(machine.memory, 0, CPUS * SIDECAR_PER_CPU_SHMEM);
	machine.pending_count = 0;
	machine.input = (struct input){ data, size };
	which = next8() & 1;
	use_vp(users[which].client, users[which].queue);
	return 0;
}

#ifndef SHARED_PAGES_NO_MAIN

static uint64_t random_state = 0x51dec0de;

static unsigned int draw(unsigned int n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned int)((random_state >> 32) % n);
}

struct sample {
	size_t size;
	uint8_t data[MAX_INPUT];
};

static void mutate(struct sample *sample)
{
	unsigned int changes = 1 + draw(12);

	if (draw(8) == 0)
		sample->size = 1 + draw(MAX_INPUT - 1);
	while (changes--) {
		size_t place = draw((unsigned int)sample->size);

		switch (draw(3)) {
		case 0:
			sample->data[place] ^= (uint8_t)(1u << draw(8));
			break;
		case 1:
			sample->data[place] = (uint8_t)draw(256);
			break;
		case 2:
			sample->data[place] = draw(2) ? 0xff : 0;
			break;
		}
	}
}

/* Mutants take the place of what they come from, now and then. */
static void run_inputs(void)
{
	static struct sample pool[POOL];
	struct sample sample;
	unsigned int i;

	for (i = 0; i < POOL; i++) {
		pool[i].size = MAX_INPUT / 2;
		for (size_t n = 0; n < pool[i].size; n++)
			pool[i].data[n] = (uint8_t)draw(256);
	}
	for (i = 0; i < INPUTS; i++) {
		struct sample *origin = &pool[draw(POOL)];

		alarm(ONE_HANG_S); /* a hang is a failure */
		sample = *origin;
		mutate(&sample);
		LLVMFuzzerTestOneInput(sample.data, sample.size);
		if (draw(4) == 0)
			*origin = sample;
	}
}

static int run_file(const char *path)
{
	static uint8_t data[1u << 16];
	FILE *file = fopen(path, "rb");

	if (!file) {
		perror(path);
		return 2;
	}
	LLVMFuzzerTestOneInput(data, fread(data, 1, sizeof(data), file));
	fclose(file);
	return 0;
}

static void close_users(void)
{
	for (unsigned int i = 0; i < 2; i++) {
		check(sidecar_queue_close(users[i].queue) == 0, "the queue stays open");
		check(sidecar_close(users[i].client) == 0, "the client stays open");
	}
	close(machine.completions);
	free(machine.memory);
}

int main(int count, char **paths)
{
	if (count > 1)
		return run_file(paths[1]);
	printf("1..1\n");
	fflush(stdout);
	run_inputs();
	close_users();
	printf("ok 1 - %u inputs\n", INPUTS);
	return 0;
}

#endif
