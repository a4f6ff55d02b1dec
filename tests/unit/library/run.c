// SPDX-License-Identifier: MIT
/* Blocking runs: what ends them, and what does not. */
#include "machine.h"

static void check_event(const struct sidecar_event *event, struct sidecar_vp *vp, uint32_t kind,
			int error)
{
	assert_int_equal(event->size, sizeof(*event));
	assert_int_equal(event->kind, kind);
	assert_int_equal(event->operation, SIDECAR_OPERATION_RUN);
	assert_int_equal(event->error, error);
	assert_ptr_equal(event->vp, vp);
}

/* The number that guest_io put into its message. */
static uint64_t number_of(struct sidecar_vp *vp)
{
	const struct hv_io_message *io = (const void *)sidecar_vp_message(vp)->payload;

	assert_int_equal(sidecar_vp_message(vp)->header.type, HV_MESSAGE_IO_PORT_INTERCEPT);
	assert_int_equal(io->header.vp_index, sidecar_vp_cpu(vp));
	return io->rax;
}

/* Every run has an intercept of its own: none is made up, lost, or seen twice. */
static void test_R1_each_run_its_own_intercept(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct sidecar_event event;

	set_guest(machine, CPU_A, guest_io);
	for (uint64_t i = 1; i <= 500; i++) {
		assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, &event), 0);
		check_event(&event, vp, SIDECAR_EVENT_INTERCEPT, 0);
		assert_int_equal(number_of(vp), i);
	}
	destroy_vp(vp);
}

static void test_without_event(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);

	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, NULL), 0);
	destroy_vp(vp);
}

static enum host_exit guest_rip(struct host_guest *guest, struct cpu *cpu,
				struct hv_message *message)
{
	*(uint64_t *)guest->context = host_register(cpu, HV_REGISTER_RIP)->low;
	return guest_io(guest, cpu, message);
}

/* What the VMM writes into the register page is the guest's at the next entry. */
static void test_register_page(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct hv_register_page *page = sidecar_vp_register_page(vp);
	uint64_t seen = 0;

	set_guest(machine, CPU_A, guest_rip)->context = &seen;
	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, NULL), 0);
	assert_int_equal(seen, 0xfff0);
	assert_int_equal(page->is_valid, 1);
	assert_int_equal(page->rip, 0xfff0);
	page->rip = 0x1234;
	page->dirty |= HV_REGISTER_PAGE_DIRTY_RIP;
	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, NULL), 0);
	assert_int_equal(seen, 0x1234);
	assert_int_equal(page->dirty, 0);
	destroy_vp(vp);
}

static void test_kernels_text(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct sidecar_event event;

	set_guest(machine, CPU_A, guest_error);
	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, &event), -EIO);
	check_event(&event, vp, SIDECAR_EVENT_ERROR, -EIO);
	check_error(sidecar_vp_error(vp), -EIO, SIDECAR_ERROR_TEXT);
	check_text(sidecar_vp_error(vp), "the guest state 42 is beyond 41");
	set_guest(machine, CPU_A, guest_io);
	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, &event), 0);
	destroy_vp(vp);
}

static enum host_exit guest_long_message(struct host_guest *guest, struct cpu *cpu,
					 struct hv_message *message)
{
	guest_io(guest, cpu, message);
	message->header.length = HV_MESSAGE_PAYLOAD_SIZE + 1;
	return HOST_INTERCEPT;
}

/* No VMM is made to read beyond a message, whatever its length says. */
static void test_message_too_long(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct sidecar_event event;

	set_guest(machine, CPU_A, guest_long_message);
	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, &event), -EPROTO);
	check_event(&event, vp, SIDECAR_EVENT_ERROR, -EPROTO);
	check_error(sidecar_vp_error(vp), -EPROTO, SIDECAR_ERROR_PROTOCOL);
	check_text(sidecar_vp_error(vp), "241");
	assert_int_equal(sidecar_vp_test(vp), 0);
	destroy_vp(vp);
}

/* As long as a message can be, and then a short one, with nothing behind its end. */
static enum host_exit guest_long_then_short(struct host_guest *guest, struct cpu *cpu,
					    struct hv_message *message)
{
	memset(message->payload, guest->entries == 1 ? 0x55 : 0, HV_MESSAGE_PAYLOAD_SIZE);
	guest_io(guest, cpu, message);
	if (guest->entries == 1)
		message->header.length = HV_MESSAGE_PAYLOAD_SIZE;
	return HOST_INTERCEPT;
}

