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
	assert_int_equal(sidecar_vp_convert(vp, in_ms(300)), -ETIMEDOUT);
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
	wait_for_entries(machine, CPU_A, 1);
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

/* ---- the line of those that go on running (R12) ---- */

#define LINE 16u

/* A node of its own, with a CPU for each of the line. */
struct line {
	struct fake *fake;
	struct sidecar *client;
	pthread_mutex_t lock;
	uint32_t order[LINE]; /* CPUs as they were converted */
	unsigned int converted;
	int hold; /* whoever has the turn waits while this is set */
	int held;
};

struct line_vp {
	struct line *line;
	struct sidecar_vp *vp;
	uint32_t cpu;
	unsigned int other_events;
	pthread_t thread;
};

static struct line *open_line(uint64_t capabilities)
{
	static const struct fake_layout layout = {0, LINE + 1};
	struct sidecar_options options = {.size = sizeof(options)};
	struct line *line = calloc(1, sizeof(*line));

	alarm(120);
	pthread_mutex_init(&line->lock, NULL);
	line->fake = fake_create(&layout, 1, capabilities);
	assert_int_equal(sidecar_open_with(&options, &fake_driver, line->fake, &line->client), 0);
	return line;
}

static void close_line(struct line *line)
{
	assert_int_equal(sidecar_close(line->client), 0);
	fake_destroy(line->fake);
	free(line);
	alarm(0);
}

static uint64_t entries_in(struct line *line, uint32_t cpu)
{
	return __atomic_load_n(&fake_host(line->fake, cpu)->guest->entries, __ATOMIC_RELAXED);
}

static void make_line_vp(struct line *line, struct line_vp *one, uint32_t cpu)
{
	*one = (struct line_vp){.line = line, .cpu = cpu};
	*fake_host(line->fake, cpu)->guest = (struct host_guest){.enter = guest_endless,
								  .slice_us = 1000};
	assert_int_equal(sidecar_vp_create(line->client, cpu, NULL, &one->vp), 0);
}

static void note_converted(struct line *line, uint32_t cpu)
{
	pthread_mutex_lock(&line->lock);
	line->order[line->converted++] = cpu;
	pthread_mutex_unlock(&line->lock);
}

static void hold_turn(struct line *line)
{
	__atomic_store_n(&line->held, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&line->hold, __ATOMIC_SEQ_CST))
		usleep(500);
}

static void *line_thread(void *argument)
{
	struct line_vp *one = argument;
	struct sidecar_vp_state state;
	struct sidecar_event event;

	do {
		if (sidecar_vp_run(one->vp, SIDECAR_NO_DEADLINE, &event))
			return "the run failed";
		one->other_events += event.kind != SIDECAR_EVENT_TURN;
	} while (event.kind != SIDECAR_EVENT_TURN);
	hold_turn(one->line);
	note_converted(one->line, one->cpu); /* before the next one can */
	if (sidecar_vp_save(one->vp, &state) || !state.count)
		return "no state";
	if (sidecar_vp_convert(one->vp, SIDECAR_NO_DEADLINE))
		return "no conversion";
	return NULL;
}

/* Those that wait run meanwhile, and none of their runs ends. */
static void check_waiting(struct line *line, const struct line_vp *vps)
{
	uint64_t before[LINE];

	while (!__atomic_load_n(&line->held, __ATOMIC_SEQ_CST))
		usleep(500);
	for (unsigned int i = 1; i < LINE; i++)
		before[i] = entries_in(line, vps[i].cpu);
	for (unsigned int i = 1; i < LINE; i++)
		while (entries_in(line, vps[i].cpu) < before[i] + 3)
			usleep(500);
	assert_int_equal(__atomic_load_n(&line->converted, __ATOMIC_SEQ_CST), 0);
}

