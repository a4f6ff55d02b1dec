// SPDX-License-Identifier: MIT
#include "machine.h"

#include <sched.h>

const struct machine_options ours = {FAKE_OURS, 0};
const struct machine_options original = {FAKE_ORIGINAL, 0};
const struct machine_options uring = {FAKE_URING, 0};
const struct machine_options impatient = {FAKE_OURS, DEAD_MS * MS};
const struct machine_options impatient_original = {FAKE_ORIGINAL, DEAD_MS * MS};
const struct machine_options impatient_uring = {FAKE_URING, DEAD_MS * MS};

static const struct fake_layout layout[] = {{8, 4}, {0, 4}, {40, 2}};

uint64_t now_ns_of_test(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int machine_setup(void **state)
{
	const struct machine_options *options = *state;
	struct sidecar_options client_options = {
		.size = sizeof(client_options),
		.timeout_ns = options->timeout_ns,
	};
	struct machine *machine = calloc(1, sizeof(*machine));

	alarm(60); /* a hang is a failure */
	machine->capabilities = options->capabilities;
	machine->fake = fake_create(layout, COUNT(layout), options->capabilities);
	if (options->timeout_ns)
		fake_set_timeout(machine->fake, (unsigned int)(options->timeout_ns / MS));
	if (sidecar_open_with(&client_options, &fake_driver, machine->fake, &machine->client) ||
	    sidecar_partition_create(machine->client, &machine->partition))
		return -1;
	*state = machine;
	return 0;
}

/* Whatever a test has done, everything can be given back, and nothing is left open. */
int machine_teardown(void **state)
{
	struct machine *machine = *state;
	int left;

	left = sidecar_partition_close(machine->partition);
	if (!left)
		left = sidecar_close(machine->client);
	if (!left)
		left = (int)(fake_open_files(machine->fake) + fake_open_partitions(machine->fake) +
			     fake_mapped_ranges(machine->fake));
	if (left)
		print_error("left behind: %d\n", left);
	fake_destroy(machine->fake);
	free(machine);
	alarm(0);
	return left;
}

struct sidecar_vp *make_vp(struct machine *machine, uint32_t cpu)
{
	struct sidecar_vp *vp = NULL;
	int result = sidecar_vp_create(machine->client, cpu, machine->partition, &vp);

	if (result)
		fail_msg("no VP on CPU %u: %s", cpu, sidecar_error(machine->client)->text);
	assert_non_null(vp);
	return vp;
}

void destroy_vp(struct sidecar_vp *vp)
{
	assert_int_equal(sidecar_vp_destroy(vp), 0);
}

struct host_guest *set_guest(struct machine *machine, uint32_t cpu,
			     enum host_exit (*enter)(struct host_guest *, struct cpu *,
						     struct hv_message *))
{
	struct host_guest *guest = fake_host(machine->fake, cpu)->guest;

	*guest = (struct host_guest){.enter = enter};
	return guest;
}

/* Each message carries its own number. */
enum host_exit guest_io(struct host_guest *guest, struct cpu *cpu, struct hv_message *message)
{
	struct hv_io_message io = {.port_number = 0x10, .access_info = 1};

	io.header.vp_index = cpu->vp_index;
	io.rax = guest->entries;
	message->header.type = HV_MESSAGE_IO_PORT_INTERCEPT;
	message->header.length = sizeof(io);
	memcpy(message->payload, &io, sizeof(io));
	return HOST_INTERCEPT;
}

enum host_exit guest_endless(struct host_guest *guest, struct cpu *cpu, struct hv_message *message)
{
	(void)guest;
	(void)cpu;
	(void)message;
	return HOST_INTERRUPT;
}

enum host_exit guest_dead(struct host_guest *guest, struct cpu *cpu, struct hv_message *message)
{
	(void)guest;
	(void)cpu;
	(void)message;
	return HOST_HANG;
}

enum host_exit guest_error(struct host_guest *guest, struct cpu *cpu, struct hv_message *message)
{
	(void)cpu;
	(void)message;
	guest->text = "the guest state 42 is beyond 41";
	return HOST_ERROR;
}

enum host_exit guest_later(struct host_guest *guest, struct cpu *cpu, struct hv_message *message)
{
	return guest->entries < 2 ? HOST_INTERRUPT : guest_io(guest, cpu, message);
}

uint64_t entries_of(struct machine *machine, uint32_t cpu)
{
	struct host_guest *guest = fake_host(machine->fake, cpu)->guest;

	return __atomic_load_n(&guest->entries, __ATOMIC_RELAXED);
}

void wait_for_entries(struct machine *machine, uint32_t cpu, uint64_t count)
{
	while (entries_of(machine, cpu) < count)
		usleep(50);
}

void refuse_start(struct machine *machine, int error, unsigned int times)
{
	fake_fail(machine->fake, FAKE_START, error, times, 0);
	fake_fail(machine->fake, FAKE_RUN, error, times, 0);
}

void check_error(const struct sidecar_error *error, int code, uint32_t kind)
{
	assert_int_equal(error->size, sizeof(*error));
	assert_int_equal(error->code, code);
	assert_int_equal(error->kind, kind);
	assert_in_range(strlen(error->text), 1, SIDECAR_ERROR_TEXT_SIZE - 1);
	assert_null(strchr(error->text, '\n'));
}

void check_text(const struct sidecar_error *error, const char *part)
{
	if (!strstr(error->text, part))
		fail_msg("'%s' is not in '%s'", part, error->text);
}

struct cancel_job {
	struct sidecar_vp *vp;
	unsigned int ms;
};

static void *cancel_thread(void *argument)
{
	struct cancel_job job = *(struct cancel_job *)argument;

	free(argument);
	usleep(job.ms * 1000);
	sidecar_vp_cancel(job.vp);
	return NULL;
}

pthread_t cancel_later(struct sidecar_vp *vp, unsigned int ms)
{
	struct cancel_job *job = malloc(sizeof(*job));
	pthread_t thread;

	*job = (struct cancel_job){vp, ms};
	assert_int_equal(pthread_create(&thread, NULL, cancel_thread, job), 0);
	return thread;
}