static void test_nothing_is_left_of_a_long_message(void **state)
{
	static const uint8_t nothing[HV_MESSAGE_PAYLOAD_SIZE];
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	const uint8_t *payload = sidecar_vp_message(vp)->payload;
	const size_t end = sizeof(struct hv_io_message);

	set_guest(machine, CPU_A, guest_long_then_short);
	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, NULL), 0);
	assert_int_equal(payload[HV_MESSAGE_PAYLOAD_SIZE - 1], 0x55);
	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, NULL), 0);
	assert_memory_equal(payload + end, nothing, HV_MESSAGE_PAYLOAD_SIZE - end);
	destroy_vp(vp);
}

static enum host_exit guest_many_bytes(struct host_guest *guest, struct cpu *cpu,
				       struct hv_message *message)
{
	guest_io(guest, cpu, message);
	((struct hv_io_message *)message->payload)->instruction_byte_count = 200;
	return HOST_INTERCEPT;
}

static void test_instruction_bytes_are_bounded(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	const struct hv_io_message *io = (const void *)sidecar_vp_message(vp)->payload;

	set_guest(machine, CPU_A, guest_many_bytes);
	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, NULL), 0);
	assert_in_range(io->instruction_byte_count, 0, sizeof(io->instruction_bytes));
	destroy_vp(vp);
}

static void test_deadline(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	uint64_t begin = now_ns_of_test();
	struct sidecar_event event;

	set_guest(machine, CPU_A, guest_later);
	assert_int_equal(sidecar_vp_run(vp, begin + 30 * MS, &event), 0);
	check_event(&event, vp, SIDECAR_EVENT_CANCELLED, -ETIMEDOUT);
	assert_true(now_ns_of_test() - begin >= 30 * MS);
	/* It has consumed nothing: the next run is an ordinary one. */
	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, &event), 0);
	check_event(&event, vp, SIDECAR_EVENT_INTERCEPT, 0);
	destroy_vp(vp);
}

static void test_deadline_has_passed(void **state)
{
	static const uint64_t deadlines[] = {0, 1};
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct sidecar_event event;

	set_guest(machine, CPU_A, guest_endless);
	for (unsigned int i = 0; i < COUNT(deadlines); i++) {
		assert_int_equal(sidecar_vp_run(vp, deadlines[i], &event), 0);
		check_event(&event, vp, SIDECAR_EVENT_CANCELLED, -ETIMEDOUT);
	}
	destroy_vp(vp);
}

/* A VP that has failed says so to everything, and can be destroyed. */
static void check_failed(struct sidecar_vp *vp)
{
	struct sidecar_event event;
	uint64_t value;

	assert_int_equal(sidecar_vp_test(vp), -ETIMEDOUT);
	assert_int_equal(sidecar_vp_get_register64(vp, HV_VTL_0, HV_REGISTER_RIP, &value),
			 -ETIMEDOUT);
	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, &event), -ETIMEDOUT);
	check_error(sidecar_vp_error(vp), -ETIMEDOUT, SIDECAR_ERROR_TIMEOUT);
	assert_int_equal(sidecar_vp_cancel(vp), 0);
	destroy_vp(vp);
}

/* R9: only a STOP without an answer makes a CPU a failed one. */
static void test_R9_dead_cpu(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct sidecar_event event;
	uint64_t begin = now_ns_of_test();

	set_guest(machine, CPU_A, guest_dead);
	assert_int_equal(sidecar_vp_run(vp, in_ms(200), &event), -ETIMEDOUT);
	check_event(&event, vp, SIDECAR_EVENT_FAILED, -ETIMEDOUT);
	check_error(sidecar_vp_error(vp), -ETIMEDOUT, SIDECAR_ERROR_TIMEOUT);
	assert_true(now_ns_of_test() - begin >= (200 + DEAD_MS) * MS);
	check_failed(vp);
}

/* A run without deadline and cancel may last as long as it likes. */
static void test_R9_long_run_is_not_a_failure(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct sidecar_event event;

	set_guest(machine, CPU_A, guest_endless);
	assert_int_equal(sidecar_vp_run(vp, in_ms(3 * DEAD_MS), &event), 0);
	check_event(&event, vp, SIDECAR_EVENT_CANCELLED, -ETIMEDOUT);
	assert_int_equal(sidecar_vp_test(vp), 0);
	destroy_vp(vp);
}

static enum host_exit guest_bug(struct host_guest *guest, struct cpu *cpu,
				struct hv_message *message)
{
	(void)cpu;
	(void)message;
	guest->text = "exit code 99 is unknown";
	return HOST_PANIC;
}

