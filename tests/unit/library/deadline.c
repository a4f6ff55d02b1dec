// SPDX-License-Identifier: MIT
/* Deadlines of queued runs: they cancel first, and only an unanswered STOP fails a CPU (R9). */
#include "machine.h"

#include <limits.h>
#include <poll.h>

static struct sidecar_queue *make_queue(struct machine *machine)
{
	struct sidecar_queue *queue = NULL;

	assert_int_equal(sidecar_queue_create(machine->client, NULL, &queue), 0);
	return queue;
}

static struct sidecar_vp *make_attached(struct machine *machine, struct sidecar_queue *queue,
					uint32_t cpu)
{
	struct sidecar_vp *vp = make_vp(machine, cpu);

	assert_int_equal(sidecar_queue_attach(queue, vp), 0);
	return vp;
}

static void expect(struct sidecar_queue *queue, struct sidecar_vp *vp, uint32_t kind, int error)
{
	struct sidecar_event event;

	assert_int_equal(sidecar_queue_wait(queue, &event, 1, 1, SIDECAR_NO_DEADLINE), 1);
	assert_ptr_equal(event.vp, vp);
	assert_int_equal(event.kind, kind);
	assert_int_equal(event.error, error);
}

static void test_passes(void **state)
{
	struct machine *machine = *state;
	struct sidecar_queue *queue = make_queue(machine);
	struct sidecar_vp *vp = make_attached(machine, queue, CPU_A);
	uint64_t begin;

	for (unsigned int i = 0; i < 3; i++) {
		set_guest(machine, CPU_A, guest_endless);
		begin = now_ns_of_test();
		assert_int_equal(sidecar_queue_prepare_run_until(queue, vp, begin + 20 * MS, 0), 0);
		expect(queue, vp, SIDECAR_EVENT_CANCELLED, -ETIMEDOUT);
		assert_in_range(now_ns_of_test() - begin, 20 * MS, 10000 * MS);
		/* It has consumed nothing, and the next run has none. */
		set_guest(machine, CPU_A, guest_io);
		assert_int_equal(sidecar_queue_prepare_run(queue, vp, 0), 0);
		expect(queue, vp, SIDECAR_EVENT_INTERCEPT, 0);
	}
	destroy_vp(vp);
	assert_int_equal(sidecar_queue_close(queue), 0);
}

static void test_has_passed(void **state)
{
	struct machine *machine = *state;
	struct sidecar_queue *queue = make_queue(machine);
	struct sidecar_vp *vp = make_attached(machine, queue, CPU_A);

	set_guest(machine, CPU_A, guest_endless);
	for (uint64_t deadline = 0; deadline < 3; deadline++) {
		assert_int_equal(sidecar_queue_prepare_run_until(queue, vp, deadline, 0), 0);
		expect(queue, vp, SIDECAR_EVENT_CANCELLED, -ETIMEDOUT);
	}
	destroy_vp(vp);
	assert_int_equal(sidecar_queue_close(queue), 0);
}

static void test_intercept_comes_first(void **state)
{
	struct machine *machine = *state;
	struct sidecar_queue *queue = make_queue(machine);
	struct sidecar_vp *vp = make_attached(machine, queue, CPU_A);

	for (unsigned int i = 0; i < 50; i++) {
		assert_int_equal(sidecar_queue_prepare_run_until(queue, vp, in_ms(30000 - i), 0), 0);
		expect(queue, vp, SIDECAR_EVENT_INTERCEPT, 0);
	}
	destroy_vp(vp);
	assert_int_equal(sidecar_queue_close(queue), 0);
}

