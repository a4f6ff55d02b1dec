// SPDX-License-Identifier: MIT
/* R4: cancel is sticky, legal from everywhere, and consumed by nothing but a CANCELLED event. */
#include "machine.h"

#include <signal.h>

static void expect(struct sidecar_vp *vp, uint32_t kind)
{
	struct sidecar_event event;

	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, &event), 0);
	assert_int_equal(event.kind, kind);
	assert_int_equal(event.error, 0);
}

static void test_R4_before(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);

	set_guest(machine, CPU_A, guest_io);
	assert_int_equal(sidecar_vp_cancel(vp), 0);
	expect(vp, SIDECAR_EVENT_CANCELLED);
	assert_int_equal(entries_of(machine, CPU_A), 0); /* not even started */
	expect(vp, SIDECAR_EVENT_INTERCEPT);
	destroy_vp(vp);
}

static void test_R4_during(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);

	set_guest(machine, CPU_A, guest_endless);
	for (unsigned int i = 0; i < 20; i++) {
		pthread_t thread = cancel_later(vp, i % 4);

		expect(vp, SIDECAR_EVENT_CANCELLED);
		pthread_join(thread, NULL);
	}
	destroy_vp(vp);
}

static void test_R4_after(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);

	set_guest(machine, CPU_A, guest_io);
	expect(vp, SIDECAR_EVENT_INTERCEPT);
	assert_int_equal(sidecar_vp_cancel(vp), 0);
	expect(vp, SIDECAR_EVENT_CANCELLED);
	expect(vp, SIDECAR_EVENT_INTERCEPT);
	destroy_vp(vp);
}

static void cancel_vp(void *context)
{
	sidecar_vp_cancel(context);
}

/* When the driver has nothing to stop yet, and the library's first look is over. */
static void test_R4_between_look_and_start(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);

	set_guest(machine, CPU_A, guest_endless);
	for (unsigned int i = 0; i < 5; i++) {
		fake_before_start(machine->fake, cancel_vp, vp);
		expect(vp, SIDECAR_EVENT_CANCELLED);
	}
	destroy_vp(vp);
}

static void test_R4_many_are_one(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);

	set_guest(machine, CPU_A, guest_io);
	for (unsigned int i = 0; i < 50; i++)
		assert_int_equal(sidecar_vp_cancel(vp), 0);
	expect(vp, SIDECAR_EVENT_CANCELLED);
	expect(vp, SIDECAR_EVENT_INTERCEPT);
	destroy_vp(vp);
}

/* The guest's own CPU cancels it, and then it has an intercept after all. */
static enum host_exit guest_cancels(struct host_guest *guest, struct cpu *cpu,
				    struct hv_message *message)
{
	if (guest->entries == 1)
		sidecar_vp_cancel(guest->context);
	return guest_io(guest, cpu, message);
}

static void test_R4_intercept_leaves_the_flag(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);

	set_guest(machine, CPU_A, guest_cancels)->context = vp;
	expect(vp, SIDECAR_EVENT_INTERCEPT);
	expect(vp, SIDECAR_EVENT_CANCELLED);
	assert_int_equal(entries_of(machine, CPU_A), 1);
	expect(vp, SIDECAR_EVENT_INTERCEPT);
	destroy_vp(vp);
}

/* A STOP that no cancel belongs to, as one meant for an earlier run: the run goes on. */
struct stopper {
	struct machine *machine;
	uint64_t entries;
};

static void *stop_cpu(void *argument)
{
	struct stopper *stopper = argument;
	struct host_cpu *host = fake_host(stopper->machine->fake, CPU_A);
	uint8_t *status = &host->cpu.control->cpu_status[host->cpu.node_index];
	uint8_t run = SIDECAR_STATUS_RUN;

	wait_for_entries(stopper->machine, CPU_A, stopper->entries);
	__atomic_compare_exchange_n(status, &run, SIDECAR_STATUS_STOP, false, __ATOMIC_SEQ_CST,
				    __ATOMIC_SEQ_CST);
	host_cpu_interrupt(host);
	return NULL;
}

static void test_R4_stop_without_cancel_restarts(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct stopper stopper = {machine, 1};
	pthread_t thread;

	set_guest(machine, CPU_A, guest_later);
	assert_int_equal(pthread_create(&thread, NULL, stop_cpu, &stopper), 0);
	expect(vp, SIDECAR_EVENT_INTERCEPT);
	assert_int_equal(entries_of(machine, CPU_A), 2);
	pthread_join(thread, NULL);
	destroy_vp(vp);
}

/* Commands neither see the flag nor take it. */
static void test_R4_commands_leave_the_flag(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	uint64_t value;

	assert_int_equal(sidecar_vp_cancel(vp), 0);
	assert_int_equal(sidecar_vp_test(vp), 0);
	assert_int_equal(sidecar_vp_get_register64(vp, HV_VTL_0, HV_REGISTER_RIP, &value), 0);
	expect(vp, SIDECAR_EVENT_CANCELLED);
	destroy_vp(vp);
}

