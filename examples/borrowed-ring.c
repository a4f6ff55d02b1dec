// SPDX-License-Identifier: MIT
/*
 * A VMM with one io_uring of its own for everything, lent to the library: on it are the guest's
 * runs, a timer and the reads of a file. Each completion says by its tag whose it is. Prints what
 * the guest prints, and what else the ring has done. Exit status: 0 the guest halted and the file
 * has been read; 1 start; 2 usage; 3 one of them broke.
 */
#include <fcntl.h>
#include <liburing.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <sidecar/uring.h>

#include "guest.h"

/* The library's submissions have the tag, and the lower half for itself; ours are small numbers. */
#define TAG 0x5c00000000000000ull
#define MASK 0xffffffff00000000ull
enum { OWN_TIMER = 1, OWN_READ };

enum { EXIT_START = 1, EXIT_USAGE, EXIT_BROKEN };

static struct guest guest;
static struct io_uring ring;
static struct sidecar_queue *queue;
static struct __kernel_timespec tick = {.tv_nsec = 10000000};
static enum guest_state state = GUEST_GOES_ON;
static unsigned long long ticks, bytes;
static int file = -1;
static bool reading = true, broken;
static char buffer[4096];

static int fail(const char *text)
{
	fprintf(stderr, "%s\n", text);
	broken = true;
	return EXIT_START;
}

static void start_own(uint64_t what)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	if (!sqe) {
		fail("the ring is full");
		return;
	}
	if (what == OWN_TIMER)
		io_uring_prep_timeout(sqe, &tick, 0, 0);
	else
		io_uring_prep_read(sqe, file, buffer, sizeof(buffer), bytes);
	io_uring_sqe_set_data64(sqe, what);
}

static void own_completion(const struct io_uring_cqe *cqe)
{
	bool timer = cqe->user_data == OWN_TIMER;

	ticks += timer;
	if (!timer && cqe->res < 0)
		fail(strerror(-cqe->res));
	if (!timer && cqe->res > 0)
		bytes += (unsigned int)cqe->res;
	reading = timer ? reading : cqe->res > 0;
	if (timer || reading)
		start_own(cqe->user_data);
}

/* It would be EAGAIN in a full ring, and nothing would have changed. */
static void run_again(void)
{
	if (sidecar_queue_prepare_run(queue, guest.vp, 0))
		fail(sidecar_queue_error(queue)->text);
}

static void dispatch(const struct io_uring_cqe *cqe)
{
	struct sidecar_event event;
	int found = sidecar_queue_complete(queue, cqe, &event);

	if (found == SIDECAR_COMPLETION_NOT_OURS)
		own_completion(cqe);
	while (found == SIDECAR_COMPLETION_EVENT) {
		state = event.kind == SIDECAR_EVENT_INTERCEPT ? guest_serve(&guest) : GUEST_FAILED;
		if (state == GUEST_GOES_ON)
			run_again();
		found = sidecar_queue_complete(queue, NULL, &event); /* is there another one? */
	}
}

/* One system call for all that was prepared, by whomever, and for the next completion. */
static int loop(void)
{
	struct io_uring_cqe *cqe;

	start_own(OWN_TIMER);
	start_own(OWN_READ);
	run_again();
	while (!broken && state != GUEST_FAILED && (state == GUEST_GOES_ON || reading || !ticks)) {
		sidecar_queue_submit(queue);
		io_uring_submit_and_wait(&ring, 1);
		while (!io_uring_peek_cqe(&ring, &cqe)) {
			dispatch(cqe);
			io_uring_cqe_seen(&ring, cqe);
		}
	}
	return broken || state != GUEST_HALTED ? EXIT_BROKEN : 0;
}

int main(int argc, char **argv)
{
	struct guest_options options = {.image = argc > 3 ? argv[2] : NULL,
					.input = argc > 3 ? argv[3] : NULL};
	struct sidecar *client = NULL;
	int status = EXIT_START;
	uint64_t cpu;

	if (argc != 4 || parse_number(argv[1], UINT32_MAX, &cpu)) {
		fprintf(stderr, "usage: borrowed-ring CPU IMAGE INPUT\n");
		return EXIT_USAGE;
	}
	guest.out = stdout;
	file = open(argv[3], O_RDONLY | O_CLOEXEC);
	if (file < 0 || io_uring_queue_init(64, &ring, 0))
		return fail("no input file, or no io_uring");
	if (sidecar_open(NULL, &client))
		return fail("no sidecar on this machine");
	if (!guest_load(&guest, &options) && !guest_start(&guest, client, (uint32_t)cpu)) {
		if (sidecar_queue_borrow(client, &ring, TAG, MASK, NULL, &queue))
			fail(sidecar_error(client)->text);
		else if (sidecar_queue_attach(queue, guest.vp))
			fail(sidecar_queue_error(queue)->text);
		else
			status = loop();
	}
	guest_destroy(&guest);
	sidecar_queue_close(queue); /* before its ring */
	sidecar_close(client);
	io_uring_queue_exit(&ring);
	fprintf(stderr, "exits=%llu ticks=%llu bytes=%llu\n",
		(unsigned long long)guest.exits.total, ticks, bytes);
	return status;
}
