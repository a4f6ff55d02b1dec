// SPDX-License-Identifier: MIT
#include "guest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <ports.h>

#define LARGE_PAGE UINT64_C(0x200000)

/* ---- loading --------------------------------------------------------------------------------- */

/* The whole of a file, which may be a pipe, up to the largest memory of a guest. */
static uint8_t *read_stream(FILE *file, uint64_t *size)
{
	uint8_t *data = NULL, *larger;
	uint64_t room = 0;
	size_t got = 1;

	for (*size = 0; got && *size <= GUEST_MEMORY_MAX; *size += got) {
		if (*size == room) {
			room = room ? 2 * room : 64 * 1024;
			larger = realloc(data, room);
			if (!larger)
				break;
			data = larger;
		}
		got = fread(data + *size, 1, room - *size, file);
	}
	if (!got && !ferror(file))
		return data;
	free(data);
	return NULL;
}

static int read_file(struct ctl *ctl, const char *path, uint8_t **data, uint64_t *size)
{
	FILE *file = fopen(path, "re");

	errno = file ? EFBIG : errno;
	*data = file ? read_stream(file, size) : NULL;
	if (!*data)
		ctl_error(ctl, "%s: %s", path, strerror(errno));
	if (file)
		fclose(file);
	return *data ? CTL_OK : CTL_FAILED;
}

static int place(struct ctl *ctl, struct guest *guest, const char *path, uint64_t gpa,
		 const uint8_t *data, uint64_t length)
{
	uint64_t room = guest->size > gpa ? guest->size - gpa : 0;

	if (length > room) {
		ctl_error(ctl, "%s: %" PRIu64 " bytes at %#" PRIx64 ", but the guest's memory of "
			       "%" PRIu64 " bytes has room for %" PRIu64 " there",
			  path, length, gpa, guest->size, room);
		return CTL_FAILED;
	}
	memcpy(guest->memory + gpa, data, length);
	return CTL_OK;
}

static int load_file(struct ctl *ctl, struct guest *guest, const char *path, uint64_t gpa,
		     uint8_t *data, uint64_t length)
{
	int status = place(ctl, guest, path, gpa, data, length);

	free(data);
	return status;
}

/* As much as is wanted, else what image and input take, in large pages. */
static int allocate(struct ctl *ctl, struct guest *guest, const struct guest_options *options,
		    uint64_t needed, struct sidecar *client, uint32_t i)
{
	uint64_t size = options->memory ? options->memory :
					  (needed + LARGE_PAGE - 1) & ~(LARGE_PAGE - 1);
	void *memory;

	if (size % SIDECAR_PAGE_SIZE || size > GUEST_MEMORY_MAX) {
		ctl_error(ctl, "memory of %" PRIu64 " bytes: it must be a multiple of %u, up to "
			       "%" PRIu64, size, SIDECAR_PAGE_SIZE, GUEST_MEMORY_MAX);
		return CTL_USAGE;
	}
	if (sidecar_memory_alloc(client, i, size, 0, &memory)) {
		ctl_error(ctl, "%s", sidecar_error(client)->text);
		return CTL_FAILED;
	}
	guest->memory = memory;
	guest->size = size;
	return CTL_OK;
}

static uint64_t max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

int guest_load(struct ctl *ctl, struct guest *guest, const struct guest_options *options,
	       struct sidecar *client, uint32_t i)
{
	uint64_t image_size = 0, input_size = 0;
	uint8_t *image = NULL, *input = NULL;
	int status = read_file(ctl, options->image, &image, &image_size);

	if (!status && options->input)
		status = read_file(ctl, options->input, &input, &input_size);
	if (!status)
		status = allocate(ctl, guest, options,
				  max(options->load + image_size, GUEST_INPUT + input_size),
				  client, i);
	if (status) {
		free(image);
		free(input);
		return status;
	}
	status = load_file(ctl, guest, options->image, options->load, image, image_size);
	if (!input)
		return status;
	guest->input_length = (uint32_t)input_size;
	if (!status)
		return load_file(ctl, guest, options->input, GUEST_INPUT, input, input_size);
	free(input);
	return status;
}

/* ---- starting and ending --------------------------------------------------------------------- */

int guest_start(struct ctl *ctl, struct guest *guest, const struct guest_options *options)
{
	const struct hv_segment cs = {
		.base = options->load,
		.limit = 0xffff,
		.selector = (uint16_t)(options->load >> 4),
		.attributes = HV_SEGMENT_PRESENT | HV_SEGMENT_NON_SYSTEM | 0xb, /* code, accessed */
	};
	struct hv_register_assoc regs[] = {
		{.name = HV_REGISTER_CS},
		{.name = HV_REGISTER_RIP, .value.low = options->entry - options->load},
		{.name = HV_REGISTER_RFLAGS, .value.low = 2},
	};

	memcpy(&regs[0].value, &cs, sizeof(cs));
	if (!sidecar_vp_set_registers(guest->vp, HV_VTL_0, regs, sizeof(regs) / sizeof(*regs)))
		return CTL_OK;
	ctl_error(ctl, "%s", sidecar_vp_error(guest->vp)->text);
	return CTL_FAILED;
}

