// SPDX-License-Identifier: MIT
/*
 * Everything at once, at random but from a fixed seed, against an oracle: threads with a queue or
 * the blocking forms, a thread that cancels, conversions that are refused, and one that is not.
 *
 * The oracle, for each VP: every intercept that its guest has made arrives, once and in order. A
 * cancel that came back before a run was begun, and that no CANCELLED event can have consumed,
 * makes that run CANCELLED (R4). A CANCELLED event consumes one cancel or more, and all that had
 * come back before its run was begun; more than there were cannot be consumed. A TURN comes once,
 * and only to a VP in line. Registers have the values last set.
 *
 * A guest that only a cancel can end is told to leave when none has ended it for HANG_MS, so that a
 * lost cancel is a failure with a text. What hangs after that ends the program.
 */
#include "machine.h"

#include <pthread.h>
#include <sched.h>

#ifdef __SANITIZE_THREAD__
#define OPERATIONS 10000u
#else
#define OPERATIONS 100000u
#endif
#define LONG_OPERATIONS 10000000u

/* Operations of one machine, all of its threads together. */
#define ROUND 5000u
#define MAX_VPS 3u
#define WORKERS 3u
#define NAMES 8u
#define HANG_MS 4000u
#define HISTORY 6u
#define AMBUSH_US 300u
#define GUEST_PAGES 0x1000u

static const uint32_t names[NAMES] = {
	HV_REGISTER_STAR, HV_REGISTER_RAX, HV_REGISTER_LSTAR, HV_REGISTER_RIP,
	HV_REGISTER_DR0, HV_REGISTER_RSP, HV_REGISTER_R15, HV_REGISTER_PAT,
};

/* What a guest knows; its CPU's thread alone writes there, but for endless. */
struct guest {
	int endless; /* atomic: only a cancel or a turn ends the run */
	uint64_t random;
	uint64_t intercepts; /* atomic */
	unsigned int slices; /* still to go before the next one */
};

struct subject {
	struct sidecar_vp *vp;
	uint32_t cpu;
	struct guest guest;
	uint64_t seen;	 /* intercepts */
	uint64_t begun;	 /* cancels, atomic */
	uint64_t ended;	 /* likewise */
	uint64_t spent;	 /* begun, when the last CANCELLED event came; atomic */
	uint64_t before; /* ended, when the operation was begun */
	uint64_t consumed; /* at least so many by CANCELLED events */
	uint64_t values[NAMES];
	bool in_line, turned;

	/* Begun and ended operations, atomic: odd is in flight. And the last ones' outcomes. */
	uint64_t steps;
	struct {
		uint32_t operation, kind;
		int error;
	} history[HISTORY];
	int hung; /* atomic: its guest was told to leave */

	/* The operation in flight. */
	uint32_t operation;
	bool busy, must_cancel, has_deadline, endless;
	struct hv_register_assoc regs[NAMES];
	unsigned int count;
	unsigned int bad; /* index of a name that does not exist, or NAMES */
	uint64_t gva;
	struct hv_translate_output output;
};

struct worker {
	struct machine *machine;
	struct subject subjects[MAX_VPS];
	unsigned int count;
	bool blocking;
	uint64_t random;
	unsigned int quota, started;
	struct sidecar_queue *queue;
	char failure[640];
	pthread_t thread;
};

struct round {
	struct worker workers[WORKERS];
	uint64_t random; /* the canceller's */
	int armed;	 /* atomic: the next START is cancelled */
	int end;
};

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* One of n. */
static unsigned int draw(uint64_t *state, unsigned int n)
{
	return (unsigned int)((next_random(state) >> 32) % n);
}

static enum host_exit guest_random(struct host_guest *host, struct cpu *cpu,
				   struct hv_message *message)
{
	struct hv_io_message io = {.port_number = 0x10, .access_info = 1};
	struct guest *guest = host->context;

