// SPDX-License-Identifier: MIT
/*
 * The hypervisor's crash report. What the words mean is not the hypervisor's but the host's: it
 * expects those of the boot shim and its components, before the operating system has a name.
 */
#include "backend.h"
#include "console/format.h"
#include "hardware.h"
#include "hypercall.h"

#define TAG_SHIM 0x4d494853544f4f42ull	    /* "BOOTSHIM", first letter first */
#define TAG_COMPONENT 0x534944454341524bull /* "SIDECARK", first letter last */
#define CTL_PRE_OS (5ull << 58)
#define CTL_NO_DUMP (1ull << 61)
#define CTL_MESSAGE (1ull << 62)
#define CTL_NOTIFY (1ull << 63)
#define TEXT_MAX 512u

void backend_crash(struct cpu *cpu, const char *format, va_list arguments)
{
	const struct hyperv_caller caller = hyperv_caller(cpu);
	uint64_t size = format_text((char *)caller.buffers->output, TEXT_MAX, format, arguments);
	const uint64_t words[] = {
		TAG_SHIM,   TAG_COMPONENT,
		UINT64_MAX, caller.at.value + offsetof(struct hyperv_buffers, output),
		size,
	};

	for (unsigned int i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		hyperv_wrmsr(MSR_CRASH_P0 + i, words[i]);
	hyperv_wrmsr(MSR_CRASH_CTL, CTL_PRE_OS | CTL_NO_DUMP | CTL_MESSAGE | CTL_NOTIFY);
}