/* Each at its own time, in one wait for all of them. */
static void test_many(void **state)
{
	static const uint32_t cpus[] = {1, 2, 3, 9, 10, 11};
	struct machine *machine = *state;
	struct sidecar_queue *queue = make_queue(machine);
	struct sidecar_event events[COUNT(cpus)];
	struct sidecar_vp *vps[COUNT(cpus)];
	uint64_t begin = now_ns_of_test();

	for (unsigned int i = 0; i < COUNT(cpus); i++) {
		vps[i] = make_attached(machine, queue, cpus[i]);
		set_guest(machine, cpus[i], guest_endless);
		assert_int_equal(sidecar_queue_prepare_run_until(queue, vps[i],
				 begin + (COUNT(cpus) - i) * 15 * MS, i), 0);
	}
	assert_int_equal(sidecar_queue_wait(queue, events, COUNT(cpus), COUNT(cpus),
					    SIDECAR_NO_DEADLINE), COUNT(cpus));
	assert_in_range(now_ns_of_test() - begin, COUNT(cpus) * 15 * MS, 20000 * MS);
	for (unsigned int i = 0; i < COUNT(cpus); i++) {
		assert_int_equal(events[i].kind, SIDECAR_EVENT_CANCELLED);
		assert_int_equal(events[i].error, -ETIMEDOUT);
		destroy_vp(events[i].vp);
	}
	assert_int_equal(sidecar_queue_close(queue), 0);
}

/* Who only polls the descriptor is told, too. */
static void test_by_fd(void **state)
{
	struct machine *machine = *state;
	struct sidecar_queue *queue = make_queue(machine);
	struct sidecar_vp *vp = make_attached(machine, queue, CPU_A);
	struct pollfd fd = {.fd = sidecar_queue_fd(queue), .events = POLLIN};
	struct sidecar_event event;
	int count = 0;

	set_guest(machine, CPU_A, guest_endless);
	assert_int_equal(sidecar_queue_prepare_run_until(queue, vp, in_ms(30), 0), 0);
	assert_int_equal(sidecar_queue_submit(queue), 1);
	while (!count) {
		assert_int_equal(poll(&fd, 1, 10000), 1);
		count = sidecar_queue_wait(queue, &event, 1, 0, 0);
	}
	assert_int_equal(event.kind, SIDECAR_EVENT_CANCELLED);
	assert_int_equal(event.error, -ETIMEDOUT);
	destroy_vp(vp);
	assert_int_equal(sidecar_queue_close(queue), 0);
}

/* A cancel that comes with the deadline is this run's, or the next one's. */
static void test_R4_with_cancel(void **state)
{
	struct machine *machine = *state;
	struct sidecar_queue *queue = make_queue(machine);
	struct sidecar_vp *vp = make_attached(machine, queue, CPU_A);
	struct sidecar_event event;
	pthread_t thread;

	set_guest(machine, CPU_A, guest_endless);
	for (unsigned int i = 0; i < 20; i++) {
		thread = cancel_later(vp, 2);
		assert_int_equal(sidecar_queue_prepare_run_until(queue, vp, in_ms(2), 0), 0);
		assert_int_equal(sidecar_queue_wait(queue, &event, 1, 1, SIDECAR_NO_DEADLINE), 1);
		assert_int_equal(event.kind, SIDECAR_EVENT_CANCELLED);
		pthread_join(thread, NULL);
		if (!event.error)
			continue;
		assert_int_equal(sidecar_queue_prepare_run(queue, vp, 0), 0);
		expect(queue, vp, SIDECAR_EVENT_CANCELLED, 0);
	}
	destroy_vp(vp);
	assert_int_equal(sidecar_queue_close(queue), 0);
}

