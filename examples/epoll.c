// SPDX-License-Identifier: MIT
/*
 * A guest beside whatever else a program waits for: the queue's descriptor is one of those in an
 * epoll set of the program's own, here with a timer. Prints what the guest prints, and how often
 * each of the two had something. Exit status: 0 the guest halted; 1 start; 2 usage; 3 it broke.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "guest.h"

#define TICK_NS 10000000

enum { EXIT_START = 1, EXIT_USAGE, EXIT_GUEST };

static struct guest guest;
static unsigned long ticks, wakes;

static int fail(const char *text)
{
	fprintf(stderr, "%s\n", text);
	return -1;
}

static int make_timer(void)
{
	struct itimerspec every = {.it_interval.tv_nsec = TICK_NS, .it_value.tv_nsec = TICK_NS};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

	if (fd >= 0)
		timerfd_settime(fd, 0, &every, NULL);
	return fd;
}

static int watch(int set, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return fd < 0 ? -1 : epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
}

static int run_again(struct sidecar_queue *queue)
{
	if (sidecar_queue_prepare_run(queue, guest.vp, 0) || sidecar_queue_submit(queue) < 0)
		return fail(sidecar_queue_error(queue)->text);
	return 0;
}

/* The descriptor is readable: take what there is, without waiting. Returns how the guest is. */
static enum guest_state serve(struct sidecar_queue *queue)
{
	enum guest_state state = GUEST_GOES_ON;
	struct sidecar_event event;

	wakes++;
	while (state == GUEST_GOES_ON && sidecar_queue_wait(queue, &event, 1, 0, 0) == 1) {
		if (event.kind != SIDECAR_EVENT_INTERCEPT) {
			fail(sidecar_vp_error(guest.vp)->text);
			return GUEST_FAILED;
		}
		state = guest_serve(&guest);
		if (state == GUEST_GOES_ON && run_again(queue))
			return GUEST_FAILED;
	}
	return state;
}

static int loop(struct sidecar_queue *queue, int set, int timer)
{
	enum guest_state state = GUEST_GOES_ON;
	struct epoll_event events[4];
	uint64_t expired;

	if (run_again(queue))
		return EXIT_GUEST;
	while (state == GUEST_GOES_ON) {
		int count = epoll_wait(set, events, 4, -1);

		for (int i = 0; i < count && state == GUEST_GOES_ON; i++) {
			if (events[i].data.fd != timer)
				state = serve(queue);
			else if (read(timer, &expired, sizeof(expired)) == sizeof(expired))
				ticks += expired;
		}
	}
	return state == GUEST_HALTED ? 0 : EXIT_GUEST;
}

static int run(struct sidecar *client)
{
	int set = epoll_create1(EPOLL_CLOEXEC), timer = make_timer(), status = EXIT_START;
	struct sidecar_queue *queue;

	if (sidecar_queue_create(client, NULL, &queue))
		fail(sidecar_error(client)->text);
	else if (sidecar_queue_attach(queue, guest.vp) || watch(set, timer) ||
		 watch(set, sidecar_queue_fd(queue)))
		fail(sidecar_queue_error(queue)->text);
	else
		status = loop(queue, set, timer);
	guest_destroy(&guest); /* of the queue's thread, as it is attached */
	sidecar_queue_close(queue);
	close(timer);
	close(set);
	return status;
}

int main(int argc, char **argv)
{
	struct sidecar_error error;
	struct sidecar_options options = {.size = sizeof(options), .error = &error};
	struct guest_options guest_options = {.image = argc > 2 ? argv[2] : NULL,
					      .input = argc > 3 ? argv[3] : NULL};
	struct sidecar *client = NULL;
	int status = EXIT_START, result;
	uint64_t cpu;

	if (argc < 3 || argc > 4 || parse_number(argv[1], UINT32_MAX, &cpu)) {
		fprintf(stderr, "usage: epoll CPU IMAGE [INPUT]\n");
		return EXIT_USAGE;
	}
	guest.out = stdout;
	result = sidecar_open(&options, &client);
	if (result)
		fail(result == SIDECAR_ABSENT ? "no sidecar on this machine" : error.text);
	else if (!guest_load(&guest, &guest_options) && !guest_start(&guest, client, (uint32_t)cpu))
		status = run(client);
	guest_destroy(&guest);
	sidecar_close(client);
	fprintf(stderr, "exits=%llu wakes=%lu ticks=%lu\n",
		(unsigned long long)guest.exits.total, wakes, ticks);
	return status;
}