	if (__atomic_load_n(&guest->endless, __ATOMIC_ACQUIRE))
		return HOST_INTERRUPT;
	if (guest->slices) {
		guest->slices--;
		return HOST_INTERRUPT;
	}
	guest->slices = draw(&guest->random, 8) ? 0 : 1 + draw(&guest->random, 4);
	io.header.vp_index = cpu->vp_index;
	io.rax = __atomic_add_fetch(&guest->intercepts, 1, __ATOMIC_RELAXED);
	message->header.type = HV_MESSAGE_IO_PORT_INTERCEPT;
	message->header.length = sizeof(io);
	memcpy(message->payload, &io, sizeof(io));
	return HOST_INTERCEPT;
}

/* The cancels of a VP and its last operations, the newest at the end. */
static void describe(const struct subject *subject, char *text, size_t size)
{
	uint64_t done = __atomic_load_n(&subject->steps, __ATOMIC_ACQUIRE) / 2;
	uint64_t begun = __atomic_load_n(&subject->begun, __ATOMIC_SEQ_CST);
	uint64_t ended = __atomic_load_n(&subject->ended, __ATOMIC_SEQ_CST);
	int length = snprintf(text, size, "; cancels: %llu begun, %llu ended, %llu of them before "
			      "this operation, %llu consumed; before it",
			      (unsigned long long)begun, (unsigned long long)ended,
			      (unsigned long long)subject->before,
			      (unsigned long long)subject->consumed);

	for (uint64_t i = done < HISTORY ? 0 : done - HISTORY; i < done && (size_t)length < size;
	     i++)
		length += snprintf(text + length, size - (size_t)length, " %s: %s (%d)",
				   sidecar_operation_name(subject->history[i % HISTORY].operation),
				   sidecar_event_kind_name(subject->history[i % HISTORY].kind),
				   subject->history[i % HISTORY].error);
}

/* No assertions: they would end the program from another thread than the test's. */
static bool broken(struct worker *worker, const struct subject *subject, const char *what,
		   const struct sidecar_event *event)
{
	size_t length;

	if (worker->failure[0])
		return false;
	length = (size_t)snprintf(worker->failure, sizeof(worker->failure),
				  "CPU %u, operation %u: %s (%s, %s, %d)", subject->cpu,
				  worker->started, what,
				  event ? sidecar_operation_name(event->operation) : "",
				  event ? sidecar_event_kind_name(event->kind) : "",
				  event ? event->error : 0);
	if (length < sizeof(worker->failure))
		describe(subject, worker->failure + length, sizeof(worker->failure) - length);
	return false;
}

/* ---- beginning ---- */

static void cancel(struct subject *subject)
{
	__atomic_add_fetch(&subject->begun, 1, __ATOMIC_SEQ_CST);
	sidecar_vp_cancel(subject->vp);
	__atomic_add_fetch(&subject->ended, 1, __ATOMIC_SEQ_CST);
}

static void choose_registers(struct worker *worker, struct subject *subject)
{
	bool set = subject->operation == SIDECAR_OPERATION_SET_REGISTERS;

	subject->count = 1 + draw(&worker->random, NAMES);
	subject->bad = draw(&worker->random, 16) ? NAMES : draw(&worker->random, subject->count);
	for (unsigned int i = 0; i < subject->count; i++) {
		subject->regs[i] = (struct hv_register_assoc){.name = names[i]};
		if (set) /* canonical, for RIP and RSP */
			subject->regs[i].value.low = next_random(&worker->random) >> 20;
		if (i == subject->bad)
			subject->regs[i].name = 0xdead;
	}
}

