// SPDX-License-Identifier: MIT
#include "fake.h"

#include "boot.h"

struct fake fake;
struct svm_host svm_host;

bool svm_hardware_probe(struct sidecar_command_error *error)
{
	struct svm_cpuid cpuid = {
		.leaf1_edx = ~0u, .ext1_edx = 1u << 11 | 1u << 20 | 1u << 29, .ext8_eax = 40};

	(void)error;
	svm_host = (struct svm_host){.nrip_save = true, .flush_by_asid = true};
	svm_features_init(&svm_host.features, &cpuid, 0xffff);
	return true;
}

void svm_hardware_start(struct cpu *cpu)
{
	(void)cpu;
}

void svm_hardware_stop(void)
{
}

void svm_hardware_load(struct cpu *cpu)
{
	(void)cpu;
}

void svm_hardware_load_tsc_aux(const struct svm_vp *vp)
{
	fake.tsc_aux = vp->tsc_aux;
}

void svm_hardware_store(struct cpu *cpu)
{
	(void)cpu;
}

void svm_hardware_scrub(void)
{
	fake.scrubs++;
}

void svm_machine_check(void)
{
}

phys_t svm_image_page(struct cpu *cpu, const void *page)
{
	(void)cpu;
	return phys((uint64_t)page);
}

void svm_enter(struct svm_guest *guest, uint64_t vmcb_pa)
{
	struct svm_vmcb *vmcb = (struct svm_vmcb *)vmcb_pa;
	unsigned int n = fake.entries++;

	(void)guest;
	assert_true(n < MAX_ENTRIES);
	fake.entry[n] = (struct entry){
		.tlb_control = vmcb->control.tlb_control,
		.nested_cr3 = vmcb->control.nested_cr3,
		.generation_seen = fake.state.generation_seen,
		.event_inj = vmcb->control.event_inj,
		.efer = vmcb->save.efer,
		.rip = vmcb->save.rip,
	};
	vmcb->control.exit_int_info = 0;
	vmcb->control.next_rip = vmcb->save.rip + 2;
	fake.guest(&fake, n);
	vmcb->control.event_inj = 0;
}

void arch_wait(struct cpu *cpu)
{
	(void)cpu;
	fake.waits++;
	assert_true(fake.waits < 10);
	if (fake.on_wait)
		fake.on_wait(&fake);
}

void arch_drain(struct cpu *cpu)
{
	(void)cpu;
	fake.drains++;
}

void *window_open(struct cpu *cpu, unsigned int slot, phys_t pa, bool writable)
{
	(void)cpu;
	(void)slot;
	(void)writable;
	return (void *)pa.value;
}

void window_close(struct cpu *cpu, unsigned int slot)
{
	(void)cpu;
	(void)slot;
}

/* ---- the CPU --------------------------------------------------------------------------------- */

int fake_setup(void **state)
{
	struct boot boot = {0};

	(void)state;
	memset(&fake, 0, sizeof(fake));
	fake.cpu = (struct cpu){
		.vp_index = 5,
		.node_index = 3,
		.control = &fake.control,
		.command = &fake.command,
		.register_page = &fake.register_page,
		.state = &fake.state,
		.backend_pages = phys((uint64_t)fake.backend),
		.backend_memory = fake.backend,
	};
	fake.control.cpu_status[3] = SIDECAR_STATUS_RUN;
	assert_true(backend_boot(&boot, &fake.error));
	backend_cpu_start(&fake.cpu);
	fake.state.owner = 1;
	return 0;
}

struct svm_vmcb *fake_vmcb(void)
{
	return fake.cpu.backend.vp.vmcb;
}

void fake_map_code(uint64_t gpa)
{
	uint64_t page = (uint64_t)fake.code;

	memset(fake.tables, 0, sizeof(fake.tables));
	for (unsigned int level = 0; level < 4; level++) {
		uint64_t next = level < 3 ? (uint64_t)fake.tables[level + 1] : page;

		fake.tables[level][(gpa >> (39 - 9 * level)) & 511] = next | 7;
	}
	fake.state.nested_root = (uint64_t)fake.tables[0];
}

enum run_outcome fake_run(void)
{
	backend_command_begin(&fake.cpu);
	return backend_run_vp(&fake.cpu, &fake.error);
}

void fake_exit(uint32_t code, uint64_t info1, uint64_t info2)
{
	fake_vmcb()->control.exit_code = code;
	fake_vmcb()->control.exit_info1 = info1;
	fake_vmcb()->control.exit_info2 = info2;
}

void fake_stop(void)
{
	fake.control.cpu_status[3] = SIDECAR_STATUS_STOP;
}

void *fake_message(uint32_t type)
{
	assert_int_equal(fake.command.intercept_message.header.type, type);
	return fake.command.intercept_message.payload;
}
