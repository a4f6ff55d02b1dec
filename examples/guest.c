// SPDX-License-Identifier: MIT
#include "guest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "guests/ports.h"

#define MIB (1024 * 1024ull)

/* ---- loading --------------------------------------------------------------------------------- */

/* The whole of a file, which may be a pipe. The result is the caller's to free. */
static uint8_t *read_file(const char *path, uint64_t *size)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = NULL, *larger;
	size_t room = 0, got = 1;

	*size = 0;
	while (file && got) {
		room += room ? room : 64 * 1024;
		larger = realloc(data, room);
		if (!larger)
			break;
		data = larger;
		got = fread(data + *size, 1, room - *size, file);
		*size += got;
	}
	if (!file || ferror(file) || got) {
		fprintf(stderr, "cannot read %s: %s\n", path, strerror(errno));
		free(data);
		data = NULL;
	}
	if (file)
		fclose(file);
	return data;
}

/* Copies a file to a GPA, if the memory is large enough for it. */
static int place(struct guest *guest, const char *path, uint64_t gpa, const uint8_t *data,
		 uint64_t length)
{
	uint64_t room = guest->size > gpa ? guest->size - gpa : 0;

	if (length > room) {
		fprintf(stderr,
			"%s: %llu bytes at %#llx, but the guest's memory of %llu bytes has room "
			"for %llu there\n", path, (unsigned long long)length,
			(unsigned long long)gpa, (unsigned long long)guest->size,
			(unsigned long long)room);
		return -1;
	}
	if (length)
		memcpy(guest->memory + gpa, data, length);
	return 0;
}

static int allocate(struct guest *guest, uint64_t wanted, uint64_t needed)
{
	uint64_t size = wanted ? wanted : (needed + 2 * MIB - 1) & ~(2 * MIB - 1);
	void *memory;

	if (!size || size % SIDECAR_PAGE_SIZE || size > GUEST_MEMORY_MAX) {
		fprintf(stderr,
			"memory of %llu bytes: it must be a multiple of %u, up to %llu\n",
			(unsigned long long)size, SIDECAR_PAGE_SIZE, GUEST_MEMORY_MAX);
		return -1;
	}
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) {
		fprintf(stderr, "memory of %llu bytes: %s\n", (unsigned long long)size,
			strerror(errno));
		return -1;
	}
	guest->memory = memory;
	guest->size = size;
	return 0;
}

static int corrupt_input(struct guest *guest)
{
	if (!guest->input_length) {
		fprintf(stderr, "no input to corrupt\n");
		return -1;
	}
	guest->memory[GUEST_INPUT + guest->input_length / 2] ^= 1;
	return 0;
}

int guest_load(struct guest *guest, const struct guest_options *options)
{
	uint64_t image_size, input_size = 0;
	uint8_t *image, *input = NULL;
	int result = -1;

	guest->out = guest->out ? guest->out : stdout;
	image = read_file(options->image, &image_size);
	if (image && options->input)
		input = read_file(options->input, &input_size);
	if (!image || (options->input && !input))
		goto out;
	if (allocate(guest, options->memory, GUEST_INPUT + input_size) ||
	    place(guest, options->image, GUEST_BASE, image, image_size) ||
	    place(guest, options->input ? options->input : "", GUEST_INPUT, input, input_size))
		goto out;
	guest->input_length = (uint32_t)input_size;
	result = options->corrupt ? corrupt_input(guest) : 0;
out:
	free(image);
	free(input);
	return result;
}

/* ---- starting and ending --------------------------------------------------------------------- */

static int set_start(struct sidecar_vp *vp)
{
	const struct hv_segment cs = {
		.base = GUEST_BASE,
		.limit = 0xffff,
		.selector = GUEST_BASE >> 4,
		.attributes = HV_SEGMENT_PRESENT | HV_SEGMENT_NON_SYSTEM | 0xb,
	};
	struct hv_register_assoc regs[] = {
		{.name = HV_REGISTER_CS},
		{.name = HV_REGISTER_RIP},
		{.name = HV_REGISTER_RFLAGS, .value.low = 2},
	};

	memcpy(&regs[0].value, &cs, sizeof(cs));
	return sidecar_vp_set_registers(vp, HV_VTL_0, regs, sizeof(regs) / sizeof(regs[0]));
}

int guest_start(struct guest *guest, struct sidecar *client, uint32_t cpu)
{
	if (sidecar_partition_create(client, &guest->partition)) {
		fprintf(stderr, "%s\n", sidecar_error(client)->text);
		return -1;
	}
	if (sidecar_partition_map(guest->partition, 0, guest->memory, guest->size,
				  SIDECAR_MAP_READ | SIDECAR_MAP_WRITE | SIDECAR_MAP_EXECUTE)) {
		fprintf(stderr, "%s\n", sidecar_partition_error(guest->partition)->text);
		return -1;
	}
	if (sidecar_vp_create(client, cpu, guest->partition, &guest->vp)) {
		fprintf(stderr, "%s\n", sidecar_error(client)->text);
		return -1;
	}
	if (set_start(guest->vp)) {
		fprintf(stderr, "%s\n", sidecar_vp_error(guest->vp)->text);
		return -1;
	}
	return 0;
}

void guest_destroy(struct guest *guest)
{
	sidecar_vp_destroy(guest->vp);
	sidecar_partition_close(guest->partition);
	if (guest->memory)
		munmap(guest->memory, guest->size);
	memset(guest, 0, sizeof(*guest));
}

/* ---- intercepts ------------------------------------------------------------------------------ */

/* By way of the register page if there is one: that costs no command. */
static enum guest_state advance(struct guest *guest, const struct hv_intercept_header *header)
{
	unsigned int length = header->instruction_length_and_cr8 & HV_INTERCEPT_LENGTH_MASK;
	struct hv_register_page *page = sidecar_vp_register_page(guest->vp);

