// SPDX-License-Identifier: MIT
#include "node.h"

#define FIXED 0x4000u

struct test_node nodes[MAX_TEST_NODES];
uint32_t node_count;
uint32_t apic_ids[BENCH_MAX_VPS];

struct test_node *node_of(uint32_t vp)
{
	for (uint32_t n = 0; n < node_count; n++)
		if (vp >= nodes[n].base && vp - nodes[n].base < nodes[n].count)
			return &nodes[n];
	return NULL;
}

uint8_t *status_of(uint32_t vp)
{
	struct test_node *node = node_of(vp);

	return &node->control->cpu_status[vp - node->base];
}

bool is_sidecar(uint32_t vp)
{
	return node_of(vp) && load(status_of(vp)) != SIDECAR_STATUS_REMOVED;
}

uint32_t first_sidecar(void)
{
	uint32_t vp = 0;

	while (vp + 1 < vp_count() && !is_sidecar(vp))
		vp++;
	return vp;
}

uint32_t last_sidecar(void)
{
	uint32_t vp = vp_count() - 1;

	while (vp > 0 && !is_sidecar(vp))
		vp--;
	return vp;
}

static uint64_t shared_page(uint32_t vp, uint32_t number)
{
	struct test_node *node = node_of(vp);

	return node->memory + PAGE + (uint64_t)(vp - node->base) * SIDECAR_PER_CPU_SHMEM +
	       number * PAGE;
}

struct sidecar_command_page *page_of(uint32_t vp)
{
	return (void *)shared_page(vp, 0);
}

struct hv_register_page *register_page_of(uint32_t vp)
{
	return (void *)shared_page(vp, 1);
}

/* ---- commands -------------------------------------------------------------------------------- */

void kick(uint32_t vp)
{
	x2apic_send(apic_ids[vp], FIXED | node_of(vp)->control->request_vector);
}