static void choose(struct worker *worker, struct subject *subject)
{
	static const uint32_t operations[] = {
		SIDECAR_OPERATION_GET_REGISTERS, SIDECAR_OPERATION_SET_REGISTERS,
		SIDECAR_OPERATION_TRANSLATE, SIDECAR_OPERATION_TEST,
	};

	subject->has_deadline = false;
	subject->operation = SIDECAR_OPERATION_RUN;
	if (draw(&worker->random, 3) == 0)
		subject->operation = operations[draw(&worker->random, COUNT(operations))];
	if (draw(&worker->random, 200) == 0)
		subject->operation = SIDECAR_OPERATION_CONVERT;
	if (subject->operation == SIDECAR_OPERATION_RUN) {
		subject->has_deadline = draw(&worker->random, 16) == 0;
		subject->endless = draw(&worker->random, 12) == 0;
		__atomic_store_n(&subject->guest.endless, subject->endless, __ATOMIC_RELEASE);
	}
	if (subject->operation == SIDECAR_OPERATION_TRANSLATE)
		subject->gva = next_random(&worker->random) & (2 * GUEST_PAGES * 4096 - 1);
	choose_registers(worker, subject);
}

static uint64_t deadline_of(struct worker *worker, const struct subject *subject)
{
	if (subject->operation == SIDECAR_OPERATION_CONVERT)
		return now_ns_of_test() + 5 * MS;
	return subject->has_deadline ? now_ns_of_test() + draw(&worker->random, 300) * 1000ull :
				       SIDECAR_NO_DEADLINE;
}

static int block(struct worker *worker, struct subject *subject, struct sidecar_event *event)
{
	const uint64_t flags = (uint64_t)HV_VTL_0 << HV_TRANSLATE_VTL_SHIFT;
	struct sidecar_vp *vp = subject->vp;

	switch (subject->operation) {
	case SIDECAR_OPERATION_RUN:
		return sidecar_vp_run(vp, deadline_of(worker, subject), event);
	case SIDECAR_OPERATION_GET_REGISTERS:
		return sidecar_vp_get_registers(vp, HV_VTL_0, subject->regs, subject->count);
	case SIDECAR_OPERATION_SET_REGISTERS:
		return sidecar_vp_set_registers(vp, HV_VTL_0, subject->regs, subject->count);
	case SIDECAR_OPERATION_TRANSLATE:
		return sidecar_vp_translate(vp, subject->gva, flags, &subject->output);
	case SIDECAR_OPERATION_CONVERT:
		return sidecar_vp_convert(vp, deadline_of(worker, subject));
	default:
		return sidecar_vp_test(vp);
	}
}

static int prepare(struct worker *worker, struct subject *subject)
{
	const uint64_t flags = (uint64_t)HV_VTL_0 << HV_TRANSLATE_VTL_SHIFT;
	uint64_t user = (uint64_t)(subject - worker->subjects) + 100;
	struct sidecar_queue *queue = worker->queue;
	struct sidecar_vp *vp = subject->vp;

	switch (subject->operation) {
	case SIDECAR_OPERATION_RUN:
		if (!subject->has_deadline)
			return sidecar_queue_prepare_run(queue, vp, user);
		return sidecar_queue_prepare_run_until(queue, vp, deadline_of(worker, subject),
						       user);
	case SIDECAR_OPERATION_GET_REGISTERS:
		return sidecar_queue_prepare_get_registers(queue, vp, HV_VTL_0, subject->regs,
							   subject->count, user);
	case SIDECAR_OPERATION_SET_REGISTERS:
		return sidecar_queue_prepare_set_registers(queue, vp, HV_VTL_0, subject->regs,
							   subject->count, user);
	case SIDECAR_OPERATION_TRANSLATE:
		return sidecar_queue_prepare_translate(queue, vp, subject->gva, flags,
						       &subject->output, user);
	case SIDECAR_OPERATION_CONVERT:
		return sidecar_queue_prepare_convert(queue, vp, deadline_of(worker, subject), user);
	default:
		return sidecar_queue_prepare_test(queue, vp, user);
	}
}

/* ---- judging ---- */

static bool check_intercept(struct worker *worker, struct subject *subject,
			    const struct sidecar_event *event)
{
	const struct hv_message *message = sidecar_vp_message(subject->vp);
	const struct hv_io_message *io = (const void *)message->payload;

	if (event->error || message->header.type != HV_MESSAGE_IO_PORT_INTERCEPT)
		return broken(worker, subject, "an intercept of nothing", event);
	if (io->header.vp_index != subject->cpu)
		return broken(worker, subject, "another VP's message", event);
	if (io->rax != ++subject->seen)
		return broken(worker, subject, "an intercept lost, repeated or made up", event);
	return true;
}

