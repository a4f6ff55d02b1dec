// SPDX-License-Identifier: MIT
/* Conversion to Linux: one at a time, tried again while others hold the hotplug lock. */
#include "machine.h"

static void check_gone(struct machine *machine, struct sidecar_vp *vp, uint32_t cpu)
{
	struct sidecar_vp *again;
	struct sidecar_event event;

	assert_int_equal(sidecar_vp_test(vp), -ENOENT);
	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, &event), -ENOENT);
	assert_int_equal(sidecar_vp_convert(vp, SIDECAR_NO_DEADLINE), -ENOENT);
	destroy_vp(vp);
	assert_int_equal(sidecar_vp_create(machine->client, cpu, NULL, &again), -ENOENT);
}

static void check_usable(struct sidecar_vp *vp)
{
	assert_int_equal(sidecar_vp_test(vp), 0);
	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, NULL), 0);
}

static void test_idle_vp(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);

	assert_int_equal(sidecar_vp_convert(vp, SIDECAR_NO_DEADLINE), 0);
	check_gone(machine, vp, CPU_A);
	destroy_vp(make_vp(machine, CPU_B)); /* the others stay */
}

static void test_EINTR_is_tried_again(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);

	fake_fail(machine->fake, FAKE_ONLINE_WRITE, EINTR, 3, 0);
	assert_int_equal(sidecar_vp_convert(vp, SIDECAR_NO_DEADLINE), 0);
	assert_int_equal(fake_calls(machine->fake, FAKE_ONLINE_WRITE), 4);
	check_gone(machine, vp, CPU_A);
}

static void test_EINTR_until_the_deadline(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);

	fake_fail(machine->fake, FAKE_ONLINE_WRITE, EINTR, 1000000, 0);
	assert_int_equal(sidecar_vp_convert(vp, in_ms(30)), -ETIMEDOUT);
	check_error(sidecar_vp_error(vp), -ETIMEDOUT, SIDECAR_ERROR_TIMEOUT);
	assert_true(fake_calls(machine->fake, FAKE_ONLINE_WRITE) > 1);
	fake_fail(machine->fake, FAKE_ONLINE_WRITE, 0, 0, 0);
	check_usable(vp);
	assert_int_equal(sidecar_vp_convert(vp, SIDECAR_NO_DEADLINE), 0);
	check_gone(machine, vp, CPU_A);
}

static void test_deadline_has_passed(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);

	assert_int_equal(sidecar_vp_convert(vp, 0), -ETIMEDOUT);
	assert_int_equal(fake_calls(machine->fake, FAKE_ONLINE_WRITE), 0);
	check_usable(vp);
	destroy_vp(vp);
}

/* R8: refused, it is as it was. */
static void test_R8_refused(void **state)
{
	static const int errors[] = {EBUSY, EACCES, EIO};
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);

	for (unsigned int i = 0; i < COUNT(errors); i++) {
		fake_fail(machine->fake, FAKE_ONLINE_WRITE, errors[i], 1, 0);
		assert_int_equal(sidecar_vp_convert(vp, SIDECAR_NO_DEADLINE), -errors[i]);
		check_error(sidecar_vp_error(vp), -errors[i], SIDECAR_ERROR_ERRNO);
		check_usable(vp);
		fake_fail(machine->fake, FAKE_ONLINE_OPEN, errors[i], 1, 0);
		assert_int_equal(sidecar_vp_convert(vp, SIDECAR_NO_DEADLINE), -errors[i]);
		check_usable(vp);
	}
	destroy_vp(vp);
}

struct converter {
	struct sidecar_vp *vp;
	int result;
	pthread_t thread;
};

static void *convert_thread(void *argument)
{
	struct converter *converter = argument;

	converter->result = sidecar_vp_convert(converter->vp, SIDECAR_NO_DEADLINE);
	return NULL;
}

/* The fake aborts where two conversions are in progress at once. */
static void test_many_threads(void **state)
{
	static const uint32_t cpus[] = {1, 2, 3, 9, 10};
	struct machine *machine = *state;
	struct converter converters[COUNT(cpus)];
	struct sidecar_vp *runs = make_vp(machine, CPU_LONE);

	for (unsigned int i = 0; i < COUNT(cpus); i++) {
		converters[i].vp = make_vp(machine, cpus[i]);
		assert_int_equal(pthread_create(&converters[i].thread, NULL, convert_thread,
						&converters[i]), 0);
	}
	for (unsigned int i = 0; i < 50; i++)
		assert_int_equal(sidecar_vp_run(runs, SIDECAR_NO_DEADLINE, NULL), 0);
	for (unsigned int i = 0; i < COUNT(cpus); i++) {
		pthread_join(converters[i].thread, NULL);
		assert_int_equal(converters[i].result, 0);
		check_gone(machine, converters[i].vp, cpus[i]);
	}
	destroy_vp(runs);
}

static struct sidecar_vp *attached(struct machine *machine, struct sidecar_queue *queue,
				   uint32_t cpu)
{
	struct sidecar_vp *vp = make_vp(machine, cpu);

	assert_int_equal(sidecar_queue_attach(queue, vp), 0);
	return vp;
}

