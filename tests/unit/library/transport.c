// SPDX-License-Identifier: MIT
/* The ways of a command: what only one of them has. */
#include "machine.h"

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

	assert_int_equal(sidecar_queue_wait(queue, &event, 1, 1, in_ms(30000)), 1);
	assert_ptr_equal(event.vp, vp);
	assert_int_equal(event.kind, kind);
	assert_int_equal(event.error, error);
}

/* The CQE is the completion: nothing is started, read or polled besides. */
static void test_a_completion_is_the_CQE(void **state)
{
	struct machine *machine = *state;
	struct sidecar_queue *queue = make_queue(machine);
	struct sidecar_vp *vps[3];
	struct sidecar_event events[3];
	unsigned int starts;

	for (unsigned int i = 0; i < 3; i++)
		vps[i] = make_attached(machine, queue, CPU_A + i);
	starts = fake_calls(machine->fake, FAKE_START);
	for (unsigned int round = 0; round < 50; round++) {
		for (unsigned int i = 0; i < 3; i++)
			assert_int_equal(sidecar_queue_prepare_run(queue, vps[i], i), 0);
		assert_int_equal(sidecar_queue_wait(queue, events, 3, 3, in_ms(30000)), 3);
	}
	assert_int_equal(fake_calls(machine->fake, FAKE_START) - starts, 150);
	assert_int_equal(fake_calls(machine->fake, FAKE_READ), 0);
	for (unsigned int i = 0; i < 3; i++)
		destroy_vp(vps[i]);
	assert_int_equal(sidecar_queue_close(queue), 0);
}

/*
 * A cancel of a run that is over but not yet taken stays in the library, for the next run, and in
 * the driver, for one more: the run that the driver refuses for it is begun again.
 */
static void test_R4_stale_cancel(void **state)
{
	struct machine *machine = *state;
	struct sidecar_queue *queue = make_queue(machine);
	struct sidecar_vp *vp = make_attached(machine, queue, CPU_A);

	set_guest(machine, CPU_A, guest_io);
	for (unsigned int i = 0; i < 5; i++) {
		assert_int_equal(sidecar_queue_prepare_run(queue, vp, 0), 0);
		assert_int_equal(sidecar_queue_submit(queue), 1);
		wait_for_entries(machine, CPU_A, 3 * i + 1);
		usleep(2000);
		sidecar_vp_cancel(vp);
		expect(queue, vp, SIDECAR_EVENT_INTERCEPT, 0);
		assert_int_equal(sidecar_queue_prepare_run(queue, vp, 0), 0);
		expect(queue, vp, SIDECAR_EVENT_CANCELLED, 0);
		for (unsigned int n = 0; n < 2; n++) {
			assert_int_equal(sidecar_queue_prepare_run(queue, vp, 0), 0);
			expect(queue, vp, SIDECAR_EVENT_INTERCEPT, 0);
		}
		assert_int_equal(entries_of(machine, CPU_A), 3 * i + 3);
	}
	destroy_vp(vp);
	assert_int_equal(sidecar_queue_close(queue), 0);
}

/* The same, met by a blocking run. */
static void test_R4_stale_cancel_and_RUN(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct sidecar_event event;

	set_guest(machine, CPU_A, guest_io);
	for (unsigned int i = 0; i < 5; i++) {
		fake_driver.cancel(machine->fake, 0, CPU_A);
		assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, &event), 0);
		assert_int_equal(event.kind, SIDECAR_EVENT_INTERCEPT);
		fake_driver.cancel(machine->fake, 0, CPU_A);
		assert_int_equal(sidecar_vp_run(vp, in_ms(30000), &event), 0);
		assert_int_equal(event.kind, SIDECAR_EVENT_INTERCEPT);
	}
	assert_int_equal(entries_of(machine, CPU_A), 10);
	destroy_vp(vp);
}

/* A VP goes from queue to queue, and from thread to thread, between its runs. */
struct traveller {
	struct machine *machine;
	struct sidecar_vp *vps[3];
	uint64_t runs[3];
	int result;
};

