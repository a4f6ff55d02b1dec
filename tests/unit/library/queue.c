// SPDX-License-Identifier: MIT
/* Queues: many VPs from one thread, events by value. */
#include "machine.h"

#include <poll.h>
#include <signal.h>

static const uint32_t all_cpus[] = {1, 2, 3, 9, 10, 11, 41};

static struct sidecar_queue *make_queue(struct machine *machine)
{
	struct sidecar_queue *queue = NULL;

	if (sidecar_queue_create(machine->client, NULL, &queue))
		fail_msg("no queue: %s", sidecar_error(machine->client)->text);
	return queue;
}

static struct sidecar_vp *make_attached(struct machine *machine, struct sidecar_queue *queue,
					uint32_t cpu)
{
	struct sidecar_vp *vp = make_vp(machine, cpu);

	assert_int_equal(sidecar_queue_attach(queue, vp), 0);
	return vp;
}

static void end(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	destroy_vp(vp);
	assert_int_equal(sidecar_queue_close(queue), 0);
}

static void next_event(struct sidecar_queue *queue, struct sidecar_event *event)
{
	assert_int_equal(sidecar_queue_wait(queue, event, 1, 1, in_ms(30000)), 1);
	assert_int_equal(event->size, sizeof(*event));
}

static void expect(struct sidecar_queue *queue, struct sidecar_vp *vp, uint32_t operation,
		   uint32_t kind, int error)
{
	struct sidecar_event event;

	next_event(queue, &event);
	assert_ptr_equal(event.vp, vp);
	assert_int_equal(event.operation, operation);
	assert_int_equal(event.kind, kind);
	assert_int_equal(event.error, error);
}

static void start_run(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	assert_int_equal(sidecar_queue_prepare_run(queue, vp, 0), 0);
	assert_int_equal(sidecar_queue_submit(queue), 1);
}

static void test_create_refused(void **state)
{
	struct machine *machine = *state;
	struct sidecar_queue_options options = {.size = 4};
	struct sidecar_queue *queue = (void *)1;

	assert_int_equal(sidecar_queue_create(machine->client, &options, &queue), -EINVAL);
	assert_null(queue);
	check_error(sidecar_error(machine->client), -EINVAL, SIDECAR_ERROR_ERRNO);
	options = (struct sidecar_queue_options){.size = sizeof(options), .entries = 1u << 30};
	assert_int_equal(sidecar_queue_create(machine->client, &options, &queue), -EINVAL);
	options.entries = 8;
	assert_int_equal(sidecar_queue_create(machine->client, &options, &queue), 0);
	assert_int_equal(sidecar_queue_close(queue), 0);
}

static void test_attach_and_detach(void **state)
{
	struct machine *machine = *state;
	struct sidecar_queue *queue = make_queue(machine), *other = make_queue(machine);
	struct sidecar_vp *vp = make_vp(machine, CPU_A);

	assert_int_equal(sidecar_queue_detach(queue, vp), -EINVAL);
	assert_int_equal(sidecar_queue_prepare_run(queue, vp, 0), -EINVAL);
	check_error(sidecar_queue_error(queue), -EINVAL, SIDECAR_ERROR_ERRNO);
	assert_int_equal(sidecar_queue_attach(queue, vp), 0);
	assert_int_equal(sidecar_queue_attach(queue, vp), -EBUSY);
	assert_int_equal(sidecar_queue_attach(other, vp), -EBUSY);
	assert_int_equal(sidecar_queue_prepare_run(other, vp, 0), -EINVAL);
	assert_int_equal(sidecar_queue_close(queue), -EBUSY);
	check_text(sidecar_queue_error(queue), "1");
	for (unsigned int i = 0; i < 20; i++) {
		assert_int_equal(sidecar_queue_detach(queue, vp), 0);
		assert_int_equal(sidecar_queue_attach(queue, vp), 0);
	}
	start_run(queue, vp);
	expect(queue, vp, SIDECAR_OPERATION_RUN, SIDECAR_EVENT_INTERCEPT, 0);
	assert_int_equal(sidecar_queue_detach(queue, vp), 0);
	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, NULL), 0);
	assert_int_equal(sidecar_queue_close(other), 0);
	end(queue, vp);
}