static void test_kernel_panic(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct sidecar_event event;

	set_guest(machine, CPU_A, guest_bug);
	assert_int_equal(sidecar_vp_run(vp, in_ms(200), &event), -ETIMEDOUT);
	check_event(&event, vp, SIDECAR_EVENT_FAILED, -ETIMEDOUT);
	assert_int_equal(__atomic_load_n(&fake_host(machine->fake, CPU_A)->state.cpu_state,
					 __ATOMIC_ACQUIRE), SIDECAR_CPU_FAULTED);
	check_failed(vp);
}

static void test_driver_says_failed(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct sidecar_event event;

	refuse_start(machine, ETIMEDOUT, 1);
	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, &event), -ETIMEDOUT);
	check_event(&event, vp, SIDECAR_EVENT_FAILED, -ETIMEDOUT);
	check_failed(vp);
}

static void test_driver_refuses_start(void **state)
{
	static const int errors[] = {ENOENT, EBUSY, EIO, ENODEV, ENOMEM};
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct sidecar_event event;

	for (unsigned int i = 0; i < COUNT(errors); i++) {
		refuse_start(machine, errors[i], UINT32_MAX);
		assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, &event), -errors[i]);
		check_event(&event, vp, SIDECAR_EVENT_ERROR, -errors[i]);
		check_error(sidecar_vp_error(vp), -errors[i], SIDECAR_ERROR_ERRNO);
		refuse_start(machine, 0, 0);
		assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, &event), 0);
	}
	destroy_vp(vp);
}

/* A signal during RUN, before the command has begun or after it has ended: no end of the run. */
static void test_EINTR_of_RUN(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct sidecar_event event;

	set_guest(machine, CPU_A, guest_io);
	fake_fail(machine->fake, FAKE_RUN, EINTR, 3, 0);
	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, &event), 0);
	check_event(&event, vp, SIDECAR_EVENT_INTERCEPT, 0);
	assert_int_equal(entries_of(machine, CPU_A), 1);
	destroy_vp(vp);
}

/* A blocking run is one system call where the driver allows it. */
static void test_one_call(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	unsigned int runs = fake_calls(machine->fake, FAKE_RUN);

	for (unsigned int i = 0; i < 10; i++)
		assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, NULL), 0);
	assert_int_equal(fake_calls(machine->fake, FAKE_RUN) - runs, 10);
	assert_int_equal(fake_calls(machine->fake, FAKE_START), 0);
	assert_int_equal(fake_calls(machine->fake, FAKE_READ), 0);
	destroy_vp(vp);
}

static void test_completions_cannot_be_read(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct sidecar_event event;

	fake_fail(machine->fake, FAKE_READ, EIO, 1000, 0);
	/* With a deadline, so that there is a completion to be read on every driver. */
	assert_true(sidecar_vp_run(vp, in_ms(30000), &event) < 0);
	check_event(&event, vp, SIDECAR_EVENT_FAILED, -EIO);
	fake_fail(machine->fake, FAKE_READ, 0, 0, 0);
	destroy_vp(vp);
}

struct runner {
	struct machine *machine;
	struct sidecar_vp *vp;
	struct sidecar_event event;
	unsigned int rounds;
	uint64_t done, wrong;
	int result;
	pthread_t thread;
};

static void *run_once(void *argument)
{
	struct runner *runner = argument;

	runner->result = sidecar_vp_run(runner->vp, SIDECAR_NO_DEADLINE, &runner->event);
	return NULL;
}

/* The original names CPUs that still run: such a completion is not believed. */
static void test_R1_fabricated_completion(void **state)
{
	struct machine *machine = *state;
	struct runner runner = {.machine = machine, .vp = make_vp(machine, CPU_A)};

	set_guest(machine, CPU_A, guest_endless);
	assert_int_equal(pthread_create(&runner.thread, NULL, run_once, &runner), 0);
	wait_for_entries(machine, CPU_A, 1);
	for (unsigned int i = 0; i < 10; i++) {
		fake_fabricate(machine->fake, CPU_A);
		usleep(3000);
	}
	assert_int_equal(pthread_tryjoin_np(runner.thread, NULL), EBUSY);
	sidecar_vp_cancel(runner.vp);
	pthread_join(runner.thread, NULL);
	check_event(&runner.event, runner.vp, SIDECAR_EVENT_CANCELLED, 0);
	set_guest(machine, CPU_A, guest_io);
	for (unsigned int i = 1; i <= 20; i++) {
		assert_int_equal(sidecar_vp_run(runner.vp, SIDECAR_NO_DEADLINE, NULL), 0);
		assert_int_equal(number_of(runner.vp), i);
	}
	destroy_vp(runner.vp);
}

