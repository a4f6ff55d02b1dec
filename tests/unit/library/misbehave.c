// SPDX-License-Identifier: MIT
/*
 * A driver with all the weaknesses that the original may have: completions that are made up, come
 * twice, late, only with another's, or never; EINTR from whatever is called; EFAULT; EBUSY; a CPU
 * that never answers. However it goes on, every operation completes exactly once, with the truth.
 */
#include "machine.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#define ROUNDS 300u
#define FILES 8u
#define BACKLOG 64u
#define FILE_HANDLE 1000 /* the fake's first */
#define HANG_MS 20000u

enum mischief {
	FABRICATE = 1,	/* completions of CPUs with nothing, or something, in flight */
	DUPLICATE = 2,
	LATE = 4,	/* by up to a few ms */
	LOSE = 8,	/* some are kept until the next one of the node comes */
	INTERRUPT = 16, /* EINTR from START, RUN, STOP, CANCEL and read */
	BUSY = 32,	/* EBUSY from START and RUN */
	BAD = 64,	/* EFAULT from START and RUN, before anything has begun */
	BAD_READ = 128, /* EFAULT from read; without owners it takes the completion away with it */
};

struct late {
	uint32_t cpu;
	uint64_t due_ns;
	bool kept; /* lost until another one comes */
};

/* An open node file; what can be read goes through here. */
struct naughty_file {
	int inner; /* polls the fake's, 0 = not open */
	int outer; /* an eventfd, a semaphore: how many can be read */
	struct late late[BACKLOG];
	unsigned int late_count;
	uint32_t ready[BACKLOG];
	unsigned int ready_count;
};

struct naughty {
	struct fake *fake;
	bool owned; /* the driver has owners */
	unsigned int mischief; /* atomic */
	unsigned int calls;    /* of stop and cancel; atomic */
	pthread_mutex_t lock;  /* of all that follows */
	uint64_t random;
	struct naughty_file files[FILES];
	int end;
	pthread_t thread;
};

static unsigned int draw(uint64_t *state, unsigned int n)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (unsigned int)((*state >> 32) % n);
}

static bool does(const struct naughty *naughty, enum mischief mischief)
{
	return __atomic_load_n(&naughty->mischief, __ATOMIC_RELAXED) & (unsigned int)mischief;
}

/* One call in n goes wrong. Not in stop and cancel: a signal handler takes no lock. */
static bool strikes(struct naughty *naughty, enum mischief mischief, unsigned int n)
{
	bool strikes;

	pthread_mutex_lock(&naughty->lock);
	strikes = does(naughty, mischief) && draw(&naughty->random, n) == 0;
	pthread_mutex_unlock(&naughty->lock);
	return strikes;
}

/* ---- completions ---- */

/* Under the lock. */
static void deliver(struct naughty_file *file, uint32_t cpu)
{
	if (file->ready_count == BACKLOG)
		return; /* made up, or a duplicate: there are never so many true ones */
	file->ready[file->ready_count++] = cpu;
	eventfd_write(file->outer, 1);
}

static void postpone(struct naughty *naughty, struct naughty_file *file, uint32_t cpu)
{
	struct late *late = &file->late[file->late_count++];

	*late = (struct late){.cpu = cpu};
	if (does(naughty, LATE) && draw(&naughty->random, 4) == 0)
		late->due_ns = now_ns_of_test() + draw(&naughty->random, 3000) * 1000ull;
	late->kept = does(naughty, LOSE) && draw(&naughty->random, 4) == 0;
}

static void fetch(struct naughty *naughty, struct naughty_file *file, int handle)
{
	uint32_t cpu;

	while (file->late_count < BACKLOG &&
	       !fake_driver.read_completion(naughty->fake, handle, &cpu)) {
		/* The attention of another CPU makes the driver look at all of them. */
		for (unsigned int i = 0; i < file->late_count; i++)
			file->late[i].kept = false;
		postpone(naughty, file, cpu);
	}
}

static void deliver_due(struct naughty *naughty, struct naughty_file *file)
{
	unsigned int left = 0, count = file->late_count;
	uint64_t now = now_ns_of_test();

	for (unsigned int i = 0; i < count; i++) {
		struct late late = file->late[i];

		if (late.kept || now < late.due_ns) {
			file->late[left++] = late;
			continue;
		}
		deliver(file, late.cpu);
		if (does(naughty, DUPLICATE) && draw(&naughty->random, 4) == 0)
			deliver(file, late.cpu);
	}
	file->late_count = left;
	if (does(naughty, FABRICATE) && file->ready_count < 4 && draw(&naughty->random, 8) == 0)
		deliver(file, 1 + draw(&naughty->random, 3));
}