static void *visit(void *argument)
{
	struct traveller *traveller = argument;
	struct sidecar_event events[3];
	struct sidecar_queue *queue;

	traveller->result = -1;
	if (sidecar_queue_create(traveller->machine->client, NULL, &queue))
		return NULL;
	for (unsigned int i = 0; i < 3; i++)
		if (sidecar_queue_attach(queue, traveller->vps[i]) ||
		    sidecar_queue_prepare_run(queue, traveller->vps[i], i))
			return NULL;
	if (sidecar_queue_wait(queue, events, 3, 3, in_ms(30000)) != 3)
		return NULL;
	for (unsigned int i = 0; i < 3; i++) {
		traveller->runs[events[i].user] += events[i].kind == SIDECAR_EVENT_INTERCEPT;
		if (sidecar_queue_detach(queue, events[i].vp))
			return NULL;
	}
	traveller->result = sidecar_queue_close(queue);
	return NULL;
}

static void test_between_queues(void **state)
{
	struct machine *machine = *state;
	struct traveller traveller = {.machine = machine};
	const unsigned int rounds = 20;
	pthread_t thread;

	for (unsigned int i = 0; i < 3; i++)
		traveller.vps[i] = make_vp(machine, CPU_A + i);
	for (unsigned int round = 0; round < rounds; round++) {
		assert_int_equal(pthread_create(&thread, NULL, visit, &traveller), 0);
		pthread_join(thread, NULL);
		assert_int_equal(traveller.result, 0);
	}
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(traveller.runs[i], rounds);
		assert_int_equal(entries_of(machine, CPU_A + i), rounds);
		destroy_vp(traveller.vps[i]);
	}
}

/* The completion of a VP that was given up comes when another one has its place. */
static void test_late_completion(void **state)
{
	struct machine *machine = *state;
	struct sidecar_queue *queue = make_queue(machine);
	struct sidecar_vp *dead = make_attached(machine, queue, CPU_A), *good;
	uint64_t end;

	fake_set_timeout(machine->fake, 4 * DEAD_MS);
	set_guest(machine, CPU_A, guest_dead);
	assert_int_equal(sidecar_queue_prepare_run_until(queue, dead, in_ms(200), 0), 0);
	expect(queue, dead, SIDECAR_EVENT_FAILED, -ETIMEDOUT);
	assert_int_equal(sidecar_queue_detach(queue, dead), 0);
	good = make_attached(machine, queue, CPU_B);
	set_guest(machine, CPU_B, guest_later);
	for (end = in_ms(5 * DEAD_MS); now_ns_of_test() < end;) {
		set_guest(machine, CPU_B, guest_endless);
		assert_int_equal(sidecar_queue_prepare_run_until(queue, good, in_ms(20), 0), 0);
		expect(queue, good, SIDECAR_EVENT_CANCELLED, -ETIMEDOUT);
	}
	destroy_vp(dead);
	destroy_vp(good);
	assert_int_equal(sidecar_queue_close(queue), 0);
}

/* More VPs and commands than the ring has entries. */
static void test_small_ring(void **state)
{
	static const uint32_t cpus[] = {1, 2, 3, 9, 10, 11, 41};
	struct sidecar_queue_options options = {.size = sizeof(options), .entries = 1};
	struct machine *machine = *state;
	struct sidecar_event events[COUNT(cpus)];
	struct sidecar_vp *vps[COUNT(cpus)];
	struct sidecar_queue *queue;

	assert_int_equal(sidecar_queue_create(machine->client, &options, &queue), 0);
	for (unsigned int i = 0; i < COUNT(cpus); i++)
		vps[i] = make_attached(machine, queue, cpus[i]);
	for (unsigned int round = 0; round < 20; round++) {
		for (unsigned int i = 0; i < COUNT(cpus); i++)
			assert_int_equal(sidecar_queue_prepare_run(queue, vps[i], i), 0);
		assert_int_equal(sidecar_queue_submit(queue), COUNT(cpus));
		assert_int_equal(sidecar_queue_wait(queue, events, COUNT(cpus), COUNT(cpus),
						    in_ms(30000)), COUNT(cpus));
	}
	for (unsigned int i = 0; i < COUNT(cpus); i++) {
		assert_int_equal(entries_of(machine, cpus[i]), 20);
		destroy_vp(vps[i]);
	}
	assert_int_equal(sidecar_queue_close(queue), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_a_completion_is_the_CQE, uring),
		CASE(test_R4_stale_cancel, uring),
		CASE(test_R4_stale_cancel_and_RUN, ours),
		CASE(test_R4_stale_cancel_and_RUN, uring),
		EVERY(test_between_queues),
		CASE(test_late_completion, impatient_uring),
		EVERY(test_small_ring),
	};

	return cmocka_run_group_tests_name("transport", tests, NULL, NULL);
}