static void test_other_clients_vp(void **state)
{
	struct machine *machine = *state;
	struct sidecar_queue *queue = make_queue(machine);
	struct sidecar *other;
	struct sidecar_vp *vp;

	assert_int_equal(sidecar_open_with(NULL, &fake_driver, machine->fake, &other), 0);
	assert_int_equal(sidecar_vp_create(other, CPU_A, NULL, &vp), 0);
	assert_int_equal(sidecar_queue_attach(queue, vp), -EINVAL);
	destroy_vp(vp);
	assert_int_equal(sidecar_close(other), 0);
	assert_int_equal(sidecar_queue_close(queue), 0);
}

/* Blocking forms work on an attached VP too, while nothing is in flight. */
static void test_blocking_on_attached(void **state)
{
	struct machine *machine = *state;
	struct sidecar_queue *queue = make_queue(machine);
	struct sidecar_vp *vp = make_attached(machine, queue, CPU_A);
	uint64_t value;

	for (unsigned int i = 0; i < 20; i++) {
		start_run(queue, vp);
		expect(queue, vp, SIDECAR_OPERATION_RUN, SIDECAR_EVENT_INTERCEPT, 0);
		assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, NULL), 0);
		assert_int_equal(sidecar_vp_get_register64(vp, HV_VTL_0, HV_REGISTER_RIP, &value),
				 0);
	}
	assert_int_equal(entries_of(machine, CPU_A), 40);
	end(queue, vp);
}

static void test_busy(void **state)
{
	struct machine *machine = *state;
	struct sidecar_queue *queue = make_queue(machine);
	struct sidecar_vp *vp = make_attached(machine, queue, CPU_A);
	struct hv_register_assoc reg = {.name = HV_REGISTER_RIP};

	set_guest(machine, CPU_A, guest_endless);
	for (unsigned int submitted = 0; submitted < 2; submitted++) {
		if (submitted)
			assert_int_equal(sidecar_queue_submit(queue), 1);
		else
			assert_int_equal(sidecar_queue_prepare_run(queue, vp, 0), 0);
		assert_int_equal(sidecar_queue_prepare_run(queue, vp, 0), -EBUSY);
		check_error(sidecar_queue_error(queue), -EBUSY, SIDECAR_ERROR_ERRNO);
		assert_int_equal(sidecar_queue_prepare_test(queue, vp, 0), -EBUSY);
		assert_int_equal(sidecar_vp_run(vp, 0, NULL), -EBUSY);
		assert_int_equal(sidecar_vp_get_registers(vp, HV_VTL_0, &reg, 1), -EBUSY);
		assert_int_equal(sidecar_queue_detach(queue, vp), -EBUSY);
	}
	sidecar_vp_cancel(vp);
	expect(queue, vp, SIDECAR_OPERATION_RUN, SIDECAR_EVENT_CANCELLED, 0);
	end(queue, vp);
}

/* All VPs of all nodes, again and again: each event is its VP's next one, none is lost. */
static void test_R3_all_vps_from_one_thread(void **state)
{
	struct machine *machine = *state;
	struct sidecar_queue *queue = make_queue(machine);
	struct sidecar_vp *vps[COUNT(all_cpus)];
	uint64_t seen[COUNT(all_cpus)] = {0};
	const unsigned int rounds = 200;
	struct sidecar_event events[3];
	unsigned int left = COUNT(all_cpus) * rounds;

	for (unsigned int i = 0; i < COUNT(all_cpus); i++) {
		vps[i] = make_attached(machine, queue, all_cpus[i]);
		set_guest(machine, all_cpus[i], guest_io);
		assert_int_equal(sidecar_queue_prepare_run(queue, vps[i], i), 0);
	}
	assert_int_equal(sidecar_queue_submit(queue), COUNT(all_cpus));
	while (left) {
		int count = sidecar_queue_wait(queue, events, COUNT(events), 1, in_ms(30000));

		assert_in_range(count, 1, COUNT(events));
		for (int n = 0; n < count; n++, left--) {
			const struct hv_io_message *io =
				(const void *)sidecar_vp_message(events[n].vp)->payload;
			uint64_t i = events[n].user;

			assert_int_equal(events[n].kind, SIDECAR_EVENT_INTERCEPT);
			assert_ptr_equal(events[n].vp, vps[i]);
			assert_int_equal(io->rax, ++seen[i]);
			if (seen[i] < rounds)
				assert_int_equal(sidecar_queue_prepare_run(queue, vps[i], i), 0);
		}
		assert_true(sidecar_queue_submit(queue) >= 0);
	}
	assert_int_equal(sidecar_queue_wait(queue, events, 1, 1, in_ms(1)), 0);
	for (unsigned int i = 0; i < COUNT(all_cpus); i++) {
		assert_int_equal(entries_of(machine, all_cpus[i]), rounds);
		destroy_vp(vps[i]);
	}
	assert_int_equal(sidecar_queue_close(queue), 0);
}

