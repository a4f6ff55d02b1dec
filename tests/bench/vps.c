// SPDX-License-Identifier: MIT
#include "vps.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "guest.h"

bool vps_failed(const char *what, const struct sidecar_error *error)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, error->text);
	return false;
}

void *vps_new_page(void)
{
	void *page = mmap(NULL, GUEST_PAGE_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (page == MAP_FAILED)
		return NULL;
	memcpy((char *)page + GUEST_CODE_OFFSET, guest_code, sizeof(guest_code));
	return page;
}

static bool add_vps(struct vps *vps, uint32_t max)
{
	struct sidecar_node_info info;
	uint32_t cpu;

	if (sidecar_node_info(vps->client, 0, &info) != 0)
		return vps_failed("node 0", sidecar_error(vps->client));
	for (cpu = info.base_cpu + 1; cpu < info.base_cpu + info.cpu_count; cpu++) {
		if (vps->count == max)
			break;
		if (sidecar_vp_create(vps->client, cpu, vps->partition, &vps->vp[vps->count]) != 0)
			return vps_failed("VP", sidecar_error(vps->client));
		vps->count++;
	}
	return vps->count > 0;
}

bool vps_open(struct vps *vps, void *page, uint32_t max)
{
	struct sidecar_error error;
	struct sidecar_options options = {.size = sizeof(options), .error = &error};
	int status = sidecar_open(&options, &vps->client);

	if (status == SIDECAR_ABSENT) {
		fprintf(stderr, "this machine has no sidecar\n");
		return false;
	}
	if (status != 0)
		return vps_failed("open", &error);
	if (sidecar_partition_create(vps->client, &vps->partition) != 0)
		return vps_failed("partition", sidecar_error(vps->client));
	if (sidecar_partition_map(vps->partition, GUEST_PAGE_GPA, page, GUEST_PAGE_SIZE,
				  SIDECAR_MAP_READ | SIDECAR_MAP_WRITE | SIDECAR_MAP_EXECUTE) != 0)
		return vps_failed("map", sidecar_partition_error(vps->partition));
	return add_vps(vps, max);
}

bool vps_attach(struct vps *vps)
{
	if (sidecar_queue_create(vps->client, NULL, &vps->queue) != 0)
		return vps_failed("queue", sidecar_error(vps->client));
	for (uint32_t i = 0; i < vps->count; i++)
		if (sidecar_queue_attach(vps->queue, vps->vp[i]) != 0)
			return vps_failed("attach", sidecar_queue_error(vps->queue));
	return true;
}

bool vps_serve(struct sidecar_vp *vp)
{
	const struct hv_message *message = sidecar_vp_message(vp);
	const struct hv_io_message *io = (const void *)message->payload;
	struct hv_register_page *page = sidecar_vp_register_page(vp);

	if (message->header.type != HV_MESSAGE_IO_PORT_INTERCEPT || io->port_number != GUEST_PORT) {
		fprintf(stderr, "message %#x (%s), wanted a write to port %#x\n",
			message->header.type, sidecar_message_name(message->header.type),
			GUEST_PORT);
		return false;
	}
	page->rip =
		io->header.rip + (io->header.instruction_length_and_cr8 & HV_INTERCEPT_LENGTH_MASK);
	page->dirty |= HV_REGISTER_PAGE_DIRTY_RIP;
	return true;
}

bool vps_serve_event(const struct sidecar_event *event)
{
	if (event->kind == SIDECAR_EVENT_INTERCEPT)
		return vps_serve(event->vp);
	fprintf(stderr, "event %s, wanted an intercept\n", sidecar_event_kind_name(event->kind));
	return false;
}

bool vps_close(struct vps *vps)
{
	for (uint32_t i = 0; i < vps->count; i++)
		if (sidecar_vp_destroy(vps->vp[i]) != 0)
			return vps_failed("destroy", sidecar_vp_error(vps->vp[i]));
	return sidecar_queue_close(vps->queue) == 0 &&
	       sidecar_partition_close(vps->partition) == 0 && sidecar_close(vps->client) == 0;
}
