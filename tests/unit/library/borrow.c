// SPDX-License-Identifier: MIT
/* Queues in a ring of the caller's. */
#include "machine.h"

#include <liburing.h>

#include <sidecar/uring.h>

#define ENTRIES 16u
#define LOW_MASK 7ull
#define LOW_TAG 5ull
#define HIGH_MASK 0xffff000000000000ull
#define HIGH_TAG 0xabcd000000000000ull

struct loop {
	struct machine *machine;
	struct io_uring ring;
	struct sidecar_queue *queue;
	uint64_t tag, mask;
	unsigned int foreign, internal;
};

static void open_loop(struct loop *loop, struct machine *machine, uint64_t tag, uint64_t mask)
{
	*loop = (struct loop){.machine = machine, .tag = tag, .mask = mask};
	assert_int_equal(io_uring_queue_init(ENTRIES, &loop->ring, 0), 0);
	if (sidecar_queue_borrow(machine->client, &loop->ring, tag, mask, NULL, &loop->queue))
		fail_msg("no queue: %s", sidecar_error(machine->client)->text);
}

static void close_loop(struct loop *loop)
{
	assert_int_equal(sidecar_queue_close(loop->queue), 0);
	io_uring_queue_exit(&loop->ring);
}

static struct sidecar_vp *attach(struct loop *loop, uint32_t cpu)
{
	struct sidecar_vp *vp = make_vp(loop->machine, cpu);

	assert_int_equal(sidecar_queue_attach(loop->queue, vp), 0);
	return vp;
}

static void destroy(struct loop *loop, struct sidecar_vp *vp)
{
	assert_int_equal(sidecar_queue_detach(loop->queue, vp), 0);
	destroy_vp(vp);
}

/* One round of the caller's event loop; how many events. */
static unsigned int turn(struct loop *loop, struct sidecar_event *events, unsigned int max)
{
	struct __kernel_timespec limit = {.tv_sec = 30};
	unsigned int count = 0;
	struct io_uring_cqe *cqe;
	int found;

	assert_int_equal(sidecar_queue_submit(loop->queue), 0);
	assert_true(io_uring_submit_and_wait_timeout(&loop->ring, &cqe, 1, &limit, NULL) >= 0);
	while (io_uring_peek_cqe(&loop->ring, &cqe) == 0) {
		bool ours = (cqe->user_data & loop->mask) == loop->tag;

		found = sidecar_queue_complete(loop->queue, cqe, &events[count]);
		assert_int_equal(found != SIDECAR_COMPLETION_NOT_OURS, ours);
		loop->foreign += !ours;
		loop->internal += found == SIDECAR_COMPLETION_INTERNAL;
		io_uring_cqe_seen(&loop->ring, cqe);
		for (; found == SIDECAR_COMPLETION_EVENT;
		     found = sidecar_queue_complete(loop->queue, NULL, &events[count])) {
			assert_in_range(++count, 1, max - 1);
		}
	}
	return count;
}

static void expect(struct loop *loop, struct sidecar_vp *vp, uint32_t kind, int error)
{
	struct sidecar_event events[8];
	unsigned int count;

	do
		count = turn(loop, events, COUNT(events));
	while (!count);
	assert_int_equal(count, 1);
	assert_ptr_equal(events[0].vp, vp);
	assert_int_equal(events[0].kind, kind);
	assert_int_equal(events[0].error, error);
}

