// SPDX-License-Identifier: MIT
/* The library's queues on the real driver, over each transport. */
#include <liburing.h>
#include <pthread.h>

#include <sidecar/uring.h>

#include "device.h"
#include "transports.h"

#define VPS 3u
#define ROUNDS 500u

struct bench {
	struct sidecar *client;
	struct sidecar_partition *partition;
	struct sidecar_queue *queue;
	struct sidecar_vp *vps[VPS];
	const char *name;
	bool original;
};

static uint8_t *guest_page;

static bool fails(struct bench *bench, const char *what, const char *text)
{
	tap_check(false, "%s: %s", bench->name, what);
	tap_note("%s", text);
	return false;
}

static bool open_client(struct bench *bench, const struct transport *transport)
{
	bench->client = open_transport(transport);
	if (!bench->client)
		return false;
	if (sidecar_partition_create(bench->client, &bench->partition))
		return fails(bench, "a partition", sidecar_error(bench->client)->text);
	if (!bench->original &&
	    sidecar_partition_map(bench->partition, RESET_PAGE, guest_page, SIDECAR_PAGE_SIZE,
				  SIDECAR_MAP_READ | SIDECAR_MAP_WRITE | SIDECAR_MAP_EXECUTE))
		return fails(bench, "its memory", sidecar_partition_error(bench->partition)->text);
	return true;
}

static bool open_bench(struct bench *bench, const struct transport *transport)
{
	if (!open_client(bench, transport))
		return false;
	if (sidecar_queue_create(bench->client, NULL, &bench->queue))
		return fails(bench, "a queue", sidecar_error(bench->client)->text);
	for (unsigned int i = 0; i < VPS; i++) {
		if (sidecar_vp_create(bench->client, i + 1, bench->partition, &bench->vps[i]))
			return fails(bench, "a VP", sidecar_error(bench->client)->text);
		if (sidecar_queue_attach(bench->queue, bench->vps[i]))
			return fails(bench, "attach", sidecar_queue_error(bench->queue)->text);
	}
	return true;
}

static void close_bench(struct bench *bench)
{
	int wrong = 0;

	for (unsigned int i = 0; i < VPS; i++)
		wrong |= sidecar_vp_destroy(bench->vps[i]);
	wrong |= sidecar_queue_close(bench->queue);
	wrong |= sidecar_partition_close(bench->partition);
	wrong |= sidecar_close(bench->client);
	tap_check(!wrong, "%s: everything is given back", bench->name);
}

static void set_guest(const uint8_t *code, size_t size)
{
	memcpy(guest_page + RESET_OFFSET, code, size);
}

static uint32_t expected_message(const struct bench *bench)
{
	return bench->original ? HV_MESSAGE_UNMAPPED_GPA : HV_MESSAGE_IO_PORT_INTERCEPT;
}

/* The next event, as kind; -1 when it does not come or is another VP's. */
static int next_kind(struct bench *bench, const struct sidecar_vp *vp, int *error)
{
	uint64_t limit = (uint64_t)(now_ms() + 10000) * 1000000;
	struct sidecar_event event;

	if (sidecar_queue_wait(bench->queue, &event, 1, 1, limit) != 1 || event.vp != vp)
		return -1;
	*error = event.error;
	return (int)event.kind;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void test_many_runs(struct bench *bench)
{
	struct sidecar_event events[VPS];
	unsigned int wrong = 0;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		uint64_t seen = 0;

		for (unsigned int i = 0; i < VPS; i++)
			wrong += sidecar_queue_prepare_run(bench->queue, bench->vps[i], i) != 0;
		if (round % 2)
			wrong += sidecar_queue_submit(bench->queue) != VPS;
		wrong += sidecar_queue_wait(bench->queue, events, VPS, VPS, SIDECAR_NO_DEADLINE) !=
			 VPS;
		for (unsigned int i = 0; i < VPS; i++) {
			wrong += events[i].kind != SIDECAR_EVENT_INTERCEPT;
			wrong += sidecar_vp_message(events[i].vp)->header.type !=
				 expected_message(bench);
			seen |= 1ull << events[i].user;
		}
		wrong += seen != (1u << VPS) - 1;
	}
	tap_check(wrong == 0, "%s: %u runs of %u VPs, each with its intercept: %u wrong",
		  bench->name, ROUNDS, VPS, wrong);
}

static void test_long_batch(struct bench *bench)
{
	struct hv_register_assoc set[62] = {0}, get[62] = {0};
	struct sidecar_vp *vp = bench->vps[1];
	int error = 0, kind;

	for (unsigned int i = 0; i < 62; i++) {
		set[i].name = get[i].name = i % 2 ? HV_REGISTER_CR3 : HV_REGISTER_DR0;
		set[i].value.low = i % 2 ? 0x5000 : 0x1234;
	}
	sidecar_queue_prepare_set_registers(bench->queue, vp, HV_VTL_0, set, 62, 0);
	kind = next_kind(bench, vp, &error);
	tap_check(kind == SIDECAR_EVENT_DONE, "%s: 62 registers are set", bench->name);
	sidecar_queue_prepare_get_registers(bench->queue, vp, HV_VTL_0, get, 62, 0);
	kind = next_kind(bench, vp, &error);
	tap_check(kind == SIDECAR_EVENT_DONE && !memcmp(set, get, sizeof(set)),
		  "%s: and read back", bench->name);
	if (error)
		tap_note("%s", sidecar_vp_error(vp)->text);
	set[0].value.low = set[1].value.low = 0;
	sidecar_vp_set_registers(vp, HV_VTL_0, set, 2);
}