static bool check_cancelled(struct worker *worker, struct subject *subject,
			    const struct sidecar_event *event)
{
	if (event->error == -ETIMEDOUT && subject->has_deadline)
		return subject->must_cancel ? broken(worker, subject, "a cancel lost", event) :
					      true;
	__atomic_store_n(&subject->spent, __atomic_load_n(&subject->begun, __ATOMIC_SEQ_CST),
			 __ATOMIC_SEQ_CST);
	subject->consumed++;
	if (subject->consumed < subject->before)
		subject->consumed = subject->before;
	if (event->error || subject->consumed > subject->spent)
		return broken(worker, subject, "cancelled by nobody", event);
	return true;
}

static bool check_run(struct worker *worker, struct subject *subject,
		      const struct sidecar_event *event)
{
	if (event->kind == SIDECAR_EVENT_INTERCEPT && subject->endless &&
	    __atomic_load_n(&subject->hung, __ATOMIC_ACQUIRE))
		return broken(worker, subject, "a cancel lost: nothing has stopped the guest",
			      event);
	if (event->kind == SIDECAR_EVENT_CANCELLED)
		return check_cancelled(worker, subject, event);
	if (subject->must_cancel)
		return broken(worker, subject, "a cancel lost", event);
	if (event->kind == SIDECAR_EVENT_INTERCEPT)
		return check_intercept(worker, subject, event);
	if (event->kind != SIDECAR_EVENT_TURN || !subject->in_line || subject->turned)
		return broken(worker, subject, "a run's end", event);
	subject->turned = true;
	return true;
}

static bool check_registers(struct worker *worker, struct subject *subject,
			    const struct sidecar_event *event)
{
	bool set = event->operation == SIDECAR_OPERATION_SET_REGISTERS;
	unsigned int good = subject->bad < subject->count ? subject->bad : subject->count;

	if (event->error != (good < subject->count ? -EREMOTEIO : 0))
		return broken(worker, subject, "registers' error", event);
	if (event->error && sidecar_vp_error(subject->vp)->index != good)
		return broken(worker, subject, "the index of a bad register", event);
	for (unsigned int i = 0; i < good; i++) {
		if (set)
			subject->values[i] = subject->regs[i].value.low;
		else if (subject->regs[i].value.low != subject->values[i])
			return broken(worker, subject, "a register's value", event);
	}
	return true;
}

static bool check_translation(struct worker *worker, struct subject *subject,
			      const struct sidecar_event *event)
{
	bool present = subject->gva / 4096 < GUEST_PAGES;

	if (event->error)
		return broken(worker, subject, "a translation's error", event);
	if ((uint32_t)subject->output.result !=
	    (uint32_t)(present ? HV_TRANSLATE_SUCCESS : HV_TRANSLATE_PAGE_NOT_PRESENT))
		return broken(worker, subject, "a translation", event);
	return true;
}

/* The driver refuses them all, or the deadline comes first; either ends its place in the line. */
static bool check_conversion(struct worker *worker, struct subject *subject,
			     const struct sidecar_event *event)
{
	subject->in_line = subject->turned = false;
	if (event->kind != SIDECAR_EVENT_ERROR ||
	    (event->error != -EBUSY && event->error != -ETIMEDOUT))
		return broken(worker, subject, "a conversion's end", event);
	return true;
}

static bool judge(struct worker *worker, struct subject *subject,
		  const struct sidecar_event *event)
{
	switch (event->operation) {
	case SIDECAR_OPERATION_RUN:
		return check_run(worker, subject, event);
	case SIDECAR_OPERATION_GET_REGISTERS:
	case SIDECAR_OPERATION_SET_REGISTERS:
		return check_registers(worker, subject, event);
	case SIDECAR_OPERATION_TRANSLATE:
		return check_translation(worker, subject, event);
	case SIDECAR_OPERATION_CONVERT:
		return check_conversion(worker, subject, event);
	default:
		return event->error ? broken(worker, subject, "a test's error", event) : true;
	}
}