/* min: no fewer, as long as there is something to wait for. */
static void test_wait_for_min(void **state)
{
	struct machine *machine = *state;
	struct sidecar_queue *queue = make_queue(machine);
	struct sidecar_vp *a = make_attached(machine, queue, CPU_A);
	struct sidecar_vp *b = make_attached(machine, queue, CPU_B);
	struct sidecar_event events[4];

	assert_int_equal(sidecar_queue_wait(queue, events, 4, 0, SIDECAR_NO_DEADLINE), 0);
	assert_int_equal(sidecar_queue_wait(queue, events, 4, 4, SIDECAR_NO_DEADLINE), 0);
	assert_int_equal(sidecar_queue_prepare_run(queue, a, 1), 0);
	assert_int_equal(sidecar_queue_prepare_run(queue, b, 2), 0);
	assert_int_equal(sidecar_queue_submit(queue), 2);
	assert_int_equal(sidecar_queue_wait(queue, events, 4, 2, in_ms(30000)), 2);
	assert_int_equal(events[0].user + events[1].user, 3);
	assert_int_equal(sidecar_queue_submit(queue), 0);
	destroy_vp(a);
	end(queue, b);
}

static void test_deadline_of_wait(void **state)
{
	struct machine *machine = *state;
	struct sidecar_queue *queue = make_queue(machine);
	struct sidecar_vp *vp = make_attached(machine, queue, CPU_A);
	uint64_t begin = now_ns_of_test();
	struct sidecar_event event;

	set_guest(machine, CPU_A, guest_endless);
	start_run(queue, vp);
	assert_int_equal(sidecar_queue_wait(queue, &event, 1, 1, begin + 20 * MS), 0);
	assert_true(now_ns_of_test() - begin >= 20 * MS);
	assert_int_equal(sidecar_queue_wait(queue, &event, 1, 1, 0), 0);
	sidecar_vp_cancel(vp); /* the run is untouched by either */
	expect(queue, vp, SIDECAR_OPERATION_RUN, SIDECAR_EVENT_CANCELLED, 0);
	end(queue, vp);
}

static void cancel_vp(void *context)
{
	sidecar_vp_cancel(context);
}

static void test_R4_cancel(void **state)
{
	struct machine *machine = *state;
	struct sidecar_queue *queue = make_queue(machine);
	struct sidecar_vp *vp = make_attached(machine, queue, CPU_A);
	pthread_t thread;

	set_guest(machine, CPU_A, guest_endless);
	sidecar_vp_cancel(vp); /* before it is prepared */
	start_run(queue, vp);
	expect(queue, vp, SIDECAR_OPERATION_RUN, SIDECAR_EVENT_CANCELLED, 0);
	assert_int_equal(entries_of(machine, CPU_A), 0);
	assert_int_equal(sidecar_queue_prepare_run(queue, vp, 0), 0);
	sidecar_vp_cancel(vp); /* before it is submitted */
	assert_int_equal(sidecar_queue_submit(queue), 1);
	expect(queue, vp, SIDECAR_OPERATION_RUN, SIDECAR_EVENT_CANCELLED, 0);
	fake_before_start(machine->fake, cancel_vp, vp); /* while it is submitted */
	start_run(queue, vp);
	expect(queue, vp, SIDECAR_OPERATION_RUN, SIDECAR_EVENT_CANCELLED, 0);
	for (unsigned int i = 0; i < 20; i++) { /* during, from another thread */
		thread = cancel_later(vp, i % 4);
		start_run(queue, vp);
		expect(queue, vp, SIDECAR_OPERATION_RUN, SIDECAR_EVENT_CANCELLED, 0);
		pthread_join(thread, NULL);
	}
	set_guest(machine, CPU_A, guest_io);
	start_run(queue, vp);
	expect(queue, vp, SIDECAR_OPERATION_RUN, SIDECAR_EVENT_INTERCEPT, 0);
	sidecar_vp_cancel(vp); /* after */
	start_run(queue, vp);
	expect(queue, vp, SIDECAR_OPERATION_RUN, SIDECAR_EVENT_CANCELLED, 0);
	end(queue, vp);
}