static void test_refused(void **state)
{
	static const struct { uint64_t tag, mask; } bad[] = {
		{1, 0}, {8, 7}, {0, UINT64_MAX}, {0, 0x80008000800080ull}, {1ull << 63, 7},
	};
	struct sidecar_queue_options options = {.size = sizeof(options), .entries = 8};
	struct machine *machine = *state;
	struct sidecar_queue *queue = (void *)1;
	struct sidecar_event event;
	struct loop loop;

	open_loop(&loop, machine, 0, 0);
	for (unsigned int i = 0; i < COUNT(bad); i++) {
		assert_int_equal(sidecar_queue_borrow(machine->client, &loop.ring, bad[i].tag,
						      bad[i].mask, NULL, &queue), -EINVAL);
		assert_null(queue);
		check_error(sidecar_error(machine->client), -EINVAL, SIDECAR_ERROR_ERRNO);
	}
	assert_int_equal(sidecar_queue_borrow(machine->client, &loop.ring, 0, 0, &options, &queue),
			 -EINVAL);
	assert_int_equal(sidecar_queue_wait(loop.queue, &event, 1, 0, 0), -EINVAL);
	check_error(sidecar_queue_error(loop.queue), -EINVAL, SIDECAR_ERROR_ERRNO);
	assert_int_equal(sidecar_queue_fd(loop.queue), -EINVAL);
	close_loop(&loop);
	assert_int_equal(sidecar_queue_create(machine->client, NULL, &queue), 0);
	assert_int_equal(sidecar_queue_complete(queue, NULL, &event), -EINVAL);
	check_error(sidecar_queue_error(queue), -EINVAL, SIDECAR_ERROR_ERRNO);
	assert_int_equal(sidecar_queue_close(queue), 0);
}

/* The caller's own completions stay his, and each of ours is known by its tag. */
static void run_beside_others(struct machine *machine, uint64_t tag, uint64_t mask)
{
	struct sidecar_event events[8];
	unsigned int done = 0;
	struct sidecar_vp *vps[2];
	struct io_uring_sqe *sqe;
	struct loop loop;

	open_loop(&loop, machine, tag, mask);
	for (unsigned int i = 0; i < 2; i++) {
		vps[i] = attach(&loop, CPU_A + i);
		assert_int_equal(sidecar_queue_prepare_run(loop.queue, vps[i], i), 0);
	}
	while (done < 200) {
		unsigned int count = turn(&loop, events, COUNT(events));

		for (unsigned int i = 0; i < count; i++, done++) {
			assert_int_equal(events[i].kind, SIDECAR_EVENT_INTERCEPT);
			assert_ptr_equal(events[i].vp, vps[events[i].user]);
			if (done < 198)
				assert_int_equal(sidecar_queue_prepare_run(loop.queue,
						 events[i].vp, events[i].user), 0);
			sqe = io_uring_get_sqe(&loop.ring);
			io_uring_prep_nop(sqe);
			io_uring_sqe_set_data64(sqe, ~tag);
		}
	}
	while (loop.foreign < done)
		turn(&loop, events, COUNT(events));
	assert_int_equal(loop.foreign, 200);
	destroy(&loop, vps[0]);
	destroy(&loop, vps[1]);
	close_loop(&loop);
}

static void test_tag_and_mask(void **state)
{
	run_beside_others(*state, LOW_TAG, LOW_MASK);
	run_beside_others(*state, HIGH_TAG, HIGH_MASK);
}

/* Nothing is submitted but by the caller. */
static void test_never_submits(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp;
	struct loop loop;

	open_loop(&loop, machine, LOW_TAG, LOW_MASK);
	vp = attach(&loop, CPU_A);
	assert_int_equal(io_uring_sq_ready(&loop.ring), 0);
	assert_int_equal(sidecar_queue_prepare_run(loop.queue, vp, 0), 0);
	assert_int_equal(io_uring_sq_ready(&loop.ring), 1);
	assert_int_equal(sidecar_queue_submit(loop.queue), 0);
	assert_int_equal(io_uring_sq_ready(&loop.ring), 1);
	usleep(20000);
	assert_int_equal(entries_of(machine, CPU_A), 0);
	expect(&loop, vp, SIDECAR_EVENT_INTERCEPT, 0);
	destroy(&loop, vp);
	close_loop(&loop);
}

static void fill(struct loop *loop)
{
	struct io_uring_sqe *sqe;

	while ((sqe = io_uring_get_sqe(&loop->ring))) {
		io_uring_prep_nop(sqe);
		io_uring_sqe_set_data64(sqe, ~loop->tag);
	}
}