static void step(struct subject *subject)
{
	__atomic_add_fetch(&subject->steps, 1, __ATOMIC_ACQ_REL);
}

static void remember(struct subject *subject, const struct sidecar_event *event)
{
	uint64_t place = subject->steps / 2 % HISTORY;

	subject->history[place].operation = event->operation;
	subject->history[place].kind = event->kind;
	subject->history[place].error = event->error;
	step(subject);
}

static bool check(struct worker *worker, struct subject *subject,
		  const struct sidecar_event *event)
{
	bool good;

	if (!subject->busy || event->operation != subject->operation || event->vp != subject->vp)
		return broken(worker, subject, "an event of nothing", event);
	subject->busy = false;
	if (event->kind == SIDECAR_EVENT_FAILED)
		return broken(worker, subject, sidecar_vp_error(subject->vp)->text, event);
	good = judge(worker, subject, event);
	remember(subject, event);
	return good;
}

/* ---- between operations ---- */

static bool ask_for_turn(struct worker *worker, struct subject *subject)
{
	int wanted = subject->in_line ? -EALREADY : 0;

	if (sidecar_vp_request_conversion(subject->vp) != wanted)
		return broken(worker, subject, "a request for a conversion", NULL);
	subject->in_line = true;
	return true;
}

static bool give_up_turn(struct worker *worker, struct subject *subject)
{
	int wanted = subject->in_line ? 0 : -ENOENT;

	if (sidecar_vp_withdraw_conversion(subject->vp) != wanted)
		return broken(worker, subject, "a withdrawal", NULL);
	subject->in_line = subject->turned = false;
	return true;
}

static bool move(struct worker *worker, struct subject *subject)
{
	if (worker->queue && (sidecar_queue_detach(worker->queue, subject->vp) ||
			      sidecar_queue_attach(worker->queue, subject->vp)))
		return broken(worker, subject, "cannot leave its queue and come back", NULL);
	return true;
}

static bool between(struct worker *worker, struct subject *subject)
{
	if (draw(&worker->random, 16) == 0)
		cancel(subject);
	if (draw(&worker->random, 64) == 0)
		return ask_for_turn(worker, subject);
	if (draw(&worker->random, subject->turned ? 3 : 64) == 0)
		return give_up_turn(worker, subject);
	return draw(&worker->random, 256) ? true : move(worker, subject);
}

static bool begin(struct worker *worker, struct subject *subject)
{
	struct sidecar_event event = {.vp = subject->vp};
	int error;

	if (!between(worker, subject))
		return false;
	choose(worker, subject);
	subject->before = __atomic_load_n(&subject->ended, __ATOMIC_SEQ_CST);
	subject->must_cancel = subject->before > subject->spent;
	subject->busy = true;
	__atomic_store_n(&subject->hung, 0, __ATOMIC_RELEASE);
	step(subject);
	worker->started++;
	if (worker->queue && draw(&worker->random, 16))
		return prepare(worker, subject) ? broken(worker, subject, "cannot prepare", NULL) :
						  true;
	error = block(worker, subject, &event);
	if (subject->operation != SIDECAR_OPERATION_RUN) {
		event.operation = subject->operation;
		event.error = error;
		event.kind = error ? SIDECAR_EVENT_ERROR : SIDECAR_EVENT_DONE;
	}
	return check(worker, subject, &event);
}

/* ---- threads ---- */

static bool take_events(struct worker *worker)
{
	uint32_t min = 1 + draw(&worker->random, worker->count);
	struct sidecar_event events[MAX_VPS];
	int count = sidecar_queue_wait(worker->queue, events, MAX_VPS, min, in_ms(8 * HANG_MS));

	if (count <= 0)
		return broken(worker, &worker->subjects[0], "a hang", NULL);
	for (int i = 0; i < count; i++) {
		uint64_t place = events[i].user - 100;

		if (place >= worker->count)
			return broken(worker, &worker->subjects[0], "a user value", &events[i]);
		if (!check(worker, &worker->subjects[place], &events[i]))
			return false;
	}
	return true;
}