void begin_command(uint32_t vp, uint32_t command)
{
	uint8_t idle = SIDECAR_STATUS_IDLE;

	page_of(vp)->command = command;
	if (!__atomic_compare_exchange_n(status_of(vp), &idle, SIDECAR_STATUS_RUN, false,
					 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		check(false, "the CPU is IDLE before a command");
	kick(vp);
}

bool is_idle(uint32_t vp)
{
	return wait_until(load(status_of(vp)) == SIDECAR_STATUS_IDLE);
}

bool do_command(uint32_t vp, uint32_t command)
{
	begin_command(vp, command);
	return is_idle(vp);
}

void stop(uint32_t vp)
{
	uint8_t run = SIDECAR_STATUS_RUN;

	if (__atomic_compare_exchange_n(status_of(vp), &run, SIDECAR_STATUS_STOP, false,
					__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		kick(vp);
}

static uint16_t registers(uint32_t vp, uint32_t command, uint8_t vtl,
			  const struct hv_register_assoc *all, uint32_t count)
{
	struct sidecar_command_page *page = page_of(vp);
	struct sidecar_registers_request *request = (void *)page->request_data;

	memset(request, 0, sizeof(*request));
	request->count = (uint16_t)count;
	request->target_vtl = vtl;
	request->status = 0xeeee;
	if (count <= SIDECAR_MAX_REGISTERS)
		memcpy(request + 1, all, count * sizeof(*all));
	if (!do_command(vp, command) || page->has_error)
		return 0xffff;
	return request->status;
}

uint16_t do_get(uint32_t vp, uint8_t vtl, struct hv_register_assoc *all, uint32_t count)
{
	struct sidecar_registers_request *request = (void *)page_of(vp)->request_data;
	uint16_t status = registers(vp, SIDECAR_COMMAND_GET_REGISTERS, vtl, all, count);

	if (count <= SIDECAR_MAX_REGISTERS)
		memcpy(all, request + 1, count * sizeof(*all));
	return status;
}

uint16_t do_set(uint32_t vp, uint8_t vtl, const struct hv_register_assoc *all, uint32_t count)
{
	return registers(vp, SIDECAR_COMMAND_SET_REGISTERS, vtl, all, count);
}

bool error_contains(uint32_t vp, const char *word)
{
	const struct sidecar_command_error *error = &page_of(vp)->error;
	uint32_t length = 0;

	while (word[length])
		length++;
	for (uint32_t i = 0; i + length <= error->length; i++)
		if (!memcmp(error->text + i, word, length))
			return true;
	return false;
}

/* ---- every CPU ------------------------------------------------------------------------------- */

static void test_none(uint32_t vp)
{
	struct sidecar_command_page *page = page_of(vp);
	uint32_t before = load(&interrupts[RESPONSE_VECTOR]);
	struct sidecar_control_page *control = node_of(vp)->control;

	store((uint64_t *)((uint64_t)control + SIDECAR_CONTROL_RESPONSE_OFFSET),
	      apic_ids[0] | (uint64_t)RESPONSE_VECTOR << 32);
	store(&control->needs_attention, 0);
	page->has_error = 1;
	check(do_command(vp, SIDECAR_COMMAND_NONE), "NONE ends in IDLE");
	check(page->has_error == 0 && page->command == SIDECAR_COMMAND_NONE,
	      "without an error, and taken");
	check(wait_until((interrupt_window(), load(&interrupts[RESPONSE_VECTOR]) > before)),
	      "its end is announced by interrupt");
	check(__atomic_exchange_n(&control->needs_attention, 0, __ATOMIC_SEQ_CST) == 1,
	      "and by needs_attention");
	store(&control->response_vector, 0);
	before = load(&interrupts[RESPONSE_VECTOR]);
	check(do_command(vp, SIDECAR_COMMAND_NONE), "with response vector 0 as well");
	interrupt_window();
	check_equal(load(&interrupts[RESPONSE_VECTOR]), before, "but silently");
}

static void test_all_at_once(void)
{
	uint32_t good = 0, count = 0;

	for (uint32_t vp = 0; vp < vp_count(); vp++) {
		if (!is_sidecar(vp))
			continue;
		page_of(vp)->has_error = 1;
		begin_command(vp, SIDECAR_COMMAND_NONE);
		count++;
	}
	for (uint32_t vp = 0; vp < vp_count(); vp++)
		good += is_sidecar(vp) && is_idle(vp) && !page_of(vp)->has_error;
	check_equal(good, count, "NONE on all CPUs at once");
}

/* Interrupts that nobody meant: the CPU stays where it is, and loses nothing. */
static void test_strays(uint32_t vp)
{
	for (uint32_t i = 0; i < 20; i++)
		kick(vp);
	check_equal(load(status_of(vp)), SIDECAR_STATUS_IDLE, "stray requests change nothing");
	check(do_command(vp, SIDECAR_COMMAND_NONE), "and the next command is taken");
}

/* STOP before the command began: it is executed all the same. */
static void test_early_stop(uint32_t vp)
{
	struct hv_register_assoc rip = {.name = HV_REGISTER_VP_INDEX};
	struct sidecar_registers_request *request = (void *)page_of(vp)->request_data;

	memset(request, 0, sizeof(*request));
	request->count = 1;
	request->target_vtl = HV_VTL_2;
	memcpy(request + 1, &rip, sizeof(rip));
	page_of(vp)->command = SIDECAR_COMMAND_GET_REGISTERS;
	store(status_of(vp), SIDECAR_STATUS_STOP);
	kick(vp);
	check(is_idle(vp), "a command that is stopped before it began");
	memcpy(&rip, request + 1, sizeof(rip));
	check(page_of(vp)->command == SIDECAR_COMMAND_NONE && rip.value.low == vp,
	      "is executed all the same");
}

void test_nodes(void)
{
	uint32_t last = 0xffffffff;

	test_all_at_once();
	for (uint32_t n = 0; n < node_count; n++)
		for (uint32_t vp = nodes[n].base; vp < nodes[n].base + nodes[n].count; vp++)
			if (is_sidecar(vp) && n != last) {
				test_none(vp);
				last = n;
			}
	test_strays(first_sidecar());
	test_early_stop(last_sidecar());
}