static void test_registers(void **state)
{
	struct machine *machine = *state;
	struct sidecar_queue *queue = make_queue(machine);
	struct sidecar_vp *vp = make_attached(machine, queue, CPU_A);
	struct hv_register_assoc set[100] = {0}, get[100] = {0};

	for (unsigned int i = 0; i < COUNT(set); i++)
		set[i].name = get[i].name = HV_REGISTER_RAX + i % 16;
	for (unsigned int i = 0; i < COUNT(set); i++)
		set[i].value.low = 1000 + i % 16;
	assert_int_equal(sidecar_queue_prepare_set_registers(queue, vp, HV_VTL_0, set, 100, 0), 0);
	assert_int_equal(sidecar_queue_submit(queue), 1);
	expect(queue, vp, SIDECAR_OPERATION_SET_REGISTERS, SIDECAR_EVENT_DONE, 0);
	assert_int_equal(sidecar_queue_prepare_get_registers(queue, vp, HV_VTL_0, get, 100, 0), 0);
	assert_int_equal(sidecar_queue_submit(queue), 1);
	expect(queue, vp, SIDECAR_OPERATION_GET_REGISTERS, SIDECAR_EVENT_DONE, 0);
	assert_memory_equal(set, get, sizeof(set));
	get[77].name = 0x99;
	assert_int_equal(sidecar_queue_prepare_get_registers(queue, vp, HV_VTL_0, get, 100, 0), 0);
	assert_int_equal(sidecar_queue_submit(queue), 1);
	expect(queue, vp, SIDECAR_OPERATION_GET_REGISTERS, SIDECAR_EVENT_ERROR, -EREMOTEIO);
	assert_int_equal(sidecar_vp_error(vp)->index, 77);
	assert_int_equal(sidecar_queue_prepare_get_registers(queue, vp, HV_VTL_0, NULL, 0, 0), 0);
	assert_int_equal(sidecar_queue_submit(queue), 1);
	expect(queue, vp, SIDECAR_OPERATION_GET_REGISTERS, SIDECAR_EVENT_DONE, 0);
	assert_int_equal(sidecar_queue_prepare_get_registers(queue, vp, HV_VTL_0, NULL, 1, 0),
			 -EINVAL);
	assert_int_equal(sidecar_queue_submit(queue), 0);
	end(queue, vp);
}

static void test_translate_and_test(void **state)
{
	const uint64_t flags = (uint64_t)HV_VTL_0 << HV_TRANSLATE_VTL_SHIFT;
	struct machine *machine = *state;
	struct sidecar_queue *queue = make_queue(machine);
	struct sidecar_vp *vp = make_attached(machine, queue, CPU_A);
	struct hv_translate_output output;

	assert_int_equal(sidecar_queue_prepare_translate(queue, vp, 0x5000, flags, &output, 0), 0);
	assert_int_equal(sidecar_queue_submit(queue), 1);
	expect(queue, vp, SIDECAR_OPERATION_TRANSLATE, SIDECAR_EVENT_DONE, 0);
	assert_int_equal(output.gpa_page, 5);
	assert_int_equal(sidecar_queue_prepare_translate(queue, vp, 0, 0, &output, 0), -EINVAL);
	assert_int_equal(sidecar_queue_prepare_test(queue, vp, 0), 0);
	assert_int_equal(sidecar_queue_submit(queue), 1);
	expect(queue, vp, SIDECAR_OPERATION_TEST, SIDECAR_EVENT_DONE, 0);
	end(queue, vp);
}