/* EAGAIN, and everything is as it was. */
static void test_full(void **state)
{
	struct hv_register_assoc reg = {.name = HV_REGISTER_CR3};
	struct machine *machine = *state;
	struct sidecar_event events[8];
	struct sidecar_vp *vp;
	struct loop loop;

	open_loop(&loop, machine, LOW_TAG, LOW_MASK);
	vp = attach(&loop, CPU_A);
	/* Polls, of which nothing has to come. */
	while (io_uring_sq_ready(&loop.ring))
		assert_true(io_uring_submit(&loop.ring) >= 0);
	fill(&loop);
	assert_int_equal(sidecar_queue_prepare_run(loop.queue, vp, 0), -EAGAIN);
	check_error(sidecar_queue_error(loop.queue), -EAGAIN, SIDECAR_ERROR_ERRNO);
	assert_int_equal(sidecar_queue_prepare_run_until(loop.queue, vp, in_ms(1), 0), -EAGAIN);
	assert_int_equal(sidecar_queue_prepare_get_registers(loop.queue, vp, HV_VTL_0, &reg, 1, 0),
			 -EAGAIN);
	assert_int_equal(sidecar_queue_prepare_convert(loop.queue, vp, 0, 0), -EAGAIN);
	assert_int_equal(io_uring_sq_ready(&loop.ring), ENTRIES);
	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, NULL), 0);
	while (loop.foreign < ENTRIES)
		assert_int_equal(turn(&loop, events, COUNT(events)), 0);
	assert_int_equal(sidecar_queue_prepare_run(loop.queue, vp, 0), 0);
	expect(&loop, vp, SIDECAR_EVENT_INTERCEPT, 0);
	destroy(&loop, vp);
	close_loop(&loop);
}

/* Several commands, each of which begins in a call that may take submissions. */
static void test_long_batch(void **state)
{
	struct hv_register_assoc set[100] = {0}, get[100] = {0};
	struct machine *machine = *state;
	struct sidecar_vp *vp;
	struct loop loop;

	open_loop(&loop, machine, HIGH_TAG, HIGH_MASK);
	vp = attach(&loop, CPU_A);
	for (unsigned int i = 0; i < COUNT(set); i++) {
		set[i].name = get[i].name = HV_REGISTER_RAX + i % 16;
		set[i].value.low = 1000 + i % 16;
	}
	assert_int_equal(sidecar_queue_prepare_set_registers(loop.queue, vp, HV_VTL_0, set, 100, 0),
			 0);
	expect(&loop, vp, SIDECAR_EVENT_DONE, 0);
	assert_int_equal(sidecar_queue_prepare_get_registers(loop.queue, vp, HV_VTL_0, get, 100, 0),
			 0);
	expect(&loop, vp, SIDECAR_EVENT_DONE, 0);
	assert_memory_equal(set, get, sizeof(set));
	destroy(&loop, vp);
	close_loop(&loop);
}

static void test_R4_cancel(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp;
	struct loop loop;
	pthread_t thread;

	open_loop(&loop, machine, LOW_TAG, LOW_MASK);
	vp = attach(&loop, CPU_A);
	set_guest(machine, CPU_A, guest_endless);
	sidecar_vp_cancel(vp); /* before */
	assert_int_equal(sidecar_queue_prepare_run(loop.queue, vp, 0), 0);
	expect(&loop, vp, SIDECAR_EVENT_CANCELLED, 0);
	assert_int_equal(entries_of(machine, CPU_A), 0);
	assert_int_equal(sidecar_queue_prepare_run(loop.queue, vp, 0), 0);
	sidecar_vp_cancel(vp); /* before it is submitted */
	expect(&loop, vp, SIDECAR_EVENT_CANCELLED, 0);
	for (unsigned int i = 0; i < 10; i++) { /* during */
		thread = cancel_later(vp, i % 4);
		assert_int_equal(sidecar_queue_prepare_run(loop.queue, vp, 0), 0);
		expect(&loop, vp, SIDECAR_EVENT_CANCELLED, 0);
		pthread_join(thread, NULL);
	}
	destroy(&loop, vp);
	close_loop(&loop);
}