/* Some of the idle ones, and all of them in the end are idle. */
static bool work(struct worker *worker)
{
	bool more = worker->started < worker->quota;
	unsigned int busy = 0;

	for (unsigned int i = 0; i < worker->count; i++) {
		struct subject *subject = &worker->subjects[i];

		if (more && !subject->busy && draw(&worker->random, 4) && !begin(worker, subject))
			return false;
		busy += subject->busy;
	}
	if (!busy)
		return more;
	if (draw(&worker->random, 2))
		sidecar_queue_submit(worker->queue);
	return take_events(worker);
}

/* The one intercept that may still be in the page is the one that no run has fetched: none. */
static bool settle(struct worker *worker, struct subject *subject)
{
	uint64_t made = __atomic_load_n(&subject->guest.intercepts, __ATOMIC_RELAXED);

	if (made != subject->seen)
		return broken(worker, subject, "an intercept that never came", NULL);
	return !subject->in_line || give_up_turn(worker, subject);
}

static bool enter_queue(struct worker *worker)
{
	if (worker->blocking)
		return true;
	if (sidecar_queue_create(worker->machine->client, NULL, &worker->queue))
		return broken(worker, &worker->subjects[0], "no queue", NULL);
	for (unsigned int i = 0; i < worker->count; i++)
		if (sidecar_queue_attach(worker->queue, worker->subjects[i].vp))
			return broken(worker, &worker->subjects[i], "cannot attach", NULL);
	return true;
}

static bool leave_queue(struct worker *worker)
{
	for (unsigned int i = 0; worker->queue && i < worker->count; i++)
		if (sidecar_queue_detach(worker->queue, worker->subjects[i].vp))
			return broken(worker, &worker->subjects[i], "cannot detach", NULL);
	return !sidecar_queue_close(worker->queue);
}

static void *work_thread(void *argument)
{
	struct worker *worker = argument;

	if (!enter_queue(worker))
		return NULL;
	while (work(worker))
		;
	for (unsigned int i = 0; i < worker->count && !worker->failure[0]; i++)
		settle(worker, &worker->subjects[i]);
	if (!worker->failure[0] && !leave_queue(worker))
		broken(worker, &worker->subjects[0], "its queue does not close", NULL);
	return NULL;
}

/* None while another is on its way: it would hide that the first one was lost. */
static void cancel_once(struct subject *subject)
{
	if (__atomic_load_n(&subject->begun, __ATOMIC_SEQ_CST) <=
	    __atomic_load_n(&subject->spent, __ATOMIC_SEQ_CST))
		cancel(subject);
}

/* Until the subject begins an operation: a cancel that comes then is the hardest to get right. */
static void lie_in_wait(struct round *round, const struct subject *subject)
{
	uint64_t end = now_ns_of_test() + AMBUSH_US * 1000ull;
	uint64_t steps = __atomic_load_n(&subject->steps, __ATOMIC_ACQUIRE), ticks;

	while (now_ns_of_test() < end &&
	       __atomic_load_n(&subject->steps, __ATOMIC_ACQUIRE) < (steps | 1) + steps % 2 * 2)
		;
	/* Nothing or some microseconds: up to the look at the flag, or up to START. */
	ticks = __builtin_ia32_rdtsc();
	ticks += draw(&round->random, draw(&round->random, 2) ? 1000 : 60000);
	while (__builtin_ia32_rdtsc() < ticks)
		;
}

/*
 * In the middle of a START, when the library has looked at the flag and the CPU does not run yet.
 * Whose START it is the fake does not say, so all that have something in flight are cancelled.
 */