static void *pump(void *argument)
{
	struct naughty *naughty = argument;

	while (!__atomic_load_n(&naughty->end, __ATOMIC_ACQUIRE)) {
		pthread_mutex_lock(&naughty->lock);
		for (unsigned int i = 0; i < FILES; i++) {
			if (!naughty->files[i].inner)
				continue;
			fetch(naughty, &naughty->files[i], FILE_HANDLE + (int)i);
			deliver_due(naughty, &naughty->files[i]);
		}
		pthread_mutex_unlock(&naughty->lock);
		usleep(100);
	}
	return NULL;
}

static int naughty_read(void *context, int node, uint32_t *cpu)
{
	struct naughty *naughty = context;
	struct naughty_file *file = &naughty->files[node - FILE_HANDLE];
	int error = strikes(naughty, INTERRUPT, 4) ? -EINTR : 0;
	bool bad = strikes(naughty, BAD_READ, 4);
	eventfd_t count;

	pthread_mutex_lock(&naughty->lock);
	if (!error && !file->ready_count)
		error = -EAGAIN;
	else if (!error && bad && naughty->owned)
		error = -EFAULT;
	if (!error) {
		*cpu = file->ready[0];
		memmove(&file->ready[0], &file->ready[1],
			--file->ready_count * sizeof(file->ready[0]));
		eventfd_read(file->outer, &count);
		error = bad ? -EFAULT : 0;
	}
	pthread_mutex_unlock(&naughty->lock);
	return error;
}

static int naughty_poll_fd(void *context, int node)
{
	struct naughty *naughty = context;
	struct naughty_file *file = &naughty->files[node - FILE_HANDLE];
	int inner = fake_driver.poll_fd(naughty->fake, node);

	pthread_mutex_lock(&naughty->lock);
	*file = (struct naughty_file){
		.inner = inner,
		.outer = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE),
	};
	pthread_mutex_unlock(&naughty->lock);
	return file->outer;
}

static void naughty_close(void *context, int node)
{
	struct naughty *naughty = context;
	struct naughty_file *file = &naughty->files[node - FILE_HANDLE];

	pthread_mutex_lock(&naughty->lock);
	if (file->inner)
		close(file->outer);
	file->inner = 0;
	pthread_mutex_unlock(&naughty->lock);
	fake_driver.node_close(naughty->fake, node);
}

/* ---- operations on a CPU ---- */

static int refusal(struct naughty *naughty)
{
	if (strikes(naughty, BUSY, 6))
		return -EBUSY;
	if (strikes(naughty, BAD, 6))
		return -EFAULT;
	return strikes(naughty, INTERRUPT, 6) ? -EINTR : 0;
}

static int naughty_start(void *context, int node, uint32_t cpu)
{
	struct naughty *naughty = context;
	int error = refusal(naughty);

	return error ? error : fake_driver.start(naughty->fake, node, cpu);
}

/* A signal may come before the command begins, and when it has ended; that is EINTR too. */
static int naughty_run(void *context, int node, uint32_t cpu)
{
	struct naughty *naughty = context;
	int error = refusal(naughty);

	if (error)
		return error;
	error = fake_driver.run(naughty->fake, node, cpu);
	return !error && strikes(naughty, INTERRUPT, 6) ? -EINTR : error;
}

static int naughty_start_prepare(void *context, int node, uint32_t cpu, struct io_uring *ring,
				 struct io_uring_sqe *sqe, uint64_t user)
{
	struct naughty *naughty = context;

	if (strikes(naughty, BUSY, 6))
		return -EBUSY;
	if (strikes(naughty, BAD, 6))
		return -EFAULT;
	return fake_driver.start_prepare(naughty->fake, node, cpu, ring, sqe, user);
}

/* Two of three are interrupted, before they have done anything or after it. */
static int interrupted(struct naughty *naughty, int node, uint32_t cpu,
		       int (*operation)(void *context, int node, uint32_t cpu))
{
	unsigned int call = __atomic_add_fetch(&naughty->calls, 1, __ATOMIC_RELAXED);
	int error;

	if (does(naughty, INTERRUPT) && call % 3 == 0)
		return -EINTR;
	error = operation(naughty->fake, node, cpu);
	return !error && does(naughty, INTERRUPT) && call % 3 == 1 ? -EINTR : error;
}