struct canceller {
	struct sidecar_vp *vp;
	unsigned int us;
};

static void *cancel_later(void *context)
{
	struct canceller *canceller = context;

	usleep(canceller->us);
	sidecar_vp_cancel(canceller->vp);
	return NULL;
}

/* R4: one cancel, at every moment of the run, is one CANCELLED event. */
static void test_cancel(struct bench *bench, bool blocking)
{
	struct sidecar_vp *vp = bench->vps[0];
	struct sidecar_event event;
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < 100; i++) {
		struct canceller canceller = { vp, i % 10 * 40 };
		int error = 0, kind;
		pthread_t thread;

		pthread_create(&thread, NULL, cancel_later, &canceller);
		if (blocking) {
			sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, &event);
			kind = (int)event.kind;
		} else {
			sidecar_queue_prepare_run(bench->queue, vp, 0);
			kind = next_kind(bench, vp, &error);
		}
		pthread_join(thread, NULL);
		wrong += kind != SIDECAR_EVENT_CANCELLED || error;
	}
	tap_check(wrong == 0, "%s: R4: 100 cancels end 100 %s runs: %u wrong", bench->name,
		  blocking ? "blocking" : "queued", wrong);
}

static void test_deadline(struct bench *bench)
{
	struct sidecar_vp *vp = bench->vps[2];
	long long begin = now_ms();
	int error = 0, kind;

	sidecar_queue_prepare_run_until(bench->queue, vp, (uint64_t)(begin + 50) * 1000000, 0);
	kind = next_kind(bench, vp, &error);
	tap_check(kind == SIDECAR_EVENT_CANCELLED && error == -ETIMEDOUT,
		  "%s: a queued run ends at its deadline", bench->name);
	tap_check(now_ms() - begin >= 49, "%s: and not before", bench->name);
}

static unsigned int complete_all(struct sidecar_queue *queue, struct io_uring *ring,
				 unsigned int *wrong)
{
	struct sidecar_event event;
	struct io_uring_cqe *cqe;
	unsigned int count = 0;
	int found;

	while (io_uring_peek_cqe(ring, &cqe) == 0) {
		*wrong += cqe->user_data >> 56 != 0x5c;
		found = sidecar_queue_complete(queue, cqe, &event);
		io_uring_cqe_seen(ring, cqe);
		for (; found == SIDECAR_COMPLETION_EVENT; count++) {
			*wrong += event.kind != SIDECAR_EVENT_INTERCEPT;
			found = sidecar_queue_complete(queue, NULL, &event);
		}
	}
	return count;
}

static void test_borrowed(struct bench *bench)
{
	struct __kernel_timespec limit = { .tv_sec = 10 };
	struct sidecar_vp *vp = bench->vps[0];
	unsigned int done = 0, wrong = 0;
	struct sidecar_queue *queue;
	struct io_uring_cqe *cqe;
	struct io_uring ring;

	io_uring_queue_init(16, &ring, 0);
	wrong += sidecar_queue_borrow(bench->client, &ring, 0x5cull << 56, 0xffull << 56, NULL,
				      &queue) != 0;
	wrong += sidecar_queue_detach(bench->queue, vp) != 0;
	wrong += sidecar_queue_attach(queue, vp) != 0;
	while (done < 100 && !wrong) {
		wrong += sidecar_queue_prepare_run(queue, vp, 0) != 0;
		for (unsigned int target = done + 1; done < target && !wrong;) {
			sidecar_queue_submit(queue);
			wrong += io_uring_submit_and_wait_timeout(&ring, &cqe, 1, &limit, NULL) < 0;
			done += complete_all(queue, &ring, &wrong);
		}
	}
	tap_check(done == 100 && !wrong, "%s: 100 runs in a borrowed ring: %u, %u wrong",
		  bench->name, done, wrong);
	wrong = sidecar_queue_detach(queue, vp) != 0;
	wrong += sidecar_queue_close(queue) != 0;
	wrong += sidecar_queue_attach(bench->queue, vp) != 0;
	tap_check(!wrong, "%s: the VP comes back to the other queue", bench->name);
	io_uring_queue_exit(&ring);
}

static void test_all(const struct transport *transport)
{
	struct bench bench = {
		.name = transport->name,
		.original = transport->hidden == NO_EXTENSION,
	};

	if (!open_bench(&bench, transport))
		return;
	set_guest(port_guest, sizeof(port_guest));
	test_many_runs(&bench);
	test_long_batch(&bench);
	test_borrowed(&bench);
	set_guest(endless_guest, sizeof(endless_guest));
	if (!bench.original) {
		test_cancel(&bench, false);
		test_cancel(&bench, true);
		test_deadline(&bench);
	}
	close_bench(&bench);
}

int main(void)
{
	tap_equal(insert_module("cpus=1-3"), 0, "insmod");
	guest_page = new_memory(SIDECAR_PAGE_SIZE);
	for (unsigned int i = 0; i < TRANSPORTS; i++)
		test_all(&transports[i]);
	return tap_done();
}
