// SPDX-License-Identifier: MIT
/* TRANSLATE_GVA: a guest virtual address to a guest physical one. */
#include <errno.h>
#include <inttypes.h>

#include "internal.h"
#include "shm.h"

static struct sidecar_translate_response *response_of(const struct sidecar_vp *vp)
{
	return (struct sidecar_translate_response *)vp->page->request_data;
}

/* The request lies over the response's first bytes; the sentinel is in a word that must be zero. */
static void encode(struct sidecar_vp *vp)
{
	struct sidecar_translate_response blank = { .output.reserved = SENTINEL_WORD };
	const struct sidecar_translate_request request = {
		.gva_page = vp->request.gva >> HV_PAGE_SHIFT,
		.control_flags = vp->request.flags,
	};

	shm_copy_out(response_of(vp), &blank, sizeof(blank));
	shm_copy_out(vp->page->request_data, &request, sizeof(request));
	shm_store32(&vp->page->command, SIDECAR_COMMAND_TRANSLATE_GVA);
}

static bool arrived(const struct sidecar_vp *vp)
{
	return shm_load64(&response_of(vp)->output.reserved) != SENTINEL_WORD;
}

static bool decode(struct sidecar_vp *vp)
{
	struct sidecar_translate_response response;

	shm_copy_in(&response, response_of(vp), sizeof(response));
	if (response.status == HV_STATUS_SUCCESS) {
		*vp->request.output = response.output;
		request_over(vp, SIDECAR_EVENT_DONE, 0);
		return true;
	}
	vp_error(vp, SIDECAR_ERROR_HYPERVISOR, -EREMOTEIO,
		 "CPU %u: translate GVA 0x%" PRIx64 ", flags 0x%" PRIx64 ": %s (0x%04x)", vp->cpu,
		 vp->request.gva, vp->request.flags, sidecar_hv_status_name(response.status),
		 response.status);
	vp->error.hv_status = response.status;
	request_over(vp, SIDECAR_EVENT_ERROR, -EREMOTEIO);
	return true;
}

const struct command command_translate = {
	.encode = encode,
	.arrived = arrived,
	.decode = decode,
};

/* "The current VTL" would be the sidecar kernel's own in world H. */
int translate_check(struct sidecar_vp *vp, uint64_t flags, const void *output)
{
	if (!(flags >> HV_TRANSLATE_VTL_SHIFT & HV_VTL_USE_NUMBER))
		return vp_error(vp, SIDECAR_ERROR_ERRNO, -EINVAL,
				"CPU %u: translate flags 0x%" PRIx64
				" name no VTL in bits 56 to 63", vp->cpu, flags);
	if (!output)
		return vp_error(vp, SIDECAR_ERROR_ERRNO, -EINVAL,
				"CPU %u: translate without an output", vp->cpu);
	return 0;
}

int sidecar_vp_translate(struct sidecar_vp *vp, uint64_t gva, uint64_t flags,
			 struct hv_translate_output *output)
{
	int error = vp_claim(vp, SIDECAR_OPERATION_TRANSLATE, NULL);

	if (error)
		return error;
	error = translate_check(vp, flags, output);
	if (error) {
		vp_unclaim(vp);
		return error;
	}
	vp->request.gva = gva;
	vp->request.flags = flags;
	vp->request.output = output;
	request_await(vp, SIDECAR_NO_DEADLINE);
	return request_report(vp, NULL);
}