	if (page->is_valid) {
		page->rip = header->rip + length;
		page->dirty |= HV_REGISTER_PAGE_DIRTY_RIP;
		return GUEST_GOES_ON;
	}
	if (!sidecar_vp_set_register64(guest->vp, HV_VTL_0, HV_REGISTER_RIP, header->rip + length))
		return GUEST_GOES_ON;
	fprintf(stderr, "%s\n", sidecar_vp_error(guest->vp)->text);
	return GUEST_FAILED;
}

static uint32_t port_in(struct guest *guest, uint16_t port)
{
	switch (port) {
	case PORT_INPUT_LENGTH:
		return guest->input_length;
	case PORT_INPUT_ADDRESS:
		return GUEST_INPUT;
	case PORT_INPUT_BYTE:
		if (guest->input_next == guest->input_length)
			return 0;
		return guest->memory[GUEST_INPUT + guest->input_next++];
	default:
		return UINT32_MAX; /* as an empty bus reads */
	}
}

static void port_out(struct guest *guest, uint16_t port, uint32_t value)
{
	if (port == PORT_PRINT)
		putc((int)(value & 0xff), guest->out);
	else if (port == PORT_EXITS)
		guest->counted = value;
}

static enum guest_state serve_io(struct guest *guest, const struct hv_io_message *io)
{
	unsigned int size = io->access_info & HV_IO_ACCESS_SIZE_MASK;
	uint64_t *rax = &sidecar_vp_context(guest->vp)->gps[SIDECAR_GP_RAX];
	uint64_t mask = size == 4 ? UINT32_MAX : (1ull << 8 * size) - 1;

	if (io->access_info & HV_IO_ACCESS_STRING) {
		fprintf(stderr, "string I/O at port %#x, RIP %#llx is not served\n",
			io->port_number, (unsigned long long)io->header.rip);
		return GUEST_FAILED;
	}
	if (io->header.intercept_access_type == HV_INTERCEPT_ACCESS_WRITE)
		port_out(guest, io->port_number, (uint32_t)(io->rax & mask));
	else if (size == 4) /* a 32-bit result clears the upper half */
		*rax = port_in(guest, io->port_number);
	else
		*rax = (*rax & ~mask) | (port_in(guest, io->port_number) & mask);
	return advance(guest, &io->header);
}

static enum guest_state serve_cpuid(struct guest *guest, const struct hv_cpuid_message *cpuid)
{
	uint64_t *gps = sidecar_vp_context(guest->vp)->gps;

	gps[SIDECAR_GP_RAX] = cpuid->default_result_rax;
	gps[SIDECAR_GP_RBX] = cpuid->default_result_rbx;
	gps[SIDECAR_GP_RCX] = cpuid->default_result_rcx;
	gps[SIDECAR_GP_RDX] = cpuid->default_result_rdx;
	return advance(guest, &cpuid->header);
}

static enum guest_state fail_memory(struct guest *guest, const struct hv_memory_message *memory)
{
	fprintf(stderr, "the guest touched GPA %#llx at RIP %#llx; its memory ends at %#llx\n",
		(unsigned long long)memory->guest_physical_address,
		(unsigned long long)memory->header.rip, (unsigned long long)guest->size);
	return GUEST_FAILED;
}

/* Not served: every other message begins like this, or has no RIP at all. */
static enum guest_state fail(const char *what, const struct hv_message *message)
{
	struct hv_intercept_header header = {0};

	if (message->header.length >= sizeof(header))
		memcpy(&header, message->payload, sizeof(header));
	fprintf(stderr, "%s at RIP %#llx (message %#x, %s)\n", what,
		(unsigned long long)header.rip, message->header.type,
		sidecar_message_name(message->header.type));
	return GUEST_FAILED;
}

enum guest_state guest_serve(struct guest *guest)
{
	const struct hv_message *message = sidecar_vp_message(guest->vp);
	const void *payload = message->payload;

	guest->exits.total++;
	switch (message->header.type) {
	case HV_MESSAGE_IO_PORT_INTERCEPT:
		guest->exits.io++;
		return serve_io(guest, payload);
	case HV_MESSAGE_CPUID_INTERCEPT:
		guest->exits.cpuid++;
		return serve_cpuid(guest, payload);
	case HV_MESSAGE_HALT:
		guest->exits.halt++;
		return GUEST_HALTED;
	case HV_MESSAGE_UNMAPPED_GPA:
	case HV_MESSAGE_GPA_INTERCEPT:
		guest->exits.memory++;
		return fail_memory(guest, payload);
	case HV_MESSAGE_UNRECOVERABLE_EXCEPTION:
		guest->exits.other++;
		return fail("triple fault of the guest", message);
	default:
		guest->exits.other++;
		return fail("the guest asked for what is not served", message);
	}
}

/* ---- small things ---------------------------------------------------------------------------- */

int parse_number(const char *text, uint64_t limit, uint64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, 0);
	return errno || end == text || *end || *text == '-' || *number > limit ? -1 : 0;
}

int parse_size(const char *text, uint64_t *size)
{
	static const char units[] = "KMG";
	const char *unit;
	char *end;

	errno = 0;
	*size = strtoull(text, &end, 0);
	if (errno || end == text || *text == '-')
		return -1;
	if (!*end)
		return 0;
	unit = strchr(units, *end);
	if (!unit || end[1] || *size >> 32)
		return -1;
	*size <<= 10 * (unit - units + 1);
	return 0;
}

uint64_t deadline_in(uint64_t milliseconds)
{
	struct timespec now;

	if (!milliseconds)
		return SIDECAR_NO_DEADLINE;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec + milliseconds * 1000000;
}