static void cancel_started(void *context)
{
	struct round *round = context;

	for (unsigned int w = 0; w < WORKERS; w++)
		for (unsigned int i = 0; i < round->workers[w].count; i++)
			if (__atomic_load_n(&round->workers[w].subjects[i].steps,
					    __ATOMIC_ACQUIRE) % 2)
				cancel_once(&round->workers[w].subjects[i]);
	__atomic_store_n(&round->armed, 0, __ATOMIC_RELEASE);
}

/* Not for long: when all that is in flight wait for a cancel, there is no START. */
static void cancel_next_start(struct round *round)
{
	uint64_t end = now_ns_of_test() + AMBUSH_US * 1000ull;

	if (!__atomic_exchange_n(&round->armed, 1, __ATOMIC_ACQ_REL))
		fake_before_start(round->workers[0].machine->fake, cancel_started, round);
	while (__atomic_load_n(&round->armed, __ATOMIC_ACQUIRE) && now_ns_of_test() < end)
		usleep(20);
}

static void *cancel_thread(void *argument)
{
	struct round *round = argument;

	while (!__atomic_load_n(&round->end, __ATOMIC_ACQUIRE)) {
		struct worker *worker = &round->workers[draw(&round->random, WORKERS)];
		struct subject *subject = &worker->subjects[draw(&round->random, worker->count)];
		unsigned int way = draw(&round->random, 4);

		if (way == 0)
			cancel_next_start(round);
		else if (way == 1)
			lie_in_wait(round, subject);
		else
			usleep(draw(&round->random, 200));
		cancel_once(subject);
	}
	return NULL;
}

static void prepare_subject(struct machine *machine, struct subject *subject, uint32_t cpu,
			    uint64_t random)
{
	struct host_guest *guest = fake_host(machine->fake, cpu)->guest;

	subject->cpu = cpu;
	subject->guest.random = random;
	*guest = (struct host_guest){.enter = guest_random, .context = &subject->guest,
				     .slice_us = 50};
	subject->vp = make_vp(machine, cpu);
	for (unsigned int i = 0; i < NAMES; i++)
		assert_int_equal(sidecar_vp_get_register64(subject->vp, HV_VTL_0, names[i],
							   &subject->values[i]), 0);
}

static void prepare_round(struct machine *machine, struct round *round, uint64_t seed)
{
	static const uint32_t cpus[WORKERS][MAX_VPS] = {{1, 9, 41}, {2, 10}, {3}};

	round->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	for (unsigned int w = 0; w < WORKERS; w++) {
		struct worker *worker = &round->workers[w];

		worker->machine = machine;
		worker->blocking = w == WORKERS - 1;
		worker->quota = ROUND / WORKERS;
		worker->random = next_random(&round->random);
		while (worker->count < MAX_VPS && cpus[w][worker->count]) {
			prepare_subject(machine, &worker->subjects[worker->count],
					cpus[w][worker->count], next_random(&round->random));
			worker->count++;
		}
	}
}

/* What is left of the CPUs after all that goes to Linux, or is given back. */
static void end_round(struct machine *machine, struct round *round)
{
	fake_fail(machine->fake, FAKE_ONLINE_WRITE, 0, 0, 0);
	for (unsigned int w = 0; w < WORKERS; w++) {
		struct worker *worker = &round->workers[w];

		assert_int_equal(sidecar_vp_convert(worker->subjects[0].vp, SIDECAR_NO_DEADLINE),
				 0);
		for (unsigned int i = 0; i < worker->count; i++)
			destroy_vp(worker->subjects[i].vp);
	}
}

/* ---- the watchdog ---- */

struct watch {
	uint64_t steps, since_ns;
};

/* Its state is read while its thread may go on after all: the program ends here either way. */
static void give_up(const struct subject *subject, uint64_t seed)
{
	char text[512];

	describe(subject, text, sizeof(text));
	print_error("not ok - seed %llu: CPU %u: %s hangs, and no cancel ends it%s\n",
		    (unsigned long long)seed, subject->cpu,
		    sidecar_operation_name(subject->operation), text);
	_exit(1);
}