static void test_deadline(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp;
	struct loop loop;
	uint64_t begin;

	open_loop(&loop, machine, HIGH_TAG, HIGH_MASK);
	vp = attach(&loop, CPU_A);
	set_guest(machine, CPU_A, guest_endless);
	for (unsigned int i = 0; i < 3; i++) {
		begin = now_ns_of_test();
		assert_int_equal(sidecar_queue_prepare_run_until(loop.queue, vp, begin + 20 * MS,
								 0), 0);
		expect(&loop, vp, SIDECAR_EVENT_CANCELLED, -ETIMEDOUT);
		assert_true(now_ns_of_test() - begin >= 20 * MS);
	}
	set_guest(machine, CPU_A, guest_io);
	assert_int_equal(sidecar_queue_prepare_run_until(loop.queue, vp, in_ms(30000), 0), 0);
	expect(&loop, vp, SIDECAR_EVENT_INTERCEPT, 0);
	destroy(&loop, vp);
	close_loop(&loop);
}

/* The place of a timer that nobody submitted is gone with its queue. */
static void test_close_before_submit(void **state)
{
	struct machine *machine = *state;
	struct sidecar_event events[4];
	struct io_uring_cqe *cqe;
	struct sidecar_vp *vp;
	struct loop loop;

	open_loop(&loop, machine, LOW_TAG, LOW_MASK);
	vp = attach(&loop, CPU_A);
	sidecar_vp_cancel(vp);
	assert_int_equal(sidecar_queue_prepare_run_until(loop.queue, vp, in_ms(60000), 0), 0);
	assert_int_equal(sidecar_queue_detach(loop.queue, vp), -EBUSY);
	assert_int_equal(sidecar_vp_destroy(vp), -EBUSY);
	expect(&loop, vp, SIDECAR_EVENT_CANCELLED, 0);
	assert_int_equal(sidecar_queue_prepare_test(loop.queue, vp, 0), 0);
	while (turn(&loop, events, COUNT(events)) == 0)
		;
	destroy(&loop, vp);
	assert_int_equal(sidecar_queue_close(loop.queue), 0);
	assert_true(io_uring_submit(&loop.ring) >= 0);
	while (io_uring_peek_cqe(&loop.ring, &cqe) == 0)
		io_uring_cqe_seen(&loop.ring, cqe);
	io_uring_queue_exit(&loop.ring);
}

static void test_convert(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *a, *b;
	struct sidecar_event events[8];
	unsigned int count = 0;
	struct loop loop;

	open_loop(&loop, machine, HIGH_TAG, HIGH_MASK);
	a = attach(&loop, CPU_A);
	b = attach(&loop, CPU_B);
	fake_fail(machine->fake, FAKE_ONLINE_WRITE, EINTR, 2, 0);
	assert_int_equal(sidecar_queue_prepare_convert(loop.queue, a, SIDECAR_NO_DEADLINE, 0), 0);
	assert_int_equal(sidecar_queue_prepare_convert(loop.queue, b, SIDECAR_NO_DEADLINE, 1), 0);
	while (count < 2) {
		unsigned int more = turn(&loop, events, COUNT(events));

		for (unsigned int i = 0; i < more; i++) {
			assert_int_equal(events[i].kind, SIDECAR_EVENT_DONE);
			assert_int_equal(events[i].user, count++);
		}
	}
	destroy(&loop, a);
	destroy(&loop, b);
	close_loop(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_refused, ours),
		EVERY(test_tag_and_mask),
		CASE(test_never_submits, uring),
		EVERY(test_full),
		EVERY(test_long_batch),
		EVERY(test_R4_cancel),
		EVERY(test_deadline),
		EVERY(test_close_before_submit),
		EVERY(test_convert),
	};

	return cmocka_run_group_tests_name("borrow", tests, NULL, NULL);
}
