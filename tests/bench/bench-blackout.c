// SPDX-License-Identifier: MIT
/*
 * How long a VP's guest stands still while the VP is converted: from the last moment at which it
 * ran until its state is in the VMM's hands and its CPU is Linux's.
 *
 *   bench-blackout [--instructions] one|all|stopped COUNT
 *
 *   one      conversions are asked for one after another: nobody waits
 *   all      all at once: those that wait for their turn go on running their guests
 *   stopped  all at once, without turns: every VP is stopped first, then stands in the line
 *
 * CPUs 1 to COUNT are in the sidecar, and all of them run guests to begin with. The guest stores
 * the time stamp counter, which all CPUs share, again and again: its memory says when it ran last.
 * --instructions as in bench-exit. Prints one line; exit status 1 only if something could not be
 * measured.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sidecar/sidecar.h>

#include "samples.h"
#include "vps.h"

/*
 * 16 bits, from 0x1000; the data segment is the VP's own. PAUSE is where a CPU that is not the only
 * one of its host CPU lets go of it: not too often, for the sake of the others.
 *
 *   rdtsc; mov %eax, (0); mov %edx, (4); mov $0x1000, %cx; loop .; pause; jmp back
 */
#define CODE 0x1000u
#define STAMPS 0x2000u
#define STAMP_SIZE 64u
#define MEMORY 0x3000u
static const uint8_t code[] = {0x0f, 0x31, 0x66, 0xa3, 0x00, 0x00, 0x66, 0x89, 0x16, 0x04,
			       0x00, 0xb9, 0x00, 0x10, 0xe2, 0xfe, 0xf3, 0x90, 0xeb, 0xec};

enum mode { MODE_ONE, MODE_ALL, MODE_STOPPED };
static const char *const mode_names[] = {"one", "all", "stopped"};

struct one {
	struct sidecar_vp *vp;
	struct sidecar_vp_state state;
	uint64_t ran, told, saved, converted; /* ticks */
};

struct bench {
	struct sidecar *client;
	struct sidecar_partition *partition;
	struct sidecar_queue *queue;
	uint8_t *memory;
	struct one ones[VPS_MAX];
	uint32_t count, converted;
	enum mode mode;
};

static uint64_t stamp_of(const struct bench *bench, uint32_t i)
{
	const uint64_t *stamp = (const void *)(bench->memory + STAMPS + i * STAMP_SIZE);

	return __atomic_load_n(stamp, __ATOMIC_RELAXED);
}

/* ---- the guests ---- */

static bool set_registers(struct bench *bench, uint32_t i)
{
	struct hv_segment code_segment = {.limit = 0xffff, .attributes = 0x9b};
	struct hv_segment data_segment = {.limit = 0xffff, .attributes = 0x93};
	struct hv_register_assoc regs[] = {
		{.name = HV_REGISTER_CS},
		{.name = HV_REGISTER_DS},
		{.name = HV_REGISTER_RIP, .value.low = CODE},
	};
	struct sidecar_vp *vp = bench->ones[i].vp;

	data_segment.base = STAMPS + i * STAMP_SIZE;
	memcpy(&regs[0].value, &code_segment, sizeof(code_segment));
	memcpy(&regs[1].value, &data_segment, sizeof(data_segment));
	return sidecar_vp_set_registers(vp, HV_VTL_0, regs, 3) == 0 ||
	       vps_failed("registers", sidecar_vp_error(vp));
}

static bool start(struct bench *bench, uint32_t i)
{
	struct one *one = &bench->ones[i];

	if (sidecar_vp_create(bench->client, i + 1, bench->partition, &one->vp) != 0)
		return vps_failed("VP", sidecar_error(bench->client));
	if (!set_registers(bench, i))
		return false;
	if (sidecar_queue_attach(bench->queue, one->vp) != 0 ||
	    sidecar_queue_prepare_run(bench->queue, one->vp, i) != 0 ||
	    sidecar_queue_submit(bench->queue) < 0)
		return vps_failed("run", sidecar_queue_error(bench->queue));
	while (stamp_of(bench, i) == 0)
		usleep(1000);
	return true;
}

static bool open_all(struct bench *bench)
{
	if (sidecar_open(NULL, &bench->client) != 0) {
		fprintf(stderr, "bench-blackout: no sidecar\n");
		return false;
	}
	if (sidecar_pin_thread(bench->client, 0) != 0 ||
	    sidecar_memory_alloc(bench->client, 0, MEMORY, SIDECAR_MEMORY_POPULATE,
				 (void **)&bench->memory) != 0 ||
	    sidecar_partition_create(bench->client, &bench->partition) != 0 ||
	    sidecar_queue_create(bench->client, NULL, &bench->queue) != 0)
		return vps_failed("open", sidecar_error(bench->client));
	memcpy(bench->memory + CODE, code, sizeof(code));
	if (sidecar_partition_map(bench->partition, 0, bench->memory, MEMORY,
				  SIDECAR_MAP_READ | SIDECAR_MAP_WRITE | SIDECAR_MAP_EXECUTE) != 0)
		return vps_failed("map", sidecar_partition_error(bench->partition));
	for (uint32_t i = 0; i < bench->count; i++)
		if (!start(bench, i))
			return false;
	return true;
}