static void watch_subject(struct subject *subject, struct watch *watch, uint64_t seed)
{
	uint64_t steps = __atomic_load_n(&subject->steps, __ATOMIC_ACQUIRE);
	uint64_t now = now_ns_of_test();

	if (steps != watch->steps || steps % 2 == 0) {
		watch->steps = steps;
		watch->since_ns = now;
	}
	if (now - watch->since_ns < HANG_MS * MS)
		return;
	if (now - watch->since_ns > 4 * HANG_MS * MS)
		give_up(subject, seed);
	if (__atomic_load_n(&subject->ended, __ATOMIC_SEQ_CST) <=
	    __atomic_load_n(&subject->spent, __ATOMIC_SEQ_CST))
		return; /* so far nobody had to stop it */
	__atomic_store_n(&subject->hung, 1, __ATOMIC_RELEASE);
	__atomic_store_n(&subject->guest.endless, 0, __ATOMIC_RELEASE);
}

static void join_watching(struct worker *worker, uint64_t seed)
{
	struct watch watches[MAX_VPS] = {0};
	struct timespec soon;

	do {
		for (unsigned int i = 0; i < worker->count; i++)
			watch_subject(&worker->subjects[i], &watches[i], seed);
		clock_gettime(CLOCK_REALTIME, &soon);
		soon.tv_nsec += 20 * 1000000;
		soon.tv_sec += soon.tv_nsec / 1000000000;
		soon.tv_nsec %= 1000000000;
	} while (pthread_timedjoin_np(worker->thread, NULL, &soon) == ETIMEDOUT);
}

/* What its VPs leave behind, a place in the process's line of conversions say, spoils the rest. */
static bool abandoned;

static void judge_round(const struct round *round, uint64_t seed)
{
	for (unsigned int w = 0; w < WORKERS; w++) {
		abandoned = round->workers[w].failure[0];
		if (abandoned)
			fail_msg("seed %llu: %s", (unsigned long long)seed,
				 round->workers[w].failure);
	}
}

static void run_round(struct machine *machine, uint64_t seed)
{
	struct round *round = calloc(1, sizeof(*round));
	pthread_t canceller;

	assert_non_null(round);
	prepare_round(machine, round, seed);
	fake_fail(machine->fake, FAKE_ONLINE_WRITE, EBUSY, UINT32_MAX, 0);
	for (unsigned int w = 0; w < WORKERS; w++)
		assert_int_equal(pthread_create(&round->workers[w].thread, NULL, work_thread,
						&round->workers[w]), 0);
	assert_int_equal(pthread_create(&canceller, NULL, cancel_thread, round), 0);
	for (unsigned int w = 0; w < WORKERS; w++)
		join_watching(&round->workers[w], seed);
	__atomic_store_n(&round->end, 1, __ATOMIC_RELEASE);
	pthread_join(canceller, NULL);
	fake_before_start(machine->fake, NULL, NULL);
	judge_round(round, seed);
	end_round(machine, round);
	free(round);
}

/* ---- the tests ---- */

static void stress(const struct machine_options *options)
{
	unsigned int rounds = (getenv("SIDECAR_TEST_LONG") ? LONG_OPERATIONS : OPERATIONS) /
			      ROUND / 3;
	void *state;

	if (abandoned)
		skip();
	for (unsigned int i = 0; i < rounds + 1; i++) {
		state = (void *)options;
		assert_int_equal(machine_setup(&state), 0);
		run_round(state, i + 1);
		assert_int_equal(machine_teardown(&state), 0);
	}
}

static void test_R1_R4_poll_and_call(void **state)
{
	(void)state;
	stress(&ours);
}

static void test_R1_R4_uring(void **state)
{
	(void)state;
	stress(&uring);
}

static void test_R1_R4_original(void **state)
{
	(void)state;
	stress(&original);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_R1_R4_poll_and_call),
		cmocka_unit_test(test_R1_R4_uring),
		cmocka_unit_test(test_R1_R4_original),
	};

	return cmocka_run_group_tests_name("stress", tests, NULL, NULL);
}