static void R12_line(uint64_t capabilities)
{
	struct line *line = open_line(capabilities);
	struct line_vp vps[LINE];
	void *text;

	line->hold = 1;
	for (unsigned int i = 0; i < LINE; i++) {
		make_line_vp(line, &vps[i], (i * 5) % LINE + 1);
		assert_int_equal(pthread_create(&vps[i].thread, NULL, line_thread, &vps[i]), 0);
	}
	for (unsigned int i = 0; i < LINE; i++)
		while (!entries_in(line, vps[i].cpu))
			usleep(100);
	for (unsigned int i = 0; i < LINE; i++)
		assert_int_equal(sidecar_vp_request_conversion(vps[i].vp), 0);
	check_waiting(line, vps);
	__atomic_store_n(&line->hold, 0, __ATOMIC_SEQ_CST);
	for (unsigned int i = 0; i < LINE; i++) {
		pthread_join(vps[i].thread, &text);
		if (text)
			fail_msg("CPU %u: %s", vps[i].cpu, (char *)text);
		assert_int_equal(vps[i].other_events, 0);
		assert_int_equal(line->order[i], vps[i].cpu);
		assert_int_equal(sidecar_vp_test(vps[i].vp), -ENOENT);
		destroy_vp(vps[i].vp);
	}
	close_line(line);
}

static void test_R12_line_of_16(void **state)
{
	(void)state;
	R12_line(FAKE_OURS);
}

static void test_R12_line_of_16_original(void **state)
{
	(void)state;
	R12_line(FAKE_ORIGINAL);
}

/* One thread, one queue: the turn comes as an event of the run. */
static void test_R12_queue(void **state)
{
	static const uint32_t cpus[] = {3, 1, 9, 2, 10};
	struct machine *machine = *state;
	struct sidecar_vp *vps[COUNT(cpus)];
	struct sidecar_queue *queue;
	struct sidecar_event event;
	unsigned int converted = 0;

	assert_int_equal(sidecar_queue_create(machine->client, NULL, &queue), 0);
	for (unsigned int i = 0; i < COUNT(cpus); i++) {
		vps[i] = attached(machine, queue, cpus[i]);
		set_guest(machine, cpus[i], guest_endless)->slice_us = 1000;
		assert_int_equal(sidecar_queue_prepare_run(queue, vps[i], i), 0);
	}
	assert_int_equal(sidecar_queue_submit(queue), COUNT(cpus));
	for (unsigned int i = 0; i < COUNT(cpus); i++)
		assert_int_equal(sidecar_vp_request_conversion(vps[i]), 0);
	while (converted < COUNT(cpus)) {
		next(queue, &event);
		assert_int_equal(event.user, converted);
		if (event.operation == SIDECAR_OPERATION_RUN) {
			assert_int_equal(event.kind, SIDECAR_EVENT_TURN);
			assert_int_equal(event.error, 0);
			assert_int_equal(sidecar_queue_prepare_convert(queue, event.vp,
						SIDECAR_NO_DEADLINE, event.user), 0);
			assert_int_equal(sidecar_queue_submit(queue), 1);
		} else {
			assert_int_equal(event.kind, SIDECAR_EVENT_DONE);
			converted++;
		}
	}
	for (unsigned int i = 0; i < COUNT(cpus); i++)
		check_gone(machine, vps[i], cpus[i]);
	assert_int_equal(sidecar_queue_close(queue), 0);
}

static void run_to(struct sidecar_vp *vp, uint32_t kind)
{
	struct sidecar_event event;

	assert_int_equal(sidecar_vp_run(vp, in_ms(20000), &event), 0);
	assert_int_equal(event.kind, kind);
	assert_int_equal(event.error, 0);
}