/* No assertions here: they end the program from another thread than the test's. */
static void *run_many(void *argument)
{
	struct runner *runner = argument;
	const struct hv_io_message *io = (const void *)sidecar_vp_message(runner->vp)->payload;

	for (unsigned int i = 0; i < runner->rounds; i++) {
		struct sidecar_event event;

		runner->result = sidecar_vp_run(runner->vp, SIDECAR_NO_DEADLINE, &event);
		if (runner->result || event.kind != SIDECAR_EVENT_INTERCEPT)
			break;
		runner->done++;
		runner->wrong += io->rax != runner->done ||
				 io->header.vp_index != sidecar_vp_cpu(runner->vp);
	}
	return NULL;
}

/*
 * Threads that share the completions of a node, with another that only asks for commands: each
 * reader gets exactly its own, whoever read it.
 */
static void test_R3_readers_share_a_node(void **state)
{
	static const uint32_t cpus[] = {1, 2, 3, 9, 10, 11, 41};
	struct machine *machine = *state;
	struct runner runners[COUNT(cpus)] = {0};

	for (unsigned int i = 0; i < COUNT(cpus); i++) {
		runners[i].vp = make_vp(machine, cpus[i]);
		runners[i].rounds = 300;
		set_guest(machine, cpus[i], guest_io);
	}
	for (unsigned int i = 0; i < COUNT(cpus); i++)
		assert_int_equal(pthread_create(&runners[i].thread, NULL, run_many, &runners[i]),
				 0);
	for (unsigned int i = 0; i < COUNT(cpus); i++) {
		pthread_join(runners[i].thread, NULL);
		assert_int_equal(runners[i].result, 0);
		assert_int_equal(runners[i].done, 300);
		assert_int_equal(runners[i].wrong, 0);
		assert_int_equal(entries_of(machine, cpus[i]), 300);
		destroy_vp(runners[i].vp);
	}
}

/* Another thread's call on a VP that runs: refused, nothing is lost. */
static void test_busy(void **state)
{
	struct machine *machine = *state;
	struct runner runner = {.machine = machine, .vp = make_vp(machine, CPU_A)};
	struct hv_register_assoc reg = {.name = HV_REGISTER_RIP};
	struct sidecar_event event;

	set_guest(machine, CPU_A, guest_endless);
	assert_int_equal(pthread_create(&runner.thread, NULL, run_once, &runner), 0);
	wait_for_entries(machine, CPU_A, 1);
	assert_int_equal(sidecar_vp_run(runner.vp, 0, &event), -EBUSY);
	check_event(&event, runner.vp, SIDECAR_EVENT_ERROR, -EBUSY);
	assert_int_equal(sidecar_vp_get_registers(runner.vp, HV_VTL_0, &reg, 1), -EBUSY);
	assert_int_equal(sidecar_vp_test(runner.vp), -EBUSY);
	assert_int_equal(sidecar_vp_destroy(runner.vp), -EBUSY);
	sidecar_vp_cancel(runner.vp);
	pthread_join(runner.thread, NULL);
	check_event(&runner.event, runner.vp, SIDECAR_EVENT_CANCELLED, 0);
	destroy_vp(runner.vp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EVERY(test_R1_each_run_its_own_intercept),
		EVERY(test_without_event),
		EVERY(test_register_page),
		EVERY(test_kernels_text),
		EVERY(test_message_too_long),
		EVERY(test_nothing_is_left_of_a_long_message),
		EVERY(test_instruction_bytes_are_bounded),
		EVERY(test_deadline),
		EVERY(test_deadline_has_passed),
		IMPATIENT(test_R9_dead_cpu),
		IMPATIENT(test_R9_long_run_is_not_a_failure),
		IMPATIENT(test_kernel_panic),
		EVERY(test_driver_says_failed),
		CASE(test_EINTR_of_RUN, ours),
		CASE(test_EINTR_of_RUN, uring),
		CASE(test_one_call, ours),
		CASE(test_one_call, uring),
		EVERY(test_driver_refuses_start),
		EVERY(test_completions_cannot_be_read),
		CASE(test_R1_fabricated_completion, original),
		EVERY(test_R3_readers_share_a_node),
		EVERY(test_busy),
	};

	return cmocka_run_group_tests_name("run", tests, NULL, NULL);
}
