// SPDX-License-Identifier: MIT
#include "meter.h"

#include "cpu.h"
#include "log.h"

static bool enabled;
static uint64_t shortest = UINT64_MAX; /* stay in VTL2 */

static const char *const names[METER_SPANS] = {
	[METER_ANSWER] = "intercept to announcement",
	[METER_RESUME] = "wake-up to VTL return",
	[METER_RETURN] = "interrupt to VTL return",
	[METER_AWAY] = "VTL return to entry",
};

void meter_enable(void)
{
	enabled = true;
}

static void add(struct meter *meter, enum meter_span span, uint64_t ticks)
{
	if (!meter->spans[span].count++ || ticks < meter->spans[span].least)
		meter->spans[span].least = ticks;
	if (ticks > meter->spans[span].most)
		meter->spans[span].most = ticks;
	meter->spans[span].sum += ticks;
}

uint64_t meter_enter(struct cpu *cpu)
{
	uint64_t now = rdtsc();

	if (enabled && cpu->meter.left)
		add(&cpu->meter, METER_AWAY, now - cpu->meter.left);
	cpu->meter.left = 0;
	return rdtsc();
}

void meter_leave(struct cpu *cpu, uint64_t entered)
{
	uint64_t ticks = rdtsc() - entered;

	if (!enabled)
		return;
	if (ticks < shortest)
		shortest = ticks;
	cpu->meter.ticks += ticks - shortest;
}

void meter_return(struct cpu *cpu)
{
	cpu->meter.left = rdtsc();
	meter_end(cpu, METER_RESUME);
	meter_end(cpu, METER_RETURN);
}

void meter_begin(struct cpu *cpu, enum meter_span span)
{
	cpu->meter.open = span;
	cpu->meter.ticks = 0;
}

void meter_end(struct cpu *cpu, enum meter_span span)
{
	struct meter *meter = &cpu->meter;

	if (!enabled || meter->open != span)
		return;
	meter->open = METER_NONE;
	add(meter, span, meter->ticks);
}

void meter_log(const struct cpu *cpu)
{
	for (uint32_t i = 0; enabled && i < METER_SPANS; i++) {
		uint64_t count = cpu->meter.spans[i].count;

		if (count)
			log_line(cpu, "meter: %s: %lu times, %lu to %lu ticks, mean %lu", names[i],
				 count, cpu->meter.spans[i].least, cpu->meter.spans[i].most,
				 cpu->meter.spans[i].sum / count);
	}
}