static int naughty_claim(void *context, int node, uint32_t cpu)
{
	return interrupted(context, node, cpu, fake_driver.claim);
}

static int naughty_stop(void *context, int node, uint32_t cpu)
{
	return interrupted(context, node, cpu, fake_driver.stop);
}

static int naughty_cancel(void *context, int node, uint32_t cpu)
{
	return interrupted(context, node, cpu, fake_driver.cancel);
}

#define PASS(name, parameters, ...)                                         \
	static int naughty_##name parameters                                \
	{                                                                   \
		return fake_driver.name(((struct naughty *)context)->fake, __VA_ARGS__); \
	}

PASS(node_open, (void *context, uint32_t index), index)
PASS(node_info, (void *context, int node, struct sidecar_node_ioctl_info *info), node, info)
PASS(node_caps, (void *context, int node, struct sidecar_ioctl_caps *caps), node, caps)
PASS(cpu_info, (void *context, int node, struct sidecar_ioctl_cpu *info), node, info)
PASS(node_map, (void *context, int node, size_t length, void **memory), node, length, memory)
PASS(partition_create, (void *context, int node), node)
PASS(partition_attach, (void *context, int node, int partition), node, partition)
PASS(online_open, (void *context, uint32_t cpu), cpu)
PASS(online_write, (void *context, int online), online)
PASS(online_prepare, (void *context, int online, struct io_uring *ring, uint64_t user), online,
     ring, user)

static void naughty_unmap(void *context, void *memory, size_t length)
{
	fake_driver.node_unmap(((struct naughty *)context)->fake, memory, length);
}

static void naughty_partition_close(void *context, int partition)
{
	fake_driver.partition_close(((struct naughty *)context)->fake, partition);
}

static void naughty_online_close(void *context, int online)
{
	fake_driver.online_close(((struct naughty *)context)->fake, online);
}

static const struct sidecar_driver naughty_driver = {
	.node_open = naughty_node_open,
	.node_close = naughty_close,
	.node_info = naughty_node_info,
	.node_caps = naughty_node_caps,
	.cpu_info = naughty_cpu_info,
	.node_map = naughty_node_map,
	.node_unmap = naughty_unmap,
	.claim = naughty_claim,
	.start = naughty_start,
	.stop = naughty_stop,
	.run = naughty_run,
	.cancel = naughty_cancel,
	.start_prepare = naughty_start_prepare,
	.read_completion = naughty_read,
	.poll_fd = naughty_poll_fd,
	.partition_create = naughty_partition_create,
	.partition_close = naughty_partition_close,
	.partition_attach = naughty_partition_attach,
	.online_open = naughty_online_open,
	.online_close = naughty_online_close,
	.online_write = naughty_online_write,
	.online_prepare = naughty_online_prepare,
};

/* ---- the machine ---- */

struct subject {
	struct sidecar_vp *vp;
	uint32_t cpu;
	uint64_t seen; /* intercepts */
	uint64_t value;
	bool busy, dead;
	uint32_t operation;
	bool cancelled; /* by us, and not yet told */
	uint64_t new_value;
	struct hv_register_assoc reg;
};

struct bad_machine {
	struct machine machine; /* first: machine_teardown() gets a copy */
	struct naughty naughty;
	const struct machine_options *options;
	uint64_t random;
	struct subject subjects[3];
	struct sidecar_queue *queue;
	unsigned int events, refused;
};

static int setup(void **state)
{
	static const struct fake_layout layout[] = {{0, 4}};
	const struct machine_options *options = *state;
	struct sidecar_options client = {.size = sizeof(client), .timeout_ns = options->timeout_ns};
	struct bad_machine *bad = calloc(1, sizeof(*bad));

	alarm(60);
	bad->options = options;
	bad->random = bad->naughty.random = 0x5eed;
	bad->naughty.fake = bad->machine.fake = fake_create(layout, 1, options->capabilities);
	bad->naughty.owned = options->capabilities & SIDECAR_CAP_OWNERSHIP;
	if (options->timeout_ns)
		fake_set_timeout(bad->machine.fake, (unsigned int)(options->timeout_ns / MS));
	pthread_mutex_init(&bad->naughty.lock, NULL);
	if (sidecar_open_with(&client, &naughty_driver, &bad->naughty, &bad->machine.client) ||
	    sidecar_partition_create(bad->machine.client, &bad->machine.partition))
		return -1;
	*state = bad;
	return pthread_create(&bad->naughty.thread, NULL, pump, &bad->naughty);
}