static bool close_all(struct bench *bench)
{
	for (uint32_t i = 0; i < bench->count; i++)
		if (sidecar_vp_destroy(bench->ones[i].vp) != 0)
			return vps_failed("destroy", sidecar_vp_error(bench->ones[i].vp));
	return sidecar_queue_close(bench->queue) == 0 &&
	       sidecar_partition_close(bench->partition) == 0 && sidecar_close(bench->client) == 0;
}

/* ---- conversions ---- */

static bool ask(struct bench *bench, uint32_t i)
{
	struct sidecar_vp *vp = bench->ones[i].vp;

	if (bench->mode == MODE_STOPPED)
		return sidecar_vp_cancel(vp) == 0;
	return sidecar_vp_request_conversion(vp) == 0 ||
	       vps_failed("request", sidecar_error(bench->client));
}

/* The guest has stopped: its state to us, its CPU to Linux. */
static bool convert(struct bench *bench, uint32_t i)
{
	struct one *one = &bench->ones[i];

	one->told = ticks_now();
	one->ran = stamp_of(bench, i);
	if (sidecar_vp_save(one->vp, &one->state) != 0)
		return vps_failed("save", sidecar_vp_error(one->vp));
	one->saved = ticks_now();
	return sidecar_queue_prepare_convert(bench->queue, one->vp, SIDECAR_NO_DEADLINE, i) == 0 ||
	       vps_failed("convert", sidecar_queue_error(bench->queue));
}

static bool handle(struct bench *bench, const struct sidecar_event *event)
{
	uint32_t i = (uint32_t)event->user;
	bool stopped = bench->mode == MODE_STOPPED;
	uint32_t wanted = stopped ? SIDECAR_EVENT_CANCELLED : SIDECAR_EVENT_TURN;

	if (event->operation == SIDECAR_OPERATION_RUN && event->kind == wanted && !event->error)
		return convert(bench, i);
	if (event->operation != SIDECAR_OPERATION_CONVERT || event->kind != SIDECAR_EVENT_DONE)
		return vps_failed("an event", sidecar_vp_error(event->vp));
	bench->ones[i].converted = ticks_now();
	bench->converted++;
	return bench->mode != MODE_ONE || bench->converted == bench->count ||
	       ask(bench, bench->converted);
}

static bool convert_all(struct bench *bench)
{
	struct sidecar_event events[VPS_MAX];
	uint32_t asked = bench->mode == MODE_ONE ? 1 : bench->count;
	int count;

	for (uint32_t i = 0; i < asked; i++)
		if (!ask(bench, i))
			return false;
	while (bench->converted < bench->count) {
		count = sidecar_queue_wait(bench->queue, events, VPS_MAX, 1, SIDECAR_NO_DEADLINE);
		if (count <= 0)
			return vps_failed("wait", sidecar_queue_error(bench->queue));
		for (int i = 0; i < count; i++)
			if (!handle(bench, &events[i]))
				return false;
	}
	return true;
}

/* ---- figures ---- */

/* One of the last line's columns: the median, or another percentile, of a difference. */
static double span(const struct bench *bench, size_t from, size_t to, unsigned int percent)
{
	static struct samples samples;

	samples.count = 0;
	for (uint32_t i = 0; i < bench->count; i++) {
		const char *one = (const char *)&bench->ones[i];

		samples_add(&samples, *(const uint64_t *)(one + to) -
				      *(const uint64_t *)(one + from));
	}
	return (double)samples_percentile(&samples, percent) / 1000;
}

#define AT(field) offsetof(struct one, field)

static void print_row(const struct bench *bench, double scale, const char *unit)
{
	uint32_t waiting = bench->mode == MODE_ONE ? 1 : bench->count;

	printf("%-8s %8u %9.0f %9.0f %9.0f %9.0f %9.0f %9.0f  %s\n", mode_names[bench->mode],
	       waiting, span(bench, AT(ran), AT(converted), 0) / scale,
	       span(bench, AT(ran), AT(converted), 50) / scale,
	       span(bench, AT(ran), AT(converted), 100) / scale,
	       span(bench, AT(ran), AT(told), 50) / scale,
	       span(bench, AT(told), AT(saved), 50) / scale,
	       span(bench, AT(saved), AT(converted), 50) / scale, unit);
}

static bool read_mode(struct bench *bench, const char *name)
{
	for (int i = MODE_ONE; i <= MODE_STOPPED; i++)
		if (strcmp(name, mode_names[i]) == 0) {
			bench->mode = (enum mode)i;
			return true;
		}
	return false;
}

int main(int argc, char **argv)
{
	static struct bench bench;
	bool instructions = argc > 1 && strcmp(argv[1], "--instructions") == 0;
	double scale = instructions ? 1 : ticks_per_us();

	argv += instructions;
	argc -= instructions;
	bench.count = argc == 3 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
	if (bench.count == 0 || bench.count > VPS_MAX || !read_mode(&bench, argv[1])) {
		fprintf(stderr, "usage: bench-blackout [--instructions] one|all|stopped COUNT\n");
		return 2;
	}
	if (!open_all(&bench) || !convert_all(&bench))
		return 1;
	print_row(&bench, scale, instructions ? "1000 instructions" : "ms");
	return close_all(&bench) ? 0 : 1;
}