/* The VP has failed, what was last seen of it can be read, and the others go on. */
static void test_R9_dead_cpu(void **state)
{
	struct machine *machine = *state;
	struct sidecar_queue *queue = make_queue(machine);
	struct sidecar_vp *dead = make_attached(machine, queue, CPU_A);
	struct sidecar_vp *good = make_attached(machine, queue, CPU_B);
	uint64_t begin;

	set_guest(machine, CPU_A, guest_io);
	assert_int_equal(sidecar_queue_prepare_run(queue, dead, 0), 0);
	expect(queue, dead, SIDECAR_EVENT_INTERCEPT, 0);
	sidecar_vp_context(dead)->gps[3] = 0x1234;
	set_guest(machine, CPU_A, guest_dead);
	begin = now_ns_of_test();
	assert_int_equal(sidecar_queue_prepare_run_until(queue, dead, begin + 50 * MS, 0), 0);
	expect(queue, dead, SIDECAR_EVENT_FAILED, -ETIMEDOUT);
	assert_in_range(now_ns_of_test() - begin, (50 + DEAD_MS) * MS, 20000 * MS);
	assert_int_equal(sidecar_vp_context(dead)->gps[3], 0x1234);
	assert_int_equal(sidecar_vp_message(dead)->header.type, HV_MESSAGE_IO_PORT_INTERCEPT);
	check_error(sidecar_vp_error(dead), -ETIMEDOUT, SIDECAR_ERROR_TIMEOUT);
	assert_int_equal(sidecar_queue_prepare_run(queue, dead, 0), -ETIMEDOUT);
	assert_int_equal(sidecar_queue_prepare_run(queue, good, 0), 0);
	expect(queue, good, SIDECAR_EVENT_INTERCEPT, 0);
	destroy_vp(dead);
	destroy_vp(good);
	assert_int_equal(sidecar_queue_close(queue), 0);
}

/* From now on there is no completion to be read, or again all that have come meanwhile. */
static void withhold(struct machine *machine, bool withheld)
{
	fake_fail(machine->fake, FAKE_READ, EAGAIN, withheld ? UINT_MAX : 0, 0);
}

static void check_runs_on(struct machine *machine, struct sidecar_queue *queue,
			  struct sidecar_vp *vp)
{
	set_guest(machine, CPU_A, guest_io);
	for (unsigned int i = 0; i < 5; i++) {
		assert_int_equal(sidecar_queue_prepare_run(queue, vp, 0), 0);
		expect(queue, vp, SIDECAR_EVENT_INTERCEPT, 0);
	}
}

/* A CPU that has answered has not failed, though nobody has said so. */
static void test_R9_result_without_completion(void **state)
{
	struct machine *machine = *state;
	struct sidecar_queue *queue = make_queue(machine);
	struct sidecar_vp *vp = make_attached(machine, queue, CPU_A);

	withhold(machine, true);
	assert_int_equal(sidecar_queue_prepare_test(queue, vp, 0), 0);
	expect(queue, vp, SIDECAR_EVENT_DONE, 0);
	withhold(machine, false);
	check_runs_on(machine, queue, vp);
	withhold(machine, true);
	set_guest(machine, CPU_A, guest_endless);
	assert_int_equal(sidecar_queue_prepare_run_until(queue, vp, in_ms(10), 0), 0);
	expect(queue, vp, SIDECAR_EVENT_CANCELLED, -ETIMEDOUT);
	withhold(machine, false);
	check_runs_on(machine, queue, vp);
	destroy_vp(vp);
	assert_int_equal(sidecar_queue_close(queue), 0);
}

static void test_R9_blocking_result_without_completion(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct sidecar_event event;

	set_guest(machine, CPU_A, guest_endless);
	withhold(machine, true);
	assert_int_equal(sidecar_vp_run(vp, in_ms(10), &event), 0);
	assert_int_equal(event.kind, SIDECAR_EVENT_CANCELLED);
	withhold(machine, false);
	for (unsigned int i = 0; i < 5; i++)
		assert_int_equal(sidecar_vp_test(vp), 0);
	destroy_vp(vp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EVERY(test_passes),
		EVERY(test_has_passed),
		EVERY(test_intercept_comes_first),
		EVERY(test_many),
		EVERY(test_by_fd),
		EVERY(test_R4_with_cancel),
		IMPATIENT(test_R9_dead_cpu),
		CASE(test_R9_result_without_completion, impatient),
		CASE(test_R9_result_without_completion, impatient_original),
		CASE(test_R9_blocking_result_without_completion, impatient),
		CASE(test_R9_blocking_result_without_completion, impatient_original),
	};

	return cmocka_run_group_tests_name("deadline", tests, NULL, NULL);
}