static int teardown(void **state)
{
	struct bad_machine *bad = *state;
	int left = sidecar_partition_close(bad->machine.partition);

	if (!left)
		left = sidecar_close(bad->machine.client);
	__atomic_store_n(&bad->naughty.end, 1, __ATOMIC_RELEASE);
	pthread_join(bad->naughty.thread, NULL);
	if (!left)
		left = (int)fake_open_files(bad->machine.fake);
	fake_destroy(bad->machine.fake);
	free(bad);
	alarm(0);
	return left;
}

static void misbehave(struct bad_machine *bad, unsigned int mischief)
{
	__atomic_store_n(&bad->naughty.mischief, mischief, __ATOMIC_RELAXED);
}

static void make_subjects(struct bad_machine *bad)
{
	for (unsigned int i = 0; i < COUNT(bad->subjects); i++) {
		bad->subjects[i] = (struct subject){.cpu = i + 1};
		set_guest(&bad->machine, i + 1, guest_io);
		bad->subjects[i].vp = make_vp(&bad->machine, i + 1);
	}
}

/* ---- the truth ---- */

static bool is_refusal(int error)
{
	return error == -EBUSY || error == -EFAULT;
}

static void check_run(struct bad_machine *bad, struct subject *subject, uint32_t kind, int error)
{
	const struct hv_io_message *io =
		(const void *)sidecar_vp_message(subject->vp)->payload;

	if (kind == SIDECAR_EVENT_ERROR) {
		assert_true(is_refusal(error));
		bad->refused++;
	} else if (kind == SIDECAR_EVENT_CANCELLED) {
		assert_true(subject->cancelled);
		subject->cancelled = false;
	} else {
		assert_int_equal(kind, SIDECAR_EVENT_INTERCEPT);
		assert_int_equal(io->header.vp_index, subject->cpu);
		assert_int_equal(io->rax, ++subject->seen);
	}
	/* What was refused has not begun, and nothing else runs. */
	assert_int_equal(entries_of(&bad->machine, subject->cpu), subject->seen);
}

static void check_registers(struct bad_machine *bad, struct subject *subject, int error)
{
	if (error) {
		assert_true(is_refusal(error));
		bad->refused++;
		return;
	}
	if (subject->operation == SIDECAR_OPERATION_SET_REGISTERS)
		subject->value = subject->new_value;
	else
		assert_int_equal(subject->reg.value.low, subject->value);
}

static void check_end(struct bad_machine *bad, struct subject *subject, uint32_t kind, int error)
{
	assert_true(subject->busy);
	subject->busy = false;
	if (subject->dead)
		assert_int_equal(kind, SIDECAR_EVENT_FAILED);
	else if (subject->operation == SIDECAR_OPERATION_RUN)
		check_run(bad, subject, kind, error);
	else
		check_registers(bad, subject, error);
}

static void choose(struct bad_machine *bad, struct subject *subject)
{
	static const uint32_t operations[] = {
		SIDECAR_OPERATION_RUN, SIDECAR_OPERATION_RUN, SIDECAR_OPERATION_GET_REGISTERS,
		SIDECAR_OPERATION_SET_REGISTERS,
	};

	subject->busy = true;
	subject->operation = operations[draw(&bad->random, COUNT(operations))];
	subject->new_value = draw(&bad->random, 1u << 30);
	subject->reg = (struct hv_register_assoc){.name = HV_REGISTER_LSTAR};
	if (subject->operation == SIDECAR_OPERATION_SET_REGISTERS)
		subject->reg.value.low = subject->new_value;
	if (draw(&bad->random, 8) == 0) {
		subject->cancelled = true;
		sidecar_vp_cancel(subject->vp);
	}
}

static void block(struct bad_machine *bad, struct subject *subject)
{
	struct sidecar_event event = {.kind = SIDECAR_EVENT_NONE};
	int error;

	choose(bad, subject);
	switch (subject->operation) {
	case SIDECAR_OPERATION_RUN:
		error = sidecar_vp_run(subject->vp, SIDECAR_NO_DEADLINE, &event);
		break;
	case SIDECAR_OPERATION_GET_REGISTERS:
		error = sidecar_vp_get_registers(subject->vp, HV_VTL_0, &subject->reg, 1);
		break;
	default:
		error = sidecar_vp_set_registers(subject->vp, HV_VTL_0, &subject->reg, 1);
	}
	check_end(bad, subject, event.kind, error);
}