static void test_errors_are_events(void **state)
{
	struct machine *machine = *state;
	struct sidecar_queue *queue = make_queue(machine);
	struct sidecar_vp *vp = make_attached(machine, queue, CPU_A);

	set_guest(machine, CPU_A, guest_error);
	start_run(queue, vp);
	expect(queue, vp, SIDECAR_OPERATION_RUN, SIDECAR_EVENT_ERROR, -EIO);
	check_error(sidecar_vp_error(vp), -EIO, SIDECAR_ERROR_TEXT);
	fake_fail(machine->fake, FAKE_START, ENOENT, 2, 0);
	start_run(queue, vp);
	expect(queue, vp, SIDECAR_OPERATION_RUN, SIDECAR_EVENT_ERROR, -ENOENT);
	fake_fail(machine->fake, FAKE_START, 0, 0, 0);
	set_guest(machine, CPU_A, guest_io);
	start_run(queue, vp);
	expect(queue, vp, SIDECAR_OPERATION_RUN, SIDECAR_EVENT_INTERCEPT, 0);
	end(queue, vp);
}

/* A dead CPU among others: its event comes, and theirs meanwhile. */
static void test_R9_dead_cpu(void **state)
{
	struct machine *machine = *state;
	struct sidecar_queue *queue = make_queue(machine);
	struct sidecar_vp *dead = make_attached(machine, queue, CPU_A);
	struct sidecar_vp *good = make_attached(machine, queue, CPU_B);
	struct sidecar_event event;
	unsigned int good_events = 0;

	set_guest(machine, CPU_A, guest_dead);
	start_run(queue, dead);
	wait_for_entries(machine, CPU_A, 1);
	sidecar_vp_cancel(dead);
	start_run(queue, good);
	for (next_event(queue, &event); event.vp == good; next_event(queue, &event)) {
		assert_int_equal(event.kind, SIDECAR_EVENT_INTERCEPT);
		good_events++;
		start_run(queue, good);
	}
	assert_int_not_equal(good_events, 0);
	assert_int_equal(event.kind, SIDECAR_EVENT_FAILED);
	assert_int_equal(event.error, -ETIMEDOUT);
	expect(queue, good, SIDECAR_OPERATION_RUN, SIDECAR_EVENT_INTERCEPT, 0);
	assert_int_equal(sidecar_queue_prepare_run(queue, dead, 0), -ETIMEDOUT);
	destroy_vp(dead);
	end(queue, good);
}

static void *use_from_elsewhere(void *argument)
{
	struct sidecar_vp *vp = ((void **)argument)[1];
	struct sidecar_queue *queue = ((void **)argument)[0];
	struct sidecar_event event;
	uintptr_t wrong = 0;

	wrong += sidecar_queue_prepare_run(queue, vp, 0) != -EPERM;
	wrong += sidecar_queue_submit(queue) != -EPERM;
	wrong += sidecar_queue_wait(queue, &event, 1, 0, 0) != -EPERM;
	wrong += sidecar_queue_attach(queue, vp) != -EPERM;
	wrong += sidecar_queue_detach(queue, vp) != -EPERM;
	wrong += sidecar_queue_close(queue) != -EPERM;
	wrong += sidecar_vp_destroy(vp) != -EPERM;
	return (void *)wrong;
}

static void test_another_thread(void **state)
{
	struct machine *machine = *state;
	struct sidecar_queue *queue = make_queue(machine);
	struct sidecar_vp *vp = make_attached(machine, queue, CPU_A);
	void *arguments[] = {queue, vp}, *wrong;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, use_from_elsewhere, arguments), 0);
	pthread_join(thread, &wrong);
	assert_null(wrong);
	start_run(queue, vp);
	expect(queue, vp, SIDECAR_OPERATION_RUN, SIDECAR_EVENT_INTERCEPT, 0);
	end(queue, vp);
}

/* For an event loop: readable while there is an event, without a call that waits. */
static void wait_by_fd(struct sidecar_queue *queue, struct sidecar_event *event)
{
	struct pollfd fd = {.fd = sidecar_queue_fd(queue), .events = POLLIN};

	for (unsigned int i = 0; i < 1000; i++) {
		assert_int_equal(poll(&fd, 1, 10000), 1);
		if (sidecar_queue_wait(queue, event, 1, 0, 0) == 1)
			return;
	}
	fail_msg("readable, but no event");
}