/* A VP that does not run has its turn at its next run, once; then it runs. */
static void test_turn_of_an_idle_vp(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct sidecar_vp *second = make_vp(machine, CPU_B);

	assert_int_equal(sidecar_vp_request_conversion(vp), 0);
	assert_int_equal(sidecar_vp_request_conversion(vp), -EALREADY);
	check_error(sidecar_error(machine->client), -EALREADY, SIDECAR_ERROR_ERRNO);
	assert_int_equal(sidecar_vp_request_conversion(second), 0);
	run_to(second, SIDECAR_EVENT_INTERCEPT);
	run_to(vp, SIDECAR_EVENT_TURN);
	run_to(vp, SIDECAR_EVENT_INTERCEPT);
	run_to(second, SIDECAR_EVENT_INTERCEPT);
	assert_int_equal(sidecar_vp_withdraw_conversion(vp), 0);
	assert_int_equal(sidecar_vp_withdraw_conversion(vp), -ENOENT);
	run_to(vp, SIDECAR_EVENT_INTERCEPT);
	run_to(second, SIDECAR_EVENT_TURN);
	/* Nobody has its turn for ever: its end hands it on. */
	assert_int_equal(sidecar_vp_request_conversion(vp), 0);
	destroy_vp(second);
	run_to(vp, SIDECAR_EVENT_TURN);
	destroy_vp(vp);
}

/* The VMM's own cancel is another thing, in either order. */
static void test_turn_and_cancel(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);

	sidecar_vp_cancel(vp);
	assert_int_equal(sidecar_vp_request_conversion(vp), 0);
	run_to(vp, SIDECAR_EVENT_CANCELLED);
	run_to(vp, SIDECAR_EVENT_TURN);
	run_to(vp, SIDECAR_EVENT_INTERCEPT);
	assert_int_equal(sidecar_vp_withdraw_conversion(vp), 0);
	/* A turn that is withdrawn before anyone took it is not seen. */
	assert_int_equal(sidecar_vp_request_conversion(vp), 0);
	assert_int_equal(sidecar_vp_withdraw_conversion(vp), 0);
	run_to(vp, SIDECAR_EVENT_INTERCEPT);
	destroy_vp(vp);
}

/* R8: refused at its turn, it is where it was, out of the line, and the next one has its turn. */
static void test_R8_turn_refused(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct sidecar_vp *second = make_vp(machine, CPU_B);
	uint64_t value;

	assert_int_equal(sidecar_vp_set_register64(vp, HV_VTL_0, HV_REGISTER_STAR, 77), 0);
	assert_int_equal(sidecar_vp_request_conversion(vp), 0);
	assert_int_equal(sidecar_vp_request_conversion(second), 0);
	run_to(vp, SIDECAR_EVENT_TURN);
	fake_fail(machine->fake, FAKE_ONLINE_WRITE, EBUSY, 1, 0);
	assert_int_equal(sidecar_vp_convert(vp, SIDECAR_NO_DEADLINE), -EBUSY);
	check_usable(vp);
	assert_int_equal(sidecar_vp_get_register64(vp, HV_VTL_0, HV_REGISTER_STAR, &value), 0);
	assert_int_equal(value, 77);
	assert_int_equal(sidecar_vp_withdraw_conversion(vp), -ENOENT);
	run_to(second, SIDECAR_EVENT_TURN);
	assert_int_equal(sidecar_vp_convert(second, SIDECAR_NO_DEADLINE), 0);
	assert_int_equal(sidecar_vp_request_conversion(second), -ENOENT);
	check_gone(machine, second, CPU_B);
	assert_int_equal(sidecar_vp_request_conversion(vp), 0);
	run_to(vp, SIDECAR_EVENT_TURN);
	assert_int_equal(sidecar_vp_convert(vp, SIDECAR_NO_DEADLINE), 0);
	check_gone(machine, vp, CPU_A);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EVERY(test_idle_vp),
		EVERY(test_EINTR_is_tried_again),
		EVERY(test_EINTR_until_the_deadline),
		EVERY(test_deadline_has_passed),
		EVERY(test_R8_refused),
		EVERY(test_many_threads),
		EVERY(test_queue),
		EVERY(test_queue_refused),
		EVERY(test_R8_running),
		EVERY(test_R12_queue),
		EVERY(test_turn_of_an_idle_vp),
		EVERY(test_turn_and_cancel),
		EVERY(test_R8_turn_refused),
		cmocka_unit_test(test_R12_line_of_16),
		cmocka_unit_test(test_R12_line_of_16_original),
	};

	return cmocka_run_group_tests_name("convert", tests, NULL, NULL);
}