static void next(struct sidecar_queue *queue, struct sidecar_event *event)
{
	assert_int_equal(sidecar_queue_wait(queue, event, 1, 1, in_ms(30000)), 1);
}

/* In order, one at a time, with EINTR in between, while another VP goes on running. */
static void test_queue(void **state)
{
	static const uint32_t cpus[] = {1, 2, 3, 9};
	struct machine *machine = *state;
	struct sidecar_vp *vps[COUNT(cpus)], *runs;
	struct sidecar_event event;
	struct sidecar_queue *queue;
	uint64_t order = 0;

	assert_int_equal(sidecar_queue_create(machine->client, NULL, &queue), 0);
	runs = attached(machine, queue, CPU_LONE);
	fake_fail(machine->fake, FAKE_ONLINE_WRITE, EINTR, 2, 1);
	for (unsigned int i = 0; i < COUNT(cpus); i++) {
		vps[i] = attached(machine, queue, cpus[i]);
		assert_int_equal(sidecar_queue_prepare_convert(queue, vps[i], SIDECAR_NO_DEADLINE,
							       i), 0);
	}
	assert_int_equal(sidecar_queue_prepare_run(queue, runs, 99), 0);
	assert_int_equal(sidecar_queue_submit(queue), COUNT(cpus) + 1);
	while (order < COUNT(cpus)) {
		next(queue, &event);
		if (event.user == 99) {
			assert_int_equal(event.kind, SIDECAR_EVENT_INTERCEPT);
			assert_int_equal(sidecar_queue_prepare_run(queue, runs, 99), 0);
			assert_int_equal(sidecar_queue_submit(queue), 1);
			continue;
		}
		assert_int_equal(event.operation, SIDECAR_OPERATION_CONVERT);
		assert_int_equal(event.kind, SIDECAR_EVENT_DONE);
		assert_int_equal(event.user, order++);
	}
	for (unsigned int i = 0; i < COUNT(cpus); i++)
		check_gone(machine, vps[i], cpus[i]);
	destroy_vp(runs);
	assert_int_equal(sidecar_queue_close(queue), 0);
}

static void test_queue_refused(void **state)
{
	struct machine *machine = *state;
	struct sidecar_queue *queue;
	struct sidecar_event event;
	struct sidecar_vp *vp;

	assert_int_equal(sidecar_queue_create(machine->client, NULL, &queue), 0);
	vp = attached(machine, queue, CPU_A);
	fake_fail(machine->fake, FAKE_ONLINE_WRITE, EBUSY, 1, 0);
	assert_int_equal(sidecar_queue_prepare_convert(queue, vp, SIDECAR_NO_DEADLINE, 0), 0);
	assert_int_equal(sidecar_queue_submit(queue), 1);
	next(queue, &event);
	assert_int_equal(event.kind, SIDECAR_EVENT_ERROR);
	assert_int_equal(event.error, -EBUSY);
	fake_fail(machine->fake, FAKE_ONLINE_WRITE, EINTR, 1000000, 0);
	assert_int_equal(sidecar_queue_prepare_convert(queue, vp, in_ms(30), 0), 0);
	assert_int_equal(sidecar_queue_submit(queue), 1);
	next(queue, &event);
	assert_int_equal(event.kind, SIDECAR_EVENT_ERROR);
	assert_int_equal(event.error, -ETIMEDOUT);
	fake_fail(machine->fake, FAKE_ONLINE_WRITE, 0, 0, 0);
	check_usable(vp);
	destroy_vp(vp);
	assert_int_equal(sidecar_queue_close(queue), 0);
}

/* A VP that runs answers EBUSY to whoever wants to convert it, and goes on. */
static void test_R8_running(void **state)
{
	struct machine *machine = *state;
	struct sidecar_queue *queue;
	struct sidecar_event event;
	struct sidecar_vp *vp;
	int online;

	assert_int_equal(sidecar_queue_create(machine->client, NULL, &queue), 0);
	vp = attached(machine, queue, CPU_A);
	set_guest(machine, CPU_A, guest_endless);
	assert_int_equal(sidecar_queue_prepare_run(queue, vp, 0), 0);
	assert_int_equal(sidecar_queue_submit(queue), 1);
	assert_int_equal(sidecar_vp_convert(vp, SIDECAR_NO_DEADLINE), -EBUSY);
	online = fake_driver.online_open(machine->fake, CPU_A);
	assert_int_equal(fake_driver.online_write(machine->fake, online), -EBUSY);
	fake_driver.online_close(machine->fake, online);
	sidecar_vp_cancel(vp);
	next(queue, &event);
	assert_int_equal(event.kind, SIDECAR_EVENT_CANCELLED);
	destroy_vp(vp);
	assert_int_equal(sidecar_queue_close(queue), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_idle_vp),
		BOTH(test_EINTR_is_tried_again),
		BOTH(test_EINTR_until_the_deadline),
		BOTH(test_deadline_has_passed),
		BOTH(test_R8_refused),
		BOTH(test_many_threads),
		BOTH(test_queue),
		BOTH(test_queue_refused),
		BOTH(test_R8_running),
	};

	return cmocka_run_group_tests_name("convert", tests, NULL, NULL);
}