void guest_destroy(struct guest *guest)
{
	sidecar_vp_destroy(guest->vp);
	sidecar_partition_close(guest->partition);
	sidecar_memory_free(guest->memory, guest->size);
	memset(guest, 0, sizeof(*guest));
}

/* ---- intercepts ------------------------------------------------------------------------------ */

static enum guest_state advance(struct ctl *ctl, struct guest *guest,
				const struct hv_intercept_header *header, int *status)
{
	unsigned int length = header->instruction_length_and_cr8 & HV_INTERCEPT_LENGTH_MASK;

	if (!sidecar_vp_set_register64(guest->vp, HV_VTL_0, HV_REGISTER_RIP, header->rip + length))
		return GUEST_GOES_ON;
	ctl_error(ctl, "%s", sidecar_vp_error(guest->vp)->text);
	*status = CTL_CPU_LOST;
	return GUEST_ENDED;
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

static enum guest_state not_served(struct ctl *ctl, const char *what, uint64_t rip, int *status)
{
	ctl_error(ctl, "the guest, at RIP %#" PRIx64 ": %s", rip, what);
	*status = CTL_NOT_SERVED;
	return GUEST_ENDED;
}

static enum guest_state serve_io(struct ctl *ctl, struct guest *guest,
				 const struct hv_io_message *io, int *status)
{
	unsigned int size = io->access_info & HV_IO_ACCESS_SIZE_MASK;
	uint64_t *rax = &sidecar_vp_context(guest->vp)->gps[SIDECAR_GP_RAX];
	uint64_t mask = size == 4 ? UINT32_MAX : (UINT64_C(1) << 8 * size) - 1;

	if (io->access_info & HV_IO_ACCESS_STRING)
		return not_served(ctl, "string I/O is not served", io->header.rip, status);
	if (io->header.intercept_access_type != HV_INTERCEPT_ACCESS_WRITE)
		/* A 32-bit result clears the upper half, a smaller one leaves it. */
		*rax = (size == 4 ? 0 : *rax & ~mask) | (port_in(guest, io->port_number) & mask);
	else if (io->port_number == PORT_PRINT)
		putc((int)(io->rax & 0xff), ctl->out);
	return advance(ctl, guest, &io->header, status);
}

static enum guest_state serve_cpuid(struct ctl *ctl, struct guest *guest,
				    const struct hv_cpuid_message *cpuid, int *status)
{
	uint64_t *gps = sidecar_vp_context(guest->vp)->gps;

	gps[SIDECAR_GP_RAX] = cpuid->default_result_rax;
	gps[SIDECAR_GP_RBX] = cpuid->default_result_rbx;
	gps[SIDECAR_GP_RCX] = cpuid->default_result_rcx;
	gps[SIDECAR_GP_RDX] = cpuid->default_result_rdx;
	return advance(ctl, guest, &cpuid->header, status);
}

static enum guest_state end_of_memory(struct ctl *ctl, struct guest *guest,
				      const struct hv_memory_message *memory, int *status)
{
	char text[128];

	snprintf(text, sizeof(text), "it touched GPA %#" PRIx64 "; its memory ends at %#" PRIx64,
		 memory->guest_physical_address, guest->size);
	return not_served(ctl, text, memory->header.rip, status);
}

/* Every other message begins with an intercept header, or has no RIP at all. */
static uint64_t rip_of(const struct hv_message *message)
{
	struct hv_intercept_header header = {0};

	if (message->header.length >= sizeof(header))
		memcpy(&header, message->payload, sizeof(header));
	return header.rip;
}

static enum guest_state end(struct ctl *ctl, const struct hv_message *message, int *status)
{
	char text[128];

	if (message->header.type == HV_MESSAGE_UNRECOVERABLE_EXCEPTION) {
		ctl_error(ctl, "triple fault of the guest");
		*status = CTL_TRIPLE_FAULT;
		return GUEST_ENDED;
	}
	snprintf(text, sizeof(text), "message %#x (%s) is not served", message->header.type,
		 sidecar_message_name(message->header.type));
	return not_served(ctl, text, rip_of(message), status);
}

enum guest_state guest_serve(struct ctl *ctl, struct guest *guest, int *status)
{
	const struct hv_message *message = sidecar_vp_message(guest->vp);
	const void *payload = message->payload;

	switch (message->header.type) {
	case HV_MESSAGE_IO_PORT_INTERCEPT:
		return serve_io(ctl, guest, payload, status);
	case HV_MESSAGE_CPUID_INTERCEPT:
		return serve_cpuid(ctl, guest, payload, status);
	case HV_MESSAGE_HALT:
		return GUEST_HALTED;
	case HV_MESSAGE_UNMAPPED_GPA:
	case HV_MESSAGE_GPA_INTERCEPT:
		return end_of_memory(ctl, guest, payload, status);
	default:
		return end(ctl, message, status);
	}
}