static void prepare(struct bad_machine *bad, struct subject *subject)
{
	uint64_t user = (uint64_t)(subject - bad->subjects);
	struct sidecar_vp *vp = subject->vp;
	int error;

	choose(bad, subject);
	switch (subject->operation) {
	case SIDECAR_OPERATION_RUN:
		error = sidecar_queue_prepare_run(bad->queue, vp, user);
		break;
	case SIDECAR_OPERATION_GET_REGISTERS:
		error = sidecar_queue_prepare_get_registers(bad->queue, vp, HV_VTL_0,
							    &subject->reg, 1, user);
		break;
	default:
		error = sidecar_queue_prepare_set_registers(bad->queue, vp, HV_VTL_0,
							    &subject->reg, 1, user);
	}
	assert_int_equal(error, 0);
}

static void take_events(struct bad_machine *bad, uint32_t min)
{
	struct sidecar_event events[COUNT(bad->subjects)];
	int count = sidecar_queue_wait(bad->queue, events, COUNT(events), min, in_ms(HANG_MS));

	assert_in_range(count, min, COUNT(events));
	for (int i = 0; i < count; i++) {
		assert_in_range(events[i].user, 0, COUNT(bad->subjects) - 1);
		assert_ptr_equal(events[i].vp, bad->subjects[events[i].user].vp);
		check_end(bad, &bad->subjects[events[i].user], events[i].kind, events[i].error);
		bad->events++;
	}
}

static void open_queue(struct bad_machine *bad)
{
	assert_int_equal(sidecar_queue_create(bad->machine.client, NULL, &bad->queue), 0);
	for (unsigned int i = 0; i < COUNT(bad->subjects); i++)
		assert_int_equal(sidecar_queue_attach(bad->queue, bad->subjects[i].vp), 0);
}

/* Nothing comes any more, from whatever is still on its way. */
static void close_all(struct bad_machine *bad)
{
	struct sidecar_event event;

	if (bad->queue)
		assert_int_equal(sidecar_queue_wait(bad->queue, &event, 1, 1, in_ms(10)), 0);
	misbehave(bad, 0);
	for (unsigned int i = 0; i < COUNT(bad->subjects); i++)
		destroy_vp(bad->subjects[i].vp);
	assert_int_equal(sidecar_queue_close(bad->queue), 0);
}

static void run_blocking(struct bad_machine *bad, unsigned int mischief)
{
	make_subjects(bad);
	misbehave(bad, mischief);
	for (unsigned int i = 0; i < ROUNDS; i++)
		block(bad, &bad->subjects[i % COUNT(bad->subjects)]);
	close_all(bad);
}

static void run_queued(struct bad_machine *bad, unsigned int mischief)
{
	unsigned int busy, started = 0;

	make_subjects(bad);
	open_queue(bad);
	misbehave(bad, mischief);
	while (started < ROUNDS) {
		busy = 0;
		for (unsigned int i = 0; i < COUNT(bad->subjects); i++) {
			if (!bad->subjects[i].busy) {
				prepare(bad, &bad->subjects[i]);
				started++;
			}
			busy += bad->subjects[i].busy;
		}
		take_events(bad, 1 + draw(&bad->random, busy));
	}
	busy = started - bad->events;
	if (busy)
		take_events(bad, busy);
	assert_int_equal(bad->events, started);
	close_all(bad);
}

/* What a driver with owners promises not to do is left out there. */
static unsigned int possible(const struct bad_machine *bad, unsigned int mischief)
{
	if (bad->options->capabilities & SIDECAR_CAP_OWNERSHIP)
		mischief &= ~(unsigned int)(FABRICATE | DUPLICATE | LOSE);
	return mischief;
}

static void run_both(void **state, unsigned int mischief)
{
	struct bad_machine *bad = *state;

	run_blocking(bad, possible(bad, mischief & ~(unsigned int)LOSE));
	bad->queue = NULL;
	run_queued(bad, possible(bad, mischief));
}

static void test_R1_made_up(void **state)
{
	run_both(state, FABRICATE);
}

static void test_R1_twice(void **state)
{
	run_both(state, DUPLICATE);
}

static void test_late(void **state)
{
	run_both(state, LATE);
}

static void test_EINTR(void **state)
{
	run_both(state, INTERRUPT);
}