static void test_R4_saves_errno(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	pthread_t thread = cancel_later(vp, 30);

	set_guest(machine, CPU_A, guest_endless);
	errno = 4711;
	sidecar_vp_cancel(vp);
	assert_int_equal(errno, 4711);
	expect(vp, SIDECAR_EVENT_CANCELLED);
	expect(vp, SIDECAR_EVENT_CANCELLED);
	pthread_join(thread, NULL);
	destroy_vp(vp);
}

static struct sidecar_vp *vp_of_signal;

static void on_signal(int number)
{
	(void)number;
	sidecar_vp_cancel(vp_of_signal);
}

static void *send_signal(void *argument)
{
	usleep(2000);
	pthread_kill(*(pthread_t *)argument, SIGUSR1);
	return NULL;
}

static void test_R4_from_a_signal_handler(void **state)
{
	struct sigaction action = {.sa_handler = on_signal};
	struct machine *machine = *state;
	pthread_t self = pthread_self(), thread;

	vp_of_signal = make_vp(machine, CPU_A);
	sigaction(SIGUSR1, &action, NULL);
	set_guest(machine, CPU_A, guest_endless);
	for (unsigned int i = 0; i < 10; i++) {
		assert_int_equal(pthread_create(&thread, NULL, send_signal, &self), 0);
		expect(vp_of_signal, SIDECAR_EVENT_CANCELLED);
		pthread_join(thread, NULL);
	}
	signal(SIGUSR1, SIG_DFL);
	destroy_vp(vp_of_signal);
}

static void on_nothing(int number)
{
	(void)number;
}

/* A signal alone ends no run. */
static void test_signal_is_no_end(void **state)
{
	struct sigaction action = {.sa_handler = on_nothing};
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	pthread_t self = pthread_self(), thread;
	struct sidecar_event event;

	sigaction(SIGUSR1, &action, NULL);
	set_guest(machine, CPU_A, guest_endless);
	assert_int_equal(pthread_create(&thread, NULL, send_signal, &self), 0);
	assert_int_equal(sidecar_vp_run(vp, in_ms(50), &event), 0);
	assert_int_equal(event.kind, SIDECAR_EVENT_CANCELLED);
	assert_int_equal(event.error, -ETIMEDOUT);
	pthread_join(thread, NULL);
	signal(SIGUSR1, SIG_DFL);
	destroy_vp(vp);
}

struct storm {
	struct sidecar_vp *vp;
	int end;
	unsigned int sent;
};

static void *storm_thread(void *argument)
{
	struct storm *storm = argument;

	while (!__atomic_load_n(&storm->end, __ATOMIC_ACQUIRE)) {
		sidecar_vp_cancel(storm->vp);
		storm->sent++;
		if (storm->sent % 8 == 0)
			usleep(100);
	}
	return NULL;
}

/* Two threads cancel all the time: every run of an endless guest ends, none hangs. */
static void test_R4_storm(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct storm storms[2] = {{.vp = vp}, {.vp = vp}};
	pthread_t threads[2];

	set_guest(machine, CPU_A, guest_endless);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, storm_thread, &storms[i]), 0);
	for (unsigned int i = 0; i < 300; i++)
		expect(vp, SIDECAR_EVENT_CANCELLED);
	for (unsigned int i = 0; i < 2; i++) {
		__atomic_store_n(&storms[i].end, 1, __ATOMIC_RELEASE);
		pthread_join(threads[i], NULL);
	}
	destroy_vp(vp);
}

static void test_R9_cancel_unanswered(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	pthread_t thread = cancel_later(vp, 200);
	struct sidecar_event event;

	set_guest(machine, CPU_A, guest_dead);
	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, &event), -ETIMEDOUT);
	assert_int_equal(event.kind, SIDECAR_EVENT_FAILED);
	pthread_join(thread, NULL);
	destroy_vp(vp);
}

/* The cancel that comes together with the deadline is not lost: it is this run's, or the next's. */
static void test_R4_with_deadline(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct sidecar_event event;

	set_guest(machine, CPU_A, guest_endless);
	for (unsigned int i = 0; i < 20; i++) {
		pthread_t thread = cancel_later(vp, 2);

		assert_int_equal(sidecar_vp_run(vp, in_ms(2), &event), 0);
		assert_int_equal(event.kind, SIDECAR_EVENT_CANCELLED);
		pthread_join(thread, NULL);
		if (event.error)
			expect(vp, SIDECAR_EVENT_CANCELLED);
	}
	destroy_vp(vp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EVERY(test_R4_before),
		EVERY(test_R4_during),
		EVERY(test_R4_after),
		EVERY(test_R4_between_look_and_start),
		EVERY(test_R4_many_are_one),
		EVERY(test_R4_intercept_leaves_the_flag),
		EVERY(test_R4_stop_without_cancel_restarts),
		EVERY(test_R4_commands_leave_the_flag),
		EVERY(test_R4_saves_errno),
		EVERY(test_R4_from_a_signal_handler),
		EVERY(test_signal_is_no_end),
		EVERY(test_R4_storm),
		EVERY(test_R4_with_deadline),
		IMPATIENT(test_R9_cancel_unanswered),
	};

	return cmocka_run_group_tests_name("cancel", tests, NULL, NULL);
}
