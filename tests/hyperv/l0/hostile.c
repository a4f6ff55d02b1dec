// SPDX-License-Identifier: MIT
#include "hostile.h"

#include "log.h"
#include "time.h"
#include "x2apic.h"

#define REQUEST_VECTOR 0x20
#define JUNK 0xbadbadbadbadbad0ull
#define SPURIOUS_EVERY 3
#define PEND_EVERY 4
#define STRANGER_EVERY 5

static uint32_t mask;
static uint32_t fail_code, fail_count;

static const struct {
	const char *name;
	uint32_t bit;
} names[] = {
	{"spurious", HOSTILE_SPURIOUS},		{"pend", HOSTILE_PEND},
	{"strangers", HOSTILE_STRANGERS},	{"delay", HOSTILE_DELAY},
	{"refuse-page", HOSTILE_REFUSE_PAGE},	{"clobber", HOSTILE_CLOBBER},
	{"refuse-start", HOSTILE_REFUSE_START},
};

static bool same(const char *name, const char *word, uint32_t length)
{
	uint32_t i;

	for (i = 0; i < length && name[i]; i++)
		if (name[i] != word[i])
			return false;
	return i == length && !name[i];
}

static bool add(const char *word, uint32_t length)
{
	for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!same(names[i].name, word, length))
			continue;
		mask |= names[i].bit;
		return true;
	}
	return false;
}

bool hostile_parse(const char *words, uint32_t length)
{
	uint32_t begin = 0;

	for (uint32_t i = 0; i <= length; i++) {
		if (i < length && words[i] != ',')
			continue;
		if (!add(words + begin, i - begin))
			return false;
		begin = i + 1;
	}
	return true;
}

void hostile_add(uint32_t what)
{
	__atomic_fetch_or(&mask, what, __ATOMIC_RELAXED);
}

void hostile_remove(uint32_t what)
{
	__atomic_fetch_and(&mask, ~what, __ATOMIC_RELAXED);
}

bool hostile_is(uint32_t what)
{
	return load(&mask) & what;
}

void hostile_fail_next(uint16_t code, uint32_t count)
{
	store(&fail_code, code);
	store(&fail_count, count);
}

uint16_t hostile_fails_call(struct cpu *cpu, uint16_t code)
{
	uint32_t count = load(&fail_count);

	if (code != load(&fail_code))
		return HV_STATUS_SUCCESS;
	do {
		if (count == 0)
			return HV_STATUS_SUCCESS;
	} while (!__atomic_compare_exchange_n(&fail_count, &count, count - 1, false,
					      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	log_line(cpu, "hypercall 0x%x fails on purpose", code);
	return HV_STATUS_INSUFFICIENT_MEMORY;
}

bool hostile_refuses_start(const struct cpu *target)
{
	if (!hostile_is(HOSTILE_REFUSE_START))
		return false;
	log_line(target, "is not started, on purpose");
	return true;
}

/* Up to 20 ms, another time for each VP. */
void hostile_delay(const struct cpu *cpu)
{
	if (hostile_is(HOSTILE_DELAY))
		time_wait_us(1000 + cpu->vp_index * 7919 % 19000);
}

void hostile_clobber(struct cpu *cpu)
{
	if (!hostile_is(HOSTILE_CLOBBER))
		return;
	cpu->gps[HV_GP_RDX] = JUNK;
	for (uint32_t i = HV_GP_R8; i <= HV_GP_R11; i++)
		cpu->gps[i] = JUNK + i;
}

bool hostile_vtl_return(struct cpu *cpu)
{
	uint64_t turn = ++cpu->vtl0_returns;

	if (hostile_is(HOSTILE_PEND) && turn % PEND_EVERY == 0)
		x2apic_self_ipi(REQUEST_VECTOR);
	if (hostile_is(HOSTILE_STRANGERS) && turn % STRANGER_EVERY == 0)
		x2apic_self_ipi((uint8_t)(0x40 + turn % 0xa0));
	return hostile_is(HOSTILE_SPURIOUS) && turn % SPURIOUS_EVERY == 0;
}