static void test_EINTR_of_a_cancel(void **state)
{
	struct bad_machine *bad = *state;
	struct subject *subject = &bad->subjects[0];
	struct sidecar_event event;
	pthread_t thread;

	make_subjects(bad);
	open_queue(bad);
	misbehave(bad, INTERRUPT);
	set_guest(&bad->machine, subject->cpu, guest_endless);
	for (unsigned int i = 0; i < 20; i++) {
		thread = cancel_later(subject->vp, i % 3);
		assert_int_equal(sidecar_vp_run(subject->vp, SIDECAR_NO_DEADLINE, &event), 0);
		assert_int_equal(event.kind, SIDECAR_EVENT_CANCELLED);
		pthread_join(thread, NULL);
		thread = cancel_later(subject->vp, i % 3);
		assert_int_equal(sidecar_queue_prepare_run(bad->queue, subject->vp, 0), 0);
		assert_int_equal(sidecar_queue_wait(bad->queue, &event, 1, 1, in_ms(HANG_MS)), 1);
		assert_int_equal(event.kind, SIDECAR_EVENT_CANCELLED);
		pthread_join(thread, NULL);
	}
	close_all(bad);
}

static void test_EBUSY(void **state)
{
	run_both(state, BUSY);
}

static void test_EFAULT(void **state)
{
	run_both(state, BAD);
}

static void test_EFAULT_of_a_read(void **state)
{
	run_both(state, BAD_READ);
}

static void test_all_of_it(void **state)
{
	run_both(state, FABRICATE | DUPLICATE | LATE | INTERRUPT | BUSY | BAD | BAD_READ);
}

/* Kept back until another CPU of the node completes something. */
static void test_lost_until_the_next(void **state)
{
	struct bad_machine *bad = *state;
	struct subject *rest = &bad->subjects[2];

	make_subjects(bad);
	misbehave(bad, LOSE);
	open_queue(bad);
	for (unsigned int i = 0; i < 50; i++) {
		prepare(bad, &bad->subjects[0]);
		prepare(bad, &bad->subjects[1]);
		assert_true(sidecar_queue_submit(bad->queue) >= 0);
		take_events(bad, 0);
		misbehave(bad, 0);
		prepare(bad, rest); /* its completion brings all others */
		while (bad->subjects[0].busy || bad->subjects[1].busy || rest->busy)
			take_events(bad, 1);
		misbehave(bad, LOSE);
	}
	close_all(bad);
}

/* One is dead, the driver goes on as ever, and the others do not notice. */
static void test_R9_one_never_answers(void **state)
{
	struct bad_machine *bad = *state;
	struct subject *dead = &bad->subjects[1];

	make_subjects(bad);
	open_queue(bad);
	misbehave(bad, possible(bad, FABRICATE | DUPLICATE | LATE));
	set_guest(&bad->machine, dead->cpu, guest_dead);
	dead->busy = dead->dead = true;
	dead->operation = SIDECAR_OPERATION_RUN;
	assert_int_equal(sidecar_queue_prepare_run(bad->queue, dead->vp, 1), 0);
	assert_int_equal(sidecar_queue_submit(bad->queue), 1);
	wait_for_entries(&bad->machine, dead->cpu, 1);
	assert_int_equal(sidecar_vp_cancel(dead->vp), 0);
	for (unsigned int i = 0; i < 100 || dead->busy; i++) {
		for (unsigned int n = 0; n < COUNT(bad->subjects); n += 2)
			if (!bad->subjects[n].busy)
				prepare(bad, &bad->subjects[n]);
		take_events(bad, 1);
	}
	while (bad->subjects[0].busy || bad->subjects[2].busy)
		take_events(bad, 1);
	assert_int_equal(sidecar_vp_run(dead->vp, SIDECAR_NO_DEADLINE, NULL), -ETIMEDOUT);
	close_all(bad);
}

#define BAD_CASE(test, options) \
	{#test " (" #options ")", test, setup, teardown, (void *)&(options)}
#define EACH(test) BAD_CASE(test, ours), BAD_CASE(test, uring), BAD_CASE(test, original)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BAD_CASE(test_R1_made_up, original),
		BAD_CASE(test_R1_twice, original),
		EACH(test_late),
		EACH(test_EINTR),
		EACH(test_EINTR_of_a_cancel),
		EACH(test_EBUSY),
		EACH(test_EFAULT),
		EACH(test_EFAULT_of_a_read),
		EACH(test_all_of_it),
		BAD_CASE(test_lost_until_the_next, original),
		BAD_CASE(test_R9_one_never_answers, impatient),
		BAD_CASE(test_R9_one_never_answers, impatient_uring),
		BAD_CASE(test_R9_one_never_answers, impatient_original),
	};

	return cmocka_run_group_tests_name("misbehave", tests, NULL, NULL);
}