static void test_fd(void **state)
{
	struct machine *machine = *state;
	struct sidecar_queue *queue = make_queue(machine);
	struct sidecar_vp *vp = make_attached(machine, queue, CPU_A);
	struct sidecar_event event;

	for (unsigned int i = 0; i < 50; i++) {
		start_run(queue, vp);
		wait_by_fd(queue, &event);
		assert_int_equal(event.kind, SIDECAR_EVENT_INTERCEPT);
	}
	sidecar_vp_cancel(vp); /* over when it is submitted */
	start_run(queue, vp);
	wait_by_fd(queue, &event);
	assert_int_equal(event.kind, SIDECAR_EVENT_CANCELLED);
	end(queue, vp);
}

/* More events than the caller takes at once. */
static void test_fd_with_events_left(void **state)
{
	struct machine *machine = *state;
	struct sidecar_queue *queue = make_queue(machine);
	struct sidecar_vp *vps[COUNT(all_cpus)];
	struct sidecar_event event;
	uint64_t users = 0;

	for (unsigned int i = 0; i < COUNT(all_cpus); i++) {
		vps[i] = make_attached(machine, queue, all_cpus[i]);
		assert_int_equal(sidecar_queue_prepare_run(queue, vps[i], 1ull << i), 0);
	}
	assert_int_equal(sidecar_queue_submit(queue), COUNT(all_cpus));
	usleep(20000);
	for (unsigned int i = 0; i < COUNT(all_cpus); i++) {
		wait_by_fd(queue, &event);
		users |= event.user;
	}
	assert_int_equal(users, (1u << COUNT(all_cpus)) - 1);
	for (unsigned int i = 0; i < COUNT(all_cpus); i++)
		destroy_vp(vps[i]);
	assert_int_equal(sidecar_queue_close(queue), 0);
}

static void on_nothing(int number)
{
	(void)number;
}

static void *send_signal(void *argument)
{
	usleep(5000);
	pthread_kill(*(pthread_t *)argument, SIGUSR1);
	return NULL;
}

static void test_signal_during_wait(void **state)
{
	struct sigaction action = {.sa_handler = on_nothing};
	struct machine *machine = *state;
	struct sidecar_queue *queue = make_queue(machine);
	struct sidecar_vp *vp = make_attached(machine, queue, CPU_A);
	pthread_t self = pthread_self(), thread;
	struct sidecar_event event;

	sigaction(SIGUSR1, &action, NULL);
	set_guest(machine, CPU_A, guest_endless);
	start_run(queue, vp);
	assert_int_equal(pthread_create(&thread, NULL, send_signal, &self), 0);
	assert_int_equal(sidecar_queue_wait(queue, &event, 1, 1, in_ms(30000)), -EINTR);
	pthread_join(thread, NULL);
	signal(SIGUSR1, SIG_DFL);
	sidecar_vp_cancel(vp);
	expect(queue, vp, SIDECAR_OPERATION_RUN, SIDECAR_EVENT_CANCELLED, 0);
	end(queue, vp);
}

/* Destroying what is prepared or in flight: it ends, and has no event. */
static void test_destroy_in_flight(void **state)
{
	struct machine *machine = *state;
	struct sidecar_queue *queue = make_queue(machine);
	struct sidecar_vp *a = make_attached(machine, queue, CPU_A);
	struct sidecar_vp *b = make_attached(machine, queue, CPU_B);
	struct sidecar_event event;

	set_guest(machine, CPU_A, guest_endless);
	start_run(queue, a);
	assert_int_equal(sidecar_queue_prepare_run(queue, b, 0), 0);
	destroy_vp(a);
	destroy_vp(b);
	assert_int_equal(sidecar_queue_submit(queue), 0);
	assert_int_equal(sidecar_queue_wait(queue, &event, 1, 1, SIDECAR_NO_DEADLINE), 0);
	assert_int_equal(sidecar_queue_close(queue), 0);
}

struct worker {
	struct machine *machine;
	uint32_t cpus[2];
	struct sidecar_vp *vps[2];
	uint64_t seen[2];
	unsigned int rounds;
	int result;
	pthread_t thread;
};

