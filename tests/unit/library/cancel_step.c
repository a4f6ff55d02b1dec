// SPDX-License-Identifier: MIT
/*
 * R4, instruction by instruction: a run of a guest that nothing else ends is single-stepped
 * (EFLAGS.TF, AMD64 manual volume 2, 13.1.4), and its own thread cancels it in the signal handler
 * behind the first instruction; then another run behind the second, and so on until the driver has
 * the run. Wherever the cancel falls, that run ends CANCELLED, and no other one does.
 */
#include "machine.h"

#include <pthread.h>
#include <signal.h>
#include <ucontext.h>

#define EFLAGS_TF 0x100
#define QUIET_MS 300u /* no step for so long: the thread waits for its guest */
#define LOST_MS 3000u

/* Each of the first instructions, up to the START; then some of the fake driver's own. */
#define EACH 220u
#define LAST 1000u

enum phase { IDLE, STEPPING, NUDGED, OVER };

/* One run; a thread watches it, so all but the first two are atomic. */
static struct {
	struct sidecar_vp *vp;
	unsigned int target; /* instructions */
	unsigned int steps;
	int phase;
	int cancelled;
	int leave; /* the guest may go: the cancel was lost */
} run;

static int load(const int *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static enum host_exit guest_held(struct host_guest *guest, struct cpu *cpu,
				 struct hv_message *message)
{
	return load(&run.leave) ? guest_io(guest, cpu, message) : HOST_INTERRUPT;
}

/* First the word that it has begun: the run may be over before it returns. */
static void cancel(void)
{
	__atomic_store_n(&run.cancelled, 1, __ATOMIC_RELEASE);
	sidecar_vp_cancel(run.vp);
}

static void on_step(int signal, siginfo_t *info, void *context)
{
	ucontext_t *machine = context;

	(void)signal;
	(void)info;
	if (__atomic_add_fetch(&run.steps, 1, __ATOMIC_RELAXED) < run.target)
		return;
	machine->uc_mcontext.gregs[REG_EFL] &= ~EFLAGS_TF;
	cancel();
}

/* Below the red zone of the function that this is part of. */
static inline void set_stepping(bool on)
{
	if (on)
		__asm__ volatile("lea -128(%%rsp), %%rsp; pushfq; orl $0x100, (%%rsp); popfq;"
				 "lea 128(%%rsp), %%rsp" ::: "memory", "cc");
	else
		__asm__ volatile("lea -128(%%rsp), %%rsp; pushfq; andl $~0x100, (%%rsp); popfq;"
				 "lea 128(%%rsp), %%rsp" ::: "memory", "cc");
}

static bool change_phase(int from, int to)
{
	return __atomic_compare_exchange_n(&run.phase, &from, to, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

/* Cancels a run that makes no steps any more, and ends one that a cancel has not ended. */
static void *watch(void *unused)
{
	uint64_t since = now_ns_of_test();
	unsigned int steps = 0, now_steps;

	while (load(&run.phase) != OVER) {
		usleep(10000);
		now_steps = __atomic_load_n(&run.steps, __ATOMIC_RELAXED);
		if (now_steps != steps || load(&run.phase) == IDLE)
			since = now_ns_of_test();
		steps = now_steps;
		if (now_ns_of_test() - since > LOST_MS * MS)
			__atomic_store_n(&run.leave, 1, __ATOMIC_RELEASE);
		if (load(&run.cancelled) || now_ns_of_test() - since < QUIET_MS * MS)
			continue;
		if (change_phase(STEPPING, NUDGED))
			cancel();
	}
	return unused;
}

static int run_blocking(struct sidecar_queue *queue, struct sidecar_event *event)
{
	int error;

	(void)queue;
	set_stepping(true);
	error = sidecar_vp_run(run.vp, SIDECAR_NO_DEADLINE, event);
	set_stepping(false);
	return error;
}

static int run_queued(struct sidecar_queue *queue, struct sidecar_event *event)
{
	int count;

	if (sidecar_queue_prepare_run(queue, run.vp, 0))
		return -1;
	set_stepping(true);
	do
		count = sidecar_queue_wait(queue, event, 1, 1, SIDECAR_NO_DEADLINE);
	while (count == -EINTR);
	set_stepping(false);
	return count == 1 ? event->error : -1;
}

/* False: the thread has waited before. */
static bool step_to(unsigned int target, struct sidecar_queue *queue)
{
	struct sidecar_event event = {0};
	bool waited;
	int error;

	run.target = target;
	__atomic_store_n(&run.steps, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&run.cancelled, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&run.phase, STEPPING, __ATOMIC_SEQ_CST);
	error = queue ? run_queued(queue, &event) : run_blocking(queue, &event);
	waited = !change_phase(STEPPING, IDLE);
	if (!load(&run.cancelled))
		fail_msg("a run that was to be cancelled at instruction %u ended before (%s, %d)",
			 target, sidecar_event_kind_name(event.kind), error);
	if (error || event.kind != SIDECAR_EVENT_CANCELLED)
		fail_msg("a cancel at instruction %u of a run is lost: %s, %d", target,
			 sidecar_event_kind_name(event.kind), error);
	return !waited;
}

static void step_through(struct machine *machine, bool queued)
{
	struct sigaction action = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO | SA_RESTART};
	struct sidecar_queue *queue = NULL;
	unsigned int target = 1;
	pthread_t watcher;

	memset(&run, 0, sizeof(run));
	run.vp = make_vp(machine, CPU_A);
	set_guest(machine, CPU_A, guest_held)->slice_us = 50;
	if (queued) {
		assert_int_equal(sidecar_queue_create(machine->client, NULL, &queue), 0);
		assert_int_equal(sidecar_queue_attach(queue, run.vp), 0);
	}
	assert_int_equal(sigaction(SIGTRAP, &action, NULL), 0);
	assert_int_equal(pthread_create(&watcher, NULL, watch, NULL), 0);
	while (target < LAST && step_to(target, queue))
		target += target < EACH ? 1 : target / 4;
	__atomic_store_n(&run.phase, OVER, __ATOMIC_SEQ_CST);
	pthread_join(watcher, NULL);
	assert_true(target > 100);
	signal(SIGTRAP, SIG_DFL);
	destroy_vp(run.vp);
	assert_int_equal(sidecar_queue_close(queue), 0);
}

static void test_R4_each_instruction(void **state)
{
	step_through(*state, false);
}

static void test_R4_each_instruction_queued(void **state)
{
	step_through(*state, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EVERY(test_R4_each_instruction),
		EVERY(test_R4_each_instruction_queued),
	};

	return cmocka_run_group_tests_name("cancel_step", tests, NULL, NULL);
}