/* No assertions: they would end the program from another thread than the test's. */
static int work(struct worker *worker, struct sidecar_queue *queue)
{
	struct sidecar_event event;

	for (unsigned int i = 0; i < 2; i++)
		if (sidecar_queue_attach(queue, worker->vps[i]) ||
		    sidecar_queue_prepare_run(queue, worker->vps[i], i))
			return 1;
	sidecar_queue_submit(queue);
	while (worker->seen[0] < worker->rounds || worker->seen[1] < worker->rounds) {
		const struct hv_io_message *io;

		if (sidecar_queue_wait(queue, &event, 1, 1, in_ms(30000)) != 1 ||
		    event.kind != SIDECAR_EVENT_INTERCEPT || event.user > 1)
			return 2;
		io = (const void *)sidecar_vp_message(event.vp)->payload;
		if (io->rax != ++worker->seen[event.user] ||
		    event.vp != worker->vps[event.user])
			return 3;
		if (worker->seen[event.user] < worker->rounds)
			sidecar_queue_prepare_run(queue, event.vp, event.user);
		sidecar_queue_submit(queue);
	}
	return sidecar_queue_detach(queue, worker->vps[0]) ||
	       sidecar_queue_detach(queue, worker->vps[1]) ? 4 : 0;
}

static void *work_thread(void *argument)
{
	struct worker *worker = argument;
	struct sidecar_queue *queue;

	worker->result = sidecar_queue_create(worker->machine->client, NULL, &queue);
	if (worker->result)
		return NULL;
	worker->result = work(worker, queue);
	if (sidecar_queue_close(queue))
		worker->result = 5;
	return NULL;
}

/* Two queues and a blocking caller share the completions of one node file. */
static void test_R3_queues_share_a_node(void **state)
{
	struct machine *machine = *state;
	struct worker workers[] = {
		{.machine = machine, .cpus = {1, 9}, .rounds = 200},
		{.machine = machine, .cpus = {2, 10}, .rounds = 200},
	};
	struct sidecar_vp *vp = make_vp(machine, CPU_C);

	for (unsigned int w = 0; w < COUNT(workers); w++)
		for (unsigned int i = 0; i < 2; i++) {
			set_guest(machine, workers[w].cpus[i], guest_io);
			workers[w].vps[i] = make_vp(machine, workers[w].cpus[i]);
		}
	for (unsigned int w = 0; w < COUNT(workers); w++)
		assert_int_equal(pthread_create(&workers[w].thread, NULL, work_thread,
						&workers[w]), 0);
	for (unsigned int i = 0; i < 200; i++)
		assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, NULL), 0);
	for (unsigned int w = 0; w < COUNT(workers); w++) {
		pthread_join(workers[w].thread, NULL);
		assert_int_equal(workers[w].result, 0);
		destroy_vp(workers[w].vps[0]);
		destroy_vp(workers[w].vps[1]);
	}
	destroy_vp(vp);
}

static void test_R1_fabricated_completion(void **state)
{
	struct machine *machine = *state;
	struct sidecar_queue *queue = make_queue(machine);
	struct sidecar_vp *vp = make_attached(machine, queue, CPU_A);
	struct sidecar_event event;

	set_guest(machine, CPU_A, guest_endless);
	start_run(queue, vp);
	wait_for_entries(machine, CPU_A, 1);
	for (unsigned int i = 0; i < 5; i++) {
		fake_fabricate(machine->fake, CPU_A);
		assert_int_equal(sidecar_queue_wait(queue, &event, 1, 1, in_ms(10)), 0);
	}
	sidecar_vp_cancel(vp);
	expect(queue, vp, SIDECAR_OPERATION_RUN, SIDECAR_EVENT_CANCELLED, 0);
	end(queue, vp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_create_refused, ours),
		EVERY(test_attach_and_detach),
		CASE(test_other_clients_vp, ours),
		EVERY(test_blocking_on_attached),
		EVERY(test_busy),
		EVERY(test_R3_all_vps_from_one_thread),
		EVERY(test_wait_for_min),
		EVERY(test_deadline_of_wait),
		EVERY(test_R4_cancel),
		EVERY(test_registers),
		EVERY(test_translate_and_test),
		EVERY(test_errors_are_events),
		IMPATIENT(test_R9_dead_cpu),
		EVERY(test_another_thread),
		EVERY(test_fd),
		EVERY(test_fd_with_events_left),
		EVERY(test_signal_during_wait),
		EVERY(test_destroy_in_flight),
		EVERY(test_R3_queues_share_a_node),
		CASE(test_R1_fabricated_completion, original),
	};

	return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
